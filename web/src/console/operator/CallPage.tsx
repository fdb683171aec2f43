import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import type { ReactNode } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { isMissing } from "../../api/problem";
import { shownName } from "../../sip/identity";
import { amount, duration, exactTime, percent } from "../../texts/format";
import { t } from "../../texts/pages";
import { sentenceInReadersLanguage } from "../../texts/problems";
import { Button } from "../../ui/Button";
import { Loaded, type QueryState } from "../../ui/List";
import { LoadedPage } from "../../ui/LoadedPage";
import { attempt } from "../../ui/notices";
import { Badge, Empty, Facts, Page, Panel, Section } from "../../ui/Page";
import { saveFile } from "../../ui/save";
import { callerOf, conferenceName, isTrunkTest } from "../parties";
import { lowestMos, statisticsOf } from "../room/hints";
import { StatisticsFacts } from "../room/StatisticsFacts";
import { useMay } from "../session";
import { CallMessages } from "./CallMessages";
import { lasts, outcomeTone } from "./CallsPage";
import { CallTimeline } from "./CallTimeline";
import { QualityCharts } from "./QualityCharts";

type CallRecord = Schemas["CallRecord"];

const route = getRouteApi("/shell/calls/$id");

const READ_AGAIN_MS = 5_000;

const isLive = (call: CallRecord | undefined) => call?.outcome === "in_progress";

export function CallPage() {
  const { id } = route.useParams();
  const mayOperate = useMay("operator");
  const call = useQuery({
    queryKey: ["call", id],
    queryFn: () => ok(client.GET("/v1/calls/{id}", { params: { path: { id } } })),
    refetchInterval: (query) => (isLive(query.state.data) ? READ_AGAIN_MS : false),
  });
  if (mayOperate && isMissing(call.error)) return <Unrecorded id={id} call={call} />;
  return (
    <LoadedPage title={t("call")} query={call}>
      {(data) => <Call call={data} />}
    </LoadedPage>
  );
}

/** For operators. */
const useMessages = (id: string, enabled = true) =>
  useQuery({
    queryKey: ["messages", id],
    enabled,
    retry: false,
    refetchInterval: (query) => (query.state.data && !query.state.data.over ? READ_AGAIN_MS : false),
    queryFn: () => ok(client.GET("/v1/operator/calls/{id}/messages", { params: { path: { id } } })),
  });

function Call({ call }: { call: CallRecord }) {
  const { id } = call;
  const mayOperate = useMay("operator");
  const messages = useMessages(id, mayOperate);
  return (
    <Page
      title={t("call.title", {
        from: callerOf(call) ?? "?",
        to: call.to ? shownName(call.to) : (call.service ?? "?"),
      })}
      note={exactTime(call.started_at)}
      actions={messages.data && <Capture id={id} />}
    >
      <Section title={t("call.record")}>
        <Panel>
          <Record call={call} />
        </Panel>
      </Section>
      {isLive(call) && call.conference && <Live id={id} conference={call.conference} />}
      <CallTimeline call={call} isLive={isLive(call)} />
      <QualityCharts id={id} isLive={isLive(call)} />
      {mayOperate && <Messages query={messages} codec={call.codec} />}
    </Page>
  );
}

/** A call of which messages alone are kept, for it got to no account. */
function Unrecorded({ id, call }: { id: string; call: QueryState<CallRecord> }) {
  const messages = useMessages(id);
  // There is no such call at all.
  if (!messages.data) {
    return (
      <LoadedPage title={t("call")} query={isMissing(messages.error) ? call : messages}>
        {() => null}
      </LoadedPage>
    );
  }
  return (
    <Page title={t("call")} note={t("call.unrecorded")} actions={<Capture id={id} />}>
      <Messages query={messages} codec={null} />
    </Page>
  );
}

function Messages({
  query,
  codec,
}: {
  query: QueryState<Schemas["CallMessages"]>;
  codec: string | null | undefined;
}) {
  return (
    <Section title={t("call.messages")} {...(query.data ? { count: query.data.messages.length } : {})}>
      {isMissing(query.error) ? (
        <Empty>{t("call.messages.gone")}</Empty>
      ) : (
        <Loaded query={query}>{(data) => <CallMessages messages={data} codec={codec} />}</Loaded>
      )}
    </Section>
  );
}

function Capture({ id }: { id: string }) {
  return (
    <Button icon={<Download />} onClick={() => void attempt(() => download(id))}>
      {t("call.pcap")}
    </Button>
  );
}

/** What the line is like now, as long as the call is in a conference. */
function Live({ id, conference }: { id: string; conference: string }) {
  const participant = useQuery({
    queryKey: ["participant", conference, id],
    retry: false,
    refetchInterval: READ_AGAIN_MS,
    queryFn: () =>
      ok(
        client.GET("/v1/conferences/{name}/participants/{id}", {
          params: { path: { name: conference, id } },
        }),
      ),
  });
  // It has left the conference, or waits for it.
  if (isMissing(participant.error)) return null;
  return (
    <Section title={t("call.live")}>
      <Loaded query={participant}>
        {(data) => (
          <Panel>
            <StatisticsFacts statistics={statisticsOf(data)} />
          </Panel>
        )}
      </Loaded>
    </Section>
  );
}

function Record({ call }: { call: CallRecord }) {
  const { quality } = call;
  const endedBy = call.ended_by ? ` (${t(`calls.ended_by.${call.ended_by}`)})` : "";
  const facts: [name: string, value: ReactNode][] = [
    [
      t("calls.outcome"),
      <Badge key="outcome" tone={outcomeTone(call.outcome)}>
        {t(`outcome.${call.outcome}`)}
      </Badge>,
    ],
    [t("calls.direction"), t(`calls.direction.${call.direction}`)],
    [
      t("booking.conference"),
      call.conference && isTrunkTest(call.conference) ? (
        conferenceName(call.conference)
      ) : call.conference ? (
        <Link key="conference" to="/rooms/$name" params={{ name: call.conference }} search={{}}>
          {call.conference}
        </Link>
      ) : (
        "–"
      ),
    ],
    [t("calls.duration"), lasts(call)],
    [t("call.ended"), call.end_reason ? `${sentenceInReadersLanguage(call.end_reason)}${endedBy}` : "–"],
    [t("call.admitted"), admittedBy(call.admitted_by)],
    [t("call.service"), call.service ?? "–"],
    [t("call.trunk"), call.trunk ?? "–"],
    [t("statistics.codec"), call.codec ?? "–"],
    [t("statistics.srtp"), call.cipher ?? (call.codec ? t("statistics.plain") : "–")],
    [
      "MOS",
      quality
        ? `${amount(quality.mos, 2)} (${t("call.lowest", { mos: amount(lowestMos(quality), 2) })})`
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
  ];
  // Of a call that goes on, most is known at its end only.
  return <Facts>{isLive(call) ? facts.filter(([, value]) => value !== "–") : facts}</Facts>;
}

const ADMITTED_BY = ["network", "trunk", "user", "token", "guest", "webrtc"] as const;

function admittedBy(what: string | null | undefined): string {
  const known = ADMITTED_BY.find((one) => one === what);
  return known ? t(`call.admitted.${known}`) : (what ?? "–");
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
