// What others try: pages of other sites, cookies that were copied, links and passwords that are guessed, and texts that are no texts.
import http from "node:http";

import { password } from "./flows.mjs";
import { closeDialog } from "./hands.mjs";
import { callBySipp } from "./phones.mjs";
import { freePort, until } from "./service.mjs";

/** Would run where a page took it for HTML. */
const MARKUP = '<img src=x onerror="window.hit=1">';

export async function attacks(world) {
  await foreignPages(world);
  await leadersLinkElsewhere(world);
  await texts(world);
  await otherBrowser(world);
  await stolenCookie(world);
}

/** The status of a request as a program sends it, with this cookie. */
function ask(service, cookie, method, path, body) {
  const headers = { Cookie: cookie, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json" };
  return fetch(service.base + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
}

const cookieOf = async (page) =>
  (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");

/** A person with a session of their own. */
async function signedIn({ service, newPage, by }, name, mail) {
  const page = await newPage();
  await page.goto(service.base + (await service.invite(name, mail, "--role", "organiser")));
  await by.fill(page, "input >> nth=0", password);
  await by.fill(page, "input >> nth=1", password);
  await by.press(page, "button[type=submit]");
  await page.waitForSelector("h1:has-text('Conferences')");
  return page;
}

/** The same site on another port gets the cookie sent along, another site does not: neither changes anything. */
async function foreignPages(world) {
  const { service, step } = world;
  const room = "Fortress";
  await service.seat(room, "Tessa Hall", () => service.call(`conf-${room}`, 440));
  await step(
    "pages of other origins change nothing, read nothing, and are let into no conference",
    async () => {
      const page = await signedIn(world, "Flora Example", "flora@example.com");
      const port = await freePort();
      const evil = http.createServer((_, answer) => {
        answer.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>Prizes</title>");
      });
      await new Promise((done) => evil.listen(port, "127.0.0.1", done));
      try {
        for (const host of ["127.0.0.1", "localhost"]) {
          await page.goto(`http://${host}:${port}/`);
          const found = await page.evaluate(
            async ([base, name]) => {
              const tried = async (path, init) => {
                const kept = { credentials: "include", mode: "no-cors", ...init };
                const answer = await fetch(base + path, kept).catch(() => null);
                return answer ? (await answer.text().catch(() => "")).length : 0;
              };
              const text = { method: "POST", headers: { "Content-Type": "text/plain" } };
              const read = [
                await tried("/v1/session", {}),
                await tried("/v1/session", { mode: "cors" }),
                await tried("/v1/events", { mode: "cors" }),
                await tried(`/v1/conferences/${name}/mute`, { ...text, body: '{"muted":true}' }),
                await tried(`/v1/conferences/${name}/participants`, { ...text, body: '{"to":"tel:+441"}' }),
                await tried("/v1/session", { method: "DELETE", mode: "cors" }),
                await tried(`/v1/conferences/${name}`, { method: "DELETE", mode: "cors" }),
              ];
              const socket = await new Promise((done) => {
                const one = new WebSocket(`${base.replace("http", "ws")}/sipproxy`, "sip");
                one.onopen = () => done("open");
                one.onerror = () => done("refused");
              });
              return { read, socket };
            },
            [service.base, room],
          );
          if (found.read.some((length) => length > 0)) throw new Error(`${host} reads ${found.read}`);
          if (found.socket !== "refused") throw new Error(`${host} may call`);
          // A form is sent without asking.
          for (const path of [`/v1/conferences/${room}/mute`, "/conference_list", "/v1/session"]) {
            await page.goto(`http://${host}:${port}/`);
            const [answer] = await Promise.all([
              page.waitForResponse((one) => one.url() === service.base + path),
              page.evaluate((action) => {
                const frame = document.createElement("iframe");
                frame.name = "answer";
                const form = document.createElement("form");
                Object.assign(form, { action, method: "post", enctype: "text/plain", target: "answer" });
                const part = document.createElement("input");
                Object.assign(part, { name: '{"muted":true,"a":"', value: '"}' });
                form.append(part);
                document.body.append(frame, form);
                form.submit();
              }, service.base + path),
            ]);
            if (answer.status() < 400) throw new Error(`${path} from ${host}: ${answer.status()}`);
          }
        }
      } finally {
        evil.close();
        evil.closeAllConnections();
      }
      await page.goto(`${service.base}/console/rooms/${room}`);
      await page.waitForSelector("h2:has-text('In the conference')");
      const all = await service.participants(room);
      if (all.length !== 1 || all[0].muted) throw new Error("something has changed");
      await page.context().close();
    },
  );
}

async function leadersLinkElsewhere({ service, step, newPage }) {
  await step("a leader's link changes, follows and hears of no other conference", async () => {
    const { path } = await service.request("POST", "/v1/leader-links", { conference: "Elsewhere" });
    const page = await newPage();
    await page.goto(service.base + path);
    await page.waitForSelector("h1:has-text('Elsewhere')");
    const found = await page.evaluate(async () => {
      const headers = { "Content-Type": "application/json" };
      const status = async (path, method = "GET", body = undefined) =>
        (await fetch(path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })).status;
      const at = "/v1/conferences/Fortress";
      return [
        await status(at),
        await status(`${at}/participants`),
        await status(at, "PATCH", { locked: true }),
        await status(`${at}/mute`, "POST", { muted: true }),
        await status(at, "DELETE"),
        await status("/v1/conferences"),
        await status("/v1/reservations"),
        await status("/v1/leader-links", "POST", { conference: "Fortress" }),
        await status("/v1/people"),
      ];
    });
    if (found.some((status) => status !== 403)) throw new Error(found.join());
    // What it follows, of all and of the other one, says nothing of it.
    await page.evaluate(() => {
      window.said = ["", ""];
      for (const [at, topics] of ["", "?topics=room:Fortress"].entries()) {
        fetch(`/v1/events${topics}`, { headers: { Accept: "text/event-stream" } }).then(async (answer) => {
          const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
          for (;;) window.said[at] += `${answer.status} ${(await reader.read()).value ?? ""}`;
        });
      }
    });
    await page.waitForFunction(() => window.said.every((text) => text !== ""));
    await service.request("PATCH", "/v1/conferences/Fortress", { locked: true });
    service.call("conf-Elsewhere", 600);
    await page.waitForFunction(() => window.said[0].includes("participant.entered"));
    // Nor does it take anybody there who is in its own.
    const moved = await page.evaluate(async () => {
      const participants = "/v1/conferences/Elsewhere/participants";
      const { items } = await (await fetch(participants)).json();
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ conference: "Fortress" });
      const to = `${participants}/${items[0].participant_id}/move`;
      const answer = await fetch(to, { method: "POST", headers, body });
      return [answer.status, (await answer.json()).code].join();
    });
    if (moved !== "403,1304") throw new Error(`a move: ${moved}`);
    const told = await page.evaluate(() => window.said.join());
    if (told.includes("Fortress")) throw new Error(told);
    // Nor does the console show it.
    await page.goto(`${service.base}/console/rooms/Fortress`);
    await page.waitForSelector("h1:has-text('Elsewhere')");
    await page.context().close();
  });
}

