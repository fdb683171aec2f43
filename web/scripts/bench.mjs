// Measures what the pages ask of a slow computer, in Chromium with the processor slowed four times: a room with 350 participants and ten
// events a second, and over a slow network (4G) the start of the join page and of the console. With PLENARY the program is measured, with
// real calls; without it web/dist, with a service that is played. Each line says whether its bound holds; exit code 1: one does not.
// A task counts twice: by the clock, as people wait for it (the browser's own long tasks), and by the time that its thread had the
// processor, which other programs do not make longer.
import { chromium } from "playwright-core";

import { PARTICIPANTS, played, ROOM, real } from "./stages.mjs";

const SECONDS = Number(process.env.SECONDS ?? 15);
/** After a page is there, so long is waited for what it does then. */
const SETTLES_MS = 2_000;
const TIMES_SLOWER = 4;
const LONGEST_TASK_MS = 50;
const BLOCKING_MAX_MS = 200;
const CLS_MAX = 0.02;
const LCP_MAX_MS = 2_000;
const EVENTS_LEAST = 9;
/** 1.6 Mbit/s, 150 ms for each answer to begin: what Lighthouse calls slow 4G. */
const SLOW_4G = {
  offline: false,
  latency: 150,
  downloadThroughput: 1_600_000 / 8,
  uploadThroughput: 750_000 / 8,
};

/** In the page, before anything else. */
function observe() {
  const seen = { tasks: [], shift: 0, lcp: 0 };
  window.seen = seen;
  new PerformanceObserver((list) =>
    seen.tasks.push(...list.getEntries().map(({ startTime, duration }) => [startTime, duration])),
  ).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) seen.lcp = entry.startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
}

/** The milliseconds that the page's thread took for each task, before and after the mark. */
function tasksOf(events) {
  const mark = events.find((one) => one.name === "running" && one.cat.includes("user_timing"));
  const own = events.filter(
    (one) => one.tid === mark.tid && one.pid === mark.pid && one.tdur && /RunTask$/.test(one.name),
  );
  const of = (part) => part.map(({ tdur }) => tdur / 1_000);
  return {
    start: of(own.filter(({ ts }) => ts < mark.ts)),
    running: of(own.filter(({ ts }) => ts >= mark.ts)),
  };
}

/** Opens a page until `shows` is there, and does `use`: what was seen at its start, and while it was used. */
async function measure(browser, context, url, shows, { network, use } = {}) {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: TIMES_SLOWER });
  if (network) {
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", network);
  }
  await page.addInitScript(observe);
  await browser.startTracing(page, { categories: ["__metadata", "toplevel", "blink.user_timing"] });
  await page.goto(url);
  await page.waitForSelector(shows);
  await page.waitForTimeout(SETTLES_MS);
  const begun = await page.evaluate(() => {
    performance.mark("running");
    return performance.now();
  });
  const used = await use?.(page);
  const { tasks, shift, lcp } = await page.evaluate(() => window.seen);
  const byThread = tasksOf(JSON.parse(await browser.stopTracing()).traceEvents);
  await page.close();
  const of = (part) => part.map(([, duration]) => duration);
  const byClock = {
    start: of(tasks.filter(([at]) => at < begun)),
    running: of(tasks.filter(([at]) => at >= begun)),
  };
  return { shift, lcp, byThread, byClock, used };
}

let holdsAll = true;
/** Says what was measured, beside the most that it may be. */
function judge(what, value, most, unit = "") {
  const holds = value <= most;
  holdsAll &&= holds;
  const digits = unit ? 0 : 3;
  console.log(`${holds ? "pass" : "FAIL"}  ${what}: ${value.toFixed(digits)}${unit}, at most ${most}${unit}`);
}

/** What tasks have beyond the longest that goes unnoticed. */
const blocking = (tasks) => tasks.reduce((sum, ms) => sum + Math.max(0, ms - LONGEST_TASK_MS), 0);

function judgeStart(name, { shift, byThread, byClock }) {
  judge(`${name}: blocked at the start, by the clock`, blocking(byClock.start), BLOCKING_MAX_MS, " ms");
  judge(`${name}: blocked at the start, CPU time`, blocking(byThread.start), BLOCKING_MAX_MS, " ms");
  judge(`${name}: layout shift`, shift, CLS_MAX);
}

/** Turns the wheel, in steps as it does. */
async function scroll(page) {
  for (let second = 0; second < SECONDS; second += 1) {
    for (let turn = 0; turn < 10; turn += 1) {
      await page.mouse.wheel(0, second % 2 ? -80 : 120);
      await page.waitForTimeout(100);
    }
  }
  return page.locator("[data-index]").count();
}

const stage = process.env.PLENARY ? await real(process.env.PLENARY) : await played();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
try {
  console.log(`Chromium ${browser.version()}, ${stage.what}, the processor slowed ${TIMES_SLOWER} times`);
  const viewport = { width: 1440, height: 900 };
  const context = await browser.newContext({ viewport });
  await stage.enter(context);

  const url = `${stage.base}/console/rooms/${ROOM}`;
  const room = await measure(browser, context, url, '[data-index="1"]', { use: scroll });
  const { perSecond } = stage.pace;
  const name = `room of ${PARTICIPANTS}`;
  console.log(`${name}: ${room.used} rows drawn, ${perSecond.toFixed(1)} events a second for ${SECONDS} s`);
  if (perSecond < EVENTS_LEAST) {
    holdsAll = false;
    console.log(`FAIL  ${name}: fewer than ${EVENTS_LEAST} events a second`);
  }
  const longest = (tasks) => Math.max(0, ...tasks);
  // The browser tells of longer ones alone: where there is none, it is 0.
  judge(`${name}: longest task, by the clock`, longest(room.byClock.running), LONGEST_TASK_MS, " ms");
  judge(`${name}: longest task, CPU time`, longest(room.byThread.running), LONGEST_TASK_MS, " ms");
  judgeStart(name, room);

  for (const [what, path, shows, screen] of [
    ["join page, slow 4G", stage.join, "input[autocomplete=name]", { width: 375, height: 812 }],
    ["console, slow 4G", "/console", "h1:has-text('Conferences')", viewport],
  ]) {
    // Nothing of it has been fetched before.
    const storageState = await context.storageState();
    const fresh = await browser.newContext({ viewport: screen, storageState });
    const start = await measure(browser, fresh, stage.base + path, shows, { network: SLOW_4G });
    judge(`${what}: largest contentful paint`, start.lcp, LCP_MAX_MS, " ms");
    judgeStart(what, start);
    await fresh.close();
  }
} finally {
  await browser.close();
  stage.close();
}
process.exit(holdsAll ? 0 : 1);
