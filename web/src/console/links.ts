/** Links for people without an account: of leaders, who get the room of one conference, and of guests, who join it. */
import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas } from "../api/client";
import { t } from "../texts/pages";

/** What a link is for: a conference as long as it is wanted, or a booking until it ends. */
export type LinkOf = { conference: string } | { reservation: string };

export const leaderLinksQuery = (of: LinkOf) =>
  queryOptions({
    queryKey: ["leader-links", of],
    // Others are made where nobody looks: with a mail, or a calendar file.
    staleTime: 0,
    queryFn: () =>
      everyPage<Schemas["LeaderLink"]>((query) =>
        ok(client.GET("/v1/leader-links", { params: { query: { ...query, ...of } } })),
      ),
  });

/** `path` is shown this once. */
export const makeLeaderLink = (body: LinkOf & { label: string | null }) =>
  ok(client.POST("/v1/leader-links", { body }));

export const removeLeaderLink = (id: number) =>
  ok(client.DELETE("/v1/leader-links/{id}", { params: { path: { id } } }));

export const guestLinksQuery = (of: LinkOf) =>
  queryOptions({
    queryKey: ["guest-links", of],
    // Others are made where nobody looks: with a mail, or a calendar file.
    staleTime: 0,
    queryFn: () =>
      everyPage<Schemas["GuestLink"]>((query) =>
        ok(client.GET("/v1/guest-links", { params: { query: { ...query, ...of } } })),
      ),
  });

/** `path` is shown this once. */
export const makeGuestLink = (body: LinkOf & { label: string | null; expires_at?: string; pin?: string }) =>
  ok(client.POST("/v1/guest-links", { body }));

export const removeGuestLink = (id: number) =>
  ok(client.DELETE("/v1/guest-links/{id}", { params: { path: { id } } }));

/** How guests reach a conference. */
export const waysQuery = (name: string) =>
  queryOptions({
    queryKey: ["ways", name],
    queryFn: () => ok(client.GET("/v1/conferences/{name}/ways", { params: { path: { name } } })),
  });

/** What there is to say of calls by telephone; of the PIN only that there is one, for it is stored as a hash. */
export function telephoneFacts(ways: Schemas["GuestWays"] | undefined): [name: string, value: string][] {
  if (!ways?.number && !ways?.room) return [];
  return [
    ...(ways.number ? ([[t("ways.number"), ways.number]] satisfies [string, string][]) : []),
    ...(ways.room ? ([[t("ways.room"), ways.room]] satisfies [string, string][]) : []),
    [t("ways.pin"), t(ways.has_pin ? "ways.pin.apart" : "ways.pin.none")],
  ];
}
