import { expect, test } from "vitest";
import { loadPages } from "../texts/pages";
import { telephoneFacts } from "./links";

const ways = { service: null, keys: false, number: "+44 1908 273800", room: "1001", has_pin: true };

test("what is keyed in by telephone has no room number where the entry asks for none", async () => {
  await loadPages("en");
  const names = (of: Parameters<typeof telephoneFacts>[0]) => telephoneFacts(of).map(([name]) => name);
  expect(names(ways)).toEqual(["Telephone number", "Room number", "PIN"]);
  expect(names({ ...ways, room: null })).toEqual(["Telephone number", "PIN"]);
  expect(names({ ...ways, number: null })).toEqual(["Room number", "PIN"]);
  expect(names({ ...ways, number: null, room: null, has_pin: false })).toEqual([]);
});
