// Goes through the pages as people do: the real program, real telephones, Chromium. Every page and state is searched for faults of
// accessibility by axe-core in both themes, and for anything that is wider than the screen at 375 pixels. With a folder as argument
// screenshots are kept there. The last line counts: N passed, M failed.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Service, until } from "./service.mjs";

const program = process.env.PLENARY ?? join(import.meta.dirname, "..", "..", "target", "debug", "plenary");
const folder = process.argv[2];
if (folder) mkdirSync(folder, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const password = "correct horse battery";

const service = await Service.start(program);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  ],
});
let passed = 0;
let failed = 0;
const complaints = [];

async function step(name, action) {
  try {
    await action();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${String(error.message).split("\n")[0]}`);
  }
}

async function newPage(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  // The telephone's connections, so that what is heard can be measured.
  await context.addInitScript(() => {
    const Original = window.RTCPeerConnection;
    window.peers = [];
    window.RTCPeerConnection = class extends Original {
      constructor(...args) {
        super(...args);
        window.peers.push(this);
      }
    };
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    if (/Content.Security.Policy|Trusted/i.test(message.text()))
      complaints.push(`${page.url()}: ${message.text()}`);
  });
  return page;
}

/** In the page: colours change over a moment, and what is measured meanwhile is of neither theme. */
function settled(colorScheme) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  return (
    isDark === (colorScheme === "dark") &&
    document.getAnimations().every((one) => one.playState !== "running")
  );
}

/** What stands in the way of somebody, in both themes and on a small screen. */
async function look(page, name) {
  const faults = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.waitForFunction(settled, colorScheme);
    // Not as a script of the page, which its policy would refuse.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    for (const { id, nodes } of violations)
      faults.push(`${id} (${colorScheme}): ${nodes[0].html.slice(0, 120)} ${nodes[0].any[0]?.message ?? ""}`);
    if (folder) await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
    await page.setViewportSize({ width: 375, height: 740 });
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wider > 0) faults.push(`${wider} pixels wider than a small screen`);
    if (folder) await page.screenshot({ path: join(folder, `${name}-${colorScheme}-375.png`) });
    await page.setViewportSize({ width: 1440, height: 900 });
  }
  if (faults.length) throw new Error(`${name}: ${faults.join("; ")}`);
}

async function accept(page, link) {
  await page.goto(service.base + link);
  await page.locator("input").nth(0).fill(password);
  await page.locator("input").nth(1).fill(password);
  await page.click("button[type=submit]");
}

const inConference = async (conference, name) =>
  (await service.participants(conference)).find(
    (one) => one.display_name === name && (one.state === "in" || one.state === "waiting"),
  );

/** How loud what the page hears is, and how loud what the service hears of it. */
async function isHeard(page, conference, name) {
  await until(`sound at ${name}`, () =>
    page.evaluate(async () => {
      const stats = await window.peers.at(-1).getStats();
      return [...stats.values()].some((one) => one.type === "inbound-rtp" && one.totalAudioEnergy > 0.001);
    }),
  );
  await until(`sound from ${name}`, async () => {
    const { statistics } = await inConference(conference, name);
    return statistics.packets_received > 50 && statistics.level_dbov > -60;
  });
}

try {
  const operator = await newPage();
  await step("an invited person sets a password and is signed in", async () => {
    await operator.goto(
      service.base +
        (await service.invite("Eve Example", "eve@example.com", "--operator", "--role", "admin")),
    );
    await operator.waitForSelector("h1:has-text('Welcome')");
    await operator.locator("input").nth(0).fill("short");
    await operator.click("button[type=submit]");
    await look(operator, "welcome");
    await operator.locator("input").nth(0).fill(password);
    await operator.locator("input").nth(1).fill(password);
    await operator.click("button[type=submit]");
    await operator.waitForSelector("h1:has-text('Conferences')");
    await look(operator, "home-empty");
  });
  await step("who is signed out is led to the sign-in, and back", async () => {
    await operator.click("button:has-text('Account and language')");
    await operator.click("[role=menuitem]:has-text('Sign out')");
    await operator.waitForSelector("h1:has-text('Sign in')");
    await operator.goto(`${service.base}/console/calls?outcome=answered`);
    await operator.fill("input[type=email]", "eve@example.com");
    await operator.fill("input[type=password]", "not the right one");
    await operator.click("button[type=submit]");
    await operator.waitForSelector("[role=alert]");
    await look(operator, "sign-in");
    await operator.fill("input[type=password]", password);
    await operator.click("button[type=submit]");
    await operator.waitForSelector("h1:has-text('Calls')");
    if (!operator.url().includes("outcome=answered")) throw new Error(operator.url());
  });

  await step("an organiser books a conference and a series", async () => {
    await operator.goto(`${service.base}/console/bookings/new`);
    await operator.waitForSelector("text=seats are left then");
    await operator.fill("input[pattern]", "Team");
    await look(operator, "booking-new");
    await operator.click("button[type=submit]");
    await operator.waitForSelector("text=Reservation token");
    await look(operator, "booking");
    await operator.goto(`${service.base}/console/bookings/new`);
    await operator.waitForSelector("text=seats are left then");
    await operator.fill("input[pattern]", "Jour");
    await operator.selectOption("select", "weekly");
    await operator.fill(
      "input[type=datetime-local]",
      new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 16),
    );
    await operator.waitForSelector("button[type=submit]:not(:disabled)");
    await operator.click("button[type=submit]");
    await operator.waitForSelector("h1:has-text('Bookings')");
    await until("four bookings", async () => (await operator.locator("td:has-text('Jour')").count()) >= 4);
    await look(operator, "bookings");
  });

  service.call("conf-Board", 440);
  service.call("conf-Board", 600);
  const leader = await newPage();
  const caller = await newPage({ permissions: ["microphone"] });
  await step("an invitation from the room is joined by its link, with sound both ways", async () => {
    await accept(leader, await service.invite("Ina Example", "ina@example.com", "--role", "organiser"));
    await leader.waitForSelector("h1:has-text('Conferences')");
    await leader.click("h3 a:has-text('Board')");
    await leader.waitForSelector("h2:has-text('In the conference')");
    await leader.click("button:has-text('Invite')");
    await leader.click("dialog button:has-text('Make link')");
    const link = await leader.inputValue("dialog input[readonly]");
    await look(leader, "room-invite");
    await leader.keyboard.press("Escape");
    await caller.goto(service.base + link.slice(link.indexOf("/join/")));
    await caller.waitForSelector("[role=meter]");
    await look(caller, "join");
    await caller.fill("input[autocomplete=name]", "Ann <b>Lee</b>");
    await caller.keyboard.press("Enter");
    await until("the caller", () => inConference("Board", "Ann <b>Lee</b>"));
    await caller.waitForSelector("text=(you)");
    await isHeard(caller, "Board", "Ann <b>Lee</b>");
    await look(caller, "join-call");
  });
  await step("names that callers choose are text", async () => {
    await leader.waitForSelector("strong:has-text('Ann <b>Lee</b>')");
    await look(leader, "room");
  });
  await step("a reload in mid-call keeps the seat", async () => {
    const before = (await service.participants("Board")).length;
    await caller.reload();
    await caller.waitForSelector("text=(you)");
    await until("the same number", async () => (await service.participants("Board")).length === before);
    await isHeard(caller, "Board", "Ann <b>Lee</b>");
  });
  await step("a lost network is found again in the same call", async () => {
    const { participant_id } = await inConference("Board", "Ann <b>Lee</b>");
    await caller.context().setOffline(true);
    await caller.evaluate(() => window.dispatchEvent(new Event("online")));
    try {
      await caller.waitForSelector("text=Your seat is kept");
      await look(caller, "join-lost");
    } finally {
      await caller.context().setOffline(false);
    }
    await caller.waitForSelector("text=You are in");
    const after = await inConference("Board", "Ann <b>Lee</b>");
    if (after.participant_id !== participant_id) throw new Error("another participant id");
  });
  await step("the leader mutes with one click, and the caller sees it", async () => {
    await leader.click("button:has-text('Mute Ann')");
    await caller.waitForSelector("text=You are muted in the conference");
    await leader.click("button:has-text('Unmute Ann')");
    await caller.waitForSelector("text=You can be heard");
  });
  await step("a menu by keyboard alone: rename", async () => {
    await leader.focus("button:has-text('More for Ann')");
    await leader.keyboard.press("ArrowDown");
    await leader.waitForSelector("[role=menu]:popover-open");
    await look(leader, "room-menu");
    await leader.keyboard.press("Enter");
    await leader.keyboard.press("Control+A");
    await leader.keyboard.type("Clara Weiß");
    await leader.keyboard.press("Enter");
    await leader.waitForSelector("strong:has-text('Clara Weiß')");
  });
  await step("lock, lecture, record, announce", async () => {
    await leader.click("button:has-text('Lock')");
    await leader.waitForSelector("button[aria-pressed=true]:has-text('Locked')");
    await leader.click("button:has-text('Lecture')");
    await leader.waitForSelector("text=muted by lecture");
    await leader.click("button:has-text('Lecture')");
    await leader.click("button:has-text('Record')");
    await look(leader, "room-record");
    await leader.click("dialog button[type=submit]");
    await leader.waitForSelector("header >> text=Recording");
    await leader.click("[role=toolbar] button:has-text('Recording')");
    await leader.click("text=Stop recording");
    await leader.click("button:has-text('Announce')");
    await leader.click("dialog button:has-text('Play')");
    await leader.waitForSelector("dialog button:has-text('Stop')");
    await leader.keyboard.press("Escape");
  });
  await step("a room is found by name, with Control and K", async () => {
    await leader.keyboard.press("Control+K");
    await leader.waitForSelector("[role=combobox]");
    await leader.keyboard.type("boar");
    await leader.waitForSelector("[role=option]:has-text('Board')");
    await look(leader, "palette");
    await leader.keyboard.press("Enter");
    await leader.waitForSelector("h1:has-text('Board')");
  });
  await step("two leaders at once see the same", async () => {
    await operator.goto(`${service.base}/console/rooms/Board`);
    await operator.click("button[aria-pressed=true]:has-text('Locked')");
    await leader.waitForSelector("button[aria-pressed=false]:has-text('Lock')");
  });
  await step("a lost feed is said", async () => {
    await leader.route("**/v1/events**", (route) => route.abort());
    await leader.reload();
    try {
      await leader.waitForSelector("text=Not live since");
      await look(leader, "room-lost");
    } finally {
      await leader.unroute("**/v1/events**");
    }
  });
  await step("somebody is removed, and told so", async () => {
    await leader.click("button:has-text('More for Clara')");
    await leader.click("[role=menuitem]:has-text('Remove')");
    await leader.click("dialog button[type=submit]");
    await caller.waitForSelector("text=The call is over");
    await look(caller, "join-over");
  });

  service.call("meet", 440, "1001#,,,,70215548#");
  service.call("meet", 550, "1001#,,,,482913#,,,,,,,,,,*9");
  service.call("meet", 440, "1002#,,,,70215549#");
  service.call("meet", 550, "1002#,,,,482914#");
  await step("a telephone that raises its hand is seen, and let speak", async () => {
    await leader.goto(`${service.base}/console/rooms/Weekly`);
    await leader.waitForSelector("h2:has-text('Hands')", { timeout: 40_000 });
    await look(leader, "room-hands");
    await leader.click("button:has-text('Let speak')");
    await until("no hand", async () =>
      (await service.participants("Weekly")).every((one) => !one.hand_raised_at),
    );
  });
  await step("who waits in the lobby is admitted", async () => {
    await leader.goto(`${service.base}/console/rooms/Lobby`);
    await leader.waitForSelector("h2:has-text('Waiting')", { timeout: 40_000 });
    await look(leader, "room-waiting");
    await leader.click("button:has-text('Admit')");
    await until(
      "two in",
      async () => (await service.participants("Lobby")).filter((one) => one.state === "in").length === 2,
    );
  });
  const token = (await service.request("POST", "/v1/tokens", { service: "meet", valid_s: 3600 })).token;
  await step("a link with a room asks for the PIN, and the hand is raised by its button", async () => {
    await caller.goto(
      `${service.base}/join/meet#token=${token}&room=1001&title=Weekly&number=%2B44+1632+960000`,
    );
    await caller.reload();
    await caller.fill("input[autocomplete=name]", "Dora");
    await caller.fill("input[inputmode=numeric]", "482913");
    await look(caller, "join-pin");
    await caller.click("button[type=submit]");
    await until("Dora", () => inConference("Weekly", "Dora"), 25_000);
    await caller.waitForSelector("text=(you)");
    await caller.click("button:has-text('Hand')");
    await until("her hand", async () => (await inConference("Weekly", "Dora")).hand_raised_at);
    await caller.click("button:has-text('Keypad')");
    await look(caller, "join-keypad");
    await caller.keyboard.press("Escape");
    await caller.click("button:has-text('Leave')");
    await caller.waitForSelector("text=You have left");
  });
  await step("without a microphone people listen", async () => {
    const listener = await newPage();
    await listener.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await listener.goto(`${service.base}/join/meet#token=${token}&room=1001&pin=482913`);
    await listener.click("button:has-text('Use my microphone')");
    await listener.waitForSelector("text=does not let this page use the microphone");
    await look(listener, "join-refused");
    await listener.fill("input[autocomplete=name]", "Lena");
    await listener.click("button:has-text('Listen only')");
    await until("Lena", () => inConference("Weekly", "Lena"), 25_000);
    await look(listener, "join-listening");
    await listener.context().close();
  });
  await step("a link that leads nowhere says so", async () => {
    const lost = await newPage();
    await lost.goto(`${service.base}/join/nowhere#token=${token}`);
    await lost.fill("input[autocomplete=name]", "X");
    await lost.click("button[type=submit]");
    await lost.waitForSelector("text=There is no such conference");
    await look(lost, "join-nowhere");
    await lost.context().close();
  });

  for (const [path, heading] of [
    ["", "Conferences"],
    ["calls", "Calls"],
    ["history", "History"],
    ["recordings", "Recordings"],
    ["usage", "Usage"],
    ["setup/rooms", "Rooms"],
    ["setup/trunks", "Trunks"],
    ["setup/telephones", "Telephones"],
    ["setup/people", "People"],
    ["setup/keys", "API keys"],
    ["sessions", "My sessions"],
    ["health", "Health"],
    ["bans", "Bans"],
    ["audit", "Audit"],
    ["log", "Log"],
    ["settings", "Settings"],
  ]) {
    await step(`the page ${heading}`, async () => {
      await operator.goto(`${service.base}/console/${path}`);
      await operator.waitForSelector(`h1:has-text('${heading}')`);
      await operator.waitForLoadState("load");
      await look(operator, path.replace("/", "-") || "home");
    });
  }
  await step("one call: its messages, and the packet capture", async () => {
    await operator.goto(`${service.base}/console/calls?conference=Board`);
    await operator.locator("table a").last().click();
    await operator.waitForSelector("button:has-text('INVITE')");
    await look(operator, "call");
    const [download] = await Promise.all([
      operator.waitForEvent("download"),
      operator.click("text=Packet capture"),
    ]);
    if (!download.suggestedFilename().endsWith(".pcap")) throw new Error(download.suggestedFilename());
    await operator.locator("button:has-text('INVITE')").first().click();
    await look(operator, "call-message");
    await operator.keyboard.press("Escape");
  });
  await step("a conference is ended for all", async () => {
    await leader.goto(`${service.base}/console/rooms/Lobby`);
    await leader.click("button:has-text('End for all')");
    await look(leader, "room-end");
    await leader.click("dialog button[type=submit]");
    await leader.waitForSelector("h1:has-text('Conferences')");
    await until("its end", async () => (await service.participants("Lobby")).length === 0);
  });
  await step("an auditor reads and controls nothing; pages are in their language", async () => {
    const auditor = await newPage();
    await accept(
      auditor,
      await service.invite("Otto Example", "otto@example.com", "--role", "auditor", "--language", "de"),
    );
    await auditor.waitForSelector("h1:has-text('Konferenzen')");
    await auditor.goto(`${service.base}/console/rooms/Board`);
    await auditor.waitForSelector("h2:has-text('In der Konferenz')");
    await look(auditor, "room-auditor");
    if (await auditor.locator("[role=toolbar], button:has-text('Sperren')").count())
      throw new Error("there are controls");
    await auditor.context().close();
  });
  await step("a cookie that is gone leads to the sign-in", async () => {
    await operator.context().clearCookies();
    await operator.click("nav >> text=Usage");
    await operator.waitForSelector("h1:has-text('Sign in')");
  });
  await step("no page had an error or broke the policy", async () => {
    if (complaints.length) throw new Error([...new Set(complaints)].join("; "));
  });
} finally {
  await browser.close();
  service.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
