import { Link, useRouter } from "@tanstack/react-router";
import { tc } from "../texts/common";
import { t } from "../texts/console";
import { Page } from "../ui/Page";
import { ProblemBox } from "../ui/Problem";
import { Door } from "./Door";

/** A page within the console could not be opened. */
export function RouteProblem({ error }: { error: unknown }) {
  const router = useRouter();
  return (
    <Page title={tc("error")}>
      <ProblemBox error={error} onRetry={() => void router.invalidate()} />
    </Page>
  );
}

/** The console itself could not: there is no navigation, and nothing around. */
export function ShellProblem({ error }: { error: unknown }) {
  const router = useRouter();
  return (
    <Door title={tc("error")}>
      <ProblemBox error={error} onRetry={() => void router.invalidate()} />
    </Door>
  );
}

/** An address of the console that leads nowhere: the navigation leads on. */
export function NotFound() {
  return (
    <Page title={t("not_found")}>
      <p>
        <Link to="/">{t("nav.home")}</Link>
      </p>
    </Page>
  );
}
