import { useQuery, useQueryClient } from "@tanstack/react-query";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { dateTime } from "../../texts/format";
import { Button } from "../../ui/Button";
import { attempt } from "../../ui/notices";
import { Badge, Loading, Page, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { endSession, sessionsQuery } from "./people";

/** The browsers that are signed in as oneself. */
export function SessionsPage() {
  const queries = useQueryClient();
  const sessions = useQuery(sessionsQuery);
  const end = (id: number) =>
    attempt(async () => {
      await endSession(id);
      await queries.invalidateQueries({ queryKey: sessionsQuery.queryKey });
    }, t("sessions.ended"));
  return (
    <Page title={t("sessions")} note={t("sessions.note")}>
      {sessions.isPending ? (
        <Loading label={tc("loading")} />
      ) : sessions.error ? (
        <ProblemBox error={sessions.error} onRetry={() => void sessions.refetch()} />
      ) : (
        <Table
          label={t("sessions")}
          head={[
            t("sessions.browser"),
            t("sessions.address"),
            t("sessions.begun"),
            t("sessions.used"),
            t("sessions.ends"),
            t("sessions.end"),
          ]}
        >
          {sessions.data.map((one) => (
            <tr key={one.id}>
              <td>{one.user_agent ?? "–"}</td>
              <td>{one.address ?? "–"}</td>
              <td>{dateTime(one.created_at)}</td>
              <td>{dateTime(one.last_used_at)}</td>
              <td>{dateTime(one.ends_at)}</td>
              <td>
                {one.current ? (
                  <Badge tone="accent">{t("sessions.this")}</Badge>
                ) : (
                  <Button size="small" onClick={() => void end(one.id)}>
                    {t("sessions.end")}
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Page>
  );
}
