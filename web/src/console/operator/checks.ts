/** What the health of the service means, and what to do about it. */
import type { Schemas } from "../../api/client";
import { amount, dateTime, measure, percent } from "../../texts/format";
import { t } from "../../texts/pages";
import type { Tone } from "../../ui/Page";

export interface Finding {
  tone: Tone;
  text: string;
}

type Health = Schemas["Health"];

/** From so long on the engine is slow: calls are not set up at once any more. */
const SLOW_MS = 250;
/** With less than this share free, the database may soon have no room. The doctor says the same. */
const FREE_SHARE_MIN = 0.1;
/** A certificate is renewed by then. */
const RENEW_BEFORE_DAYS = 14;
const DAY_MS = 86_400_000;
/** With more than this share sold, large bookings will be refused. */
const SOLD_SHARE_MAX = 0.9;

export function engineCheck({ engine_answer_ms: took }: Pick<Health, "engine_answer_ms">): Finding {
  if (took == null) return { tone: "bad", text: t("health.engine.bad") };
  const time = measure(took, "ms", took < 10 ? 2 : 0);
  return took > SLOW_MS
    ? { tone: "warn", text: t("health.engine.slow", { time }) }
    : { tone: "good", text: t("health.engine.good", { time }) };
}

const gigabytes = (bytes: number) => measure(bytes / 1e9, "GB", 1);

export function diskCheck(disk: Health["disk"]): Finding {
  if (!disk) return { tone: "warn", text: t("health.disk.unknown") };
  const { free_bytes: free, size_bytes: size, recording_needs_bytes: needed } = disk;
  const words = { free: gigabytes(free), size: gigabytes(size) };
  if (needed != null && free < needed) {
    return { tone: "bad", text: t("health.disk.full", { ...words, needed: gigabytes(needed) }) };
  }
  return free < size * FREE_SHARE_MIN
    ? { tone: "warn", text: t("health.disk.little", words) }
    : { tone: "good", text: t("health.disk.good", words) };
}

export function certificateCheck(expiresAt: Health["certificate_expires_at"], now = Date.now()): Finding {
  if (expiresAt == null) return { tone: "none", text: t("health.certificate.none") };
  const days = Math.floor((Date.parse(expiresAt) - now) / DAY_MS);
  const time = dateTime(expiresAt);
  if (days < 0) return { tone: "bad", text: t("health.certificate.over", { time }) };
  return days < RENEW_BEFORE_DAYS
    ? { tone: "warn", text: t("health.certificate.soon", { time }) }
    : { tone: "good", text: t("health.certificate.good", { time }) };
}

/** `least`: the fewest that are left at any moment of the next day. */
export function seatsCheck(least: number, capacity: number): Finding {
  const sold = capacity ? (capacity - least) / capacity : 0;
  const words = { left: amount(least), capacity: amount(capacity), sold: percent(sold) };
  return sold > SOLD_SHARE_MAX
    ? { tone: "warn", text: t("health.seats.few", words) }
    : { tone: "good", text: t("health.seats.good", words) };
}
