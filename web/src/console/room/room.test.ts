import { describe, expect, test } from "vitest";
import type { LiveEvent } from "../../feed/connection";
import { areSame, findings, HintTracker, qualityOf } from "./hints";
import { applyEvent, changesConference, matchesFilter, nameOf, type Participant, sectionsOf } from "./state";

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
  test("follows somebody from the lobby to the end", () => {
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

  test("shows who is being called, and why somebody did not come", () => {
    const calling = event("participant.calling", "2", {
      display_name: null,
      from: "x",
      to: "tel:+441632",
      direction: "out",
    });
    let list = replay(calling);
    expect(sectionsOf(list).called[0]).toMatchObject({ state: "calling" });
    expect(nameOf(list[0] as Participant)).toBe("tel:+441632");
    list = applyEvent(list, event("participant.ringing", "2"), "Board");
    expect(list[0]?.state).toBe("ringing");
    list = applyEvent(list, event("call.failed", "2", { status: 486 }, { reason: "busy" }), "Board");
    expect(list[0]).toMatchObject({ state: "failed", reason: "busy", status: 486 });
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

  test("do not name the noise of somebody who is muted", () => {
    const tracker = new HintTracker();
    tracker.update([line({ noise_floor_dbov: -40 }, { muted: true })], 0);
    expect(tracker.update([line({ noise_floor_dbov: -40 }, { muted: true })], 20_000).size).toBe(0);
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
