import { Link, useRouter } from "@tanstack/react-router";
import { t } from "../texts/console";
import { Empty } from "../ui/Page";
import { ProblemBox } from "../ui/Problem";

export function RouteProblem({ error }: { error: unknown }) {
  const router = useRouter();
  return <ProblemBox error={error} onRetry={() => void router.invalidate()} />;
}

export function NotFound() {
  return <Empty action={<Link to="/">{t("nav.home")}</Link>}>{t("not_found")}</Empty>;
}
