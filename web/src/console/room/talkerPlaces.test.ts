import { expect, test } from "vitest";
import { TalkerPlaces } from "./talkerPlaces";

test("who talks keeps a place, and those beside them do not move when it becomes free", () => {
  const places = new TalkerPlaces(3);
  expect(places.update(["ann", "ben"], 0)).toEqual(["ann", "ben"]);
  expect(places.update(["ben"], 1_000)).toEqual(["ann", "ben"]);
  expect(places.update(["ann", "ben"], 2_000)).toEqual(["ann", "ben"]);
  expect(places.update(["ben"], 5_000)).toEqual([null, "ben"]);
  expect(places.update(["ben", "cleo"], 5_500)).toEqual(["cleo", "ben"]);
  expect(places.update(["ben", "cleo", "dan", "eve"], 6_000)).toEqual(["cleo", "ben", "dan"]);
  expect(places.update([], 9_000)).toEqual([]);
});
