import { type KeyboardEvent, type RefCallback, useCallback, useRef } from "react";

const STOPS = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled)";
/** What has arrow keys of its own. */
const OWN_KEYS = "select, textarea, input:not([type=checkbox], [type=radio])";
const PAGE_ROWS = 10;
/** A row that is not drawn yet is waited for: so many frames. */
const FRAMES_MAX = 30;

export interface RovingOptions {
  /** Selects the rows within the list. */
  rows: string;
  /** Where only some rows are drawn: how many there are (their `data-index` counts), and what has one drawn. */
  virtual?: { count: number; reveal: (index: number) => void };
}

export interface Roving<E extends HTMLElement> {
  ref: RefCallback<E>;
  onKeyDown: (event: KeyboardEvent<E>) => void;
  "data-roving": "";
}

/**
 * Makes the controls of a list one stop of the Tab key: up and down lead from row to row, left and right along a row, Home and End to
 * the first and the last row.
 */
export function useRoving<E extends HTMLElement>({ rows, virtual }: RovingOptions): Roving<E> {
  const list = useRef<E>(null);
  // Rows that are scrolled away are taken away as well: the focus does not follow the screen.
  const movesFocus = virtual === undefined;
  const ref = useCallback(
    (element: E | null) => {
      list.current = element;
      return element ? keepOneStop(element, movesFocus) : undefined;
    },
    [movesFocus],
  );
  const onKeyDown = (event: KeyboardEvent<E>) => {
    const { current } = list;
    const target = event.target as HTMLElement;
    // A key that is held acts once: another row may have come under it.
    if (event.repeat && event.key === "Enter") event.preventDefault();
    if (!current || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const row = target.closest<HTMLElement>(rows);
    if (!row || target.matches(OWN_KEYS) || target.closest("[popover]")) return;
    const drawn = [...current.querySelectorAll<HTMLElement>(rows)];
    const at = virtual ? Number(row.dataset.index) : drawn.indexOf(row);
    const last = (virtual ? virtual.count : drawn.length) - 1;
    const rowAt = (index: number) =>
      virtual ? drawn.find((one) => one.dataset.index === String(index)) : drawn[index];
    const stops = stopsOf(row);
    const column = stops.indexOf(target);
    const to = rowFor(event.key, at, last);
    if (to !== null) {
      event.preventDefault();
      // Rows without anything to press are passed over.
      const step = to > at ? 1 : -1;
      for (let index = to; index !== at && index >= 0 && index <= last; index += step) {
        const found = rowAt(index);
        if (!found) {
          virtual?.reveal(index);
          focusWhenDrawn(current, index, column, stops.length);
          return;
        }
        if (focusIn(found, column, stops.length)) return;
      }
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      event.preventDefault();
      stops[column + (event.key === "ArrowRight" ? 1 : -1)]?.focus();
    }
  };
  return { ref, onKeyDown, "data-roving": "" };
}

/** The row that a key leads to; null: the key does not lead to a row. */
export function rowFor(key: string, at: number, last: number): number | null {
  const within = (index: number) => Math.max(0, Math.min(last, index));
  switch (key) {
    case "ArrowDown":
      return within(at + 1);
    case "ArrowUp":
      return within(at - 1);
    case "PageDown":
      return within(at + PAGE_ROWS);
    case "PageUp":
      return within(at - PAGE_ROWS);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return null;
  }
}

/**
 * Which of `count` controls matches the one at `column` of `before` in another row: the first the first, the others counted from the
 * end, for what rows have more than others stands in the middle.
 */
export function columnFor(column: number, before: number, count: number): number {
  return column === 0 ? 0 : Math.max(0, count - (before - column));
}

const stopsOf = (element: ParentNode) =>
  [...element.querySelectorAll<HTMLElement>(STOPS)].filter((one) => !one.closest("[popover]"));

function focusIn(row: HTMLElement, column: number, before: number): boolean {
  const stops = stopsOf(row);
  const stop = stops[columnFor(column, before, stops.length)];
  stop?.focus();
  stop?.scrollIntoView({ block: "nearest" });
  return stop !== undefined;
}

function focusWhenDrawn(list: HTMLElement, index: number, column: number, before: number): void {
  let frames = 0;
  const look = () => {
    const row = list.querySelector<HTMLElement>(`[data-index="${index}"]`);
    frames += 1;
    if (row) focusIn(row, column, before);
    else if (frames < FRAMES_MAX) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/**
 * One control of the list can be reached by Tab: the one that had the focus last, else the one that has come in its place. Where that
 * one is taken away while it has the focus, the other one gets it: what was pressed is often done with.
 */
function keepOneStop(list: HTMLElement, movesFocus: boolean): () => void {
  let current: HTMLElement | undefined;
  let at = 0;
  let hasFocus = false;
  const isLost = () => movesFocus && hasFocus && document.activeElement === document.body;
  const settle = () => {
    const stops = stopsOf(list);
    if (!current || !stops.includes(current)) {
      current = stops[Math.min(at, stops.length - 1)];
      if (isLost()) current?.focus({ preventScroll: true });
    }
    at = Math.max(0, current ? stops.indexOf(current) : 0);
    for (const stop of stops) {
      const index = stop === current ? 0 : -1;
      if (stop.tabIndex !== index) stop.tabIndex = index;
    }
  };
  const follow = (event: FocusEvent) => {
    const target = event.target as HTMLElement;
    if (target.closest("[popover]")) return;
    hasFocus = true;
    current = target;
    settle();
  };
  const leave = (event: FocusEvent) => {
    const target = event.target as HTMLElement;
    // What is being taken away is still there now.
    queueMicrotask(() => {
      if (target.isConnected && !list.contains(document.activeElement)) hasFocus = false;
    });
  };
  settle();
  const observer = new MutationObserver(settle);
  observer.observe(list, { childList: true, subtree: true, attributeFilter: ["disabled"] });
  list.addEventListener("focusin", follow);
  list.addEventListener("focusout", leave);
  return () => {
    observer.disconnect();
    list.removeEventListener("focusin", follow);
    list.removeEventListener("focusout", leave);
    // With the last row the list goes, too.
    queueMicrotask(() => {
      if (isLost()) document.getElementById("content")?.focus({ preventScroll: true });
    });
  };
}
