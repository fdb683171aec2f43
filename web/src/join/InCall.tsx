import { CircleDot, CirclePause, Grid3x3, Hand, LogOut, Mic, MicOff, Settings2, Users } from "lucide-react";
import { memo, useCallback, useEffect, useRef, useState } from "react";
import { shownName } from "../sip/identity";
import type { Roster, RosterUser } from "../sip/roster";
import { t } from "../texts/join";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { CheckField } from "../ui/Field";
import { anew } from "../ui/liveText";
import { Meter } from "../ui/Meter";
import { useSingleKeys, useSingleKeysOn } from "../ui/singleKeys";
import css from "./Join.module.css";
import type { Invitation } from "./link";
import { Microphone, Speaker } from "./Setup";
import type { JoinSession, SessionView } from "./session";
import { useAnnouncements } from "./useAnnouncements";

interface InCallProps {
  invitation: Invitation;
  session: JoinSession;
  view: SessionView;
}

type Open = "keypad" | "people" | "devices" | null;

export function InCall({ invitation, session, view }: InCallProps) {
  const [open, setOpen] = useState<Open>(null);
  const [hasSingleKeys, setSingleKeys] = useSingleKeysOn();
  const { state, roster } = view;
  const isUp = state.kind === "up";
  const isListening = view.microphone !== "open";
  const isMuted = view.muted || view.mutedByLeader;
  const news = useAnnouncements(roster);
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that was pressed is gone.
  useEffect(() => heading.current?.focus(), []);
  useSingleKeys(
    {
      m: () => !isListening && session.toggleMute(),
      h: () => invitation.hasKeys && session.toggleHand(),
    },
    open === null && isUp,
  );
  const close = () => setOpen(null);
  const status =
    state.kind === "connecting" || state.kind === "ringing" || state.kind === "reconnecting"
      ? t(`state.${state.kind}`)
      : !roster
        ? t(view.isLetIn ? "state.entering" : "state.waiting")
        : roster.users.every((user) => user.id === roster.ownId)
          ? t("state.alone")
          : t("state.up");
  return (
    <main className={state.kind === "reconnecting" ? `${css.call} ${css.stale}` : css.call}>
      <div className={css.callHead}>
        <h1 ref={heading} tabIndex={-1}>
          {invitation.title ?? roster?.conference ?? t("heading.call")}
        </h1>
        <p className={state.kind === "reconnecting" ? `${css.status} ${css.lost}` : css.status}>
          <span role="status">{status}</span>
          {isUp && <Duration since={state.since} />}
        </p>
        {roster?.recording && (
          <p className={roster.recording === "on" ? `${css.recording} ${css.recordingOn}` : css.recording}>
            {roster.recording === "on" ? (
              <CircleDot aria-hidden="true" />
            ) : (
              <CirclePause aria-hidden="true" />
            )}
            {t(`recording.${roster.recording}`)}
          </p>
        )}
      </div>
      <section
        className={[css.self, isListening || !isUp ? css.selfQuiet : isMuted && css.selfMuted]
          .filter(Boolean)
          .join(" ")}
        aria-live="off"
      >
        <span className={css.selfIcon} aria-hidden="true">
          {isMuted || isListening ? <MicOff /> : <Mic />}
        </span>
        <div className={css.selfText}>
          <strong>{view.ownName}</strong>
          <span>
            {isListening
              ? t(view.microphone === "closed" ? "muted.listening" : "muted.microphone")
              : view.mutedByLeader && !view.muted
                ? t("muted.by_leader")
                : view.muted
                  ? t("muted.you")
                  : isUp && t("microphone.hears")}
          </span>
          {!isListening && isUp && <Meter read={session.readMeter} label={t("microphone.level")} slim />}
        </div>
      </section>
      <div className={css.notices}>
        {view.soundHeld && (
          <p className={`${css.speaks} ${css.held}`} role="alert">
            {t("sound.held")}
            <Button look="primary" onClick={() => session.turnSoundOn()}>
              {t("sound.on")}
            </Button>
          </p>
        )}
        {view.speaksMuted && (
          <p className={css.speaks} role="alert">
            {view.mutedByLeader && !view.muted ? t("muted.speaking.leader") : t("muted.speaking")}
          </p>
        )}
      </div>
      {isUp && <Talking roster={roster} />}
      <section className={css.side} aria-label={t("people")}>
        <h2>{t("people")}</h2>
        <People roster={roster} />
      </section>
      <div className="visually-hidden" aria-live="polite">
        {news}
      </div>
      <nav className={css.bar} aria-label={t("title")}>
        <BarButton
          icon={isMuted ? <MicOff /> : <Mic />}
          text={isMuted ? t("unmute") : t("mute")}
          isOn={isMuted}
          disabled={isListening || !isUp || (view.mutedByLeader && !view.muted && !invitation.hasKeys)}
          onClick={() => session.toggleMute()}
          strong
        />
        {invitation.hasKeys && (
          <BarButton
            icon={<Hand />}
            text={t("hand")}
            label={t("hand.raise")}
            isOn={view.handRaised}
            isToggle
            disabled={!isUp}
            onClick={() => session.toggleHand()}
          />
        )}
        <BarButton icon={<Grid3x3 />} text={t("keypad")} disabled={!isUp} onClick={() => setOpen("keypad")} />
        <span className={css.narrowOnly}>
          <BarButton
            icon={<Users />}
            text={t("people")}
            count={roster ? countIn(roster) : undefined}
            onClick={() => setOpen("people")}
          />
        </span>
        <BarButton icon={<Settings2 />} text={t("devices")} onClick={() => setOpen("devices")} />
        <BarButton icon={<LogOut />} text={t("leave")} onClick={() => session.leave()} danger />
      </nav>
      {open === "keypad" && <Keypad session={session} sent={view.keysSent} onClose={close} />}
      {open === "people" && (
        <Dialog title={t("people")} onClose={close}>
          <People roster={roster} />
        </Dialog>
      )}
      {open === "devices" && (
        <Dialog title={t("devices")} onClose={close}>
          <Microphone session={session} view={view} />
          <Speaker session={session} view={view} />
          <CheckField
            label={t("shortcuts")}
            checked={hasSingleKeys}
            onChange={(event) => setSingleKeys(event.target.checked)}
          />
        </Dialog>
      )}
    </main>
  );
}

