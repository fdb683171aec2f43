import { describe, expect, test } from "vitest";
import type { LiveEvent } from "../../feed/connection";
import { areSame, cureOf, findings, HintTracker, linesOf, lowestMos, newHints, qualityOf } from "./hints";
import {
  applyEvent,
  changesConference,
  matchesFilter,
  nameOf,
  numberOf,
  type Participant,
  sectionsOf,
  withCalled,
} from "./state";
import { newsOf } from "./useNews";

const AT = "2030-06-20T15:16:02Z";

const event = (
  type: string,
  id: string,
  data: Record<string, unknown> = {},
  more: Partial<LiveEvent> = {},
): LiveEvent => ({
  type,
  participant_id: id,
  conference: "Board",
  at: AT,
  data,
  ...more,
});

const replay = (...events: LiveEvent[]) =>
  events.reduce((list, one) => applyEvent(list, one, "Board"), [] as Participant[]);

const entered = (id: string, name: string) =>
  event("participant.entered", id, {
    display_name: name,
    from: "1001",
    to: "conf-Board",
    direction: "in",
    leader: false,
    muted_by: null,
  });

describe("a room", () => {
  test("follows a caller from the lobby to the end", () => {
    let list = replay(
      event("participant.waiting", "1", { display_name: "Ann", from: "1001", to: "x", direction: "in" }),
    );
    expect(sectionsOf(list).waiting.map(nameOf)).toEqual(["Ann"]);
    list = applyEvent(list, entered("1", "Ann"), "Board");
    expect(sectionsOf(list)).toMatchObject({ waiting: [], in: [{ state: "in", entered_at: AT }] });
    list = applyEvent(list, event("participant.muted", "1", { by: "leader" }), "Board");
    expect(list[0]).toMatchObject({ muted: true, muted_by: "leader" });
    list = applyEvent(list, event("participant.unmuted", "1"), "Board");
    expect(list[0]).toMatchObject({ muted: false, muted_by: null });
    expect(applyEvent(list, event("participant.left", "1"), "Board")).toEqual([]);
  });

  test("is the same when events are applied twice", () => {
    const events = [
      entered("1", "Ann"),
      event("participant.hand_raised", "1"),
      event("participant.held", "1"),
    ];
    expect(replay(...events, ...events.slice(1))).toEqual(replay(...events));
  });

  test("shows who is being called, and why a called person did not come", () => {
    const calling = event("participant.calling", "2", {
      display_name: null,
      from: "x",
      to: "tel:+441632",
      direction: "out",
    });
    let list = replay(calling);
    expect(sectionsOf(list).called[0]).toMatchObject({ state: "calling" });
    expect(nameOf(list[0] as Participant)).toBe("+441632");
    list = applyEvent(list, event("participant.ringing", "2"), "Board");
    expect(list[0]?.state).toBe("ringing");
    list = applyEvent(list, event("call.failed", "2", { status: 486 }, { reason: "busy" }), "Board");
    expect(list[0]).toMatchObject({ state: "failed", reason: "busy", status: 486 });
  });

  test("still shows who did not come when all is read anew, as long as nobody calls again", () => {
    const failed = (id: string) => ({ ...replay(entered(id, id))[0], state: "failed" }) as Participant;
    const [ann] = replay(entered("1", "Ann")) as [Participant];
    const ringing = { ...failed("4"), state: "ringing" } as Participant;
    const none = new Set<string>();
    const before = [failed("2"), { ...ann, participant_id: "3" }, ringing];
    expect(withCalled([ann], before, none)).toEqual([ann, failed("2"), ringing]);
    expect(withCalled([ann], before, new Set(["2", "4"]))).toEqual([ann, failed("2")]);
    expect(withCalled([ann], [failed("1")], none)).toEqual([ann]);
  });

  test("has hands in the order in which they were raised", () => {
    const list = replay(
      entered("1", "Ann"),
      entered("2", "Ben"),
      event("participant.hand_raised", "2", {}, { at: "2030-06-20T15:17:00Z" }),
      event("participant.hand_raised", "1", {}, { at: "2030-06-20T15:18:00Z" }),
    );
    expect(sectionsOf(list).hands.map(nameOf)).toEqual(["Ben", "Ann"]);
  });

  test("takes and gives those who move", () => {
    const moved = event("participant.moved", "1", {
      from_conference: "Annex",
      display_name: "Ann",
      from: "1",
      to: "2",
      direction: "in",
    });
    expect(replay(moved)).toHaveLength(1);
    expect(replay(entered("1", "Ann"), { ...moved, conference: "Annex" })).toEqual([]);
  });

  test("takes no notice of other conferences", () => {
    expect(replay({ ...entered("1", "Ann"), conference: "Annex" })).toEqual([]);
    expect(changesConference({ type: "conference.locked", conference: "Annex", data: {} }, "Board")).toBe(
      false,
    );
    expect(changesConference({ type: "recording.started", conference: "Board", data: {} }, "Board")).toBe(
      true,
    );
  });

  test("lists who is on hold until a leader brings them back, not whose telephone holds the call", () => {
    const held = (id: string, actor: LiveEvent["actor"]) =>
      event("participant.held", id, {}, { actor: actor as NonNullable<LiveEvent["actor"]> });
    const list = replay(
      entered("1", "Ann"),
      entered("2", "Ben"),
      held("1", { kind: "person", id: "7" }),
      held("2", { kind: "participant", id: "2" }),
    );
    expect(sectionsOf(list).held.map(nameOf)).toEqual(["Ann"]);
    expect(sectionsOf(list).in.map((one) => one.state)).toEqual(["held", "held"]);
    const back = applyEvent(list, event("participant.resumed", "1"), "Board");
    expect(sectionsOf(back)).toMatchObject({ held: [], in: [{ state: "in", held_by: null }, {}] });
  });

  test("keeps those who wait for the start out of the lobby", () => {
    const list = replay(entered("1", "Ann")).map((one): Participant => ({ ...one, state: "waiting" }));
    expect(sectionsOf(list)).toMatchObject({ waiting: [], in: [{}] });
  });

  test("is filtered by name and number", () => {
    const [ann] = replay(entered("1", "Ann")) as [Participant];
    expect([
      matchesFilter(ann, "an"),
      matchesFilter(ann, "1001"),
      matchesFilter(ann, "ben"),
      matchesFilter(ann, " "),
    ]).toEqual([true, true, false, true]);
  });
});

