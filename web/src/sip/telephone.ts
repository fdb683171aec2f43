/** A telephone for one call at a time, which it keeps over reloads and changes of the network. */
import { type Answer, SipAgent, SipFailure, type Socket } from "./agent";
import { Dialog, type DialogState, type Self } from "./dialog";
import type { CallMedia } from "./media";
import { type Header, header, parameterOf, reasonOf, type SipMessage } from "./message";
import { type Roster, readRoster } from "./roster";

export type PhoneState =
  | { kind: "idle" }
  | { kind: "connecting" }
  | { kind: "ringing" }
  | { kind: "up"; since: number }
  | { kind: "reconnecting"; since: number; upSince: number }
  /** It was up. `text`: what the other side says of it. */
  | { kind: "ended"; by: "us" | "them" | "network"; text: string }
  | { kind: "failed"; why: CallFailure };

/** Why a call did not come to be. */
export type CallFailure =
  /** The service cannot be reached. */
  | { kind: "connection" }
  /** Its answer, of SIP. */
  | { kind: "refused"; status: number; text: string }
  /** The audio found no way through the network. */
  | { kind: "ice" }
  /** This browser and the service have no audio in common. */
  | { kind: "codecs" }
  /** This browser makes no connection for audio. */
  | { kind: "browser" };

export interface PhoneView {
  state: PhoneState;
  roster: Roster | null;
}

/** What is kept over a reload: with it another call takes the place of this one. */
export interface SavedCall {
  dialog: DialogState;
  self: Self;
  upSince: number;
}

export interface PhoneOptions {
  open: () => Socket;
  media: CallMedia;
  /** The address to call. */
  uri: string;
  name: string;
  user: string;
  host: string;
  token: string | null;
  changed: (view: PhoneView) => void;
  /** What to keep over a reload; null: nothing any more. */
  save: (call: SavedCall | null) => void;
  now?: () => number;
  pauses?: readonly number[];
}

const ALLOW = "ACK, BYE, CANCEL, INVITE, NOTIFY, OPTIONS, UPDATE";
/** Within this time the call goes on in its dialog; then another call takes its place. */
const SAME_DIALOG_MS = 10_000;
/** So long is it tried to come back. */
export const RECONNECT_MS = 90_000;
const REINVITE_ANSWER_MS = 8_000;
const SUBSCRIPTION_S = 600;
/** So long a key is held. */
const KEY_MS = 160;
const SUBSCRIBE_AGAIN_MS = 3_000;
const PAUSES_MS = [0, 500, 1_000, 2_000, 4_000];

export class Telephone {
  readonly #options: PhoneOptions;
  readonly #agent: SipAgent;
  readonly #self: Self;
  #dialog: Dialog;
  #view: PhoneView = { state: { kind: "idle" }, roster: null };
  /** Since when the audio has not got through; null: it does. */
  #lostAt: number | null = null;
  #isReplacement = false;
  #wasConnected = false;
  #inviting: { branch: string; cseq: number } | null = null;
  #subscribing: ReturnType<typeof setTimeout> | undefined;
  #iceServers: RTCIceServer[] = [];
  #keyed: Promise<void> = Promise.resolve();

