import { useNavigate, useSearch } from "@tanstack/react-router";
import { t } from "../texts/pages";
import { TextField } from "../ui/Field";

/** The conference that a list is narrowed down to: it stands in the address of the page. */
export function ConferenceFilter() {
  const { conference = "" } = useSearch({ strict: false });
  const navigate = useNavigate();
  return (
    <TextField
      label={t("booking.conference")}
      value={conference}
      onChange={(event) =>
        void navigate({
          to: ".",
          search: (before) => ({ ...before, conference: event.target.value || undefined }),
          replace: true,
        })
      }
    />
  );
}
