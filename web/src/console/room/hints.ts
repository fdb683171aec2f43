/** What is wrong with a line, from its statistics: told when it has been so for ten seconds, with the cure. */
import type { Schemas } from "../../api/client";
import type { Tone } from "../../ui/Page";
import { isBrowser, numberOf, type Participant } from "./state";

export type Hint = "noise" | "echo" | "deaf" | "unheard" | "poor";

/** Those of a participant who has a call, or none. */
export type Statistics = Partial<Schemas["CallStats"]>;

const HELD_MS = 10_000;

export const statisticsOf = (one: Participant): Statistics => one.statistics ?? {};

/** What the statistics of this moment say. */
export function findings(statistics: Statistics): Hint[] {
  const found: Hint[] = [];
  if (statistics.one_way === "none_delivered") found.push("deaf");
  if (statistics.one_way === "none_received") found.push("unheard");
  if ((statistics.echo_suspicion ?? 0) > 0.5) found.push("echo");
  if ((statistics.noise_floor_dbov ?? -90) > -45) found.push("noise");
  if ((statistics.mos ?? 0) > 0 && (statistics.mos ?? 5) < 3.1) found.push("poor");
  return found;
}

/** Nobody is disturbed by it: who is muted is not heard, and noise that is suppressed neither. */
function isHarmless(hint: Hint, one: Participant): boolean {
  if (hint !== "noise" && hint !== "echo") return false;
  return one.muted || (hint === "noise" && one.sound?.noise_suppression === true);
}

/** Remembers since when each line is as it is. */
export class HintTracker {
  readonly #since = new Map<string, number>();

  /** The hints of each participant. */
  update(list: Participant[], now: number): Map<string, Hint[]> {
    const seen = new Set<string>();
    const hints = new Map<string, Hint[]>();
    for (const one of list) {
      if (one.state !== "in") continue;
      const shown: Hint[] = [];
      for (const hint of findings(statisticsOf(one))) {
        if (isHarmless(hint, one)) continue;
        const key = `${one.participant_id} ${hint}`;
        seen.add(key);
        const since = this.#since.get(key) ?? now;
        this.#since.set(key, since);
        if (now - since >= HELD_MS) shown.push(hint);
      }
      if (shown.length) hints.set(one.participant_id, shown);
    }
    for (const key of this.#since.keys()) if (!seen.has(key)) this.#since.delete(key);
    return hints;
  }
}

/** Whether nothing has to be drawn again. */
export function areSame(some: Map<string, Hint[]>, others: Map<string, Hint[]>): boolean {
  return (
    some.size === others.size && [...some].every(([id, hints]) => others.get(id)?.join() === hints.join())
  );
}

/** What is wrong now and was not before. */
export function newHints(
  before: Map<string, Hint[]>,
  now: Map<string, Hint[]>,
): { id: string; hint: Hint }[] {
  return [...now].flatMap(([id, hints]) =>
    hints.filter((hint) => !before.get(id)?.includes(hint)).map((hint) => ({ id, hint })),
  );
}

/** What helps: with one click, or what has to be said to the participant. */
export type Remedy = "suppress" | "mute" | "call_back";
export type Advice = "headset" | "reload" | "network" | "again";

export interface Cure {
  remedies: Remedy[];
  advice: Advice | null;
}

export function cureOf(hint: Hint, one: Participant): Cure {
  switch (hint) {
    case "noise":
      return { remedies: ["suppress", "mute"], advice: null };
    case "echo":
      return { remedies: ["mute"], advice: "headset" };
    case "deaf":
    case "unheard":
    case "poor":
      if (isBrowser(one)) return { remedies: [], advice: hint === "poor" ? "network" : "reload" };
      return numberOf(one) === null
        ? { remedies: [], advice: "again" }
        : { remedies: ["call_back"], advice: null };
  }
}

/** A line that needs attention, with all that helps. */
export interface Line {
  participant: Participant;
  hints: Hint[];
  remedies: Remedy[];
  advice: Advice[];
}

const unique = <T>(list: T[]): T[] => [...new Set(list)];

/** The lines of those who are in that need attention, in the order in which they are listed. */
export function linesOf(list: Participant[], hints: Map<string, Hint[]>): Line[] {
  return list.flatMap((participant) => {
    const found = hints.get(participant.participant_id);
    if (!found) return [];
    const cures = found.map((hint) => cureOf(hint, participant));
    return {
      participant,
      hints: found,
      remedies: unique(cures.flatMap((cure) => cure.remedies)),
      advice: unique(cures.flatMap((cure) => cure.advice ?? [])),
    };
  });
}

/** The lowest of a line so far: of this moment, where the one that is kept has not seen it yet. */
export function lowestMos(of: { mos?: number | null; mos_min?: number | null }): number | null {
  const known = [of.mos, of.mos_min].filter((mos) => mos != null && mos > 0) as number[];
  return known.length ? Math.min(...known) : null;
}

export type Quality = "good" | "fair" | "poor" | "unknown";

export const qualityTone: Record<Quality, Tone> = {
  good: "good",
  fair: "warn",
  poor: "bad",
  unknown: "none",
};

export function qualityOf(mos: number | null | undefined): Quality {
  if (!mos) return "unknown";
  return mos >= 3.6 ? "good" : mos >= 3.1 ? "fair" : "poor";
}
