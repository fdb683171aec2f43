import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { client, ok, type Schemas } from "../../api/client";
import { shownName } from "../../sip/identity";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { amount, dateTime, duration, percent } from "../../texts/format";
import { Button } from "../../ui/Button";
import { SelectField, TextField } from "../../ui/Field";
import { Badge, Empty, Loading, Page, Table, type Tone } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { qualityOf, qualityTone } from "../room/hints";
import type { CallSearch } from "../router";
import css from "./Operator.module.css";

type CallRecord = Schemas["CallRecord"];

const route = getRouteApi("/shell/calls");

export function outcomeTone(outcome: CallRecord["outcome"]): Tone {
  return outcome === "in_progress" ? "accent" : outcome === "answered" ? "good" : "warn";
}

/** Calls, live and past: the filters are in the address. */
export function CallsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const calls = useInfiniteQuery({
    queryKey: ["calls", search],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      ok(
        client.GET("/v1/calls", {
          params: { query: { limit: 100, ...defined(search), ...(pageParam ? { cursor: pageParam } : {}) } },
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  });
  const set = (change: Partial<CallSearch>) =>
    void navigate({ to: "/calls", search: { ...search, ...change }, replace: true });
  const items = calls.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={t("nav.calls")} note={t("calls.note")}>
      <search className={css.filters}>
        <TextField
          label={t("booking.conference")}
          value={search.conference ?? ""}
          onChange={(event) => set({ conference: event.target.value || undefined })}
        />
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
          onChange={(event) => set({ outcome: (event.target.value || undefined) as CallSearch["outcome"] })}
        >
          <option value="">{t("calls.all")}</option>
          <option value="in_progress">{t("outcome.in_progress")}</option>
          <option value="answered">{t("outcome.answered")}</option>
          <option value="not_answered">{t("outcome.not_answered")}</option>
        </SelectField>
      </search>
      {calls.isPending ? (
        <Loading label={tc("loading")} />
      ) : calls.error ? (
        <ProblemBox error={calls.error} onRetry={() => void calls.refetch()} />
      ) : items.length === 0 ? (
        <Empty>{t("calls.none")}</Empty>
      ) : (
        <Table
          label={t("nav.calls")}
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
        >
          {items.map((one) => (
            <CallLine key={one.id} call={one} />
          ))}
        </Table>
      )}
      {calls.hasNextPage && (
        <div className={css.more}>
          <Button onClick={() => void calls.fetchNextPage()} disabled={calls.isFetchingNextPage}>
            {t("more")}
          </Button>
        </div>
      )}
    </Page>
  );
}

function CallLine({ call }: { call: CallRecord }) {
  const quality = qualityOf(call.quality?.mos_min ?? call.quality?.mos);
  return (
    <tr>
      <td>
        <Link to="/calls/$id" params={{ id: call.id }}>
          {dateTime(call.started_at)}
        </Link>
      </td>
      <td>{call.from ? shownName(call.from) : "–"}</td>
      <td>{call.to ?? call.service ?? "–"}</td>
      <td>{call.conference ?? "–"}</td>
      <td>
        <Badge tone={outcomeTone(call.outcome)}>{t(`outcome.${call.outcome}`)}</Badge>
      </td>
      <td>{duration(call.duration_ms)}</td>
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

function defined(search: CallSearch): CallSearch {
  return Object.fromEntries(
    Object.entries(search).filter(([, value]) => value !== undefined && value !== ""),
  ) as CallSearch;
}
