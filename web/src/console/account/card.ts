/** What stands on the card of keys of a room: its own menus, else those of the entry that leads to it, else the usual ones (docs/keys.md). */
import type { Schemas } from "../../api/client";
import { type InboundService, servicesOf } from "./services";

/** Key sequences, and what they do. */
export type Menu = Readonly<Record<string, string>>;

export const USUAL: { menu: Menu; leader_menu: Menu } = {
  menu: { "*6": "mute", "*9": "hand", "*3": "count", "*4": "volume", "*0": "help" },
  leader_menu: {
    ...{ "*6": "mute", "*9": "hand", "*3": "count", "*4": "volume", "*0": "help" },
    ...{ "*5": "floor", "*7": "lock", "*8": "lobby", "*1": "call", "*2": "record" },
    ...{ "*#": "time_left", "**": "end" },
  },
};

/** In the order in which they stand on the card. */
export const ACTIONS = [
  "mute",
  "hand",
  "count",
  "roll_call",
  "volume",
  "hear_louder",
  "hear_quieter",
  "talk_louder",
  "talk_quieter",
  "leave",
  "help",
  "floor",
  "mute_all",
  "lecture",
  "lock",
  "lobby",
  "admit_next",
  "admit_all",
  "refuse_next",
  "refuse_all",
  "eject_last",
  "call",
  "record",
  "record_stop",
  "time_left",
  "extend",
  "announcements",
  "end",
] as const;

export interface CardKey {
  keys: string;
  action: string;
}

export interface Card {
  all: CardKey[];
  leaders: CardKey[];
  /** Leaders have the keys of all, too; false: theirs are others, and `leaders` has them all. */
  isMore: boolean;
}

type Room = Pick<Schemas["Room"], "number" | "menu" | "leader_menu">;

export function cardOf(room: Room, services: InboundService[]): Card {
  const entry = servicesOf(services, room.number)[0]?.entry;
  const menu: Menu = room.menu ?? entry?.menu ?? USUAL.menu;
  const leaders: Menu = room.leader_menu ?? entry?.leader_menu ?? USUAL.leader_menu;
  const shared = Object.keys(menu);
  const isMore = shared.length > 0 && shared.every((keys) => leaders[keys] === menu[keys]);
  return {
    all: listed(menu),
    leaders: listed(leaders).filter(({ keys }) => !(isMore && keys in menu)),
    isMore,
  };
}

function listed(menu: Menu): CardKey[] {
  // An action that is newer than this page stands last.
  const place = (action: string) => {
    const at = (ACTIONS as readonly string[]).indexOf(action);
    return at < 0 ? ACTIONS.length : at;
  };
  return Object.entries(menu)
    .map(([keys, action]) => ({ keys, action }))
    .sort((a, b) => place(a.action) - place(b.action));
}
