import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ACTIONS, cardOf, USUAL } from "./card";
import type { InboundService } from "./services";

const description = JSON.parse(
  readFileSync(join(import.meta.dirname, "..", "..", "..", "..", "docs", "openapi.json"), "utf8"),
);
const described = (name: "menu" | "leader_menu") =>
  description.components.schemas.Room.properties[name].oneOf[0];
const written = (keys: { keys: string; action: string }[]) =>
  keys.map(({ keys, action }) => `${keys} ${action}`).join(", ");
const entry = (name: string, entry: object) => ({ name, entry }) as InboundService;

describe("the card of keys", () => {
  test("has the usual ones, as the service has them", () => {
    expect(USUAL.menu).toEqual(described("menu").default);
    expect(USUAL.leader_menu).toEqual(described("leader_menu").default);
    const { all, leaders, isMore } = cardOf({ number: "1001" }, []);
    expect(written(all)).toBe("*6 mute, *9 hand, *3 count, *4 volume, *0 help");
    expect(written(leaders)).toBe("*5 floor, *7 lock, *8 lobby, *1 call, *2 record, *# time_left, ** end");
    expect(isMore).toBe(true);
  });

  test("has those of the room, then those of the entry that leads to it, each menu by itself", () => {
    const services = [
      entry("other", { rooms: ["2002"], menu: { "1": "leave" } }),
      entry("+4930", { rooms: true, menu: { "2": "mute" }, leader_menu: { "2": "mute", "3": "lock" } }),
    ];
    const card = cardOf({ number: "1001", menu: { "7": "hand" } }, services);
    expect(written(card.all)).toBe("7 hand");
    // Those of leaders are not more than those of all: they stand there as a whole.
    expect(card.isMore).toBe(false);
    expect(written(card.leaders)).toBe("2 mute, 3 lock");
    const ofEntry = cardOf({ number: "1001", menu: null }, services);
    expect([written(ofEntry.all), written(ofEntry.leaders)]).toEqual(["2 mute", "3 lock"]);
    expect(cardOf({ number: "1001", menu: {} }, services).all).toEqual([]);
  });

  test("shows an action that it does not know by its name, as the last one", () => {
    const menu = { "1": "newer" as "help", "2": "help" as const };
    expect(written(cardOf({ number: "1001", menu }, []).all)).toBe("2 help, 1 newer");
  });

  test("knows all actions of the service", () => {
    const { additionalProperties } = described("leader_menu");
    expect(
      additionalProperties.enum.filter((one: string) => !ACTIONS.some((known) => known === one)),
    ).toEqual([]);
  });
});