/** Names, numbers, titles and labels that others choose are shown as they are, on each page that has them. */
async function texts(world) {
  const { service, newPage, step, by, operator } = world;
  const room = "Markup";
  const said = '<img src=x onerror=\\"window.hit=1\\">';
  await step("names, numbers, titles and labels with markup are text on every page", async () => {
    await callBySipp(service, `conf-${room}`, `"${said}" <sip:%3Csvg%20onload=alert(1)%3E@127.0.0.1>`);
    await until("the caller", async () => (await service.participants(room))[0]);
    const { token } = await service.request("POST", "/v1/reservations", {
      ...{ conference: "Title", title: MARKUP, max_participants: 40, duration_min: 30 },
      starts_at: new Date(Date.now() + 86_400_000).toISOString(),
    });
    const link = await service.request("POST", "/v1/guest-links", { reservation: token, label: MARKUP });
    await service.request("POST", "/v1/leader-links", { reservation: token, label: MARKUP });
    await service.request("POST", "/v1/keys", { label: MARKUP, scopes: ["read"] });
    await service.invite(MARKUP, "markup@example.com", "--role", "organiser");
    const pages = [
      [`rooms/${room}`, "h2:has-text('In the conference')"],
      [`calls?conference=${room}`, "table a"],
      ["bookings", "td:has-text('onerror')"],
      [`bookings/${token}`, "h1:has-text('onerror')"],
      ["", "td:has-text('onerror')"],
      ["setup/people", "td:has-text('onerror')"],
      ["setup/keys", "td:has-text('onerror')"],
      ["audit", "main table"],
      ["log", "main table, main li, main pre"],
    ];
    const isText = async (page, path) => {
      const hit = await page.evaluate(
        () => window.hit ?? document.querySelectorAll("img[src=x], main svg[onload]").length,
      );
      if (hit) throw new Error(`${path} takes it for HTML`);
    };
    for (const [path, shows] of pages) {
      await operator.goto(`${service.base}/console/${path}`);
      await operator.waitForSelector(shows);
      await isText(operator, path);
    }
    await operator.goto(`${service.base}/console/rooms/${room}`);
    await operator.waitForSelector("strong:has-text('onerror')");
    await isText(operator, "room");
    await operator.goto(`${service.base}/console/bookings/${token}`);
    for (const button of ["Invite", "Leader's link"]) {
      await by.press(operator, `button:has-text("${button}")`);
      await operator.waitForSelector("dialog td:has-text('onerror')");
      await isText(operator, button);
      await closeDialog(operator);
    }
    // What it is called is not what somebody has called it.
    const [download] = await Promise.all([
      operator.waitForEvent("download"),
      by.press(operator, "a:has-text('Calendar file')"),
    ]);
    if (download.suggestedFilename() !== "Title.ics") throw new Error(download.suggestedFilename());
    await operator.goto(`${service.base}/console/calls?conference=${room}`);
    await by.press(operator, "table a[href*='/calls/']");
    await operator.waitForSelector("h2:has-text('Timeline')");
    await by.press(operator, "button:has-text('INVITE')");
    await operator.waitForSelector("dialog pre, dialog code");
    await isText(operator, "message");
    await closeDialog(operator);
    const guest = await newPage();
    await guest.goto(service.base + link.path);
    await guest.waitForSelector("h1:has-text('onerror')");
    await isText(guest, "join");
    await guest.context().close();
  });
  await step("paths lead to no files beside those of the pages", async () => {
    const url = new URL(service.base);
    for (const path of [
      "/assets/../../../../etc/passwd",
      "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
      "/assets/..%2f..%2f..%2fetc%2fpasswd",
      "/assets/..%5c..%5cetc%5cpasswd",
      "/docs/..%2f..%2fetc%2fpasswd",
      "/v1/media/..%2f..%2fplenary.db",
      "/v1/recordings/..%2f..%2fplenary.db/audio?track=0",
      "//etc/passwd",
    ]) {
      const headers = { Cookie: await cookieOf(operator) };
      const options = { host: url.hostname, port: url.port, path, headers };
      const [status, text] = await new Promise((done, fail) => {
        const request = http.get(options, async (answer) => {
          let body = "";
          for await (const part of answer) body += part;
          done([answer.statusCode, body]);
        });
        request.on("error", fail);
      });
      if (status < 400 || /root:|SQLite/.test(text))
        throw new Error(`${path}: ${status} ${text.slice(0, 80)}`);
    }
  });
}

