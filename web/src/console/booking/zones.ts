/** Times of day in whichever time zone, as inputs of the kind `datetime-local` have them. */

import { ownZone } from "../../texts/format";

export { ownZone };

/** All zones that the browser knows; the own one first where it is known by another name. */
export function zones(): string[] {
  const known = Intl.supportedValuesOf("timeZone");
  const others = [ownZone(), "UTC"].filter((zone) => !known.includes(zone));
  return [...new Set(others), ...known];
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Formatters take long to make: there is one for each zone. */
function formatOf(zone: string): Intl.DateTimeFormat {
  let found = formats.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
    formats.set(zone, found);
  }
  return found;
}

/** What clocks there show at a moment: `2030-06-20T15:00`. */
export function wallTime(at: number, zone: string): string {
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  return `${parts.year?.padStart(4, "0")}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

/**
 * The moment at which clocks there show this; NaN: it is no time. A time that clocks leave out in spring is as far after midnight as it
 * would have been (RFC 5545, section 3.3.5); of one that there is twice in autumn it is the first.
 */
export function momentOf(wall: string, zone: string): number {
  const asUtc = Date.parse(`${wall}Z`);
  if (!Number.isFinite(asUtc)) return Number.NaN;
  const offsetAt = (at: number) => Date.parse(`${wallTime(at, zone)}Z`) - Math.floor(at / 60_000) * 60_000;
  const DAY_MS = 86_400_000;
  const [before, after] = [offsetAt(asUtc - DAY_MS), offsetAt(asUtc + DAY_MS)];
  const fits = [before, after].map((offset) => asUtc - offset).filter((at) => wallTime(at, zone) === wall);
  return fits.length ? Math.min(...fits) : asUtc - before;
}
