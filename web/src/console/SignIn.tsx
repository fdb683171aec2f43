import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { t } from "../texts/console";
import { adoptLanguage } from "../texts/texts";
import { Button } from "../ui/Button";
import { TextField } from "../ui/Field";
import { ProblemBox } from "../ui/Problem";
import { Door } from "./Door";
import { sessionQuery, signIn } from "./session";

const route = getRouteApi("/sign-in");

export function SignIn() {
  const { next } = route.useSearch();
  const queries = useQueryClient();
  const router = useRouter();
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);

  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      const session = await signIn(login, password);
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, session);
      // Only a path of the console: what stands in an address may come from anywhere.
      const isOurs = next !== undefined && /^\/(?!\/)/.test(next) && !next.includes("\\");
      const target = isOurs ? `/console${next.replace(/^\/console(?=\/|$)/, "")}` : "/console/";
      if (session.person && adoptLanguage(session.person.language)) location.assign(target);
      else router.history.push(target);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Door title={t("sign_in")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {error !== null && <ProblemBox error={error} />}
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
        <Button type="submit" look="primary" size="large" disabled={isBusy}>
          {t("sign_in")}
        </Button>
      </form>
    </Door>
  );
}
