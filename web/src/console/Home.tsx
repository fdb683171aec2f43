import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CalendarPlus, DoorOpen, Link2, Lock, Presentation, Radio } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { t } from "../texts/console";
import { dateTime, soon } from "../texts/format";
import { Button } from "../ui/Button";
import button from "../ui/Button.module.css";
import { List, Loaded, withData } from "../ui/List";
import { Badge, Empty, Page, Section, type Tone } from "../ui/Page";
import {
  type Conference,
  conferencesQuery,
  isTitled,
  reservationsQuery,
  seatsTaken,
  useRefreshedBy,
} from "./conferences";
import css from "./Home.module.css";
import { useMay } from "./session";
import { withTexts } from "./withTexts";

const InviteDialog = lazy(
  withTexts(async () => ({ default: (await import("./InviteDialog")).InviteDialog })),
);

const matters = (type: string) =>
  /^(conference|reservation|recording)\./.test(type) ||
  /^participant\.(entered|left|waiting|moved|refused|admitted)$/.test(type);

export function Home() {
  useRefreshedBy(matters, [["conferences"], ["reservations"]]);
  const conferences = useQuery({ ...conferencesQuery, refetchInterval: 30_000 });
  const reservations = useQuery(reservationsQuery);
  const mayBook = useMay("book");
  const mayControl = useMay("control");
  const [invited, setInvited] = useState<string | null>(null);
  const live = (conferences.data ?? []).filter((one) => one.state === "active" || one.state === "holding");
  const next = (reservations.data ?? []).filter((one) => one.state === "reserved").slice(0, 10);
  const hasTitles = next.some(isTitled);
  const add = mayBook && (
    <Link to="/bookings/new" className={`${button.button} ${button.primary} ${button.normal}`}>
      <CalendarPlus aria-hidden="true" size={17} />
      {t("bookings.new")}
    </Link>
  );
  return (
    <Page title={t("home")} actions={add}>
      <Section title={t("home.now")} count={live.length}>
        <Loaded query={conferences}>
          {() =>
            live.length === 0 ? (
              <Empty>{t("home.now.empty")}</Empty>
            ) : (
              <ul className={css.cards}>
                {live.map((one) => (
                  <Card
                    key={one.name}
                    conference={one}
                    onInvite={mayControl ? () => setInvited(one.name) : null}
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Section>
      <Section title={t("home.next")} count={next.length}>
        <List
          query={withData(reservations, reservations.data && next)}
          label={t("home.next")}
          none={t("home.next.empty")}
          action={add}
          head={[
            t("booking.starts"),
            t("booking.title"),
            ...(hasTitles ? [t("booking.conference")] : []),
            t("booking.seats"),
          ]}
          row={(one) => (
            <tr key={one.token}>
              <td>{dateTime(one.starts_at)}</td>
              <td>
                <Link to="/bookings/$token" params={{ token: one.token }}>
                  {one.title || one.conference}
                </Link>
              </td>
              {hasTitles && <td>{isTitled(one) && one.conference}</td>}
              <td>{one.max_participants}</td>
            </tr>
          )}
        />
      </Section>
      {invited !== null && (
        <Suspense>
          <InviteDialog
            of={{ conference: invited }}
            conference={invited}
            title={invited}
            onClose={() => setInvited(null)}
          />
        </Suspense>
      )}
    </Page>
  );
}

export function phaseTone(conference: Pick<Conference, "state">): Tone {
  return conference.state === "active" ? "good" : conference.state === "holding" ? "warn" : "none";
}

function Card({ conference, onInvite }: { conference: Conference; onInvite: (() => void) | null }) {
  const { name, max_participants, locked, lecture, recording } = conference;
  const taken = seatsTaken(conference);
  const share = Math.min(1, taken / Math.max(1, max_participants));
  return (
    <li className={css.card}>
      <div className={css.head}>
        <h3 className={css.name}>
          <Link to="/rooms/$name" params={{ name }} search={{}}>
            {name}
          </Link>
        </h3>
        <Badge tone={phaseTone(conference)}>{t(`phase.${conference.state}`)}</Badge>
      </div>
      <p className={css.seats}>
        <span className={css.number}>{taken}</span>
        <span>{t("home.seats", { count: max_participants })}</span>
      </p>
      <progress className={css.bar} value={share} aria-label={t("booking.seats")} />
      <p className={css.flags}>
        {locked && (
          <span>
            <Lock aria-hidden="true" /> {t("room.locked")}
          </span>
        )}
        {lecture && (
          <span>
            <Presentation aria-hidden="true" /> {t("room.lecture")}
          </span>
        )}
        {recording && (
          <span className={css.recording}>
            <Radio aria-hidden="true" /> {t(recording.paused ? "recording.paused" : "recording.running")}
          </span>
        )}
        {conference.ends_at && <span>{t("home.until", { time: soon(conference.ends_at) })}</span>}
      </p>
      <div className={css.actions}>
        <Link
          to="/rooms/$name"
          params={{ name }}
          search={{}}
          className={`${button.button} ${button.plain} ${button.small}`}
        >
          <DoorOpen aria-hidden="true" size={16} />
          {t("home.open")}
        </Link>
        {onInvite && (
          <Button size="small" look="quiet" icon={<Link2 />} onClick={onInvite}>
            {t("invite")}
          </Button>
        )}
      </div>
    </li>
  );
}
