import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useRef, useState } from "react";
import { t } from "../texts/console";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Page";
import { ProblemBox } from "../ui/Problem";
import { codeInAddress } from "./codeInAddress";
import { Door } from "./Door";
import { openLeaderLink, sessionQuery } from "./session";

/** Where a leader's link leads. It opens the room of its conference. */
export function Leader() {
  const [code] = useState(codeInAddress);
  const session = useQuery(sessionQuery);
  const queries = useQueryClient();
  const router = useRouter();
  const [error, setError] = useState<unknown>(null);
  const isOpened = useRef(false);
  const [isBusy, setBusy] = useState(false);
  const open = useCallback(async () => {
    setError(null);
    setBusy(true);
    try {
      const opened = await openLeaderLink(code);
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, opened);
      router.history.replace(`/console/rooms/${encodeURIComponent(opened.leader?.conference ?? "")}`);
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  }, [code, queries, router]);
  // A person who is signed in is asked: the link takes the place of their session.
  const person = session.data?.person ?? null;
  const mayOpen = code !== "" && session.data !== undefined && person === null;
  useEffect(() => {
    if (!mayOpen || isOpened.current) return;
    isOpened.current = true;
    void open();
  }, [mayOpen, open]);
  return (
    <Door title={t("leader_link")}>
      {code === "" ? (
        <p>{t("welcome.no_code")}</p>
      ) : error !== null ? (
        <ProblemBox error={error} onRetry={() => void open()} />
      ) : person ? (
        <>
          <p>{t("leader_link.instead", { name: person.name })}</p>
          <Button look="primary" size="large" isBusy={isBusy} onClick={() => void open()}>
            {t("leader_link.open")}
          </Button>
        </>
      ) : (
        <Loading label={t("leader_link.open")} />
      )}
    </Door>
  );
}
