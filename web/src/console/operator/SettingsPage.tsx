import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { client, ok } from "../../api/client";
import { t } from "../../texts/pages";
import { TextField } from "../../ui/Field";
import { List, withData } from "../../ui/List";
import { Filters, Page } from "../../ui/Page";
import { flatten } from "./flatten";
import css from "./Operator.module.css";

const route = getRouteApi("/shell/settings");

/** The filter is in the address. */
export function SettingsPage() {
  const { filter = "" } = route.useSearch();
  const navigate = useNavigate();
  const settings = useQuery({
    queryKey: ["settings"],
    queryFn: () => ok(client.GET("/v1/operator/settings")),
  });
  const shown = flatten(settings.data).filter(([name]) => name.includes(filter.toLowerCase()));
  return (
    <Page title={t("nav.settings")} note={t("settings.note")}>
      <Filters>
        <TextField
          label={t("settings.filter")}
          value={filter}
          onChange={(event) =>
            void navigate({
              to: "/settings",
              search: { filter: event.target.value || undefined },
              replace: true,
            })
          }
        />
      </Filters>
      <List
        query={withData(settings, settings.data && shown)}
        label={t("nav.settings")}
        none={t("settings.none")}
        head={[t("settings.name"), t("settings.value")]}
        row={([name, value]) => (
          <tr key={name}>
            <td className={css.name}>
              <code>{name}</code>
            </td>
            <td>
              <code>{value}</code>
            </td>
          </tr>
        )}
      />
    </Page>
  );
}
