/** The join page's telephone with its audio, as one thing to watch: devices, mute, and the call. */

import type { Socket } from "../sip/agent";
import {
  type Devices,
  LevelMeter,
  listDevices,
  MicrophoneError,
  type MicrophoneFailure,
  meterShare,
  openMicrophone,
  playSample,
  silentTrack,
} from "../sip/audio";
import { userPart } from "../sip/identity";
import { PeerMedia } from "../sip/media";
import { type PhoneView, type SavedCall, Telephone } from "../sip/telephone";
import { addresses, entryKeys, type Invitation } from "./link";

export interface SessionView extends PhoneView {
  microphone: "closed" | "open" | MicrophoneFailure;
  muted: boolean;
  /** By the other side: the list of participants says so. */
  mutedByLeader: boolean;
  handRaised: boolean;
  devices: Devices;
  microphoneId: string;
  speakerId: string;
  /** Speaks in vain. */
  speaksMuted: boolean;
  /** Of ours in the list of participants. */
  ownId: string | null;
  keysSent: string;
}

/** Louder than this is speech, in dB of full scale. */
const SPEECH_DB = -42;
const SPEECH_READS = 4;
const READ_MS = 100;
const SPEAKS_MUTED_MS = 4_000;
const KEY_EFFECT_MS = 1_500;

const kept = {
  read: (key: string) => {
    try {
      return localStorage.getItem(`plenary.join.${key}`) ?? "";
    } catch {
      return "";
    }
  },
  write: (key: string, value: string) => {
    try {
      localStorage.setItem(`plenary.join.${key}`, value);
    } catch {
      // Without storage the next visit asks again.
    }
  },
};

export { kept };

