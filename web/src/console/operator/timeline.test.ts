import { expect, test } from "vitest";
import { type CallEvent, timelineOf } from "./timeline";

const event = (seq: number, at: string, type: CallEvent["type"]): CallEvent => ({
  seq,
  at: `2030-06-20T15:${at}Z`,
  type,
  conference: "Board",
  participant_id: "a",
  actor: { kind: "system", id: null },
  reason: null,
  data: {},
});

test("a call's record and its events are told in the order of time", () => {
  const call = {
    started_at: "2030-06-20T15:00:00Z",
    answered_at: "2030-06-20T15:00:01Z",
    ended_at: "2030-06-20T15:10:00Z",
    end_reason: "caller hung up",
  };
  const events = [
    event(1, "00:01", "participant.entered"),
    event(2, "05:00", "participant.muted"),
    event(3, "10:00", "participant.left"),
  ];
  const told = timelineOf(call, events);
  expect(told.map((one) => one.type)).toEqual([
    "call.started",
    "call.answered",
    "participant.entered",
    "participant.muted",
    "participant.left",
    "call.ended",
  ]);
  expect(told.at(-1)?.reason).toBe("caller hung up");
});

test("a call that was not answered and goes on has begun, and no more", () => {
  const call = { started_at: "2030-06-20T15:00:00Z", answered_at: null, ended_at: null, end_reason: null };
  expect(timelineOf(call, []).map((one) => one.type)).toEqual(["call.started"]);
});
