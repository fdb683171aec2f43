/** Times, durations and amounts, as the reader's language writes them. */
import { readLanguage, withMinus } from "./texts";

/** Formatters take long to make: each is made once. A page that changes its language is loaded again. */
const made = new Map<string, Intl.DateTimeFormat | Intl.NumberFormat>();

function formatter<F extends Intl.DateTimeFormat | Intl.NumberFormat>(
  name: string,
  make: (language: string) => F,
): F {
  const language = readLanguage();
  const key = `${language} ${name}`;
  let found = made.get(key);
  if (!found) {
    found = make(language);
    made.set(key, found);
  }
  return found as F;
}

/** `timeZone`: another one than the reader's. */
const dates =
  (name: string, options: Intl.DateTimeFormatOptions) =>
  (at: string | number, timeZone?: string): string =>
    formatter(
      `${name} ${timeZone ?? ""}`,
      (language) => new Intl.DateTimeFormat(language, timeZone ? { ...options, timeZone } : options),
    ).format(new Date(at));

const clock = dates("clock", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = dates("day", { dateStyle: "medium" });
const minute = dates("minute", { timeStyle: "short" });

/** Hours and minutes, of a day that is said already. */
export const timeOfDay = (at: string): string => minute(at);

/** Weekday, day and month. */
export const shortDate = dates("short", { weekday: "short", day: "numeric", month: "short" });

export function clockTime(at: string | number | null | undefined): string {
  return at === null || at === undefined ? "–" : clock(at);
}

const second = dates("second", { timeStyle: "medium" });

/** To the second, for what happens close together. */
export function exactTime(at: string | null | undefined): string {
  const whole = (text: string) => text.replace(/\s/g, "\u00a0");
  return at ? `${whole(day(at))}, ${whole(second(at))}` : "–";
}

const fraction = dates("fraction", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

/** The time of day to the millisecond. */
export const preciseTime = (at: string): string => fraction(at);

/** From when until when: a day that both have in common is said once. */
export function period(from: string, to: string): string {
  return formatter(
    "period",
    (language) => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }),
  ).formatRange(new Date(from), new Date(to));
}

/** The same with the zone of the times, for those who may be in another one than they think. */
export function zonedPeriod(from: string, to: string): string {
  const options = {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
    timeZoneName: "short",
  } as const;
  return formatter("zoned period", (language) => new Intl.DateTimeFormat(language, options)).formatRange(
    new Date(from),
    new Date(to),
  );
}

/** The zone in which times are shown. */
export const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The time of day where it is today, with the day else. */
export function soon(at: string, now = Date.now()): string {
  return day(at) === day(now) ? minute(at) : dateTime(at);
}

/** In a narrow column it breaks between the two, and nowhere else. */
export function dateTime(at: string | null | undefined, timeZone?: string): string {
  const whole = (text: string) => text.replace(/\s/g, "\u00a0");
  return at ? `${whole(day(at, timeZone))}, ${whole(minute(at, timeZone))}` : "–";
}

/** Of a day as `2030-06-20`. */
export const dayName = (text: string): string => day(`${text}T00:00:00Z`, "UTC");

const month = dates("month", { month: "long", year: "numeric" });

/** Of a month as `2030-06`. */
export const monthName = (text: string): string => month(`${text}-01T00:00:00Z`, "UTC");

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
  // Small whole numbers are written alike everywhere here, and formatters take long to make.
  if (digits === 0 && Number.isInteger(value) && Math.abs(value) < 1_000) return withMinus(String(value));
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return withMinus(
    formatter(`amount ${digits}`, (language) => new Intl.NumberFormat(language, options)).format(value),
  );
}

/** With its unit; a dash alone where there is nothing. */
export function measure(value: number | null | undefined, unit: string, digits = 0): string {
  return value === null || value === undefined ? "–" : `${amount(value, digits)} ${unit}`;
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  const options = { style: "percent", maximumFractionDigits: 1 } as const;
  return formatter("percent", (language) => new Intl.NumberFormat(language, options)).format(share);
}
