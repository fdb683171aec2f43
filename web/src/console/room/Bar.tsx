import { useQuery } from "@tanstack/react-query";
import { Ellipsis, Megaphone, Mic, MicOff, PhoneOff, PhoneOutgoing, Radio, TimerReset } from "lucide-react";
import { memo, type RefObject, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { t } from "../../texts/pages";
import { type Action, ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { attempt } from "../../ui/notices";
import { useMedia } from "../../ui/useMedia";
import { type Conference, limitsQuery } from "../conferences";
import { useSession } from "../session";
import { changeConference, extend, muteAll, pauseRecording, stopRecording } from "./actions";
import type { OpenDialog } from "./dialogs";
import css from "./Room.module.css";

const EXTENSION_MIN = 15;
/** Buttons that are known by their icons have no words there, so that all have one row. */
export const SMALL = "(max-width: 480px)";
/** The bar lies over the end of the page: what is scrolled to has to stay clear of it (WCAG 2.4.11). */
const HEIGHT = "--bar-height";

/** What a leader does to the conference as a whole. On small screens what is needed less often is in the menu. */
export const Bar = memo(function Bar({
  name,
  conference,
  onOpen,
}: {
  name: string;
  conference: Conference;
  onOpen: (dialog: OpenDialog) => void;
}) {
  const { recording, state, reserved, ends_at } = conference;
  const bar = useRef<HTMLDivElement>(null);
  useHeightAsProperty(bar);
  const isNarrow = useMedia("(max-width: 820px)");
  const isSmall = useMedia(SMALL);
  const isRunning = reserved && Boolean(ends_at) && (state === "active" || state === "holding");
  const lateFor = useTooLate(isRunning ? ends_at : null);
  const reason = useId();
  const more = () => void attempt(() => extend(name, EXTENSION_MIN), t("room.extended"));
  const announce = () => onOpen({ kind: "announce", participant: null });
  const end = () => onOpen({ kind: "end" });
  const set = (change: Parameters<typeof changeConference>[1]) => () =>
    void attempt(() => changeConference(name, change));
  const seldom = (): Action[] => [
    ...(isNarrow ? [{ text: t("room.announce"), icon: <Megaphone />, onSelect: announce }] : []),
    ...(isNarrow && isRunning && lateFor === null
      ? [{ text: t("room.extend"), icon: <TimerReset />, onSelect: more }]
      : []),
    {
      text: t(conference.muted_on_entry ? "room.muted_on_entry.off" : "room.muted_on_entry.on"),
      icon: <MicOff />,
      begins: isNarrow,
      onSelect: set({ muted_on_entry: !conference.muted_on_entry }),
    },
    {
      text: t(conference.self_unmute ? "room.self_unmute.off" : "room.self_unmute.on"),
      icon: <Mic />,
      onSelect: set({ self_unmute: !conference.self_unmute }),
    },
    ...(isNarrow
      ? [{ text: t("room.end"), icon: <PhoneOff />, danger: true, begins: true, onSelect: end }]
      : []),
  ];
  return (
    <div ref={bar} className={css.bar} role="toolbar" aria-label={t("room.actions")}>
      <ActionMenu
        label={t("room.mute_all")}
        text={t("room.mute_all")}
        icon={<MicOff />}
        actions={() => [
          {
            text: t("room.mute_all.may"),
            onSelect: () =>
              void attempt(() => muteAll(name, { muted: true, except_leaders: true, self_unmute: true })),
          },
          {
            text: t("room.mute_all.stay"),
            onSelect: () =>
              void attempt(() => muteAll(name, { muted: true, except_leaders: true, self_unmute: false })),
          },
          {
            text: t("room.unmute_all"),
            begins: true,
            onSelect: () => void attempt(() => muteAll(name, { muted: false, self_unmute: true })),
          },
        ]}
      />
      <Button iconOnly={isSmall} icon={<PhoneOutgoing />} onClick={() => onOpen({ kind: "call" })}>
        {t("room.call")}
      </Button>
      {recording ? (
        <ActionMenu
          label={t("recording")}
          text={t(recording.paused ? "recording.paused" : "recording.running")}
          icon={<Radio />}
          actions={() => [
            {
              text: t(recording.paused ? "recording.resume" : "recording.pause"),
              onSelect: () => void attempt(() => pauseRecording(name, !recording.paused)),
            },
            { text: t("recording.stop"), onSelect: () => void attempt(() => stopRecording(name)) },
          ]}
        />
      ) : (
        <Button iconOnly={isSmall} icon={<Radio />} onClick={() => onOpen({ kind: "record" })}>
          {t("recording.start")}
        </Button>
      )}
      {!isNarrow && (
        <Button icon={<Megaphone />} onClick={announce}>
          {t("room.announce")}
        </Button>
      )}
      {!isNarrow && isRunning && (
        <Button
          icon={<TimerReset />}
          disabled={lateFor !== null}
          aria-describedby={lateFor === null ? undefined : reason}
          onClick={more}
        >
          {t("room.extend")}
        </Button>
      )}
      {isRunning && lateFor !== null && (
        <span id={reason} className={css.quiet}>
          {t("room.extend.late", { count: lateFor })}
        </span>
      )}
      <ActionMenu label={t("room.more")} icon={<Ellipsis />} actions={seldom} />
      {!isNarrow && (
        <span className={css.end}>
          <Button look="danger" onClick={end}>
            {t("room.end")}
          </Button>
        </span>
      )}
    </div>
  );
});

function useHeightAsProperty(element: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const { current } = element;
    if (!current) return;
    const { style } = document.documentElement;
    const observer = new ResizeObserver(([entry]) => {
      const height = entry?.borderBoxSize[0]?.blockSize;
      if (height !== undefined) style.setProperty(HEIGHT, `${Math.ceil(height)}px`);
    });
    observer.observe(current);
    return () => {
      observer.disconnect();
      style.removeProperty(HEIGHT);
    };
  }, [element]);
}

/** In the last minutes of a booking it cannot be made longer: how many these are, once they have begun. */
function useTooLate(endsAt: string | null | undefined): number | null {
  // A leader's link reads its conference only, and hears of it when it is refused.
  const isByLink = Boolean(useSession()?.leader);
  const { data } = useQuery({ ...limitsQuery, enabled: !isByLink });
  const last = data?.reservations.no_extension_before_end_min;
  const from = endsAt && last ? Date.parse(endsAt) - last * 60_000 : null;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (from === null || from <= now) return;
    // Timers hold 24 days at most.
    const timer = setTimeout(() => setNow(Date.now()), Math.min(from - Date.now() + 100, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  }, [from, now]);
  return last && from !== null && from <= now ? last : null;
}
