import { meterShare } from "../../sip/audio";

/** Levels come five times a second; without a new one for this long a participant is silent. */
const OLD_MS = 700;

/** How loud each participant is, beside the state of the pages: meters read it when they draw. */
export class LevelStore {
  #levels: Record<string, number> = {};
  #at = 0;
  readonly #readers = new Map<string, () => number>();

  take(levels: unknown): void {
    this.#levels = (levels ?? {}) as Record<string, number>;
    this.#at = performance.now();
  }

  /** The same function each time, for the meter of a participant. */
  reader(id: string): () => number {
    let reader = this.#readers.get(id);
    if (!reader) {
      reader = () => (performance.now() - this.#at > OLD_MS ? 0 : meterShare(this.#levels[id] ?? -127));
      this.#readers.set(id, reader);
    }
    return reader;
  }
}
