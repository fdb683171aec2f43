import { describe, expect, test } from "vitest";
import { mayExtend, mayRemove, nearTimes, type Step, seatsLeft, seatsOver, weekOf } from "./times";

const steps: Step[] = [
  { from: "2030-06-20T08:00:00Z", to: "2030-06-20T09:00:00Z", seats_left: 100 },
  { from: "2030-06-20T09:00:00Z", to: "2030-06-20T10:00:00Z", seats_left: 5 },
  { from: "2030-06-20T10:00:00Z", to: "2030-06-20T12:00:00Z", seats_left: 80 },
];
const ms = (time: string) => Date.parse(`2030-06-20T${time}:00Z`);
const clocks = (times: number[]) => times.map((at) => new Date(at).toISOString().slice(11, 16));
const held = (from: string, to: string, seats: number) => ({ startMs: ms(from), endMs: ms(to), seats });

describe("seats", () => {
  test("are those that are left for all of the time", () => {
    expect(seatsLeft(steps, ms("08:00"), ms("09:00"))).toBe(100);
    expect(seatsLeft(steps, ms("08:30"), ms("09:30"))).toBe(5);
    expect(seatsLeft(steps, ms("11:30"), ms("12:30"))).toBeNull();
  });

  test("of the booking that is to be changed are free for it", () => {
    const own = held("09:00", "10:00", 90);
    expect(seatsLeft(steps, ms("09:00"), ms("10:00"), own)).toBe(95);
    expect(seatsLeft(steps, ms("09:00"), ms("11:00"), own)).toBe(80);
    expect(seatsLeft(steps, ms("08:00"), ms("09:00"), own)).toBe(100);
    // Of a step that it takes a part of, the other part counts.
    expect(seatsLeft(steps, ms("10:00"), ms("12:00"), held("10:00", "11:00", 15))).toBe(80);
  });

  test("are found near the wanted time", () => {
    const wanted = { startMs: ms("09:00"), durationMin: 30, seats: 50, earliestMs: ms("08:10") };
    expect(clocks(nearTimes(steps, wanted))).toEqual(["08:15", "08:30", "10:00"]);
    expect(nearTimes(steps, { ...wanted, seats: 101 })).toEqual([]);
  });
});

test("near times count the seats of the booking that is to be changed as free", () => {
  const wanted = { startMs: ms("09:00"), durationMin: 60, seats: 50, earliestMs: ms("09:00") };
  const own = held("09:30", "10:00", 60);
  // The seats of the half hour before it stay taken.
  expect(clocks(nearTimes(steps, { ...wanted, own }, 1))).toEqual(["09:30"]);
  expect(clocks(nearTimes(steps, { ...wanted, own: held("09:00", "10:00", 60) }, 1))).toEqual(["09:15"]);
});

describe("what is drawn", () => {
  test("are sold seats in steps, and the own ones among them", () => {
    const over = seatsOver(steps, [held("09:00", "10:00", 40), held("09:30", "11:00", 20)], 100);
    const spans = over.spans.map(({ fromMs, sold, own }) => [
      new Date(fromMs).toISOString().slice(11, 16),
      sold,
      own,
    ]);
    expect(spans).toEqual([
      ["08:00", 0, 0],
      ["09:00", 95, 40],
      ["09:30", 95, 60],
      ["10:00", 20, 20],
      ["11:00", 20, 0],
    ]);
    expect(over.sold).toEqual([0, 0, 95, 95, 95, 95, 20, 20, 20, 20]);
    expect(over.times.every((time, index) => index === 0 || time > (over.times[index - 1] ?? 0))).toBe(true);
  });

  test("is nothing where nothing is known", () => {
    expect(seatsOver([], [held("09:00", "10:00", 4)], 100).spans).toEqual([]);
  });
});

test("a week has the bookings of each day, in their order, and those that go on from before", () => {
  // In the zone of whoever runs this: days are the reader's.
  const at = (day: number, hour: number) => new Date(2030, 5, day, hour).toISOString();
  const of = (name: string, from: string, to: string) => ({ name, starts_at: from, ends_at: to });
  const week = weekOf(new Date(2030, 5, 20, 9).getTime(), [
    of("late", at(20, 23), at(21, 1)),
    of("early", at(20, 8), at(20, 10)),
    of("night", at(19, 23), at(20, 1)),
    of("over", at(19, 8), at(19, 9)),
    of("last", at(26, 23), at(27, 1)),
    of("next", at(27, 0), at(27, 1)),
  ]);
  expect(week.map(({ dayMs }) => new Date(dayMs).getDate())).toEqual([20, 21, 22, 23, 24, 25, 26]);
  expect(week.map(({ bookings }) => bookings.map((one) => one.name).join(" "))).toEqual([
    "night early late",
    "",
    "",
    "",
    "",
    "",
    "last",
  ]);
});

test("what is too late says by how many minutes", () => {
  const rules = {
    min_duration_min: 5,
    max_duration_min: 480,
    min_extension_min: 5,
    max_extension_min: 60,
    no_removal_before_start_min: 5,
    no_extension_before_end_min: 3,
  };
  expect(mayRemove(ms("09:00"), ms("08:55"), rules)).toBeNull();
  expect(mayRemove(ms("09:00"), ms("08:56"), rules)).toEqual({ minutes: 5 });
  expect(mayExtend(ms("09:00"), ms("08:57"), rules)).toBeNull();
  expect(mayExtend(ms("09:00"), ms("08:58"), rules)).toEqual({ minutes: 3 });
});
