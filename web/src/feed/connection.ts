/** Follows `/v1/events` and comes back by itself: each time from the last event that was read. */
import type { Schemas } from "../api/client";
import { StreamParser } from "./stream";

/**
 * What is told of an event. Those that are only sent live have fewer members and types of their own, and what `data` has by the type
 * the description does not say.
 */
export interface LiveEvent extends Partial<Omit<Schemas["Event"], "type" | "data">> {
  type: string;
  data: Record<string, unknown>;
}

export type FeedStatus =
  | { kind: "connecting" }
  | { kind: "live" }
  /** Not live since `since` (milliseconds since 1970). */
  | { kind: "lost"; since: number }
  /** The service does not let this reader follow events. */
  | { kind: "refused"; status: number };

export type FeedMessage =
  | { kind: "event"; event: LiveEvent }
  /** Events are missing: everything shown has to be read again. */
  | { kind: "reset" }
  | { kind: "status"; status: FeedStatus };

/** A comment comes every 15 s: without anything for this long the connection is dead. */
const SILENT_MS = 40_000;
const PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000];

export interface FeedOptions {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  topics: string;
  tell: (message: FeedMessage) => void;
  now?: () => number;
  pauses?: readonly number[];
  lastId?: string | null;
}

export class FeedConnection {
  readonly #options: FeedOptions;
  readonly #stopped = new AbortController();
  #lastId: string | null;
  #lostSince: number | null = null;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#lastId = options.lastId ?? null;
  }

  get lastId(): string | null {
    return this.#lastId;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Runs until it is stopped or refused. */
  async run(): Promise<void> {
    const { tell, now = Date.now, pauses = PAUSES_MS } = this.#options;
    let failures = 0;
    tell({ kind: "status", status: { kind: "connecting" } });
    while (!this.#stopped.signal.aborted) {
      let refused: number | null = null;
      try {
        refused = await this.#follow(() => {
          failures = 0;
        });
      } catch {
        // The network's errors have no more to say than that the stream has ended.
      }
      if (this.#stopped.signal.aborted) return;
      if (refused !== null) {
        tell({ kind: "status", status: { kind: "refused", status: refused } });
        return;
      }
      this.#lostSince ??= now();
      // The service ends streams when it drains: the first attempt to come back is not worth a word.
      if (failures > 0) tell({ kind: "status", status: { kind: "lost", since: this.#lostSince } });
      await this.#pause(pauses[Math.min(failures, pauses.length - 1)] ?? 8_000);
      failures += 1;
    }
  }

  async #follow(opened: () => void): Promise<number | null> {
    const { fetch, topics, tell } = this.#options;
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), SILENT_MS);
    try {
      const query = topics ? `?topics=${encodeURIComponent(topics)}` : "";
      const signal = AbortSignal.any([this.#stopped.signal, silent.signal]);
      const answer = await fetch(`/v1/events${query}`, {
        headers: { Accept: "text/event-stream", ...(this.#lastId ? { "Last-Event-ID": this.#lastId } : {}) },
        cache: "no-store",
        signal,
      });
      if (answer.status === 401 || answer.status === 403) return answer.status;
      if (!answer.ok || !answer.body) throw new Error(`answer ${answer.status}`);
      // Without a position nothing says what happened meanwhile.
      const missed = this.#lostSince !== null && this.#lastId === null;
      this.#lostSince = null;
      opened();
      tell({ kind: "status", status: { kind: "live" } });
      if (missed) tell({ kind: "reset" });
      const parser = new StreamParser();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined));
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return null;
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENT_MS);
        for (const message of parser.push(value)) {
          if (message.id) this.#lastId = message.id;
          if (message.event === "reset") tell({ kind: "reset" });
          else if (message.data) this.#event(message.data);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #event(data: string): void {
    let event: LiveEvent;
    try {
      event = JSON.parse(data) as LiveEvent;
    } catch {
      return;
    }
    if (event && typeof event.type === "string") this.#options.tell({ kind: "event", event });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.#stopped.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        done();
      });
    });
  }
}
