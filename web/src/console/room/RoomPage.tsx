import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { KeyRound, Link2, Lock, LockOpen, Presentation, Search } from "lucide-react";
import { memo, useCallback, useEffect, useMemo, useState } from "react";
import { isMissing } from "../../api/problem";
import { useFeedStatus } from "../../feed/useFeed";
import { tc } from "../../texts/common";
import { duration, measure } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { attempt } from "../../ui/notices";
import { Badge, Empty, Loading, Page, Section } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { useSingleKeys } from "../../ui/singleKeys";
import { useMedia } from "../../ui/useMedia";
import type { Conference } from "../conferences";
import { phaseTone } from "../Home";
import { InviteDialog } from "../InviteDialog";
import { LeaderLinksDialog } from "../LeaderLinksDialog";
import { useMay, useSession } from "../session";
import { Attention } from "./Attention";
import { changeConference, changeParticipant } from "./actions";
import { Bar, SMALL } from "./Bar";
import { ConferenceDialogs, type OpenDialog } from "./dialogs";
import { everyOne } from "./everyOne";
import { linesOf } from "./hints";
import { ParticipantList } from "./ParticipantList";
import css from "./Room.module.css";
import { isTalking, matchesFilter, nameOf, type Participant, sectionsOf } from "./state";
import { TALKERS_MAX, Talkers } from "./Talkers";
import { type RoomData, useRoom } from "./useRoom";

const route = getRouteApi("/shell/rooms/$name");

export function RoomPage() {
  const { name } = route.useParams();
  const room = useRoom(name);
  if (room.conference && !room.isPending) {
    return <Room name={name} room={room} conference={room.conference} />;
  }
  return (
    <Page title={name}>{room.isPending ? <Loading label={tc("loading")} /> : <Missing room={room} />}</Page>
  );
}

function Missing({ room }: { room: RoomData }) {
  const { error } = room;
  if (isMissing(error)) return <Empty>{t("room.missing")}</Empty>;
  return <ProblemBox error={error} onRetry={room.refresh} />;
}

function Room({ name, room, conference }: { name: string; room: RoomData; conference: Conference }) {
  const { filter = "" } = route.useSearch();
  const navigate = useNavigate();
  const [dialog, setDialog] = useState<OpenDialog | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { kind: feed } = useFeedStatus();
  const isLive = feed !== "lost" && feed !== "refused";
  const mayControl = useMay("control");
  // A leader's link leads one conference: it moves nobody into another one.
  const mayMove = !useSession()?.leader;
  const isGone = isMissing(room.error);
  // Of one that is not in progress, those alone who did not come: they can be called again.
  const sections = useMemo(
    () => sectionsOf(isGone ? room.participants.filter((one) => one.state === "failed") : room.participants),
    [room.participants, isGone],
  );
  const isIn = useMemo(() => sections.in.filter((one) => matchesFilter(one, filter)), [sections, filter]);
  const chosen = sections.in.filter((one) => selected.has(one.participant_id));
  useSingleKeys({ t: () => room.say(talkingNow(room.participants)) });

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
  const lines = useMemo(() => linesOf(sections.in, room.hints), [sections, room.hints]);
  // Who is being called has a seat already; who waits in the lobby has none.
  const taken = sections.in.length + sections.called.filter((one) => one.state !== "failed").length;
  return (
    <div className={isLive ? css.room : `${css.room} ${css.stale}`}>
      <title>{`${name} – Plenary`}</title>
      <Head name={name} conference={conference} isGone={isGone} taken={taken} onOpen={setDialog} />
      {room.error !== null && room.error !== undefined && (
        <div className={css.problem}>
          <Missing room={room} />
        </div>
      )}
      {!isGone && (
        <Talkers name={name} participants={room.participants} levels={room.levels} mayControl={mayControl} />
      )}
      <div className={css.columns} hidden={isGone && sections.called.length === 0}>
        <aside className={css.attention} aria-label={t("room.attention")}>
          <Attention
            name={name}
            sections={sections}
            lines={lines}
            mayControl={mayControl}
            onForget={room.forget}
          />
        </aside>
        <div className={css.inside} hidden={isGone}>
          <Section
            title={t("room.in")}
            count={sections.in.length}
            actions={
              chosen.length > 0 ? (
                <Selected
                  name={name}
                  chosen={chosen}
                  mayMove={mayMove}
                  onDone={() => setSelected(new Set())}
                  onOpen={setDialog}
                />
              ) : (
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
              )
            }
          >
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
                mayMove={mayMove}
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
      {mayControl && !isGone && <Bar name={name} conference={conference} onOpen={setDialog} />}
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
          <ConferenceDialogs
            name={name}
            room={room}
            conference={conference}
            dialog={dialog}
            onClose={() => setDialog(null)}
          />
        )
      )}
    </div>
  );
}

