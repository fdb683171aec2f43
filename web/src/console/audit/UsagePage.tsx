import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { client, ok, type Schemas } from "../../api/client";
import { amount, dayName, monthName } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { SelectField, TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { Filters, Page } from "../../ui/Page";
import css from "../../ui/Page.module.css";
import { saveFile } from "../../ui/save";
import { conferenceName } from "../parties";
import type { UsageSearch } from "../searches";

const route = getRouteApi("/shell/usage");

type By = NonNullable<UsageSearch["by"]>;
type Line = Schemas["UsageLine"];

/** The head of a column of numbers. */
const number = (name: string) => <span className={css.number}>{name}</span>;

const day = (at: number) => new Date(at).toISOString().slice(0, 10);

export function UsagePage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const by: By = search.by ?? "day";
  const from = search.from ?? day(Date.now() - 29 * 86_400_000);
  const to = search.to ?? day(Date.now());
  // The last day is shown as a whole.
  const query = {
    from: `${from}T00:00:00Z`,
    to: new Date(Date.parse(`${to}T00:00:00Z`) + 86_400_000).toISOString(),
    by,
  };
  const isValid = Number.isFinite(Date.parse(from)) && Number.isFinite(Date.parse(to));
  const usage = useQuery({
    queryKey: ["usage", from, to, by],
    enabled: isValid,
    retry: false,
    queryFn: async () => {
      const report = await ok(client.GET("/v1/usage", { params: { query } }));
      return report.items;
    },
  });
  const set = (change: UsageSearch) =>
    void navigate({ to: "/usage", search: { ...search, ...change }, replace: true });
  return (
    <Page
      title={t("nav.usage")}
      note={t("usage.note")}
      actions={
        <Button icon={<Download />} onClick={() => void attempt(() => download(query))} disabled={!isValid}>
          {t("usage.csv")}
        </Button>
      }
    >
      <Filters>
        <TextField
          label={t("days.from")}
          type="date"
          value={from}
          onChange={(event) => set({ from: event.target.value || undefined })}
        />
        <TextField
          label={t("days.to")}
          type="date"
          value={to}
          onChange={(event) => set({ to: event.target.value || undefined })}
        />
        <SelectField
          label={t("usage.by")}
          value={by}
          onChange={(event) => set({ by: event.target.value as By })}
        >
          <option value="day">{t("usage.by.day")}</option>
          <option value="month">{t("usage.by.month")}</option>
          <option value="conference">{t("usage.by.conference")}</option>
          <option value="trunk">{t("usage.by.trunk")}</option>
          <option value="account">{t("usage.by.account")}</option>
        </SelectField>
      </Filters>
      <List
        query={usage}
        label={t("nav.usage")}
        none={t("usage.none")}
        head={[
          t(`usage.by.${by}`),
          number(t("usage.conferences")),
          number(t("usage.calls")),
          number(t("usage.seat_minutes")),
          number(t("usage.reserved")),
          number(t("usage.incoming")),
          number(t("usage.outgoing")),
          number(t("usage.peak")),
        ]}
        row={(line) => (
          <tr key={line[by]}>
            <td>{labelOf(line, by)}</td>
            <td className={css.number}>{amount(line.conferences)}</td>
            <td className={css.number}>{amount(line.calls)}</td>
            <td className={css.number}>{amount(line.seat_minutes, 1)}</td>
            <td className={css.number}>{amount(line.reserved_seat_minutes, 1)}</td>
            <td className={css.number}>{amount(line.incoming_minutes, 1)}</td>
            <td className={css.number}>{amount(line.outgoing_minutes, 1)}</td>
            <td className={css.number}>{amount(line.peak_seats)}</td>
          </tr>
        )}
        total={(lines) => lines.length > 1 && <Total lines={lines} />}
      />
    </Page>
  );
}

/** Minutes add up; a conference or a call may be in several lines, and peaks are at different times. */
function Total({ lines }: { lines: Line[] }) {
  const sum = (read: (line: Line) => number | null | undefined) =>
    amount(
      lines.reduce((all, line) => all + (read(line) ?? 0), 0),
      1,
    );
  return (
    <tr className={css.total}>
      <td>{t("usage.total")}</td>
      <td />
      <td />
      <td className={css.number}>{sum((line) => line.seat_minutes)}</td>
      <td className={css.number}>{sum((line) => line.reserved_seat_minutes)}</td>
      <td className={css.number}>{sum((line) => line.incoming_minutes)}</td>
      <td className={css.number}>{sum((line) => line.outgoing_minutes)}</td>
      <td />
    </tr>
  );
}

/** Days and months are those of UTC, whichever the reader's zone is. */
function labelOf(line: Line, by: By): string {
  const text = line[by];
  if (text == null) return "–";
  return by === "month" ? monthName(text) : by === "day" ? dayName(text) : conferenceName(text);
}

async function download(query: { from: string; to: string; by: By }): Promise<void> {
  const headers = { Accept: "text/csv" };
  saveFile("usage.csv", await ok(client.GET("/v1/usage", { params: { query }, headers, parseAs: "blob" })));
}
