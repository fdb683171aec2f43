/** Times at which there are seats. */
import type { Schemas } from "../../api/client";

export type Repeat = "none" | Schemas["Repeat"];
export type Step = Schemas["AvailabilityStep"];

/** Seats of a booking that is there already. */
export interface Held {
  startMs: number;
  endMs: number;
  seats: number;
}

/**
 * The seats that are left for all of a time; null: the steps do not cover it. `own`: a booking that is to be changed, whose seats are free
 * for it again.
 */
export function seatsLeft(steps: Step[], startMs: number, endMs: number, own?: Held): number | null {
  const within = steps.filter((step) => Date.parse(step.from) < endMs && Date.parse(step.to) > startMs);
  const first = within[0];
  const last = within[within.length - 1];
  if (!first || !last || Date.parse(first.from) > startMs || Date.parse(last.to) < endMs) return null;
  const left = within.flatMap((step) => {
    const from = Math.max(Date.parse(step.from), startMs);
    const to = Math.min(Date.parse(step.to), endMs);
    if (!own || own.endMs <= from || own.startMs >= to) return [step.seats_left];
    const isWhole = own.startMs <= from && own.endMs >= to;
    // A step that the own booking takes a part of only counts with the other part.
    return isWhole ? [step.seats_left + own.seats] : [step.seats_left];
  });
  return Math.min(...left);
}

/** What is drawn of a time: how many seats are sold, and how many of them by the bookings of the account. */
export interface SeatsOver {
  /** Seconds since 1970, two for each span: they grow. */
  times: number[];
  sold: number[];
  own: number[];
  /** The same as spans, for a table. */
  spans: { fromMs: number; toMs: number; sold: number; own: number }[];
}

export function seatsOver(steps: Step[], bookings: Held[], capacity: number): SeatsOver {
  const begins = Date.parse(steps[0]?.from ?? "");
  const ends = Date.parse(steps[steps.length - 1]?.to ?? "");
  const edges = new Set<number>();
  for (const step of steps) edges.add(Date.parse(step.from)).add(Date.parse(step.to));
  for (const one of bookings) {
    for (const edge of [one.startMs, one.endMs]) if (edge > begins && edge < ends) edges.add(edge);
  }
  const sorted = [...edges].sort((a, b) => a - b);
  const spans: SeatsOver["spans"] = [];
  let at = 0;
  for (const [index, fromMs] of sorted.entries()) {
    const toMs = sorted[index + 1];
    if (toMs === undefined) break;
    while (Date.parse(steps[at]?.to ?? "") <= fromMs) at += 1;
    const sold = capacity - (steps[at]?.seats_left ?? capacity);
    const own = bookings
      .filter((one) => one.startMs <= fromMs && one.endMs >= toMs)
      .reduce((sum, one) => sum + one.seats, 0);
    spans.push({ fromMs, toMs, sold, own });
  }
  // Equal times cannot be drawn: a span ends a second before the next one begins.
  const times = spans.flatMap(({ fromMs, toMs }) => [
    fromMs / 1_000,
    Math.max(fromMs / 1_000 + 0.5, toMs / 1_000 - 1),
  ]);
  return {
    times,
    sold: spans.flatMap(({ sold }) => [sold, sold]),
    own: spans.flatMap(({ own }) => [own, own]),
    spans,
  };
}

const DAYS = 7;

/** Seven days of a calendar, from the one on which `fromMs` is where the reader is: what begins on each, or goes on from before the first. */
export function weekOf<B extends { starts_at: string; ends_at: string }>(
  fromMs: number,
  bookings: B[],
): { dayMs: number; bookings: B[] }[] {
  const first = new Date(fromMs);
  // By its parts: a day has 23 hours where clocks change.
  const midnight = (later: number) =>
    new Date(first.getFullYear(), first.getMonth(), first.getDate() + later).getTime();
  return Array.from({ length: DAYS }, (_, day) => {
    const [dayMs, endMs] = [midnight(day), midnight(day + 1)];
    const isOn = ({ starts_at, ends_at }: B) => {
      const startMs = Date.parse(starts_at);
      return startMs < endMs && (startMs >= dayMs || (day === 0 && Date.parse(ends_at) > dayMs));
    };
    return {
      dayMs,
      bookings: bookings.filter(isOn).sort((a, b) => Date.parse(a.starts_at) - Date.parse(b.starts_at)),
    };
  });
}

const QUARTER_MS = 900_000;

/** What another time is looked for. */
interface Wanted {
  startMs: number;
  durationMin: number;
  seats: number;
  earliestMs: number;
  /** The booking that is to be changed. */
  own?: Held | undefined;
}

/** The times nearest to the wanted one at which there are enough seats: at full quarters of an hour. */
export function nearTimes(steps: Step[], wanted: Wanted, most = 3): number[] {
  const { startMs, durationMin, seats, earliestMs, own } = wanted;
  const found: number[] = [];
  const first = steps[0];
  const last = steps[steps.length - 1];
  if (!first || !last) return found;
  const duration = durationMin * 60_000;
  const from = Math.ceil(Math.max(Date.parse(first.from), earliestMs) / QUARTER_MS) * QUARTER_MS;
  for (let at = from; at + duration <= Date.parse(last.to); at += QUARTER_MS) {
    if (at !== startMs && (seatsLeft(steps, at, at + duration, own) ?? 0) >= seats) found.push(at);
  }
  return found
    .sort((a, b) => Math.abs(a - startMs) - Math.abs(b - startMs))
    .slice(0, most)
    .sort((a, b) => a - b);
}

type Rules = Pick<
  Schemas["ReservationLimits"],
  | "min_duration_min"
  | "max_duration_min"
  | "min_extension_min"
  | "max_extension_min"
  | "no_removal_before_start_min"
  | "no_extension_before_end_min"
>;

/** Why a booking cannot be removed any more (1203), for a text; null: it can be. */
export function mayRemove(startMs: number, now: number, rules: Rules): { minutes: number } | null {
  const minutes = rules.no_removal_before_start_min;
  return now > startMs - minutes * 60_000 ? { minutes } : null;
}

/** Why a running booking cannot be made longer any more (1204), for a text; null: it can be. */
export function mayExtend(endMs: number, now: number, rules: Rules): { minutes: number } | null {
  const minutes = rules.no_extension_before_end_min;
  return now > endMs - minutes * 60_000 ? { minutes } : null;
}
