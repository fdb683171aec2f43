import { t } from "../texts/pages";

const REASONS = [
  "hung_up",
  "exit_key",
  "ejected",
  "removed_by_leader",
  "leader_left",
  "ended",
  "ended_by_leader",
  "alone",
  "time_is_up",
  "replaced",
  "unreachable",
  "failed",
  "service_stopped",
  "interrupted",
  "denied",
  "over",
  "busy",
  "no_answer",
  "declined",
  "unknown",
  "given_up",
] as const;

/** Why a call or a participant has gone, in words; a reason that is newer than this page is shown as it is. */
export function reasonText(reason: string): string {
  const known = REASONS.find((one) => one === reason);
  return known ? t(`timeline.reason.${known}`) : reason;
}
