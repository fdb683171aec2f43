import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleMinus, CircleX, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { amount, dateTime, percent } from "../../texts/format";
import { t } from "../../texts/pages";
import { sentenceInReadersLanguage } from "../../texts/problems";
import { LoadedPage } from "../../ui/LoadedPage";
import { Facts, Page, Panel, Section, Table, type Tone } from "../../ui/Page";
import { trunksQuery } from "../account/trunks";
import { conferencesQuery, limitsQuery, seatsTaken } from "../conferences";
import { mayDo, useSession } from "../session";
import { certificateCheck, diskCheck, engineCheck, type Finding, seatsCheck } from "./checks";
import css from "./Operator.module.css";

const READ_AGAIN_MS = 5_000;
const DAY_MS = 86_400_000;
/** So many of a thousand ticks may be late. */
const LATE_PERMILLE = 5;

export function HealthPage() {
  const health = useQuery({
    queryKey: ["health"],
    queryFn: () => ok(client.GET("/v1/operator/health")),
    refetchInterval: READ_AGAIN_MS,
  });
  return (
    <LoadedPage title={t("nav.health")} query={health}>
      {(data) => <Health data={data} readAt={health.dataUpdatedAt} />}
    </LoadedPage>
  );
}

/** `readAt`: when the answer came. */
function Health({ data, readAt }: { data: Schemas["Health"]; readAt: number }) {
  const session = useSession();
  const mayConfigure = mayDo(session, "config");
  // Seats, conferences and trunks are read by the rights in an account, and some operators work in none.
  const enabled = mayDo(session, "read") && Boolean(session?.account);
  const conferences = useQuery({ ...conferencesQuery, enabled, refetchInterval: READ_AGAIN_MS });
  const bans = useQuery({
    queryKey: ["bans"],
    queryFn: () => ok(client.GET("/v1/operator/bans", { params: { query: { limit: 500 } } })),
    refetchInterval: 30_000,
  });
  const trunks = useQuery({ ...trunksQuery, enabled: mayConfigure, refetchInterval: 30_000 });
  const limits = useQuery({ ...limitsQuery, enabled });
  const seats = useQuery({
    queryKey: ["availability", "today", new Date().getHours()],
    queryFn: () => {
      const from = new Date();
      const to = new Date(from.getTime() + DAY_MS);
      const query = { from: from.toISOString(), to: to.toISOString(), limit: 1 };
      return ok(client.GET("/v1/availability", { params: { query } }));
    },
    enabled,
    retry: false,
  });
  const calls = data.media.reduce((sum, thread) => sum + thread.calls, 0);
  const ticks = data.media.reduce((sum, thread) => sum + thread.ticks, 0);
  const late = data.media.reduce((sum, thread) => sum + thread.ticks_late, 0);
  const lateShare = ticks ? (late * 1_000) / ticks : 0;
  const failed = trunks.data?.filter((trunk) => trunk.status.registration === "failed") ?? [];
  const taken = conferences.data?.reduce((sum, one) => sum + seatsTaken(one), 0);
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
        <Check {...engineCheck(data)} title={t("health.engine")} />
        <Check
          tone={data.database_error ? "bad" : "good"}
          title={t("health.database")}
          text={
            data.database_error
              ? t("health.database.bad", { text: sentenceInReadersLanguage(data.database_error) })
              : t("health.database.good")
          }
        />
        <Check {...diskCheck(data.disk)} title={t("health.disk")} />
        <Check {...certificateCheck(data.certificate_expires_at)} title={t("health.certificate")} />
        <Check
          tone={lateShare > LATE_PERMILLE ? "warn" : "good"}
          title={t("health.ticks")}
          text={
            lateShare > LATE_PERMILLE
              ? t("health.ticks.bad", { late, ticks })
              : t("health.ticks.good", { late, ticks })
          }
        />
        <Unread query={seats} title={t("health.seats")} />
        <Unread query={limits} title={t("health.seats")} />
        {seats.data && limits.data && (
          <Check
            {...seatsCheck(seats.data.least, limits.data.reservations.capacity)}
            title={t("health.seats")}
            more={<Link to="/bookings">{t("health.bookings.show")}</Link>}
          />
        )}
        <Unread query={trunks} title={t("health.trunks")} />
        {trunks.data && (
          <Check
            tone={failed.length ? "bad" : trunks.data.length ? "good" : "none"}
            title={t("health.trunks")}
            text={
              failed.length
                ? t("health.trunks.bad", { names: failed.map((trunk) => trunk.name).join(", ") })
                : trunks.data.length
                  ? t("health.trunks.good", { count: trunks.data.length })
                  : t("health.trunks.none")
            }
            more={failed.length > 0 && <Link to="/setup/trunks">{t("health.trunks.show")}</Link>}
          />
        )}
        <Unread query={bans} title={t("nav.bans")} />
        {bans.data && (
          <Check
            tone={bans.data.items.length ? "warn" : "good"}
            title={t("nav.bans")}
            text={
              bans.data.items.length
                ? t("health.bans", { count: bans.data.items.length })
                : t("health.bans.none")
            }
            more={bans.data.items.length > 0 && <Link to="/bans">{t("health.bans.show")}</Link>}
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
              <td>{percent(thread.busy_ms / Math.max(1, readAt - Date.parse(data.started_at)))}</td>
            </tr>
          ))}
        </Table>
      </Section>
    </Page>
  );
}

/** What could not be asked is no fault that is known, and not well either. */
function Unread({ query, title }: { query: { error: unknown }; title: string }) {
  if (!query.error) return null;
  return <Check tone="warn" title={title} text={t("health.unread", { text: wordsOf(query.error) })} />;
}

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const icons: Record<Tone, ReactNode> = {
  good: <CircleCheck />,
  warn: <TriangleAlert />,
  bad: <CircleX />,
  accent: <CircleMinus />,
  none: <CircleMinus />,
};

function Check({ tone, title, text, more }: Finding & { title: string; more?: ReactNode }) {
  return (
    <li className={`${css.check} ${css[tone]}`}>
      <span className={css.checkIcon} aria-hidden="true">
        {icons[tone]}
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
