import { getRouteApi, Link } from "@tanstack/react-router";
import { client, ok } from "../../api/client";
import { amount, dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { List, usePages } from "../../ui/List";
import { Filters, Page } from "../../ui/Page";
import { ConferenceFilter } from "../ConferenceFilter";
import { useRefreshedBy } from "../conferences";
import { DayFilter } from "../DayFilter";
import { boundsOf, isSet } from "../days";
import { conferenceName } from "../parties";

const route = getRouteApi("/shell/history");

export function HistoryPage() {
  const search = route.useSearch();
  const { conference } = search;
  // A conference is over when it has ended, or soon after its last participant has left.
  useRefreshedBy((type) => type === "conference.ended", [["history"]]);
  const history = usePages({
    queryKey: ["history", search],
    page: (query) =>
      ok(client.GET("/v1/history", { params: { query: { ...query, conference, ...boundsOf(search) } } })),
  });
  return (
    <Page title={t("nav.history")} note={t("history.note")}>
      <Filters>
        <ConferenceFilter />
        <DayFilter />
      </Filters>
      <List
        query={history}
        label={t("nav.history")}
        none={t(isSet(search) ? "history.none.match" : "history.none")}
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
                {conferenceName(one.conference)}
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
