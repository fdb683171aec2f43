import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { exactTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { SelectField, TextField } from "../../ui/Field";
import { List, usePages } from "../../ui/List";
import { actionsColumn, Badge, Filters, Page } from "../../ui/Page";
import { Verbatim } from "../../ui/Verbatim";
import { DayFilter } from "../DayFilter";
import { boundsOf, isSet } from "../days";
import { useMay } from "../session";
import { doingOf, nameIn, type Thing } from "./doing";

type Entry = Schemas["AuditRecord"];

const route = getRouteApi("/shell/audit");

/** What the list can be narrowed down to, by the paths under which it is changed; of operators, what they alone change. */
const FILTERS: readonly (readonly [Thing, string])[] = [
  ["conferences", "/v1/conferences/"],
  ["reservations", "/v1/reservations"],
  ["series", "/v1/series"],
  ["rooms", "/v1/rooms/"],
  ["services", "/v1/services/"],
  ["trunks", "/v1/trunks/"],
  ["users", "/v1/users/"],
  ["people", "/v1/people"],
  ["keys", "/v1/keys"],
  ["guest-links", "/v1/guest-links"],
  ["leader-links", "/v1/leader-links"],
  ["recordings", "/v1/recordings/"],
  ["webhooks", "/v1/webhooks/"],
  ["media", "/v1/media/"],
];
const OF_OPERATORS: typeof FILTERS = [
  ["accounts", "/v1/operator/accounts"],
  ["bans", "/v1/operator/bans"],
];

/** Operators see all accounts, others their own. */
export function AuditPage() {
  const search = route.useSearch();
  const { path } = search;
  const navigate = useNavigate();
  const mayOperate = useMay("operator");
  const address = mayOperate ? "/v1/operator/audit" : "/v1/audit";
  const [open, setOpen] = useState<Entry | null>(null);
  const audit = usePages({
    queryKey: ["audit", address, search],
    page: (query) => ok(client.GET(address, { params: { query: { ...query, path, ...boundsOf(search) } } })),
    refetchInterval: 30_000,
  });
  const filter = (value: string) =>
    void navigate({ to: "/audit", search: { ...search, path: value || undefined }, replace: true });
  const filters = mayOperate ? [...FILTERS, ...OF_OPERATORS] : FILTERS;
  return (
    <Page title={t("nav.audit")} note={t("audit.note")}>
      <Filters>
        <SelectField
          label={t("audit.what")}
          value={filters.some(([, under]) => under === path) ? path : ""}
          onChange={(event) => filter(event.target.value)}
        >
          <option value="">{t("calls.all")}</option>
          {filters.map(([thing, under]) => (
            <option key={under} value={under}>
              {t(`audit.thing.${thing}`)}
            </option>
          ))}
        </SelectField>
        <TextField
          label={t("audit.path")}
          placeholder="/v1/rooms/"
          value={path ?? ""}
          onChange={(event) => filter(event.target.value)}
        />
        <DayFilter />
      </Filters>
      <List
        query={audit}
        label={t("nav.audit")}
        none={t(isSet(search) ? "audit.none.match" : "audit.none")}
        head={[
          t("audit.at"),
          t("audit.by"),
          t("audit.what"),
          t("audit.outcome"),
          t("audit.source"),
          actionsColumn(t("audit.details")),
        ]}
        row={(one) => (
          <tr key={one.id}>
            <td>{exactTime(one.at)}</td>
            <td>{one.actor}</td>
            <td title={`${one.method} ${one.path}`}>{what(one)}</td>
            <td>
              {one.status == null ? (
                "–"
              ) : (
                <Badge tone={one.status < 400 ? "good" : "bad"}>
                  {one.status < 400
                    ? t("audit.outcome.done")
                    : t("audit.outcome.refused", { status: one.status })}
                </Badge>
              )}
            </td>
            <td>{one.source ?? "–"}</td>
            <td>
              <Button size="small" look="quiet" onClick={() => setOpen(one)}>
                {t("audit.details")}
              </Button>
            </td>
          </tr>
        )}
      />
      {open && (
        <Dialog title={`${open.method} ${open.path}`} onClose={() => setOpen(null)} wide>
          <Verbatim
            text={JSON.stringify(
              { request: open.request, before: open.before, after: open.after, request_id: open.request_id },
              null,
              2,
            )}
          />
        </Dialog>
      )}
    </Page>
  );
}

/** In words where there are some; the request itself is in the details. */
function what({ method, path, after, before, request }: Entry): ReactNode {
  const doing = doingOf(method, path);
  if (!doing) {
    return (
      <code>
        {method} {path}
      </code>
    );
  }
  const thing = t(`audit.thing.${doing.thing}`);
  const name = doing.name ?? nameIn(after, before, request);
  return `${name ? `${thing} ${name}` : thing}: ${t(`audit.verb.${doing.verb}`)}`;
}
