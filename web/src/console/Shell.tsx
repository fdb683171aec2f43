import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouter, useRouterState } from "@tanstack/react-router";
import { LogOut, Menu as MenuIcon, MonitorSmartphone, Search, UserRound } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { browserFeed, type SharedFeed } from "../feed/shared";
import { FeedContext, useFeedStatus } from "../feed/useFeed";
import { t } from "../texts/console";
import { clockTime } from "../texts/format";
import { chooseLanguage, readLanguage } from "../texts/texts";
import { ActionMenu } from "../ui/ActionMenu";
import { Brand } from "../ui/Brand";
import { Button } from "../ui/Button";
import { attempt } from "../ui/notices";
import { placesFor } from "./places";
import css from "./Shell.module.css";
import { sessionQuery, signOut, speak, useSession, workIn } from "./session";

const Palette = lazy(() => import("./Palette"));

export function Shell() {
  const session = useSession();
  const [feed, setFeed] = useState<SharedFeed | null>(null);
  const [isOpen, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const account = session?.account?.id;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another account has other events.
  useEffect(() => {
    const own = browserFeed();
    setFeed(own);
    return () => own.close();
  }, [account]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a page that is opened closes the navigation.
  useEffect(() => setOpen(false), [path]);
  const [isSearching, setSearching] = useState(false);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (
        event.key.toLowerCase() !== "k" ||
        !(event.ctrlKey || event.metaKey) ||
        event.shiftKey ||
        event.altKey
      )
        return;
      event.preventDefault();
      setSearching(true);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  if (!feed || !session) return null;
  return (
    <FeedContext.Provider value={feed}>
      {isSearching && (
        <Suspense>
          <Palette onClose={() => setSearching(false)} />
        </Suspense>
      )}
      <a className="skip" href="#content">
        {t("skip")}
      </a>
      <div className={css.shell}>
        <header className={css.top}>
          <Link to="/" className={css.brand}>
            <Brand />
          </Link>
          <span className={css.narrow}>
            <Button
              look="quiet"
              iconOnly
              icon={<MenuIcon />}
              aria-expanded={isOpen}
              aria-controls="navigation"
              onClick={() => setOpen(!isOpen)}
            >
              {t("nav")}
            </Button>
          </span>
        </header>
        <nav id="navigation" className={isOpen ? `${css.nav} ${css.navOpen}` : css.nav} aria-label={t("nav")}>
          {placesFor(session).map((group) => (
            <div key={group.title} className={css.group}>
              <h2 className={css.groupTitle}>{group.title}</h2>
              <ul>
                {group.places.map((place) => (
                  <li key={place.to}>
                    <Link
                      to={place.to}
                      className={css.place}
                      activeOptions={{ exact: place.to === "/", includeSearch: false }}
                      activeProps={{ className: css.here, "aria-current": "page" }}
                    >
                      <span aria-hidden="true">{place.icon}</span>
                      {place.text}
                    </Link>
                  </li>
                ))}
              </ul>
            </div>
          ))}
          <button type="button" className={css.search} onClick={() => setSearching(true)}>
            <Search aria-hidden="true" />
            {t("palette.open")}
            <kbd>Ctrl K</kbd>
          </button>
          <Me />
        </nav>
        <main id="content" className={css.content} tabIndex={-1}>
          <FeedBanner />
          <Outlet />
        </main>
      </div>
    </FeedContext.Provider>
  );
}

function Me() {
  const session = useSession();
  const queries = useQueryClient();
  const router = useRouter();
  if (!session) return null;
  const other = readLanguage() === "en" ? "de" : "en";
  const leave = async () => {
    await signOut();
    queries.clear();
    queries.setQueryData(sessionQuery.queryKey, null);
    await router.navigate({ to: "/sign-in", search: {} });
  };
  const work = async (account: number) => {
    const changed = await workIn(account);
    queries.clear();
    queries.setQueryData(sessionQuery.queryKey, changed);
    await router.navigate({ to: "/" });
  };
  const others = session.accounts.filter((account) => account.id !== session.account?.id).slice(0, 20);
  return (
    <div className={css.me}>
      <div className={css.who}>
        <strong>{session.person.name}</strong>
        <span>{session.account?.login ?? t("me.no_account")}</span>
      </div>
      <ActionMenu
        label={t("me")}
        icon={<UserRound />}
        actions={() => [
          ...others.map((account) => ({
            text: t("me.work_in", { account: account.login }),
            onSelect: () => void attempt(() => work(account.id)),
          })),
          {
            text: t(`me.language.${other}`),
            begins: others.length > 0,
            onSelect: () => void attempt(() => speak(other).then(() => chooseLanguage(other))),
          },
          {
            text: t("sessions"),
            icon: <MonitorSmartphone />,
            onSelect: () => void router.navigate({ to: "/sessions" }),
          },
          { text: t("me.sign_out"), icon: <LogOut />, begins: true, onSelect: () => void attempt(leave) },
        ]}
      />
    </div>
  );
}

/** What is shown is not live any more. */
function FeedBanner() {
  const status = useFeedStatus();
  if (status.kind !== "lost") return null;
  return (
    <p className={css.banner} role="status">
      {t("feed.lost", { time: clockTime(status.since) })}
    </p>
  );
}
