// The browser of a telephone: fingers, and screens of 320 and 375 pixels.

import { touch as by } from "./hands.mjs";
import { inConference, isHeard } from "./heard.mjs";
import { narrow } from "./look.mjs";
import { until } from "./service.mjs";

const screens = [{ width: 320, height: 568 }, narrow];
/** What a finger hits. */
const TARGET_PX = 44;

/** In the page: what is too small for a finger, or stands beyond the screen. */
function unfit(least) {
  const found = [];
  const { clientWidth } = document.documentElement;
  if (document.documentElement.scrollWidth > clientWidth)
    found.push(`the page is ${document.documentElement.scrollWidth} pixels wide`);
  const dialog = document.querySelector("dialog[open]");
  for (const one of (dialog ?? document).querySelectorAll("button, select, input, a[href], textarea")) {
    // A box to tick is hit by its text, too.
    const target = one.closest("label") ?? one;
    const { width, height, left, right } = target.getBoundingClientRect();
    if (!one.checkVisibility() || width <= 1 || height === 0) continue;
    if (one.closest("p, .skip, .visually-hidden, [inert]")) continue;
    const name = one.textContent?.trim() || one.getAttribute("aria-label") || one.id || one.type;
    if (height < least || width < least)
      found.push(`${name} is ${Math.round(width)} by ${Math.round(height)} pixels`);
    if (left < 0 || right > clientWidth + 1) found.push(`${name} stands beyond the screen`);
  }
  return found;
}

async function isFit(page, what) {
  const found = await page.evaluate(unfit, TARGET_PX);
  if (found.length) throw new Error(`${what}: ${found.join("; ")}`);
}

export async function pocket({ service, newPage, step, look, operator }) {
  const room = "Pocket";
  await service.seat(room, "Tessa Hall", () => service.call(`conf-${room}`, 440));
  const { path } = await service.request("POST", "/v1/guest-links", { conference: room });
  for (const viewport of screens) {
    const more = { viewport, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
    const guest = `Pia ${viewport.width}`;
    await step(`a telephone's browser joins by touch, at ${viewport.width} pixels`, async () => {
      const page = await newPage({ ...more, permissions: ["microphone"] });
      await page.goto(service.base + path);
      await page.waitForSelector("[role=meter]");
      await isFit(page, "the page to join by");
      await by.fill(page, "input[autocomplete=name]", guest);
      await by.press(page, "button[type=submit]");
      await page.waitForSelector("text=(you)", { state: "attached" });
      await isHeard(service, page, room, guest);
      await isFit(page, "the call");
      await by.press(page, "button:has-text('Mute')");
      await page.waitForSelector("text=You are muted");
      await by.press(page, "button:has-text('Unmute')");
      await page.waitForSelector("text=You can be heard");
      for (const name of ["Keypad", "People", "Devices"]) {
        await by.press(page, `nav button:has-text('${name}')`);
        await page.waitForSelector("dialog[open]");
        await isFit(page, name);
        await by.press(page, "dialog header button");
        await page.waitForSelector("dialog", { state: "detached" });
      }
      await page.reload();
      await page.waitForSelector("text=(you)", { state: "attached" });
      await isHeard(service, page, room, guest);
      await by.press(page, "nav button:has-text('Leave')");
      await page.waitForSelector("text=You have left");
      await until("an empty seat", async () => !(await inConference(service, room, guest)));
      await page.context().close();
    });
    await step(`a leader leads by touch, at ${viewport.width} pixels`, async () => {
      const storageState = await operator.context().storageState();
      const page = await newPage({ ...more, storageState });
      const tessa = () => inConference(service, room, "Tessa Hall");
      await page.goto(`${service.base}/console`);
      await by.press(page, "button[aria-controls=navigation]");
      await page.waitForSelector("nav >> text=Bookings");
      await by.press(page, "button[aria-controls=navigation]");
      await by.press(page, `h3 a:has-text('${room}')`);
      await page.waitForSelector("h2:has-text('In the conference')");
      await isFit(page, "the room");
      await by.press(page, "button:has-text('Mute Tessa')");
      await until("the mute", async () => (await tessa()).muted);
      await by.press(page, "button:has-text('Unmute Tessa')");
      await until("the unmute", async () => !(await tessa()).muted);
      await by.pick(page, "button:has-text('More for Tessa')", "Rename");
      await isFit(page, "a dialog");
      await by.fill(page, "dialog input", `Tessa ${viewport.width}`);
      await by.press(page, "dialog button[type=submit]");
      await page.waitForSelector(`strong:has-text('Tessa ${viewport.width}')`);
      await by.pick(page, `button:has-text('More for Tessa ${viewport.width}')`, "Rename");
      await by.fill(page, "dialog input", "Tessa Hall");
      await by.press(page, "dialog button[type=submit]");
      await until("the name", tessa);
      await page.context().close();
    });
  }
  await step("the navigation of a telephone covers the page, until a page is opened", async () => {
    const storageState = await operator.context().storageState();
    const page = await newPage({ viewport: narrow, isMobile: true, hasTouch: true, storageState });
    const isCovered = () => page.evaluate(() => Boolean(document.querySelector("main[inert]")));
    await page.goto(`${service.base}/console`);
    await by.press(page, "button[aria-controls=navigation]");
    await page.waitForSelector("#navigation >> text=Bookings");
    if (!(await isCovered())) throw new Error("the page behind it takes part");
    await isFit(page, "the navigation");
    await look(page, "navigation", [narrow]);
    await by.press(page, "#navigation a[href='/console/bookings']");
    await page.waitForSelector("h1:has-text('Bookings')");
    if (await isCovered()) throw new Error("it stays open");
    await page.context().close();
  });
}