/** One signs out another browser from afar. */
export async function otherBrowser(world) {
  const { service, newPage, step, by, look, scene } = world;
  const mail = `gerda.${scene.board.toLowerCase()}@example.com`;
  await step("another browser is signed out from afar, and told so", async () => {
    const mine = await signedIn(world, "Gerda Example", mail);
    const other = await newPage({
      userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
    });
    await other.goto(`${service.base}/console/sign-in`);
    await by.fill(other, "input[type=email]", mail);
    await by.fill(other, "input[type=password]", password);
    await by.press(other, "button[type=submit]");
    await other.waitForSelector("h1:has-text('Conferences')");
    await mine.goto(`${service.base}/console/sessions`);
    await mine.waitForSelector("tr:has-text('Firefox')");
    await look(mine, "sessions-two");
    await by.press(mine, "tr:has-text('Firefox') button:has-text('Sign out')");
    await mine.waitForSelector("tr:has-text('Firefox')", { state: "detached" });
    // Without a press: what it follows ends, and it looks why.
    await other.waitForSelector("h1:has-text('Sign in')");
    await mine.context().close();
    await other.context().close();
  });
}

async function stolenCookie(world) {
  const { service, step, by } = world;
  await step("a cookie that was copied is worth nothing once its owner has signed out", async () => {
    const page = await signedIn(world, "Hanna Example", "hanna@example.com");
    const cookie = await cookieOf(page);
    const follows = await ask(service, cookie, "GET", "/v1/events");
    const before = [follows.status, (await ask(service, cookie, "GET", "/v1/conferences")).status];
    if (before.join() !== "200,200") throw new Error(`before: ${before}`);
    await by.pick(page, "button:has-text('Account and language')", "Sign out");
    await page.waitForSelector("h1:has-text('Sign in')");
    for (const [method, path] of [
      ["GET", "/v1/session"],
      ["GET", "/v1/conferences"],
      ["GET", "/v1/events"],
      ["DELETE", "/v1/conferences/Fortress"],
    ]) {
      const { status } = await ask(service, cookie, method, path);
      if (status !== 401) throw new Error(`${method} ${path}: ${status}`);
    }
    // What it followed ends, too.
    const reader = follows.body.getReader();
    await until("the end of what was followed", async () => (await reader.read()).done);
    if ((await page.context().cookies()).some(({ value }) => value && cookie.includes(value)))
      throw new Error("the browser still has it");
    await page.goBack();
    await page.waitForSelector("h1:has-text('Sign in')");
    await page.context().close();
  });
}

