import { getRouteApi, useNavigate } from "@tanstack/react-router";
import {
  BellRing,
  Ellipsis,
  Hand,
  KeyRound,
  Link2,
  Lock,
  LockOpen,
  Megaphone,
  MicOff,
  PhoneOutgoing,
  Presentation,
  Radio,
  Search,
  TimerReset,
} from "lucide-react";
import { memo, type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { useFeedStatus } from "../../feed/useFeed";
import { tc } from "../../texts/common";
import { duration } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { Meter } from "../../ui/Meter";
import { attempt } from "../../ui/notices";
import { Badge, Empty, Loading, Section } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { useSingleKeys } from "../../ui/singleKeys";
import { useRoving } from "../../ui/useRoving";
import type { Conference } from "../conferences";
import { phaseTone } from "../Home";
import { InviteDialog } from "../InviteDialog";
import { LeaderLinksDialog } from "../LeaderLinksDialog";
import { useMay, useSession } from "../session";
import {
  admit,
  admitAll,
  callThem,
  changeConference,
  changeParticipant,
  extend,
  muteAll,
  pauseRecording,
  removeParticipant,
  stopRecording,
} from "./actions";
import { ConferenceDialogs, type OpenDialog } from "./dialogs";
import type { LevelStore } from "./levels";
import { ParticipantList } from "./ParticipantList";
import { RowShell } from "./ParticipantRow";
import css from "./Room.module.css";
import { matchesFilter, nameOf, type Participant, type Sections, sectionsOf } from "./state";
import { type RoomData, useRoom } from "./useRoom";

const route = getRouteApi("/shell/rooms/$name");
const TALKERS_MAX = 5;

export function RoomPage() {
  const { name } = route.useParams();
  const room = useRoom(name);
  return (
    <>
      <title>{`${name} – Plenary`}</title>
      {room.isPending ? (
        <Loading label={tc("loading")} />
      ) : !room.conference ? (
        <Missing room={room} />
      ) : (
        <Room name={name} room={room} conference={room.conference} />
      )}
    </>
  );
}

function Missing({ room }: { room: RoomData }) {
  const { error } = room;
  if (error && typeof error === "object" && "status" in error && error.status === 404) {
    return <Empty>{t("room.missing")}</Empty>;
  }
  return <ProblemBox error={error} onRetry={room.refresh} />;
}

function Room({ name, room, conference }: { name: string; room: RoomData; conference: Conference }) {
  const { filter = "" } = route.useSearch();
  const navigate = useNavigate();
  const [dialog, setDialog] = useState<OpenDialog | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const isLive = useFeedStatus().kind !== "lost";
  const mayControl = useMay("control");
  const sections = useMemo(() => sectionsOf(room.participants), [room.participants]);
  const isIn = useMemo(() => sections.in.filter((one) => matchesFilter(one, filter)), [sections, filter]);
  const chosen = sections.in.filter((one) => selected.has(one.participant_id));
  useSingleKeys({ t: () => room.say(talkingNow(room.participants)) });
  const isOver = room.error !== null && room.error !== undefined;

  const select = useCallback(
    (id: string, on: boolean) =>
      setSelected((before) => {
        const next = new Set(before);
        if (on) next.add(id);
        else next.delete(id);
        return next;
      }),
    [],
  );
  return (
    <div className={isLive ? css.room : `${css.room} ${css.stale}`}>
      <Head name={name} conference={conference} onOpen={setDialog} />
      {isOver && <ProblemBox error={room.error} onRetry={room.refresh} />}
      <Talkers name={name} participants={room.participants} levels={room.levels} mayControl={mayControl} />
      <div className={css.columns}>
        <aside className={css.attention} aria-label={t("room.attention")}>
          <Attention name={name} sections={sections} mayControl={mayControl} />
        </aside>
        <div className={css.inside}>
          <Section
            title={t("room.in")}
            count={sections.in.length}
            actions={
              (sections.in.length > 5 || filter) && (
                <label className={css.filter}>
                  <Search aria-hidden="true" />
                  <span className="visually-hidden">{t("room.filter")}</span>
                  <input
                    type="search"
                    placeholder={t("room.filter")}
                    value={filter}
                    onChange={(event) =>
                      void navigate({
                        to: "/rooms/$name",
                        params: { name },
                        search: { filter: event.target.value || undefined },
                        replace: true,
                      })
                    }
                  />
                </label>
              )
            }
          >
            {chosen.length > 0 && (
              <Selected
                name={name}
                chosen={chosen}
                onDone={() => setSelected(new Set())}
                onOpen={setDialog}
              />
            )}
            {room.isDrawing ? (
              <Loading label={tc("loading")} />
            ) : sections.in.length === 0 ? (
              <Empty>{t("room.empty")}</Empty>
            ) : isIn.length === 0 ? (
              <Empty>{t("room.filter.none")}</Empty>
            ) : (
              <ParticipantList
                name={name}
                participants={isIn}
                hints={room.hints}
                levels={room.levels}
                mayControl={mayControl}
                selected={selected}
                onSelect={select}
                onOpen={setDialog}
              />
            )}
          </Section>
        </div>
      </div>
      <div className="visually-hidden" aria-live="polite">
        {room.news}
      </div>
      {mayControl && <Bar name={name} conference={conference} onOpen={setDialog} />}
      {dialog?.kind === "invite" ? (
        <InviteDialog
          of={{ conference: name }}
          conference={name}
          title={name}
          onClose={() => setDialog(null)}
        />
      ) : dialog?.kind === "leaders" ? (
        <LeaderLinksDialog of={{ conference: name }} title={name} onClose={() => setDialog(null)} />
      ) : (
        dialog && (
          <ConferenceDialogs name={name} room={room} dialog={dialog} onClose={() => setDialog(null)} />
        )
      )}
    </div>
  );
}

/** Those who want something: who waits, who has raised a hand, who is being called. */
const Attention = memo(function Attention({
  name,
  sections,
  mayControl,
}: {
  name: string;
  sections: Sections;
  mayControl: boolean;
}) {
  const { waiting, hands, called } = sections;
  return (
    <>
      {waiting.length + hands.length + called.length === 0 && (
        <p className={css.calm}>{t("room.attention.none")}</p>
      )}
      {sections.waiting.length > 0 && (
        <Section
          title={t("room.waiting")}
          count={sections.waiting.length}
          actions={
            mayControl &&
            sections.waiting.length > 1 && (
              <Button size="small" onClick={() => void attempt(() => admitAll(name))}>
                {t("room.admit_all")}
              </Button>
            )
          }
        >
          <Rows>
            {sections.waiting.map((one) => (
              <RowShell key={one.participant_id} participant={one}>
                {mayControl && (
                  <>
                    <Button
                      size="small"
                      look="primary"
                      onClick={() => void attempt(() => admit(name, one.participant_id))}
                    >
                      {t("room.admit")}
                    </Button>
                    <Button
                      size="small"
                      onClick={() => void attempt(() => removeParticipant(name, one.participant_id))}
                    >
                      {t("room.refuse")}
                    </Button>
                  </>
                )}
              </RowShell>
            ))}
          </Rows>
        </Section>
      )}
      {sections.hands.length > 0 && (
        <Section title={t("room.hands")} count={sections.hands.length}>
          <Rows>
            {sections.hands.map((one) => (
              <RowShell key={one.participant_id} participant={one} icon={<Hand />}>
                {mayControl && (
                  <>
                    <Button
                      size="small"
                      look="primary"
                      onClick={() =>
                        void attempt(() =>
                          changeParticipant(name, one.participant_id, { muted: false, hand_raised: false }),
                        )
                      }
                    >
                      {t("room.let_speak")}
                    </Button>
                    <Button
                      size="small"
                      onClick={() =>
                        void attempt(() =>
                          changeParticipant(name, one.participant_id, { hand_raised: false }),
                        )
                      }
                    >
                      {t("room.lower_hand")}
                    </Button>
                  </>
                )}
              </RowShell>
            ))}
          </Rows>
        </Section>
      )}
      {sections.called.length > 0 && (
        <Section title={t("room.called")} count={sections.called.length}>
          <Rows>
            {sections.called.map((one) => (
              <Called key={one.participant_id} name={name} participant={one} mayControl={mayControl} />
            ))}
          </Rows>
        </Section>
      )}
    </>
  );
});

/** Rows with buttons: one stop of the Tab key. */
function Rows({ children }: { children: ReactNode }) {
  return (
    <ul className={css.rows} {...useRoving<HTMLUListElement>({ rows: "li" })}>
      {children}
    </ul>
  );
}

const Head = memo(function Head({
  name,
  conference,
  onOpen,
}: {
  name: string;
  conference: Conference;
  onOpen: (dialog: OpenDialog) => void;
}) {
  const mayControl = useMay("control");
  // A leader's link opens the room, and invites nobody.
  const isByLink = Boolean(useSession()?.leader);
  const { locked, lecture, recording } = conference;
  return (
    <header className={css.head}>
      <div className={css.titles}>
        <h1>{name}</h1>
        <p className={css.facts}>
          <Badge tone={phaseTone(conference)}>{t(`phase.${conference.state}`)}</Badge>
          <span>
            {t("room.seats", {
              taken: conference.participants + conference.waiting,
              all: conference.max_participants,
            })}
          </span>
          {conference.ends_at && <TimeLeft until={conference.ends_at} />}
          {recording && (
            <Badge tone="bad">{t(recording.paused ? "recording.paused" : "recording.running")}</Badge>
          )}
          {!mayControl && locked && <Badge>{t("room.locked")}</Badge>}
        </p>
      </div>
      {mayControl && (
        <div className={css.switches}>
          <Button
            icon={locked ? <Lock /> : <LockOpen />}
            aria-pressed={locked}
            onClick={() => void attempt(() => changeConference(name, { locked: !locked }))}
          >
            {t(locked ? "room.locked" : "room.lock")}
          </Button>
          <Button
            icon={<Presentation />}
            aria-pressed={lecture}
            onClick={() => void attempt(() => changeConference(name, { lecture: !lecture }))}
          >
            {t("room.lecture")}
          </Button>
          {!isByLink && (
            <>
              <Button icon={<KeyRound />} onClick={() => onOpen({ kind: "leaders" })}>
                {t("leader_link")}
              </Button>
              <Button icon={<Link2 />} onClick={() => onOpen({ kind: "invite" })}>
                {t("invite")}
              </Button>
            </>
          )}
        </div>
      )}
    </header>
  );
});

function TimeLeft({ until }: { until: string }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = Date.parse(until) - now;
  return (
    <span className={left < 300_000 ? css.soon : undefined}>
      {t("room.time_left", { time: duration(left) })}
    </span>
  );
}

const isTalking = (one: Participant) => one.talking && !one.muted && one.state === "in";

/** Read out on request: talking is silent otherwise. */
function talkingNow(participants: Participant[]): string {
  const names = participants.filter(isTalking).slice(0, TALKERS_MAX).map(nameOf);
  return `${t("room.talking")}: ${names.join(", ") || t("room.talking.nobody")}`;
}

/** Who talks: a click mutes. */
const Talkers = memo(function Talkers({
  name,
  participants,
  levels,
  mayControl,
}: {
  name: string;
  participants: Participant[];
  levels: LevelStore;
  mayControl: boolean;
}) {
  const talking = participants.filter(isTalking).slice(0, TALKERS_MAX);
  return (
    <section className={css.talkers} aria-label={t("room.talking")}>
      <h2 className={css.talkersTitle}>{t("room.talking")}</h2>
      {talking.length === 0 && <span className={css.nobody}>{t("room.talking.nobody")}</span>}
      <ul className={css.chips}>
        {talking.map((one) => (
          <li key={one.participant_id}>
            <button
              type="button"
              className={css.chip}
              disabled={!mayControl}
              aria-label={t("room.mute.who", { name: nameOf(one) })}
              onClick={() => void attempt(() => changeParticipant(name, one.participant_id, { muted: true }))}
            >
              <span className={css.chipName}>{nameOf(one)}</span>
              <Meter
                slim
                read={levels.reader(one.participant_id)}
                label={t("room.level.who", { name: nameOf(one) })}
              />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
});

function Called({
  name,
  participant,
  mayControl,
}: {
  name: string;
  participant: Participant;
  mayControl: boolean;
}) {
  const { participant_id: id, state, reason, status, to } = participant;
  const isFailed = state === "failed";
  const call = participant.display_name ? { to, display_name: participant.display_name } : { to };
  return (
    <RowShell
      participant={participant}
      note={
        isFailed
          ? t("called.failed", { reason: status ? `${reason ?? ""} ${status}`.trim() : (reason ?? "") })
          : t(state === "ringing" ? "called.ringing" : "called.calling")
      }
    >
      {mayControl &&
        (isFailed ? (
          <Button size="small" icon={<BellRing />} onClick={() => void attempt(() => callThem(name, [call]))}>
            {t("called.again")}
          </Button>
        ) : (
          <Button size="small" onClick={() => void attempt(() => removeParticipant(name, id))}>
            {t("called.stop")}
          </Button>
        ))}
    </RowShell>
  );
}

interface SelectedProps {
  name: string;
  chosen: Participant[];
  onDone: () => void;
  onOpen: (dialog: OpenDialog) => void;
}

function Selected({ name, chosen, onDone, onOpen }: SelectedProps) {
  const each = (action: (id: string) => Promise<unknown>) =>
    void attempt(async () => {
      for (const one of chosen) await action(one.participant_id);
    });
  return (
    <div className={css.selected}>
      <span>{t("room.selected", { count: chosen.length })}</span>
      <Button size="small" onClick={() => each((id) => changeParticipant(name, id, { muted: true }))}>
        {t("room.mute")}
      </Button>
      <Button size="small" onClick={() => each((id) => changeParticipant(name, id, { muted: false }))}>
        {t("room.unmute")}
      </Button>
      <Button size="small" onClick={() => onOpen({ kind: "move", participants: chosen })}>
        {t("room.move")}
      </Button>
      <Button size="small" onClick={() => onOpen({ kind: "eject", participants: chosen })}>
        {t("room.eject")}
      </Button>
      <Button size="small" look="quiet" onClick={onDone}>
        {t("room.select_none")}
      </Button>
    </div>
  );
}

const Bar = memo(function Bar({
  name,
  conference,
  onOpen,
}: {
  name: string;
  conference: Conference;
  onOpen: (dialog: OpenDialog) => void;
}) {
  const mayBook = useMay("book");
  const { recording } = conference;
  return (
    <div className={css.bar} role="toolbar" aria-label={t("room.actions")}>
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
      <Button icon={<PhoneOutgoing />} onClick={() => onOpen({ kind: "call" })}>
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
        <Button icon={<Radio />} onClick={() => onOpen({ kind: "record" })}>
          {t("recording.start")}
        </Button>
      )}
      <Button icon={<Megaphone />} onClick={() => onOpen({ kind: "announce", participant: null })}>
        {t("room.announce")}
      </Button>
      {mayBook && conference.reserved && conference.ends_at && (
        <Button
          icon={<TimerReset />}
          onClick={() => void attempt(() => extend(name, 15), t("room.extended"))}
        >
          {t("room.extend")}
        </Button>
      )}
      <ActionMenu
        label={t("room.more")}
        icon={<Ellipsis />}
        actions={() => [
          {
            text: t(conference.muted_on_entry ? "room.muted_on_entry.off" : "room.muted_on_entry.on"),
            onSelect: () =>
              void attempt(() => changeConference(name, { muted_on_entry: !conference.muted_on_entry })),
          },
          {
            text: t(conference.self_unmute ? "room.self_unmute.off" : "room.self_unmute.on"),
            onSelect: () =>
              void attempt(() => changeConference(name, { self_unmute: !conference.self_unmute })),
          },
        ]}
      />
      <span className={css.end}>
        <Button look="danger" onClick={() => onOpen({ kind: "end" })}>
          {t("room.end")}
        </Button>
      </span>
    </div>
  );
});
