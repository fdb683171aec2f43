import { useQueryClient } from "@tanstack/react-query";
import { Link, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import type { Schemas } from "../api/client";
import { ApiProblem } from "../api/problem";
import { t } from "../texts/console";
import { dateTime } from "../texts/format";
import { adoptLanguage } from "../texts/texts";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import { Facts, Loading } from "../ui/Page";
import { ProblemBox } from "../ui/Problem";
import { codeInAddress } from "./codeInAddress";
import { Door } from "./Door";
import css from "./Door.module.css";
import { acceptInvitation, openInvitation, PASSWORD_MIN, sessionQuery } from "./session";

type Opened = Schemas["OpenedInvitation"];

/** Where the link of an invitation leads: whom it is for and as what, and a password of one's own. */
export function Welcome() {
  const [code] = useState(codeInAddress);
  const [opened, setOpened] = useState<Opened | null>(null);
  const [error, setError] = useState<unknown>(null);
  const open = useCallback(async () => {
    setError(null);
    try {
      setOpened(await openInvitation(code));
    } catch (problem) {
      setError(problem);
    }
  }, [code]);
  useEffect(() => {
    if (code) void open();
  }, [code, open]);
  // One that does not count any more counts no more by another try.
  const isRefused = error instanceof ApiProblem && (error.status === 403 || error.status === 404);
  return (
    <Door title={opened ? t("welcome.name", { name: opened.name }) : t("welcome")}>
      {!code ? (
        <p>{t("welcome.no_code")}</p>
      ) : opened ? (
        <Accept code={code} opened={opened} />
      ) : error === null ? (
        <Loading label={t("welcome.opening")} />
      ) : (
        <>
          <ProblemBox error={error} onRetry={isRefused ? undefined : () => void open()} />
          {isRefused && (
            <p className={css.quiet}>
              {t("welcome.accepted")}{" "}
              <Link to="/sign-in" search={{}}>
                {t("sign_in")}
              </Link>
            </p>
          )}
        </>
      )}
    </Door>
  );
}

function Accept({ code, opened }: { code: string; opened: Opened }) {
  const queries = useQueryClient();
  const router = useRouter();
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [isSubmitted, setSubmitted] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isShort = password.length < PASSWORD_MIN;
  const differs = password !== again;
  const roles = opened.roles.map(({ login, role }) =>
    t("welcome.role", { role: t(`welcome.role.${role}`), login }),
  );

  const submit = async () => {
    setSubmitted(true);
    if (isShort || differs) return;
    setError(null);
    setBusy(true);
    try {
      const session = await acceptInvitation(code, password);
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, session);
      // The code is used up: it does not have to stay in the address.
      if (session.person && adoptLanguage(session.person.language)) location.replace("/console/");
      else router.history.replace("/console/");
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <>
      <Facts>
        {[
          [
            t("welcome.as"),
            [...(opened.operator ? [t("welcome.operator")] : []), ...roles].map((one) => (
              <div key={one}>{one}</div>
            )),
          ],
          [t("sign_in.login"), opened.mail],
          [t("welcome.until"), dateTime(opened.expires_at)],
        ]}
      </Facts>
      <p>{t(opened.has_password ? "welcome.text.again" : "welcome.text")}</p>
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
        {/* Programs that keep passwords read from it whose this one is. */}
        <input type="email" autoComplete="username" hidden readOnly value={opened.mail} />
        <Button type="submit" look="primary" size="large" isBusy={isBusy}>
          {t("welcome.accept")}
        </Button>
      </form>
    </>
  );
}
