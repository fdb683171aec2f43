import { useMemo, useState } from "react";
import type { Schemas } from "../../api/client";
import { amount, clockTime, percent, preciseTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { Chart, type Line } from "../../ui/Chart";
import { Dialog } from "../../ui/Dialog";
import { Section, Table } from "../../ui/Page";
import { Verbatim } from "../../ui/Verbatim";
import { type CallMessage, kindOf, seriesOf } from "./messages";
import css from "./Operator.module.css";

const asPercent = (value: number) => percent(value);
const asMs = (value: number) => `${amount(value)} ms`;

/** What was sent and received, as a ladder, and what the reports among it say as lines over time. */
export function CallMessages({
  messages,
  codec,
}: {
  messages: Schemas["CallMessages"];
  codec: string | null | undefined;
}) {
  const [open, setOpen] = useState<CallMessage | null>(null);
  const series = useMemo(() => seriesOf(messages.messages, codec), [messages.messages, codec]);
  const loss = useMemo(
    (): [Line, Line] => [
      { name: t("chart.from_caller"), values: series.lossFrom },
      { name: t("chart.to_caller"), values: series.lossTo },
    ],
    [series],
  );
  const jitter = useMemo(
    (): [Line, Line] => [
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
          <p>{`${open.from} → ${open.to} (${open.transport.toUpperCase()}), ${preciseTime(open.at)}`}</p>
          <Verbatim text={open.text ?? ""} />
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
      <span className={css.time}>{preciseTime(message.at)}</span>
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
