import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { dateTime } from "../../texts/format";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Badge, Empty, Loading, Page, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import css from "../operator/Operator.module.css";

type Entry = Schemas["AuditRecord"];

export function AuditPage() {
  const [open, setOpen] = useState<Entry | null>(null);
  const audit = useInfiniteQuery({
    queryKey: ["audit"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      ok(
        client.GET("/v1/operator/audit", {
          params: { query: { limit: 100, ...(pageParam ? { cursor: pageParam } : {}) } },
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
  });
  const items = audit.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={t("nav.audit")} note={t("audit.note")}>
      {audit.isPending ? (
        <Loading label={tc("loading")} />
      ) : audit.error ? (
        <ProblemBox error={audit.error} onRetry={() => void audit.refetch()} />
      ) : items.length === 0 ? (
        <Empty>{t("audit.none")}</Empty>
      ) : (
        <Table
          label={t("nav.audit")}
          head={[
            t("audit.at"),
            t("audit.by"),
            t("audit.what"),
            t("audit.outcome"),
            t("audit.source"),
            t("audit.details"),
          ]}
        >
          {items.map((one) => (
            <tr key={one.id}>
              <td>{dateTime(one.at)}</td>
              <td>{one.by}</td>
              <td>
                <code>
                  {one.method} {one.path}
                </code>
              </td>
              <td>
                <Badge tone={one.status < 400 ? "good" : "bad"}>{one.status}</Badge>
              </td>
              <td>{one.source ?? "–"}</td>
              <td>
                <Button size="small" look="quiet" onClick={() => setOpen(one)}>
                  {t("audit.details")}
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {audit.hasNextPage && (
        <div className={css.more}>
          <Button onClick={() => void audit.fetchNextPage()} disabled={audit.isFetchingNextPage}>
            {t("more")}
          </Button>
        </div>
      )}
      {open && (
        <Dialog title={`${open.method} ${open.path}`} onClose={() => setOpen(null)} wide>
          <pre className={css.text}>
            {JSON.stringify(
              { request: open.request, before: open.before, after: open.after, request_id: open.request_id },
              null,
              2,
            )}
          </pre>
        </Dialog>
      )}
    </Page>
  );
}
