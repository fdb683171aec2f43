import { expect, test } from "vitest";
import { boundsOf, daysIn } from "./days";

test("the last day is shown as a whole, in the reader's zone", () => {
  const { since, until } = boundsOf({ since: "2030-03-31", until: "2030-03-31" });
  expect(since).toBe(new Date(2030, 2, 31).toISOString());
  expect(until).toBe(new Date(2030, 3, 1).toISOString());
  expect(boundsOf({ until: "2030-12-31" })).toEqual({
    since: undefined,
    until: new Date(2031, 0, 1).toISOString(),
  });
});

test("what is no day in an address is left out", () => {
  expect(daysIn({ since: "2030-06-20", until: "tomorrow" })).toEqual({
    since: "2030-06-20",
    until: undefined,
  });
  expect(daysIn({ since: 20300620 })).toEqual({ since: undefined, until: undefined });
});
