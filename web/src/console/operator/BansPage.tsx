import { useQuery, useQueryClient } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { duration } from "../../texts/format";
import { Button } from "../../ui/Button";
import { attempt } from "../../ui/notices";
import { Badge, Empty, Loading, Page, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";

export function BansPage() {
  const queries = useQueryClient();
  const bans = useQuery({
    queryKey: ["bans", "all"],
    refetchInterval: 10_000,
    queryFn: () =>
      everyPage<Schemas["BannedSource"]>((cursor) =>
        ok(
          client.GET("/v1/operator/bans", {
            params: { query: { limit: 500, ...(cursor ? { cursor } : {}) } },
          }),
        ),
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
      {bans.isPending ? (
        <Loading label={tc("loading")} />
      ) : bans.error ? (
        <ProblemBox error={bans.error} onRetry={() => void bans.refetch()} />
      ) : bans.data.length === 0 ? (
        <Empty>{t("bans.none")}</Empty>
      ) : (
        <Table
          label={t("nav.bans")}
          head={[t("bans.source"), t("bans.caller"), t("bans.left"), t("bans.lift")]}
        >
          {bans.data.map((ban) => (
            <tr key={`${ban.source} ${ban.caller}`}>
              <td>
                <code>{ban.source}</code> {ban.doubtful && <Badge tone="warn">{t("bans.doubtful")}</Badge>}
              </td>
              <td>{ban.caller ?? "–"}</td>
              <td>{duration(ban.left_s * 1_000)}</td>
              <td>
                <Button size="small" onClick={() => void lift(ban.source)}>
                  {t("bans.lift")}
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Page>
  );
}
