/** Days that a list is narrowed down to, as they stand in the address of its page: `2030-06-20`, of the reader's zone. */
export interface Days {
  since?: string | undefined;
  until?: string | undefined;
}

const DAY = /^(\d{4})-(\d\d)-(\d\d)$/;

/** Midnight where the reader is, `later` days later; undefined: it is no day. */
function midnight(day: unknown, later: number): string | undefined {
  const [, year, month, date] = (typeof day === "string" && DAY.exec(day)) || [];
  if (year === undefined) return undefined;
  // By its parts: a day has 23 hours where clocks change.
  const at = new Date(Number(year), Number(month) - 1, Number(date) + later);
  return Number.isFinite(at.getTime()) ? at.toISOString() : undefined;
}

/** What of an address are days. */
export const daysIn = (search: Record<string, unknown>): Days => ({
  since: midnight(search.since, 0) && String(search.since),
  until: midnight(search.until, 0) && String(search.until),
});

/** From the beginning of the first day to the end of the last one, as the service is asked. */
export const boundsOf = ({ since, until }: Days): Days => ({
  since: midnight(since, 0),
  until: midnight(until, 1),
});

/** Whether a list is narrowed down at all. */
export const isSet = (search: object): boolean =>
  Object.values(search).some((value) => value !== undefined && value !== "");
