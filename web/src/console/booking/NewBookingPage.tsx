import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { dateTime, localInput } from "../../texts/format";
import { t } from "../../texts/pages";
import { readLanguage } from "../../texts/texts";
import { Button } from "../../ui/Button";
import { AreaField, SelectField, TextField } from "../../ui/Field";
import { Loaded } from "../../ui/List";
import { notify } from "../../ui/notices";
import { Page } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { useForm } from "../../ui/useForm";
import { limitsQuery } from "../conferences";
import css from "./Booking.module.css";
import { book, bookSeries, type NewBooking, refusedKey } from "./bookings";
import { parseGuests } from "./guests";
import { nearTimes, type Repeat, seatsLeft } from "./times";

const DAY_MS = 86_400_000;

export function NewBookingPage() {
  const limits = useQuery(limitsQuery);
  return (
    <Loaded query={limits}>{(data) => <BookingForm limits={data.reservations} hasMail={data.mail} />}</Loaded>
  );
}

/** The next full quarter of an hour that can be booked. */
function firstStart(limits: Schemas["ReservationLimits"]): Date {
  const earliest = Date.now() + (limits.min_notice_min + 1) * 60_000;
  return new Date(Math.ceil(earliest / 900_000) * 900_000);
}

function BookingForm({ limits, hasMail }: { limits: Schemas["ReservationLimits"]; hasMail: boolean }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { form, set, text } = useForm(() => ({
    conference: "",
    title: "",
    seats: String(Math.max(limits.min_participants, Math.min(10, limits.max_participants))),
    start: localInput(firstStart(limits)),
    duration: String(Math.max(limits.min_duration_min, Math.min(60, limits.max_duration_min))),
    divert: "",
    repeat: "none" as Repeat,
    count: "4",
    guests: "",
  }));
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const start = new Date(form.start);
  const startMs = start.getTime();
  const durationMin = Number(form.duration);
  const seats = Number(form.seats);
  const isTimed = Number.isFinite(startMs) && durationMin > 0;

  const from = new Date(Math.max(Date.now(), startMs - DAY_MS / 2));
  const availability = useQuery({
    queryKey: ["availability", form.start, form.duration],
    enabled: isTimed,
    retry: false,
    queryFn: () =>
      ok(
        client.GET("/v1/availability", {
          params: {
            query: {
              from: from.toISOString(),
              to: new Date(startMs + durationMin * 60_000 + DAY_MS / 2).toISOString(),
              limit: 500,
            },
          },
        }),
      ),
  });
  const steps = availability.data?.items ?? [];
  const left = isTimed ? seatsLeft(steps, startMs, startMs + durationMin * 60_000) : null;
  const isFull = left !== null && left < seats;
  const earliest = Date.now() + limits.min_notice_min * 60_000;
  const near = isFull ? nearTimes(steps, startMs, durationMin, seats, earliest) : [];
  const wrong = (pointer: string) =>
    error instanceof ApiProblem ? error.errors.find((one) => one.pointer === pointer)?.detail : undefined;

  const { guests, wrong: wrongGuests } = parseGuests(form.guests, readLanguage());

  const submit = async () => {
    setBusy(true);
    setError(null);
    const body: NewBooking = {
      conference: form.conference.trim(),
      max_participants: seats,
      starts_at: start.toISOString(),
      duration_min: durationMin,
      ...(form.title.trim() ? { title: form.title.trim() } : {}),
      ...(form.divert.trim() ? { divert: form.divert.trim() } : {}),
      ...(guests.length ? { guests } : {}),
    };
    try {
      const go = form.repeat === "none" ? await bookOne(body) : await bookMany(body, form.repeat);
      await queries.invalidateQueries({ queryKey: ["reservations"] });
      await queries.invalidateQueries({ queryKey: ["availability"] });
      await go();
    } catch (problem) {
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
      time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
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
        {error !== null && <ProblemBox error={error} />}
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
            hint={t("booking.zone", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
            error={wrong("/starts_at")}
            type="datetime-local"
            required
            {...text("start")}
          />
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
        </div>
        <div className={css.pair}>
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
          <TextField
            label={t("booking.divert")}
            hint={t("booking.divert.hint")}
            error={wrong("/divert")}
            {...text("divert")}
          />
        </div>
        <div className={css.pair}>
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
              max={60}
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
        <output className={isFull ? `${css.seats} ${css.full}` : css.seats}>
          {availability.error
            ? ""
            : left === null
              ? t("booking.seats.asking")
              : t("booking.seats.left", { count: left })}
        </output>
        {near.length > 0 && (
          <div className={css.near}>
            <span>{t("booking.near")}</span>
            {near.map((at) => (
              <Button key={at} size="small" onClick={() => set({ start: localInput(new Date(at)) })}>
                {dateTime(new Date(at).toISOString())}
              </Button>
            ))}
          </div>
        )}
        <div>
          <Button
            type="submit"
            look="primary"
            size="large"
            disabled={isBusy || isFull || wrongGuests.length > 0}
          >
            {t("booking.book")}
          </Button>
        </div>
      </form>
    </Page>
  );
}
