// How people press and enter: by mouse, by the keyboard alone, or by fingers. All reach what a selector names, as people do.

/** As often as this Tab or an arrow is pressed before something cannot be reached. */
const PRESSES_MAX = 200;

/**
 * Closes the dialog by Escape. Where another one lies over it, that has to be gone first: what it says to be done is shown before it
 * closes.
 */
export async function closeDialog(page) {
  const open = (number) =>
    page.waitForFunction((wanted) => document.querySelectorAll("dialog[open]").length === wanted, number);
  await open(1);
  await page.keyboard.press("Escape");
  await open(0);
}

export const mouse = {
  press: (page, selector) => page.click(selector),
  fill: (page, selector, text) => page.fill(selector, text),
  choose: (page, selector, text) => page.selectOption(selector, { label: text }),
  /** A number between two ends, to the one of them. */
  async slide(page, selector, key) {
    await page.focus(selector);
    await page.keyboard.press(key);
  },
  /** Date and time of day, as `2030-06-20T15:15`. */
  at: (page, selector, time) => page.fill(selector, time),
  /** A minute later than what is entered. */
  async later(page, selector) {
    const [date, time] = (await page.inputValue(selector)).split("T");
    await page.fill(
      selector,
      `${date}T${time.slice(0, 3)}${String(Number(time.slice(3)) + 1).padStart(2, "0")}`,
    );
  },
  async pick(page, button, item) {
    await page.click(button);
    await page.click(`[role=menuitem]:has-text(${JSON.stringify(item)})`);
  },
};

/** By fingers, on a page that is made for them. */
export const touch = {
  press: (page, selector) => page.tap(selector),
  async fill(page, selector, text) {
    await page.tap(selector);
    await page.keyboard.press("Control+A");
    await page.keyboard.insertText(text);
  },
  choose: (page, selector, text) => page.selectOption(selector, { label: text }),
  async pick(page, button, item) {
    await page.tap(button);
    await page.tap(`[role=menuitem]:has-text(${JSON.stringify(item)})`);
  },
};

export const keyboard = {
  async press(page, selector) {
    const key = (await reach(page, selector)) === "checkbox" ? "Space" : "Enter";
    await page.keyboard.press(key);
  },
  async fill(page, selector, text) {
    await reach(page, selector);
    await page.keyboard.press("Control+A");
    await page.keyboard.type(text);
  },
  async choose(page, selector, text) {
    await reach(page, selector);
    await page.keyboard.type(text);
  },
  async slide(page, selector, key) {
    await reach(page, selector);
    await page.keyboard.press(key);
  },
  /** By its parts, as an English browser has them: month, day, year, hour, minute, half of the day. */
  async at(page, selector, time) {
    const [, year, month, day, hour, minute] = /^(\d+)-(\d+)-(\d+)T(\d+):(\d+)$/.exec(time);
    await reach(page, selector);
    await page.keyboard.type(`${month}${day}${year}`);
    await page.keyboard.press("ArrowRight");
    const half = Number(hour) < 12 ? "A" : "P";
    await page.keyboard.type(`${String(Number(hour) % 12 || 12).padStart(2, "0")}${minute}${half}`);
    const entered = await page.inputValue(selector);
    if (entered !== time) throw new Error(`${entered} is entered, not ${time}`);
  },
  async later(page, selector) {
    await reach(page, selector);
    // Month, day, year, hour, minute.
    for (let part = 0; part < 4; part += 1) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowUp");
  },
  /** A menu opens with its first item; arrows lead to the others. */
  async pick(page, button, item) {
    await this.press(page, button);
    await page.waitForSelector("[role=menu]:popover-open");
    for (let presses = 0; presses < PRESSES_MAX; presses += 1) {
      const text = await page.evaluate(
        () => document.activeElement?.closest("[role=menuitem]")?.textContent ?? "",
      );
      if (text.includes(item)) return page.keyboard.press("Enter");
      await page.keyboard.press("ArrowDown");
    }
    throw new Error(`the keyboard does not reach ${item} in the menu of ${button}`);
  },
};

/** Moves the focus there by Tab and, within a list of rows, by arrows. Says what it is. */
async function reach(page, selector) {
  const target = page.locator(`${selector} >> visible=true`).first();
  await target.waitFor();
  for (let presses = 0; presses < PRESSES_MAX; presses += 1) {
    const next = await target.evaluate(nextKey);
    if (next === null) return target.evaluate((element) => element.getAttribute("type") ?? element.tagName);
    await page.keyboard.press(next);
  }
  const active = await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 120));
  throw new Error(`the keyboard does not reach ${selector}; the focus is on ${active}`);
}

/** In the page: the key that leads nearer to `target`; null: it has the focus. */
function nextKey(target) {
  const { activeElement: active } = document;
  if (active === target) return null;
  const list = target.closest("[data-roving]");
  if (!list || list === active || !list.contains(active)) return "Tab";
  const rowOf = (element) => element.closest("[role=row], tr, li");
  const isAfter = (one, other) =>
    Boolean(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);
  const [from, to] = [rowOf(active), rowOf(target)];
  if (from !== to) return isAfter(from, to) ? "ArrowDown" : "ArrowUp";
  return isAfter(active, target) ? "ArrowRight" : "ArrowLeft";
}
