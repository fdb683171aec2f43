import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouter, useRouterState } from "@tanstack/react-router";
import {
  Keyboard,
  LogOut,
  Menu as MenuIcon,
  MonitorSmartphone,
  Search,
  Terminal,
  UserRound,
  X,
} from "lucide-react";
import {
  lazy,
  type MouseEvent,
  memo,
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { browserFeed, type SharedFeed } from "../feed/shared";
import { FeedContext, useFeedStatus } from "../feed/useFeed";
import { t } from "../texts/console";
import { clockTime, ownZone } from "../texts/format";
import { chooseLanguage, readLanguage } from "../texts/texts";
import { ActionMenu } from "../ui/ActionMenu";
import { Brand } from "../ui/Brand";
import { Button } from "../ui/Button";
import { attempt } from "../ui/notices";
import { useSingleKeys } from "../ui/singleKeys";
import { topDialog } from "../ui/topLayer";
import { useMedia } from "../ui/useMedia";
import { type Place, placesFor } from "./places";
import css from "./Shell.module.css";
import { mayDo, readerOf, sessionQuery, signOut, speak, useSession, workIn } from "./session";
import { withTexts } from "./withTexts";

const Palette = lazy(withTexts(() => import("./Palette")));
const CurlDialog = lazy(withTexts(() => import("./CurlDialog")));
const KeysDialog = lazy(withTexts(() => import("./KeysDialog")));

type Open = "palette" | "curl" | "keys";

export function Shell() {
  const session = useSession();
  const [feed, setFeed] = useState<SharedFeed | null>(null);
  const [isOpen, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const reader = session && readerOf(session);
  useEffect(() => {
    if (reader === null) return;
    const own = browserFeed(reader);
    setFeed(own);
    return () => own.close();
  }, [reader]);
  const [dialog, setDialog] = useState<Open | null>(null);
  // A leader's link opens one room: there is nowhere else to go.
  const isByLink = Boolean(session?.leader);
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
      if (!isByLink) setDialog("palette");
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [isByLink]);
  const isNarrow = useMedia("(max-width: 820px)");
  const menuButton = useRef<HTMLButtonElement>(null);
  // Where it covers the page, the page behind it can neither be reached by keyboard nor is it read out.
  const covers = isOpen && isNarrow;
  useEffect(() => {
    if (!covers) return;
    const press = (event: KeyboardEvent) => {
      // One that closes a dialog or a menu on top of it is theirs.
      if (event.key !== "Escape" || event.defaultPrevented || topDialog()) return;
      if ((event.target as Element).closest("[popover]")) return;
      setOpen(false);
      menuButton.current?.focus();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [covers]);
  // A page that is opened closes the navigation, and begins where keyboards and screen readers are then.
  // biome-ignore lint/correctness/useExhaustiveDependencies: with each other page, and on a screen of another width.
  useEffect(() => setOpen(false), [path, isNarrow]);
  const seen = useRef(path);
  useEffect(() => {
    // As long as the page is covered it takes no focus.
    if (covers) return;
    const isOther = seen.current !== path;
    seen.current = path;
    const isLeft = !isOpen && isNarrow && document.activeElement?.closest("#navigation");
    if (isOther || isLeft) document.getElementById("content")?.focus({ preventScroll: true });
  }, [path, covers, isOpen, isNarrow]);
  const leaveMenu = useCallback(() => setOpen(false), []);
  const router = useRouter();
  const mayBook = mayDo(session, "book");
  useSingleKeys({
    n: () => mayBook && router.navigate({ to: "/bookings/new" }),
    "?": () => setDialog("keys"),
  });
  const close = () => setDialog(null);
  const groups = useMemo(() => (session ? placesFor(session) : []), [session]);
  if (!feed || !session) return null;
  return (
    <FeedContext.Provider value={feed}>
      {dialog && (
        <Suspense>
          {dialog === "palette" ? (
            <Palette onClose={close} />
          ) : dialog === "curl" ? (
            <CurlDialog onClose={close} />
          ) : (
            <KeysDialog onClose={close} />
          )}
        </Suspense>
      )}
      <a className="skip" href="#content">
        {t("skip")}
      </a>
      <div className={isByLink ? `${css.shell} ${css.alone}` : css.shell}>
        <header className={css.top}>
          <Link to="/" className={css.brand}>
            <Brand />
          </Link>
          {isByLink ? (
            <Me onKeys={() => setDialog("keys")} />
          ) : (
            <span className={css.narrow}>
              <Button
                ref={menuButton}
                look="quiet"
                iconOnly
                icon={covers ? <X /> : <MenuIcon />}
                aria-expanded={covers}
                aria-controls="navigation"
                onClick={() => setOpen(!isOpen)}
              >
                {t("nav")}
              </Button>
            </span>
          )}
        </header>
        {!isByLink && (
          <nav
            id="navigation"
            className={covers ? `${css.nav} ${css.navOpen}` : css.nav}
            aria-label={t("nav")}
          >
            <div className={css.groups}>
              {groups.map((group) => (
                <div key={group.title}>
                  <h2 className={css.groupTitle}>{group.title}</h2>
                  <ul>
                    {group.places.map((place) => (
                      <li key={place.to}>
                        <NavLink place={place} isHere={isWithin(path, place.to)} onOpen={leaveMenu} />
                      </li>
                    ))}
                  </ul>
                </div>
              ))}
            </div>
            <div>
              <button type="button" className={css.search} onClick={() => setDialog("palette")}>
                <Search aria-hidden="true" />
                {t("palette.open")}
                <kbd>Ctrl K</kbd>
              </button>
              <button type="button" className={css.search} onClick={() => setDialog("curl")}>
                <Terminal aria-hidden="true" />
                {t("curl.show")}
              </button>
            </div>
            <Me onKeys={() => setDialog("keys")} />
          </nav>
        )}
        <main id="content" className={css.content} tabIndex={-1} inert={covers}>
          <FeedBanner />
          <Outlet />
        </main>
      </div>
    </FeedContext.Provider>
  );
}

/** Rooms are opened from the first page. */
const isWithin = (path: string, place: string) =>
  path === place || path.startsWith(place === "/" ? "/rooms/" : `${place}/`);

/** A link of the navigation. The router's own would each look at every change of its state, and there are twenty. */
const NavLink = memo(function NavLink({
  place,
  isHere,
  onOpen,
}: {
  place: Place;
  isHere: boolean;
  /** Also where it leads to the page that is open. */
  onOpen: () => void;
}) {
  const router = useRouter();
  const link = useRef<HTMLAnchorElement>(null);
  // Where the screen is low, it may be beyond what is seen of the navigation.
  useEffect(() => {
    if (isHere) link.current?.scrollIntoView({ block: "nearest" });
  }, [isHere]);
  const open = (event: MouseEvent) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    void router.navigate({ to: place.to });
    onOpen();
  };
  const preload = () => void router.preloadRoute({ to: place.to }).catch(() => undefined);
  return (
    <a
      ref={link}
      href={`/console${place.to}`}
      className={isHere ? `${css.place} ${css.here}` : css.place}
      aria-current={isHere ? "page" : undefined}
      onClick={open}
      onPointerEnter={preload}
    >
      <span aria-hidden="true">{place.icon}</span>
      {place.text}
    </a>
  );
});

function Me({ onKeys }: { onKeys: () => void }) {
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
  const works = session.leader?.conference ?? session.account?.login ?? t("me.no_account");
  const zone = t("me.zone", { zone: ownZone() });
  const others = session.accounts.filter((account) => account.id !== session.account?.id).slice(0, 20);
  return (
    <div className={css.me}>
      <div className={css.who}>
        <strong>{session.person?.name ?? session.leader?.label ?? t("leader_link.leader")}</strong>
        <span title={works}>{works}</span>
        <span title={zone}>{zone}</span>
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
            // A leader's link has no language of its own to keep.
            onSelect: () =>
              void attempt(async () => {
                if (session.person) await speak(other);
                chooseLanguage(other);
              }),
          },
          { text: t("keyboard"), icon: <Keyboard />, onSelect: onKeys },
          ...(session.person
            ? [
                {
                  text: t("sessions"),
                  icon: <MonitorSmartphone />,
                  onSelect: () => void router.navigate({ to: "/sessions" }),
                },
              ]
            : []),
          { text: t("me.sign_out"), icon: <LogOut />, begins: true, onSelect: () => void attempt(leave) },
        ]}
      />
    </div>
  );
}

/** What is shown is not live any more. The region is there before it has something to say, so that it is read out. */
function FeedBanner() {
  const status = useFeedStatus();
  const queries = useQueryClient();
  const isRefused = status.kind === "refused";
  // A person who is signed out is led to the sign-in; another role shows what it allows.
  useEffect(() => {
    if (isRefused) void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
  }, [isRefused, queries]);
  return (
    <div aria-live="polite">
      {(isRefused || status.kind === "lost") && (
        <p className={css.banner}>
          {isRefused ? t("feed.refused") : t("feed.lost", { time: clockTime(status.since) })}
        </p>
      )}
    </div>
  );
}
