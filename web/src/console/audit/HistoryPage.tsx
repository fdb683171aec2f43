import { getRouteApi, Link } from "@tanstack/react-router";
import { client, ok } from "../../api/client";
import { amount, dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { List, usePages } from "../../ui/List";
import { Filters, Page } from "../../ui/Page";
import { ConferenceFilter } from "../ConferenceFilter";

const route = getRouteApi("/shell/history");

export function HistoryPage() {
  const { conference } = route.useSearch();
  const history = usePages({
    queryKey: ["history", conference],
    page: (query) => ok(client.GET("/v1/history", { params: { query: { ...query, conference } } })),
  });
  return (
    <Page title={t("nav.history")} note={t("history.note")}>
      <Filters>
        <ConferenceFilter />
      </Filters>
      <List
        query={history}
        label={t("nav.history")}
        none={t("history.none")}
        head={[
          t("booking.conference"),
          t("history.started"),
          t("history.ended"),
          t("history.peak"),
          t("history.entries"),
          t("history.seat_minutes"),
          t("history.reason"),
        ]}
        row={(one) => (
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
            <td>{t(`history.reason.${one.end_reason}`)}</td>
          </tr>
        )}
      />
    </Page>
  );
}
