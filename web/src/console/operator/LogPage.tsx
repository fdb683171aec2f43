import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { client, ok } from "../../api/client";
import { t } from "../../texts/pages";
import { SelectField, TextField } from "../../ui/Field";
import { Loaded } from "../../ui/List";
import { Empty, Filters, Page } from "../../ui/Page";
import { levelOf } from "./levelOf";
import css from "./Operator.module.css";

const route = getRouteApi("/shell/log");

const LINES = 500;

/** The filters are in the address. */
export function LogPage() {
  const search = route.useSearch();
  const { filter = "", level } = search;
  const navigate = useNavigate();
  const log = useQuery({
    queryKey: ["log"],
    refetchInterval: 5_000,
    queryFn: () => ok(client.GET("/v1/operator/log", { params: { query: { lines: LINES } } })),
  });
  const wanted = filter.toLowerCase();
  const isWanted = (line: string) =>
    line.toLowerCase().includes(wanted) &&
    (level === undefined || levelOf(line) === "error" || levelOf(line) === level);
  const lines = log.data?.lines.filter(isWanted) ?? [];
  const set = (change: typeof search) =>
    void navigate({ to: "/log", search: { ...search, ...change }, replace: true });
  return (
    <Page title={t("nav.log")} note={t("log.note", { count: LINES })}>
      <Filters>
        <TextField
          label={t("log.filter")}
          value={filter}
          onChange={(event) => set({ filter: event.target.value || undefined })}
        />
        <SelectField
          label={t("log.level")}
          value={level ?? ""}
          onChange={(event) => set({ level: (event.target.value || undefined) as typeof level })}
        >
          <option value="">{t("log.level.all")}</option>
          <option value="warning">{t("log.level.warning")}</option>
          <option value="error">{t("log.level.error")}</option>
        </SelectField>
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
