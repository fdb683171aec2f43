/** What happened to a call, from its record and from the events about its participant. */
import type { Schemas } from "../../api/client";

export type CallEvent = Schemas["Event"];

export interface Moment {
  at: string;
  /** The type of an event, or what the record says. */
  type: string;
  conference: string | null;
  /** Why, in one word of events, or in words of the record. */
  reason: string | null;
  actor: CallEvent["actor"]["kind"] | null;
  data: Record<string, unknown>;
}

type Recorded = Pick<Schemas["CallRecord"], "started_at" | "answered_at" | "ended_at" | "end_reason">;

/** In the order of time; where two are at the same time, the call begins before and ends after all else. */
export function timelineOf(call: Recorded, events: CallEvent[]): Moment[] {
  const recorded = (at: string | null | undefined, type: string, reason: string | null = null): Moment[] =>
    at ? [{ at, type, reason, conference: null, actor: null, data: {} }] : [];
  const told = events.map(
    (event): Moment => ({
      at: event.at,
      type: event.type,
      conference: event.conference ?? null,
      reason: event.reason ?? null,
      actor: event.actor.kind,
      data: event.data as Record<string, unknown>,
    }),
  );
  const moments = [
    ...recorded(call.started_at, "call.started"),
    ...recorded(call.answered_at, "call.answered"),
    ...told,
    ...recorded(call.ended_at, "call.ended", call.end_reason ?? null),
  ];
  // Sorting keeps the order of what is at the same time.
  return moments.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
