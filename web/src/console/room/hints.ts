/** What is wrong with a line, from its statistics: told when it has been so for ten seconds, with the cure. */
import type { Schemas } from "../../api/client";
import type { Tone } from "../../ui/Page";
import type { Participant } from "./state";

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
        // Who is muted disturbs nobody.
        if (one.muted && (hint === "noise" || hint === "echo")) continue;
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
