/** Conferences and bookings, as the pages read them. */
import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { client, everyPage, ok, type Schemas } from "../api/client";
import { useFeed } from "../feed/useFeed";

export type Conference = Schemas["Conference"];
export type Participant = Schemas["Participant"];
export type Reservation = Schemas["Reservation"];

/** It is called otherwise than its conference, so that a list has to say both. */
export const isTitled = ({ title, conference }: Pick<Reservation, "title" | "conference">): boolean =>
  Boolean(title) && title !== conference;

/** Those who wait in the lobby hold no seat; those who wait for the start do. */
export const seatsTaken = (conference: Pick<Conference, "state" | "participants" | "waiting">): number =>
  conference.state === "active" ? conference.participants : conference.waiting;

export const conferencesQuery = queryOptions({
  queryKey: ["conferences"],
  queryFn: () => everyPage<Conference>((query) => ok(client.GET("/v1/conferences", { params: { query } }))),
});

export const conferenceQuery = (name: string) =>
  queryOptions({
    queryKey: ["conference", name],
    queryFn: () => ok(client.GET("/v1/conferences/{name}", { params: { path: { name } } })),
    refetchInterval: 30_000,
  });

export const participantsQuery = (name: string) =>
  queryOptions({
    queryKey: ["participants", name],
    queryFn: () => readParticipants(name),
    // Statistics differ in every answer: comparing hundreds of participants deeply would find nothing that is shared.
    structuralSharing: false,
  });

export const readParticipants = (name: string) =>
  everyPage<Participant>((query) =>
    ok(client.GET("/v1/conferences/{name}/participants", { params: { path: { name }, query } })),
  );

export const reservationsQuery = queryOptions({
  queryKey: ["reservations"],
  queryFn: () => everyPage<Reservation>((query) => ok(client.GET("/v1/reservations", { params: { query } }))),
});

export const limitsQuery = queryOptions({
  queryKey: ["limits"],
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: () => ok(client.GET("/v1/limits")),
});

/** At most so often is a list read again for events. */
const GATHER_MS = 1_000;

/** Reads lists again when events say that they have changed. */
export function useRefreshedBy(matches: (type: string) => boolean, keys: string[][]): void {
  const queries = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useFeed((message) => {
    const matters = message.kind === "reset" || (message.kind === "event" && matches(message.event.type));
    if (!matters || timer.current !== undefined) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      for (const queryKey of keys) void queries.invalidateQueries({ queryKey });
    }, GATHER_MS);
  });
}
