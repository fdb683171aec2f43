import { expect, test } from "vitest";
import { partsOf, splitAddresses, writeAddress } from "./addresses";

test("addresses end at lines, commas and semicolons", () => {
  expect(splitAddresses("ann@example.com; ben@example.com,+49 30 1\n\n carl ")).toEqual([
    "ann@example.com",
    "ben@example.com",
    "+49 30 1",
    "carl",
  ]);
});

test("what stands in quotes or angle brackets is no end of an address", () => {
  expect(
    splitAddresses('"Lee, Ann; \\"Annie\\"" <ann@example.com>, Ben <sip:ben@example.com;lr>; carl'),
  ).toEqual(['"Lee, Ann; \\"Annie\\"" <ann@example.com>', "Ben <sip:ben@example.com;lr>", "carl"]);
  // What is not closed ends with its line.
  expect(splitAddresses('"Lee, Ann\nben, <carl\ndora, eve')).toEqual([
    '"Lee, Ann',
    "ben",
    "<carl",
    "dora",
    "eve",
  ]);
});

test("a URI has its parameters, and the next address begins behind them", () => {
  expect(
    splitAddresses("sip:ann@example.com;transport=tls;lr; sips:ben@example.com;user=phone,carl"),
  ).toEqual(["sip:ann@example.com;transport=tls;lr", "sips:ben@example.com;user=phone", "carl"]);
  expect(splitAddresses("sip:ann@example.com;sip:ben@example.com;tel:+4930;+4940")).toEqual([
    "sip:ann@example.com",
    "sip:ben@example.com",
    "tel:+4930",
    "+4940",
  ]);
  // Without a scheme it is none: mail addresses have no parameters.
  expect(splitAddresses("ann@example.com;ben")).toEqual(["ann@example.com", "ben"]);
});

test.each([
  ["Ann Lee", "Ann Lee <ann@example.com>"],
  ["Lee, Ann", '"Lee, Ann" <ann@example.com>'],
  ['Ann "Annie" \\ <Lee>; jr.', '"Ann \\"Annie\\" \\\\ <Lee>; jr." <ann@example.com>'],
  [null, "ann@example.com"],
])("the name %s is written so that it is read again", (name, written) => {
  const one = { name, address: "ann@example.com" };
  expect(writeAddress(one)).toBe(written);
  expect(splitAddresses(`${written}; ben`)).toEqual([written, "ben"]);
  expect(partsOf(written)).toEqual(one);
});
