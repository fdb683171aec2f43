/** What tests have in place of the service and of WebRTC. */
import type { Socket } from "./agent";
import type { CallMedia } from "./media";
import { header, parseMessage, type SipMessage, writeMessage } from "./message";

/** The other side of a WebSocket: it answers as the test says. */
export class Bridge {
  readonly requests: SipMessage[] = [];
  sockets: FakeSocket[] = [];
  answers: Record<string, (request: SipMessage) => string> = {};
  #requests = 0;

  open = (): Socket => {
    const socket = new FakeSocket(this);
    this.sockets.push(socket);
    return socket;
  };

  take(text: string, socket: FakeSocket): void {
    const message = parseMessage(text);
    if (!message) return;
    if (message.status !== null) {
      this.requests.push(message);
      return;
    }
    this.requests.push(message);
    const answer = this.answers[message.method] ?? (() => "200 OK");
    if (message.method === "ACK") return;
    const status = answer(message);
    if (status) socket.say(this.answer(message, status));
  }

  answer(request: SipMessage, status: string): string {
    const tagged = header(request, "to")?.includes(";tag=") ? "" : ";tag=theirs";
    const copied = ["via", "from", "call-id", "cseq"].map((name): [string, string] => [
      name,
      header(request, name) ?? "",
    ]);
    const body = request.method === "INVITE" && status.startsWith("2") ? "answer" : "";
    return writeMessage(
      `SIP/2.0 ${status}`,
      [...copied, ["To", header(request, "to") + tagged], ["Contact", "<sip:focus@bridge>"]],
      body,
    );
  }

  /** A request of the service in the dialog of this one of the page. */
  within(request: SipMessage, method: string, headers: [string, string][] = [], body = ""): string {
    this.#requests += 1;
    const from = header(request, "to") ?? "";
    return writeMessage(
      `${method} sip:Ann@x SIP/2.0`,
      [
        ["Via", `SIP/2.0/WSS bridge;branch=z9hG4bKours${this.#requests}`],
        ["From", from.includes(";tag=") ? from : `${from};tag=theirs`],
        ["To", header(request, "from") ?? ""],
        ["Call-ID", header(request, "call-id") ?? ""],
        ["CSeq", `${this.#requests} ${method}`],
        ...headers,
      ],
      body,
    );
  }

  /** Sends a list of participants to the one who has subscribed last. */
  notify(text: string, state = "active;expires=600"): void {
    const subscribe = this.of("SUBSCRIBE").at(-1) as SipMessage;
    const headers: [string, string][] = [
      ["Event", "conference"],
      ["Subscription-State", state],
    ];
    this.sockets.at(-1)?.say(this.within(subscribe, "NOTIFY", headers, text));
  }

  /** What was keyed in so far. */
  get keyed(): string {
    return this.of("INFO")
      .map(({ body }) => /^Signal=(.)/.exec(body)?.[1])
      .join("");
  }

  of(method: string): SipMessage[] {
    return this.requests.filter((message) => message.method === method);
  }
}

export class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly #bridge: Bridge;
  #isOpen = true;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
    queueMicrotask(() => this.onopen?.());
  }

  send(text: string): void {
    if (this.#isOpen) queueMicrotask(() => this.#bridge.take(text, this));
  }

  say(text: string): void {
    if (this.#isOpen) this.onmessage?.({ data: text });
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.onclose?.();
  }
}

export class FakeMedia implements CallMedia {
  isConnected = false;
  onconnected: (() => void) | null = null;
  onlost: (() => void) | null = null;
  onheard: (() => void) | null = null;
  readonly did: string[] = [];
  renew = () => void this.did.push("renew");
  offer = async (restart: boolean) => {
    this.did.push(restart ? "restart" : "offer");
    return "offer";
  };
  answered = async (sdp: string) => void this.did.push(`answered ${sdp}`);
  accept = async (sdp: string) => {
    this.did.push(`accept ${sdp}`);
    return "mine";
  };
  /** The network carries the audio. */
  connect(): void {
    this.isConnected = true;
    this.onconnected?.();
    this.onheard?.();
  }
  /** It does not any more, or found no way. */
  lose(): void {
    this.isConnected = false;
    this.onlost?.();
  }
  close = () => void this.did.push("close");
}
