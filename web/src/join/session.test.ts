import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Bridge, type FakeMedia } from "../sip/fakes";
import { header, type SipMessage } from "../sip/message";
import type { Invitation } from "./link";
import { JoinSession } from "./session";

const devices = vi.hoisted(() => ({
  /** What the browser says instead of giving a microphone. */
  refuses: null as string | null,
  db: -100,
  /** Until a button is pressed. */
  holdsSound: false,
  media: [] as unknown[],
  /** How often the browser was asked to let sound be played, and to play. */
  resumed: 0,
  played: 0,
}));

vi.mock("../sip/audio", async (original) => {
  const audio = await original<typeof import("../sip/audio")>();
  return {
    ...audio,
    LevelMeter: class {
      measure = () => undefined;
      read = () => devices.db;
    },
    listDevices: async () => ({ microphones: [], speakers: [] }),
    openMicrophone: async () => {
      if (devices.refuses) throw new audio.MicrophoneError(devices.refuses as "refused");
      return new Track("microphone");
    },
    silentTrack: () => new Track("silence"),
  };
});

vi.mock("../sip/media", async () => {
  const { FakeMedia } = await import("../sip/fakes");
  return {
    PeerMedia: class extends FakeMedia {
      track: Track;
      readonly heard: (stream: unknown) => void;
      constructor(track: Track, heard: (stream: unknown) => void) {
        super();
        this.track = track;
        this.heard = heard;
        devices.media.push(this);
      }
      use = async (track: Track) => {
        this.track = track;
      };
    },
  };
});

class Track extends EventTarget {
  readonly kind: string;
  enabled = true;
  constructor(kind: string) {
    super();
    this.kind = kind;
  }
  clone = () => new Track(this.kind);
  stop = () => undefined;
}

class Store {
  readonly #kept = new Map<string, string>();
  getItem = (key: string) => this.#kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.#kept.set(key, value);
  removeItem = (key: string) => void this.#kept.delete(key);
}

const invitation: Invitation = {
  service: "meet",
  token: "T",
  key: null,
  cloud: null,
  room: "1001",
  pin: "4711",
  number: null,
  phoneRoom: null,
  asksPhonePin: false,
  title: null,
  startsAt: null,
  endsAt: null,
  hasKeys: true,
};

const address = { hostname: "bridge", host: "bridge", protocol: "https:" };

let bridge: Bridge;
let pagehide: (() => void)[];

