// Every page of the console, with its dialogs, and as it is while it waits, when there is nothing, and when something is wrong.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { password } from "./flows.mjs";
import { closeDialog } from "./hands.mjs";
import { until } from "./service.mjs";

const places = [
  ["", "Conferences"],
  ["calls", "Calls"],
  ["history", "History"],
  ["recordings", "Recordings"],
  ["usage", "Usage"],
  ["setup/services", "Services"],
  ["setup/rooms", "Rooms"],
  ["setup/trunks", "Trunks"],
  ["setup/telephones", "Telephones"],
  ["setup/people", "People"],
  ["setup/keys", "API keys"],
  ["sessions", "My sessions"],
  ["health", "Health"],
  ["bans", "Bans"],
  ["accounts", "Accounts"],
  ["audit", "Audit"],
  ["log", "Log"],
  ["settings", "Settings"],
];

/** Dialogs of these pages: the button that opens each. */
const dialogs = [
  ["setup/services", "New service", "service-new"],
  ["setup/rooms", "New room", "room-new"],
  ["setup/trunks", "New trunk", "trunk-new"],
  ["setup/telephones", "New telephone", "telephone-new"],
  ["setup/people", "Invite", "person-new"],
  ["setup/keys", "New key", "key-new"],
  ["sessions", "Change password", "password"],
  ["accounts", "New account", "account-new"],
  ["health", "Show as curl", "curl"],
];

/** Dialogs of the room, from the bar and from the menu of a participant. */
const ofTheBar = ["Call", "Announce"];
const ofAParticipant = [
  "Rename",
  "Volume",
  "Coach: choose who hears them",
  "Play to them alone",
  "Move",
  "Transfer",
  "Statistics",
];

export async function everyPage(world) {
  const { service, step, look, scene, operator: page, leader } = world;
  for (const [path, heading] of places) {
    await step(`the page ${heading}`, async () => {
      await page.goto(`${service.base}/console/${path}`);
      await page.waitForSelector(`h1:has-text('${heading}')`);
      await page.waitForFunction(() => !document.querySelector("main [role=status]"));
      await look(page, path.replace("/", "-") || "home");
    });
  }
  await step("dialogs of the account's pages", async () => {
    for (const [path, button, name] of dialogs) {
      await page.goto(`${service.base}/console/${path}`);
      await page.click(`button:has-text('${button}')`);
      await page.waitForSelector("dialog[open]");
      await look(page, name);
    }
    await closeDialog(page);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open] h2:has-text('Keyboard')");
    await look(page, "keyboard");
    await page.goto(`${service.base}/console/setup/rooms`);
    await page.locator("td button").first().click();
    await page.click("[role=menuitem]:has-text('Card of keys')");
    await page.waitForSelector("dialog dt:text-is('*6')");
    await look(page, "room-card");
  });
  await step("dialogs of a room, and its menus", async () => {
    await leader.goto(`${service.base}/console/rooms/${scene.board}`);
    const more = leader.locator("[role=grid] button:has-text('More for')").first();
    for (const [index, text] of ofTheBar.entries()) {
      await leader.click(`[role=toolbar] button:has-text('${text}')`);
      await look(leader, `room-bar-${index + 1}`);
      await closeDialog(leader);
    }
    await more.click();
    await look(leader, "room-menu");
    await leader.keyboard.press("Escape");
    for (const [index, text] of ofAParticipant.entries()) {
      await more.click();
      await leader.click(`[role=menuitem]:has-text('${text}')`);
      await look(leader, `room-dialog-${index + 1}`);
      await closeDialog(leader);
    }
    await leader.locator("[role=grid] input[type=checkbox]").first().check();
    await look(leader, "room-selected");
  });
  await step("a list that waits, one with nothing in it, and one that cannot be read", async () => {
    const answer = { status: 503, contentType: "application/problem+json" };
    const problem = {
      type: "about:blank",
      title: "Service Unavailable",
      status: 503,
      detail: "The database cannot be reached",
      request_id: "4f1c0b2a",
    };
    for (const [name, how] of [
      ["list-waits", () => {}],
      ["list-empty", (route) => route.fulfill({ json: { items: [], next: null } })],
      ["list-problem", (route) => route.fulfill({ ...answer, body: JSON.stringify(problem) })],
    ]) {
      await page.route("**/v1/history**", how);
      await page.goto(`${service.base}/console/history`);
      await page.waitForSelector(
        name === "list-waits"
          ? "main [role=status]"
          : name === "list-empty"
            ? "text=No conference is over yet"
            : "main [role=alert]",
      );
      await look(page, name);
      await page.unroute("**/v1/history**");
    }
    await page.goto(`${service.base}/console/nothing-here`);
    await page.waitForSelector("text=There is no such page");
    await look(page, "not-found");
  });
}

