import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import { ApiProblem } from "../../api/problem";
import { tc } from "../../texts/common";
import { amount } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { CheckField, SelectField } from "../../ui/Field";
import { ProblemBox } from "../../ui/Problem";
import type { Conference } from "../conferences";
import { play, stopPlayback, warnOfEnd } from "./actions";
import { nameOf, type Participant } from "./state";

const TONE = "tone:880/400";
const MUSIC = "music:hold";
/** What is said of the end, in minutes; `left`: as much as is left of the booking. */
const SAID = ["said:10", "said:5", "said:1", "said:left"] as const;
type Said = (typeof SAID)[number];

const isSaid = (choice: string): choice is Said => SAID.some((one) => one === choice);

/** Plays a sound to all, or to one alone; or says to all how much time is left. */
export function AnnounceDialog({
  name,
  conference,
  participant,
  onClose,
}: {
  name: string;
  conference: Conference;
  participant: Participant | null;
  onClose: () => void;
}) {
  const [choice, setChoice] = useState<string>(TONE);
  const [loop, setLoop] = useState(false);
  const [playing, setPlaying] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const sounds = useQuery({
    queryKey: ["conference-media", name],
    queryFn: () =>
      everyPage<Schemas["Media"]>((query) =>
        ok(client.GET("/v1/conferences/{name}/media", { params: { path: { name }, query } })),
      ),
    retry: false,
  });
  const attempt = async (action: () => Promise<unknown>) => {
    setError(null);
    try {
      await action();
    } catch (problem) {
      setError(problem);
    }
  };
  const start = () =>
    attempt(async () => {
      if (isSaid(choice)) {
        await warnOfEnd(name, choice === "said:left" ? undefined : Number(choice.slice("said:".length)));
        return onClose();
      }
      const to = participant?.participant_id ?? "all";
      const { playback_id } = await play(name, { to, play: [choice], loop, gain_db: 0 });
      setPlaying(playback_id);
    });
  const stop = () =>
    attempt(async () => {
      try {
        if (playing) await stopPlayback(name, playing);
      } catch (problem) {
        // It has come to its end by itself.
        if (!(problem instanceof ApiProblem && problem.status === 404)) throw problem;
      }
      setPlaying(null);
    });
  const said = SAID.filter((one) => one !== "said:left" || conference.ends_at);
  return (
    <Dialog
      title={participant ? t("announce.to", { name: nameOf(participant) }) : t("room.announce")}
      onClose={onClose}
    >
      {error !== null && <ProblemBox error={error} />}
      {sounds.error && <ProblemBox error={sounds.error} onRetry={() => void sounds.refetch()} />}
      <SelectField
        label={t("announce.sound")}
        hint={sounds.data?.length === 0 ? t("announce.none") : undefined}
        value={choice}
        onChange={(event) => setChoice(event.target.value)}
      >
        <option value={TONE}>{t("announce.tone")}</option>
        <option value={MUSIC}>{t("announce.music")}</option>
        {!participant &&
          said.map((one) => (
            <option key={one} value={one}>
              {one === "said:left"
                ? t("announce.left")
                : t("announce.minutes", { count: Number(one.slice("said:".length)) })}
            </option>
          ))}
        {sounds.data?.map((one) => (
          <option key={one.name} value={`sound:${one.name}`}>
            {one.name} ({amount(one.duration_ms / 1_000, 1)} s)
          </option>
        ))}
      </SelectField>
      {!isSaid(choice) && (
        <CheckField
          label={t("announce.loop")}
          checked={loop}
          onChange={(event) => setLoop(event.target.checked)}
        />
      )}
      <DialogActions>
        <Button onClick={onClose}>{tc("close")}</Button>
        {playing && <Button onClick={() => void stop()}>{t("announce.stop")}</Button>}
        <Button look="primary" onClick={() => void start()}>
          {t("announce.play")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