export class JoinSession {
  readonly #invitation: Invitation;
  readonly #savedUnder: string;
  readonly #listeners = new Set<() => void>();
  readonly player = new Audio();
  #context: AudioContext | null = null;
  #meter: LevelMeter | null = null;
  #microphone: MediaStreamTrack | null = null;
  #sent: MediaStreamTrack | null = null;
  #media: PeerMedia | null = null;
  #phone: Telephone | null = null;
  #user = "";
  #speech = 0;
  #spokeMutedAt = 0;
  #unmutedAt = Number.NEGATIVE_INFINITY;
  #view: SessionView = {
    state: { kind: "idle" },
    roster: null,
    microphone: "closed",
    muted: kept.read("muted") === "1",
    mutedByLeader: false,
    handRaised: false,
    devices: { microphones: [], speakers: [] },
    microphoneId: kept.read("microphone"),
    speakerId: kept.read("speaker"),
    speaksMuted: false,
    ownId: null,
    keysSent: "",
  };

  constructor(invitation: Invitation) {
    this.#invitation = invitation;
    this.#savedUnder = `plenary.call.${invitation.service}`;
    this.player.autoplay = true;
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#listDevices());
    addEventListener("online", () => this.#phone?.networkChanged());
    setInterval(() => this.#listen(), READ_MS);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = (): SessionView => this.#view;

  /** From 0 to 1. */
  readMeter = (): number => meterShare(this.#meter?.read() ?? -100);

  get microphoneDb(): number {
    return this.#meter?.read() ?? -100;
  }

  /** Opens the microphone without a question, where the browser has been asked before. */
  async openIfAllowed(): Promise<void> {
    await this.#listDevices();
    try {
      const permission = await navigator.permissions.query({ name: "microphone" as PermissionName });
      if (permission.state === "granted") await this.openMicrophone();
    } catch {
      // A browser that does not tell is asked when somebody presses the button.
    }
  }

  async openMicrophone(deviceId = this.#view.microphoneId): Promise<void> {
    try {
      const track = await openMicrophone(deviceId || null);
      this.#microphone?.stop();
      this.#microphone = track;
      track.addEventListener(
        "ended",
        () => this.#microphone === track && this.#change({ microphone: "none" }),
      );
      await this.#audio().resume();
      this.#measure().measure(track);
      this.#change({ microphone: "open", microphoneId: deviceId });
      kept.write("microphone", deviceId);
      await this.#listDevices();
      await this.#send(track);
    } catch (error) {
      this.#change({ microphone: error instanceof MicrophoneError ? error.why : "busy" });
    }
  }

  async chooseSpeaker(deviceId: string): Promise<void> {
    this.#change({ speakerId: deviceId });
    kept.write("speaker", deviceId);
    try {
      await this.player.setSinkId?.(deviceId);
    } catch {
      // The loudspeaker has gone meanwhile: the browser's choice stays.
    }
  }

  async playSample(): Promise<void> {
    const context = this.#audio();
    await context.resume();
    await playSample(context, this.player);
  }

  setMuted(muted: boolean): void {
    if (this.#sent) this.#sent.enabled = !muted;
    this.#change({ muted, speaksMuted: false });
  }

  /** A mute of ours, or the leader's: the latter is lifted by key, where there are keys. */
  toggleMute(): void {
    // The list of participants follows a key by up to half a second: until then it is not pressed again.
    if (Date.now() - this.#unmutedAt < KEY_EFFECT_MS) return;
    if (this.#view.mutedByLeader && !this.#view.muted && this.#invitation.hasKeys) {
      if (this.keys("*6")) this.#unmutedAt = Date.now();
    } else this.setMuted(!this.#view.muted);
  }

  toggleHand(): void {
    if (this.keys("*9")) this.#change({ handRaised: !this.#view.handRaised });
  }

  keys(text: string): boolean {
    const sent = this.#media?.keys(text) ?? false;
    if (sent) this.#change({ keysSent: (this.#view.keysSent + text).slice(-24) });
    return sent;
  }

  /** `pin`: keyed in behind the room's number. */
  async join(name: string, options: { listenOnly: boolean; muted: boolean; pin: string }): Promise<void> {
    kept.write("name", name);
    kept.write("muted", options.muted ? "1" : "0");
    await this.#audio().resume();
    if (options.listenOnly) this.#silence();
    else if (!this.#microphone) await this.openMicrophone();
    if (!options.listenOnly && this.#view.microphone !== "open") return;
    this.#user = userPart(name);
    await this.#call(name, options.muted, entryKeys(this.#invitation.room, options.pin));
  }

  /** After a reload: takes the place of the call that this page had. False: it had none. */
  async resume(): Promise<boolean> {
    const saved = this.#readSaved();
    if (!saved) return false;
    await this.#listDevices();
    if (saved.listenOnly) this.#silence();
    else await this.openMicrophone();
    if (!saved.listenOnly && this.#view.microphone !== "open") return false;
    this.#user = saved.call.self.user;
    await this.#call(saved.call.self.name, saved.muted, "", saved.call);
    return true;
  }

  leave(): void {
    this.#phone?.hangUp();
  }

  async #call(name: string, muted: boolean, keys: string, saved?: SavedCall): Promise<void> {
    const track = this.#outgoing();
    track.enabled = !muted;
    this.#change({ muted, keysSent: "" });
    const media = new PeerMedia(track, (stream) => {
      this.player.srcObject = stream;
      void this.player.play().catch(() => undefined);
    });
    this.#media = media;
    // What was keyed in before the reload is keyed in again where the place of that call could not be taken.
    const all = saved?.keys ?? keys;
    let entering = all;
    media.onconnected = () => {
      if (entering && media.keys(entering)) entering = "";
    };
    const { uri, host } = addresses(this.#invitation, location.hostname);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#phone = new Telephone({
      open: () => new WebSocket(`${scheme}//${location.host}/sipproxy`, "sip") as unknown as Socket,
      media,
      uri,
      host,
      name,
      user: this.#user,
      token: this.#invitation.token,
      changed: (view) => this.#phoneChanged(view),
      save: (call) => this.#save(call && { ...call, keys: all }),
      replaced: () => {
        entering = "";
      },
    });
    await this.#phone.call(saved);
  }

  #phoneChanged(view: PhoneView): void {
    const own = view.roster?.users.find((user) => user.user === this.#user) ?? null;
    this.#change({
      state: view.state,
      roster: view.roster,
      ownId: own?.id ?? null,
      mutedByLeader: own?.muted ?? false,
      ...(own && !own.muted ? { handRaised: this.#view.mutedByLeader ? false : this.#view.handRaised } : {}),
    });
  }

  #audio(): AudioContext {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  #measure(): LevelMeter {
    this.#meter ??= new LevelMeter(this.#audio());
    return this.#meter;
  }

  #outgoing(): MediaStreamTrack {
    this.#sent?.stop();
    // A track of its own: what is measured goes on while what is sent is muted.
    this.#sent = this.#microphone ? this.#microphone.clone() : silentTrack(this.#audio());
    return this.#sent;
  }

  async #send(track: MediaStreamTrack): Promise<void> {
    if (!this.#media) return;
    const before = this.#sent;
    this.#sent = track.clone();
    this.#sent.enabled = !this.#view.muted;
    await this.#media.use(this.#sent);
    before?.stop();
  }

  #silence(): void {
    this.#microphone?.stop();
    this.#microphone = null;
    this.#meter?.measure(null);
    if (this.#view.microphone === "open") this.#change({ microphone: "closed" });
  }

  async #listDevices(): Promise<void> {
    try {
      this.#change({ devices: await listDevices() });
      if (this.#view.speakerId) await this.player.setSinkId?.(this.#view.speakerId);
    } catch {
      // A loudspeaker of an earlier visit that is not there any more.
    }
  }

  /** Notices when somebody speaks who is not heard. */
  #listen(): void {
    const { state, muted, mutedByLeader, microphone, speaksMuted } = this.#view;
    const inVain = state.kind === "up" && microphone === "open" && (muted || mutedByLeader);
    this.#speech = inVain && this.microphoneDb > SPEECH_DB ? this.#speech + 1 : Math.max(0, this.#speech - 1);
    if (this.#speech >= SPEECH_READS) {
      this.#speech = SPEECH_READS;
      this.#spokeMutedAt = Date.now();
      if (!speaksMuted) this.#change({ speaksMuted: true });
    } else if (speaksMuted && (!inVain || Date.now() - this.#spokeMutedAt > SPEAKS_MUTED_MS)) {
      this.#change({ speaksMuted: false });
    }
  }

  #save(call: SavedCall | null): void {
    try {
      if (call) {
        const saved = { call, muted: this.#view.muted, listenOnly: this.#microphone === null };
        sessionStorage.setItem(this.#savedUnder, JSON.stringify(saved));
      } else sessionStorage.removeItem(this.#savedUnder);
    } catch {
      // Without storage a reload is a new call.
    }
  }

  #readSaved(): { call: SavedCall; muted: boolean; listenOnly: boolean } | null {
    try {
      const text = sessionStorage.getItem(this.#savedUnder);
      return text ? JSON.parse(text) : null;
    } catch {
      return null;
    }
  }

  #change(change: Partial<SessionView>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }
}
