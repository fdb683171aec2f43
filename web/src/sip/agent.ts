/** SIP over one WebSocket (RFC 7118): requests and their answers, and requests of the other side. The network may be lost and found. */
import {
  type Header,
  header,
  headersOf,
  parseMessage,
  randomText,
  type SipMessage,
  writeMessage,
} from "./message";

export class SipFailure extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string) {
    super(`${status} ${reason}`);
    this.name = "SipFailure";
    this.status = status;
    this.reason = reason;
  }
}

/** How long a final answer is waited for (64 T1, RFC 3261, section 17.1), and to an INVITE: a person may have to answer. */
const ANSWER_MS = 32_000;
const INVITE_ANSWER_MS = 180_000;
/** So often is something sent, so that proxies do not close the connection (RFC 5626, section 4.4.1). */
const KEEP_ALIVE_MS = 25_000;

interface Waiting {
  done: (answer: SipMessage) => void;
  failed: (error: Error) => void;
  early: (answer: SipMessage) => void;
  timer: ReturnType<typeof setTimeout>;
}

export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  onerror: (() => void) | null;
}

export interface AgentEvents {
  /** A request of the other side; what is returned is the answer to it. Null: it has none (ACK). */
  request: (request: SipMessage) => Promise<Answer | null>;
  /** The connection is lost. */
  lost: () => void;
}

export interface Answer {
  status: number;
  reason: string;
  headers?: Header[];
  body?: string;
}

export class SipAgent {
  readonly #open: () => Socket;
  readonly #events: AgentEvents;
  readonly #waiting = new Map<string, Waiting>();
  /** Where answers are to find this page: a name that means nothing (RFC 7118, section 5). */
  readonly host = `${randomText(12)}.invalid`;
  #socket: Socket | null = null;
  #keepAlive: ReturnType<typeof setInterval> | undefined;

  constructor(open: () => Socket, events: AgentEvents) {
    this.#open = open;
    this.#events = events;
  }

  /** Opens the connection, in place of one that was there. */
  connect(): Promise<void> {
    this.#drop();
    return new Promise((done, failed) => {
      const socket = this.#open();
      const timer = setTimeout(() => socket.close(), 10_000);
      socket.onopen = () => {
        clearTimeout(timer);
        this.#socket = socket;
        this.#keepAlive = setInterval(() => this.#write("\r\n\r\n"), KEEP_ALIVE_MS);
        done();
      };
      socket.onmessage = (event) => {
        if (typeof event.data === "string") this.#take(event.data);
      };
      socket.onclose = () => {
        clearTimeout(timer);
        failed(new SipFailure(0, "no connection"));
        if (this.#socket !== socket) return;
        this.#drop();
        this.#events.lost();
      };
      socket.onerror = () => undefined;
    });
  }

  close(): void {
    this.#drop();
  }

  /** Sends a request and waits for its final answer. */
  request(
    method: string,
    uri: string,
    headers: Header[],
    options: { body?: string; early?: (answer: SipMessage) => void } = {},
  ): { branch: string; answer: Promise<SipMessage> } {
    const branch = `z9hG4bK${randomText()}`;
    const answer = new Promise<SipMessage>((done, failed) => {
      const timer = setTimeout(
        () => {
          this.#waiting.delete(branch);
          failed(new SipFailure(408, "no answer"));
        },
        method === "INVITE" ? INVITE_ANSWER_MS : ANSWER_MS,
      );
      this.#waiting.set(branch, { done, failed, early: options.early ?? (() => undefined), timer });
      if (!this.send(method, uri, branch, headers, options.body)) {
        clearTimeout(timer);
        this.#waiting.delete(branch);
        failed(new SipFailure(0, "no connection"));
      }
    });
    return { branch, answer };
  }

  /** Sends a request that nobody answers: ACK, or CANCEL of the transaction with this branch. False: there is no connection. */
  send(method: string, uri: string, branch: string, headers: Header[], body = ""): boolean {
    const via: Header = ["Via", `SIP/2.0/WSS ${this.host};branch=${branch}`];
    return this.#write(
      writeMessage(`${method} ${uri} SIP/2.0`, [via, ["Max-Forwards", "70"], ...headers], body),
    );
  }

  #write(text: string): boolean {
    if (!this.#socket) return false;
    this.#socket.send(text);
    return true;
  }

  #drop(): void {
    clearInterval(this.#keepAlive);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.failed(new SipFailure(0, "no connection"));
    }
    this.#waiting.clear();
  }

  #take(text: string): void {
    const message = parseMessage(text);
    if (!message) return;
    if (message.status === null) void this.#asked(message);
    else this.#answered(message, message.status);
  }

  #answered(answer: SipMessage, status: number): void {
    const branch = /branch=([^;,\s]+)/.exec(header(answer, "via") ?? "")?.[1];
    const waiting = branch === undefined ? undefined : this.#waiting.get(branch);
    if (!waiting || branch === undefined) return;
    // The answer to a CANCEL has the branch of the INVITE.
    if (header(answer, "cseq")?.endsWith("CANCEL")) return;
    if (status < 200) {
      waiting.early(answer);
      return;
    }
    clearTimeout(waiting.timer);
    this.#waiting.delete(branch);
    waiting.done(answer);
  }

  async #asked(request: SipMessage): Promise<void> {
    const answer = await this.#events.request(request);
    if (!answer) return;
    const copied = ["via", "from", "to", "call-id", "cseq"].flatMap((name) =>
      headersOf(request, name).map((value): Header => [name, value]),
    );
    const content: Header[] = answer.body ? [["Content-Type", "application/sdp"]] : [];
    const first = `SIP/2.0 ${answer.status} ${answer.reason}`;
    this.#write(writeMessage(first, [...copied, ...(answer.headers ?? []), ...content], answer.body));
  }
}
