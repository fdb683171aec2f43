import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useMemo, useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { problemOf } from "../../api/problem";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { amount, clockTime, dateTime, duration, percent } from "../../texts/format";
import { Button } from "../../ui/Button";
import { Chart } from "../../ui/Chart";
import { Dialog } from "../../ui/Dialog";
import { attempt } from "../../ui/notices";
import { Badge, Empty, Facts, Loading, Page, Section, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { saveFile } from "../../ui/save";
import { statisticsOf } from "../room/hints";
import { StatisticsFacts } from "../room/StatisticsFacts";
import { useMay } from "../session";
import { outcomeTone } from "./CallsPage";
import { type CallMessage, kindOf, seriesOf } from "./messages";
import css from "./Operator.module.css";

const route = getRouteApi("/shell/calls/$id");

export function CallPage() {
  const { id } = route.useParams();
  const mayOperate = useMay("operator");
  const call = useQuery({
    queryKey: ["call", id],
    queryFn: () => ok(client.GET("/v1/calls/{id}", { params: { path: { id } } })),
  });
  const messages = useQuery({
    queryKey: ["messages", id],
    enabled: mayOperate,
    retry: false,
    refetchInterval: (query) => (query.state.data && !query.state.data.over ? 5_000 : false),
    queryFn: () =>
      ok(client.GET("/v1/operator/calls/{id}/messages", { params: { path: { id } } })) as Promise<
        Schemas["CallMessages"]
      >,
  });
  if (call.isPending) return <Loading label={tc("loading")} />;
  if (call.error) return <ProblemBox error={call.error} onRetry={() => void call.refetch()} />;
  const { data } = call;
  return (
    <Page
      title={t("call.title", { from: data.from ?? "?", to: data.to ?? data.service ?? "?" })}
      note={dateTime(data.started_at)}
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
        <div className={css.panel}>
          <Record call={data} />
        </div>
      </Section>
      {data.outcome === "in_progress" && data.conference && <Live id={id} conference={data.conference} />}
      {mayOperate && (
        <Section
          title={t("call.messages")}
          {...(messages.data ? { count: messages.data.messages.length } : {})}
        >
          {messages.isPending ? (
            <Loading label={tc("loading")} />
          ) : messages.error ? (
            <Empty>{t("call.messages.gone")}</Empty>
          ) : (
            <Messages messages={messages.data} codec={data.codec} />
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
      <div className={css.panel}>
        <StatisticsFacts statistics={statisticsOf(participant.data)} />
      </div>
    </Section>
  );
}

function Record({ call }: { call: Schemas["CallRecord"] }) {
  const { quality } = call;
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
        [
          t("call.ended"),
          call.end_reason ? `${call.end_reason}${call.ended_by ? ` (${call.ended_by})` : ""}` : "–",
        ],
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

const asPercent = (value: number) => percent(value);
const asMs = (value: number) => `${amount(value)} ms`;

function Messages({
  messages,
  codec,
}: {
  messages: Schemas["CallMessages"];
  codec: string | null | undefined;
}) {
  const [open, setOpen] = useState<CallMessage | null>(null);
  const series = useMemo(() => seriesOf(messages.messages, codec), [messages.messages, codec]);
  const loss = useMemo(
    (): [{ name: string; values: (number | null)[] }, { name: string; values: (number | null)[] }] => [
      { name: t("chart.from_caller"), values: series.lossFrom },
      { name: t("chart.to_caller"), values: series.lossTo },
    ],
    [series],
  );
  const jitter = useMemo(
    (): [{ name: string; values: (number | null)[] }, { name: string; values: (number | null)[] }] => [
      { name: t("chart.from_caller"), values: series.jitterFrom },
      { name: t("chart.to_caller"), values: series.jitterTo },
    ],
    [series],
  );
  const first = messages.messages[0];
  const theirs = first && (first.direction === "received" ? first.from : first.to);
  const ours = first && (first.direction === "received" ? first.to : first.from);
  return (
    <>
      {messages.left_out > 0 && <p>{t("call.left_out", { count: messages.left_out })}</p>}
      <div className={css.ladder}>
        <div className={css.lanes}>
          <span>{t("call.time")}</span>
          <span className={css.ends}>
            <span>{theirs}</span>
            <span>{ours}</span>
          </span>
        </div>
        {messages.messages.map((message, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: messages are only added at the end.
          <Step key={index} message={message} onOpen={() => setOpen(message)} />
        ))}
      </div>
      {series.times.length > 1 && (
        <Section title={t("chart.title")}>
          <div className={css.charts}>
            <Chart
              label={t("chart.loss")}
              times={series.times}
              lines={loss}
              format={asPercent}
              least={0.05}
            />
            <Chart label={t("chart.jitter")} times={series.times} lines={jitter} format={asMs} least={20} />
          </div>
          <details>
            <summary>{t("chart.table")}</summary>
            <Table
              label={t("chart.title")}
              head={[
                t("call.time"),
                `${t("chart.loss")}, ${t("chart.from_caller")}`,
                `${t("chart.loss")}, ${t("chart.to_caller")}`,
                `${t("chart.jitter")}, ${t("chart.from_caller")}`,
                `${t("chart.jitter")}, ${t("chart.to_caller")}`,
              ]}
            >
              {series.times.map((time, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: reports are only added at the end.
                <tr key={index}>
                  <td>{clockTime(time * 1_000)}</td>
                  <td>{percent(series.lossFrom[index])}</td>
                  <td>{percent(series.lossTo[index])}</td>
                  <td>{amount(series.jitterFrom[index], 1)}</td>
                  <td>{amount(series.jitterTo[index], 1)}</td>
                </tr>
              ))}
            </Table>
          </details>
        </Section>
      )}
      {open && (
        <Dialog title={open.summary} onClose={() => setOpen(null)} wide>
          <p>{`${open.from} → ${open.to} (${open.transport}), ${clockTime(open.at)}`}</p>
          <pre className={css.text}>{open.text}</pre>
        </Dialog>
      )}
    </>
  );
}

const LOOKS = {
  request: "",
  success: "",
  provisional: css.provisional,
  refused: css.refused,
  rtcp: css.rtcp,
} as const;

/** One message: an arrow from left to right is received, from right to left sent. */
function Step({ message, onOpen }: { message: CallMessage; onOpen: () => void }) {
  const isReceived = message.direction === "received";
  const [stream] = message.report?.received ?? [];
  const words = stream ? `${message.summary} · ${t("chart.loss")} ${percent(stream.loss)}` : message.summary;
  const inside = (
    <>
      <span className={css.time}>{clockTime(message.at)}</span>
      <span className={`${css.arrow} ${isReceived ? css.received : css.sent} ${LOOKS[kindOf(message)]}`}>
        <span className="visually-hidden">{t(isReceived ? "call.received" : "call.sent")}</span> {words}
      </span>
    </>
  );
  return message.text ? (
    <button type="button" className={css.message} onClick={onOpen}>
      {inside}
    </button>
  ) : (
    <div className={css.message}>{inside}</div>
  );
}

/** The same messages as a packet capture. */
async function download(id: string): Promise<void> {
  const answer = await fetch(`/v1/operator/calls/${encodeURIComponent(id)}/messages`, {
    headers: { Accept: "application/vnd.tcpdump.pcap" },
  });
  if (!answer.ok) throw problemOf(answer, await answer.json().catch(() => null));
  saveFile(`${id}.pcap`, await answer.blob());
}
