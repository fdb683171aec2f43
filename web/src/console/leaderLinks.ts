/** Links that open the room of one conference, with the rights of its leader and without an account. */
import { queryOptions } from "@tanstack/react-query";
import { everyPage, page, request } from "../api/client";

export interface LeaderLink {
  id: number;
  label: string | null;
  conference: string;
  reservation: string | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

/** What a link is for: a conference as long as it is wanted, or a booking until it ends. */
export type LeaderLinkOf = { conference: string } | { reservation: string };

export const leaderLinksQuery = (of: LeaderLinkOf) =>
  queryOptions({
    queryKey: ["leader-links", of],
    queryFn: () => everyPage<LeaderLink>((query) => page("/v1/leader-links", { ...query, ...of })),
  });

/** `path` is shown this once. */
export const makeLeaderLink = (body: LeaderLinkOf & { label: string | null }) =>
  request<LeaderLink & { path: string }>("POST", "/v1/leader-links", body);

export const removeLeaderLink = (id: number) => request<null>("DELETE", `/v1/leader-links/${id}`);
