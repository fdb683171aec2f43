// What stands in the way of people: faults that axe-core finds in both themes, and what is wider than a small screen. Keeps pictures.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const themes = ["light", "dark"];
const wide = { width: 1440, height: 900 };
const narrow = { width: 375, height: 812 };
/** The smallest screen on which nothing is wider than the page (WCAG 1.4.10); no picture is kept of it. */
const smallest = { width: 320, height: 640 };
/** As small as what is written stays readable: there are hundreds. */
const QUALITY = 32;
/** Those of a large screen are drawn smaller, by the browser itself. */
const WIDE_SCALE = 0.6;

/** In the page: colours change over a moment, and what is measured meanwhile is of neither theme. */
function settled(colorScheme) {
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  return (
    isDark === (colorScheme === "dark") &&
    document.fonts.status === "loaded" &&
    document.getAnimations().every((one) => one.playState !== "running")
  );
}

/**
 * A function that looks at a page as it is; with a folder it keeps pictures there, called by the name that is given to it, and notes in
 * `places` where each was.
 */
export function looker(folder, places) {
  if (folder) {
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(folder)) if (file.endsWith(".webp")) rmSync(join(folder, file));
  }
  return async function look(page, name) {
    const faults = [];
    if (places.has(name)) throw new Error(`there is a picture ${name} already`);
    places.set(name, placeOf(page));
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.waitForFunction(settled, colorScheme);
      // Not as a script of the page, which its policy would refuse.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      for (const { id, nodes } of violations)
        faults.push(
          `${id} (${colorScheme}): ${nodes[0].html.slice(0, 120)} ${nodes[0].any[0]?.message ?? ""}`,
        );
      if (folder) await keep(page, join(folder, `${name}-${colorScheme}-${wide.width}.webp`));
      for (const size of [smallest, narrow]) {
        await page.setViewportSize(size);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wider > 0) faults.push(`${wider} pixels wider than a screen of ${size.width}`);
        // A list is cards there: what of one is beyond its edge nobody sees, though the page is no wider.
        const lists = await page
          .locator("section[tabindex]")
          .evaluateAll((all) =>
            all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.ariaLabel),
          );
        if (lists.length) faults.push(`${lists} wider than its place on a screen of ${size.width}`);
      }
      if (folder) await keep(page, join(folder, `${name}-${colorScheme}-${narrow.width}.webp`));
      await page.setViewportSize(wide);
    }
    if (faults.length) throw new Error(`${name}: ${faults.join("; ")}`);
  };
}

async function keep(page, file) {
  // A frame later, what depends on the size of the screen is drawn.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const size = page.viewportSize();
  const [x, y] = await page.evaluate(() => [window.scrollX, window.scrollY]);
  const scale = size.width === wide.width ? WIDE_SCALE : 1;
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", {
    format: "webp",
    quality: QUALITY,
    clip: { x, y, ...size, scale },
  });
  await session.detach();
  writeFileSync(file, Buffer.from(data, "base64"));
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
  const cell = (name, theme, { width }) => `[${width}](${name}-${theme}-${width}.webp)`;
  const names = [...places.keys()].sort((one, other) =>
    `${places.get(one)} ${one}`.localeCompare(`${places.get(other)} ${other}`, "en"),
  );
  const lines = [
    "# Pictures of the pages",
    "",
    "Each page and state in both themes, on screens 1440 and 375 pixels wide. `scripts/web pictures` makes them anew.",
    "",
    "| page | state | light | dark |",
    "|---|---|---|---|",
    ...names.map((name) => {
      const [light, dark] = themes.map((theme) => `${cell(name, theme, wide)} ${cell(name, theme, narrow)}`);
      return `| \`${places.get(name)}\` | ${name.replaceAll("-", " ")} | ${light} | ${dark} |`;
    }),
  ];
  writeFileSync(join(folder, "README.md"), `${lines.join("\n")}\n`);
}
