/** Bookings and series, with what the pages need of them beside the described members. */
import { queryOptions } from "@tanstack/react-query";
import { everyPage, page, request, type Schemas } from "../../api/client";
import type { Guest } from "./guests";
import type { Repeat } from "./times";

export interface Booking extends Omit<Schemas["Reservation"], "guests" | "series"> {
  series?: { id: number; occurrence: string } | null;
  guests?: Guest[];
}

export interface SeriesDate {
  date: string;
  starts_at: string;
  state: "booked" | "moved" | "dropped" | "refused";
  reservation: string | null;
  problem: { code: string; detail: string } | null;
}

export interface Series {
  id: number;
  conference: string;
  title: string | null;
  time_zone: string;
  repeat: Exclude<Repeat, "none">;
  interval: number;
  count: number;
  starts_at: string;
  duration_min: number;
  max_participants: number;
  dates: SeriesDate[];
}

export interface NewBooking {
  conference: string;
  max_participants: number;
  starts_at: string;
  duration_min: number;
  title?: string;
  divert?: string;
  guests?: Guest[];
}

export interface Mail {
  id: number;
  to: string;
  kind: "invitation" | "update" | "cancellation";
  state: "waiting" | "sent" | "failed";
  attempts: number;
  error: string | null;
  sent_at: string | null;
  next_at: string | null;
}

export const pathOf = (token: string) => `/v1/reservations/${encodeURIComponent(token)}`;

export const bookingQuery = (token: string) =>
  queryOptions({ queryKey: ["reservation", token], queryFn: () => request<Booking>("GET", pathOf(token)) });

export const mailsQuery = (token: string) =>
  queryOptions({
    queryKey: ["mails", token],
    queryFn: () => everyPage<Mail>((query) => page(`${pathOf(token)}/mails`, query)),
    refetchInterval: 10_000,
  });

export const seriesQuery = (id: string) =>
  queryOptions({ queryKey: ["series", id], queryFn: () => request<Series>("GET", `/v1/series/${id}`) });

/** Why dates of a series could not be booked: only the answer that made it says so. */
export const refusedKey = (id: string) => ["series-refused", id];

export const book = (body: NewBooking) => request<Booking>("POST", "/v1/reservations", body);

export const bookSeries = (body: NewBooking & Pick<Series, "time_zone" | "repeat" | "interval" | "count">) =>
  request<Series>("POST", "/v1/series", body);

export const changeBooking = (
  token: string,
  body: Partial<Omit<NewBooking, "title">> & { title?: string | null },
) => request<Booking>("PATCH", pathOf(token), body);

export const removeBooking = (token: string) => request<null>("DELETE", pathOf(token));
export const removeSeries = (id: number) => request<null>("DELETE", `/v1/series/${id}`);

/** The address of one's own calendar of bookings. */
export const feedQuery = queryOptions({
  queryKey: ["calendar-feed"],
  queryFn: () =>
    request<{ created_at: string | null; last_used_at: string | null }>("GET", "/v1/session/calendar"),
});
/** `path` is shown this once; an earlier address ends. */
export const makeFeed = () => request<{ path: string }>("POST", "/v1/session/calendar");
export const removeFeed = () => request<null>("DELETE", "/v1/session/calendar");
