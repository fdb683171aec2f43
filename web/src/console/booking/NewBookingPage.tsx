import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { SERIES_DATES_MAX } from "../../api/bounds";
import type { Schemas } from "../../api/client";
import { tc } from "../../texts/common";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { readLanguage } from "../../texts/texts";
import { Button } from "../../ui/Button";
import { AreaField, SelectField, TextField } from "../../ui/Field";
import { GuardedButton } from "../../ui/GuardedButton";
import { LoadedPage } from "../../ui/LoadedPage";
import { notify } from "../../ui/notices";
import { Page } from "../../ui/Page";
import { memberError, ProblemBox } from "../../ui/Problem";
import { useForm } from "../../ui/useForm";
import { limitsQuery } from "../conferences";
import { PinField } from "../PinField";
import css from "./Booking.module.css";
import { book, bookSeries, type NewBooking, refusedKey } from "./bookings";
import { parseGuests } from "./guests";
import { SeatsLeft, seatsMayBeGone, useSeats } from "./SeatsLeft";
import type { Repeat } from "./times";
import { momentOf, ownZone, wallTime, zones } from "./zones";

export function NewBookingPage() {
  const limits = useQuery(limitsQuery);
  return (
    <LoadedPage title={t("bookings.new")} query={limits}>
      {(data) => <BookingForm limits={data.reservations} hasMail={data.mail} />}
    </LoadedPage>
  );
}

/** Members that have fields here. */
const FIELDS = [
  "/conference",
  "/title",
  "/starts_at",
  "/time_zone",
  "/duration_min",
  "/max_participants",
  "/divert",
  "/pin",
];

/** The next full quarter of an hour that can be booked. */
function firstStart(limits: Schemas["ReservationLimits"]): number {
  const earliest = Date.now() + (limits.min_notice_min + 1) * 60_000;
  return Math.ceil(earliest / 900_000) * 900_000;
}