/** Pages are gone to as people do it; their addresses alone show nothing of the way there. */
export async function navigation({ service, step, by, operator: page }) {
  await step("each page is reached through the navigation", async () => {
    await page.goto(`${service.base}/console`);
    await page.waitForSelector("h1:has-text('Conferences')");
    for (const [path, heading] of places) {
      const link = `#navigation a[href='/console/${path}']`;
      // One's own sessions are in a menu.
      if (path === "sessions") await by.pick(page, "button:has-text('Account and language')", heading);
      else await by.press(page, link);
      await page.waitForSelector(`h1:has-text('${heading}')`);
      if (path !== "sessions") await page.waitForSelector(`${link}[aria-current=page]`);
    }
  });
}

/** A server that says 200 to whatever it is asked by SIP. */
async function sipServer() {
  const socket = createSocket("udp4");
  socket.on("message", (request, { address, port }) => {
    const kept = String(request)
      .split("\r\n")
      .filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
    socket.send(["SIP/2.0 200 OK", ...kept, "Content-Length: 0", "", ""].join("\r\n"), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** What operators look up and make, beside leading conferences. */
export async function settingUp({ service, step, by, look, scene, operator: page }) {
  const { cloud, login, number, trunk } = scene.setup;
  const open = (path) => page.goto(`${service.base}/console/${path}`);
  await step("one call: its messages, and the packet capture", async () => {
    await open(`calls?conference=${scene.board}`);
    await by.press(page, "table a[href*='/calls/'] >> nth=-1");
    await page.waitForSelector("button:has-text('INVITE')");
    await look(page, "call");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      by.press(page, "button:has-text('Packet capture')"),
    ]);
    if (!download.suggestedFilename().endsWith(".pcap")) throw new Error(download.suggestedFilename());
    await by.press(page, "button:has-text('INVITE')");
    await page.waitForSelector("dialog[open]");
    await look(page, "call-message");
    await closeDialog(page);
  });
  await step("an account is made, its key is shown once, and it is disabled", async () => {
    await open("accounts");
    await by.press(page, "main button:has-text('New account')");
    await by.fill(page, "dialog input >> nth=0", cloud);
    await by.fill(page, "dialog input >> nth=1", login);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`dialog h2:has-text('API key of ${login}') >> visible=true`);
    const key = await page.inputValue("dialog [readonly]");
    await look(page, "account-key");
    await closeDialog(page);
    const headers = { Authorization: `Basic ${Buffer.from(`${cloud}/${login}:${key}`).toString("base64")}` };
    const status = async () => (await fetch(`${service.api}/v1/conferences`, { headers })).status;
    const before = await status();
    if (before !== 200) throw new Error(`its key opens nothing: ${before}`);
    await by.pick(page, `tr:has-text('${login}') button`, "Disable");
    await look(page, "account-disable");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`tr:has-text('${login}') >> text=disabled`);
    await until("the end of its key", async () => (await status()) === 401);
  });
  await step("a service is made, and callers are asked for a room there", async () => {
    await open("setup/services");
    await by.press(page, "main button:has-text('New service')");
    await by.fill(page, "dialog input >> nth=0", number);
    await by.choose(page, "dialog select >> nth=0", "rooms, by keypad");
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector(`td:has-text('${number}')`);
    await look(page, "services");
    const { entry } = await service.request("GET", `/service/v1/inbound/${encodeURIComponent(number)}`);
    if (!entry) throw new Error("it asks for none");
  });
  await step("a trunk is made, and asked whether it answers", async () => {
    await open("setup/trunks");
    await by.press(page, "main button:has-text('New trunk')");
    await by.fill(page, "dialog input >> nth=0", trunk);
    const other = await sipServer();
    await by.fill(page, "dialog input >> nth=1", `sip:127.0.0.1:${other.address().port}`);
    await by.press(page, "dialog button[type=submit]");
    await by.pick(page, `tr:has(td:text-is('${trunk}')) button`, "Test");
    await page.waitForSelector(`dialog h2:has-text('${trunk}')`);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("dialog [role=status] dd:has-text('200')");
    await look(page, "trunk-test");
    await closeDialog(page);
    other.close();
  });
  await step("one's own password is changed, and counts", async () => {
    await open("sessions");
    await by.press(page, "main button:has-text('Change password')");
    await by.fill(page, "dialog input >> nth=0", password);
    await by.fill(page, "dialog input >> nth=1", `${password} staple`);
    await by.fill(page, "dialog input >> nth=2", `${password} staple`);
    await by.press(page, "dialog button[type=submit]");
    await page.waitForSelector("text=The password is changed");
    const body = (secret) => JSON.stringify({ login: scene.operator[1], password: secret });
    const headers = { "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json" };
    const status = async (secret) =>
      (await fetch(`${service.api}/v1/session`, { method: "POST", headers, body: body(secret) })).status;
    const found = [await status(password), await status(`${password} staple`)];
    if (found.join() !== "401,200") throw new Error(`the old one and the new one: ${found}`);
  });
  await step("one conference that is over", async () => {
    await open("history");
    await by.press(page, "table a >> nth=0");
    await page.waitForSelector("h2:has-text('Participants')");
    await look(page, "history-one");
  });
}
