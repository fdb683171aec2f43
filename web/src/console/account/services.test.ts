import { expect, test } from "vitest";
import { asksForRoom, bodyOf, changeOf, formOf, type InboundService } from "./services";

const service: InboundService = {
  name: "conf-*",
  created_at: "2030-06-20T15:16:02Z",
  updated_at: "2030-06-20T15:16:02Z",
  conference: { name: "{rest}" },
  access: { users: ["alice"], tokens: true, networks: ["192.0.2.0/24"] },
  srtp: "required",
};

test("a new service says what it is and who may call", () => {
  const form = { ...formOf(null), kind: "entry" as const, networks: "192.0.2.0/24 198.51.100.7" };
  expect(bodyOf(form)).toEqual({
    entry: { rooms: true },
    access: { tokens: true, webrtc: false, users: false, networks: ["192.0.2.0/24", "198.51.100.7"] },
  });
});

test("a room's number is keyed in where an entry leads to more than one room", () => {
  const entry = (rooms: true | string[]): InboundService => ({ ...service, entry: { rooms } });
  expect(asksForRoom([service, entry(true)], "1001", 1)).toBe(false);
  expect(asksForRoom([entry(true)], "1001", 2)).toBe(true);
  expect(asksForRoom([entry(["1001"]), entry(["1002", "1003"])], "1001", 3)).toBe(false);
  expect(asksForRoom([entry(["1001"]), entry(["1001", "1002"])], "1001", 2)).toBe(true);
  expect(asksForRoom([service], "1001", 1)).toBe(true);
});

test("a change leaves alone what the form does not show", () => {
  expect(changeOf(formOf(service), service)).toEqual({
    conference: { name: "{rest}" },
    access: { tokens: true, webrtc: false, networks: ["192.0.2.0/24"] },
    srtp: "required",
  });
  expect(changeOf({ ...formOf(service), users: true, networks: "", srtp: "" }, service)).toEqual({
    conference: { name: "{rest}" },
    access: { tokens: true, webrtc: false, users: true, networks: null },
    srtp: null,
  });
});

test("another kind takes the place of the one before", () => {
  const form = { ...formOf(service), kind: "announcement" as const, play: "welcome.wav, tone:440/500" };
  expect(changeOf(form, service)).toMatchObject({
    conference: null,
    announcement: { play: ["welcome.wav", "tone:440/500"] },
  });
});

test("a service that becomes an entry leads to all rooms, and one that is loses its greeting", () => {
  const form = { ...formOf(service), kind: "entry" as const, greeting: " welcome.wav " };
  expect(changeOf(form, service)).toMatchObject({
    conference: null,
    entry: { rooms: true, greeting: "welcome.wav" },
  });
  const entry: InboundService = {
    ...service,
    conference: undefined,
    entry: { rooms: ["1001"], greeting: "welcome.wav" },
  };
  expect(changeOf({ ...formOf(entry), greeting: "" }, entry).entry).toEqual({ greeting: null });
});
