import { useEffect, useRef } from "react";
import type { CallFailure, PhoneState } from "../sip/telephone";
import { t } from "../texts/join";
import { readLanguage } from "../texts/texts";
import css from "./Join.module.css";

/** How the last call ended, or why it did not come to be. It has the focus, which was on a button of the call. */
export function Outcome({ state }: { state: PhoneState }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => element.current?.focus(), []);
  if (state.kind === "ended") {
    return (
      <div ref={element} className={css.outcome} role="status" tabIndex={-1}>
        <strong>{t(`ended.${state.by}`)}</strong>
        {state.by === "them" && <span>{reason(state.text)}</span>}
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

/** What the service says of the end of a call, or of why there is none, and the words for it here. */
const REASONS = {
  "The conference's time is up": "reason.time",
  "The conference was ended": "reason.ended",
  "The leader has ended the conference": "reason.ended",
  "A leader has ended the conference": "reason.ended",
  "Ejected from the conference": "reason.removed",
  "A leader has removed the participant": "reason.removed",
  "Removed by the leader": "reason.removed",
  "Nobody else came": "reason.alone",
  "The conference is full": "reason.full",
  "The conference is locked": "reason.locked",
  "The conference has not started": "reason.early",
  "The conference is over": "reason.over",
  "Too many callers wait": "reason.lobby",
  "A leader turned the caller away": "reason.denied",
  "No valid room or PIN was keyed in": "reason.pin",
  "Too many wrong PINs": "reason.pins",
} as const;

/** In words of this page; others of the service only where they are of the page's language. */
export function reason(text: string): string {
  if (text in REASONS) return t(REASONS[text as keyof typeof REASONS]);
  return readLanguage() === "en" ? text : "";
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
      // The phrase says why, where the service has said so.
      return (text in REASONS && reason(text)) || t("failed.486");
    default:
      return t("failed.other", { text: reason(text) || String(status) });
  }
}
