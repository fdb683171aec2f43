// What stands in the way of people: faults that axe-core finds in both themes, on a large and on a small screen, and what is wider than its
// place. Keeps pictures.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Beside those that axe-core has turned on by itself: targets of at least 24 pixels (WCAG 2.2, 2.5.8). */
const rules = { "target-size": { enabled: true } };
const themes = ["light", "dark"];
export const wide = { width: 1440, height: 900 };
export const narrow = { width: 375, height: 812 };
/** The smallest screen on which nothing is wider than the page (WCAG 1.4.10); no picture is kept of it. */
const smallest = { width: 320, height: 640 };
/** As small as what is written stays readable: there are hundreds. */
const QUALITY = 32;
/** Those of a large screen are drawn smaller, by the browser itself. */
const WIDE_SCALE = 0.6;
/** Those of a small screen show the page to its end, if it is not longer than this. */
const HEIGHT_MAX = 2_400;
/** All pictures together: each change of them stays in the repository for good. */
const BYTES_MAX = 9_000_000;

/** In the page: colours change over a moment, and what is measured meanwhile is of neither theme. */
function settled(colorScheme) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  return (
    isDark === (colorScheme === "dark") &&
    document.fonts.status === "loaded" &&
    document.getAnimations().every((one) => one.playState !== "running")
  );
}

/** In the page: what is wider than its place. Where something is meant to scroll sideways, `data-scrolls` says so. */
function tooWide() {
  const found = [];
  const wider = document.documentElement.scrollWidth - window.innerWidth;
  if (wider > 0) found.push(`the page is ${wider} pixels wider than the screen`);
  for (const one of document.querySelectorAll("body *:not(input, select, textarea, [data-scrolls])")) {
    // Widths are rounded.
    const hidden = one.scrollWidth - one.clientWidth;
    if (hidden <= 1 || !/auto|scroll/.test(getComputedStyle(one).overflowX)) continue;
    const name = one.getAttribute("aria-label") ?? one.getAttribute("class");
    found.push(`${one.tagName.toLowerCase()} "${name}" hides ${hidden} pixels of its width`);
  }
  return found;
}

/** What stays too wide: charts are drawn anew some time after the screen has changed, on a busy machine up to a second later. */
async function lastingly(page, look) {
  for (const end = Date.now() + 2_000; ; await page.waitForTimeout(50)) {
    const found = await page.evaluate(look);
    if (found.length === 0 || Date.now() > end) return found;
  }
}

/** In the page: how much of what is shown is out of sight below: of what stands above the page and scrolls by itself, else of the page. */
function outOfSight() {
  const above = [...document.querySelectorAll("dialog[open], :popover-open")].at(-1);
  // Of a telephone's navigation, which covers the page, its list scrolls.
  const covers = document.querySelector("main[inert]") && document.querySelector("#navigation > *");
  const { scrollHeight, clientHeight } = above ?? covers ?? document.documentElement;
  return Math.max(0, scrollHeight - clientHeight);
}

/** A frame later, what depends on the size of the screen is drawn. */
const drawn = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/**
 * A function that looks at a page as it is, on these screens; with a folder it keeps pictures there, called by the name that is given to
 * it, and notes in `places` where each was. What it finds goes into `faults`.
 */
