/** The messages of a call as lines over time: loss and jitter of both ways, from RTCP reports. */
import type { Schemas } from "../../api/client";

export type CallMessage = Schemas["CallMessage"];

export interface Series {
  /** Seconds since 1970. */
  times: number[];
  /** Of what comes from the caller (our reports), and of what goes there (theirs), 0 to 1. */
  lossFrom: (number | null)[];
  lossTo: (number | null)[];
  /** In milliseconds. */
  jitterFrom: (number | null)[];
  jitterTo: (number | null)[];
}

/** Hertz of the clock that jitter is counted in (RFC 3551; 48 kHz for Opus, RFC 7587). */
export function clockRate(codec: string | null | undefined): number {
  return codec?.toLowerCase() === "opus" ? 48_000 : 8_000;
}

export function seriesOf(messages: CallMessage[], codec: string | null | undefined): Series {
  const series: Series = { times: [], lossFrom: [], lossTo: [], jitterFrom: [], jitterTo: [] };
  const ticksPerMs = clockRate(codec) / 1_000;
  for (const message of messages) {
    const [stream] = message.report?.received ?? [];
    if (!stream) continue;
    const isOurs = message.direction === "sent";
    series.times.push(Date.parse(message.at) / 1_000);
    series.lossFrom.push(isOurs ? stream.loss : null);
    series.lossTo.push(isOurs ? null : stream.loss);
    series.jitterFrom.push(isOurs ? stream.jitter / ticksPerMs : null);
    series.jitterTo.push(isOurs ? null : stream.jitter / ticksPerMs);
  }
  return series;
}

export type MessageKind = "request" | "provisional" | "success" | "refused" | "rtcp";

/** What a message is, for how its arrow looks. */
export function kindOf(message: Pick<CallMessage, "kind" | "summary">): MessageKind {
  if (message.kind === "rtcp") return "rtcp";
  const status = Number(/^SIP\/2\.0 (\d{3})/.exec(message.summary)?.[1] ?? 0);
  if (!status) return "request";
  return status < 200 ? "provisional" : status < 300 ? "success" : "refused";
}
