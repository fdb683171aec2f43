/** One dialog (RFC 3261, section 12): its identifiers and the numbers of its requests. */
import { type Header, header, parameterOf, quoted, randomText, type SipMessage, uriOf } from "./message";

export interface DialogState {
  callId: string;
  localTag: string;
  /** To of the other side, with its tag once that is known. */
  remote: string;
  /** Where requests of the dialog go. */
  target: string;
  routes: string[];
  cseq: number;
}

export interface Self {
  /** Shown to others. */
  name: string;
  /** User part of the address. */
  user: string;
  /** Host of the address. */
  host: string;
  contact: string;
}

export class Dialog {
  readonly state: DialogState;
  readonly #self: Self;

  constructor(self: Self, uri: string, state?: DialogState) {
    this.#self = self;
    this.state = state ?? {
      callId: randomText(),
      localTag: randomText(10),
      remote: `<${uri}>`,
      target: uri,
      routes: [],
      cseq: 0,
    };
  }

  /** Headers of the next request. */
  next(method: string): Header[] {
    this.state.cseq += 1;
    return this.headers(method, this.state.cseq);
  }

  /** Headers of an ACK or a CANCEL for the request with this number. */
  headers(method: string, cseq: number): Header[] {
    const { name, user, host, contact } = this.#self;
    return [
      ["From", `${name ? `${quoted(name)} ` : ""}<sip:${user}@${host}>;tag=${this.state.localTag}`],
      ["To", this.state.remote],
      ["Call-ID", this.state.callId],
      ["CSeq", `${cseq} ${method}`],
      ["Contact", contact],
      ...this.state.routes.map((route): Header => ["Route", route]),
    ];
  }

  /** A 2xx establishes it, or refreshes where requests go. */
  established(answer: SipMessage): void {
    const isNew = this.remoteTag === null;
    this.state.remote = header(answer, "to") ?? this.state.remote;
    const contact = header(answer, "contact");
    this.state.target = (contact && uriOf(contact)) || this.state.target;
    if (isNew) {
      this.state.routes = answer.headers
        .filter(([name]) => name === "record-route")
        .map(([, value]) => value)
        .reverse();
    }
  }

  get remoteTag(): string | null {
    return parameterOf(this.state.remote, "tag");
  }

  /** Whether a request of the other side belongs to it. */
  owns(request: SipMessage): boolean {
    return (
      header(request, "call-id") === this.state.callId &&
      parameterOf(header(request, "to") ?? "", "tag") === this.state.localTag
    );
  }

  /** What a new call says to take its place (RFC 3891): tags as the other side sees them. */
  get replaces(): string {
    return `${this.state.callId};to-tag=${this.remoteTag ?? ""};from-tag=${this.state.localTag}`;
  }
}
