import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import { GAIN_DB } from "../../api/bounds";
import type { Schemas } from "../../api/client";
import { problemFrom } from "../../api/problem";
import { shownName } from "../../sip/identity";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { AreaField, CheckField, SelectField, TextField } from "../../ui/Field";
import { notifyProblem } from "../../ui/notices";
import { type Conference, conferencesQuery } from "../conferences";
import { AnnounceDialog } from "./AnnounceDialog";
import {
  callThem,
  changeParticipant,
  endConference,
  move,
  removeParticipant,
  startRecording,
  transfer,
} from "./actions";
import { everyOne } from "./everyOne";
import { statisticsOf } from "./hints";
import css from "./Room.module.css";
import { StatisticsFacts } from "./StatisticsFacts";
import { nameOf, type Participant } from "./state";
import { parseTargets } from "./targets";
import type { RoomData } from "./useRoom";

export type OpenDialog =
  | { kind: "invite" }
  | { kind: "leaders" }
  | { kind: "call" }
  | { kind: "record" }
  | { kind: "end" }
  | { kind: "announce"; participant: Participant | null }
  | { kind: "rename" | "volume" | "coach" | "transfer" | "statistics"; participant: Participant }
  | { kind: "move" | "eject"; participants: Participant[] };

interface Common {
  name: string;
  onClose: () => void;
}

export function ConferenceDialogs({
  name,
  room,
  conference,
  dialog,
  onClose,
}: Common & { room: RoomData; conference: Conference; dialog: OpenDialog }) {
  const common = { name, onClose };
  switch (dialog.kind) {
    case "call":
      return <CallDialog {...common} />;
    case "record":
      return <RecordDialog {...common} />;
    case "end":
      return <EndDialog {...common} isReserved={conference.reserved} />;
    case "announce":
      return <AnnounceDialog {...common} conference={conference} participant={dialog.participant} />;
    case "rename":
      return <RenameDialog {...common} participant={dialog.participant} />;
    case "volume":
      return <VolumeDialog {...common} participant={dialog.participant} />;
    case "coach":
      return <CoachDialog {...common} participant={dialog.participant} others={room.participants} />;
    case "transfer":
      return <TransferDialog {...common} participant={dialog.participant} />;
    case "statistics":
      return <StatisticsDialog onClose={onClose} participant={dialog.participant} room={room} />;
    case "move":
      return <MoveDialog {...common} participants={dialog.participants} />;
    case "eject":
      return <EjectDialog {...common} participants={dialog.participants} />;
    case "invite":
    case "leaders":
      return null;
  }
}

function CallDialog({ name, onClose }: Common) {
  const [text, setText] = useState("");
  const [confirm, setConfirm] = useState(false);
  const { targets, wrong } = parseTargets(text);
  const act = async () => {
    const calls = targets.map(({ to, name: display_name }): Schemas["Call"] => ({
      to,
      ...(display_name ? { display_name } : {}),
      ...(confirm ? { confirm: "1" } : {}),
    }));
    for (const problem of await callThem(name, calls)) {
      notifyProblem(problemFrom(problem));
    }
  };
  return (
    <ActionDialog
      title={t("room.call")}
      button={targets.length ? t("call.button", { count: targets.length }) : t("room.call")}
      disabled={targets.length === 0 || wrong.length > 0}
      act={act}
      onClose={onClose}
    >
      <AreaField
        label={t("call.whom")}
        hint={t("call.hint")}
        error={wrong.length ? t("call.wrong", { text: wrong.join(", ") }) : undefined}
        rows={4}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <CheckField
        label={t("call.confirm")}
        checked={confirm}
        onChange={(event) => setConfirm(event.target.checked)}
      />
    </ActionDialog>
  );
}