  constructor(options: PhoneOptions) {
    this.#options = options;
    this.#agent = new SipAgent(options.open, {
      request: (request) => this.#asked(request),
      lost: () => this.#lost(),
    });
    this.#self = {
      name: options.name,
      user: options.user,
      host: options.host,
      contact: `<sip:${options.user}@${this.#agent.host};transport=ws>`,
    };
    this.#dialog = new Dialog(this.#self, options.uri);
    options.media.onconnected = () => {
      this.#wasConnected = true;
      this.#lostAt = null;
    };
    options.media.onlost = () => this.#mediaLost();
  }

  get view(): PhoneView {
    return this.#view;
  }

  /** The call has taken the place of another one, and is where that was. */
  get isReplacement(): boolean {
    return this.#isReplacement;
  }

  /** Calls. With a saved call the new one takes its place: the same seat in the same conference. */
  async call(saved?: SavedCall): Promise<void> {
    this.#state({ kind: "connecting" });
    try {
      await this.#agent.connect();
      this.#iceServers = await this.#askForIceServers();
      // Hung up meanwhile.
      if (this.#view.state.kind !== "connecting") return;
      this.#options.media.renew(this.#iceServers);
      const replaces = saved ? new Dialog(saved.self, this.#options.uri, saved.dialog).replaces : null;
      await this.#begin(replaces);
      this.#up(saved?.upSince ?? this.#now());
    } catch (error) {
      // The call that was to be replaced is over by now: this one is a new one.
      if (saved && error instanceof SipFailure && (error.status === 481 || error.status === 603))
        return this.call();
      if (this.#view.state.kind === "ended") return;
      this.#finish({ kind: "failed", why: failureOf(error) });
    }
  }

  hangUp(): void {
    const { kind } = this.#view.state;
    if (kind === "up" || kind === "reconnecting") this.#bye();
    else if (this.#inviting) {
      const { branch, cseq } = this.#inviting;
      this.#agent.send("CANCEL", this.#options.uri, branch, this.#dialog.headers("CANCEL", cseq));
    } else if (kind !== "connecting" && kind !== "ringing") return;
    this.#finish({ kind: "ended", by: "us", text: "" });
  }

  /** The browser says that there is a network again. */
  networkChanged(): void {
    if (this.#view.state.kind === "up") this.#lost();
  }

  #bye(): void {
    const { target } = this.#dialog.state;
    void this.#agent.request("BYE", target, this.#dialog.next("BYE")).answer.catch(() => undefined);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #state(state: PhoneState): void {
    this.#view = { ...this.#view, state };
    this.#options.changed(this.#view);
  }

  #up(since: number): void {
    if (this.#options.media.isConnected) this.#lostAt = null;
    this.#options.save({ dialog: this.#dialog.state, self: this.#self, upSince: since });
    this.#state({ kind: "up", since });
    this.#subscribe();
  }

  /** The first end is the end: what comes while it is told has come too late. */
  #finish(state: PhoneState): void {
    const { kind } = this.#view.state;
    if (kind === "ended" || kind === "failed") return;
    clearTimeout(this.#subscribing);
    this.#inviting = null;
    this.#options.save(null);
    this.#options.media.close();
    this.#view = { ...this.#view, roster: null };
    this.#state(state);
    // What was just written still has to leave.
    setTimeout(() => this.#agent.close(), 1_000);
  }

  get #authorization(): Header[] {
    return this.#options.token ? [["Authorization", `Bearer ${this.#options.token}`]] : [];
  }

  async #askForIceServers(): Promise<RTCIceServer[]> {
    const asking = new Dialog(this.#self, `sip:${this.#options.host}`);
    const { answer } = this.#agent.request("OPTIONS", `sip:${this.#options.host}`, [
      ...asking.next("OPTIONS"),
      ["X-AculabTurnRequest", "1"],
      ["Accept", "application/sdp, application/json"],
    ]);
    const told = await answer;
    if (!header(told, "content-type")?.startsWith("application/json")) return [];
    try {
      const servers: unknown = JSON.parse(told.body);
      return Array.isArray(servers) ? (servers as RTCIceServer[]) : [];
    } catch {
      return [];
    }
  }

  /** A new dialog, in place of another one where `replaces` names it. */
  async #begin(replaces: string | null): Promise<void> {
    this.#dialog = new Dialog(this.#self, this.#options.uri);
    const extra: Header[] = replaces
      ? [
          ["Replaces", replaces],
          ["Supported", "replaces"],
        ]
      : [];
    const offer = await this.#options.media.offer(false);
    try {
      await this.#invite(offer, [...extra, ...this.#authorization], null);
      this.#isReplacement = replaces !== null;
    } catch (error) {
      // The other side has answered, and thinks that this is a call.
      if (error instanceof NoCommonAudio) this.#bye();
      throw error;
    }
  }

  async #invite(sdp: string, extra: Header[], within: number | null): Promise<void> {
    const dialog = this.#dialog;
    const uri = dialog.state.target;
    const headers = dialog.next("INVITE");
    const { cseq } = dialog.state;
    const content: Header[] = [["Allow", ALLOW], ["Content-Type", "application/sdp"], ...extra];
    const { branch, answer } = this.#agent.request("INVITE", uri, [...headers, ...content], {
      body: sdp,
      early: (early) => {
        if (early.status !== 100 && this.#view.state.kind === "connecting") this.#state({ kind: "ringing" });
      },
    });
    this.#inviting = { branch, cseq };
    let final: SipMessage;
    try {
      final = await (within === null ? answer : inTime(answer, within));
    } finally {
      this.#inviting = null;
    }
    const status = final.status ?? 0;
    if (status >= 300) {
      const acked = dialog
        .headers("ACK", cseq)
        .map((one): Header => (one[0] === "To" ? ["To", header(final, "to") ?? one[1]] : one));
      this.#agent.send("ACK", uri, branch, acked);
      throw new SipFailure(status, final.reason);
    }
    dialog.established(final);
    this.#agent.send("ACK", dialog.state.target, `z9hG4bK${branch.slice(7)}a`, dialog.headers("ACK", cseq));
    const hasEnded = () => ["ended", "failed"].includes(this.#view.state.kind);
    let failure: unknown = null;
    if (!hasEnded()) {
      await this.#options.media.answered(final.body).catch((error: unknown) => {
        failure = error;
      });
    }
    // Hung up while the answer was on its way, or while it was being applied.
    if (hasEnded()) {
      this.#bye();
      throw hungUp();
    }
    if (failure) throw new NoCommonAudio();
  }

  /** What carries the audio is gone. Where it never was there is nothing to come back to. */
  #mediaLost(): void {
    const { kind } = this.#view.state;
    if (this.#wasConnected) this.#lost();
    else if (kind === "up" || kind === "reconnecting") {
      this.#bye();
      this.#finish({ kind: "failed", why: { kind: "ice" } });
    }
  }

  /** The network is gone: the connection, or what carries the audio. */
  #lost(): void {
    const { state } = this.#view;
    if (state.kind === "up") {
      clearTimeout(this.#subscribing);
      // A call that comes back without its audio has not come back: the time goes on.
      this.#lostAt ??= this.#now();
      this.#state({ kind: "reconnecting", since: this.#lostAt, upSince: state.since });
      void this.#comeBack();
    }
  }

  async #comeBack(): Promise<void> {
    const pauses = this.#options.pauses ?? PAUSES_MS;
    for (let attempt = 0; ; attempt += 1) {
      const { state } = this.#view;
      if (state.kind !== "reconnecting") return;
      const gone = this.#now() - state.since;
      if (gone > RECONNECT_MS) {
        this.#bye();
        return this.#finish({ kind: "ended", by: "network", text: "" });
      }
      await new Promise((done) => setTimeout(done, pauses[Math.min(attempt, pauses.length - 1)]));
      if (this.#view.state.kind !== "reconnecting") return;
      try {
        await this.#agent.connect();
        if (gone < SAME_DIALOG_MS) await this.#goOn();
        else await this.#takeOver();
        return this.#up(state.upSince);
      } catch (error) {
        if (this.#isOver()) return;
        // The other side knows the call no more, and not the one to replace either.
        if (
          error instanceof SipFailure &&
          error.status >= 400 &&
          error.status !== 408 &&
          error.status < 500
        ) {
          return this.#finish({ kind: "ended", by: "them", text: error.reason });
        }
      }
    }
  }

  #isOver(): boolean {
    return this.#view.state.kind !== "reconnecting";
  }

  /** The same call over the new connection. */
  async #goOn(): Promise<void> {
    try {
      const offer = await this.#options.media.offer(true);
      if (this.#isOver()) throw hungUp();
      await this.#invite(offer, [], REINVITE_ANSWER_MS);
    } catch (error) {
      if (!(error instanceof SipFailure) || error.status !== 481) throw error;
      await this.#takeOver();
    }
  }

  async #takeOver(): Promise<void> {
    if (this.#isOver()) throw hungUp();
    const { replaces } = this.#dialog;
    const before = this.#dialog;
    this.#options.media.renew(this.#iceServers);
    try {
      await this.#begin(replaces);
    } catch (error) {
      this.#dialog = before;
      throw error;
    }
  }

  /**
   * Presses keys, one after another, within the dialog (INFO): they arrive also while the browser holds its audio back. False: there
   * is no call.
   */
  keys(text: string): boolean {
    if (this.#view.state.kind !== "up") return false;
    for (const key of text) this.#keyed = this.#keyed.then(() => this.#key(key));
    return true;
  }

  async #key(key: string): Promise<void> {
    if (this.#view.state.kind !== "up") return;
    const { answer } = this.#agent.request(
      "INFO",
      this.#dialog.state.target,
      [...this.#dialog.next("INFO"), ["Content-Type", "application/dtmf-relay"]],
      { body: `Signal=${key}\r\nDuration=${KEY_MS}\r\n` },
    );
    // A key that is lost with its connection is not pressed again: what it was for may be over by then.
    await answer.catch(() => undefined);
  }

  /** Follows who is in the conference; before that there is none, as while a PIN is asked for. */
  #subscribe(): void {
    clearTimeout(this.#subscribing);
    const { answer } = this.#agent.request("SUBSCRIBE", this.#dialog.state.target, [
      ...this.#dialog.next("SUBSCRIBE"),
      ["Event", "conference"],
      ["Accept", "application/conference-info+xml"],
      ["Expires", String(SUBSCRIPTION_S)],
    ]);
    answer.then(
      (told) => {
        if (this.#view.state.kind !== "up") return;
        const accepted = (told.status ?? 0) < 300;
        const expires = Number(header(told, "expires") ?? SUBSCRIPTION_S);
        this.#subscribeIn(accepted && expires > 0 ? expires * 500 : SUBSCRIBE_AGAIN_MS);
      },
      () => {
        if (this.#view.state.kind === "up") this.#subscribeIn(SUBSCRIBE_AGAIN_MS);
      },
    );
  }

  #subscribeIn(ms: number): void {
    clearTimeout(this.#subscribing);
    this.#subscribing = setTimeout(() => this.#subscribe(), ms);
  }

  async #asked(request: SipMessage): Promise<Answer | null> {
    if (request.method === "ACK") return null;
    if (request.method === "OPTIONS") return { status: 200, reason: "OK", headers: [["Allow", ALLOW]] };
    if (!this.#dialog.owns(request)) return { status: 481, reason: "Call/Transaction Does Not Exist" };
    switch (request.method) {
      case "BYE": {
        const reason = reasonOf(request);
        // The service may notice before the browser does that the audio has never found a way.
        const state: PhoneState =
          reason?.cause === 408 && !this.#wasConnected
            ? { kind: "failed", why: { kind: "ice" } }
            : { kind: "ended", by: "them", text: reason?.text ?? "" };
        setTimeout(() => this.#finish(state));
        return { status: 200, reason: "OK" };
      }
      case "NOTIFY":
        this.#notified(request);
        return { status: 200, reason: "OK" };
      case "INVITE":
      case "UPDATE":
        return this.#offered(request);
      case "INFO":
      case "CANCEL":
        return { status: 200, reason: "OK" };
      default:
        return { status: 405, reason: "Method Not Allowed", headers: [["Allow", ALLOW]] };
    }
  }

  async #offered(request: SipMessage): Promise<Answer> {
    const contact: Header[] = [["Contact", this.#self.contact]];
    const timer = header(request, "session-expires");
    const headers: Header[] = timer
      ? [...contact, ["Require", "timer"], ["Session-Expires", timer]]
      : contact;
    if (!request.body) {
      // A session refresh has no description. An INVITE without one asks for an offer, which this telephone does not make.
      return request.method === "UPDATE"
        ? { status: 200, reason: "OK", headers }
        : { status: 488, reason: "Not Acceptable Here" };
    }
    try {
      return { status: 200, reason: "OK", headers, body: await this.#options.media.accept(request.body) };
    } catch {
      return { status: 488, reason: "Not Acceptable Here" };
    }
  }

  #notified(request: SipMessage): void {
    if (!header(request, "event")?.startsWith("conference")) return;
    const state = header(request, "subscription-state") ?? "";
    const roster = request.body ? readRoster(request.body, this.#view.roster) : this.#view.roster;
    if (roster && roster !== this.#view.roster) {
      this.#view = { ...this.#view, roster };
      this.#options.changed(this.#view);
    }
    // Over, or something was missed: the answer to another request is a whole document.
    if ((roster && !state.startsWith("terminated")) || this.#view.state.kind !== "up") return;
    const wait = Number(parameterOf(state, "retry-after") ?? 0) * 1_000;
    this.#subscribeIn(Math.max(wait, SUBSCRIBE_AGAIN_MS));
  }
}

/** What a call in the making ends with when its own side has hung up. */
const hungUp = () => new SipFailure(487, "hung up");

/** The browser does not take the description that the service has answered with. */
class NoCommonAudio extends Error {}

function failureOf(error: unknown): CallFailure {
  if (error instanceof NoCommonAudio) return { kind: "codecs" };
  if (!(error instanceof SipFailure)) return { kind: "browser" };
  if (error.status === 0) return { kind: "connection" };
  if (error.status === 488) return { kind: "codecs" };
  return { kind: "refused", status: error.status, text: error.reason };
}

function inTime(answer: Promise<SipMessage>, ms: number): Promise<SipMessage> {
  return new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new SipFailure(408, "no answer")), ms);
    answer.then(done, failed).finally(() => clearTimeout(timer));
  });
}
