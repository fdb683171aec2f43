// Every page of the console, with its dialogs, and as it is while it waits, when there is nothing, and when something is wrong.
import { password } from "./flows.mjs";

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
    await page.keyboard.press("Escape");
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
    const closed = () => leader.waitForFunction(() => !document.querySelector("dialog[open]"));
    for (const [index, text] of ofTheBar.entries()) {
      await leader.click(`[role=toolbar] button:has-text('${text}')`);
      await look(leader, `room-bar-${index + 1}`);
      await leader.keyboard.press("Escape");
      await closed();
    }
    await more.click();
    await look(leader, "room-menu");
    await leader.keyboard.press("Escape");
    for (const [index, text] of ofAParticipant.entries()) {
      await more.click();
      await leader.click(`[role=menuitem]:has-text('${text}')`);
      await look(leader, `room-dialog-${index + 1}`);
      await leader.keyboard.press("Escape");
      await closed();
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
  await step("one call: its messages, and the packet capture", async () => {
    await page.goto(`${service.base}/console/calls?conference=${scene.board}`);
    await page.locator("table a").last().click();
    await page.waitForSelector("button:has-text('INVITE')");
    await look(page, "call");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Packet capture")]);
    if (!download.suggestedFilename().endsWith(".pcap")) throw new Error(download.suggestedFilename());
    await page.locator("button:has-text('INVITE')").first().click();
    await look(page, "call-message");
    await page.keyboard.press("Escape");
  });
  await step("accounts, services and trunks are made, tested and changed", async () => {
    await page.goto(`${service.base}/console/accounts`);
    await page.click("button:has-text('New account')");
    await page.locator("dialog input").nth(0).fill("7-7-7");
    await page.locator("dialog input").nth(1).fill("guests@example.com");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("dialog h2:has-text('API key of guests@example.com') >> visible=true");
    await page.waitForSelector("dialog [readonly]");
    await look(page, "account-key");
    await page.keyboard.press("Escape");
    await page.click("tr:has-text('guests@example.com') button");
    await page.click("[role=menuitem]:has-text('Disable')");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("tr:has-text('guests@example.com') >> text=disabled");
    await page.goto(`${service.base}/console/setup/services`);
    await page.click("button:has-text('New service')");
    await page.locator("dialog input").nth(0).fill("+441632960001");
    await page.selectOption("dialog select >> nth=0", { label: "rooms, by keypad" });
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("td:has-text('+441632960001')");
    await look(page, "services");
    await page.goto(`${service.base}/console/setup/trunks`);
    await page.click("button:has-text('New trunk')");
    await page.locator("dialog input").nth(0).fill("provider");
    await page.locator("dialog input").nth(1).fill(`sip:${service.sip}`);
    await page.click("dialog button[type=submit]");
    await page.click("tr:has-text('provider') button");
    await page.click("[role=menuitem]:has-text('Test')");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("dialog [role=status] dd");
    await look(page, "trunk-test");
  });
  await step("one's own password is changed, and counts", async () => {
    await page.goto(`${service.base}/console/sessions`);
    await page.click("button:has-text('Change password')");
    const fields = page.locator("dialog input");
    await fields.nth(0).fill(password);
    await fields.nth(1).fill(`${password} staple`);
    await fields.nth(2).fill(`${password} staple`);
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("text=The password is changed");
  });
  await step("one conference that is over", async () => {
    await page.goto(`${service.base}/console/history`);
    await page.locator("table a").first().click();
    await page.waitForSelector("h2:has-text('Participants')");
    await look(page, "history-one");
  });
}