const Head = memo(function Head({
  name,
  conference,
  isGone,
  taken,
  onOpen,
}: {
  name: string;
  conference: Conference;
  /** It is not in progress: nothing can be said of it or done to it. */
  isGone: boolean;
  taken: number;
  onOpen: (dialog: OpenDialog) => void;
}) {
  const mayControl = useMay("control");
  const isSmall = useMedia(SMALL);
  // A leader's link opens the room, and invites nobody.
  const isByLink = Boolean(useSession()?.leader);
  const { locked, lecture, recording } = conference;
  return (
    <header className={css.head}>
      <div className={css.titles}>
        <h1>{name}</h1>
        <p className={css.facts} hidden={isGone}>
          <Badge tone={phaseTone(conference)}>{t(`phase.${conference.state}`)}</Badge>
          <span>{t("room.seats", { taken, all: conference.max_participants })}</span>
          {conference.ends_at && <TimeLeft until={conference.ends_at} />}
          {recording && (
            <Badge tone="bad">{t(recording.paused ? "recording.paused" : "recording.running")}</Badge>
          )}
          {!mayControl && locked && <Badge>{t("room.locked")}</Badge>}
        </p>
      </div>
      {mayControl && !isGone && (
        <div className={css.switches}>
          <Button
            icon={locked ? <Lock /> : <LockOpen />}
            aria-pressed={locked}
            onClick={() => void attempt(() => changeConference(name, { locked: !locked }))}
          >
            {t("room.lock")}
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
              <Button iconOnly={isSmall} icon={<KeyRound />} onClick={() => onOpen({ kind: "leaders" })}>
                {t("leader_link")}
              </Button>
              <Button iconOnly={isSmall} icon={<Link2 />} onClick={() => onOpen({ kind: "invite" })}>
                {t("invite")}
              </Button>
            </>
          )}
        </div>
      )}
    </header>
  );
});

/** From then on each second counts. */
const SOON_MS = 300_000;

function TimeLeft({ until }: { until: string }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = Date.parse(until) - now;
  return (
    <span className={left < SOON_MS ? css.soon : undefined}>
      {t("room.time_left", {
        time: left < SOON_MS ? duration(left) : measure(Math.ceil(left / 60_000), "min"),
      })}
    </span>
  );
}

/** Read out on request: talking is silent otherwise. */
function talkingNow(participants: Participant[]): string {
  const names = participants.filter(isTalking).slice(0, TALKERS_MAX).map(nameOf);
  return `${t("room.talking")}: ${names.join(", ") || t("room.talking.nobody")}`;
}

interface SelectedProps {
  name: string;
  chosen: Participant[];
  mayMove: boolean;
  onDone: () => void;
  onOpen: (dialog: OpenDialog) => void;
}

function Selected({ name, chosen, mayMove, onDone, onOpen }: SelectedProps) {
  const mute = (muted: boolean) => {
    const each = everyOne(chosen);
    void attempt(() => each((one) => changeParticipant(name, one.participant_id, { muted })));
  };
  return (
    <div className={css.selected}>
      <span>{t("room.selected", { count: chosen.length })}</span>
      <Button size="small" onClick={() => mute(true)}>
        {t("room.mute")}
      </Button>
      <Button size="small" onClick={() => mute(false)}>
        {t("room.unmute")}
      </Button>
      {mayMove && (
        <Button size="small" onClick={() => onOpen({ kind: "move", participants: chosen })}>
          {t("room.move")}
        </Button>
      )}
      <Button size="small" look="danger" onClick={() => onOpen({ kind: "eject", participants: chosen })}>
        {t("room.eject")}
      </Button>
      <Button size="small" look="quiet" onClick={onDone}>
        {t("room.select_none")}
      </Button>
    </div>
  );
}
