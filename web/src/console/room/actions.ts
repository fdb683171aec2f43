/** What a leader does, as requests of the management API. */
import { client, ok, type Schemas } from "../../api/client";
import { numberOf, type Participant } from "./state";

export type ParticipantPatch = Schemas["ParticipantPatch"];

const at = (name: string, id: string) => ({ params: { path: { name, id } } });
const of = (name: string) => ({ params: { path: { name } } });

export const changeParticipant = (name: string, id: string, body: ParticipantPatch) =>
  ok(client.PATCH("/v1/conferences/{name}/participants/{id}", { ...at(name, id), body }));

export const askToUnmute = (name: string, id: string) =>
  ok(client.POST("/v1/conferences/{name}/participants/{id}/ask-to-unmute", at(name, id)));

export const removeParticipant = (name: string, id: string) =>
  ok(client.DELETE("/v1/conferences/{name}/participants/{id}", at(name, id)));

export const admit = (name: string, id: string) =>
  ok(client.POST("/v1/conferences/{name}/participants/{id}/admit", at(name, id)));

export const admitAll = (name: string) => ok(client.POST("/v1/conferences/{name}/admit", of(name)));

export const move = (name: string, id: string, conference: string) =>
  ok(client.POST("/v1/conferences/{name}/participants/{id}/move", { ...at(name, id), body: { conference } }));

export const transfer = (name: string, id: string, to: string) =>
  ok(client.POST("/v1/conferences/{name}/participants/{id}/transfer", { ...at(name, id), body: { to } }));

export const muteAll = (name: string, body: Schemas["Mute"]) =>
  ok(client.POST("/v1/conferences/{name}/mute", { ...of(name), body }));

export const changeConference = (name: string, body: Schemas["ConferencePatch"]) =>
  ok(client.PATCH("/v1/conferences/{name}", { ...of(name), body }));

export const endConference = (name: string) => ok(client.DELETE("/v1/conferences/{name}", of(name)));

export const startRecording = (name: string, body: Schemas["RecordingStart"]) =>
  ok(client.POST("/v1/conferences/{name}/recording", { ...of(name), body }));

export const pauseRecording = (name: string, paused: boolean) =>
  ok(client.PATCH("/v1/conferences/{name}/recording", { ...of(name), body: { paused } }));

export const stopRecording = (name: string) =>
  ok(client.DELETE("/v1/conferences/{name}/recording", of(name)));

export const play = (name: string, body: Schemas["PlaybackRequest"]) =>
  ok(client.POST("/v1/conferences/{name}/playbacks", { ...of(name), body }));

export const stopPlayback = (name: string, playback_id: string) =>
  ok(
    client.DELETE("/v1/conferences/{name}/playbacks/{playback_id}", {
      params: { path: { name, playback_id } },
    }),
  );

/** Calls one. The seat is taken when this returns. */
export const callOne = (name: string, body: Schemas["Call"]) =>
  ok(client.POST("/v1/conferences/{name}/participants", { ...of(name), body }));

/** Calls a participant with a bad line, then ends that line: not before the new call is placed. */
export async function callBack(name: string, one: Participant): Promise<void> {
  const to = numberOf(one);
  if (to === null) return;
  await callOne(name, one.display_name ? { to, display_name: one.display_name } : { to });
  await removeParticipant(name, one.participant_id);
}

/** Calls several; what is wrong with some of them is in the answer. */
export async function callThem(name: string, calls: Schemas["Call"][]): Promise<Schemas["Problem"][]> {
  const answer = await ok(
    client.POST("/v1/conferences/{name}/participants", { ...of(name), body: { calls } }),
  );
  const items = "items" in answer ? answer.items : [];
  return items.flatMap((item) => (item.problem ? [item.problem] : []));
}

/** Makes the booking of a conference in progress longer. */
export const extend = (name: string, minutes: number) =>
  ok(client.POST("/v1/conferences/{name}/extend", { ...of(name), body: { minutes } }));

/** All hear that the conference will end: in so many minutes, or else when its booking does. */
export const warnOfEnd = (name: string, minutes?: number) =>
  ok(
    client.POST("/v1/conferences/{name}/time-warning", {
      ...of(name),
      body: minutes === undefined ? {} : { minutes },
    }),
  );
