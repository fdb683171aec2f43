/**
 * Who is in a conference: documents of RFC 4575, whole ones and those that say what has changed. They are read here, without the
 * browser's XML parser, which pages with Trusted Types may not use.
 */
export interface RosterUser {
  /** The participant id. */
  id: string;
  name: string;
  status: string;
  muted: boolean;
  talking: boolean;
  handRaised: boolean;
  dialedOut: boolean;
}

export interface Roster {
  conference: string;
  active: boolean;
  recording: "on" | "paused" | null;
  /** The participant id of who reads it. */
  ownId: string | null;
  version: number;
  users: RosterUser[];
}

interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#\d+|\w+);/gi, (whole, name: string) => {
    if (!name.startsWith("#")) return ENTITIES[name] ?? whole;
    const code = name[1] === "x" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "";
  });
}

/** Elements, attributes and text; null where the tags do not match. */
export function parseXml(text: string): Element | null {
  const root: Element = { name: "", attributes: {}, children: [], text: "" };
  const open = [root];
  const pieces =
    /<\?[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/g;
  for (const piece of text.matchAll(pieces)) {
    const [, closes, name, attributes, alone, words] = piece;
    const parent = open[open.length - 1];
    if (!parent) return null;
    if (words !== undefined) parent.text += unescapeXml(words);
    else if (name === undefined) continue;
    else if (closes) {
      if (open.pop()?.name !== local(name)) return null;
    } else {
      const element: Element = { name: local(name), attributes: {}, children: [], text: "" };
      for (const [, key = "", first, second] of (attributes ?? "").matchAll(
        /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g,
      )) {
        element.attributes[key] = unescapeXml(first ?? second ?? "");
      }
      parent.children.push(element);
      if (!alone) open.push(element);
    }
  }
  return open.length === 1 ? (root.children[0] ?? null) : null;
}

const local = (name: string) => name.slice(name.indexOf(":") + 1);
const child = (element: Element | undefined, name: string) =>
  element?.children.find((one) => one.name === name);

/**
 * What is known after this document. Null: it is none of a conference, or says what has changed since one that is not known: then
 * a whole one has to be asked for.
 */
export function readRoster(text: string, before: Roster | null): Roster | null {
  const root = parseXml(text);
  if (root?.name !== "conference-info") return null;
  const version = Number(root.attributes.version ?? 0);
  const isWhole = root.attributes.state !== "partial";
  if (!isWhole && before?.version !== version - 1) return null;
  const known = isWhole ? null : before;
  const description = child(root, "conference-description");
  const state = child(root, "conference-state");
  const recording = child(state, "recording")?.text;
  return {
    conference: description ? textOf(description, "display-text") : (known?.conference ?? ""),
    active: state ? textOf(state, "active") === "true" : (known?.active ?? false),
    recording: state
      ? recording === "on" || recording === "paused"
        ? recording
        : null
      : (known?.recording ?? null),
    ownId: child(root, "self")?.text ?? null,
    version,
    users: usersAfter(known?.users ?? [], child(root, "users")),
  };
}

function usersAfter(before: RosterUser[], element: Element | undefined): RosterUser[] {
  const users = new Map(before.map((user) => [user.id, user]));
  for (const user of element?.children ?? []) {
    const endpoint = child(user, "endpoint");
    const id = endpoint?.attributes.entity ?? idOf(user);
    if (user.attributes.state === "deleted") users.delete(id);
    else if (endpoint && id) users.set(id, readUser(user, endpoint, id));
  }
  return [...users.values()];
}

function readUser(user: Element, endpoint: Element, id: string): RosterUser {
  const media = child(endpoint, "media");
  return {
    id,
    name: textOf(user, "display-text"),
    status: textOf(endpoint, "status"),
    muted: textOf(media, "status") === "recvonly",
    talking: textOf(media, "talking") === "true",
    handRaised: textOf(user, "hand") === "true",
    dialedOut: textOf(endpoint, "joining-method") === "dialed-out",
  };
}

/** The service names participants by their ids: `sip:ID@anonymous.invalid`. */
const idOf = (user: Element) => /^sip:([^@]*)@/.exec(user.attributes.entity ?? "")?.[1] ?? "";
const textOf = (element: Element | undefined, name: string) => child(element, name)?.text ?? "";
