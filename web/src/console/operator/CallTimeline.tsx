import { useQuery } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import { preciseTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { Loaded } from "../../ui/List";
import { Section, Table } from "../../ui/Page";
import { reasonText } from "../reasons";
import { type CallEvent, type Moment, timelineOf } from "./timeline";

const READ_AGAIN_MS = 5_000;
const EVENTS_MAX = 1_000;

/** What happened to a call: set up, entered, muted, moved, over. */
export function CallTimeline({ call, isLive }: { call: Schemas["CallRecord"]; isLive: boolean }) {
  const { id } = call;
  const events = useQuery({
    queryKey: ["call-events", id, call.ended_at],
    retry: false,
    refetchInterval: isLive ? READ_AGAIN_MS : false,
    queryFn: () =>
      everyPage<CallEvent>(
        (query) => ok(client.GET("/v1/calls/{id}/events", { params: { path: { id }, query } })),
        EVENTS_MAX,
      ),
  });
  return (
    <Section title={t("timeline")}>
      <Loaded query={events}>
        {(found) => (
          <Table
            label={t("timeline")}
            head={[
              t("call.time"),
              t("timeline.what"),
              t("booking.conference"),
              t("timeline.by"),
              t("timeline.why"),
            ]}
          >
            {timelineOf(call, found).map((moment, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: what has happened is only added to.
              <tr key={index}>
                <td>{preciseTime(moment.at)}</td>
                <td>{words(moment)}</td>
                <td>{moment.conference ?? "–"}</td>
                <td>{moment.actor ? t(`timeline.by.${moment.actor}`) : "–"}</td>
                <td>{reason(moment)}</td>
              </tr>
            ))}
          </Table>
        )}
      </Loaded>
    </Section>
  );
}

const KNOWN = [
  "call.started",
  "call.answered",
  "call.ended",
  "call.failed",
  "participant.calling",
  "participant.ringing",
  "participant.waiting",
  "participant.admitted",
  "participant.refused",
  "participant.entered",
  "participant.muted",
  "participant.unmuted",
  "participant.hand_raised",
  "participant.hand_lowered",
  "participant.held",
  "participant.resumed",
  "participant.changed",
  "participant.left",
] as const;

/** A type that is newer than this page is shown by its name. */
function words({ type, data }: Moment): string {
  if (type === "key.pressed") return t("timeline.key", { key: String(data.key) });
  if (type === "participant.moved") return t("timeline.moved", { from: String(data.from_conference) });
  const known = KNOWN.find((one) => one === type);
  return known ? t(`timeline.${known}`) : type;
}

function reason({ type, reason: said, data }: Moment): string {
  if (type === "participant.muted") {
    const by = (["self", "leader", "lecture"] as const).find((one) => one === data.by);
    return by ? t(`muted.${by}`) : "–";
  }
  // The record has its reason in words.
  if (!said || type === "call.ended") return said ?? "–";
  return reasonText(said);
}
