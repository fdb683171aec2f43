import { expect, test, vi } from "vitest";
import { amount, dateTime, dayName, duration, measure, monthName, percent, period, soon } from "./format";

vi.stubGlobal("navigator", { languages: ["en"] });

test("a time breaks between day and minute alone", () => {
  expect(dateTime("2030-06-20T15:15:00Z").split(" ")).toHaveLength(2);
  expect(dateTime(null)).toBe("–");
});

test("amounts are the same with and without a formatter", () => {
  expect([amount(999), amount(1_000), amount(-40), amount(0.6), amount(2.714, 2)]).toEqual([
    "999",
    "1,000",
    "−40",
    "1",
    "2.71",
  ]);
  expect([
    measure(7, "ms"),
    measure(null, "ms"),
    percent(0.125),
    duration(3_723_000),
    duration(65_000),
  ]).toEqual(["7 ms", "–", "12.5%", "1:02:03", "1:05"]);
});

test("days and months of UTC are the same in every zone", () => {
  expect([dayName("2030-06-01"), monthName("2030-06")]).toEqual(["Jun 1, 2030", "June 2030"]);
});

test("a zone can be another one than the reader's", () => {
  expect(dateTime("2030-06-20T22:30:00Z", "Asia/Tokyo").replace(/\s/g, " ")).toBe("Jun 21, 2030, 7:30 AM");
});

test("a period says a day once that both its ends have", () => {
  const days = (from: string, to: string) => period(from, to).match(/2030/g)?.length;
  expect(days("2030-06-20T11:00:00Z", "2030-06-20T11:30:00Z")).toBe(1);
  expect(days("2030-06-18T11:00:00Z", "2030-06-20T11:30:00Z")).toBe(2);
});

test("a time of today is said without its day", () => {
  const now = new Date(2030, 5, 20, 12).getTime();
  expect(soon(new Date(2030, 5, 20, 15, 30).toISOString(), now).replace(/\s/g, " ")).toBe("3:30 PM");
  expect(soon(new Date(2030, 5, 21, 15, 30).toISOString(), now)).toContain("Jun");
});
