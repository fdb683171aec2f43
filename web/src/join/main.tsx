import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "../styles/tokens.css";
import "../styles/base.css";
import { client, ok } from "../api/client";
import { ApiProblem } from "../api/problem";
import { loadCommon } from "../texts/common";
import { loadJoin, t } from "../texts/join";
import { readLanguage } from "../texts/texts";
import { JoinPage } from "./JoinPage";
import { type Invitation, invitationOf, readCode, readLink } from "./link";
import { JoinSession } from "./session";

const language = readLanguage();
const texts = Promise.all([loadCommon(language), loadJoin(language)]);
const code = readCode(location.pathname, location.hash);
const opened = code === null ? null : ok(client.POST("/v1/guest-links/open", { body: { code } }));
opened?.catch(() => undefined);
await texts;
document.documentElement.lang = language;

/** Why a guest's link does not lead on. */
function sentence(problem: unknown): string {
  const status = problem instanceof ApiProblem ? problem.status : 0;
  switch (status) {
    case 404:
      return t("failed.link");
    case 429:
    case 503:
      return t(`failed.${status}`);
    default:
      return t("failed.connection");
  }
}

let invitation: Invitation | null = null;
let failed = t("failed.404");
if (code === null || opened === null) invitation = readLink(location.pathname, location.hash);
else {
  try {
    invitation = invitationOf(code, await opened, location.hash);
    failed = t("failed.no_service");
  } catch (problem) {
    failed = sentence(problem);
  }
}
document.title = invitation?.title ? `${invitation.title} – Plenary` : `${t("title")} – Plenary`;
const root = document.getElementById("root");
if (root) {
  const session = invitation && new JoinSession(invitation);
  // Another link, entered in the same tab, leads elsewhere.
  addEventListener("hashchange", () => {
    session?.leave();
    location.reload();
  });
  createRoot(root).render(
    <StrictMode>
      <JoinPage invitation={invitation} session={session} failed={failed} />
    </StrictMode>,
  );
}
