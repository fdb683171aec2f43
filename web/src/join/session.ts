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
import { shownName, userPart } from "../sip/identity";
import { PeerMedia } from "../sip/media";
import { randomText } from "../sip/message";
import { type PhoneView, RECONNECT_MS, type SavedCall, Telephone } from "../sip/telephone";
import { hold } from "./hold";
import { addresses, entryKeys, type Invitation } from "./link";

export interface SessionView extends PhoneView {
  microphone: "closed" | "open" | MicrophoneFailure;
  muted: boolean;
  /** In the conference: the list of participants says so. */
  mutedByLeader: boolean;
  /** The list of participants says so. */
  handRaised: boolean;
  devices: Devices;
  microphoneId: string;
  speakerId: string;
  /** Speaks in vain. */
  speaksMuted: boolean;
  /** The browser plays nothing, and sends no silence either, until a button is pressed. */
  soundHeld: boolean;
  /** One's own name, as the others see it. */
  ownName: string;
  keysSent: string;
  /** The keys of the link lead into the room: nothing has to be keyed in. */
  isLetIn: boolean;
}

/** What is kept over a reload, in this tab. Browsers keep it longer: in a copy of the tab, and in one that is opened again. */
interface Saved {
  call: SavedCall;
  /** When it was up last. */
  at: number;
  /** Held by the page in which it is up. */
  holder: string;
  muted: boolean;
  listenOnly: boolean;
  keys: string;
}

