import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { isMissing } from "../../api/problem";
import { amount, clockTime, measure, percent } from "../../texts/format";
import { t } from "../../texts/pages";
import { Chart, type Line } from "../../ui/Chart";
import { Section, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import css from "./Operator.module.css";

type Sample = Schemas["CallSample"];

const READ_AGAIN_MS = 10_000;
const BEST_MOS = 5;
/** Levels are drawn from here to 0 dBov: what is quieter is silence. */
const QUIETEST_DBOV = -90;

const asMos = (value: number) => amount(value, 1);
const asLevel = (value: number) => `${amount(value)} dBov`;
const asPercent = (value: number) => percent(value / 100);
const asMs = (value: number) => `${amount(value)} ms`;

/** How a call was over its life, as the service heard it: MOS, level, loss and jitter. */
export function QualityCharts({ id, isLive }: { id: string; isLive: boolean }) {
  const quality = useQuery({
    queryKey: ["quality", id],
    retry: false,
    refetchInterval: isLive ? READ_AGAIN_MS : false,
    queryFn: () => ok(client.GET("/v1/calls/{id}/quality", { params: { path: { id } } })),
  });
  const items = quality.data?.items;
  const drawn = useMemo(() => items && linesOf(items), [items]);
  if (quality.error && !isMissing(quality.error)) {
    return (
      <Section title={t("quality.life")}>
        <ProblemBox error={quality.error} onRetry={() => void quality.refetch()} />
      </Section>
    );
  }
  if (!items || !drawn || items.length < 2) return null;
  const { times } = drawn;
  return (
    <Section title={t("quality.life")}>
      <div className={css.charts}>
        <Chart label="MOS" times={times} lines={drawn.mos} format={asMos} least={BEST_MOS} from={1} />
        <Chart
          label={t("statistics.level")}
          times={times}
          lines={drawn.level}
          format={asLevel}
          least={0}
          from={QUIETEST_DBOV}
        />
        <Chart label={t("chart.loss")} times={times} lines={drawn.loss} format={asPercent} least={5} />
        <Chart label={t("chart.jitter")} times={times} lines={drawn.jitter} format={asMs} least={20} />
      </div>
      <details>
        <summary>{t("chart.table")}</summary>
        <Table
          label={t("quality.life")}
          head={[
            t("call.time"),
            "MOS",
            t("statistics.level"),
            t("chart.loss"),
            t("chart.jitter"),
            t("statistics.round_trip"),
          ]}
        >
          {items.map((one) => (
            <tr key={one.at}>
              <td>{clockTime(one.at)}</td>
              <td>{amount(one.mos, 2)}</td>
              <td>{measure(one.level_dbov, "dBov", 1)}</td>
              <td>{asPercent(one.loss_percent)}</td>
              <td>{measure(one.jitter_ms, "ms", 1)}</td>
              <td>{measure(one.rtt_ms, "ms")}</td>
            </tr>
          ))}
        </Table>
      </details>
    </Section>
  );
}

function linesOf(items: Sample[]) {
  const line = (name: string, read: (one: Sample) => number | null | undefined): [Line] => [
    { name, values: items.map((one) => read(one) ?? null) },
  ];
  return {
    times: items.map((one) => Date.parse(one.at) / 1_000),
    mos: line("MOS", (one) => one.mos),
    level: line(t("statistics.level"), (one) => one.level_dbov),
    loss: line(t("chart.loss"), (one) => one.loss_percent),
    jitter: line(t("chart.jitter"), (one) => one.jitter_ms),
  };
}
