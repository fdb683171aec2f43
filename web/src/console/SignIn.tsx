import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { ApiProblem } from "../api/problem";
import { t } from "../texts/console";
import { adoptLanguage } from "../texts/texts";
import { Button, LinkButton } from "../ui/Button";
import { TextField } from "../ui/Field";
import { ProblemBox } from "../ui/Problem";
import { Door } from "./Door";
import css from "./Door.module.css";
import { sessionQuery, signIn, signInWaysQuery } from "./session";

const route = getRouteApi("/sign-in");

/** Why nobody came back from the provider signed in, by what stands in the address. */
const refusals = [
  "busy",
  "denied",
  "disabled",
  "expired",
  "insecure",
  "invalid",
  "linked",
  "mail",
  "no_role",
  "provider",
  "unavailable",
] as const;

function refusal(code: string): ApiProblem {
  const known = refusals.find((one) => one === code) ?? "provider";
  return new ApiProblem({ status: 0, title: t("sign_in.failed"), detail: t(`sign_in.failed.${known}`) });
}

/** Login and password do not belong together, or to no person. */
const WRONG_LOGIN = "1125";

/** In the reader's language, and by the words of the form. */
function inWords(problem: unknown): unknown {
  if (!(problem instanceof ApiProblem) || problem.code !== WRONG_LOGIN) return problem;
  const { status, code, requestId } = problem;
  return new ApiProblem({
    status,
    code,
    requestId,
    title: t("sign_in.failed"),
    detail: t("sign_in.failed.wrong"),
  });
}

export function SignIn() {
  const { next, error: returned } = route.useSearch();
  const queries = useQueryClient();
  const router = useRouter();
  const ways = useQuery(signInWaysQuery);
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(() => (returned === undefined ? null : refusal(returned)));
  const [isBusy, setBusy] = useState(false);
  // Only a path of the console: what stands in an address may come from anywhere.
  const isOurs = next !== undefined && /^\/(?!\/)/.test(next) && !next.includes("\\");
  const target = isOurs ? `/console${next.replace(/^\/console(?=\/|$)/, "")}` : "/console/";
  const provider = ways.data?.provider;
  // Where it cannot be asked, the form says why.
  const hasPasswords = ways.isError || ways.data?.passwords === true;

  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      const session = await signIn(login, password);
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, session);
      if (session.person && adoptLanguage(session.person.language)) location.assign(target);
      else router.history.push(target);
    } catch (problem) {
      setError(inWords(problem));
      setBusy(false);
    }
  };
  return (
    <Door title={t("sign_in")}>
      {error !== null && <ProblemBox error={error} />}
      {provider && (
        <LinkButton
          look={hasPasswords ? "plain" : "primary"}
          size="large"
          href={`${provider.path}?next=${encodeURIComponent(target)}`}
        >
          {t("sign_in.provider", { name: provider.name })}
        </LinkButton>
      )}
      {hasPasswords && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          {provider && <p>{t("sign_in.or")}</p>}
          <TextField
            label={t("sign_in.login")}
            type="email"
            autoComplete="username"
            required
            value={login}
            onChange={(event) => setLogin(event.target.value)}
          />
          <TextField
            label={t("sign_in.password")}
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
          <Button type="submit" look="primary" size="large" isBusy={isBusy}>
            {t("sign_in")}
          </Button>
          <p className={css.quiet}>{t("sign_in.forgotten")}</p>
        </form>
      )}
    </Door>
  );
}
