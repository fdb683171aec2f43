/** Those who get the invitation, updates and the cancellation of a booking by mail. */
import type { Schemas } from "../../api/client";

export type Guest = Schemas["Guest"];

/** One on each line, also with a name: Ann Lee <ann@example.com>. */
export function parseGuests(text: string, language: string): { guests: Guest[]; wrong: string[] } {
  const guests: Guest[] = [];
  const wrong: string[] = [];
  for (const line of text.split(/[\n;,]/).map((one) => one.trim())) {
    if (!line) continue;
    const named = /^"?([^"<]*?)"?\s*<([^>]+)>$/.exec(line);
    const mail = (named?.[2] ?? line).trim();
    if (!/^[^\s@<>]+@[^\s@<>]+$/.test(mail)) wrong.push(line);
    else if (!guests.some((one) => one.mail === mail)) {
      guests.push({ mail, name: named?.[1]?.trim() || null, language });
    }
  }
  return { guests, wrong };
}

/** As they are entered. */
export const guestText = (guests: Guest[]): string =>
  guests.map(({ mail, name }) => (name ? `${name} <${mail}>` : mail)).join("\n");

/** Those of `after` keep the language that they had before. */
export function keepLanguages(after: Guest[], before: Guest[]): Guest[] {
  return after.map((guest) => ({
    ...guest,
    language: before.find((one) => one.mail === guest.mail)?.language ?? guest.language,
  }));
}
