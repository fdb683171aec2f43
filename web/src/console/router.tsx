import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { adoptLanguage } from "../texts/texts";
import { conferenceQuery, participantsQuery } from "./conferences";
import { type Days, daysIn } from "./days";
import { Home } from "./Home";
import { Leader } from "./Leader";
import { NotFound, RouteProblem, ShellProblem } from "./RouteProblem";
import { Shell } from "./Shell";
import { SignIn } from "./SignIn";
import type { CallSearch, UsageSearch } from "./searches";
import { sessionQuery, signInWaysQuery } from "./session";
import { Welcome } from "./Welcome";
import { withTexts } from "./withTexts";

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Outlet,
});

const text = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value) || undefined : undefined;

const signInRoute = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  component: SignIn,
  loader: ({ context: { queries } }) => {
    void queries.prefetchQuery(signInWaysQuery);
  },
  validateSearch: (search): { next?: string | undefined; error?: string | undefined } => ({
    next: text(search.next),
    error: text(search.error),
  }),
});

const welcome = createRoute({ getParentRoute: () => root, path: "/welcome", component: Welcome });

const leader = createRoute({ getParentRoute: () => root, path: "/leader", component: Leader });

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  errorComponent: ShellProblem,
  beforeLoad: async ({ context, location }) => {
    const session = await context.queries.ensureQueryData(sessionQuery);
    if (!session) throw redirect({ to: "/sign-in", search: { next: location.href } });
    // Who comes from the provider has not been on a page of ours since they signed in.
    if (session.person && adoptLanguage(session.person.language)) window.location.reload();
    // A leader's link opens one room.
    const own = session.leader?.conference;
    if (own !== undefined && location.pathname !== `/rooms/${encodeURIComponent(own)}`) {
      throw redirect({ to: "/rooms/$name", params: { name: own }, search: {} });
    }
  },
});

const home = createRoute({ getParentRoute: () => shell, path: "/", component: Home });

const room = createRoute({
  getParentRoute: () => shell,
  path: "/rooms/$name",
  component: lazyRouteComponent(
    withTexts(() => import("./room/RoomPage")),
    "RoomPage",
  ),
  // Asked for while the page itself is fetched.
  loader: ({ context: { queries }, params: { name } }) => {
    void queries.prefetchQuery(conferenceQuery(name));
    void queries.prefetchQuery(participantsQuery(name));
  },
  validateSearch: (search): { filter?: string | undefined } => ({ filter: text(search.filter) }),
});

const bookings = createRoute({
  getParentRoute: () => shell,
  path: "/bookings",
  component: lazyRouteComponent(
    withTexts(() => import("./booking/BookingsPage")),
    "BookingsPage",
  ),
  // How many weeks from now the calendar begins.
  validateSearch: (search): { week?: number | undefined } => {
    const week = Number(search.week);
    return { week: Number.isInteger(week) && week > 0 ? week : undefined };
  },
});

const booking = createRoute({
  getParentRoute: () => shell,
  path: "/bookings/$token",
  component: lazyRouteComponent(
    withTexts(() => import("./booking/BookingPage")),
    "BookingPage",
  ),
});

const newBooking = createRoute({
  getParentRoute: () => shell,
  path: "/bookings/new",
  component: lazyRouteComponent(
    withTexts(() => import("./booking/NewBookingPage")),
    "NewBookingPage",
  ),
});

const series = createRoute({
  getParentRoute: () => shell,
  path: "/bookings/series/$id",
  component: lazyRouteComponent(
    withTexts(() => import("./booking/SeriesPage")),
    "SeriesPage",
  ),
});

const health = createRoute({
  getParentRoute: () => shell,
  path: "/health",
  component: lazyRouteComponent(
    withTexts(() => import("./operator/HealthPage")),
    "HealthPage",
  ),
});

const oneOf = <T extends string>(value: unknown, known: readonly T[]): T | undefined =>
  known.find((one) => one === value);

const calls = createRoute({
  getParentRoute: () => shell,
  path: "/calls",
  component: lazyRouteComponent(
    withTexts(() => import("./operator/CallsPage")),
    "CallsPage",
  ),
  validateSearch: (search): CallSearch => ({
    ...daysIn(search),
    which: oneOf(search.which, ["refused"]),
    conference: text(search.conference),
    from: text(search.from),
    to: text(search.to),
    direction: oneOf(search.direction, ["in", "out"]),
    outcome: oneOf(search.outcome, ["in_progress", "answered", "not_answered"]),
  }),
});

const call = createRoute({
  getParentRoute: () => shell,
  path: "/calls/$id",
  component: lazyRouteComponent(
    withTexts(() => import("./operator/CallPage")),
    "CallPage",
  ),
});

const bans = createRoute({
  getParentRoute: () => shell,
  path: "/bans",
  component: lazyRouteComponent(
    withTexts(() => import("./operator/BansPage")),
    "BansPage",
  ),
});

