/** Those who get the invitation, updates and the cancellation of a booking by mail. */
import type { Schemas } from "../../api/client";
import { partsOf, splitAddresses, writeAddress } from "../../ui/addresses";

export type Guest = Schemas["Guest"];

/** One on each line, also with a name: Ann Lee <ann@example.com>, "Lee, Ann" <ann@example.com>. */
export function parseGuests(text: string, language: string): { guests: Guest[]; wrong: string[] } {
  const guests: Guest[] = [];
  const wrong: string[] = [];
  for (const one of splitAddresses(text)) {
    const { name, address: mail } = partsOf(one);
    if (!/^[^\s@<>]+@[^\s@<>]+$/.test(mail)) wrong.push(one);
    else if (!guests.some((guest) => guest.mail === mail)) guests.push({ mail, name, language });
  }
  return { guests, wrong };
}

/** As they are entered. */
export const guestText = (guests: Guest[]): string =>
  guests.map(({ mail, name }) => writeAddress({ name, address: mail })).join("\n");

/** Those of `after` keep the language that they had before. */
export function keepLanguages(after: Guest[], before: Guest[]): Guest[] {
  return after.map((guest) => ({
    ...guest,
    language: before.find((one) => one.mail === guest.mail)?.language ?? guest.language,
  }));
}
