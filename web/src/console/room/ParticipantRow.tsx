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
import { askToUnmute, changeParticipant } from "./actions";
import type { OpenDialog } from "./dialogs";
import { type Hint, qualityOf, qualityTone, statisticsOf } from "./hints";
import type { LevelStore } from "./levels";
import css from "./Room.module.css";
import { isBrowser, isTalking, nameOf, type Participant } from "./state";

/** A participant who wants something: name, way or what it is about, and what can be done. */
export function RowShell(props: {
  participant: Participant;
  icon?: ReactNode;
  note?: ReactNode;
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

function WayIcon({ participant }: { participant: Participant }) {
  if (participant.direction === "out") return <PhoneOutgoing />;
  return isBrowser(participant) ? <Globe /> : <Phone />;
}

function wayOf(one: Participant): string {
  const other = one.direction === "out" ? one.to : one.from;
  const way = t(one.direction === "out" ? "way.called" : isBrowser(one) ? "way.browser" : "way.telephone");
  // What a browser calls from is made of the name that is entered there.
  return one.display_name && !isBrowser(one) ? `${way} · ${shownName(other)}` : way;
}

interface RowProps {
  name: string;
  participant: Participant;
  hints: Hint[] | undefined;
  levels: LevelStore;
  mayControl: boolean;
  /** Into other conferences. */
  mayMove: boolean;
  isSelected: boolean;
  onSelect: (id: string, on: boolean) => void;
  onOpen: (dialog: OpenDialog) => void;
}

/** All that a row shows of a participant: statistics change every few seconds, what they mean seldom does. */
function shownOf({ participant: one, hints }: RowProps): string {
  const { statistics, ...fields } = one;
  return JSON.stringify([fields, qualityOf(statisticsOf(one).mos), hints]);
}

export const ParticipantRow = memo(
  Row,
  (before, after) =>
    before.isSelected === after.isSelected &&
    before.mayControl === after.mayControl &&
    before.mayMove === after.mayMove &&
    ((before.participant === after.participant && before.hints === after.hints) ||
      shownOf(before) === shownOf(after)),
);

function Row(props: RowProps) {
  const { name, participant: one, hints, levels, mayControl, isSelected, onSelect } = props;
  const id = one.participant_id;
  const who = nameOf(one);
  const quality = qualityOf(statisticsOf(one).mos);
  const talks = isTalking(one);
  return (
    <div className={talks ? `${css.row} ${css.talks}` : css.row}>
      {mayControl && (
        <Cell>
          <label className={css.pick}>
            <input
              type="checkbox"
              className={css.select}
              aria-label={t("room.select", { name: who })}
              checked={isSelected}
              onChange={(event) => onSelect(id, event.target.checked)}
            />
          </label>
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
        {talks && <Meter slim read={levels.reader(id)} label={t("room.level.who", { name: who })} />}
      </Cell>
      <Cell className={css.states}>
        {one.hand_raised_at && <Badge tone="accent">{t("room.hand")}</Badge>}
        {one.state === "held" && (
          <Badge tone="warn">{t(one.held_by === "self" ? "room.held.self" : "room.held")}</Badge>
        )}
        {one.state === "waiting" && <Badge>{t("room.before_start")}</Badge>}
        {one.heard_by && <Badge tone="accent">{t("room.coaching")}</Badge>}
        {one.muted && <Badge>{t(one.muted_by ? `muted.${one.muted_by}` : "muted.none")}</Badge>}
        {(one.gain_db ?? 0) !== 0 && <Badge>{t("room.gain", { db: one.gain_db ?? 0 })}</Badge>}
        {hints?.map((hint) => (
          <Badge key={hint} tone="warn">
            {t(`hint.${hint}`)}
          </Badge>
        ))}
        {quality !== "unknown" && !hints?.includes("poor") && (
          <Badge tone={qualityTone[quality]}>{t(`room.line.${quality}`)}</Badge>
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
            actions={() => menuOf(props)}
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

export function menuOf({
  name,
  participant: one,
  mayMove,
  onOpen,
}: Pick<RowProps, "name" | "participant" | "mayMove" | "onOpen">): Action[] {
  const id = one.participant_id;
  const isHeld = one.held_by === "leader";
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
    ...(one.muted && one.state === "in"
      ? [
          {
            text: t("room.ask_to_unmute"),
            icon: <Mic />,
            onSelect: () => void attempt(() => askToUnmute(name, id), t("room.asked")),
          },
        ]
      : []),
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
    ...(mayMove
      ? [
          {
            text: t("room.move"),
            icon: <ArrowRightLeft />,
            begins: true,
            onSelect: () => onOpen({ kind: "move", participants: [one] }),
          },
        ]
      : []),
    {
      text: t("room.transfer"),
      icon: <PhoneForwarded />,
      begins: !mayMove,
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
