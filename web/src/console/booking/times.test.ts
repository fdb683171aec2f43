import { afterEach, describe, expect, test, vi } from "vitest";
import { calendarEvent, corners, nearTimes, occurrences, type Step, seatsLeft } from "./times";

const zone = process.env.TZ;
afterEach(() => {
  process.env.TZ = zone;
  vi.unstubAllEnvs();
});

describe("a series", () => {
  test("keeps its time of day over a change of daylight saving", () => {
    process.env.TZ = "Europe/Berlin";
    const dates = occurrences(new Date("2030-03-25T09:00:00+01:00"), "weekly", 3);
    expect(dates.map((date) => date.toISOString())).toEqual([
      "2030-03-25T08:00:00.000Z",
      "2030-04-01T07:00:00.000Z",
      "2030-04-08T07:00:00.000Z",
    ]);
  });

  test("is on the last day of shorter months", () => {
    process.env.TZ = "UTC";
    const dates = occurrences(new Date("2030-01-31T09:00:00Z"), "monthly", 3);
    expect(dates.map((date) => date.toISOString().slice(0, 10))).toEqual([
      "2030-01-31",
      "2030-02-28",
      "2030-03-31",
    ]);
  });

  test("is one date where nothing repeats", () => {
    expect(occurrences(new Date(0), "none", 5)).toHaveLength(1);
    expect(occurrences(new Date(0), "daily", 5)).toHaveLength(5);
  });
});

const steps: Step[] = [
  { from: "2030-06-20T08:00:00Z", to: "2030-06-20T09:00:00Z", seats_left: 100 },
  { from: "2030-06-20T09:00:00Z", to: "2030-06-20T10:00:00Z", seats_left: 5 },
  { from: "2030-06-20T10:00:00Z", to: "2030-06-20T12:00:00Z", seats_left: 80 },
];
const ms = (time: string) => Date.parse(`2030-06-20T${time}:00Z`);

describe("seats", () => {
  test("are those that are left for all of the time", () => {
    expect(seatsLeft(steps, ms("08:00"), ms("09:00"))).toBe(100);
    expect(seatsLeft(steps, ms("08:30"), ms("09:30"))).toBe(5);
    expect(seatsLeft(steps, ms("11:30"), ms("12:30"))).toBeNull();
  });

  test("are found near the wanted time", () => {
    const found = nearTimes(steps, ms("09:00"), 30, 50, ms("08:10"));
    expect(found.map((at) => new Date(at).toISOString().slice(11, 16))).toEqual(["08:15", "08:30", "10:00"]);
  });
});

test("sold seats are drawn in steps, with times that grow", () => {
  const { times, values } = corners(steps, 100);
  expect(values).toEqual([0, 0, 95, 95, 20, 20]);
  expect(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0))).toBe(true);
});

test("an event for calendars is folded and escaped", () => {
  const event = calendarEvent(
    {
      token: "T",
      starts_at: "2030-06-20T15:15:00Z",
      ends_at: "2030-06-20T15:45:00Z",
      title: "a, b; c",
      description: `one\n${"ü".repeat(80)}`,
    },
    "example.org",
    new Date(0),
  );
  expect(event).toContain("UID:T@example.org\r\nSEQUENCE:0\r\n");
  expect(event).toContain("DTSTART:20300620T151500Z\r\n");
  expect(event).toContain("SUMMARY:a\\, b\\; c\r\n");
  for (const line of event.split("\r\n"))
    expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
});
