import { useEffect, useState, useSyncExternalStore } from "react";
import { t } from "../texts/join";
import { Brand } from "../ui/Brand";
import { LanguageChoice } from "../ui/LanguageChoice";
import { InCall } from "./InCall";
import css from "./Join.module.css";
import type { Invitation } from "./link";
import { Setup } from "./Setup";
import type { JoinSession } from "./session";

export function JoinPage({
  invitation,
  session,
  failed,
}: {
  invitation: Invitation | null;
  session: JoinSession | null;
  /** Why there is no invitation, where there is none. */
  failed: string;
}) {
  return (
    <div className={css.page}>
      <header className={css.header}>
        <Brand />
        <LanguageChoice />
      </header>
      {invitation && session ? (
        <Conference invitation={invitation} session={session} />
      ) : (
        <main className={css.card}>
          <h1>{t("failed")}</h1>
          <p>{failed}</p>
        </main>
      )}
    </div>
  );
}

function Conference({ invitation, session }: { invitation: Invitation; session: JoinSession }) {
  const view = useSyncExternalStore(session.subscribe, session.snapshot);
  const [isResuming, setResuming] = useState(true);
  useEffect(() => {
    let shown = true;
    session
      .resume()
      .then((resumed) => (resumed ? undefined : session.openIfAllowed()))
      .finally(() => shown && setResuming(false));
    return () => {
      shown = false;
    };
  }, [session]);
  const { kind } = view.state;
  const isInCall = kind === "up" || kind === "reconnecting" || kind === "connecting" || kind === "ringing";
  return isInCall ? (
    <InCall invitation={invitation} session={session} view={view} />
  ) : (
    <Setup invitation={invitation} session={session} view={view} isResuming={isResuming} />
  );
}
