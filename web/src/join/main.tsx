import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "../styles/tokens.css";
import "../styles/base.css";
import { loadCommon } from "../texts/common";
import { loadJoin, t } from "../texts/join";
import { readLanguage } from "../texts/texts";
import { JoinPage } from "./JoinPage";
import { readLink } from "./link";
import { JoinSession } from "./session";

const language = readLanguage();
await Promise.all([loadCommon(language), loadJoin(language)]);
document.documentElement.lang = language;
const invitation = readLink(location.pathname, location.hash);
document.title = invitation?.title ? `${invitation.title} – Plenary` : `${t("title")} – Plenary`;
const root = document.getElementById("root");
if (root) {
  const session = invitation && new JoinSession(invitation);
  createRoot(root).render(
    <StrictMode>
      <JoinPage invitation={invitation} session={session} />
    </StrictMode>,
  );
}
