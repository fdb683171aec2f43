import { useQuery } from "@tanstack/react-query";
import { client, everyPage, ok } from "../../api/client";
import { t } from "../../texts/pages";
import { ProblemBox } from "../../ui/Problem";
import css from "./Booking.module.css";
import { type Held, type Step, seatsLeft } from "./times";

const HALF_DAY_MS = 43_200_000;

export interface Seats {
  /** What is left half a day around. */
  steps: Step[];
  /** For all of the time; null: it is not known. */
  left: number | null;
  /** There is a time to ask about. */
  isAsked: boolean;
  /** Too few are left. */
  isFull: boolean;
  error: unknown;
  retry: () => void;
}

/** Asks how many seats are left for a time, while it is being entered. `own`: the booking that is to be changed. */
export function useSeats(startMs: number, durationMin: number, wanted: number, own?: Held): Seats {
  const isTimed = Number.isFinite(startMs) && durationMin > 0;
  const endMs = startMs + durationMin * 60_000;
  const isAsked = isTimed && endMs > Date.now();
  const availability = useQuery({
    queryKey: ["availability", startMs, durationMin],
    enabled: isAsked,
    retry: false,
    queryFn: () => {
      const from = new Date(Math.max(Date.now(), startMs - HALF_DAY_MS)).toISOString();
      const to = new Date(endMs + HALF_DAY_MS).toISOString();
      return everyPage<Step>((query) =>
        ok(client.GET("/v1/availability", { params: { query: { from, to, ...query } } })),
      );
    },
  });
  const steps = availability.data ?? [];
  // Of one that is running, what is over does not count.
  const begins = Math.max(startMs, Date.parse(steps[0]?.from ?? "") || startMs);
  const left = isAsked ? seatsLeft(steps, begins, endMs, own) : null;
  return {
    steps,
    left,
    isAsked,
    isFull: left !== null && left < wanted,
    error: availability.error,
    retry: () => void availability.refetch(),
  };
}

/** How many are left, beside the fields that ask for them. */
export function SeatsLeft({ seats }: { seats: Seats }) {
  if (!seats.isAsked) return null;
  if (seats.error) return <ProblemBox error={seats.error} onRetry={seats.retry} />;
  return (
    <output className={seats.isFull ? `${css.seats} ${css.full}` : css.seats}>
      {seats.left === null ? t("booking.seats.asking") : t("booking.seats.left", { count: seats.left })}
    </output>
  );
}
