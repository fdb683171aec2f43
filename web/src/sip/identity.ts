import { randomText } from "./message";

/** After the name in the user part of a browser's address: two people of one name stay apart. */
const SUFFIX = /^(.+)\+[0-9a-z]{5}$/;

/** The user part of From for a caller's name: letters, digits and dots, and something of its own. */
export function userPart(name: string): string {
  const plain = name
    .replace(/ß/g, "ss")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^A-Za-z0-9]+/g, ".")
    .replace(/^\.+|\.+$/g, "")
    .slice(0, 60);
  return `${plain || "guest"}+${randomText(5)}`;
}

/** Scheme and parameters of an address: people know its number or name. */
const SCHEME = /^(?:tel|user|sips?):([^;?]+).*$/;

/** The name to show for what a list of participants calls one of them. */
export function shownName(user: string): string {
  const plain = SCHEME.exec(user)?.[1] ?? user;
  const named = SUFFIX.exec(plain)?.[1];
  return named ? named.replace(/\./g, " ") : plain;
}
