import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { client, ok, type Schemas } from "../../api/client";
import { shownName } from "../../sip/identity";
import { amount, dateTime, duration, zonedPeriod } from "../../texts/format";
import { t } from "../../texts/pages";
import { LoadedPage } from "../../ui/LoadedPage";
import { Facts, Page, Panel, Section, Table } from "../../ui/Page";
import { callerOf, conferenceName } from "../parties";

const route = getRouteApi("/shell/history/$id");

export function PastConferencePage() {
  const { id } = route.useParams();
  const past = useQuery({
    queryKey: ["past", id],
    queryFn: () => ok(client.GET("/v1/history/{id}", { params: { path: { id } } })),
  });
  return (
    <LoadedPage title={t("nav.history")} query={past}>
      {(data) => <Past data={data} />}
    </LoadedPage>
  );
}

function Past({ data }: { data: Schemas["PastConferenceDetail"] }) {
  return (
    <Page title={conferenceName(data.conference)} note={zonedPeriod(data.started_at, data.ended_at)}>
      <Section title={t("call.record")}>
        <Panel>
          <Facts>
            {[
              [t("history.peak"), `${amount(data.peak_participants)} / ${amount(data.max_participants)}`],
              [t("history.entries"), amount(data.entries)],
              [t("history.seat_minutes"), amount(data.seat_minutes, 1)],
              [t("history.reason"), t(`history.reason.${data.end_reason}`)],
            ]}
          </Facts>
        </Panel>
      </Section>
      <Section title={t("history.participants")} count={data.participants.length}>
        <Table
          label={t("history.participants")}
          head={[
            t("calls.from"),
            t("calls.to"),
            t("history.role"),
            t("history.entered"),
            t("calls.duration"),
            t("history.left"),
          ]}
        >
          {data.participants.map((one) => (
            <tr key={`${one.participant_id} ${one.entered_at}`}>
              <td>
                <Link to="/calls/$id" params={{ id: one.participant_id }}>
                  {callerOf(one) ?? "–"}
                </Link>
              </td>
              <td>{one.to ? shownName(one.to) : "–"}</td>
              <td>{t(`history.role.${one.role}`)}</td>
              <td>{dateTime(one.entered_at)}</td>
              <td>{duration(Date.parse(one.left_at) - Date.parse(one.entered_at))}</td>
              <td>{t(`history.reason.${one.leave_reason}`)}</td>
            </tr>
          ))}
        </Table>
      </Section>
    </Page>
  );
}
