// Goes through the pages as people do: the real program, real telephones, Chromium. Every page and state is searched for faults of
// accessibility in both themes, on a large and on a small screen, and for anything that is wider than its place, down to a screen of 320
// pixels; what people do they do a second time by the keyboard alone. The last line counts: N passed, M failed.
// --main: what people do, once, by mouse, and nothing else; --keyboard: the same by the keyboard. --pictures FOLDER: pages and states are kept there, in both themes and two widths.
// --only calling,attacks: these parts alone, by mouse or, with --keyboard, by the keyboard.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { account } from "./account.mjs";
import { attacks, guessing, otherBrowser } from "./attacks.mjs";
import { deviceStates, joining } from "./callers.mjs";
import { control } from "./control.mjs";
import { duties } from "./duties.mjs";
import { accept, beginnings, bookings, bookSoon, keypads, leading, outage } from "./flows.mjs";
import { german } from "./german.mjs";
import { keyboard, mouse } from "./hands.mjs";
import { looker, writeIndex } from "./look.mjs";
import { everyPage, navigation, settingUp } from "./places.mjs";
import { planning } from "./planning.mjs";
import { pocket } from "./pocket.mjs";
import { scenes } from "./scenes.mjs";
import { PATIENCE_MS, Service } from "./service.mjs";
import { badLines, banned, calling } from "./telephony.mjs";

const { values: options } = parseArgs({
  options: {
    main: { type: "boolean" },
    keyboard: { type: "boolean" },
    only: { type: "string" },
    pictures: { type: "string" },
  },
});
/** Those that need an operator who is signed in, and nothing else. */
const parts = {
  navigation,
  calling,
  planning,
  account,
  control,
  joining,
  badLines,
  banned,
  deviceStates,
  pocket,
  german,
  attacks,
  guessing,
};
const program = process.env.PLENARY ?? join(import.meta.dirname, "..", "..", "target", "debug", "plenary");
const service = await Service.start(program);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--use-fake-device-for-media-stream",
    // By itself it beeps, too short for speech.
    `--use-file-for-fake-audio-capture=${service.voice(330)}`,
    "--use-fake-ui-for-media-stream",
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  ],
});
let passed = 0;
let failed = 0;
const complaints = [];
/** What was seen that should not be. */
const faults = [];

async function step(name, action) {
  // Of some parts the first fault is looked for.
  if (options.only && failed) return;
  const begun = Date.now();
  const took = () => `${((Date.now() - begun) / 1_000).toFixed(1)} s`;
  const found = [];
  try {
    await action();
  } catch (error) {
    found.push(String(error.message).split("\n").slice(0, 3).join(" "));
  }
  const isDone = !found.length;
  // A step goes on after what is seen in it, so that one run shows all of that.
  found.push(...faults.splice(0));
  if (!found.length) {
    passed += 1;
    console.log(`ok      ${name} (${took()})`);
    return;
  }
  failed += 1;
  console.log(`FAILED  ${name} (${took()}): ${found.join("\n        ")}`);
  if (isDone) return;
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    const asks =
      (await page
        .locator("dialog[open]")
        .count()
        .catch(() => 0)) > 0;
    const place = asks ? "dialog[open] >> nth=-1" : "main >> nth=0";
    const shown = await page.textContent(place, { timeout: 1_000 }).catch(() => "nothing");
    console.log(`        ${page.url()} shows: ${shown.replaceAll(/\s+/g, " ").slice(0, 600)}`);
  }
  for (const trouble of service.troubles.splice(0)) console.log(`        ${trouble}`);
}

async function newPage(more = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...more });
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
  // With devices that are made up the browser may say that all pages have leave.
  if (!more.permissions?.includes("microphone")) {
    await context.addInitScript(() => {
      navigator.permissions.query = () => Promise.resolve({ state: "prompt" });
    });
  }
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    const isOurs = page.url().startsWith(service.base);
    if (isOurs && /Content.Security.Policy|Trusted/i.test(message.text()))
      complaints.push(`${page.url()}: ${message.text()}`);
  });
  return page;
}

const isWhole = !options.main;
/** By their names, the states that were looked at, and the pages that they are of. */
const places = new Map();
const look = isWhole ? looker(options.pictures, places, faults) : async () => {};

