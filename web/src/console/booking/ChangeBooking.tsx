import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Schemas, Versioned } from "../../api/client";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { readLanguage } from "../../texts/texts";
import { Button } from "../../ui/Button";
import { AreaField, TextField } from "../../ui/Field";
import { GuardedButton } from "../../ui/GuardedButton";
import { Loaded } from "../../ui/List";
import { notify } from "../../ui/notices";
import { Section } from "../../ui/Page";
import { memberError, ProblemBox } from "../../ui/Problem";
import { useForm } from "../../ui/useForm";
import { useNow } from "../../ui/useNow";
import { limitsQuery } from "../conferences";
import { PinField } from "../PinField";
import css from "./Booking.module.css";
import { type Booking, changeBooking } from "./bookings";
import { guestText, keepLanguages, parseGuests } from "./guests";
import { SeatsLeft, seatsMayBeGone, useSeats } from "./SeatsLeft";
import { mayExtend, mayRemove } from "./times";
import { momentOf, ownZone, wallTime } from "./zones";

/** Members that have fields here, besides the start, which has one as long as it can be changed. */
const FIELDS = ["/title", "/max_participants", "/duration_min", "/divert", "/guests", "/pin"];

interface ChangeProps {
  current: Versioned<Booking>;
  onRemove: () => void;
}

/** What is entered stays, also where another person changes the booking meanwhile: then it can be begun anew. */
export function ChangeBooking({ current, onRemove }: ChangeProps) {
  const limits = useQuery(limitsQuery);
  const [begun, setBegun] = useState(current);
  // What was just saved is no change of another person, also before the page has read it again.
  const [replaced, setReplaced] = useState<string | null>(null);
  // The form is another one where it is begun anew; saved, it keeps the focus.
  const [round, setRound] = useState(0);
  const isOutdated = current.version !== begun.version && current.version !== replaced;
  return (
    <Section title={t("booking.change")}>
      {isOutdated && (
        <p className={css.outdated} role="status">
          {t("booking.outdated")}{" "}
          <Button
            size="small"
            icon={<RotateCw />}
            onClick={() => {
              setBegun(current);
              setRound(round + 1);
            }}
          >
            {t("booking.outdated.begin")}
          </Button>
        </p>
      )}
      <Loaded query={limits}>
        {(data) => (
          <Form
            key={round}
            begun={begun}
            isRunning={current.data.state !== "reserved"}
            limits={data.reservations}
            hasMail={data.mail}
            onRemove={onRemove}
            onSaved={(saved) => {
              setReplaced(begun.version);
              setBegun(saved);
            }}
          />
        )}
      </Loaded>
    </Section>
  );
}

interface FormProps {
  begun: Versioned<Booking>;
  /** Its time has come meanwhile. */
  isRunning: boolean;
  limits: Schemas["ReservationLimits"];
  hasMail: boolean;
  onRemove: () => void;
  onSaved: (now: Versioned<Booking>) => void;
}