/** What lines or names have to hold that are shown. */
interface FilterSearch {
  filter?: string | undefined;
}

/** So serious at least are the lines that are shown. */
interface LogSearch extends FilterSearch {
  level?: "warning" | "error" | undefined;
}

const log = createRoute({
  getParentRoute: () => shell,
  path: "/log",
  component: lazyRouteComponent(
    withTexts(() => import("./operator/LogPage")),
    "LogPage",
  ),
  validateSearch: (search): LogSearch => ({
    filter: text(search.filter),
    level: oneOf(search.level, ["warning", "error"]),
  }),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  component: lazyRouteComponent(
    withTexts(() => import("./operator/SettingsPage")),
    "SettingsPage",
  ),
  validateSearch: (search): FilterSearch => ({ filter: text(search.filter) }),
});

const history = createRoute({
  getParentRoute: () => shell,
  path: "/history",
  component: lazyRouteComponent(
    withTexts(() => import("./audit/HistoryPage")),
    "HistoryPage",
  ),
  validateSearch: (search): Days & { conference?: string | undefined } => ({
    ...daysIn(search),
    conference: text(search.conference),
  }),
});

const past = createRoute({
  getParentRoute: () => shell,
  path: "/history/$id",
  component: lazyRouteComponent(
    withTexts(() => import("./audit/PastConferencePage")),
    "PastConferencePage",
  ),
});

const usage = createRoute({
  getParentRoute: () => shell,
  path: "/usage",
  component: lazyRouteComponent(
    withTexts(() => import("./audit/UsagePage")),
    "UsagePage",
  ),
  validateSearch: (search): UsageSearch => ({
    from: text(search.from),
    to: text(search.to),
    by: oneOf(search.by, ["day", "month", "account", "conference", "trunk"]),
  }),
});

const recordings = createRoute({
  getParentRoute: () => shell,
  path: "/recordings",
  component: lazyRouteComponent(
    withTexts(() => import("./audit/RecordingsPage")),
    "RecordingsPage",
  ),
  validateSearch: (search): { conference?: string | undefined } => ({ conference: text(search.conference) }),
});

const rooms = createRoute({
  getParentRoute: () => shell,
  path: "/setup/rooms",
  component: lazyRouteComponent(
    withTexts(() => import("./account/RoomsPage")),
    "RoomsPage",
  ),
});

const services = createRoute({
  getParentRoute: () => shell,
  path: "/setup/services",
  component: lazyRouteComponent(
    withTexts(() => import("./account/ServicesPage")),
    "ServicesPage",
  ),
});

const accounts = createRoute({
  getParentRoute: () => shell,
  path: "/accounts",
  component: lazyRouteComponent(
    withTexts(() => import("./operator/AccountsPage")),
    "AccountsPage",
  ),
});

const people = createRoute({
  getParentRoute: () => shell,
  path: "/setup/people",
  component: lazyRouteComponent(
    withTexts(() => import("./account/PeoplePage")),
    "PeoplePage",
  ),
});

const trunks = createRoute({
  getParentRoute: () => shell,
  path: "/setup/trunks",
  component: lazyRouteComponent(
    withTexts(() => import("./account/TrunksPage")),
    "TrunksPage",
  ),
});

const telephones = createRoute({
  getParentRoute: () => shell,
  path: "/setup/telephones",
  component: lazyRouteComponent(
    withTexts(() => import("./account/TelephonesPage")),
    "TelephonesPage",
  ),
});

const keys = createRoute({
  getParentRoute: () => shell,
  path: "/setup/keys",
  component: lazyRouteComponent(
    withTexts(() => import("./account/KeysPage")),
    "KeysPage",
  ),
});

const sessions = createRoute({
  getParentRoute: () => shell,
  path: "/sessions",
  component: lazyRouteComponent(
    withTexts(() => import("./account/SessionsPage")),
    "SessionsPage",
  ),
});

const audit = createRoute({
  getParentRoute: () => shell,
  path: "/audit",
  component: lazyRouteComponent(
    withTexts(() => import("./audit/AuditPage")),
    "AuditPage",
  ),
  validateSearch: (search): Days & { path?: string | undefined } => ({
    ...daysIn(search),
    path: text(search.path),
  }),
});

const nowhere = createRoute({ getParentRoute: () => shell, path: "$", component: NotFound });

const tree = root.addChildren([
  signInRoute,
  welcome,
  leader,
  shell.addChildren([
    home,
    room,
    bookings,
    newBooking,
    booking,
    series,
    health,
    accounts,
    calls,
    call,
    bans,
    log,
    settings,
    history,
    past,
    usage,
    audit,
    recordings,
    services,
    rooms,
    trunks,
    telephones,
    people,
    keys,
    sessions,
    nowhere,
  ]),
]);

export const makeRouter = (queries: QueryClient) =>
  createRouter({
    routeTree: tree,
    basepath: "/console",
    context: { queries },
    defaultPreload: "intent",
    defaultErrorComponent: RouteProblem,
    scrollRestoration: false,
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
