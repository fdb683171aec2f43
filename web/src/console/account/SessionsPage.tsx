import { useQuery, useQueryClient } from "@tanstack/react-query";
import { LockKeyhole } from "lucide-react";
import { useState } from "react";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Page } from "../../ui/Page";
import { useHasNoPasswords } from "../session";
import { browserOf } from "./browserOf";
import { PasswordDialog } from "./PasswordDialog";
import { endSession, sessionsQuery } from "./people";

/** The browsers that are signed in as oneself. */
export function SessionsPage() {
  const queries = useQueryClient();
  const sessions = useQuery(sessionsQuery);
  const hasNoPasswords = useHasNoPasswords();
  const [isChanging, setChanging] = useState(false);
  const end = (id: number) =>
    attempt(async () => {
      await endSession(id);
      await queries.invalidateQueries({ queryKey: sessionsQuery.queryKey });
    }, t("sessions.ended"));
  return (
    <Page
      title={t("sessions")}
      note={t("sessions.note")}
      actions={
        !hasNoPasswords && (
          <Button icon={<LockKeyhole />} onClick={() => setChanging(true)}>
            {t("password.change")}
          </Button>
        )
      }
    >
      <List
        query={sessions}
        label={t("sessions")}
        none={t("sessions.none")}
        head={[
          t("sessions.browser"),
          t("sessions.address"),
          t("sessions.begun"),
          t("sessions.used"),
          t("sessions.ends"),
          actionsColumn(t("sessions.end")),
        ]}
        row={(one) => (
          <tr key={one.id}>
            <td title={one.user_agent ?? undefined}>{browserOf(one.user_agent)}</td>
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
        )}
      />
      {isChanging && (
        <PasswordDialog
          onClose={() => setChanging(false)}
          onDone={() => queries.invalidateQueries({ queryKey: sessionsQuery.queryKey })}
        />
      )}
    </Page>
  );
}
