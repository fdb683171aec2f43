import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useDeferredValue, useEffect, useRef, useState } from "react";
import type { LiveEvent } from "../../feed/connection";
import { useFeed, useLevelsWanted } from "../../feed/useFeed";
import { t } from "../../texts/pages";
import {
  type Conference,
  conferenceQuery,
  type Participant,
  participantsQuery,
  readParticipants,
} from "../conferences";
import { areSame, type Hint, HintTracker, newHints } from "./hints";
import { LevelStore } from "./levels";
import { applyEvents, changesConference, nameOf, withCalled } from "./state";
import { useNews } from "./useNews";

/** Statistics are not told by events: participants are read so often. */
const STATISTICS_MS = 5_000;
/** Events of this time are shown at once: many come together, and drawing takes longer than reading them. */
const GATHER_MS = 50;
/** Events that came while a snapshot was read are applied to it again: so many at most. */
const KEPT_MAX = 2_000;

const nobody: Participant[] = [];

export interface RoomData {
  conference: Conference | undefined;
  participants: Participant[];
  hints: Map<string, Hint[]>;
  levels: LevelStore;
  /** For the live region. */
  news: string;
  say: (text: string) => void;
  isPending: boolean;
  /** The participants are known and not drawn yet. */
  isDrawing: boolean;
  error: unknown;
  refresh: () => void;
  /** Shows a participant no more who did not come. */
  forget: (id: string) => void;
}

export function useRoom(name: string): RoomData {
  const queries = useQueryClient();
  const [levels] = useState(() => new LevelStore());
  const tracker = useRef(new HintTracker());
  const since = useRef<LiveEvent[]>([]);
  const gathered = useRef<LiveEvent[]>([]);
  const missing = useRef<ReadonlySet<string>>(new Set());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const [hints, setHints] = useState(new Map<string, Hint[]>());
  const known = useRef(hints);
  const { news, hear, tell, say } = useNews(name);
  useLevelsWanted();
  useEffect(() => () => clearTimeout(timer.current), []);

  const { queryKey: conferenceKey } = conferenceQuery(name);
  const { queryKey: participantsKey } = participantsQuery(name);
  const conference = useQuery(conferenceQuery(name));
  const participants = useQuery({
    ...participantsQuery(name),
    queryFn: async () => {
      since.current = [];
      const read = await readParticipants(name);
      const before = queries.getQueryData(participantsKey) ?? nobody;
      const all = withCalled(read, before, missing.current);
      missing.current = new Set(all.slice(read.length).map((one) => one.participant_id));
      return applyEvents(all, since.current, name);
    },
  });

  const { data, refetch } = participants;
  // A clock of our own: that of the query begins anew with every event, and would never strike while people talk.
  useEffect(() => {
    const clock = setInterval(() => {
      if (!document.hidden) void refetch({ cancelRefetch: false });
    }, STATISTICS_MS);
    return () => clearInterval(clock);
  }, [refetch]);
  useEffect(() => {
    if (!data) return;
    const found = tracker.current.update(data, Date.now());
    const before = known.current;
    if (areSame(before, found)) return;
    known.current = found;
    setHints(found);
    for (const { id, hint } of newHints(before, found)) {
      const one = data.find((participant) => participant.participant_id === id);
      if (one) tell("line", `${nameOf(one)}: ${t(`hint.${hint}`)}`);
    }
  }, [data, tell]);

  const refresh = useCallback(() => {
    void queries.invalidateQueries({ queryKey: ["conference", name] });
    void queries.invalidateQueries({ queryKey: ["participants", name] });
  }, [queries, name]);

  const forget = useCallback(
    (id: string) =>
      queries.setQueryData<Participant[]>(["participants", name], (before) =>
        before?.filter((one) => one.participant_id !== id),
      ),
    [queries, name],
  );

  const show = () => {
    timer.current = undefined;
    const events = gathered.current;
    gathered.current = [];
    const before = queries.getQueryData(participantsKey);
    if (before) {
      for (const event of events) hear(event, before);
      queries.setQueryData(participantsKey, applyEvents(before, events, name));
    }
    if (!events.some((event) => changesConference(event, name))) return;
    void queries.invalidateQueries({ queryKey: conferenceKey });
    // Who waited for the start is in now, or waits again.
    if (events.some(({ type }) => type === "conference.started" || type === "conference.stopped")) {
      void queries.invalidateQueries({ queryKey: participantsKey });
    }
  };

  useFeed((message) => {
    if (message.kind === "reset") return refresh();
    if (message.kind !== "event") return;
    const { event } = message;
    if (event.type === "levels") {
      if (event.conference === name) levels.take(event.data.levels_dbov);
      return;
    }
    if (event.conference !== name && event.data?.from_conference !== name) return;
    if (since.current.length < KEPT_MAX) since.current.push(event);
    gathered.current.push(event);
    timer.current ??= setTimeout(show, GATHER_MS);
  });

  // Drawn when there is nothing more urgent, in pieces: hundreds of rows may have changed.
  const shown = useDeferredValue(data ?? nobody, nobody);
  return {
    conference: conference.data,
    participants: shown,
    isDrawing: shown === nobody && data !== undefined && data.length > 0,
    hints: useDeferredValue(hints),
    levels,
    news,
    say,
    isPending: conference.isPending || participants.isPending,
    error: conference.error ?? participants.error,
    refresh,
    forget,
  };
}
