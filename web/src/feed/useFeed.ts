import { createContext, useContext, useEffect, useRef, useSyncExternalStore } from "react";
import type { FeedMessage, FeedStatus } from "./connection";
import type { SharedFeed } from "./shared";

export const FeedContext = createContext<SharedFeed | null>(null);

function useFeedObject(): SharedFeed {
  const feed = useContext(FeedContext);
  if (!feed) throw new Error("no feed around this component");
  return feed;
}

/** Calls `listener` with every message while the component is shown. */
export function useFeed(listener: (message: FeedMessage) => void): void {
  const feed = useFeedObject();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => feed.listen((message) => latest.current(message)), [feed]);
}

/** Has levels sent while the component is shown. */
export function useLevelsWanted(): void {
  const feed = useFeedObject();
  useEffect(() => {
    feed.wantLevels(true);
    return () => feed.wantLevels(false);
  }, [feed]);
}

export function useFeedStatus(): FeedStatus {
  const feed = useFeedObject();
  return useSyncExternalStore(
    (changed) => feed.listen((message) => message.kind === "status" && changed()),
    () => feed.status,
  );
}
