/** Times at which there are seats. */
import type { Schemas } from "../../api/client";

export type Repeat = "none" | Schemas["Repeat"];
export type Step = Schemas["AvailabilityStep"];

/** The seats that are left for all of a time; null: the steps do not cover it. */
export function seatsLeft(steps: Step[], startMs: number, endMs: number): number | null {
  const within = steps.filter((step) => Date.parse(step.from) < endMs && Date.parse(step.to) > startMs);
  const first = within[0];
  const last = within[within.length - 1];
  if (!first || !last || Date.parse(first.from) > startMs || Date.parse(last.to) < endMs) return null;
  return Math.min(...within.map((step) => step.seats_left));
}

/** The seats that are sold, as the corners of a line: two for each step, seconds since 1970. */
export function corners(steps: Step[], capacity: number): { times: number[]; values: number[] } {
  const times: number[] = [];
  const values: number[] = [];
  for (const step of steps) {
    // Equal times cannot be drawn: a step ends a second before the next one begins.
    times.push(
      Date.parse(step.from) / 1_000,
      Math.max(Date.parse(step.from) / 1_000 + 1, Date.parse(step.to) / 1_000 - 1),
    );
    values.push(capacity - step.seats_left, capacity - step.seats_left);
  }
  return { times, values };
}

const QUARTER_MS = 900_000;

/** The times nearest to the wanted one at which there are `seats`: at full quarters of an hour. */
export function nearTimes(
  steps: Step[],
  startMs: number,
  durationMin: number,
  seats: number,
  earliestMs: number,
  most = 3,
): number[] {
  const found: number[] = [];
  const first = steps[0];
  const last = steps[steps.length - 1];
  if (!first || !last) return found;
  const duration = durationMin * 60_000;
  const from = Math.ceil(Math.max(Date.parse(first.from), earliestMs) / QUARTER_MS) * QUARTER_MS;
  for (let at = from; at + duration <= Date.parse(last.to); at += QUARTER_MS) {
    if (at !== startMs && (seatsLeft(steps, at, at + duration) ?? 0) >= seats) found.push(at);
  }
  return found
    .sort((a, b) => Math.abs(a - startMs) - Math.abs(b - startMs))
    .slice(0, most)
    .sort((a, b) => a - b);
}
