import { describe, expect, test } from "vitest";
import { corners, nearTimes, type Step, seatsLeft } from "./times";

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
