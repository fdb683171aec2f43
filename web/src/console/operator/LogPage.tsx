import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { client, ok } from "../../api/client";
import { t } from "../../texts/pages";
import { TextField } from "../../ui/Field";
import { Loaded } from "../../ui/List";
import { Empty, Filters, Page } from "../../ui/Page";
import { levelOf } from "./levelOf";
import css from "./Operator.module.css";

const route = getRouteApi("/shell/log");

const LINES = 500;

/** The filter is in the address. */
export function LogPage() {
  const { filter = "" } = route.useSearch();
  const navigate = useNavigate();
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
          onChange={(event) =>
            void navigate({ to: "/log", search: { filter: event.target.value || undefined }, replace: true })
          }
        />
      </Filters>
      <Loaded query={log}>
        {() =>
          lines.length === 0 ? (
            <Empty>{t("log.none")}</Empty>
          ) : (
            <ol className={css.log} aria-label={t("nav.log")}>
              {[...lines].reverse().map((line, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: lines have no name, and the same may come twice.
                <li key={index} className={css[levelOf(line)]}>
                  {line}
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Page>
  );
}
