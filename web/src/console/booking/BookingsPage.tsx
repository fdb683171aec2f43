import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CalendarPlus, CalendarSync, Repeat } from "lucide-react";
import { useState } from "react";
import { amount, dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import button from "../../ui/Button.module.css";
import { List } from "../../ui/List";
import { Badge, Page, Section } from "../../ui/Page";
import { isTitled, reservationsQuery, useRefreshedBy } from "../conferences";
import { phaseTone } from "../Home";
import { useMay } from "../session";
import { CalendarFeedDialog } from "./CalendarFeedDialog";
import { SeatsChart } from "./SeatsChart";

export function BookingsPage() {
  useRefreshedBy((type) => type.startsWith("reservation."), [["reservations"]]);
  const reservations = useQuery(reservationsQuery);
  const mayBook = useMay("book");
  const hasTitles = (reservations.data ?? []).some(isTitled);
  const [isOpen, setOpen] = useState(false);
  const add = mayBook && (
    <Link to="/bookings/new" className={`${button.button} ${button.primary} ${button.normal}`}>
      <CalendarPlus aria-hidden="true" size={17} />
      {t("bookings.new")}
    </Link>
  );
  return (
    <Page
      title={t("nav.bookings")}
      note={t("bookings.note")}
      actions={
        <>
          <Button icon={<CalendarSync />} onClick={() => setOpen(true)}>
            {t("feed_link")}
          </Button>
          {add}
        </>
      }
    >
      <SeatsChart />
      <Section title={t("bookings.list")} {...(reservations.data ? { count: reservations.data.length } : {})}>
        <List
          query={reservations}
          label={t("nav.bookings")}
          none={t("bookings.none")}
          action={add}
          head={[
            t("booking.starts"),
            t("booking.title"),
            ...(hasTitles ? [t("booking.conference")] : []),
            t("booking.duration"),
            t("booking.seats"),
            t("booking.state"),
          ]}
          row={(one) => (
            <tr key={one.token}>
              <td>{dateTime(one.starts_at)}</td>
              <td>
                <Link to="/bookings/$token" params={{ token: one.token }}>
                  {one.title || one.conference}
                </Link>
                {one.series && (
                  <>
                    {" "}
                    <Repeat aria-hidden="true" size={14} />
                    <span className="visually-hidden">{t("bookings.of_series")}</span>
                  </>
                )}
              </td>
              {hasTitles && <td>{isTitled(one) && one.conference}</td>}
              <td>{t("minutes", { count: one.duration_min })}</td>
              <td>{amount(one.max_participants)}</td>
              <td>
                <Badge tone={phaseTone(one)}>{t(`phase.${one.state}`)}</Badge>
              </td>
            </tr>
          )}
        />
      </Section>
      {isOpen && <CalendarFeedDialog onClose={() => setOpen(false)} />}
    </Page>
  );
}
