import type { Schemas } from "../api/client";

/**
 * What an invitation's link says. `/join/CODE` is a guest's link: the service says where it leads to. `/join/SERVICE#token=…` says
 * it itself; browsers do not send what is behind `#`, so no log and no proxy sees the token and the PIN.
 */
export interface Invitation {
  /** The inbound service to call. */
  service: string;
  token: string | null;
  /** An access key of browsers, and the cloud id of its account. */
  key: string | null;
  cloud: string | null;
  /** Of a room behind an entry: keyed in by itself. */
  room: string | null;
  pin: string | null;
  /** The telephone number of the same conference, and the room that callers key in there. */
  number: string | null;
  phoneRoom: string | null;
  /** The PIN that callers by telephone key in, where a guest's link names it: the browser, which comes by its code, does not. */
  phonePin?: string | null;
  /** Callers by telephone are asked for a PIN that the link does not name. */
  asksPhonePin: boolean;
  title: string | null;
  /** When it takes place, where that is known. */
  startsAt: string | null;
  endsAt: string | null;
  /** Whether the participants have a menu of keys: mute, hand. */
  hasKeys: boolean;
}

const said = (hash: string) => new URLSearchParams(hash.replace(/^#/, ""));

/** A code of a guest's link, by which all else but the PIN is asked for; null: the link says it itself. */
export function readCode(pathname: string, hash: string): string | null {
  const code = /^\/join\/([a-z2-7]{32})\/?$/.exec(pathname)?.[1] ?? null;
  return [...said(hash).keys()].every((name) => name === "pin") ? code : null;
}

/** Where a guest's link leads to; `hash`: may name the PIN. Null: to nothing that browsers can call. */
export function invitationOf(
  code: string,
  opened: Schemas["OpenedGuestLink"],
  hash: string,
): Invitation | null {
  const { service, title, starts_at, ends_at, keys, number, room, has_pin } = opened;
  if (!service) return null;
  const phonePin = has_pin ? digits(said(hash).get("pin")) : null;
  return {
    service,
    token: code,
    key: null,
    cloud: null,
    room: null,
    pin: null,
    number: number ?? null,
    phoneRoom: room ?? null,
    phonePin,
    asksPhonePin: has_pin && phonePin === null,
    title,
    startsAt: starts_at ?? null,
    endsAt: ends_at ?? null,
    hasKeys: keys,
  };
}

/** A token as it may stand in a header: nothing that would end it. */
const token = (text: string | null) => (text && /^[\w.~+/=-]{1,4096}$/.test(text) ? text : null);

const digits = (text: string | null) => (text && /^[0-9]{1,12}$/.test(text) ? text : null);

/** Null: there is no service in the path. */
export function readLink(pathname: string, hash: string): Invitation | null {
  let service: string;
  try {
    service = decodeURIComponent(/^\/join\/([^/]+)\/?$/.exec(pathname)?.[1] ?? "");
  } catch {
    return null;
  }
  // What would end the user part of an address is in no name of a service.
  if (!service || /[\s@<>"]/.test(service)) return null;
  const link = said(hash);
  const room = digits(link.get("room"));
  return {
    service,
    token: token(link.get("token")),
    key: /^[a-z0-9]{1,63}$/.test(link.get("key") ?? "") ? link.get("key") : null,
    cloud: /^[0-9]+-[0-9]+-[0-9]+$/.test(link.get("cloud") ?? "") ? link.get("cloud") : null,
    room,
    pin: digits(link.get("pin")),
    number: /^\+?[0-9 ()/.-]{2,30}$/.test(link.get("number") ?? "") ? link.get("number") : null,
    phoneRoom: room,
    asksPhonePin: false,
    title: link.get("title")?.slice(0, 100) || null,
    startsAt: null,
    endsAt: null,
    hasKeys: link.get("keys") === "1" || room !== null || link.get("pin") !== null,
  };
}

/** The address to call, and the host of one's own. */
export function addresses(invitation: Invitation, host: string): { uri: string; host: string } {
  const user = encodeURIComponent(invitation.service).replace(/%(2B|24|26|3D|2C)/g, (text) =>
    decodeURIComponent(text),
  );
  const { key, cloud } = invitation;
  return key && cloud
    ? { uri: `sip:${user}@sip-${cloud}.${host};transport=tcp`, host: `${key}.webrtc-${cloud}.${host}` }
    : { uri: `sip:${user}@${host};transport=tcp`, host };
}

/** What a telephone calls and keys in: the room and the PIN, each ended by `#`, behind pauses. */
export function telephoneUri({ number, phoneRoom, pin, phonePin }: Invitation): string {
  const keys = [phoneRoom, pin ?? phonePin].filter(Boolean).map((part) => `${part}%23`);
  return `tel:${[(number ?? "").replace(/[^+0-9]/g, ""), ...keys].join(",,")}`;
}

/** The keys that lead from the entry into the room. */
export function entryKeys(room: string | null, pin: string): string {
  return [room, pin]
    .filter((part) => part)
    .map((part) => `${part}#`)
    .join("");
}
