import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type AnyRoute, RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { onSignedOut } from "../api/client";
import { ApiProblem } from "../api/problem";
import { loadCommon } from "../texts/common";
import { loadConsole } from "../texts/console";
import { speakProblems } from "../texts/problems";
import { readLanguage } from "../texts/texts";
import { Notices } from "../ui/notices";
import { makeRouter } from "./router";
import { onSessionChanged, readerOf, sessionQuery } from "./session";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the service refuses it refuses again.
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ApiProblem && error.status >= 400 && error.status < 500),
    },
  },
});
const router = makeRouter(queries);
// What every page needs, and the page of this address: asked for at once, beside each other.
void queries.prefetchQuery(sessionQuery);
const routes = Object.values<AnyRoute>(router.routesById);
for (const { routeId } of router.matchRoutes(router.latestLocation)) {
  const route = routes.find(({ id }) => id === routeId);
  if (route) void router.loadRouteChunk(route);
}

const language = readLanguage();
await Promise.all([loadCommon(language), loadConsole(language)]);
// Not waited for: what has gone wrong is said in English until they are there.
speakProblems(language);
document.documentElement.lang = language;

onSignedOut(() => {
  // The person is not signed in any more: the pages ask again, and lead to the sign-in.
  if (!queries.getQueryData(sessionQuery.queryKey)) return;
  queries.setQueryData(sessionQuery.queryKey, null);
  void router.invalidate();
});

// Another page of this browser has signed in or out, or works in another account now: what is shown here is not theirs.
onSessionChanged(async () => {
  const before = queries.getQueryData(sessionQuery.queryKey);
  const now = await queries.fetchQuery({ ...sessionQuery, staleTime: 0 }).catch(() => before);
  if (!before || now === before) return;
  if (now && readerOf(now) === readerOf(before)) return;
  queries.clear();
  queries.setQueryData(sessionQuery.queryKey, now ?? null);
  void router.invalidate();
});

// A page that the browser kept while another one was shown follows no events any more.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <Notices />
      </QueryClientProvider>
    </StrictMode>,
  );
}