describe("hints", () => {
  const line = (statistics: Record<string, unknown>, more: Partial<Participant> = {}): Participant => ({
    ...(replay(entered("1", "Ann"))[0] as Participant),
    statistics: statistics as Participant["statistics"],
    ...more,
  });

  test("come from what the statistics say", () => {
    expect(findings({ noise_floor_dbov: -40 })).toEqual(["noise"]);
    expect(findings({ echo_suspicion: 0.7 })).toEqual(["echo"]);
    expect(findings({ one_way: "none_delivered" })).toEqual(["deaf"]);
    expect(findings({ one_way: "none_received" })).toEqual(["unheard"]);
    expect(findings({ mos: 2.5 })).toEqual(["poor"]);
    expect(findings({ mos: 0, noise_floor_dbov: -60, echo_suspicion: 0.2 })).toEqual([]);
  });

  test("wait ten seconds, and go with their reason", () => {
    const tracker = new HintTracker();
    const noisy = [line({ noise_floor_dbov: -40 })];
    expect(tracker.update(noisy, 0).size).toBe(0);
    expect(tracker.update(noisy, 9_000).size).toBe(0);
    expect(tracker.update(noisy, 10_000).get("1")).toEqual(["noise"]);
    expect(tracker.update([line({ noise_floor_dbov: -60 })], 12_000).size).toBe(0);
    expect(tracker.update(noisy, 13_000).size).toBe(0);
  });

  test("do not name the noise of those who are muted", () => {
    const tracker = new HintTracker();
    tracker.update([line({ noise_floor_dbov: -40 }, { muted: true })], 0);
    expect(tracker.update([line({ noise_floor_dbov: -40 }, { muted: true })], 20_000).size).toBe(0);
  });

  test("do not name noise that is suppressed", () => {
    const tracker = new HintTracker();
    const sound = { automatic_gain: false, noise_suppression: true };
    const suppressed = [line({ noise_floor_dbov: -40, echo_suspicion: 0.9 }, { sound })];
    tracker.update(suppressed, 0);
    expect(tracker.update(suppressed, 10_000).get("1")).toEqual(["echo"]);
  });

  test("have a cure that a click brings, or one that has to be said to the participant", () => {
    const telephone = line({}, { from: "+441632960000", admitted_by: "network" });
    const browser = line({}, { from: "Ann+k3v9q", admitted_by: "token" });
    const withheld = line({}, { from: "anonymous", admitted_by: "network" });
    expect(cureOf("noise", browser)).toEqual({ remedies: ["suppress", "mute"], advice: null });
    expect(cureOf("echo", telephone)).toEqual({ remedies: ["mute"], advice: "headset" });
    for (const hint of ["poor", "deaf", "unheard"] as const) {
      expect(cureOf(hint, telephone)).toEqual({ remedies: ["call_back"], advice: null });
      expect(cureOf(hint, withheld)).toEqual({ remedies: [], advice: "again" });
    }
    expect(cureOf("poor", browser)).toEqual({ remedies: [], advice: "network" });
    expect(cureOf("deaf", browser)).toEqual({ remedies: [], advice: "reload" });
  });

  test("are listed as lines, each with all that helps, once", () => {
    const ann = line({}, { from: "1001", admitted_by: "network" });
    const ben = line({}, { participant_id: "2" });
    const hints = new Map([["1", ["deaf" as const, "noise" as const, "echo" as const]]]);
    expect(linesOf([ann, ben], hints)).toEqual([
      {
        participant: ann,
        hints: ["deaf", "noise", "echo"],
        remedies: ["call_back", "suppress", "mute"],
        advice: ["headset"],
      },
    ]);
  });

  test("are told when they are new", () => {
    const before = new Map([["1", ["noise" as const]]]);
    const now = new Map([
      ["1", ["noise" as const, "echo" as const]],
      ["2", ["poor" as const]],
    ]);
    expect(newHints(before, now)).toEqual([
      { id: "1", hint: "echo" },
      { id: "2", hint: "poor" },
    ]);
    expect(newHints(now, before)).toEqual([]);
  });

  test("are drawn again when they are others", () => {
    const some = new Map([["1", ["noise" as const]]]);
    expect(areSame(some, new Map([["1", ["noise" as const]]]))).toBe(true);
    expect(areSame(some, new Map([["1", ["echo" as const]]]))).toBe(false);
    expect(areSame(some, new Map([["2", ["noise" as const]]]))).toBe(false);
    expect(areSame(some, new Map())).toBe(false);
  });

  test("rate a line by its mean opinion score", () => {
    expect([0, 2, 3.3, 4.2].map(qualityOf)).toEqual(["unknown", "poor", "fair", "good"]);
  });
});

