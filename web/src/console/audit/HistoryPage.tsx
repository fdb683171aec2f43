import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { client, ok } from "../../api/client";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { amount, dateTime } from "../../texts/format";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { Empty, Loading, Page, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import css from "../operator/Operator.module.css";

const route = getRouteApi("/shell/history");

export function HistoryPage() {
  const { conference } = route.useSearch();
  const navigate = useNavigate();
  const history = useInfiniteQuery({
    queryKey: ["history", conference],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      ok(
        client.GET("/v1/history", {
          params: {
            query: {
              limit: 100,
              ...(conference ? { conference } : {}),
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepPreviousData,
  });
  const items = history.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={t("nav.history")} note={t("history.note")}>
      <search className={css.filters}>
        <TextField
          label={t("booking.conference")}
          value={conference ?? ""}
          onChange={(event) =>
            void navigate({
              to: "/history",
              search: { conference: event.target.value || undefined },
              replace: true,
            })
          }
        />
      </search>
      {history.isPending ? (
        <Loading label={tc("loading")} />
      ) : history.error ? (
        <ProblemBox error={history.error} onRetry={() => void history.refetch()} />
      ) : items.length === 0 ? (
        <Empty>{t("history.none")}</Empty>
      ) : (
        <Table
          label={t("nav.history")}
          head={[
            t("booking.conference"),
            t("history.started"),
            t("history.ended"),
            t("history.peak"),
            t("history.entries"),
            t("history.seat_minutes"),
            t("history.reason"),
          ]}
        >
          {items.map((one) => (
            <tr key={one.id}>
              <td>
                <Link to="/history/$id" params={{ id: one.id }}>
                  {one.conference}
                </Link>
              </td>
              <td>{dateTime(one.started_at)}</td>
              <td>{dateTime(one.ended_at)}</td>
              <td>{`${amount(one.peak_participants)} / ${amount(one.max_participants)}`}</td>
              <td>{amount(one.entries)}</td>
              <td>{amount(one.seat_minutes, 1)}</td>
              <td>{one.end_reason}</td>
            </tr>
          ))}
        </Table>
      )}
      {history.hasNextPage && (
        <div className={css.more}>
          <Button onClick={() => void history.fetchNextPage()} disabled={history.isFetchingNextPage}>
            {t("more")}
          </Button>
        </div>
      )}
    </Page>
  );
}
