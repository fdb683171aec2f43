import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useMemo } from "react";
import { client, everyPage, ok } from "../../api/client";
import { amount, dateTime, shortDate, timeOfDay } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { Chart, type Line } from "../../ui/Chart";
import { Loaded } from "../../ui/List";
import { Section, Table } from "../../ui/Page";
import { limitsQuery, type Reservation, reservationsQuery } from "../conferences";
import css from "./Booking.module.css";
import { type Step, seatsOver, weekOf } from "./times";

const route = getRouteApi("/shell/bookings");

const WEEK_MS = 7 * 86_400_000;
/** Capacity is drawn where it is at most so many times what is sold. */
const NEAR = 3;
/** So many bookings of a day are named; the list has all. */
const NAMED_MAX = 6;
const asSeats = (value: number) => amount(value);

/** The full minute in which the calendar begins: for ten minutes the same, so that it is not read again for each look. */
const beginning = (week: number) => Math.ceil(Date.now() / 600_000) * 600_000 + week * WEEK_MS;

function readCalendar(from: number): Promise<Step[]> {
  const range = { from: new Date(from).toISOString(), to: new Date(from + WEEK_MS).toISOString() };
  return everyPage((query) =>
    ok(client.GET("/v1/availability", { params: { query: { ...range, ...query } } })),
  );
}

/** How many seats of the installation are sold over a week, below what there are, and which of them by one's own bookings. */
export function SeatsChart() {
  const { week = 0 } = route.useSearch();
  const navigate = useNavigate();
  const limits = useQuery(limitsQuery);
  const reservations = useQuery(reservationsQuery);
  const from = beginning(week);
  const calendar = useQuery({
    queryKey: ["availability", "week", from],
    retry: false,
    queryFn: () => readCalendar(from),
  });
  const steps = calendar.data;
  const capacity = limits.data?.reservations.capacity;
  const bookings = reservations.data;
  const drawn = useMemo(() => {
    if (!steps || capacity === undefined) return undefined;
    const held = (bookings ?? []).map((one) => ({
      startMs: Date.parse(one.starts_at),
      endMs: Date.parse(one.ends_at),
      seats: one.max_participants,
    }));
    const over = seatsOver(steps, held, capacity);
    const most = Math.max(0, ...over.sold);
    const sold: Line = { name: t("seats.sold"), values: over.sold, look: "area" };
    const own: Line = { name: t("seats.own"), values: over.own, look: "bars" };
    // Far above what is sold, it would leave of that a line at the bottom: then it is said below the chart only.
    const isNear = most * NEAR >= capacity;
    const all: Line = { name: t("seats.capacity"), values: over.times.map(() => capacity) };
    const lines: [Line, Line, Line?] = isNear ? [sold, all, own] : [sold, own];
    return { ...over, lines, capacity, most };
  }, [steps, capacity, bookings]);
  const lastWeek = Math.floor(((limits.data?.reservations.max_days_ahead ?? 7) * 86_400_000) / WEEK_MS);
  const go = (to: number) =>
    void navigate({ to: "/bookings", search: to > 0 ? { week: to } : {}, replace: true });
  const title = t("seats.title", { from: dateTime(new Date(from).toISOString()) });
  return (
    <Section
      title={title}
      actions={
        <>
          <Button
            size="small"
            icon={<ChevronLeft />}
            disabled={week <= 0}
            onClick={() => go(Math.max(0, week - 1))}
          >
            {t("seats.earlier")}
          </Button>
          <Button
            size="small"
            icon={<ChevronRight />}
            disabled={week >= lastWeek}
            onClick={() => go(week + 1)}
          >
            {t("seats.later")}
          </Button>
        </>
      }
    >
      <Loaded
        query={{
          data: drawn,
          error: calendar.error ?? limits.error,
          refetch: () => {
            void calendar.refetch();
            void limits.refetch();
          },
        }}
      >
        {({ times, lines, spans, capacity, most }) => (
          <>
            <Chart label={t("booking.seats")} times={times} lines={lines} format={asSeats} least={10} days />
            <p className={css.note}>{t("seats.most", { most: amount(most), capacity: amount(capacity) })}</p>
            <Week from={from} bookings={bookings ?? []} />
            <details>
              <summary>{t("chart.table")}</summary>
              <Table
                label={title}
                head={[t("seats.from"), t("seats.to"), t("seats.sold"), t("seats.own"), t("seats.left")]}
              >
                {spans.map(({ fromMs, toMs, sold, own }) => (
                  <tr key={fromMs}>
                    <td>{dateTime(new Date(fromMs).toISOString())}</td>
                    <td>{dateTime(new Date(toMs).toISOString())}</td>
                    <td>{amount(sold)}</td>
                    <td>{amount(own)}</td>
                    <td>{amount(capacity - sold)}</td>
                  </tr>
                ))}
              </Table>
            </details>
          </>
        )}
      </Loaded>
    </Section>
  );
}

/** One's own bookings over these days, by their names. */
function Week({ from, bookings }: { from: number; bookings: Reservation[] }) {
  const week = weekOf(from, bookings);
  if (week.every((day) => day.bookings.length === 0)) return null;
  return (
    <ol className={css.week} aria-label={t("seats.week")}>
      {week.map((day) => (
        <li key={day.dayMs} className={day.bookings.length ? css.day : `${css.day} ${css.free}`}>
          <h3 className={css.date}>{shortDate(day.dayMs)}</h3>
          {day.bookings.slice(0, NAMED_MAX).map((one) => (
            <p key={one.token} className={css.booked}>
              <Link to="/bookings/$token" params={{ token: one.token }}>
                {one.title || one.conference}
              </Link>
              <span>
                {timeOfDay(one.starts_at)} · {t("seats.week.seats", { count: one.max_participants })}
              </span>
            </p>
          ))}
          {day.bookings.length > NAMED_MAX && (
            <p className={css.booked}>
              <span>{t("seats.week.more", { count: day.bookings.length - NAMED_MAX })}</span>
            </p>
          )}
        </li>
      ))}
    </ol>
  );
}