/** Locks of the browser (Web Locks), all of one page. */
class Locks {
  readonly #held = new Map<string, Promise<unknown>>();
  request = async (name: string, { signal }: { signal: AbortSignal }, whileHeld: () => Promise<void>) => {
    const aborted = new Promise((_, refuse) =>
      signal.addEventListener("abort", () => refuse(new DOMException("given up", "AbortError"))),
    );
    while (this.#held.has(name)) await Promise.race([this.#held.get(name), aborted]);
    const held = whileHeld().then(() => this.#held.delete(name));
    this.#held.set(name, held);
    await held;
  };
  /** The page is gone. */
  letGo = () => this.#held.clear();
}

beforeEach(() => {
  vi.useFakeTimers();
  bridge = new Bridge();
  Object.assign(devices, { refuses: null, db: -100, holdsSound: false, media: [], resumed: 0, played: 0 });
  vi.stubGlobal("localStorage", new Store());
  vi.stubGlobal("sessionStorage", new Store());
  vi.stubGlobal("location", { ...address, pathname: "/join/meet", hash: "#room=1001" });
  vi.stubGlobal("navigator", { languages: ["en"] });
  pagehide = [];
  vi.stubGlobal("addEventListener", (type: string, listener: () => void) => {
    if (type === "pagehide") pagehide.push(listener);
  });
  vi.stubGlobal(
    "Audio",
    class {
      srcObject = null;
      paused = true;
      play = async () => {
        devices.played += 1;
        this.paused = false;
      };
    },
  );
  vi.stubGlobal(
    "AudioContext",
    class {
      state = devices.holdsSound ? "suspended" : "running";
      resume = async () => {
        devices.resumed += 1;
        if (devices.holdsSound) return new Promise(() => undefined);
        this.state = "running";
      };
    },
  );
  vi.stubGlobal("WebSocket", function opened() {
    return bridge.open();
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const media = () => devices.media.at(-1) as FakeMedia & { track: Track; heard: (stream: unknown) => void };

async function isUp(session: JoinSession): Promise<JoinSession> {
  await vi.waitFor(() => expect(session.snapshot().state.kind).toBe("up"));
  return session;
}

async function joined(options: { listenOnly?: boolean; muted?: boolean } = {}): Promise<JoinSession> {
  const session = new JoinSession(invitation);
  void session.join("Ann", { listenOnly: false, muted: false, pin: "4711", ...options });
  return isUp(session);
}

async function reloaded(): Promise<JoinSession> {
  const session = new JoinSession(invitation);
  expect(await session.resume()).toBe(true);
  return isUp(session);
}

const roster = (version: number, audio: "sendrecv" | "recvonly", more = "", name = "Ann") =>
  `<conference-info xmlns:p="urn:plenary:conference-info" state="full" version="${version}"><users><user entity="sip:7.1@anonymous.invalid"><display-text>${name}</display-text><endpoint entity="7.1"><status>connected</status><media><status>${audio}</status></media></endpoint>${more}</user></users><p:self>7.1</p:self></conference-info>`;
const HAND = "<p:hand>true</p:hand>";

describe("who has joined", () => {
  test("keys the room and the PIN in when the service is heard, once", async () => {
    await joined();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bridge.keyed).toBe("");
    media().connect();
    media().connect();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bridge.keyed).toBe("1001#4711#");
  });

  test("comes back into the room after a reload: by its old place, or by the keys where that is gone", async () => {
    await joined();
    await reloaded();
    media().connect();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(bridge.keyed).toBe("");
    bridge.answers.INVITE = (request) => (header(request, "replaces") ? "481 Gone" : "200 OK");
    await reloaded();
    media().connect();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(bridge.keyed).toBe("1001#4711#");
  });

  test("keys them in also where the old place was just going while the new call came, and not in the room", async () => {
    await joined();
    await reloaded();
    media().connect();
    bridge.notify(roster(1, "sendrecv"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bridge.keyed).toBe("");
    await reloaded();
    media().connect();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bridge.keyed).toBe("1001#4711#");
  });

  test("and mutes, is muted after a reload; and heard again after one if unmuted before it", async () => {
    const session = await joined();
    expect(media().track.enabled).toBe(true);
    session.toggleMute();
    expect(media().track.enabled).toBe(false);
    const after = await reloaded();
    expect([media().track.enabled, after.snapshot().muted]).toEqual([false, true]);
    after.toggleMute();
    expect(media().track.enabled).toBe(true);
    expect((await reloaded()).snapshot().muted).toBe(false);
  });

  test("takes the seat of the call before the reload, also without a microphone, and then only listens", async () => {
    await joined({ muted: true });
    devices.refuses = "refused";
    const session = await reloaded();
    const [first, second] = bridge.of("INVITE") as [SipMessage, SipMessage];
    expect(header(second, "replaces")).toContain(header(first, "call-id"));
    expect(media().track.kind).toBe("silence");
    expect(session.snapshot()).toMatchObject({ microphone: "refused", muted: true });
    // The next reload asks for no microphone, until one was opened.
    devices.refuses = null;
    await reloaded();
    expect(media().track.kind).toBe("silence");
    const listener = await reloaded();
    await listener.openMicrophone();
    await reloaded();
    expect([media().track.kind, media().track.enabled]).toEqual(["microphone", false]);
  });

  test("whose microphone goes, or cannot be changed, is silent as the page says", async () => {
    const session = await joined();
    devices.refuses = "busy";
    await session.openMicrophone("other");
    expect(session.snapshot().microphone).toBe("busy");
    expect(media().track.kind).toBe("silence");
  });

  test("has a hand that is up as the list of participants says, also where others move it", async () => {
    const session = await joined();
    session.toggleHand();
    session.toggleHand();
    await vi.waitFor(() => expect(bridge.keyed).toBe("*9"));
    expect(session.snapshot().keysSent).toBe("");
    expect(session.snapshot().handRaised).toBe(false);
    bridge.notify(roster(1, "sendrecv", HAND));
    expect(session.snapshot().handRaised).toBe(true);
    // A leader lowers it; the next press raises it again.
    bridge.notify(roster(2, "sendrecv"));
    expect(session.snapshot().handRaised).toBe(false);
    session.toggleHand();
    await vi.waitFor(() => expect(bridge.keyed).toBe("*9*9"));
    bridge.notify(roster(3, "sendrecv", HAND));
    const after = await reloaded();
    bridge.notify(roster(1, "sendrecv", HAND));
    expect(after.snapshot().handRaised).toBe(true);
  });

  test("is unmuted by key where the conference has muted it, and by itself where it has muted itself", async () => {
    const session = await joined();
    bridge.notify(roster(1, "recvonly"));
    expect(session.snapshot().mutedByLeader).toBe(true);
    session.toggleMute();
    session.toggleMute();
    await vi.waitFor(() => expect(bridge.keyed).toBe("*6"));
    bridge.notify(roster(2, "sendrecv"));
    session.toggleMute();
    expect(session.snapshot()).toMatchObject({ muted: true, mutedByLeader: false });
  });

  test("is called as a leader has renamed it", async () => {
    const session = await joined();
    expect(session.snapshot().ownName).toBe("Ann");
    bridge.notify(roster(1, "sendrecv", "", "Dr. Ann Lee"));
    expect(session.snapshot().ownName).toBe("Dr. Ann Lee");
  });

  test("speaks in vain while muted, and is told so until it stops", async () => {
    const session = await joined({ muted: true });
    devices.db = -20;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(session.snapshot().speaksMuted).toBe(true);
    devices.db = -70;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(session.snapshot().speaksMuted).toBe(false);
    devices.db = -20;
    await vi.advanceTimersByTimeAsync(1_000);
    session.toggleMute();
    expect(session.snapshot().speaksMuted).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(session.snapshot().speaksMuted).toBe(false);
  });

  test("is told that the browser holds the sound back after a reload, until a button is pressed", async () => {
    await joined();
    Object.assign(devices, { refuses: "refused", holdsSound: true });
    const session = await reloaded();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(session.snapshot().soundHeld).toBe(true);
    devices.holdsSound = false;
    session.turnSoundOn();
    await vi.waitFor(() => expect(session.snapshot().soundHeld).toBe(false));
  });

  test("asks the browser to play once, where it may", async () => {
    const session = await joined({ listenOnly: true });
    media().heard("stream");
    await vi.advanceTimersByTimeAsync(1_000);
    expect([devices.resumed, devices.played]).toEqual([1, 1]);
    expect(session.snapshot().soundHeld).toBe(false);
  });

  test("keeps nothing once it has left", async () => {
    const session = await joined();
    session.leave();
    session.toggleMute();
    expect(await new JoinSession(invitation).resume()).toBe(false);
  });
});

describe("a call that is kept", () => {
  const RECONNECT_MS = 90_000;
  const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

  test("is not taken up again where a browser brings its page back later, and is forgotten then", async () => {
    await joined();
    later(RECONNECT_MS);
    expect(await new JoinSession(invitation).resume()).toBe(false);
    expect(bridge.of("INVITE")).toHaveLength(1);
    later(-RECONNECT_MS);
    expect(await new JoinSession(invitation).resume()).toBe(false);
  });

  test("is as old as the end of its page", async () => {
    await joined();
    await vi.advanceTimersByTimeAsync(2 * RECONNECT_MS);
    later(RECONNECT_MS - 10_000);
    await reloaded();
    // A page whose timers rest says it as it ends.
    later(RECONNECT_MS);
    for (const listener of pagehide) listener();
    later(RECONNECT_MS - 1_000);
    await reloaded();
  });

  test("is that of its link: another one in the same tab has none", async () => {
    await joined();
    vi.stubGlobal("location", { ...address, pathname: "/join/meet", hash: "#room=1002" });
    expect(await new JoinSession(invitation).resume()).toBe(false);
    vi.stubGlobal("location", { ...address, pathname: "/join/meet", hash: "#room=1001" });
    await reloaded();
  });

  test("stays where it is when its tab is copied, and goes on after a reload", async () => {
    const locks = new Locks();
    vi.stubGlobal("navigator", { languages: ["en"], locks });
    await joined();
    const tab = sessionStorage.getItem("plenary.call./join/meet#room=1001") ?? "";
    const resumed = new JoinSession(invitation).resume();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await resumed).toBe(false);
    expect(bridge.of("INVITE")).toHaveLength(1);
    // The copy can have a call of its own.
    const copy = await joined();
    expect(bridge.of("INVITE")).toHaveLength(2);
    copy.leave();
    sessionStorage.setItem("plenary.call./join/meet#room=1001", tab);
    locks.letGo();
    await reloaded();
    expect(header(bridge.of("INVITE").at(-1) as SipMessage, "replaces")).toContain(
      header(bridge.of("INVITE")[0] as SipMessage, "call-id"),
    );
  });

  test("is up nowhere any more once it is over", async () => {
    const locks = new Locks();
    vi.stubGlobal("navigator", { languages: ["en"], locks });
    const session = await joined();
    const tab = sessionStorage.getItem("plenary.call./join/meet#room=1001") ?? "";
    session.leave();
    sessionStorage.setItem("plenary.call./join/meet#room=1001", tab);
    await reloaded();
  });
});

describe("without a microphone", () => {
  test.each(["refused", "none", "busy", "insecure"])("the page says why: %s", async (why) => {
    devices.refuses = why;
    const session = new JoinSession(invitation);
    await session.join("Ann", { listenOnly: false, muted: false, pin: "" });
    expect(session.snapshot()).toMatchObject({ microphone: why, state: { kind: "idle" } });
    await session.join("Ann", { listenOnly: true, muted: false, pin: "" });
    expect(session.snapshot().state.kind).toBe("up");
    expect(media().track.kind).toBe("silence");
  });
});
