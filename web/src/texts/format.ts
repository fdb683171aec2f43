/** Times, durations and amounts, as the reader's language writes them. */
import { readLanguage } from "./texts";

const language = () => readLanguage();

export function clockTime(at: string | number | null | undefined): string {
  if (at === null || at === undefined) return "–";
  return new Intl.DateTimeFormat(language(), {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(new Date(at));
}

export function dateTime(at: string | null | undefined): string {
  if (!at) return "–";
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(at),
  );
}

/** Weekday and day. */
export function shortDate(at: number): string {
  return new Intl.DateTimeFormat(language(), { weekday: "short", day: "numeric", hour: "2-digit" }).format(
    new Date(at),
  );
}

/** `1:02:03`, or `2:03`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  return `${hours ? `${hours}:${two(Math.floor(seconds / 60) % 60)}` : Math.floor(seconds / 60)}:${two(seconds % 60)}`;
}

export function amount(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(language(), {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

/** With its unit; a dash alone where there is nothing. */
export function measure(value: number | null | undefined, unit: string, digits = 0): string {
  return value === null || value === undefined ? "–" : `${amount(value, digits)} ${unit}`;
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 1 }).format(share);
}

/** What an input of the kind `datetime-local` shows, in the browser's zone. */
export function localInput(at: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
