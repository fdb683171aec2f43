/** SIP messages (RFC 3261, section 7): as much of them as a telephone in a browser needs. */

export type Header = [name: string, value: string];

export interface SipMessage {
  /** The first line. */
  first: string;
  /** Of a response; null: it is a request. */
  status: number | null;
  reason: string;
  /** Of a request. */
  method: string;
  /** Names in lower case, in their order, compact forms written out. */
  headers: Header[];
  body: string;
}

const COMPACT: Record<string, string> = {
  v: "via",
  f: "from",
  t: "to",
  i: "call-id",
  m: "contact",
  c: "content-type",
  l: "content-length",
  e: "content-encoding",
  s: "subject",
  k: "supported",
  o: "event",
  r: "refer-to",
  x: "session-expires",
};

/** Null: it is no SIP message. */
export function parseMessage(text: string): SipMessage | null {
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  const lines = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const first = lines[0] ?? "";
  const response = /^SIP\/2\.0 (\d{3})(?: (.*))?$/.exec(first);
  const request = /^([A-Z]+) (\S+) SIP\/2\.0$/.exec(first);
  if (!response && !request) return null;
  const headers: Header[] = [];
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    headers.push([COMPACT[name] ?? name, line.slice(colon + 1).trim()]);
  }
  return {
    first,
    status: response ? Number(response[1]) : null,
    reason: response?.[2] ?? "",
    method: request?.[1] ?? "",
    headers,
    body: end < 0 ? "" : text.slice(end + 4),
  };
}

export function header(message: SipMessage, name: string): string | null {
  return message.headers.find(([known]) => known === name)?.[1] ?? null;
}

export function headersOf(message: SipMessage, name: string): string[] {
  return message.headers.filter(([known]) => known === name).map(([, value]) => value);
}

export function writeMessage(first: string, headers: Header[], body = ""): string {
  const length = new TextEncoder().encode(body).length;
  const lines = [...headers, ["Content-Length", String(length)] as Header].map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${first}\r\n${lines.join("")}\r\n${body}`;
}

/** The URI of a header with a name and an address. */
export function uriOf(value: string): string | null {
  return /<([^>]+)>/.exec(value)?.[1] ?? /^\s*([^\s;]+)/.exec(value)?.[1] ?? null;
}

/** A parameter after the address, as in `;tag=`. */
export function parameterOf(value: string, name: string): string | null {
  const after = value.includes(">") ? value.slice(value.lastIndexOf(">") + 1) : value;
  for (const part of after.split(";").slice(1)) {
    const [key, text] = part.split("=");
    if (key?.trim().toLowerCase() === name) return text?.trim() ?? "";
  }
  return null;
}

/** Text between quotation marks (RFC 3261, section 25.1). */
export function quoted(text: string): string {
  return `"${text.replace(/[\r\n]+/g, " ").replace(/([\\"])/g, "\\$1")}"`;
}

/** Why a call ended: `cause` and `text` of a Reason header (RFC 3326). */
export function reasonOf(
  message: SipMessage,
): { protocol: string; cause: number | null; text: string } | null {
  const value = header(message, "reason");
  if (!value) return null;
  const cause = /cause\s*=\s*(\d+)/i.exec(value)?.[1];
  return {
    protocol: /^[^;\s]+/.exec(value)?.[0] ?? "",
    cause: cause ? Number(cause) : null,
    text: /text\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(value)?.[1]?.replace(/\\(.)/g, "$1") ?? "",
  };
}

/** Letters and digits that nobody can guess. */
export function randomText(length = 20): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}
