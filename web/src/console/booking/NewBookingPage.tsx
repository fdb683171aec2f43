import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { dateTime, localInput } from "../../texts/format";
import { Button } from "../../ui/Button";
import { SelectField, TextField } from "../../ui/Field";
import { notify } from "../../ui/notices";
import { Loading, Page } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { limitsQuery } from "../conferences";
import css from "./Booking.module.css";
import { nearTimes, occurrences, type Repeat, seatsLeft } from "./times";

const DAY_MS = 86_400_000;

export function NewBookingPage() {
  const limits = useQuery(limitsQuery);
  if (limits.isPending) return <Loading label={tc("loading")} />;
  if (limits.error) return <ProblemBox error={limits.error} onRetry={() => void limits.refetch()} />;
  return <BookingForm limits={limits.data.reservations} />;
}

/** The next full quarter of an hour that can be booked. */
function firstStart(limits: Schemas["ReservationLimits"]): Date {
  const earliest = Date.now() + (limits.min_notice_min + 1) * 60_000;
  return new Date(Math.ceil(earliest / 900_000) * 900_000);
}

function BookingForm({ limits }: { limits: Schemas["ReservationLimits"] }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [form, setForm] = useState(() => ({
    conference: "",
    title: "",
    seats: String(Math.max(limits.min_participants, Math.min(10, limits.max_participants))),
    start: localInput(firstStart(limits)),
    duration: String(Math.max(limits.min_duration_min, Math.min(60, limits.max_duration_min))),
    divert: "",
    repeat: "none" as Repeat,
    count: "4",
  }));
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change });
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

  const book = async () => {
    setBusy(true);
    setError(null);
    const made: Schemas["Reservation"][] = [];
    try {
      for (const at of occurrences(start, form.repeat, Number(form.count))) {
        const body: Schemas["ReservationBody"] = {
          conference: form.conference.trim(),
          max_participants: seats,
          starts_at: at.toISOString(),
          duration_min: durationMin,
          ...(form.title.trim() ? { title: form.title.trim() } : {}),
          ...(form.divert.trim() ? { divert: form.divert.trim() } : {}),
        };
        made.push(await ok(client.POST("/v1/reservations", { body })));
      }
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
    await queries.invalidateQueries({ queryKey: ["reservations"] });
    await queries.invalidateQueries({ queryKey: ["availability"] });
    if (made.length) notify(t("booking.made", { count: made.length }));
    const total = form.repeat === "none" ? 1 : Number(form.count);
    if (made.length < total) return;
    const [first] = made;
    if (first && total === 1) await navigate({ to: "/bookings/$token", params: { token: first.token } });
    else await navigate({ to: "/bookings" });
  };
  return (
    <Page title={t("bookings.new")}>
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void book();
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
            value={form.conference}
            onChange={(event) => set({ conference: event.target.value })}
          />
          <TextField
            label={t("booking.title")}
            error={wrong("/title")}
            maxLength={100}
            value={form.title}
            onChange={(event) => set({ title: event.target.value })}
          />
        </div>
        <div className={css.pair}>
          <TextField
            label={t("booking.starts")}
            hint={t("booking.zone", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
            error={wrong("/starts_at")}
            type="datetime-local"
            required
            value={form.start}
            onChange={(event) => set({ start: event.target.value })}
          />
          <TextField
            label={t("booking.duration.min")}
            hint={t("booking.range", { from: limits.min_duration_min, to: limits.max_duration_min })}
            error={wrong("/duration_min")}
            type="number"
            required
            min={limits.min_duration_min}
            max={limits.max_duration_min}
            value={form.duration}
            onChange={(event) => set({ duration: event.target.value })}
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
            value={form.seats}
            onChange={(event) => set({ seats: event.target.value })}
          />
          <TextField
            label={t("booking.divert")}
            hint={t("booking.divert.hint")}
            error={wrong("/divert")}
            value={form.divert}
            onChange={(event) => set({ divert: event.target.value })}
          />
        </div>
        <div className={css.pair}>
          <SelectField
            label={t("booking.repeat")}
            value={form.repeat}
            onChange={(event) => set({ repeat: event.target.value as Repeat })}
          >
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
              value={form.count}
              onChange={(event) => set({ count: event.target.value })}
            />
          )}
        </div>
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
          <Button type="submit" look="primary" size="large" disabled={isBusy || isFull}>
            {t("booking.book")}
          </Button>
        </div>
      </form>
    </Page>
  );
}
