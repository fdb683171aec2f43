// Signs in with an account elsewhere, as people do: in Chromium, from the console to an OpenID Connect provider and back.
// provider.mjs PUBLIC ADDRESS NAME PASSWORD: the service is public under the first and listens on the second, both host:port; the provider
// is Glewlwyd. The last line is JSON: the page where that ended, its heading, and what the service says of the session.
import { chromium } from "playwright-core";

const [publicly, address, username, password] = process.argv.slice(2);
const PATIENCE_MS = 30_000;

/** In the page of the provider: what its form does, whose style sheets are packages of their own. Where it goes on. */
async function agree(person) {
  const send = (method, path, body) =>
    fetch(`/api/auth/${path}`, {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }).then((answer) => {
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    });
  const asked = new URLSearchParams(location.search);
  await send("POST", "", person);
  await send("PUT", `grant/${asked.get("client_id")}`, { scope: asked.get("scope") });
  return `${asked.get("callback_url")}&g_continue`;
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    `--host-resolver-rules=MAP ${publicly} ${address}`,
    `--explicitly-allowed-ports=${publicly.split(":").at(-1)}`,
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  ],
});
try {
  const page = await browser.newPage({ locale: "en" });
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`http://${publicly}/console/bookings`);
  await page.click("a:has-text('Sign in with')");
  await page.waitForURL((url) => url.host !== publicly);
  await page.goto(await page.evaluate(agree, { username, password }));
  await page.waitForURL(`http://${publicly}/console/**`);
  await page.waitForSelector("main h1");
  const session = await page.evaluate(() => fetch("/v1/session").then((answer) => answer.json()));
  const heading = await page.textContent("main h1");
  console.log(JSON.stringify({ url: page.url(), heading, session }));
} finally {
  await browser.close();
}
