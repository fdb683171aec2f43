import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import { amount } from "../../texts/format";
import { t } from "../../texts/pages";
import { Chart, type Line } from "../../ui/Chart";
import { Section } from "../../ui/Page";
import { limitsQuery } from "../conferences";
import { corners } from "./times";

const DAYS = 7;
const DAY_MS = 86_400_000;
const asSeats = (value: number) => amount(value);

/** How many seats of the installation are sold over the next days, below what there are. */
export function SeatsChart() {
  const limits = useQuery(limitsQuery);
  const capacity = limits.data?.reservations.capacity;
  const availability = useQuery({
    queryKey: ["availability", "week", Math.floor(Date.now() / 600_000)],
    retry: false,
    queryFn: () => {
      const from = new Date(Math.ceil(Date.now() / 60_000) * 60_000);
      const range = { from: from.toISOString(), to: new Date(from.getTime() + DAYS * DAY_MS).toISOString() };
      return everyPage<Schemas["AvailabilityStep"]>((query) =>
        ok(client.GET("/v1/availability", { params: { query: { ...range, ...query } } })),
      );
    },
  });
  const drawn = useMemo(() => {
    if (!availability.data || capacity === undefined) return null;
    const { times, values } = corners(availability.data, capacity);
    const lines: [Line, Line] = [
      { name: t("seats.sold"), values },
      { name: t("seats.capacity"), values: times.map(() => capacity) },
    ];
    return { times, lines };
  }, [availability.data, capacity]);
  if (!drawn || drawn.times.length < 2) return null;
  return (
    <Section title={t("seats.title", { count: DAYS })}>
      <Chart
        label={t("seats.title", { count: DAYS })}
        times={drawn.times}
        lines={drawn.lines}
        format={asSeats}
        least={1}
        days
      />
    </Section>
  );
}
