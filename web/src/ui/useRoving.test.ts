import { expect, test } from "vitest";
import { columnFor, rowFor } from "./useRoving";

test("arrows lead to the next row, and not beyond the ends", () => {
  expect(
    ["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"].map((key) => rowFor(key, 3, 20)),
  ).toEqual([4, 2, 13, 0, 0, 20]);
  expect([rowFor("ArrowUp", 0, 20), rowFor("ArrowDown", 20, 20), rowFor("PageDown", 15, 20)]).toEqual([
    0, 20, 20,
  ]);
  expect([rowFor("a", 3, 20), rowFor("ArrowLeft", 3, 20)]).toEqual([null, null]);
});

test("in a row with more controls the same one is found from its end", () => {
  // Select, mute, menu; beside a row that has the cures of a hint between.
  expect([columnFor(0, 3, 5), columnFor(1, 3, 5), columnFor(2, 3, 5)]).toEqual([0, 3, 4]);
  expect([columnFor(3, 5, 3), columnFor(4, 5, 3), columnFor(1, 5, 3)]).toEqual([1, 2, 0]);
  expect(columnFor(1, 2, 1)).toBe(0);
});
