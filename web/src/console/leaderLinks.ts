/** Links that open the room of one conference, with the rights of its leader and without an account. */
import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas } from "../api/client";

/** What a link is for: a conference as long as it is wanted, or a booking until it ends. */
export type LeaderLinkOf = { conference: string } | { reservation: string };

export const leaderLinksQuery = (of: LeaderLinkOf) =>
  queryOptions({
    queryKey: ["leader-links", of],
    queryFn: () =>
      everyPage<Schemas["LeaderLink"]>((query) =>
        ok(client.GET("/v1/leader-links", { params: { query: { ...query, ...of } } })),
      ),
  });

/** `path` is shown this once. */
export const makeLeaderLink = (body: LeaderLinkOf & { label: string | null }) =>
  ok(client.POST("/v1/leader-links", { body }));

export const removeLeaderLink = (id: number) =>
  ok(client.DELETE("/v1/leader-links/{id}", { params: { path: { id } } }));
