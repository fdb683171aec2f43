/**
 * Who is in a conference: documents of RFC 4575. They are read here, without the browser's XML parser, which pages with Trusted
 * Types may not use.
 */
export interface RosterUser {
  /** The participant id. */
  id: string;
  /** User part of the address. */
  user: string;
  name: string;
  status: string;
  muted: boolean;
  talking: boolean;
  dialedOut: boolean;
}

export interface Roster {
  conference: string;
  active: boolean;
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

/** Null: it is no document of a conference. */
export function parseRoster(text: string): Roster | null {
  const root = parseXml(text);
  if (root?.name !== "conference-info") return null;
  const users = (child(root, "users")?.children ?? []).flatMap((user): RosterUser[] => {
    const endpoint = child(user, "endpoint");
    const id = endpoint?.attributes.entity;
    if (!id) return [];
    const media = child(endpoint, "media");
    const address = /^sips?:([^@]*)@/.exec(user.attributes.entity ?? "")?.[1] ?? user.attributes.entity ?? "";
    return [
      {
        id,
        user: decode(address),
        name: child(user, "display-text")?.text ?? decode(address),
        status: child(endpoint, "status")?.text ?? "",
        muted: child(media, "status")?.text === "recvonly",
        talking: child(media, "talking")?.text === "true",
        dialedOut: child(endpoint, "joining-method")?.text === "dialed-out",
      },
    ];
  });
  return {
    conference: child(child(root, "conference-description"), "display-text")?.text ?? "",
    active: child(child(root, "conference-state"), "active")?.text === "true",
    version: Number(root.attributes.version ?? 0),
    users,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
