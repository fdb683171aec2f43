import { type QueryClient, useQuery } from "@tanstack/react-query";
import { client, everyPage, ok } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { ProblemBox } from "../../ui/Problem";
import css from "./Booking.module.css";
import { type Held, nearTimes, type Step, seatsLeft } from "./times";

const DAY_MS = 86_400_000;

/** Too few seats are left for the time. */
const SOLD_OUT = "1206";

/** What is asked for. */
interface Wanted {
  startMs: number;
  durationMin: number;
  seats: number;
  /** The booking that is to be changed. */
  own?: Held;
  /** It starts at least so long from now. */
  noticeMin: number;
}

export interface Seats {
  /** For all of the time; null: it is not known. */
  left: number | null;
  /** There is a time to ask about. */
  isAsked: boolean;
  /** Too few are left. */
  isFull: boolean;
  /** Where too few are left: when there are enough, within a day. */
  near: number[];
  error: unknown;
  retry: () => void;
}

/** Asks how many seats are left for a time, while it is being entered. */
export function useSeats({ startMs, durationMin, seats, own, noticeMin }: Wanted): Seats {
  const isTimed = Number.isFinite(startMs) && durationMin > 0;
  const endMs = startMs + durationMin * 60_000;
  const isAsked = isTimed && endMs > Date.now();
  const availability = useQuery({
    queryKey: ["availability", startMs, durationMin],
    enabled: isAsked,
    retry: false,
    queryFn: () => {
      const from = new Date(Math.max(Date.now(), startMs - DAY_MS)).toISOString();
      const to = new Date(endMs + DAY_MS).toISOString();
      return everyPage<Step>((query) =>
        ok(client.GET("/v1/availability", { params: { query: { from, to, ...query } } })),
      );
    },
  });
  const steps = availability.data ?? [];
  // Of one that is running, what is over does not count.
  const begins = Math.max(startMs, Date.parse(steps[0]?.from ?? "") || startMs);
  const left = isAsked ? seatsLeft(steps, begins, endMs, own) : null;
  const isFull = left !== null && left < seats;
  const earliestMs = Date.now() + noticeMin * 60_000;
  return {
    left,
    isAsked,
    isFull,
    near: isFull ? nearTimes(steps, { startMs, durationMin, seats, earliestMs, own }) : [],
    error: availability.error,
    retry: () => void availability.refetch(),
  };
}

/** Where somebody was faster, what was known to be left is not any more. */
export async function seatsMayBeGone(queries: QueryClient, problem: unknown): Promise<void> {
  if (problem instanceof ApiProblem && problem.code === SOLD_OUT) {
    await queries.invalidateQueries({ queryKey: ["availability"] });
  }
}

interface SeatsLeftProps {
  seats: Seats;
  /** Of the times that are shown; the reader's if left out. */
  zone?: string;
  /** Takes another start; left out: it cannot be changed. */
  onPick?: ((startMs: number) => void) | undefined;
}

/** How many are left, beside the fields that ask for them, and near times where these are too few. */
export function SeatsLeft({ seats, zone, onPick }: SeatsLeftProps) {
  if (!seats.isAsked) return null;
  if (seats.error) return <ProblemBox error={seats.error} onRetry={seats.retry} />;
  return (
    <>
      <output className={seats.isFull ? `${css.seats} ${css.full}` : css.seats}>
        {seats.left === null ? t("booking.seats.asking") : t("booking.seats.left", { count: seats.left })}
      </output>
      {onPick && seats.isFull && (
        <div className={css.near}>
          <span>{t(seats.near.length ? "booking.near" : "booking.near.none")}</span>
          {seats.near.map((at) => (
            <Button key={at} size="small" onClick={() => onPick(at)}>
              {dateTime(new Date(at).toISOString(), zone)}
            </Button>
          ))}
        </div>
      )}
    </>
  );
}
