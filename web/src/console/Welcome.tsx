import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { t } from "../texts/console";
import { adoptLanguage } from "../texts/texts";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import { ProblemBox } from "../ui/Problem";
import { codeInAddress } from "./codeInAddress";
import { Door } from "./Door";
import { acceptInvitation, PASSWORD_MIN, sessionQuery } from "./session";

/** Where the link of an invitation leads. */
export function Welcome() {
  const [code] = useState(codeInAddress);
  const queries = useQueryClient();
  const router = useRouter();
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [isSubmitted, setSubmitted] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isShort = password.length < PASSWORD_MIN;
  const differs = password !== again;

  const submit = async () => {
    setSubmitted(true);
    if (isShort || differs) return;
    setError(null);
    try {
      const session = await acceptInvitation(code, password);
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, session);
      // The code is used up: it does not have to stay in the address.
      if (session.person && adoptLanguage(session.person.language)) location.replace("/console/");
      else router.history.replace("/console/");
    } catch (problem) {
      setError(problem);
    }
  };
  if (!code) {
    return (
      <Door title={t("welcome")}>
        <p>{t("welcome.no_code")}</p>
      </Door>
    );
  }
  return (
    <Door title={t("welcome")}>
      <p>{t("welcome.text")}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {error !== null && <ProblemBox error={error} />}
        <TextField
          label={t("welcome.password")}
          hint={t("welcome.password.hint", { count: PASSWORD_MIN })}
          error={isSubmitted && isShort ? t("welcome.password.hint", { count: PASSWORD_MIN }) : undefined}
          type="password"
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <TextField
          label={t("welcome.again")}
          error={isSubmitted && differs ? t("welcome.differs") : undefined}
          type="password"
          autoComplete="new-password"
          value={again}
          onChange={(event) => setAgain(event.target.value)}
        />
        <Button type="submit" look="primary" size="large">
          {t("welcome.accept")}
        </Button>
      </form>
    </Door>
  );
}
