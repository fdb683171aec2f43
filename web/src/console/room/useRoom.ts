import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { client, everyPage, ok } from "../../api/client";
import type { LiveEvent } from "../../feed/connection";
import { useFeed, useLevelsWanted } from "../../feed/useFeed";
import type { Conference } from "../conferences";
import { type Hint, HintTracker } from "./hints";
import { LevelStore } from "./levels";
import { applyEvent, changesConference, type Participant } from "./state";
import { useNews } from "./useNews";

/** Statistics are not told by events: they are read so often. */
const READ_AGAIN_MS = 5_000;
/** Events that came while a snapshot was read are applied to it again: so many at most. */
const KEPT_MAX = 2_000;

export interface RoomData {
  conference: Conference | undefined;
  participants: Participant[];
  hints: Map<string, Hint[]>;
  levels: LevelStore;
  /** For the live region. */
  news: string;
  isPending: boolean;
  error: unknown;
  refresh: () => void;
}

export function useRoom(name: string): RoomData {
  const queries = useQueryClient();
  const [levels] = useState(() => new LevelStore());
  const tracker = useRef(new HintTracker());
  const since = useRef<LiveEvent[]>([]);
  const [hints, setHints] = useState(new Map<string, Hint[]>());
  const { news, hear } = useNews();
  useLevelsWanted();

  const conferenceKey = ["conference", name];
  const participantsKey = ["participants", name];
  const conference = useQuery({
    queryKey: conferenceKey,
    queryFn: () => ok(client.GET("/v1/conferences/{name}", { params: { path: { name } } })),
    refetchInterval: 30_000,
  });
  const participants = useQuery({
    queryKey: participantsKey,
    queryFn: async () => {
      since.current = [];
      const read = await everyPage<Participant>((cursor) =>
        ok(
          client.GET("/v1/conferences/{name}/participants", {
            params: { path: { name }, query: { limit: 500, ...(cursor ? { cursor } : {}) } },
          }),
        ),
      );
      return since.current.reduce((list, event) => applyEvent(list, event, name), read);
    },
    refetchInterval: READ_AGAIN_MS,
    // Statistics differ in every answer: comparing hundreds of participants deeply would find nothing that is shared.
    structuralSharing: false,
  });

  const { data } = participants;
  useEffect(() => {
    if (data) setHints(tracker.current.update(data, Date.now()));
  }, [data]);

  const refresh = useCallback(() => {
    void queries.invalidateQueries({ queryKey: ["conference", name] });
    void queries.invalidateQueries({ queryKey: ["participants", name] });
  }, [queries, name]);

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
    const before = queries.getQueryData<Participant[]>(participantsKey);
    if (before) {
      hear(event, before);
      queries.setQueryData<Participant[]>(participantsKey, applyEvent(before, event, name));
    }
    if (!changesConference(event, name)) return;
    void queries.invalidateQueries({ queryKey: conferenceKey });
    // Who waited for the start is in now, or waits again.
    if (event.type === "conference.started" || event.type === "conference.stopped") {
      void queries.invalidateQueries({ queryKey: participantsKey });
    }
  });

  return {
    conference: conference.data,
    participants: data ?? [],
    hints,
    levels,
    news,
    isPending: conference.isPending || participants.isPending,
    error: conference.error ?? participants.error,
    refresh,
  };
}
