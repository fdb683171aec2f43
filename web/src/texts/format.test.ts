import { expect, test, vi } from "vitest";
import { amount, dateTime, duration, measure, percent } from "./format";

vi.stubGlobal("navigator", { languages: ["en"] });

test("a time breaks between day and minute alone", () => {
  expect(dateTime("2030-06-20T15:15:00Z").split(" ")).toHaveLength(2);
  expect(dateTime(null)).toBe("–");
});

test("amounts are the same with and without a formatter", () => {
  expect([amount(999), amount(1_000), amount(-40), amount(0.6), amount(2.714, 2)]).toEqual([
    "999",
    "1,000",
    "-40",
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
