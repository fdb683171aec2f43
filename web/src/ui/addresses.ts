/** Addresses as people write and paste them: one on each line, or with commas or semicolons between, each with a name before it if wanted. */

/** A parameter of a SIP URI (RFC 3261, 19.1.1), from its semicolon on: what is there in its place begins another address. */
const PARAMETER = /^;[A-Za-z][\w.!%*'~+-]*(?=[=;,\s]|$)/;
/** What has parameters, also where no angle brackets stand around it. */
const URI = /^\s*(sips?|tel):/i;

/** Commas and semicolons in quotes, in angle brackets and in the parameters of a URI do not end an address. */
export function splitAddresses(text: string): string[] {
  return text.split("\n").flatMap(splitLine);
}

function splitLine(line: string): string[] {
  const found: string[] = [];
  let from = 0;
  let isQuoted = false;
  let isBracketed = false;
  for (let at = 0; at < line.length; at += 1) {
    const one = line[at];
    if (isQuoted && one === "\\") at += 1;
    else if (one === '"' && !isBracketed) isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (one === "<") isBracketed = true;
    else if (one === ">") isBracketed = false;
    else if (!isBracketed && (one === "," || one === ";")) {
      if (one === ";" && URI.test(line.slice(from, at)) && PARAMETER.test(line.slice(at))) continue;
      found.push(line.slice(from, at));
      from = at + 1;
    }
  }
  found.push(line.slice(from));
  return found.map((address) => address.trim()).filter(Boolean);
}

/** `"Lee, Ann" <ann@example.com>` and `ann@example.com`, in their parts. */
export function partsOf(text: string): { name: string | null; address: string } {
  const [, name = "", address = text] = /^(.*?)\s*<([^<>]+)>$/.exec(text) ?? [];
  return { name: unquoted(name).trim() || null, address: address.trim() };
}

function unquoted(text: string): string {
  const inner = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1];
  return inner === undefined ? text : inner.replace(/\\(.)/g, "$1");
}

/** As it is read again: a name that has what ends one stands in quotes. */
export function writeAddress({
  name,
  address,
}: {
  name: string | null | undefined;
  address: string;
}): string {
  if (!name) return address;
  const line = name.replace(/\s+/g, " ");
  const said = /[",;<>\\]/.test(line) ? `"${line.replace(/["\\]/g, "\\$&")}"` : line;
  return `${said} <${address}>`;
}
