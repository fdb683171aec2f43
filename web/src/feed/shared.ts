/**
 * One stream for all pages of a browser that show the same account to the same person: the page that holds the lock follows the events
 * and passes them on to the others. When it is closed, the next one takes over from the last event that any of them has seen.
 */
import { FeedConnection, type FeedMessage, type FeedStatus } from "./connection";

type Between =
  | { kind: "feed"; message: FeedMessage; lastId: string | null }
  | { kind: "hello" }
  | { kind: "wants"; page: string; levels: boolean }
  | { kind: "bye"; page: string };

export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

export interface SharedFeedParts {
  fetch: FeedConnectionFetch;
  channel: Channel | null;
  /** Runs `held` while this page has the lock; null: there are no locks, every page follows by itself. */
  lock: ((held: () => Promise<void>, signal: AbortSignal) => Promise<void>) | null;
  page: string;
}
type FeedConnectionFetch = (url: string, init: RequestInit) => Promise<Response>;

export class SharedFeed {
  readonly #parts: SharedFeedParts;
  readonly #listeners = new Set<(message: FeedMessage) => void>();
  readonly #closed = new AbortController();
  /** The pages that show levels. */
  readonly #levels = new Set<string>();
  #connection: FeedConnection | null = null;
  #lastId: string | null = null;
  #status: FeedStatus = { kind: "connecting" };

  constructor(parts: SharedFeedParts) {
    this.#parts = parts;
    if (parts.channel) parts.channel.onmessage = (event) => this.#heard(event.data as Between);
    this.#post({ kind: "hello" });
    const hold = () => this.#lead();
    if (parts.lock) void parts.lock(hold, this.#closed.signal).catch(() => undefined);
    else void hold();
  }

  get status(): FeedStatus {
    return this.#status;
  }

  /** Aborted once it is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  listen(listener: (message: FeedMessage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether this page shows how loud people are. */
  wantLevels(wanted: boolean): void {
    this.#want(this.#parts.page, wanted);
    this.#post({ kind: "wants", page: this.#parts.page, levels: wanted });
  }

  close(): void {
    this.#post({ kind: "bye", page: this.#parts.page });
    this.#closed.abort();
    this.#connection?.stop();
    this.#parts.channel?.close();
  }

  async #lead(): Promise<void> {
    this.#post({ kind: "hello" });
    while (!this.#closed.signal.aborted) {
      const connection = new FeedConnection({
        fetch: this.#parts.fetch,
        topics: this.#levels.size > 0 ? "levels" : "",
        lastId: this.#lastId,
        tell: (message) => {
          this.#lastId = connection.lastId;
          this.#take(message);
          this.#post({ kind: "feed", message, lastId: this.#lastId });
        },
      });
      this.#connection = connection;
      await connection.run();
      // Where it is refused another attempt has to wait for another session: the page is then loaded again.
      if (this.#status.kind === "refused") return;
    }
  }

  #want(page: string, wanted: boolean): void {
    const before = this.#levels.size > 0;
    if (wanted) this.#levels.add(page);
    else this.#levels.delete(page);
    // The stream begins again with other topics, from where it was.
    if (before !== this.#levels.size > 0) this.#connection?.stop();
  }

  #heard(between: Between): void {
    if (between.kind === "feed") {
      this.#lastId = between.lastId;
      this.#take(between.message);
    } else if (between.kind === "wants") this.#want(between.page, between.levels);
    else if (between.kind === "bye") this.#want(between.page, false);
    else if (between.kind === "hello") {
      if (this.#levels.has(this.#parts.page))
        this.#post({ kind: "wants", page: this.#parts.page, levels: true });
      if (this.#connection) {
        this.#post({ kind: "feed", message: { kind: "status", status: this.#status }, lastId: this.#lastId });
      }
    }
  }

  #take(message: FeedMessage): void {
    if (message.kind === "status") this.#status = message.status;
    for (const listener of this.#listeners) listener(message);
  }

  #post(between: Between): void {
    this.#parts.channel?.postMessage(between);
  }
}

/** The feed of this browser; pages share it whose `reader` is the same. */
export function browserFeed(reader: string): SharedFeed {
  const name = `plenary-feed ${reader}`;
  const feed = new SharedFeed({
    fetch: (url, init) => fetch(url, init),
    // Locks need a secure context. Without them each page follows by itself, and passes nothing on.
    channel: navigator.locks ? new BroadcastChannel(name) : null,
    lock: navigator.locks
      ? async (held, signal) => {
          await navigator.locks.request(name, { signal }, held);
        }
      : null,
    page: `${Date.now()}-${Math.random()}`,
  });
  addEventListener("pagehide", () => feed.close(), { signal: feed.closed });
  return feed;
}
