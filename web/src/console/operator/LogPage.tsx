import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, ok } from "../../api/client";
import { t } from "../../texts/pages";
import { TextField } from "../../ui/Field";
import { Loaded } from "../../ui/List";
import { Empty, Filters, Page } from "../../ui/Page";
import css from "./Operator.module.css";

const LINES = 500;

export function LogPage() {
  const [filter, setFilter] = useState("");
  const log = useQuery({
    queryKey: ["log"],
    refetchInterval: 5_000,
    queryFn: () => ok(client.GET("/v1/operator/log", { params: { query: { lines: LINES } } })),
  });
  const wanted = filter.toLowerCase();
  const lines = log.data?.lines.filter((line) => line.toLowerCase().includes(wanted)) ?? [];
  return (
    <Page title={t("nav.log")} note={t("log.note", { count: LINES })}>
      <Filters>
        <TextField
          label={t("log.filter")}
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      </Filters>
      <Loaded query={log}>
        {() =>
          lines.length === 0 ? (
            <Empty>{t("log.none")}</Empty>
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard (WCAG 2.1.1).
            <section className={css.log} tabIndex={0} aria-label={t("nav.log")}>
              <pre className={css.text}>{[...lines].reverse().join("\n")}</pre>
            </section>
          )
        }
      </Loaded>
    </Page>
  );
}
