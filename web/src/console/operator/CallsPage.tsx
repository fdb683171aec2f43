import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { PhoneIncoming, PhoneOutgoing } from "lucide-react";
import type { ReactNode } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { shownName } from "../../sip/identity";
import { amount, duration, exactTime, percent } from "../../texts/format";
import { t } from "../../texts/pages";
import { SelectField, TextField } from "../../ui/Field";
import { List, usePages } from "../../ui/List";
import { Badge, Filters, Page, type Tone } from "../../ui/Page";
import { useNow } from "../../ui/useNow";
import { ConferenceFilter } from "../ConferenceFilter";
import { DayFilter } from "../DayFilter";
import { boundsOf, isSet } from "../days";
import { callerOf, conferenceName } from "../parties";
import { qualityOf, qualityTone } from "../room/hints";
import type { CallSearch } from "../searches";
import { useMay } from "../session";
import { failedOnly } from "./failedOnly";

type CallRecord = Schemas["CallRecord"];

const route = getRouteApi("/shell/calls");

const READ_AGAIN_MS = 15_000;

export function outcomeTone(outcome: CallRecord["outcome"]): Tone {
  return outcome === "in_progress" ? "accent" : outcome === "answered" ? "good" : "warn";
}

/** How long a call was, or how long it has been answered by now. */
export function lasts(call: CallRecord): ReactNode {
  return call.outcome === "in_progress" && call.answered_at ? (
    <Since at={call.answered_at} />
  ) : (
    duration(call.duration_ms)
  );
}

function Since({ at }: { at: string }) {
  return duration(Math.max(0, useNow(1_000) - Date.parse(at)));
}

/** Calls, live and past: the filters are in the address. */
export function CallsPage() {
  const { which, ...search } = route.useSearch();
  const navigate = useNavigate();
  const mayOperate = useMay("operator");
  const isOfRefused = which === "refused" && mayOperate;
  const set = (change: Partial<CallSearch>) =>
    void navigate({ to: "/calls", search: { ...search, ...change }, replace: true });
  return (
    <Page title={t("nav.calls")} note={t(isOfRefused ? "calls.refused.note" : "calls.note")}>
      <Filters
        isMoreSet={isSet({ ...search, conference: undefined })}
        more={
          !isOfRefused && (
            <>
              <DayFilter />
              <TextField
                label={t("calls.from")}
                value={search.from ?? ""}
                onChange={(event) => set({ from: event.target.value || undefined })}
              />
              <TextField
                label={t("calls.to")}
                value={search.to ?? ""}
                onChange={(event) => set({ to: event.target.value || undefined })}
              />
              <SelectField
                label={t("calls.direction")}
                value={search.direction ?? ""}
                onChange={(event) =>
                  set({ direction: (event.target.value || undefined) as CallSearch["direction"] })
                }
              >
                <option value="">{t("calls.all")}</option>
                <option value="in">{t("calls.direction.in")}</option>
                <option value="out">{t("calls.direction.out")}</option>
              </SelectField>
              <SelectField
                label={t("calls.outcome")}
                value={search.outcome ?? ""}
                onChange={(event) =>
                  set({ outcome: (event.target.value || undefined) as CallSearch["outcome"] })
                }
              >
                <option value="">{t("calls.all")}</option>
                <option value="in_progress">{t("outcome.in_progress")}</option>
                <option value="answered">{t("outcome.answered")}</option>
                <option value="not_answered">{t("outcome.not_answered")}</option>
              </SelectField>
            </>
          )
        }
      >
        {mayOperate && (
          <SelectField
            label={t("calls.which")}
            value={isOfRefused ? "refused" : ""}
            // The filters of the one are none of the other.
            onChange={(event) =>
              void navigate({
                to: "/calls",
                search: event.target.value ? { which: "refused" } : {},
                replace: true,
              })
            }
          >
            <option value="">{t("calls.which.account")}</option>
            <option value="refused">{t("calls.which.refused")}</option>
          </SelectField>
        )}
        {!isOfRefused && <ConferenceFilter />}
      </Filters>
      {isOfRefused ? <RefusedCalls /> : <AccountCalls search={search} />}
    </Page>
  );
}

function AccountCalls({ search }: { search: Omit<CallSearch, "which"> }) {
  const calls = usePages({
    queryKey: ["calls", search],
    page: (query) =>
      ok(client.GET("/v1/calls", { params: { query: { ...query, ...search, ...boundsOf(search) } } })),
    refetchInterval: READ_AGAIN_MS,
  });
  return (
    <List
      query={calls}
      label={t("nav.calls")}
      none={t(isSet(search) ? "calls.none" : "calls.none.yet")}
      head={[
        t("calls.started"),
        t("calls.from"),
        t("calls.to"),
        t("booking.conference"),
        t("calls.outcome"),
        t("calls.duration"),
        t("quality"),
        t("calls.loss"),
      ]}
      row={(one) => <CallLine key={one.id} call={one} />}
    />
  );
}

/** Those that failed, of which only messages are known: some got to no account. */
function RefusedCalls() {
  const calls = usePages({
    queryKey: ["kept-calls"],
    page: (query) =>
      failedOnly(query, (next) => ok(client.GET("/v1/operator/calls", { params: { query: next } }))),
    refetchInterval: READ_AGAIN_MS,
  });
  return (
    <List
      query={calls}
      label={t("calls.which.refused")}
      none={t("calls.refused.none")}
      head={[t("calls.last"), t("calls.people")]}
      row={(one) => (
        <tr key={one.id}>
          <td>
            <Link to="/calls/$id" params={{ id: one.id }}>
              {exactTime(one.last_at)}
            </Link>
          </td>
          <td>{[...new Set(one.people.map(shownName))].join(", ") || "–"}</td>
        </tr>
      )}
    />
  );
}

function CallLine({ call }: { call: CallRecord }) {
  const quality = qualityOf(call.quality?.mos_min ?? call.quality?.mos);
  return (
    <tr>
      <td>
        <Link to="/calls/$id" params={{ id: call.id }}>
          {exactTime(call.started_at)}
        </Link>
      </td>
      <td>
        {call.direction === "in" ? (
          <PhoneIncoming aria-hidden="true" size={14} />
        ) : (
          <PhoneOutgoing aria-hidden="true" size={14} />
        )}{" "}
        <span className="visually-hidden">{t(`calls.direction.${call.direction}`)}</span>
        {callerOf(call) ?? "–"}
      </td>
      <td>{call.to ? shownName(call.to) : (call.service ?? "–")}</td>
      <td>{call.conference ? conferenceName(call.conference) : "–"}</td>
      <td>
        <Badge tone={outcomeTone(call.outcome)}>{t(`outcome.${call.outcome}`)}</Badge>
      </td>
      <td>{lasts(call)}</td>
      <td>
        {quality === "unknown" ? (
          "–"
        ) : (
          <Badge tone={qualityTone[quality]}>
            {t(`quality.${quality}`)} {amount(call.quality?.mos_min ?? call.quality?.mos, 1)}
          </Badge>
        )}
      </td>
      <td>{percent(call.quality?.loss)}</td>
    </tr>
  );
}
