import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { client, ok } from "../../api/client";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { amount, dateTime, duration } from "../../texts/format";
import { Facts, Loading, Page, Section, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import css from "../operator/Operator.module.css";

const route = getRouteApi("/shell/history/$id");

export function PastConferencePage() {
  const { id } = route.useParams();
  const past = useQuery({
    queryKey: ["past", id],
    queryFn: () => ok(client.GET("/v1/history/{id}", { params: { path: { id } } })),
  });
  if (past.isPending) return <Loading label={tc("loading")} />;
  if (past.error) return <ProblemBox error={past.error} onRetry={() => void past.refetch()} />;
  const { data } = past;
  return (
    <Page title={data.conference} note={`${dateTime(data.started_at)} – ${dateTime(data.ended_at)}`}>
      <Section title={t("call.record")}>
        <div className={css.panel}>
          <Facts>
            {[
              [t("history.peak"), `${amount(data.peak_participants)} / ${amount(data.max_participants)}`],
              [t("history.entries"), amount(data.entries)],
              [t("history.seat_minutes"), amount(data.seat_minutes, 1)],
              [t("history.reason"), data.end_reason],
            ]}
          </Facts>
        </div>
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
                  {one.from ?? one.participant_id}
                </Link>
              </td>
              <td>{one.to ?? "–"}</td>
              <td>{one.role}</td>
              <td>{dateTime(one.entered_at)}</td>
              <td>{duration(Date.parse(one.left_at) - Date.parse(one.entered_at))}</td>
              <td>{one.leave_reason}</td>
            </tr>
          ))}
        </Table>
      </Section>
    </Page>
  );
}