describe("who is called back", () => {
  const [ann] = replay(entered("1", "Ann")) as [Participant];
  test("is called where they were called, or by the number that they called from", () => {
    expect(numberOf({ ...ann, from: "+441632960000" })).toBe("tel:+441632960000");
    expect(numberOf({ ...ann, direction: "out", to: "sip:ann@example.com" })).toBe("sip:ann@example.com");
    expect(numberOf({ ...ann, from: "anonymous" })).toBeNull();
    expect(numberOf({ ...ann, from: "123" })).toBeNull();
    expect(numberOf({ ...ann, from: "123456", admitted_by: "webrtc" })).toBeNull();
  });
});

describe("news of a room", () => {
  const news = (type: string, data: Record<string, unknown> = {}, more: Partial<LiveEvent> = {}) =>
    newsOf(event(type, "1", data, more), "Board");

  test("tell who comes and goes, also from and to other conferences", () => {
    expect(news("participant.entered")).toEqual({ of: "participant", kind: "entered" });
    expect(news("participant.moved")).toEqual({ of: "participant", kind: "entered" });
    expect(news("participant.moved", {}, { conference: "Annex" })).toEqual({
      of: "participant",
      kind: "left",
    });
    expect(news("participant.refused")).toEqual({ of: "participant", kind: "refused" });
  });

  test("tell what becomes of the recording, the lock and the lecture", () => {
    expect(news("recording.stopped")).toEqual({ of: "conference", news: "recording_stopped" });
    expect(news("conference.locked")).toEqual({ of: "conference", news: "locked" });
    expect(news("conference.lecture", { lecture: true })).toEqual({ of: "conference", news: "lecture" });
    expect(news("conference.lecture", { lecture: false })).toEqual({
      of: "conference",
      news: "lecture_over",
    });
  });

  test("are silent about who talks", () => {
    expect([news("participant.talking"), news("participant.muted"), news("playback.started")]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

test("the lowest MOS of a line is never above the one of now", () => {
  expect(lowestMos({ mos: 2.08, mos_min: 2.1 })).toBe(2.08);
  expect(lowestMos({ mos: 4.4, mos_min: 3.9 })).toBe(3.9);
  expect(lowestMos({ mos: 0, mos_min: null })).toBeNull();
});
