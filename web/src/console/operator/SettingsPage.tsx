import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, ok } from "../../api/client";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { TextField } from "../../ui/Field";
import { Empty, Loading, Page, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { flatten } from "./flatten";
import css from "./Operator.module.css";

export function SettingsPage() {
  const [filter, setFilter] = useState("");
  const settings = useQuery({
    queryKey: ["settings"],
    queryFn: () => ok(client.GET("/v1/operator/settings")),
  });
  const shown = flatten(settings.data).filter(([name]) => name.includes(filter.toLowerCase()));
  return (
    <Page title={t("nav.settings")} note={t("settings.note")}>
      <div className={css.filters}>
        <TextField
          label={t("settings.filter")}
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      </div>
      {settings.isPending ? (
        <Loading label={tc("loading")} />
      ) : settings.error ? (
        <ProblemBox error={settings.error} onRetry={() => void settings.refetch()} />
      ) : shown.length === 0 ? (
        <Empty>{t("settings.none")}</Empty>
      ) : (
        <Table label={t("nav.settings")} head={[t("settings.name"), t("settings.value")]}>
          {shown.map(([name, value]) => (
            <tr key={name}>
              <td>
                <code>{name}</code>
              </td>
              <td>
                <code>{value}</code>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Page>
  );
}
