/** What a request of the audit log has done, for people: to which thing, and what. */

export const THINGS = [
  "conferences",
  "participants",
  "playbacks",
  "recording",
  "reservations",
  "series",
  "rooms",
  "services",
  "trunks",
  "users",
  "people",
  "keys",
  "accounts",
  "bans",
  "recordings",
  "tokens",
  "leader-links",
  "guest-links",
  "session",
  "sessions",
  "webhooks",
  "media",
  "sound",
  "personal-data",
  "webrtc_keys",
  "invitations",
] as const;
export type Thing = (typeof THINGS)[number];

export interface Doing {
  thing: Thing;
  /** Which one; null: it has no name, or one for programs only. */
  name: string | null;
  verb: "made" | "saved" | "changed" | "removed" | "called" | "opened" | "accepted" | "done";
}

const VERBS: Record<string, Doing["verb"]> = {
  POST: "made",
  PUT: "saved",
  PATCH: "changed",
  DELETE: "removed",
};

/** Names that people have given, or that they know. */
const NAMED = new Set<Thing>([
  "conferences",
  "rooms",
  "services",
  "trunks",
  "users",
  "bans",
  "webhooks",
  "media",
]);

/** What is opened by those who have it. */
const LINKS = new Set<Thing>(["leader-links", "guest-links"]);

/** Null: it is none that has words, such as a command on the machine or one of the seven services. */
export function doingOf(method: string, path: string): Doing | null {
  const [first, ...rest] = path.split(/[?#]/)[0]?.split("/").filter(Boolean) ?? [];
  const parts = rest[0] === "operator" ? rest.slice(1) : rest;
  const [kind, name, inner, , action] = parts;
  const thing = THINGS.find((one) => one === kind);
  const verb = VERBS[method];
  if (first !== "v1" || !thing || !verb) return null;
  const named = name !== undefined && NAMED.has(thing) ? decode(name) : null;
  if (thing !== "conferences" || inner === undefined) {
    if (name === "open" && LINKS.has(thing)) return { thing, name: null, verb: "opened" };
    if (name === "accept" && thing === "invitations") return { thing, name: null, verb: "accepted" };
    // Beneath other things there are tests, links and passwords of theirs.
    const beneath = parts.length > 2 || (thing === "session" && parts.length > 1);
    return { thing, name: named, verb: beneath ? "done" : verb };
  }
  const part = (["participants", "playbacks", "recording"] as const).find((one) => one === inner);
  if (!part) return { thing, name: named, verb: "changed" };
  if (part === "participants" && method === "POST" && action === undefined) {
    return { thing: part, name: named, verb: "called" };
  }
  return { thing: part, name: named, verb: action === undefined ? verb : "changed" };
}

/** What people call a thing, by what it says of itself; those that are told by the conference they are of come last. */
const NAMES = ["title", "label", "name", "mail", "username", "conference"];

/** The name of a thing of which the path says none: as it was after the request, or before it. */
export function nameIn(...seen: (Record<string, unknown> | null | undefined)[]): string | null {
  for (const one of seen) {
    const name = NAMES.map((member) => one?.[member]).find((value) => typeof value === "string" && value);
    if (name) return name as string;
  }
  return null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
