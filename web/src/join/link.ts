/**
 * What an invitation's link says: `/join/SERVICE#token=…`. Browsers do not send what is behind `#`, so no log and no proxy sees the
 * token and the PIN.
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
  /** The telephone number of the same conference. */
  number: string | null;
  title: string | null;
  /** Whether the participants have a menu of keys: mute, hand. */
  hasKeys: boolean;
}

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
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const room = digits(said.get("room"));
  return {
    service,
    // Nothing that would end the header that carries it.
    token: /^[\w.~+/=-]+$/.test(said.get("token") ?? "") ? said.get("token") : null,
    key: /^[a-z0-9]{1,63}$/.test(said.get("key") ?? "") ? said.get("key") : null,
    cloud: /^[0-9]+-[0-9]+-[0-9]+$/.test(said.get("cloud") ?? "") ? said.get("cloud") : null,
    room,
    pin: digits(said.get("pin")),
    number: /^\+?[0-9 ()/.-]{2,30}$/.test(said.get("number") ?? "") ? said.get("number") : null,
    title: said.get("title")?.slice(0, 100) || null,
    hasKeys: said.get("keys") === "1" || room !== null || said.get("pin") !== null,
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

/** The keys that lead from the entry into the room. */
export function entryKeys(room: string | null, pin: string): string {
  return [room, pin]
    .filter((part) => part)
    .map((part) => `${part}#`)
    .join("");
}
