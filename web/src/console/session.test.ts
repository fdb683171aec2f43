import { expect, test } from "vitest";
import { readerOf, type Session } from "./session";

type Reader = Parameters<typeof readerOf>[0];
const person = (id: number, account: number | null) =>
  ({ person: { id }, leader: null, account: account === null ? null : { id: account } }) as unknown as Reader;
const leader = (conference: string, account: number) =>
  ({ person: null, leader: { conference }, account: { id: account } }) as unknown as Session;

test("pages share the events of one person in one account, or of one link's conference, and of nobody else", () => {
  const readers = [
    person(1, 1),
    person(1, 2),
    person(2, 1),
    person(1, null),
    leader("1", 1),
    leader("Board", 1),
  ];
  expect(new Set(readers.map(readerOf)).size).toBe(readers.length);
  expect(readerOf(person(1, 1))).toBe(readerOf(person(1, 1)));
});
