import { Activity, BellRing, Hand, Music, X } from "lucide-react";
import { memo, type ReactNode } from "react";
import { tc } from "../../texts/common";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { attempt } from "../../ui/notices";
import { Badge, Section } from "../../ui/Page";
import { useRoving } from "../../ui/useRoving";
import { reasonText } from "../reasons";
import { admit, admitAll, callBack, callOne, changeParticipant, removeParticipant } from "./actions";
import type { Line, Remedy } from "./hints";
import { RowShell } from "./ParticipantRow";
import css from "./Room.module.css";
import { nameOf, type Participant, type Sections } from "./state";

/** So many lines are listed at most: more at once have one reason that is not theirs. */
const LINES_MAX = 20;

/** Those who want something: who waits, who has raised a hand, who is being called; and lines that need attention. */
export const Attention = memo(function Attention({
  name,
  sections,
  lines,
  mayControl,
  onForget,
}: {
  name: string;
  sections: Sections;
  lines: Line[];
  mayControl: boolean;
  onForget: (id: string) => void;
}) {
  const { waiting, hands, called, held } = sections;
  return (
    <>
      {waiting.length + hands.length + called.length + held.length + lines.length === 0 && (
        <p className={css.calm}>{t("room.attention.none")}</p>
      )}
      {waiting.length > 0 && (
        <Section
          title={t("room.waiting")}
          count={waiting.length}
          actions={
            mayControl &&
            waiting.length > 1 && (
              <Button size="small" onClick={() => void attempt(() => admitAll(name))}>
                {t("room.admit_all")}
              </Button>
            )
          }
        >
          <Rows>
            {waiting.map((one) => (
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
      {hands.length > 0 && (
        <Section title={t("room.hands")} count={hands.length}>
          <Rows>
            {hands.map((one) => (
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
      {held.length > 0 && (
        <Section title={t("room.on_hold")} count={held.length}>
          <Rows>
            {held.map((one) => (
              <RowShell key={one.participant_id} participant={one} icon={<Music />}>
                {mayControl && (
                  <Button
                    size="small"
                    onClick={() =>
                      void attempt(() => changeParticipant(name, one.participant_id, { held: false }))
                    }
                  >
                    {t("room.resume")}
                  </Button>
                )}
              </RowShell>
            ))}
          </Rows>
        </Section>
      )}
      {lines.length > 0 && (
        <Section title={t("room.lines")} count={lines.length}>
          <Rows>
            {lines.slice(0, LINES_MAX).map((line) => (
              <LineRow
                key={line.participant.participant_id}
                name={name}
                line={line}
                mayControl={mayControl}
              />
            ))}
          </Rows>
          {lines.length > LINES_MAX && (
            <p className={css.quiet}>{t("room.lines.more", { count: lines.length - LINES_MAX })}</p>
          )}
        </Section>
      )}
      {called.length > 0 && (
        <Section title={t("room.called")} count={called.length}>
          <Rows>
            {called.map((one) => (
              <Called
                key={one.participant_id}
                name={name}
                participant={one}
                mayControl={mayControl}
                onForget={onForget}
              />
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

function Called({
  name,
  participant,
  mayControl,
  onForget,
}: {
  name: string;
  participant: Participant;
  mayControl: boolean;
  onForget: (id: string) => void;
}) {
  const { participant_id: id, state, reason, status, to } = participant;
  const isFailed = state === "failed";
  const call = participant.display_name ? { to, display_name: participant.display_name } : { to };
  const stop = async () => {
    await removeParticipant(name, id);
    onForget(id);
  };
  const again = async () => {
    await callOne(name, call);
    onForget(id);
  };
  return (
    <RowShell
      participant={participant}
      note={
        isFailed
          ? t("called.failed", {
              reason: [reason && reasonText(reason), status && `(${status})`].filter(Boolean).join(" "),
            })
          : t(state === "ringing" ? "called.ringing" : "called.calling")
      }
    >
      {mayControl &&
        (isFailed ? (
          <>
            <Button size="small" icon={<BellRing />} onClick={() => void attempt(again)}>
              {t("called.again")}
            </Button>
            <Button size="small" look="quiet" iconOnly icon={<X />} onClick={() => onForget(id)}>
              {tc("close")}
            </Button>
          </>
        ) : (
          <Button size="small" onClick={() => void attempt(stop)}>
            {t("called.stop")}
          </Button>
        ))}
    </RowShell>
  );
}

interface LineRowProps {
  name: string;
  line: Line;
  mayControl: boolean;
}

/** All that is shown of a line: statistics change every few seconds, what they mean seldom does. */
const shownOf = ({ name, mayControl, line: { participant, ...found } }: LineRowProps) =>
  JSON.stringify([name, mayControl, participant.participant_id, nameOf(participant), found]);

/** A line with what is wrong with it, what a click mends, and what has to be said to the participant. */
const LineRow = memo(Row, (before, after) => shownOf(before) === shownOf(after));

function Row({ name, line, mayControl }: LineRowProps) {
  const { participant, hints, remedies, advice } = line;
  const id = participant.participant_id;
  const act: Record<Remedy, () => void> = {
    suppress: () =>
      void attempt(
        () => changeParticipant(name, id, { sound: { noise_suppression: true } }),
        t("cure.suppressed"),
      ),
    mute: () => void attempt(() => changeParticipant(name, id, { muted: true })),
    call_back: () => void attempt(() => callBack(name, participant)),
  };
  return (
    <RowShell
      participant={participant}
      icon={<Activity />}
      note={
        <>
          <span className={css.hints}>
            {hints.map((hint) => (
              <Badge key={hint} tone="warn">
                {t(`hint.${hint}`)}
              </Badge>
            ))}
          </span>
          {advice.map((one) => (
            <span key={one} className={css.advice}>
              {t(`cure.${one}`)}
            </span>
          ))}
        </>
      }
    >
      {mayControl &&
        remedies.map((remedy) => (
          <Button key={remedy} size="small" onClick={act[remedy]}>
            {t(`cure.${remedy}`)}
          </Button>
        ))}
    </RowShell>
  );
}