function Form({ begun, isRunning, limits, hasMail, onRemove, onSaved }: FormProps) {
  const queries = useQueryClient();
  const now = useNow(10_000);
  const { data: booking, version } = begun;
  const zone = ownZone();
  const before = {
    title: booking.title ?? "",
    seats: String(booking.max_participants),
    duration: String(booking.duration_min),
    start: wallTime(Date.parse(booking.starts_at), zone),
    divert: booking.divert ?? "",
    guests: guestText(booking.guests),
    pin: "",
  };
  const { form, set, text } = useForm(before);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const { guests, wrong } = parseGuests(form.guests, readLanguage());

  const own = {
    startMs: Date.parse(booking.starts_at),
    endMs: Date.parse(booking.ends_at),
    seats: booking.max_participants,
  };
  const startMs = form.start === before.start ? own.startMs : momentOf(form.start, zone);
  const durationMin = Number(form.duration);
  const wanted = Number(form.seats);
  const seats = useSeats({ startMs, durationMin, seats: wanted, own, noticeMin: limits.min_notice_min });
  const isLonger = durationMin > booking.duration_min;
  const tooLate = isRunning && isLonger ? mayExtend(own.endMs, now, limits) : null;
  const fixed = mayRemove(own.startMs, now, limits);
  const reason = seats.isFull
    ? t("booking.full")
    : tooLate
      ? t("booking.extend.late", { count: tooLate.minutes })
      : null;
  const wrongOf = (pointer: string) => memberError(error, pointer);

  const save = async () => {
    setError(null);
    setBusy(true);
    // What was not entered is not named: it stays as it is.
    const body: Schemas["ReservationPatch"] = {
      ...(form.title === before.title ? {} : { title: form.title.trim() || null }),
      ...(form.divert === before.divert ? {} : { divert: form.divert.trim() || null }),
      ...(form.seats === before.seats ? {} : { max_participants: wanted }),
      ...(form.duration === before.duration ? {} : { duration_min: durationMin }),
      ...(form.start === before.start ? {} : { starts_at: new Date(startMs).toISOString() }),
      ...(form.guests === before.guests ? {} : { guests: keepLanguages(guests, booking.guests) }),
      ...(guests.length && form.pin ? { pin: form.pin } : {}),
    };
    try {
      const changed = await changeBooking(booking.token, version, body);
      onSaved(changed);
      queries.setQueryData(["reservation", booking.token], changed);
      await queries.invalidateQueries({ queryKey: ["reservations"] });
      await queries.invalidateQueries({ queryKey: ["availability"] });
      await queries.invalidateQueries({ queryKey: ["mails", booking.token] });
      notify(t("booking.saved"));
    } catch (problem) {
      await seatsMayBeGone(queries, problem);
      setError(problem);
    }
    setBusy(false);
  };
  return (
    <form
      className={css.form}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {error !== null && (
        <ProblemBox error={error} atFields={isRunning ? FIELDS : [...FIELDS, "/starts_at"]} />
      )}
      <div className={css.pair}>
        <TextField label={t("booking.title")} error={wrongOf("/title")} maxLength={100} {...text("title")} />
        {!isRunning && (
          <TextField
            label={t("booking.starts")}
            hint={t("booking.zone", { zone })}
            error={wrongOf("/starts_at")}
            type="datetime-local"
            required
            {...text("start")}
          />
        )}
      </div>
      <div className={css.pair}>
        <TextField
          label={t("booking.seats")}
          hint={t("booking.range", { from: limits.min_participants, to: limits.max_participants })}
          error={wrongOf("/max_participants")}
          type="number"
          required
          min={limits.min_participants}
          max={limits.max_participants}
          {...text("seats")}
        />
        <TextField
          label={t("booking.duration.min")}
          hint={t("booking.range", { from: limits.min_duration_min, to: limits.max_duration_min })}
          error={wrongOf("/duration_min")}
          type="number"
          required
          min={limits.min_duration_min}
          max={limits.max_duration_min}
          {...text("duration")}
        />
      </div>
      <TextField
        label={t("booking.divert")}
        hint={t("booking.divert.hint")}
        error={wrongOf("/divert")}
        {...text("divert")}
      />
      {(hasMail || booking.guests.length > 0) && (
        <AreaField
          label={t("booking.guests")}
          hint={t("booking.guests.hint")}
          error={wrong.length ? t("booking.guests.wrong", { text: wrong.join(", ") }) : wrongOf("/guests")}
          rows={3}
          {...text("guests")}
        />
      )}
      {guests.length > 0 && (
        <PinField value={form.pin} error={wrongOf("/pin")} onChange={(pin) => set({ pin })} />
      )}
      <SeatsLeft
        seats={seats}
        onPick={
          isRunning
            ? undefined
            : (at) => {
                setError(null);
                set({ start: wallTime(at, zone) });
              }
        }
      />
      <div className={css.buttons}>
        <GuardedButton
          type="submit"
          look="primary"
          isBusy={isBusy}
          disabled={wrong.length > 0}
          reason={reason}
        >
          {t("booking.save")}
        </GuardedButton>
        {!isRunning && (
          <GuardedButton
            icon={<Trash2 />}
            onClick={onRemove}
            reason={
              fixed && t("booking.remove.late", { count: fixed.minutes, time: dateTime(booking.starts_at) })
            }
          >
            {t("booking.remove")}
          </GuardedButton>
        )}
      </div>
    </form>
  );
}
