import { expect, test } from "vitest";
import { doingOf } from "./doing";

test("requests are told by what they do, to which thing", () => {
  const told = [
    ["PUT", "/v1/rooms/1001"],
    ["PATCH", "/v1/conferences/Board"],
    ["DELETE", "/v1/conferences/Board/participants/3e8b1470793bce5e.6"],
    ["POST", "/v1/conferences/Board/participants/3e8b1470793bce5e.6/admit"],
    ["POST", "/v1/conferences/Board/mute"],
    ["PATCH", "/v1/conferences/Board/recording"],
    ["DELETE", "/v1/operator/bans/198.51.100.7"],
    ["PUT", "/v1/services/conf-%2A"],
    ["POST", "/v1/trunks/provider/test"],
    ["PUT", "/v1/session/password"],
    ["PATCH", "/v1/people/7"],
  ].map(([method, path]) => Object.values(doingOf(method ?? "", path ?? "") ?? {}));
  expect(told).toEqual([
    ["rooms", "1001", "saved"],
    ["conferences", "Board", "changed"],
    ["participants", "Board", "removed"],
    ["participants", "Board", "changed"],
    ["conferences", "Board", "changed"],
    ["recording", "Board", "changed"],
    ["bans", "198.51.100.7", "removed"],
    ["services", "conf-*", "saved"],
    ["trunks", "provider", "done"],
    ["session", null, "done"],
    ["people", null, "changed"],
  ]);
});

test("what has no words is shown as it is", () => {
  for (const [method, path] of [
    ["POST", "/conference_eject"],
    ["COMMAND", "account key new"],
    ["GET", "/v1/rooms"],
    ["PUT", "/v1/something"],
  ]) {
    expect(doingOf(method ?? "", path ?? "")).toBeNull();
  }
});