/** Everything that people do, with pages of their own; `seen` looks at them. */
async function goThrough(scene, by, seen) {
  const world = {
    ...{ service, newPage, step, by, scene, isWhole, look: seen },
    operator: await newPage(),
    leader: await newPage(),
    caller: await newPage({ permissions: ["microphone"] }),
  };
  const soon = await bookSoon(world);
  await beginnings(world);
  await leading(world);
  await keypads(world);
  await outage(world, soon);
  await bookings(world, soon);
  if (isWhole) {
    await duties(world);
    await navigation(world);
    await calling(world);
    await planning(world);
    await account(world);
    await control(world);
    await joining(world);
  }
  return world;
}

/** Some parts alone. */
async function some(names, scene, by) {
  const world = {
    service,
    newPage,
    step,
    by,
    scene,
    look,
    isWhole,
    operator: await newPage(),
  };
  const link = await service.invite(...scene.operator, "--operator", "--role", "admin");
  await accept(world, world.operator, link);
  await world.operator.waitForSelector("h1:has-text('Conferences')");
  for (const name of names) await parts[name](world);
}

async function byKeyboard() {
  const world = await goThrough(scenes.keyboard, keyboard, async () => {});
  if (!isWhole) return;
  await settingUp(world);
  await badLines(world);
  await deviceStates(world);
  await otherBrowser(world);
  await banned(world);
}

async function byMouse() {
  const world = await goThrough(scenes.mouse, mouse, look);
  if (isWhole) {
    await everyPage(world);
    await settingUp(world);
    await badLines(world);
    await deviceStates(world);
    await pocket(world);
    await german(world);
    await banned(world);
  }
  await step("an auditor reads and controls nothing; pages are in their language", async () => {
    const auditor = await newPage();
    const link = await service.invite(
      "Otto Example",
      "otto@example.com",
      "--role",
      "auditor",
      "--language",
      "de",
    );
    await accept(world, auditor, link);
    await auditor.waitForSelector("h1:has-text('Konferenzen')");
    await auditor.goto(`${service.base}/console/rooms/${scenes.mouse.board}`);
    await auditor.waitForSelector("h2:has-text('In der Konferenz')");
    await look(auditor, "room-auditor");
    if (await auditor.locator("[role=toolbar], button:has-text('Sperren')").count())
      throw new Error("there are controls");
    for (const [path, title] of [
      ["history", "Verlauf"],
      ["usage", "Nutzung"],
      ["audit", "Prüfprotokoll"],
    ]) {
      await auditor.goto(`${service.base}/console/${path}`);
      await auditor.waitForSelector(`h1:has-text('${title}')`);
      await auditor.waitForSelector("main table");
    }
    const refused = await auditor.evaluate(async (name) => {
      const headers = { "Content-Type": "application/json" };
      const status = async (method, path, body) =>
        (await fetch(path, { method, headers, body: JSON.stringify(body) })).status;
      return [
        await status("PATCH", `/v1/conferences/${name}`, { locked: true }),
        await status("POST", `/v1/conferences/${name}/mute`, { muted: true }),
        await status("POST", "/v1/reservations", {}),
        await status("PUT", "/v1/trunks/mine", { uri: "sip:127.0.0.1" }),
        await status("DELETE", `/v1/conferences/${name}`, {}),
      ];
    }, scenes.mouse.board);
    if (refused.some((status) => status !== 403)) throw new Error(`an auditor changes: ${refused}`);
    await auditor.context().close();
  });
  if (isWhole) await attacks(world);
  await step("a cookie that is gone leads to the sign-in", async () => {
    // What the page asks next by itself may lead there before the click does.
    const signIn = world.operator.waitForSelector("h1:has-text('Sign in')");
    await world.operator.context().clearCookies();
    const clicked = world.operator.click("nav >> text=Usage");
    await Promise.race([signIn, clicked]);
    clicked.catch(() => {});
    await signIn;
  });
  return world;
}

try {
  if (options.only) {
    const [scene, by] = options.keyboard ? [scenes.keyboard, keyboard] : [scenes.mouse, mouse];
    await some(options.only.split(","), scene, by);
  } else {
    const world = options.keyboard ? null : await byMouse();
    if (options.keyboard || (isWhole && !options.pictures)) {
      console.log("By the keyboard alone:");
      await byKeyboard();
    }
    // The last of all: afterwards this address has guessed too often.
    if (isWhole && world) await guessing(world);
  }
  await step("no page had an error or broke the policy", async () => {
    if (complaints.length) throw new Error([...new Set(complaints)].join("; "));
  });
  if (options.pictures) {
    await step("the pictures are listed, and few octets", async () => writeIndex(options.pictures, places));
  }
} finally {
  await browser.close();
  service.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