function BookingForm({ limits, hasMail }: { limits: Schemas["ReservationLimits"]; hasMail: boolean }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { form, set, text } = useForm(() => ({
    conference: "",
    title: "",
    seats: String(Math.max(limits.min_participants, Math.min(10, limits.max_participants))),
    start: wallTime(firstStart(limits), ownZone()),
    zone: ownZone(),
    duration: String(Math.max(limits.min_duration_min, Math.min(60, limits.max_duration_min))),
    divert: "",
    repeat: "none" as Repeat,
    count: "4",
    guests: "",
    pin: "",
  }));
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const startMs = momentOf(form.start, form.zone);
  const durationMin = Number(form.duration);
  const wanted = Number(form.seats);
  const seats = useSeats({ startMs, durationMin, seats: wanted, noticeMin: limits.min_notice_min });
  const wrong = (pointer: string) => memberError(error, pointer);

  const { guests, wrong: wrongGuests } = parseGuests(form.guests, readLanguage());

  const submit = async () => {
    setBusy(true);
    setError(null);
    const body: NewBooking = {
      conference: form.conference.trim(),
      max_participants: wanted,
      starts_at: new Date(startMs).toISOString(),
      duration_min: durationMin,
      ...(form.title.trim() ? { title: form.title.trim() } : {}),
      ...(form.divert.trim() ? { divert: form.divert.trim() } : {}),
      ...(guests.length ? { guests } : {}),
      ...(guests.length && form.pin ? { pin: form.pin } : {}),
    };
    try {
      const go = form.repeat === "none" ? await bookOne(body) : await bookMany(body, form.repeat);
      await queries.invalidateQueries({ queryKey: ["reservations"] });
      await queries.invalidateQueries({ queryKey: ["availability"] });
      await go();
    } catch (problem) {
      await seatsMayBeGone(queries, problem);
      setError(problem);
      setBusy(false);
    }
  };
  const bookOne = async (body: NewBooking) => {
    const { token } = await book(body);
    notify(t("booking.made", { count: 1 }));
    return () => navigate({ to: "/bookings/$token", params: { token } });
  };
  const bookMany = async (body: NewBooking, repeat: Schemas["Repeat"]) => {
    const made = await bookSeries({
      ...body,
      repeat,
      interval: 1,
      count: Number(form.count),
      time_zone: form.zone,
    });
    notify(t("booking.made", { count: made.dates.filter((one) => one.state === "booked").length }));
    queries.setQueryData(
      refusedKey(`${made.id}`),
      made.dates.filter((one) => one.state === "refused"),
    );
    return () => navigate({ to: "/bookings/series/$id", params: { id: `${made.id}` } });
  };
  return (
    <Page title={t("bookings.new")}>
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {error !== null && <ProblemBox error={error} atFields={FIELDS} />}
        <div className={css.pair}>
          <TextField
            label={t("booking.conference")}
            hint={t("booking.conference.hint")}
            error={wrong("/conference")}
            required
            maxLength={47}
            pattern="[A-Za-z0-9]+"
            {...text("conference")}
          />
          <TextField label={t("booking.title")} error={wrong("/title")} maxLength={100} {...text("title")} />
        </div>
        <div className={css.pair}>
          <TextField
            label={t("booking.starts")}
            hint={
              form.zone === ownZone() || !Number.isFinite(startMs)
                ? undefined
                : t("booking.starts.here", { time: dateTime(new Date(startMs).toISOString()) })
            }
            error={wrong("/starts_at")}
            type="datetime-local"
            required
            {...text("start")}
          />
          <SelectField label={t("booking.time_zone")} error={wrong("/time_zone")} {...text("zone")}>
            {zones().map((zone) => (
              <option key={zone} value={zone}>
                {zone}
              </option>
            ))}
          </SelectField>
        </div>
        <div className={css.pair}>
          <TextField
            label={t("booking.duration.min")}
            hint={t("booking.range", { from: limits.min_duration_min, to: limits.max_duration_min })}
            error={wrong("/duration_min")}
            type="number"
            required
            min={limits.min_duration_min}
            max={limits.max_duration_min}
            {...text("duration")}
          />
          <TextField
            label={t("booking.seats")}
            hint={t("booking.range", { from: limits.min_participants, to: limits.max_participants })}
            error={wrong("/max_participants")}
            type="number"
            required
            min={limits.min_participants}
            max={limits.max_participants}
            {...text("seats")}
          />
        </div>
        <div className={css.pair}>
          <TextField
            label={t("booking.divert")}
            hint={t("booking.divert.hint")}
            error={wrong("/divert")}
            {...text("divert")}
          />
          <SelectField label={t("booking.repeat")} {...text("repeat")}>
            <option value="none">{t("repeat.none")}</option>
            <option value="daily">{t("repeat.daily")}</option>
            <option value="weekly">{t("repeat.weekly")}</option>
            <option value="monthly">{t("repeat.monthly")}</option>
          </SelectField>
          {form.repeat !== "none" && (
            <TextField
              label={t("booking.count")}
              hint={t("booking.count.hint")}
              type="number"
              min={2}
              max={SERIES_DATES_MAX}
              required
              {...text("count")}
            />
          )}
        </div>
        {hasMail && (
          <AreaField
            label={t("booking.guests")}
            hint={t("booking.guests.hint")}
            error={
              wrongGuests.length ? t("booking.guests.wrong", { text: wrongGuests.join(", ") }) : undefined
            }
            rows={3}
            {...text("guests")}
          />
        )}
        {guests.length > 0 && (
          <PinField value={form.pin} error={wrong("/pin")} onChange={(pin) => set({ pin })} />
        )}
        <SeatsLeft
          seats={seats}
          zone={form.zone}
          onPick={(at) => {
            setError(null);
            set({ start: wallTime(at, form.zone) });
          }}
        />
        <div className={css.buttons}>
          <GuardedButton
            type="submit"
            look="primary"
            isBusy={isBusy}
            disabled={seats.isFull || wrongGuests.length > 0}
            reason={seats.isFull ? t("booking.full") : null}
          >
            {t("booking.book")}
          </GuardedButton>
          <Button onClick={() => void navigate({ to: "/bookings" })}>{tc("cancel")}</Button>
        </div>
      </form>
    </Page>
  );
}
