import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { CalendarArrowDown, DoorOpen, Link2, Trash2 } from "lucide-react";
import { useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { amount, dateTime } from "../../texts/format";
import { Button } from "../../ui/Button";
import button from "../../ui/Button.module.css";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { attempt } from "../../ui/notices";
import { Badge, Facts, Loading, Page, Section } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { saveFile } from "../../ui/save";
import { useRefreshedBy } from "../conferences";
import { phaseTone } from "../Home";
import { InviteDialog } from "../InviteDialog";
import { useMay } from "../session";
import css from "./Booking.module.css";
import { calendarEvent } from "./times";

const route = getRouteApi("/shell/bookings/$token");

export function BookingPage() {
  const { token } = route.useParams();
  useRefreshedBy((type) => type.startsWith("reservation."), [["reservation", token]]);
  const booking = useQuery({
    queryKey: ["reservation", token],
    queryFn: () => ok(client.GET("/v1/reservations/{token}", { params: { path: { token } } })),
  });
  if (booking.isPending) return <Loading label={tc("loading")} />;
  if (booking.error) return <ProblemBox error={booking.error} onRetry={() => void booking.refetch()} />;
  return <Booking booking={booking.data} />;
}

function Booking({ booking }: { booking: Schemas["Reservation"] }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const mayBook = useMay("book");
  const mayControl = useMay("control");
  const [open, setOpen] = useState<"invite" | "remove" | null>(null);
  const { token, conference, title } = booking;
  const isOver = booking.state === "completed";
  const remove = async () => {
    await ok(client.DELETE("/v1/reservations/{token}", { params: { path: { token } } }));
    await queries.invalidateQueries({ queryKey: ["reservations"] });
    await navigate({ to: "/bookings" });
  };
  return (
    <Page
      title={title || conference}
      note={`${dateTime(booking.starts_at)} – ${dateTime(booking.ends_at)}`}
      actions={
        <>
          <Link
            to="/rooms/$name"
            params={{ name: conference }}
            search={{}}
            className={`${button.button} ${button.plain} ${button.normal}`}
          >
            <DoorOpen aria-hidden="true" size={17} />
            {t("home.open")}
          </Link>
          <Button icon={<CalendarArrowDown />} onClick={() => saveEvent(booking)}>
            {t("booking.ics")}
          </Button>
          {mayControl && !isOver && (
            <Button look="primary" icon={<Link2 />} onClick={() => setOpen("invite")}>
              {t("invite")}
            </Button>
          )}
        </>
      }
    >
      <Section title={t("booking.facts")}>
        <div className={css.panel}>
          <Facts>
            {[
              [
                t("booking.state"),
                <Badge key="state" tone={phaseTone(booking)}>
                  {t(`phase.${booking.state}`)}
                </Badge>,
              ],
              [t("booking.conference"), conference],
              [t("booking.duration"), t("minutes", { count: booking.duration_min })],
              [t("booking.seats"), amount(booking.max_participants)],
              [t("booking.divert"), booking.divert ?? "–"],
              [t("booking.token"), <code key="token">{token}</code>],
            ]}
          </Facts>
        </div>
      </Section>
      {mayBook && !isOver && <Change key={token} booking={booking} onRemove={() => setOpen("remove")} />}
      {open === "invite" && (
        <InviteDialog conference={conference} {...(title ? { title } : {})} onClose={() => setOpen(null)} />
      )}
      {open === "remove" && (
        <Dialog title={t("booking.remove.ask", { name: title || conference })} onClose={() => setOpen(null)}>
          <p>{t("booking.remove.text")}</p>
          <DialogActions>
            <Button onClick={() => setOpen(null)}>{tc("cancel")}</Button>
            <Button look="danger" onClick={() => void attempt(remove).then(() => setOpen(null))}>
              {t("booking.remove")}
            </Button>
          </DialogActions>
        </Dialog>
      )}
    </Page>
  );
}

function Change({ booking, onRemove }: { booking: Schemas["Reservation"]; onRemove: () => void }) {
  const queries = useQueryClient();
  const [form, setForm] = useState({
    title: booking.title ?? "",
    seats: String(booking.max_participants),
    duration: String(booking.duration_min),
  });
  const [error, setError] = useState<unknown>(null);
  const isRunning = booking.state !== "reserved";
  const save = async () => {
    setError(null);
    try {
      await ok(
        client.PATCH("/v1/reservations/{token}", {
          params: { path: { token: booking.token } },
          body: {
            title: form.title.trim() || null,
            max_participants: Number(form.seats),
            duration_min: Number(form.duration),
          },
        }),
      );
      await queries.invalidateQueries({ queryKey: ["reservation", booking.token] });
      await queries.invalidateQueries({ queryKey: ["reservations"] });
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Section title={t("booking.change")}>
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {error !== null && <ProblemBox error={error} />}
        <TextField
          label={t("booking.title")}
          maxLength={100}
          value={form.title}
          onChange={(event) => setForm({ ...form, title: event.target.value })}
        />
        <div className={css.pair}>
          <TextField
            label={t("booking.seats")}
            type="number"
            required
            value={form.seats}
            onChange={(event) => setForm({ ...form, seats: event.target.value })}
          />
          <TextField
            label={t("booking.duration.min")}
            type="number"
            required
            value={form.duration}
            onChange={(event) => setForm({ ...form, duration: event.target.value })}
          />
        </div>
        <div className={css.buttons}>
          <Button type="submit" look="primary">
            {t("booking.save")}
          </Button>
          {!isRunning && (
            <Button icon={<Trash2 />} onClick={onRemove}>
              {t("booking.remove")}
            </Button>
          )}
        </div>
      </form>
    </Section>
  );
}

function saveEvent(booking: Schemas["Reservation"]): void {
  const text = calendarEvent(
    {
      token: booking.token,
      starts_at: booking.starts_at,
      ends_at: booking.ends_at,
      title: booking.title || booking.conference,
      description: booking.conference,
    },
    location.hostname,
    new Date(),
  );
  saveFile(`${booking.conference}.ics`, new Blob([text], { type: "text/calendar" }));
}