interface BarButtonProps {
  icon: React.ReactNode;
  text: string;
  count?: number | undefined;
  /** What is read out, where the text alone does not say what happens. */
  label?: string;
  isOn?: boolean;
  /** It says the same whether it is on or not, and is read out as pressed. */
  isToggle?: boolean;
  /** It does nothing for now, and keeps the focus. */
  disabled?: boolean;
  danger?: boolean;
  strong?: boolean;
  onClick: () => void;
}

function BarButton(props: BarButtonProps) {
  const classes = [css.barButton, props.danger && css.barDanger, props.strong && css.barStrong]
    .filter(Boolean)
    .join(" ");
  return (
    <button
      type="button"
      className={classes}
      data-on={props.isOn || undefined}
      aria-pressed={props.isToggle ? props.isOn : undefined}
      aria-label={props.label}
      aria-disabled={props.disabled || undefined}
      onClick={() => !props.disabled && props.onClick()}
    >
      <span aria-hidden="true">{props.icon}</span>
      {props.text}
      {props.count !== undefined && <span className={css.barCount}> {props.count}</span>}
    </button>
  );
}

function Duration({ since }: { since: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.floor((now - since) / 1_000));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  const time = `${hours ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return (
    <span className={css.duration} aria-hidden="true">
      {t("duration", { time })}
    </span>
  );
}

const TALKERS_MAX = 5;

/** Who else talks. */
function Talking({ roster }: { roster: Roster | null }) {
  if (!roster) return null;
  const others = roster.users.filter((user) => user.id !== roster.ownId);
  const talking = others.filter((user) => user.talking).slice(0, TALKERS_MAX);
  return (
    <section className={css.talking} aria-label={t("talking")}>
      <h2>{t("talking")}</h2>
      {talking.length === 0 ? (
        <p className={css.quiet}>{t("talking.nobody")}</p>
      ) : (
        <ul>
          {talking.map((user) => (
            <li key={user.id} className={css.talker}>
              <Initial name={shownName(user.name)} />
              {shownName(user.name)}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Initial({ name }: { name: string }) {
  return (
    <span className={css.initial} aria-hidden="true">
      {(name.match(/\p{L}/u)?.[0] ?? "#").toUpperCase()}
    </span>
  );
}

const countIn = (roster: Roster) => roster.users.filter((user) => user.status === "connected").length;

function People({ roster }: { roster: Roster | null }) {
  if (!roster) return <p className={css.quiet}>{t("people.none")}</p>;
  return (
    <>
      <p className={css.count}>{t("people.count", { count: countIn(roster) })}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long list is scrolled by keys. */}
      <ul className={css.people} tabIndex={0} aria-label={t("people")}>
        {roster.users.map((user) => (
          <Person key={user.id} user={user} isSelf={user.id === roster.ownId} />
        ))}
      </ul>
    </>
  );
}

/** Of hundreds only those are drawn again of whom a new list says something else. */
const Person = memo(function Person({ user, isSelf }: { user: RosterUser; isSelf: boolean }) {
  const name = shownName(user.name);
  const isCalled = user.status !== "connected";
  const words = isCalled
    ? t("people.called")
    : user.talking
      ? t("people.talking")
      : user.muted
        ? t("people.muted")
        : "";
  return (
    <li className={user.talking ? `${css.person} ${css.personTalking}` : css.person}>
      <Initial name={name} />
      <span className={css.personName}>
        {name} {isSelf && <em>({t("people.you")})</em>}
      </span>
      {user.handRaised && (
        <span className={css.personState}>
          <Hand aria-hidden="true" />
          <span className="visually-hidden">{t("people.hand")}</span>
        </span>
      )}
      <span className={css.personState}>
        {user.muted && !isCalled && <MicOff aria-hidden="true" />}
        {words}
      </span>
    </li>
  );
});

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
/** Signs that are not read out everywhere. */
const SAID: Record<string, "key.star" | "key.hash"> = { "*": "key.star", "#": "key.hash" };
const said = (key: string) => (SAID[key] ? t(SAID[key]) : key);

function Keypad({ session, sent, onClose }: { session: JoinSession; sent: string; onClose: () => void }) {
  const first = useRef<HTMLButtonElement>(null);
  const [last, setLast] = useState("");
  const press = useCallback(
    (key: string) => {
      if (session.keys(key)) setLast((before) => anew(before, said(key)));
    },
    [session],
  );
  useEffect(() => {
    first.current?.focus();
    const type = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (KEYS.includes(event.key)) press(event.key);
    };
    addEventListener("keydown", type);
    return () => removeEventListener("keydown", type);
  }, [press]);
  return (
    <Dialog title={t("keypad")} onClose={onClose}>
      <output className={css.sent} aria-label={t("keypad.sent")} aria-live="off">
        {sent || "\u00a0"}
      </output>
      <p className="visually-hidden" aria-live="polite">
        {last}
      </p>
      <div className={css.keypad}>
        {KEYS.map((key) => (
          <button
            key={key}
            ref={key === KEYS[0] ? first : undefined}
            type="button"
            className={css.key}
            aria-label={said(key)}
            onClick={() => press(key)}
          >
            {key}
          </button>
        ))}
      </div>
    </Dialog>
  );
}
