import {
  ArrowRightLeft,
  Crown,
  Ellipsis,
  Gauge,
  Globe,
  Hand,
  Headphones,
  Megaphone,
  Mic,
  MicOff,
  Music,
  PenLine,
  Phone,
  PhoneForwarded,
  PhoneOutgoing,
  UserX,
  Volume2,
} from "lucide-react";
import { memo, type ReactNode } from "react";
import { shownName } from "../../sip/identity";
import { t } from "../../texts/pages";
import { type Action, ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { Meter } from "../../ui/Meter";
import { attempt } from "../../ui/notices";
import { Badge } from "../../ui/Page";
import { callThem, changeParticipant, removeParticipant } from "./actions";
import type { OpenDialog } from "./dialogs";
import { type Hint, qualityOf, qualityTone, statisticsOf } from "./hints";
import type { LevelStore } from "./levels";
import css from "./Room.module.css";
import { nameOf, type Participant } from "./state";

/** A participant who is not in: name, way, and what can be done. */
export function RowShell(props: {
  participant: Participant;
  icon?: ReactNode;
  note?: string;
  children: ReactNode;
}) {
  const { participant } = props;
  return (
    <li className={css.row}>
      <span className={css.way} aria-hidden="true">
        {props.icon ?? <WayIcon participant={participant} />}
      </span>
      <span className={css.who}>
        <strong>{nameOf(participant)}</strong>
        <span className={css.quiet}>{props.note ?? wayOf(participant)}</span>
      </span>
      <span className={css.rowActions}>{props.children}</span>
    </li>
  );
}

function isBrowser(one: Participant): boolean {
  const by = one.admitted_by ?? "";
  return ["token", "guest", "webrtc"].includes(by) || one.to.startsWith("webrtc:");
}

function WayIcon({ participant }: { participant: Participant }) {
  if (participant.direction === "out") return <PhoneOutgoing />;
  return isBrowser(participant) ? <Globe /> : <Phone />;
}

function wayOf(one: Participant): string {
  const other = one.direction === "out" ? one.to : one.from;
  const number = one.display_name ? ` ${shownName(other)}` : "";
  return (
    t(one.direction === "out" ? "way.called" : isBrowser(one) ? "way.browser" : "way.telephone") + number
  );
}

interface RowProps {
  name: string;
  participant: Participant;
  hints: Hint[] | undefined;
  levels: LevelStore;
  mayControl: boolean;
  isSelected: boolean;
  onSelect: (id: string, on: boolean) => void;
  onOpen: (dialog: OpenDialog) => void;
}

/** All that a row shows of somebody: statistics change every few seconds, what they mean seldom does. */
function shownOf({ participant: one, hints }: RowProps): string {
  const { statistics, ...fields } = one;
  return JSON.stringify([fields, qualityOf(statisticsOf(one).mos), hints]);
}

export const ParticipantRow = memo(
  Row,
  (before, after) =>
    before.isSelected === after.isSelected &&
    before.mayControl === after.mayControl &&
    ((before.participant === after.participant && before.hints === after.hints) ||
      shownOf(before) === shownOf(after)),
);

function Row({ name, participant: one, hints, levels, mayControl, isSelected, onSelect, onOpen }: RowProps) {
  const id = one.participant_id;
  const who = nameOf(one);
  const quality = qualityOf(statisticsOf(one).mos);
  const isTalking = one.talking && !one.muted && one.state === "in";
  return (
    <div className={isTalking ? `${css.row} ${css.talks}` : css.row}>
      {mayControl && (
        <Cell>
          <input
            type="checkbox"
            className={css.select}
            aria-label={t("room.select", { name: who })}
            checked={isSelected}
            onChange={(event) => onSelect(id, event.target.checked)}
          />
        </Cell>
      )}
      <span className={css.way} aria-hidden="true">
        <WayIcon participant={one} />
      </span>
      <Cell className={css.who}>
        <strong>
          {who}
          {one.leader && (
            <span className={css.leader}>
              <Crown aria-hidden="true" />
              {t("room.leader")}
            </span>
          )}
        </strong>
        <span className={css.quiet}>{wayOf(one)}</span>
        {isTalking && <Meter slim read={levels.reader(id)} label={t("room.level.who", { name: who })} />}
      </Cell>
      <Cell className={css.states}>
        {one.hand_raised_at && <Badge tone="accent">{t("room.hand")}</Badge>}
        {one.state === "held" && <Badge tone="warn">{t("room.held")}</Badge>}
        {one.state === "waiting" && <Badge>{t("room.before_start")}</Badge>}
        {one.heard_by && <Badge tone="accent">{t("room.coaching")}</Badge>}
        {one.muted && <Badge>{t(one.muted_by ? `muted.${one.muted_by}` : "muted.none")}</Badge>}
        {(one.gain_db ?? 0) !== 0 && <Badge>{t("room.gain", { db: one.gain_db ?? 0 })}</Badge>}
        {hints?.map((hint) => (
          <HintBadge key={hint} hint={hint} name={name} participant={one} />
        ))}
        {quality !== "unknown" && (
          <span className={css.quality}>
            <Badge tone={qualityTone[quality]}>{t(`quality.${quality}`)}</Badge>
          </span>
        )}
      </Cell>
      {mayControl && (
        <Cell className={css.rowActions}>
          <Button
            size="small"
            iconOnly
            icon={one.muted ? <MicOff /> : <Mic />}
            aria-pressed={one.muted}
            onClick={() => void attempt(() => changeParticipant(name, id, { muted: !one.muted }))}
          >
            {t(one.muted ? "room.unmute.who" : "room.mute.who", { name: who })}
          </Button>
          <ActionMenu
            label={t("room.more.who", { name: who })}
            icon={<Ellipsis />}
            actions={() => menuOf(name, one, onOpen)}
          />
        </Cell>
      )}
    </div>
  );
}

function Cell({ className, children }: { className?: string | undefined; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows that are placed one by one are no table of the browser's.
    // biome-ignore lint/a11y/useFocusableInteractive: the controls within have the focus.
    <span role="gridcell" className={className}>
      {children}
    </span>
  );
}

function menuOf(name: string, one: Participant, onOpen: (dialog: OpenDialog) => void): Action[] {
  const id = one.participant_id;
  const isHeld = one.state === "held";
  const change = (body: Parameters<typeof changeParticipant>[2]) => () =>
    void attempt(() => changeParticipant(name, id, body));
  return [
    {
      text: t("room.rename"),
      icon: <PenLine />,
      onSelect: () => onOpen({ kind: "rename", participant: one }),
    },
    {
      text: t("room.volume"),
      icon: <Volume2 />,
      onSelect: () => onOpen({ kind: "volume", participant: one }),
    },
    {
      text: t(one.leader ? "room.leader.end" : "room.leader.make"),
      icon: <Crown />,
      onSelect: change({ leader: !one.leader }),
    },
    ...(one.hand_raised_at
      ? [{ text: t("room.lower_hand"), icon: <Hand />, onSelect: change({ hand_raised: false }) }]
      : []),
    {
      text: t(isHeld ? "room.resume" : "room.hold"),
      icon: <Music />,
      begins: true,
      onSelect: change({ held: !isHeld }),
    },
    {
      text: t("room.coach"),
      icon: <Headphones />,
      onSelect: () => onOpen({ kind: "coach", participant: one }),
    },
    {
      text: t("room.announce.one"),
      icon: <Megaphone />,
      onSelect: () => onOpen({ kind: "announce", participant: one }),
    },
    {
      text: t("room.move"),
      icon: <ArrowRightLeft />,
      begins: true,
      onSelect: () => onOpen({ kind: "move", participants: [one] }),
    },
    {
      text: t("room.transfer"),
      icon: <PhoneForwarded />,
      onSelect: () => onOpen({ kind: "transfer", participant: one }),
    },
    {
      text: t("room.statistics"),
      icon: <Gauge />,
      onSelect: () => onOpen({ kind: "statistics", participant: one }),
    },
    {
      text: t("room.eject"),
      icon: <UserX />,
      danger: true,
      begins: true,
      onSelect: () => onOpen({ kind: "eject", participants: [one] }),
    },
  ];
}

/** What is wrong with a line, and the cure. */
function HintBadge({ hint, name, participant }: { hint: Hint; name: string; participant: Participant }) {
  const id = participant.participant_id;
  const suppress = () => changeParticipant(name, id, { sound: { noise_suppression: true } });
  const callBack = async () => {
    const number = participant.from.replace(/[^+0-9]/g, "");
    const to = participant.direction === "out" ? participant.to : `tel:${number}`;
    await callThem(name, [
      participant.display_name ? { to, display_name: participant.display_name } : { to },
    ]);
    await removeParticipant(name, id);
  };
  const canCallBack = participant.direction === "out" || /^\+?[0-9]{4,}$/.test(participant.from);
  return (
    <span className={css.hint}>
      <Badge tone="warn">{t(`hint.${hint}`)}</Badge>
      {hint === "noise" && !participant.sound?.noise_suppression && (
        <Button size="small" onClick={() => void attempt(suppress)}>
          {t("hint.suppress")}
        </Button>
      )}
      {(hint === "noise" || hint === "echo") && (
        <Button size="small" onClick={() => void attempt(() => changeParticipant(name, id, { muted: true }))}>
          {t("room.mute")}
        </Button>
      )}
      {(hint === "deaf" || hint === "unheard") && canCallBack && (
        <Button size="small" onClick={() => void attempt(callBack)}>
          {t("hint.call_back")}
        </Button>
      )}
    </span>
  );
}
