import { useNavigate, useSearch } from "@tanstack/react-router";
import { t } from "../texts/pages";
import { TextField } from "../ui/Field";
import type { Days } from "./days";

/** The days that a list is narrowed down to: they stand in the address of the page. */
export function DayFilter() {
  const { since, until } = useSearch({ strict: false });
  const navigate = useNavigate();
  const set = (change: Days) =>
    void navigate({ to: ".", search: (before) => ({ ...before, ...change }), replace: true });
  return (
    <>
      <TextField
        label={t("days.from")}
        type="date"
        max={until}
        value={since ?? ""}
        onChange={(event) => set({ since: event.target.value || undefined })}
      />
      <TextField
        label={t("days.to")}
        type="date"
        min={since}
        value={until ?? ""}
        onChange={(event) => set({ until: event.target.value || undefined })}
      />
    </>
  );
}
