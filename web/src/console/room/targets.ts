import { partsOf, splitAddresses } from "../../ui/addresses";

/** Whom to call, as people write it: a number, an address or a user on each line, with a name before it if wanted. */
export interface Target {
  to: string;
  name: string | null;
}

export function parseTargets(text: string): { targets: Target[]; wrong: string[] } {
  const targets: Target[] = [];
  const wrong: string[] = [];
  for (const one of splitAddresses(text)) {
    const { name, address } = partsOf(one);
    const to = addressOf(address);
    if (to) targets.push({ to, name });
    else wrong.push(one);
  }
  return { targets, wrong };
}

function addressOf(text: string): string | null {
  if (/^(sips?|tel|user|webrtc):\S+$/i.test(text)) return text;
  const number = text.replace(/[\s().\-/]/g, "");
  if (/^\+?[0-9*#]{3,20}$/.test(number)) return `tel:${number}`;
  if (/^[^\s@]+@[^\s@]+$/.test(text)) return `sip:${text}`;
  if (/^[A-Za-z][A-Za-z0-9_.-]*$/.test(text)) return `user:${text}`;
  return null;
}
