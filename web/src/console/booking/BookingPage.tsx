import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { CalendarArrowDown, DoorOpen, KeyRound, Link2, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { tc } from "../../texts/common";
import { amount, dateTime, localInput } from "../../texts/format";
import { t } from "../../texts/pages";
import { readLanguage } from "../../texts/texts";
import { Button } from "../../ui/Button";
import button from "../../ui/Button.module.css";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { AreaField, TextField } from "../../ui/Field";
import { List, Loaded } from "../../ui/List";
import { attempt, notify } from "../../ui/notices";
import { Badge, Facts, Page, Panel, Section, type Tone } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { useForm } from "../../ui/useForm";
import { limitsQuery, useRefreshedBy } from "../conferences";
import { phaseTone } from "../Home";
import { InviteDialog } from "../InviteDialog";
import { LeaderLinksDialog } from "../LeaderLinksDialog";
import { telephoneFacts, waysQuery } from "../links";
import { useMay } from "../session";
import css from "./Booking.module.css";
import { type Booking, bookingQuery, changeBooking, type Mail, mailsQuery, removeBooking } from "./bookings";
import { guestText, keepLanguages, parseGuests } from "./guests";

const route = getRouteApi("/shell/bookings/$token");

export function BookingPage() {
  const { token } = route.useParams();
  useRefreshedBy((type) => type.startsWith("reservation."), [["reservation", token]]);
  const booking = useQuery(bookingQuery(token));
  return <Loaded query={booking}>{(data) => <Shown booking={data} />}</Loaded>;
}

function Shown({ booking }: { booking: Booking }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const mayBook = useMay("book");
  const mayControl = useMay("control");
  const [open, setOpen] = useState<"invite" | "leaders" | "remove" | null>(null);
  const { token, conference, title } = booking;
  const ways = useQuery(waysQuery(conference));
  const isOver = booking.state === "completed";
  const remove = async () => {
    await removeBooking(token);
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
          <a
            href={`/v1/reservations/${encodeURIComponent(token)}/calendar`}
            download={`${conference}.ics`}
            className={`${button.button} ${button.plain} ${button.normal}`}
          >
            <CalendarArrowDown aria-hidden="true" size={17} />
            {t("booking.ics")}
          </a>
          {mayControl && !isOver && (
            <>
              <Button icon={<KeyRound />} onClick={() => setOpen("leaders")}>
                {t("leader_link")}
              </Button>
              <Button look="primary" icon={<Link2 />} onClick={() => setOpen("invite")}>
                {t("invite")}
              </Button>
            </>
          )}
        </>
      }
    >
      <Section title={t("booking.facts")}>
        <Panel>
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
              ...telephoneFacts(ways.data),
              ...(booking.series
                ? ([
                    [
                      t("series"),
                      <Link key="series" to="/bookings/series/$id" params={{ id: `${booking.series.id}` }}>
                        {t("series.all")}
                      </Link>,
                    ],
                  ] satisfies [string, ReactNode][])
                : []),
              [t("booking.token"), <code key="token">{token}</code>],
            ]}
          </Facts>
        </Panel>
      </Section>
      {booking.guests.length > 0 && <Mails token={token} />}
      {mayBook && !isOver && <Change key={token} booking={booking} onRemove={() => setOpen("remove")} />}
      {open === "invite" && (
        <InviteDialog
          of={{ reservation: token }}
          conference={conference}
          title={title || conference}
          onClose={() => setOpen(null)}
        />
      )}
      {open === "leaders" && (
        <LeaderLinksDialog
          of={{ reservation: token }}
          title={title || conference}
          onClose={() => setOpen(null)}
        />
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

function Change({ booking, onRemove }: { booking: Booking; onRemove: () => void }) {
  const queries = useQueryClient();
  const limits = useQuery(limitsQuery);
  const before = booking.guests;
  const { form, text } = useForm({
    title: booking.title ?? "",
    seats: String(booking.max_participants),
    duration: String(booking.duration_min),
    start: localInput(new Date(booking.starts_at)),
    guests: guestText(before),
  });
  const [error, setError] = useState<unknown>(null);
  const isRunning = booking.state !== "reserved";
  const hasMail = limits.data?.mail || before.length > 0;
  const { guests, wrong } = parseGuests(form.guests, readLanguage());
  const save = async () => {
    setError(null);
    try {
      const isMoved = form.start !== localInput(new Date(booking.starts_at));
      await changeBooking(booking.token, {
        title: form.title.trim() || null,
        max_participants: Number(form.seats),
        duration_min: Number(form.duration),
        ...(isMoved ? { starts_at: new Date(form.start).toISOString() } : {}),
        ...(form.guests === guestText(before) ? {} : { guests: keepLanguages(guests, before) }),
      });
      await queries.invalidateQueries({ queryKey: ["reservation", booking.token] });
      await queries.invalidateQueries({ queryKey: ["reservations"] });
      await queries.invalidateQueries({ queryKey: ["mails", booking.token] });
      notify(t("booking.saved"));
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
        <div className={css.pair}>
          <TextField label={t("booking.title")} maxLength={100} {...text("title")} />
          {!isRunning && (
            <TextField label={t("booking.starts")} type="datetime-local" required {...text("start")} />
          )}
        </div>
        <div className={css.pair}>
          <TextField label={t("booking.seats")} type="number" required {...text("seats")} />
          <TextField label={t("booking.duration.min")} type="number" required {...text("duration")} />
        </div>
        {hasMail && (
          <AreaField
            label={t("booking.guests")}
            hint={t("booking.guests.hint")}
            error={wrong.length ? t("booking.guests.wrong", { text: wrong.join(", ") }) : undefined}
            rows={3}
            {...text("guests")}
          />
        )}
        <div className={css.buttons}>
          <Button type="submit" look="primary" disabled={wrong.length > 0}>
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

const tones: Record<Mail["state"], Tone> = { waiting: "warn", sent: "good", failed: "bad" };

/** What became of the mails to those who are invited. */
function Mails({ token }: { token: string }) {
  const mails = useQuery(mailsQuery(token));
  return (
    <Section title={t("mails")} {...(mails.data ? { count: mails.data.length } : {})}>
      <List
        query={mails}
        label={t("mails")}
        none={t("mails.none")}
        head={[t("people.mail"), t("mails.kind"), t("booking.state"), t("mails.at"), t("trunk.error")]}
        row={(mail) => (
          <tr key={mail.id}>
            <td>{mail.to}</td>
            <td>{t(`mails.kind.${mail.kind}`)}</td>
            <td>
              <Badge tone={tones[mail.state]}>{t(`mails.state.${mail.state}`)}</Badge>
            </td>
            <td>{dateTime(mail.sent_at ?? mail.next_at)}</td>
            <td>{mail.error ?? "–"}</td>
          </tr>
        )}
      />
    </Section>
  );
}
