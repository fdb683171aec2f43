import { useEffect, useRef } from "react";
import type { CallFailure, PhoneState } from "../sip/telephone";
import { t } from "../texts/join";
import css from "./Join.module.css";

/** How the last call ended, or why it did not come to be. It has the focus, which was on a button of the call. */
export function Outcome({ state }: { state: PhoneState }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => element.current?.focus(), []);
  if (state.kind === "ended") {
    return (
      <div ref={element} className={css.outcome} role="status" tabIndex={-1}>
        <strong>{t(`ended.${state.by}`)}</strong>
        {state.text && <span>{state.text}</span>}
      </div>
    );
  }
  if (state.kind !== "failed") return null;
  return (
    <div ref={element} className={`${css.outcome} ${css.bad}`} role="alert" tabIndex={-1}>
      <strong>{t("failed")}</strong>
      <span>{sentence(state.why)}</span>
    </div>
  );
}

export function sentence(why: CallFailure): string {
  switch (why.kind) {
    case "connection":
      return t("failed.connection");
    case "ice":
      return t("failed.ice");
    case "codecs":
      return t("failed.codecs");
    case "browser":
      return t("failed.browser");
    case "refused":
      return refusal(why.status, why.text);
  }
}

function refusal(status: number, text: string): string {
  switch (status) {
    case 401:
    case 403:
    case 404:
    case 408:
    case 480:
    case 503:
      return t(`failed.${status}`);
    case 486:
      // The phrase says which of them, where the service has said so.
      return text && text !== "Busy Here" ? t("failed.other", { text }) : t("failed.486");
    default:
      return t("failed.other", { text: text || String(status) });
  }
}
