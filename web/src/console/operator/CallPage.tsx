import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { client, ok, type Schemas } from "../../api/client";
import { amount, dateTime, duration, percent } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { Loaded } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { Badge, Empty, Facts, Page, Panel, Section } from "../../ui/Page";
import { saveFile } from "../../ui/save";
import { statisticsOf } from "../room/hints";
import { StatisticsFacts } from "../room/StatisticsFacts";
import { useMay } from "../session";
import { CallMessages } from "./CallMessages";
import { outcomeTone } from "./CallsPage";
import { QualityCharts } from "./QualityCharts";

type CallRecord = Schemas["CallRecord"];

const route = getRouteApi("/shell/calls/$id");

export function CallPage() {
  const { id } = route.useParams();
  const call = useQuery({
    queryKey: ["call", id],
    queryFn: () => ok(client.GET("/v1/calls/{id}", { params: { path: { id } } })),
  });
  return <Loaded query={call}>{(data) => <Call call={data} />}</Loaded>;
}

function Call({ call }: { call: CallRecord }) {
  const { id } = call;
  const mayOperate = useMay("operator");
  const messages = useQuery({
    queryKey: ["messages", id],
    enabled: mayOperate,
    retry: false,
    refetchInterval: (query) => (query.state.data && !query.state.data.over ? 5_000 : false),
    queryFn: () => ok(client.GET("/v1/operator/calls/{id}/messages", { params: { path: { id } } })),
  });
  return (
    <Page
      title={t("call.title", { from: call.from ?? "?", to: call.to ?? call.service ?? "?" })}
      note={dateTime(call.started_at)}
      actions={
        mayOperate &&
        messages.data && (
          <Button icon={<Download />} onClick={() => void attempt(() => download(id))}>
            {t("call.pcap")}
          </Button>
        )
      }
    >
      <Section title={t("call.record")}>
        <Panel>
          <Record call={call} />
        </Panel>
      </Section>
      {call.outcome === "in_progress" && call.conference && <Live id={id} conference={call.conference} />}
      <QualityCharts id={id} isLive={call.outcome === "in_progress"} />
      {mayOperate && (
        <Section
          title={t("call.messages")}
          {...(messages.data ? { count: messages.data.messages.length } : {})}
        >
          {messages.error ? (
            <Empty>{t("call.messages.gone")}</Empty>
          ) : (
            <Loaded query={messages}>{(data) => <CallMessages messages={data} codec={call.codec} />}</Loaded>
          )}
        </Section>
      )}
    </Page>
  );
}

/** What the line is like now, as long as the call is in a conference. */
function Live({ id, conference }: { id: string; conference: string }) {
  const participant = useQuery({
    queryKey: ["participant", conference, id],
    retry: false,
    refetchInterval: 5_000,
    queryFn: () =>
      ok(
        client.GET("/v1/conferences/{name}/participants/{id}", {
          params: { path: { name: conference, id } },
        }),
      ),
  });
  if (!participant.data) return null;
  return (
    <Section title={t("call.live")}>
      <Panel>
        <StatisticsFacts statistics={statisticsOf(participant.data)} />
      </Panel>
    </Section>
  );
}

function Record({ call }: { call: CallRecord }) {
  const { quality } = call;
  const endedBy = call.ended_by ? ` (${t(`calls.ended_by.${call.ended_by}`)})` : "";
  return (
    <Facts>
      {[
        [
          t("calls.outcome"),
          <Badge key="outcome" tone={outcomeTone(call.outcome)}>
            {t(`outcome.${call.outcome}`)}
          </Badge>,
        ],
        [t("calls.direction"), t(`calls.direction.${call.direction}`)],
        [
          t("booking.conference"),
          call.conference ? (
            <Link key="conference" to="/rooms/$name" params={{ name: call.conference }} search={{}}>
              {call.conference}
            </Link>
          ) : (
            "–"
          ),
        ],
        [t("calls.duration"), duration(call.duration_ms)],
        [t("call.ended"), call.end_reason ? `${call.end_reason}${endedBy}` : "–"],
        [t("call.admitted"), call.admitted_by ?? "–"],
        [t("call.trunk"), call.trunk ?? "–"],
        [t("statistics.codec"), call.codec ?? "–"],
        [t("statistics.srtp"), call.cipher ?? (call.codec ? t("statistics.plain") : "–")],
        [
          "MOS",
          quality
            ? `${amount(quality.mos, 2)} (${t("call.lowest", { mos: amount(quality.mos_min, 2) })})`
            : "–",
        ],
        [t("calls.loss"), percent(quality?.loss)],
        [
          t("statistics.jitter"),
          quality ? `${amount(quality.jitter_ms, 1)} ms (≤ ${amount(quality.jitter_ms_max, 1)})` : "–",
        ],
        [t("statistics.round_trip"), quality?.round_trip_ms ? `${amount(quality.round_trip_ms)} ms` : "–"],
        [t("statistics.remote_loss"), percent(quality?.remote_loss)],
        [t("call.one_way"), quality?.one_way_ms ? duration(quality.one_way_ms) : "–"],
      ]}
    </Facts>
  );
}

/** The same messages as a packet capture. */
async function download(id: string): Promise<void> {
  const capture = client.GET("/v1/operator/calls/{id}/messages", {
    params: { path: { id } },
    headers: { Accept: "application/vnd.tcpdump.pcap" },
    parseAs: "blob",
  });
  saveFile(`${id}.pcap`, await ok(capture));
}
