import { useEffect, useRef, useState } from "react";
import { shownName } from "../sip/identity";
import type { Roster, RosterUser } from "../sip/roster";
import { t } from "../texts/join";
import { anew } from "../ui/liveText";

/** What is to be read out of what has changed between two lists; several people become a number. `before`: null at the beginning. */
export function newsBetween(before: Roster | null, after: Roster): string {
  const news: string[] = [];
  if (after.recording !== (before?.recording ?? null)) news.push(t(`recording.${after.recording ?? "off"}`));
  if (before) {
    news.push(...words(missing(before, after), "people.entered"));
    news.push(...words(missing(after, before), "people.left"));
    const [was, is] = [own(before), own(after)];
    if (was && is) {
      if (was.muted !== is.muted) news.push(t(is.muted ? "muted.by_leader" : "microphone.hears"));
      if (was.handRaised !== is.handRaised) news.push(t(is.handRaised ? "hand.raised" : "hand.lowered"));
    }
  }
  return news.map((one) => one.replace(/\.$/, "")).join(". ");
}

const own = (roster: Roster) => roster.users.find((user) => user.id === roster.ownId);

/** Who is in by `of` and not by `from`. */
function missing(from: Roster, of: Roster): RosterUser[] {
  const known = new Set(from.users.filter((user) => user.status === "connected").map((user) => user.id));
  return of.users.filter(
    (user) => user.status === "connected" && user.id !== of.ownId && !known.has(user.id),
  );
}

function words(users: RosterUser[], one: "people.entered" | "people.left"): string[] {
  const [first] = users;
  if (!first) return [];
  if (users.length > 1) return [t(`${one}_many`, { count: users.length })];
  return [t(one, { name: shownName(first.name) })];
}

/** For the live region: who enters and leaves, recording, and what a leader does with oneself. */
export function useAnnouncements(roster: Roster | null): string {
  const before = useRef<Roster | null>(null);
  const [news, setNews] = useState("");
  useEffect(() => {
    if (!roster) return;
    const words = newsBetween(before.current, roster);
    before.current = roster;
    if (words) setNews((last) => anew(last, words));
  }, [roster]);
  return news;
}
