/** Bookings and series, as the pages read and change them. */
import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas, versioned } from "../../api/client";

export type Booking = Schemas["Reservation"];
export type NewBooking = Schemas["ReservationBody"];
export type Series = Schemas["WholeSeries"];
export type SeriesDate = Schemas["SeriesDate"];
export type Mail = Schemas["Mail"];

const of = (token: string) => ({ params: { path: { token } } });

export const bookingQuery = (token: string) =>
  queryOptions({
    queryKey: ["reservation", token],
    queryFn: () => readBooking(token),
  });

export const readBooking = (token: string) => versioned(client.GET("/v1/reservations/{token}", of(token)));

export const mailsQuery = (token: string) =>
  queryOptions({
    queryKey: ["mails", token],
    queryFn: () =>
      everyPage((query) =>
        ok(client.GET("/v1/reservations/{token}/mails", { params: { path: { token }, query } })),
      ),
    refetchInterval: 10_000,
  });

/** `id` as it stands in the address. */
export const seriesQuery = (id: string) =>
  queryOptions({
    queryKey: ["series", id],
    queryFn: () => ok(client.GET("/v1/series/{id}", { params: { path: { id: Number(id) } } })),
  });

/** Why dates of a series could not be booked: only the answer that made it says so. */
export const refusedKey = (id: string) => ["series-refused", id];

export const book = (body: NewBooking) => ok(client.POST("/v1/reservations", { body }));

export const bookSeries = (body: Schemas["SeriesBody"]) => ok(client.POST("/v1/series", { body }));

/** Only as long as it is the version that was shown. */
export const changeBooking = (token: string, version: string, body: Schemas["ReservationPatch"]) =>
  versioned(
    client.PATCH("/v1/reservations/{token}", {
      params: { path: { token }, header: { "If-Match": version } },
      body,
    }),
  );

export const removeBooking = (token: string) => ok(client.DELETE("/v1/reservations/{token}", of(token)));
export const removeSeries = (id: number) =>
  ok(client.DELETE("/v1/series/{id}", { params: { path: { id } } }));

/** The address of one's own calendar of bookings. */
export const feedQuery = queryOptions({
  queryKey: ["calendar-feed"],
  queryFn: () => ok(client.GET("/v1/session/calendar")),
});
/** `path` is shown this once; an earlier address ends. */
export const makeFeed = () => ok(client.POST("/v1/session/calendar"));
export const removeFeed = () => ok(client.DELETE("/v1/session/calendar"));
