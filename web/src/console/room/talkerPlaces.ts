/** So long a place stays with a participant who has fallen silent: people pause, and what is about to be pressed must not jump. */
const KEPT_MS = 3_000;

/** Who talks, each at a place of their own for as long as they do: a place is given away only when it is free. */
export class TalkerPlaces {
  readonly #places: ({ id: string; at: number } | null)[];

  constructor(count: number) {
    this.#places = Array.from({ length: count }, () => null);
  }

  /** Who has which place now; null: nobody has it. Empty places at the end are left out. */
  update(talking: readonly string[], now: number): (string | null)[] {
    for (const [index, place] of this.#places.entries()) {
      if (!place) continue;
      if (talking.includes(place.id)) place.at = now;
      else if (now - place.at >= KEPT_MS) this.#places[index] = null;
    }
    for (const id of talking) {
      if (this.#places.some((place) => place?.id === id)) continue;
      const free = this.#places.indexOf(null);
      if (free < 0) break;
      this.#places[free] = { id, at: now };
    }
    const last = this.#places.findLastIndex((place) => place !== null);
    return this.#places.slice(0, last + 1).map((place) => place?.id ?? null);
  }
}