function RecordDialog({ name, onClose }: Common) {
  const [tracks, setTracks] = useState<Schemas["RecordedTracks"]>("mixed");
  const [format, setFormat] = useState<Schemas["RecordingFormat"]>("opus");
  const [announce, setAnnounce] = useState(true);
  return (
    <ActionDialog
      title={t("recording.start")}
      button={t("recording.start")}
      act={() => startRecording(name, { tracks, format, announce })}
      onClose={onClose}
    >
      <SelectField
        label={t("recording.tracks")}
        value={tracks}
        onChange={(event) => setTracks(event.target.value as Schemas["RecordedTracks"])}
      >
        <option value="mixed">{t("recording.mixed")}</option>
        <option value="separate">{t("recording.separate")}</option>
      </SelectField>
      <SelectField
        label={t("recording.format")}
        value={format}
        onChange={(event) => setFormat(event.target.value as Schemas["RecordingFormat"])}
      >
        <option value="opus">Opus</option>
        <option value="wav">WAV</option>
      </SelectField>
      <CheckField
        label={t("recording.announce")}
        checked={announce}
        onChange={(event) => setAnnounce(event.target.checked)}
      />
    </ActionDialog>
  );
}

function EndDialog({ name, isReserved, onClose }: Common & { isReserved: boolean }) {
  const navigate = useNavigate();
  return (
    <ActionDialog
      title={t("room.end.ask", { name })}
      button={t("room.end")}
      danger
      act={async () => {
        await endConference(name);
        await navigate({ to: "/" });
      }}
      onClose={onClose}
    >
      <p>{t("room.end.text")}</p>
      {isReserved && <p>{t("room.end.booking")}</p>}
    </ActionDialog>
  );
}

function RenameDialog({ name, participant, onClose }: Common & { participant: Participant }) {
  const [shown, setShown] = useState(participant.display_name ?? "");
  return (
    <ActionDialog
      title={t("room.rename")}
      button={t("rename.button")}
      act={() => changeParticipant(name, participant.participant_id, { display_name: shown.trim() || null })}
      onClose={onClose}
    >
      <TextField
        label={t("rename.name")}
        hint={t("rename.hint", { from: shownName(nameOf({ ...participant, display_name: null })) })}
        maxLength={100}
        value={shown}
        onChange={(event) => setShown(event.target.value)}
      />
    </ActionDialog>
  );
}

function VolumeDialog({ name, participant, onClose }: Common & { participant: Participant }) {
  const [gain, setGain] = useState(participant.gain_db ?? 0);
  return (
    <ActionDialog
      title={t("volume.of", { name: nameOf(participant) })}
      button={t("volume.button")}
      act={() => changeParticipant(name, participant.participant_id, { gain_db: gain })}
      onClose={onClose}
    >
      <label className={css.form}>
        <span>{t("volume.db", { db: gain })}</span>
        <input
          type="range"
          min={GAIN_DB.min}
          max={GAIN_DB.max}
          step={1}
          value={gain}
          aria-valuetext={t("volume.db", { db: gain })}
          onChange={(event) => setGain(Number(event.target.value))}
        />
      </label>
      <p className={css.ends} aria-hidden="true">
        <span>{t("volume.db", { db: GAIN_DB.min })}</span>
        <span>{t("volume.db", { db: GAIN_DB.max })}</span>
      </p>
      <span>
        <Button size="small" disabled={gain === 0} onClick={() => setGain(0)}>
          {t("volume.reset")}
        </Button>
      </span>
    </ActionDialog>
  );
}

