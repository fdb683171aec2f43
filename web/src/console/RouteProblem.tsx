import { Link, useRouter } from "@tanstack/react-router";
import { t } from "../texts/console";
import { ProblemBox } from "../ui/Problem";
import { Door } from "./Door";

export function RouteProblem({ error }: { error: unknown }) {
  const router = useRouter();
  return <ProblemBox error={error} onRetry={() => void router.invalidate()} />;
}

export function NotFound() {
  return (
    <Door title={t("not_found")}>
      <p>
        <Link to="/">{t("nav.home")}</Link>
      </p>
    </Door>
  );
}
