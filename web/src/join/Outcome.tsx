import type { PhoneState } from "../sip/telephone";
import { t } from "../texts/join";
import css from "./Join.module.css";

/** How the last call ended, or why it did not come to be. */
export function Outcome({ state }: { state: PhoneState }) {
  if (state.kind === "ended") {
    return (
      <div className={css.outcome} role="status">
        <strong>{t(`ended.${state.by}`)}</strong>
        {state.text && <span>{state.text}</span>}
      </div>
    );
  }
  if (state.kind !== "failed") return null;
  return (
    <div className={`${css.outcome} ${css.bad}`} role="alert">
      <strong>{t("failed")}</strong>
      <span>{sentence(state.status, state.text)}</span>
    </div>
  );
}

function sentence(status: number, text: string): string {
  switch (status) {
    case 0:
      return t("failed.connection");
    case 401:
    case 403:
    case 404:
    case 408:
    case 480:
    case 488:
    case 503:
      return t(`failed.${status}`);
    case 486:
      // The phrase says which of them, where the service has said so.
      return text && text !== "Busy Here" ? t("failed.other", { text }) : t("failed.486");
    default:
      return t("failed.other", { text: text || String(status) });
  }
}
