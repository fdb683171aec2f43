import { useEffect, useRef, useState } from "react";
import { shownName } from "../sip/identity";
import type { Roster, RosterUser } from "../sip/roster";
import { t } from "../texts/join";

/** What came and went between two lists, in words; several become a number. */
export function newsBetween(before: RosterUser[], after: RosterUser[], ownId: string | null): string {
  const missing = (from: RosterUser[], of: RosterUser[]) =>
    of.filter(
      (user) =>
        user.status === "connected" && user.id !== ownId && !from.some((other) => other.id === user.id),
    );
  const words = (users: RosterUser[], one: "people.entered" | "people.left") => {
    const [first] = users;
    if (!first) return [];
    return [
      users.length === 1
        ? t(one, { name: shownName(first.user) })
        : t(`${one}_many`, { count: users.length }),
    ];
  };
  const connected = before.filter((user) => user.status === "connected");
  return [
    ...words(missing(connected, after), "people.entered"),
    ...words(missing(after, before), "people.left"),
  ].join(". ");
}

/** For the live region: who enters and leaves. */
export function useAnnouncements(roster: Roster | null, ownId: string | null): string {
  const before = useRef<RosterUser[] | null>(null);
  const [news, setNews] = useState("");
  useEffect(() => {
    if (!roster) return;
    const known = before.current;
    before.current = roster.users;
    if (!known) return;
    const words = newsBetween(known, roster.users, ownId);
    if (words) setNews(words);
  }, [roster, ownId]);
  return news;
}
