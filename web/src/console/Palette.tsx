import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { DoorOpen } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { t } from "../texts/pages";
import { Dialog } from "../ui/Dialog";
import { conferencesQuery } from "./conferences";
import css from "./Palette.module.css";
import { placesFor } from "./places";
import { useSession } from "./session";

interface Entry {
  text: string;
  group: string;
  icon: ReactNode;
  open: () => unknown;
}

const SHOWN_MAX = 12;

/** Goes to a page or a room by what it is called. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const session = useSession();
  const router = useRouter();
  const conferences = useQuery(conferencesQuery);
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useId();
  if (!session) return null;

  const rooms = (conferences.data ?? []).map(
    ({ name }): Entry => ({
      text: name,
      group: t("palette.room"),
      icon: <DoorOpen />,
      open: () => router.navigate({ to: "/rooms/$name", params: { name }, search: {} }),
    }),
  );
  const pages = placesFor(session).flatMap((group) =>
    group.places.map(
      (place): Entry => ({
        text: place.text,
        group: group.title,
        icon: place.icon,
        open: () => router.navigate({ to: place.to }),
      }),
    ),
  );
  const wanted = text.trim().toLowerCase();
  const entries = [...rooms, ...pages]
    .filter((entry) => entry.text.toLowerCase().includes(wanted))
    .slice(0, SHOWN_MAX);
  const at = Math.min(chosen, entries.length - 1);
  const open = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    void entry.open();
  };
  return (
    <Dialog title={t("palette.title")} onClose={onClose}>
      <input
        className={css.input}
        role="combobox"
        aria-label={t("palette.title")}
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={at >= 0 ? `${list}-${at}` : undefined}
        aria-autocomplete="list"
        autoComplete="off"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (step) {
            event.preventDefault();
            setChosen((at + step + entries.length) % Math.max(1, entries.length));
          } else if (event.key === "Enter") open(entries[at]);
        }}
      />
      <div id={list} role="listbox" aria-label={t("palette.title")} className={css.list}>
        {entries.map((entry, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the text field, which keeps the focus.
          <div
            key={`${entry.group} ${entry.text}`}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            className={css.entry}
            onClick={() => open(entry)}
          >
            <span aria-hidden="true">{entry.icon}</span>
            {entry.text}
            <em>{entry.group}</em>
          </div>
        ))}
      </div>
      {entries.length === 0 && <p>{t("palette.none")}</p>}
    </Dialog>
  );
}