/** Louder than this is speech, in dB of full scale. */
const SPEECH_DB = -42;
const SPEECH_READS = 4;
const READ_MS = 100;
const SPEAKS_MUTED_MS = 4_000;
const KEY_EFFECT_MS = 1_500;
const SOUND_MS = 500;
/** So often what is saved is said to be up still. */
const STORE_MS = 5_000;
/** By then the list of participants is there, if a call has taken the place of another one. */
const PLACE_TAKEN_MS = 4_000;

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
  #saved: SavedCall | null = null;
  /** Of the call that is up here; the other one says to other pages that it is. */
  #holder = "";
  #release: (() => void) | null = null;
  /** Those that lead from the entry into the room. */
  #keys = "";
  #speech = 0;
  #spokeMutedAt = 0;
  #unmutedAt = Number.NEGATIVE_INFINITY;
  #handAt = Number.NEGATIVE_INFINITY;
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
    soundHeld: false,
    ownName: kept.read("name"),
    keysSent: "",
    isLetIn: false,
  };

  constructor(invitation: Invitation) {
    this.#invitation = invitation;
    this.#savedUnder = `plenary.call.${location.pathname}${location.hash}`;
    this.player.autoplay = true;
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#listDevices());
    addEventListener("online", () => this.#phone?.networkChanged());
    addEventListener("pagehide", () => this.#store());
    setInterval(() => this.#listen(), READ_MS);
    setInterval(() => this.#store(), STORE_MS);
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
      // A browser that does not tell is asked when the button is pressed.
    }
  }

  async openMicrophone(deviceId = this.#view.microphoneId): Promise<void> {
    try {
      const track = await openMicrophone(deviceId || null);
      this.#microphone?.stop();
      this.#microphone = track;
      track.addEventListener("ended", () => {
        if (this.#microphone === track) void this.#loseMicrophone("none");
      });
      await this.#audio().resume();
      this.#measure().measure(track);
      this.#change({ microphone: "open", microphoneId: deviceId });
      kept.write("microphone", deviceId);
      await this.#listDevices();
      await this.#send(track);
    } catch (error) {
      await this.#loseMicrophone(error instanceof MicrophoneError ? error.why : "busy");
    }
  }

  /** What the page says is so: without a microphone nothing is heard of it. */
  async #loseMicrophone(why: MicrophoneFailure): Promise<void> {
    this.#silence();
    this.#change({ microphone: why });
    if (this.#media) await this.#send(silentTrack(this.#audio()));
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

  /** Plays what is held back: a browser allows it when a button is pressed. What plays already is not asked for again. */
  async #play(): Promise<void> {
    const context = this.#audio();
    if (context.state !== "running") {
      const wait = new Promise((done) => setTimeout(done, SOUND_MS));
      await Promise.race([context.resume(), wait]);
    }
    let soundHeld = context.state === "suspended";
    try {
      if (this.player.srcObject && this.player.paused) await this.player.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") soundHeld = true;
    }
    this.#change({ soundHeld });
  }

  turnSoundOn(): void {
    void this.#play();
  }

  async playSample(): Promise<void> {
    const context = this.#audio();
    await context.resume();
    await playSample(context, this.player);
  }

  setMuted(muted: boolean): void {
    if (this.#sent) this.#sent.enabled = !muted;
    this.#change({ muted, speaksMuted: false });
    this.#store();
  }

  /** A mute of ours, or the leader's: the latter is lifted by key, where there are keys. */
  toggleMute(): void {
    // The list of participants follows a key by up to half a second: until then it is not pressed again.
    if (Date.now() - this.#unmutedAt < KEY_EFFECT_MS) return;
    if (this.#view.mutedByLeader && !this.#view.muted && this.#invitation.hasKeys) {
      if (this.#phone?.keys("*6")) this.#unmutedAt = Date.now();
    } else this.setMuted(!this.#view.muted);
  }

  toggleHand(): void {
    if (Date.now() - this.#handAt < KEY_EFFECT_MS) return;
    if (this.#phone?.keys("*9")) this.#handAt = Date.now();
  }

  /** What is keyed in: the keypad shows it. Keys that buttons stand for are not among it. */
  keys(text: string): boolean {
    const sent = this.#phone?.keys(text) ?? false;
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
    const self = { name, user: userPart(name) };
    await this.#hold(randomText());
    await this.#call(self, options.muted, entryKeys(this.#invitation.room, options.pin));
  }

  /**
   * After a reload: takes the place of the call that this page had. False: it had none, or it is over, or it is up in the page that this
   * one is a copy of.
   */
  async resume(): Promise<boolean> {
    const saved = this.#readSaved();
    if (!saved) return false;
    const isYoung = Math.abs(Date.now() - saved.at) < RECONNECT_MS;
    if (!isYoung || !(await this.#hold(saved.holder))) {
      this.#forget();
      return false;
    }
    await this.#listDevices();
    if (!saved.listenOnly) await this.openMicrophone();
    // Without a microphone the seat is kept all the same.
    if (this.#view.microphone !== "open") this.#silence();
    await this.#call(saved.call.self, saved.muted, saved.keys, saved.call);
    return true;
  }

  leave(): void {
    this.#phone?.hangUp();
  }

  async #call(
    { name, user }: { name: string; user: string },
    muted: boolean,
    keys: string,
    saved?: SavedCall,
  ): Promise<void> {
    const track = this.#outgoing();
    track.enabled = !muted;
    // A room and a PIN, or the PIN of the only room.
    const isLetIn = keys.split("#").length > (this.#invitation.room ? 2 : 1);
    this.#change({ muted, ownName: name, keysSent: "", isLetIn });
    const media = new PeerMedia(track, (stream) => {
      this.player.srcObject = stream;
      void this.#play();
    });
    this.#media = media;
    // What is silent is made by the browser's audio too: after a reload it waits for a press, where no microphone is open.
    void this.#play();
    this.#keys = keys;
    let entering = keys;
    const enter = () => {
      // Those whose list of participants has come are in the room.
      if (!entering || this.#media !== media || this.#view.roster) return;
      if (this.#phone?.keys(entering)) entering = "";
    };
    media.onheard = () => {
      // A call in the place of one that was just ending is a new call, which has to be let in.
      if (this.#phone?.isReplacement) setTimeout(enter, PLACE_TAKEN_MS);
      else enter();
    };
    const { uri, host } = addresses(this.#invitation, location.hostname);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#phone = new Telephone({
      open: () => new WebSocket(`${scheme}//${location.host}/sipproxy`, "sip") as unknown as Socket,
      media,
      uri,
      host,
      name,
      user,
      token: this.#invitation.token,
      changed: (view) => this.#phoneChanged(view),
      save: (call) => this.#save(call),
    });
    await this.#phone.call(saved);
  }

  #phoneChanged(view: PhoneView): void {
    const own = view.roster?.users.find((user) => user.id === view.roster?.ownId);
    const handRaised = own?.handRaised ?? false;
    const mutedByLeader = own?.muted ?? false;
    // What was pressed has had its effect: it may be pressed again.
    if (handRaised !== this.#view.handRaised) this.#handAt = Number.NEGATIVE_INFINITY;
    if (mutedByLeader !== this.#view.mutedByLeader) this.#unmutedAt = Number.NEGATIVE_INFINITY;
    this.#change({
      state: view.state,
      roster: view.roster,
      handRaised,
      mutedByLeader,
      ...(own ? { ownName: shownName(own.name) } : {}),
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
    this.#store();
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

  /** Notices when the caller speaks and is not heard. */
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
    this.#saved = call;
    if (call) this.#store();
    else this.#forget();
  }

  async #hold(holder: string): Promise<boolean> {
    this.#release?.();
    this.#holder = holder;
    this.#release = await hold(`plenary.call.${holder}`);
    return this.#release !== null;
  }

  #forget(): void {
    this.#release?.();
    this.#release = null;
    try {
      sessionStorage.removeItem(this.#savedUnder);
    } catch {
      // Without storage nothing was kept.
    }
  }

  /** Keeps the call as it is now: what comes after a reload is to be as silent as what was before. */
  #store(): void {
    if (!this.#saved) return;
    const saved: Saved = {
      call: this.#saved,
      at: Date.now(),
      holder: this.#holder,
      muted: this.#view.muted,
      listenOnly: this.#microphone === null,
      keys: this.#keys,
    };
    try {
      sessionStorage.setItem(this.#savedUnder, JSON.stringify(saved));
    } catch {
      // Without storage a reload is a new call.
    }
  }

  #readSaved(): Saved | null {
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
