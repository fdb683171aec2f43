import { useQuery, useQueryClient } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import { dateTime, duration } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Page } from "../../ui/Page";

export function BansPage() {
  const queries = useQueryClient();
  const bans = useQuery({
    queryKey: ["bans", "all"],
    refetchInterval: 10_000,
    queryFn: () =>
      everyPage<Schemas["BannedSource"]>((query) =>
        ok(client.GET("/v1/operator/bans", { params: { query } })),
      ),
  });
  const lift = (source: string) =>
    attempt(
      async () => {
        await ok(client.DELETE("/v1/operator/bans/{source}", { params: { path: { source } } }));
        await queries.invalidateQueries({ queryKey: ["bans"] });
      },
      t("bans.lifted", { source }),
    );
  return (
    <Page title={t("nav.bans")} note={t("bans.note")}>
      <List
        query={bans}
        label={t("nav.bans")}
        none={t("bans.none")}
        head={[
          t("bans.source"),
          t("bans.caller"),
          t("bans.why"),
          t("bans.until"),
          actionsColumn(t("bans.lift")),
        ]}
        row={(ban) => (
          <tr key={`${ban.source} ${ban.caller}`}>
            <td>
              <code>{ban.source}</code> {ban.doubtful && <Badge tone="warn">{t("bans.doubtful")}</Badge>}
            </td>
            <td>{ban.caller ?? t("bans.all_callers")}</td>
            <td>{t(`bans.why.${ban.reason}`)}</td>
            <td>{t("bans.until.left", { time: dateTime(ban.until), left: duration(ban.left_s * 1_000) })}</td>
            <td>
              <Button size="small" onClick={() => void lift(ban.source)}>
                {t("bans.lift")}
              </Button>
            </td>
          </tr>
        )}
      />
    </Page>
  );
}