export function looker(folder, places, faults) {
  if (folder) {
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(folder)) if (file.endsWith(".webp")) rmSync(join(folder, file));
  }
  return async function look(page, name, screens = [wide, narrow]) {
    if (places.has(name)) throw new Error(`there is a picture ${name} already`);
    places.set(name, { path: placeOf(page), screens });
    const before = page.viewportSize();
    const top = await page.evaluate(() => window.scrollY);
    const found = new Set();
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      // Not as a script of the page, which its policy would refuse.
      await page.evaluate(axe);
      for (const screen of screens) {
        await page.setViewportSize(screen);
        // A longer screen in between may have moved it.
        if (screen === wide) await page.evaluate((y) => window.scrollTo(0, y), top);
        await page.waitForFunction(settled, colorScheme);
        await drawn(page);
        const { violations } = await page.evaluate((chosen) => window.axe.run({ rules: chosen }), rules);
        for (const { id, nodes } of violations)
          found.add(
            `${id} (${colorScheme}, ${screen.width}): ${nodes[0].html.slice(0, 120)} ${nodes[0].any[0]?.message ?? ""}`,
          );
        if (folder) await keep(page, join(folder, fileOf(name, colorScheme, screen)));
      }
      for (const screen of [smallest, ...screens]) {
        await page.setViewportSize(screen);
        await drawn(page);
        for (const one of await lastingly(page, tooWide)) found.add(`${one} (${screen.width})`);
      }
    }
    await page.setViewportSize(before);
    if (found.size) faults.push(`${name}: ${[...found].join("; ")}`);
  };
}

const fileOf = (name, theme, { width }) => `${name}-${theme}-${width}.webp`;

async function keep(page, file) {
  const screen = page.viewportSize();
  const isWide = screen.width === wide.width;
  const height = isWide ? 0 : Math.min(HEIGHT_MAX, screen.height + (await page.evaluate(outOfSight)));
  const size = { width: screen.width, height: Math.max(screen.height, height) };
  await page.setViewportSize(size);
  await drawn(page);
  const [x, y] = await page.evaluate(() => [window.scrollX, window.scrollY]);
  const scale = isWide ? WIDE_SCALE : 1;
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", {
    format: "webp",
    quality: QUALITY,
    clip: { x, y, ...size, scale },
  });
  await session.detach();
  writeFileSync(file, Buffer.from(data, "base64"));
  await page.setViewportSize(screen);
}

/** Where a page is, without what differs from run to run. */
function placeOf(page) {
  const { pathname } = new URL(page.url());
  return pathname
    .replace(/^\/join\/[a-z2-7]{32}$/, "/join/CODE")
    .replace(/^(\/console\/(?:calls|history|bookings\/series|bookings))\/(?!series|new)[^/]+$/, "$1/ID")
    .replace(/(?<=.)\/$/, "");
}

/** Lists what is in the folder: each picture with page, state, theme and width. */
export function writeIndex(folder, places) {
  const cells = (name, theme) =>
    places
      .get(name)
      .screens.map((screen) => `[${screen.width}](${fileOf(name, theme, screen)})`)
      .join(" ");
  const placed = (name) => `${places.get(name).path} ${name}`;
  const names = [...places.keys()].sort((one, other) => placed(one).localeCompare(placed(other), "en"));
  const [width, height] = [wide.width, wide.height].map((side) => Math.round(side * WIDE_SCALE));
  const lines = [
    "# Pictures of the pages",
    "",
    `Each page and state in both themes. A large screen has ${wide.width} by ${wide.height} pixels, and its picture ${width} by ${height}. Pictures of a small one, ${narrow.width} pixels`,
    `wide, have its full size and go on to the end of the page, up to ${HEIGHT_MAX} pixels; what is fixed to the edge of the screen is at their end. What only one of the`,
    "two screens shows has pictures of that one alone. `scripts/web pictures` makes them anew.",
    "",
    "| page | state | light | dark |",
    "|---|---|---|---|",
    ...names.map(
      (name) =>
        `| \`${places.get(name).path}\` | ${name.replaceAll("-", " ")} | ${cells(name, "light")} | ${cells(name, "dark")} |`,
    ),
  ];
  writeFileSync(join(folder, "README.md"), `${lines.join("\n")}\n`);
  const files = readdirSync(folder).filter((file) => file.endsWith(".webp"));
  const bytes = files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
  if (bytes > BYTES_MAX) throw new Error(`${files.length} pictures have ${bytes} of ${BYTES_MAX} bytes`);
}
