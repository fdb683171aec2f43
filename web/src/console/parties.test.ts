import { expect, test } from "vitest";
import { callerOf, conferenceName } from "./parties";

test("callers and conferences are called as people call them", () => {
  expect(callerOf({ direction: "out", from: "conference" })).toBe("this service");
  expect(callerOf({ direction: "in", from: "conference" })).toBe("conference");
  expect(callerOf({ direction: "out", from: "+441632960000" })).toBe("+441632960000");
  expect(callerOf({ from: null })).toBeNull();
  expect(conferenceName("TrunkTest4a06869e98fe")).toBe("Trunk test");
  expect(conferenceName("TrunkTests")).toBe("TrunkTests");
});
