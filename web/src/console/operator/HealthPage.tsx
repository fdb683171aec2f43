import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleX, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { amount, dateTime, duration } from "../../texts/format";
import { t } from "../../texts/pages";
import { Loaded } from "../../ui/List";
import { Facts, Page, Panel, Section, Table, type Tone } from "../../ui/Page";
import { trunksQuery } from "../account/trunks";
import { conferencesQuery } from "../conferences";
import { mayDo, useSession } from "../session";
import css from "./Operator.module.css";

const READ_AGAIN_MS = 5_000;
/** So many of a thousand ticks may be late. */
const LATE_PERMILLE = 5;

export function HealthPage() {
  const health = useQuery({
    queryKey: ["health"],
    queryFn: () => ok(client.GET("/v1/operator/health")),
    refetchInterval: READ_AGAIN_MS,
  });
  return <Loaded query={health}>{(data) => <Health data={data} />}</Loaded>;
}

function Health({ data }: { data: Schemas["Health"] }) {
  const session = useSession();
  const mayConfigure = mayDo(session, "config");
  const conferences = useQuery({ ...conferencesQuery, refetchInterval: READ_AGAIN_MS });
  const bans = useQuery({
    queryKey: ["bans"],
    queryFn: () => ok(client.GET("/v1/operator/bans", { params: { query: { limit: 500 } } })),
    refetchInterval: 30_000,
  });
  const trunks = useQuery({ ...trunksQuery, enabled: mayConfigure, refetchInterval: 30_000 });
  const now = new Date();
  const seats = useQuery({
    queryKey: ["seats", "today", now.getHours()],
    queryFn: () =>
      ok(
        client.GET("/v1/availability", {
          params: {
            query: {
              from: now.toISOString(),
              to: new Date(now.getTime() + 86_400_000).toISOString(),
              limit: 1,
            },
          },
        }),
      ),
    retry: false,
  });
  const calls = data.media.reduce((sum, thread) => sum + thread.calls, 0);
  const ticks = data.media.reduce((sum, thread) => sum + thread.ticks, 0);
  const late = data.media.reduce((sum, thread) => sum + thread.ticks_late, 0);
  const lateShare = ticks ? (late * 1_000) / ticks : 0;
  const failed = trunks.data?.filter((trunk) => trunk.status.registration === "failed") ?? [];
  const taken = (conferences.data ?? []).reduce((sum, one) => sum + one.participants + one.waiting, 0);
  return (
    <Page
      title={t("nav.health")}
      note={t("health.since", { version: data.version, time: dateTime(data.started_at) })}
    >
      <ul className={css.checks}>
        <Check
          tone={data.status === "ok" ? "good" : data.status === "draining" ? "warn" : "bad"}
          title={t("health.service")}
          text={t(`health.status.${data.status}`)}
        />
        <Check
          tone={data.database_error ? "bad" : "good"}
          title={t("health.database")}
          text={
            data.database_error
              ? t("health.database.bad", { text: data.database_error })
              : t("health.database.good")
          }
        />
        <Check
          tone={lateShare > LATE_PERMILLE ? "warn" : "good"}
          title={t("health.ticks")}
          text={
            lateShare > LATE_PERMILLE
              ? t("health.ticks.bad", { late, ticks })
              : t("health.ticks.good", { late, ticks })
          }
        />
        {trunks.data && (
          <Check
            tone={failed.length ? "bad" : "good"}
            title={t("health.trunks")}
            text={
              failed.length
                ? t("health.trunks.bad", { names: failed.map((trunk) => trunk.name).join(", ") })
                : t("health.trunks.good", { count: trunks.data.length })
            }
            more={failed.length > 0 && <Link to="/setup/trunks">{t("health.look")}</Link>}
          />
        )}
        {bans.data && (
          <Check
            tone={bans.data.items.length ? "warn" : "good"}
            title={t("nav.bans")}
            text={
              bans.data.items.length
                ? t("health.bans", { count: bans.data.items.length })
                : t("health.bans.none")
            }
            more={bans.data.items.length > 0 && <Link to="/bans">{t("health.look")}</Link>}
          />
        )}
      </ul>
      <Section title={t("health.now")}>
        <Panel>
          <Facts>
            {[
              [t("health.calls"), amount(calls)],
              [
                t("health.conferences"),
                amount(conferences.data?.filter((one) => one.state === "active").length),
              ],
              [t("health.taken"), amount(taken)],
              [t("health.seats_left"), seats.data ? amount(seats.data.least) : "–"],
            ]}
          </Facts>
        </Panel>
      </Section>
      <Section title={t("health.threads")}>
        <Table
          label={t("health.threads")}
          head={[
            t("health.thread"),
            t("health.calls"),
            t("health.ticks.count"),
            t("health.late"),
            t("health.busy"),
          ]}
        >
          {data.media.map((thread, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: threads have no other name.
            <tr key={index}>
              <td>{index + 1}</td>
              <td>{amount(thread.calls)}</td>
              <td>{amount(thread.ticks)}</td>
              <td>{amount(thread.ticks_late)}</td>
              <td>{duration(thread.busy_ms)}</td>
            </tr>
          ))}
        </Table>
      </Section>
    </Page>
  );
}

function Check({ tone, title, text, more }: { tone: Tone; title: string; text: string; more?: ReactNode }) {
  return (
    <li className={`${css.check} ${css[tone]}`}>
      <span className={css.checkIcon} aria-hidden="true">
        {tone === "good" ? <CircleCheck /> : tone === "warn" ? <TriangleAlert /> : <CircleX />}
      </span>
      <div>
        <h2 className={css.checkTitle}>{title}</h2>
        <p>
          {text} {more}
        </p>
      </div>
    </li>
  );
}
