import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { CalendarArrowDown, Copy, DoorOpen, KeyRound, Link2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { Versioned } from "../../api/client";
import { tc } from "../../texts/common";
import { amount, dateTime, period } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { Button } from "../../ui/Button";
import button from "../../ui/Button.module.css";
import { List } from "../../ui/List";
import { LoadedPage } from "../../ui/LoadedPage";
import { attempt } from "../../ui/notices";
import { Badge, Facts, Page, Panel, Section, type Tone } from "../../ui/Page";
import { useRefreshedBy } from "../conferences";
import { phaseTone } from "../Home";
import { InviteDialog } from "../InviteDialog";
import { LeaderLinksDialog } from "../LeaderLinksDialog";
import { telephoneFacts, waysQuery } from "../links";
import { useMay } from "../session";
import { type Booking, bookingQuery, type Mail, mailsQuery, removeBooking } from "./bookings";
import { ChangeBooking } from "./ChangeBooking";
import { ownZone } from "./zones";

const route = getRouteApi("/shell/bookings/$token");

export function BookingPage() {
  const { token } = route.useParams();
  useRefreshedBy((type) => type.startsWith("reservation."), [["reservation", token]]);
  const booking = useQuery(bookingQuery(token));
  return (
    <LoadedPage title={t("booking.facts")} query={booking}>
      {(data) => <Shown current={data} />}
    </LoadedPage>
  );
}

function Shown({ current }: { current: Versioned<Booking> }) {
  const booking = current.data;
  const navigate = useNavigate();
  const queries = useQueryClient();
  const mayBook = useMay("book");
  const mayControl = useMay("control");
  const [open, setOpen] = useState<"invite" | "leaders" | "remove" | null>(null);
  const { token, conference, title } = booking;
  const ways = useQuery(waysQuery(conference));
  const isOver = booking.state === "completed";
  const remove = async () => {
    await removeBooking(token);
    await queries.invalidateQueries({ queryKey: ["reservations"] });
    await navigate({ to: "/bookings" });
  };
  return (
    <Page
      title={title || conference}
      note={`${period(booking.starts_at, booking.ends_at)} (${ownZone()})`}
      actions={
        <>
          <Link
            to="/rooms/$name"
            params={{ name: conference }}
            search={{}}
            className={`${button.button} ${button.plain} ${button.normal}`}
          >
            <DoorOpen aria-hidden="true" size={17} />
            {t("home.open")}
          </Link>
          <a
            href={`/v1/reservations/${encodeURIComponent(token)}/calendar`}
            download={`${conference}.ics`}
            className={`${button.button} ${button.plain} ${button.normal}`}
          >
            <CalendarArrowDown aria-hidden="true" size={17} />
            {t("booking.ics")}
          </a>
          {mayControl && !isOver && (
            <>
              <Button icon={<KeyRound />} onClick={() => setOpen("leaders")}>
                {t("leader_link")}
              </Button>
              <Button look="primary" icon={<Link2 />} onClick={() => setOpen("invite")}>
                {t("invite")}
              </Button>
            </>
          )}
        </>
      }
    >
      <Section title={t("booking.facts")}>
        <Panel>
          <Facts>
            {[
              [
                t("booking.state"),
                <Badge key="state" tone={phaseTone(booking)}>
                  {t(`phase.${booking.state}`)}
                </Badge>,
              ],
              [t("booking.conference"), conference],
              [t("booking.duration"), t("minutes", { count: booking.duration_min })],
              [t("booking.seats"), amount(booking.max_participants)],
              [t("booking.divert"), booking.divert ?? "–"],
              ...telephoneFacts(ways.data),
              ...(booking.series
                ? ([
                    [
                      t("series"),
                      <Link key="series" to="/bookings/series/$id" params={{ id: `${booking.series.id}` }}>
                        {t("series.all")}
                      </Link>,
                    ],
                  ] satisfies [string, ReactNode][])
                : []),
              [t("booking.token"), <Token key="token" token={token} />],
            ]}
          </Facts>
        </Panel>
      </Section>
      <Mails token={token} isExpected={booking.guests.length > 0} />
      {mayBook && !isOver && (
        <ChangeBooking key={token} current={current} onRemove={() => setOpen("remove")} />
      )}
      {open === "invite" && (
        <InviteDialog
          of={{ reservation: token }}
          conference={conference}
          title={title || conference}
          onClose={() => setOpen(null)}
        />
      )}
      {open === "leaders" && (
        <LeaderLinksDialog
          of={{ reservation: token }}
          title={title || conference}
          onClose={() => setOpen(null)}
        />
      )}
      {open === "remove" && (
        <ActionDialog
          title={t("booking.remove.ask", { name: title || conference })}
          button={t("booking.remove")}
          danger
          act={remove}
          onClose={() => setOpen(null)}
        >
          <p>{t("booking.remove.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

function Token({ token }: { token: string }) {
  return (
    <>
      <code>{token}</code>{" "}
      {navigator.clipboard && (
        <Button
          size="small"
          look="quiet"
          iconOnly
          icon={<Copy />}
          onClick={() => void attempt(() => navigator.clipboard.writeText(token), tc("copied"))}
        >
          {tc("copy")}
        </Button>
      )}
    </>
  );
}

const tones: Record<Mail["state"], Tone> = { waiting: "warn", sent: "good", failed: "bad" };

/** What became of the mails to those who are invited, and to those who were. */
function Mails({ token, isExpected }: { token: string; isExpected: boolean }) {
  const mails = useQuery(mailsQuery(token));
  if (!isExpected && !mails.data?.length) return null;
  return (
    <Section title={t("mails")} {...(mails.data ? { count: mails.data.length } : {})}>
      <List
        query={mails}
        label={t("mails")}
        none={t("mails.none")}
        head={[t("people.mail"), t("mails.kind"), t("booking.state"), t("mails.at"), t("trunk.error")]}
        row={(mail) => (
          <tr key={mail.id}>
            <td>{mail.to}</td>
            <td>{t(`mails.kind.${mail.kind}`)}</td>
            <td>
              <Badge tone={tones[mail.state]}>{t(`mails.state.${mail.state}`)}</Badge>
            </td>
            <td>{dateTime(mail.sent_at ?? mail.next_at)}</td>
            <td>{mail.error ?? "–"}</td>
          </tr>
        )}
      />
    </Section>
  );
}
