import { useCallback, useEffect, useRef, useState } from "react";
import type { LiveEvent } from "../../feed/connection";
import { t } from "../../texts/pages";
import { nameOf, type Participant } from "./state";

const GATHER_MS = 1_500;
const NAMED_MAX = 2;

/** What is read out of a room: enters, leaves, hands, waiting, recording. Talking is silent; many of a kind become a number. */
export function useNews() {
  const [news, setNews] = useState("");
  const gathered = useRef<Record<string, string[]>>({});
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const hear = useCallback((event: LiveEvent, before: Participant[]) => {
    const kind = kindOf(event.type);
    if (!kind) return;
    const known = before.find((one) => one.participant_id === event.participant_id);
    const name = known ? nameOf(known) : String(event.data.display_name ?? event.data.from ?? "");
    const names = gathered.current[kind] ?? [];
    gathered.current[kind] = [...names, name];
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      const words = Object.entries(gathered.current).map(([one, all]) => sentence(one as NewsKind, all));
      gathered.current = {};
      setNews(words.join(". "));
    }, GATHER_MS);
  }, []);
  const say = useCallback((text: string) => setNews(text), []);
  return { news, hear, say };
}

type NewsKind = "entered" | "left" | "hand" | "waiting" | "recording";

function kindOf(type: string): NewsKind | null {
  switch (type) {
    case "participant.entered":
      return "entered";
    case "participant.left":
      return "left";
    case "participant.hand_raised":
      return "hand";
    case "participant.waiting":
      return "waiting";
    case "recording.started":
      return "recording";
    default:
      return null;
  }
}

function sentence(kind: NewsKind, names: string[]): string {
  if (kind === "recording") return t("news.recording");
  if (names.length > NAMED_MAX) return t(`news.${kind}_many`, { count: names.length });
  return names.map((name) => t(`news.${kind}`, { name })).join(". ");
}
