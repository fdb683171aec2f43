import { useCallback, useEffect, useRef, useState } from "react";
import type { LiveEvent } from "../../feed/connection";
import { t } from "../../texts/pages";
import { anew } from "../../ui/liveText";
import { nameOf, type Participant } from "./state";

const GATHER_MS = 1_500;
const NAMED_MAX = 2;

/** What is told of participants; many of a kind become a number. */
export type NewsKind = "entered" | "left" | "hand" | "waiting" | "refused" | "failed" | "line";
/** What is told of the conference as a whole. */
type ConferenceNews =
  | "recording"
  | "recording_paused"
  | "recording_resumed"
  | "recording_stopped"
  | "recording_failed"
  | "locked"
  | "unlocked"
  | "lecture"
  | "lecture_over";

const ofConference: Record<string, ConferenceNews> = {
  "recording.started": "recording",
  "recording.paused": "recording_paused",
  "recording.resumed": "recording_resumed",
  "recording.stopped": "recording_stopped",
  "recording.failed": "recording_failed",
  "conference.locked": "locked",
  "conference.unlocked": "unlocked",
};

const ofParticipant: Record<string, NewsKind> = {
  "participant.entered": "entered",
  "participant.left": "left",
  "participant.hand_raised": "hand",
  "participant.waiting": "waiting",
  "participant.refused": "refused",
  "call.failed": "failed",
};

/** What an event says of a room, if it is worth a word. Talking is silent. */
export function newsOf(
  event: LiveEvent,
  conference: string,
): { of: "conference"; news: ConferenceNews } | { of: "participant"; kind: NewsKind } | null {
  if (event.type === "participant.moved") {
    return { of: "participant", kind: event.conference === conference ? "entered" : "left" };
  }
  if (event.type === "conference.lecture") {
    return { of: "conference", news: event.data.lecture === true ? "lecture" : "lecture_over" };
  }
  const news = ofConference[event.type];
  if (news) return { of: "conference", news };
  const kind = ofParticipant[event.type];
  return kind ? { of: "participant", kind } : null;
}

/** For the live region of a room. What comes within a moment is read out together. */
export function useNews(conference: string) {
  const [news, setNews] = useState("");
  const gathered = useRef(new Map<NewsKind | ConferenceNews, string[]>());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const say = useCallback((text: string) => setNews((before) => anew(before, text)), []);
  const tell = useCallback(
    (what: NewsKind | ConferenceNews, name = "") => {
      const names = gathered.current.get(what) ?? [];
      gathered.current.set(what, [...names, name]);
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        const words = [...gathered.current].map(([one, all]) => sentence(one, all));
        gathered.current = new Map();
        say(words.join(". "));
      }, GATHER_MS);
    },
    [say],
  );
  const hear = useCallback(
    (event: LiveEvent, before: Participant[]) => {
      const found = newsOf(event, conference);
      if (found?.of === "conference") tell(found.news);
      if (found?.of !== "participant") return;
      const known = before.find((one) => one.participant_id === event.participant_id);
      tell(found.kind, known ? nameOf(known) : String(event.data.display_name ?? event.data.from ?? ""));
    },
    [conference, tell],
  );
  return { news, hear, tell, say };
}

function sentence(what: NewsKind | ConferenceNews, names: string[]): string {
  switch (what) {
    case "line":
      // Who it is and what is wrong.
      return names.length > NAMED_MAX ? t("news.line_many", { count: names.length }) : names.join(". ");
    case "entered":
    case "left":
    case "hand":
    case "waiting":
    case "refused":
    case "failed":
      if (names.length > NAMED_MAX) return t(`news.${what}_many`, { count: names.length });
      return names.map((name) => t(`news.${what}`, { name })).join(". ");
    default:
      return t(`news.${what}`);
  }
}
