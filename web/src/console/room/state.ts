/** What is shown of a conference: a snapshot, and the events since. */
import type { LiveEvent } from "../../feed/connection";
import { shownName } from "../../sip/identity";
import type { Participant } from "../conferences";

export type { Participant };

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
const flag = (value: unknown, otherwise: boolean): boolean =>
  typeof value === "boolean" ? value : otherwise;

/** A participant of whom nothing is known but what an event says. */
function made(id: string, data: Record<string, unknown>): Participant {
  return {
    participant_id: id,
    display_name: text(data.display_name),
    from: text(data.from) ?? "",
    to: text(data.to) ?? "",
    direction: data.direction === "out" ? "out" : "in",
    state: "in",
    leader: flag(data.leader, false),
    muted: data.muted_by !== undefined && data.muted_by !== null,
    muted_by: (data.muted_by as Participant["muted_by"]) ?? null,
    dtmf_enabled: flag(data.dtmf_enabled, true),
    talking: false,
    self_unmute: flag(data.self_unmute, true),
    trunk: text(data.trunk),
  } as Participant;
}

function upsert(list: Participant[], event: LiveEvent, change: Partial<Participant>): Participant[] {
  const id = event.participant_id;
  if (!id) return list;
  const known = list.find((one) => one.participant_id === id);
  if (!known) return [...list, { ...made(id, event.data), ...change }];
  const told = made(id, event.data);
  const entered =
    event.data.from === undefined
      ? {}
      : { leader: told.leader, muted: told.muted, muted_by: told.muted_by ?? null };
  return list.map((one) => (one === known ? { ...one, ...entered, ...change } : one));
}

function patch(
  list: Participant[],
  id: string | null | undefined,
  change: Partial<Participant>,
): Participant[] {
  return list.map((one) => (one.participant_id === id ? { ...one, ...change } : one));
}

const without = (list: Participant[], id: string | null | undefined) =>
  list.filter((one) => one.participant_id !== id);

/** The participants of `conference` after an event. Applied twice, an event changes nothing more. */
export function applyEvent(list: Participant[], event: LiveEvent, conference: string): Participant[] {
  const { participant_id: id, data } = event;
  if (event.type === "participant.moved") {
    return event.conference === conference ? upsert(list, event, { state: "in" }) : without(list, id);
  }
  if (event.conference !== conference) return list;
  switch (event.type) {
    case "participant.calling":
      return upsert(list, event, { state: "calling" });
    case "participant.ringing":
      return patch(list, id, { state: "ringing" });
    case "call.failed":
      return patch(list, id, {
        state: "failed",
        reason: event.reason ?? null,
        status: (data.status as number | null) ?? null,
      });
    case "participant.waiting":
      return upsert(list, event, { state: "waiting", entered_at: null });
    case "participant.entered":
      return upsert(list, event, { state: data.held === true ? "held" : "in", entered_at: event.at ?? null });
    case "participant.refused":
    case "participant.left":
      return without(list, id);
    case "participant.muted":
      return patch(list, id, {
        muted: true,
        muted_by: (data.by as Participant["muted_by"]) ?? null,
        talking: false,
      });
    case "participant.unmuted":
      return patch(list, id, { muted: false, muted_by: null });
    case "participant.hand_raised":
      return patch(list, id, { hand_raised_at: event.at ?? new Date().toISOString() });
    case "participant.hand_lowered":
      return patch(list, id, { hand_raised_at: null });
    case "participant.talking":
      return patch(list, id, { talking: true });
    case "participant.silent":
      return patch(list, id, { talking: false });
    case "participant.held":
      // Unless it is the participant's own telephone, it is a leader or a program.
      return patch(list, id, {
        state: "held",
        held_by: event.actor?.id === id ? "self" : "leader",
        talking: false,
      });
    case "participant.resumed":
      return patch(list, id, { state: "in", held_by: null });
    case "participant.changed":
      return patch(list, id, data as Partial<Participant>);
    case "conference.ended":
      return [];
    default:
      return list;
  }
}

export const applyEvents = (list: Participant[], events: LiveEvent[], conference: string): Participant[] =>
  events.reduce((shown, event) => applyEvent(shown, event, conference), list);

const isCalled = (one: Participant) => one.state === "calling" || one.state === "ringing";

/**
 * What was read anew, with those who did not come: the service lists them no more, and they can be called again. Those who were still
 * being called stay once, until it is told what became of them. `missing`: who was not listed the last time either.
 */
export function withCalled(
  read: Participant[],
  before: Participant[],
  missing: ReadonlySet<string>,
): Participant[] {
  const known = new Set(read.map((one) => one.participant_id));
  const stays = (one: Participant) =>
    one.state === "failed" || (isCalled(one) && !missing.has(one.participant_id));
  return [...read, ...before.filter((one) => !known.has(one.participant_id) && stays(one))];
}

/** Whether the conference itself has to be read again. */
export function changesConference(event: LiveEvent, conference: string): boolean {
  return event.conference === conference && /^(conference|recording|reservation)\./.test(event.type);
}

export interface Sections {
  waiting: Participant[];
  hands: Participant[];
  called: Participant[];
  /** Those who are on hold until a leader brings them back; they are in as well. */
  held: Participant[];
  in: Participant[];
}

/** Each participant in one section, in the order in which they came; hands in the order in which they were raised. */
export function sectionsOf(list: Participant[]): Sections {
  const sections: Sections = { waiting: [], hands: [], called: [], held: [], in: [] };
  for (const one of list) {
    if (one.state === "ended") continue;
    if (one.state === "calling" || one.state === "ringing" || one.state === "failed")
      sections.called.push(one);
    else if (isInLobby(one)) sections.waiting.push(one);
    else {
      sections.in.push(one);
      if (one.hand_raised_at) sections.hands.push(one);
      if (one.held_by === "leader") sections.held.push(one);
    }
  }
  sections.hands.sort((a, b) => (a.hand_raised_at ?? "").localeCompare(b.hand_raised_at ?? ""));
  return sections;
}

/** Those who wait for the conference to start have entered; those in the lobby have not. */
export function isInLobby(one: Participant): boolean {
  return one.state === "waiting" && !one.entered_at;
}

export function nameOf(one: Pick<Participant, "display_name" | "from" | "to" | "direction">): string {
  return one.display_name || (one.direction === "out" ? shownName(one.to) : one.from);
}

/** It is heard talking. */
export const isTalking = (one: Participant) => one.talking && !one.muted && one.state === "in";

/** It is in by a page, not by a telephone. */
export function isBrowser(one: Pick<Participant, "admitted_by" | "to">): boolean {
  return ["token", "guest", "webrtc"].includes(one.admitted_by ?? "") || one.to.startsWith("webrtc:");
}

/** Where a participant can be called; null: the number is not known. */
export function numberOf(one: Participant): string | null {
  if (one.direction === "out") return one.to;
  return !isBrowser(one) && /^\+?[0-9]{4,}$/.test(one.from) ? `tel:${one.from}` : null;
}

export function matchesFilter(one: Participant, filter: string): boolean {
  const wanted = filter.trim().toLowerCase();
  return (
    !wanted || [one.display_name, one.from, one.to].some((field) => field?.toLowerCase().includes(wanted))
  );
}
