import { expect, test } from "vitest";
import { menuOf } from "./ParticipantRow";
import type { Participant } from "./state";

const menu = (mayMove: boolean) =>
  menuOf({
    name: "Board",
    participant: { participant_id: "1.1", display_name: "Ann" } as Participant,
    mayMove,
    onOpen: () => undefined,
  }).map(({ text }) => text);

test("who leads by a link moves nobody into another conference", () => {
  expect(menu(true)).toContain("Move");
  expect(menu(false)).toEqual(menu(true).filter((text) => text !== "Move"));
});
