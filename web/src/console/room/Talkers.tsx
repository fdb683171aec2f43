import { Mic, MicOff } from "lucide-react";
import { memo, useEffect, useState } from "react";
import { t } from "../../texts/pages";
import { Meter } from "../../ui/Meter";
import { attempt } from "../../ui/notices";
import { changeParticipant } from "./actions";
import type { LevelStore } from "./levels";
import css from "./Room.module.css";
import { isTalking, nameOf, type Participant } from "./state";
import { TalkerPlaces } from "./talkerPlaces";

export const TALKERS_MAX = 5;
const LOOK_MS = 500;

/** Who talks: a click mutes. A place does not change while it is shown. */
export const Talkers = memo(function Talkers({
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
  const places = usePlaces(participants);
  const shown = places.map((id) => participants.find((one) => one.participant_id === id) ?? null);
  const isSilent = shown.every((one) => one === null);
  return (
    <section className={css.talkers} aria-label={t("room.talking")}>
      <h2 className={css.talkersTitle}>{t("room.talking")}</h2>
      {isSilent && <span className={css.nobody}>{t("room.talking.nobody")}</span>}
      <ul className={css.chips}>
        {shown.map((one, place) =>
          one ? (
            <li key={one.participant_id}>
              <Talker name={name} participant={one} levels={levels} mayControl={mayControl} />
            </li>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: places do not move.
            <li key={place} className={css.free} aria-hidden="true" />
          ),
        )}
      </ul>
    </section>
  );
});

function Talker(props: { name: string; participant: Participant; levels: LevelStore; mayControl: boolean }) {
  const { name, participant: one, levels } = props;
  const id = one.participant_id;
  const look = isTalking(one) ? css.chip : `${css.chip} ${css.paused}`;
  const inside = (
    <>
      <span className={css.chipName}>
        {props.mayControl && !one.muted && <Mic className={css.open} aria-hidden="true" />}
        {props.mayControl && <MicOff className={one.muted ? undefined : css.mutes} aria-hidden="true" />}
        <span>{nameOf(one)}</span>
      </span>
      <Meter slim read={levels.reader(id)} label={t("room.level.who", { name: nameOf(one) })} />
    </>
  );
  if (!props.mayControl) return <div className={look}>{inside}</div>;
  const mute = t("room.mute.who", { name: nameOf(one) });
  return (
    <button
      type="button"
      className={look}
      aria-label={mute}
      title={mute}
      onClick={() => void attempt(() => changeParticipant(name, id, { muted: true }))}
    >
      {inside}
    </button>
  );
}

function usePlaces(participants: Participant[]): (string | null)[] {
  const [board] = useState(() => new TalkerPlaces(TALKERS_MAX));
  const [places, setPlaces] = useState<(string | null)[]>([]);
  const talking = participants
    .filter(isTalking)
    .map((one) => one.participant_id)
    .join(" ");
  const isEmpty = places.length === 0;
  useEffect(() => {
    const look = () =>
      setPlaces((before) => {
        const now = board.update(talking ? talking.split(" ") : [], Date.now());
        return now.join() === before.join() ? before : now;
      });
    look();
    if (isEmpty) return;
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [board, talking, isEmpty]);
  return places;
}
