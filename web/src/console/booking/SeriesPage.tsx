import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { CalendarArrowDown, DoorOpen, Ellipsis, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Versioned } from "../../api/client";
import { amount, dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import button from "../../ui/Button.module.css";
import { TextField } from "../../ui/Field";
import { LoadedPage } from "../../ui/LoadedPage";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Facts, Page, Panel, Section, Table, type Tone } from "../../ui/Page";
import { problemText } from "../../ui/Problem";
import { limitsQuery, useRefreshedBy } from "../conferences";
import { useMay } from "../session";
import {
  type Booking,
  changeBooking,
  readBooking,
  refusedKey,
  removeBooking,
  removeSeries,
  type Series,
  type SeriesDate,
  seriesQuery,
} from "./bookings";
import { SeatsLeft, seatsMayBeGone, useSeats } from "./SeatsLeft";
import { momentOf, ownZone, wallTime } from "./zones";

const route = getRouteApi("/shell/bookings/series/$id");

const tones: Record<SeriesDate["state"], Tone> = {
  booked: "good",
  moved: "accent",
  dropped: "none",
  refused: "bad",
};

export function SeriesPage() {
  const { id } = route.useParams();
  useRefreshedBy((type) => type.startsWith("reservation."), [["series", id]]);
  const series = useQuery(seriesQuery(id));
  return (
    <LoadedPage title={t("series")} query={series}>
      {(data) => <Dates series={data} />}
    </LoadedPage>
  );
}

type Open =
  | { kind: "move"; date: SeriesDate; booking: Versioned<Booking> }
  | { kind: "drop"; date: SeriesDate }
  | { kind: "remove" };

/** The dates of a series: each can be moved or dropped by itself. */
function Dates({ series }: { series: Series }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const mayBook = useMay("book");
  const [open, setOpen] = useState<Open | null>(null);
  const refused = queries.getQueryData<SeriesDate[]>(refusedKey(`${series.id}`));
  const dates = series.dates.map((date) => refused?.find((one) => one.date === date.date) ?? date);
  const hasProblems = dates.some((date) => date.problem);
  const reload = async () => {
    await queries.invalidateQueries({ queryKey: ["series"] });
    await queries.invalidateQueries({ queryKey: ["reservations"] });
    await queries.invalidateQueries({ queryKey: ["availability"] });
  };
  const close = () => setOpen(null);
  return (
    <Page
      title={series.title || series.conference}
      note={t(`series.note.${series.repeat}`, { zone: series.time_zone })}
      actions={
        <>
          <Link
            to="/rooms/$name"
            params={{ name: series.conference }}
            search={{}}
            className={`${button.button} ${button.plain} ${button.normal}`}
          >
            <DoorOpen aria-hidden="true" size={17} />
            {t("home.open")}
          </Link>
          <a
            href={`/v1/series/${series.id}/calendar`}
            download={`${series.conference}.ics`}
            className={`${button.button} ${button.plain} ${button.normal}`}
          >
            <CalendarArrowDown aria-hidden="true" size={17} />
            {t("booking.ics")}
          </a>
          {mayBook && (
            <Button icon={<Trash2 />} onClick={() => setOpen({ kind: "remove" })}>
              {t("series.remove")}
            </Button>
          )}
        </>
      }
    >
      <Section title={t("series")}>
        <Panel>
          <Facts>
            {[
              [t("booking.conference"), series.conference],
              [t("booking.starts"), dateTime(series.starts_at)],
              [t("booking.duration"), t("minutes", { count: series.duration_min })],
              [t("booking.seats"), amount(series.max_participants)],
            ]}
          </Facts>
        </Panel>
      </Section>
      <Section title={t("series.dates")} count={dates.length}>
        <Table
          label={t("series.dates")}
          head={[
            t("booking.starts"),
            t("booking.state"),
            ...(hasProblems ? [t("series.why")] : []),
            actionsColumn(t("room.more")),
          ]}
        >
          {dates.map((date) => (
            <tr key={date.date}>
              <td>
                {date.reservation ? (
                  <Link to="/bookings/$token" params={{ token: date.reservation }}>
                    {dateTime(date.starts_at)}
                  </Link>
                ) : (
                  dateTime(date.starts_at)
                )}
              </td>
              <td>
                <Badge tone={tones[date.state]}>{t(`series.state.${date.state}`)}</Badge>
              </td>
              {hasProblems && <td>{date.problem ? problemText(date.problem) : "–"}</td>}
              <td>
                {mayBook && date.reservation && (
                  <ActionMenu
                    label={t("room.more.who", { name: dateTime(date.starts_at) })}
                    icon={<Ellipsis />}
                    actions={() => [
                      {
                        text: t("series.move"),
                        // Read anew: only the version that is shown is changed.
                        onSelect: () =>
                          void attempt(async () =>
                            setOpen({
                              kind: "move",
                              date,
                              booking: await readBooking(date.reservation ?? ""),
                            }),
                          ),
                      },
                      {
                        text: t("series.drop"),
                        danger: true,
                        begins: true,
                        onSelect: () => setOpen({ kind: "drop", date }),
                      },
                    ]}
                  />
                )}
              </td>
            </tr>
          ))}
        </Table>
      </Section>
      {open?.kind === "move" && <MoveDialog booking={open.booking} onClose={close} onDone={reload} />}
      {open?.kind === "drop" && (
        <ActionDialog
          title={t("series.drop.ask", { time: dateTime(open.date.starts_at) })}
          button={t("series.drop")}
          danger
          act={() => removeBooking(open.date.reservation ?? "").then(reload)}
          onClose={close}
        >
          <p>{t("series.drop.text")}</p>
        </ActionDialog>
      )}
      {open?.kind === "remove" && (
        <ActionDialog
          title={t("series.remove.ask", { name: series.title || series.conference })}
          button={t("series.remove")}
          danger
          act={async () => {
            await removeSeries(series.id);
            await reload();
            await navigate({ to: "/bookings" });
          }}
          onClose={close}
        >
          <p>{t("series.remove.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

function MoveDialog({
  booking: { data: booking, version },
  onClose,
  onDone,
}: {
  booking: Versioned<Booking>;
  onClose: () => void;
  onDone: () => Promise<void>;
}) {
  const queries = useQueryClient();
  const limits = useQuery(limitsQuery);
  const zone = ownZone();
  const own = {
    startMs: Date.parse(booking.starts_at),
    endMs: Date.parse(booking.ends_at),
    seats: booking.max_participants,
  };
  const before = wallTime(own.startMs, zone);
  const [start, setStart] = useState(before);
  const startMs = start === before ? own.startMs : momentOf(start, zone);
  const seats = useSeats({
    startMs,
    durationMin: booking.duration_min,
    seats: booking.max_participants,
    own,
    noticeMin: limits.data?.reservations.min_notice_min ?? 0,
  });
  return (
    <ActionDialog
      title={t("series.move.of", { time: dateTime(booking.starts_at) })}
      button={t("series.move")}
      reason={seats.isFull ? t("booking.full") : null}
      act={async () => {
        try {
          await changeBooking(booking.token, version, { starts_at: new Date(startMs).toISOString() });
        } catch (problem) {
          await seatsMayBeGone(queries, problem);
          throw problem;
        }
        await onDone();
      }}
      onClose={onClose}
    >
      <TextField
        label={t("booking.starts")}
        hint={t("booking.zone", { zone })}
        type="datetime-local"
        required
        value={start}
        onChange={(event) => setStart(event.target.value)}
      />
      <SeatsLeft seats={seats} onPick={(at) => setStart(wallTime(at, zone))} />
    </ActionDialog>
  );
}
