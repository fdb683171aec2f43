import { expect, test } from "vitest";
import { guestText, keepLanguages, parseGuests } from "./guests";

test("mail addresses are read with and without names, once each", () => {
  const { guests, wrong } = parseGuests(
    'ann@example.com\nBen Lee <ben@example.com>; "Carl" <carl@example.com>, ann@example.com\nnobody',
    "de",
  );
  expect(guests).toEqual([
    { mail: "ann@example.com", name: null, language: "de" },
    { mail: "ben@example.com", name: "Ben Lee", language: "de" },
    { mail: "carl@example.com", name: "Carl", language: "de" },
  ]);
  expect(wrong).toEqual(["nobody"]);
  expect(parseGuests(guestText(guests), "de").guests).toEqual(guests);
});

test("a guest keeps the language of the invitation", () => {
  const before = [{ mail: "ann@example.com", name: null, language: "en" as const }];
  const { guests } = parseGuests("Ann <ann@example.com>\nben@example.com", "de");
  expect(keepLanguages(guests, before).map(({ language }) => language)).toEqual(["en", "de"]);
});

test("names are read as mail programs write them, and written so that they are read again", () => {
  const { guests, wrong } = parseGuests('"Lee, Ann" <ann@example.com>; "O; Neil" <o@example.com>', "en");
  expect(guests.map(({ name }) => name)).toEqual(["Lee, Ann", "O; Neil"]);
  expect(wrong).toEqual([]);
  expect(parseGuests(guestText(guests), "en")).toEqual({ guests, wrong: [] });
});
