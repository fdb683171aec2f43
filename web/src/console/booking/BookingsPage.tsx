import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CalendarPlus } from "lucide-react";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { amount, dateTime } from "../../texts/format";
import button from "../../ui/Button.module.css";
import { Badge, Empty, Loading, Page, Section, Table } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { reservationsQuery, useRefreshedBy } from "../conferences";
import { phaseTone } from "../Home";
import { useMay } from "../session";
import { SeatsChart } from "./SeatsChart";

export function BookingsPage() {
  useRefreshedBy((type) => type.startsWith("reservation."), [["reservations"]]);
  const reservations = useQuery(reservationsQuery);
  const mayBook = useMay("book");
  const add = mayBook && (
    <Link to="/bookings/new" className={`${button.button} ${button.primary} ${button.normal}`}>
      <CalendarPlus aria-hidden="true" size={17} />
      {t("bookings.new")}
    </Link>
  );
  return (
    <Page title={t("nav.bookings")} note={t("bookings.note")} actions={add}>
      <Section title={t("bookings.list")} {...(reservations.data ? { count: reservations.data.length } : {})}>
        {reservations.isPending ? (
          <Loading label={tc("loading")} />
        ) : reservations.error ? (
          <ProblemBox error={reservations.error} onRetry={() => void reservations.refetch()} />
        ) : reservations.data.length === 0 ? (
          <Empty action={add}>{t("bookings.none")}</Empty>
        ) : (
          <Table
            label={t("nav.bookings")}
            head={[
              t("booking.starts"),
              t("booking.title"),
              t("booking.conference"),
              t("booking.duration"),
              t("booking.seats"),
              t("booking.state"),
            ]}
          >
            {reservations.data.map((one) => (
              <tr key={one.token}>
                <td>{dateTime(one.starts_at)}</td>
                <td>
                  <Link to="/bookings/$token" params={{ token: one.token }}>
                    {one.title || one.conference}
                  </Link>
                </td>
                <td>{one.conference}</td>
                <td>{t("minutes", { count: one.duration_min })}</td>
                <td>{amount(one.max_participants)}</td>
                <td>
                  <Badge tone={phaseTone(one)}>{t(`phase.${one.state}`)}</Badge>
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Section>
      <SeatsChart />
    </Page>
  );
}