/** Passwords and codes, until this address may not guess any more. */
export async function guessing(world) {
  const { service, newPage, step, by, look, scene } = world;
  const enter = async (page, mail, secret) => {
    await by.fill(page, "input[type=email]", mail);
    await by.fill(page, "input[type=password]", secret);
    const [answer] = await Promise.all([
      page.waitForResponse((one) => one.url().endsWith("/v1/session") && one.request().method() === "POST"),
      by.press(page, "button[type=submit]"),
    ]);
    return answer;
  };
  await step("who guesses passwords has to wait, also with the right one; others need not", async () => {
    const mail = "ivo@example.com";
    const owner = await signedIn(world, "Ivo Example", mail);
    await owner.context().close();
    // A person who was never here.
    const other = "jana@example.com";
    await service.invite("Jana Example", other, "--role", "organiser");
    const page = await newPage();
    await page.goto(`${service.base}/console/sign-in`);
    const statuses = [];
    for (let at = 0; at < 5; at += 1)
      statuses.push((await enter(page, other, `guess number ${at}`)).status());
    if (statuses.slice(0, 3).some((status) => status !== 401) || statuses.at(-1) !== 429)
      throw new Error(statuses.join());
    const held = await enter(page, other, password);
    if (held.status() !== 429 || !(Number(held.headers()["retry-after"]) > 0))
      throw new Error(`${held.status()} ${held.headers()["retry-after"]}`);
    await page.waitForSelector("[role=alert]");
    await look(page, "sign-in-held");
    // At the same address.
    if ((await enter(page, mail, password)).status() !== 200) throw new Error("another person waits too");
    await page.waitForSelector("h1:has-text('Conferences')");
    await page.context().close();
  });
  await step("who guesses codes of links is held up, and those who have one are not", async () => {
    const { path } = await service.request("POST", "/v1/guest-links", { conference: scene.board });
    const page = await newPage();
    await page.goto(`${service.base}/join/${"a".repeat(32)}`);
    await page.waitForSelector("text=This link is not valid any more");
    await look(page, "join-wrong-code");
    await until("no more answers", () =>
      page.evaluate(async () => {
        const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
        const digits = crypto.getRandomValues(new Uint8Array(32));
        const code = [...digits].map((digit) => alphabet[digit % 32]).join("");
        const headers = { "Content-Type": "application/json" };
        const init = { method: "POST", headers, body: JSON.stringify({ code }) };
        return (await fetch("/v1/guest-links/open", init)).status === 429;
      }),
    );
    await page.goto(`${service.base}/join/${"b".repeat(32)}`);
    await page.waitForSelector("text=Too many links that do not count were opened from your address");
    await look(page, "join-guessed");
    await page.goto(service.base + path);
    await page.waitForSelector("input[autocomplete=name]");
    await page.context().close();
  });
}