function CoachDialog({
  name,
  participant,
  others,
  onClose,
}: Common & { participant: Participant; others: Participant[] }) {
  const [isAll, setAll] = useState(participant.heard_by === null || participant.heard_by === undefined);
  const [ids, setIds] = useState<string[]>(participant.heard_by ?? []);
  const listeners = others.filter(
    (one) => one.participant_id !== participant.participant_id && one.state === "in",
  );
  return (
    <ActionDialog
      title={t("coach.title", { name: nameOf(participant) })}
      button={t("coach.button")}
      act={() =>
        changeParticipant(name, participant.participant_id, {
          // Null, where it is named, is everybody.
          heard_by: (isAll ? null : ids) as string[],
        })
      }
      onClose={onClose}
    >
      <CheckField label={t("coach.all")} checked={isAll} onChange={(event) => setAll(event.target.checked)} />
      {isAll && <p className={css.quiet}>{t("coach.hint")}</p>}
      {!isAll && (
        <ul className={css.choices}>
          {listeners.map((one) => (
            <li key={one.participant_id}>
              <CheckField
                label={nameOf(one)}
                checked={ids.includes(one.participant_id)}
                onChange={(event) =>
                  setIds(
                    event.target.checked
                      ? [...ids, one.participant_id]
                      : ids.filter((id) => id !== one.participant_id),
                  )
                }
              />
            </li>
          ))}
        </ul>
      )}
    </ActionDialog>
  );
}

function TransferDialog({ name, participant, onClose }: Common & { participant: Participant }) {
  const [text, setText] = useState("");
  const { targets, wrong } = parseTargets(text);
  const [target] = targets;
  const error = wrong.length
    ? t("call.wrong", { text: wrong.join(", ") })
    : targets.length > 1
      ? t("transfer.one")
      : undefined;
  return (
    <ActionDialog
      title={t("transfer.title", { name: nameOf(participant) })}
      button={t("room.transfer")}
      disabled={error !== undefined}
      reason={targets.length || wrong.length ? null : t("transfer.missing")}
      act={() => transfer(name, participant.participant_id, target?.to ?? "")}
      onClose={onClose}
    >
      <TextField
        label={t("transfer.to")}
        hint={t("transfer.hint")}
        error={error}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </ActionDialog>
  );
}

function MoveDialog({ name, participants, onClose }: Common & { participants: Participant[] }) {
  const [to, setTo] = useState("");
  const known = useId();
  const [each] = useState(() => everyOne(participants));
  const conferences = useQuery(conferencesQuery);
  return (
    <ActionDialog
      title={
        participants.length === 1 && participants[0]
          ? t("move.title", { name: nameOf(participants[0]) })
          : t("room.move")
      }
      button={t("move.button")}
      disabled={!to.trim()}
      act={() => each((one) => move(name, one.participant_id, to.trim()))}
      onClose={onClose}
    >
      <TextField
        label={t("move.to")}
        list={known}
        value={to}
        onChange={(event) => setTo(event.target.value)}
      />
      <datalist id={known}>
        {conferences.data
          ?.filter((one) => one.name !== name)
          .map((one) => (
            <option key={one.name} value={one.name} />
          ))}
      </datalist>
    </ActionDialog>
  );
}

function EjectDialog({ name, participants, onClose }: Common & { participants: Participant[] }) {
  const names = participants.map(nameOf);
  const [each] = useState(() => everyOne(participants, { isDoneByLeaving: true }));
  return (
    <ActionDialog
      title={
        names.length === 1
          ? t("eject.one", { name: names[0] ?? "" })
          : t("eject.many", { count: names.length })
      }
      button={t("room.eject")}
      danger
      act={() => each((one) => removeParticipant(name, one.participant_id))}
      onClose={onClose}
    >
      {names.length > 1 && <p>{names.join(", ")}</p>}
      <p>{t("eject.text")}</p>
    </ActionDialog>
  );
}

function StatisticsDialog({
  participant,
  room,
  onClose,
}: {
  participant: Participant;
  room: RoomData;
  onClose: () => void;
}) {
  const now =
    room.participants.find((one) => one.participant_id === participant.participant_id) ?? participant;
  return (
    <Dialog title={t("statistics.of", { name: nameOf(now) })} onClose={onClose} wide>
      <StatisticsFacts statistics={statisticsOf(now)} />
    </Dialog>
  );
}
