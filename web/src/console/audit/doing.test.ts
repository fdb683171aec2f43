import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { doingOf, nameIn } from "./doing";

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
    ["POST", "/v1/guest-links"],
    ["POST", "/v1/conferences/Board/participants"],
    ["POST", "/v1/invitations/accept"],
    ["POST", "/v1/leader-links/open"],
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
    ["guest-links", null, "made"],
    ["participants", "Board", "called"],
    ["invitations", null, "accepted"],
    ["leader-links", null, "opened"],
  ]);
});

test("each request of the management API that changes something has words", () => {
  const file = new URL("../../../../docs/openapi.json", import.meta.url);
  const { paths } = JSON.parse(readFileSync(file, "utf8")) as { paths: Record<string, object> };
  const changing = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => ["post", "put", "patch", "delete"].includes(method))
      .map((method): [string, string] => [method.toUpperCase(), path]),
  );
  const ofV1 = changing.filter(([, path]) => path.startsWith("/v1/"));
  expect(ofV1.length).toBeGreaterThan(50);
  expect(ofV1.filter(([method, path]) => doingOf(method, path) === null)).toEqual([]);
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

test("what has no name in its path is called as it calls itself", () => {
  const booking = { token: "4711", title: null, conference: "Board", max_participants: 40 };
  expect(nameIn(null, booking, null)).toBe("Board");
  expect(nameIn({ ...booking, title: "Annual meeting" }, booking)).toBe("Annual meeting");
  expect(nameIn(undefined, null, { label: "Ben" })).toBe("Ben");
  expect(nameIn(null, {}, { hours: 24 })).toBeNull();
});
