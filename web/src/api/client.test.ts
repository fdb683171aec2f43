import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { changeService, makeService, readService, removeService } from "../console/account/services";
import { makeFeed, removeBooking } from "../console/booking/bookings";
import { signIn } from "../console/session";
import { client, everyPage, ok, onSignedOut, type Schemas } from "./client";
import { recentRequests } from "./recent";

/** What the pages have asked for, and what the service says, in turn; the last answer again and again. */
let asked: Request[];
let answers: (() => Response)[];

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const sent = () => asked[0] as Request;

beforeEach(() => {
  asked = [];
  answers = [() => json({})];
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push(request);
    return (answers.length > 1 ? answers.shift() : answers[0])?.();
  });
});
afterEach(() => vi.unstubAllGlobals());

test.each([
  ["conf-*", "conf-*"],
  ["+44/1632#1?", "%2B44%2F1632%231%3F"],
  ["a b%2F&ü", "a%20b%252F%26%C3%BC"],
  ["{name}$&", "%7Bname%7D%24%26"],
])("%s is one segment of a path", async (name, segment) => {
  await removeService(name);
  await removeBooking(name);
  expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
    `DELETE http://localhost/v1/services/${segment}`,
    `DELETE http://localhost/v1/reservations/${segment}`,
  ]);
});

test("a change names the version that was read", async () => {
  answers = [() => new Response("{}", { headers: { etag: '"abc"' } }), () => json({})];
  const { version } = await readService("a");
  await changeService("a", version, { srtp: "off" });
  expect(asked.map(({ headers }) => headers.get("if-match"))).toEqual([null, '"abc"']);
});

test("empty parts of a query are left out", async () => {
  answers = [() => json({ items: [] })];
  const read = (query: { path?: string | undefined; limit?: number }) =>
    ok(client.GET("/v1/audit", { params: { query } }));
  await read({ path: "", limit: 0 });
  await read({ path: undefined });
  await read({ path: "/v1/a b+c&d" });
  expect(asked.map(({ url }) => new URL(url).search)).toEqual([
    "?limit=0",
    "",
    "?path=%2Fv1%2Fa%20b%2Bc%26d",
  ]);
  expect(new URL((asked[2] as Request).url).searchParams.get("path")).toBe("/v1/a b+c&d");
});

test("a list is read page by page, at most as much as is wanted", async () => {
  const page = (id: number, next: string | null) => () => json({ items: [{ id }], next });
  const read = (most?: number) =>
    everyPage<Schemas["LeaderLink"]>(
      (query) => ok(client.GET("/v1/leader-links", { params: { query: { ...query, conference: "Board" } } })),
      most,
    );
  answers = [page(1, "abc"), page(2, null)];
  expect((await read()).map(({ id }) => id)).toEqual([1, 2]);
  expect(asked.map(({ url }) => new URL(url).search)).toEqual([
    "?limit=500&conference=Board",
    "?limit=500&cursor=abc&conference=Board",
  ]);
  answers = [page(1, "abc")];
  expect(await read(3)).toHaveLength(3);
});

test("a body goes as JSON, with the condition beside it", async () => {
  const body = { conference: { name: "{rest}" }, access: { tokens: true, webrtc: false } };
  await makeService("conf-*", body);
  const { method, headers } = sent();
  expect(method).toBe("PUT");
  expect(Object.fromEntries(headers)).toEqual({
    accept: "application/json",
    "content-type": "application/json",
    "if-none-match": "*",
  });
  expect(await sent().json()).toEqual(body);
  await expect.poll(() => recentRequests()[0]?.body).toBe(JSON.stringify(body));
});

test("a request without a body says nothing of its type", async () => {
  answers = [() => json({ path: "/x" }, 201)];
  expect(await makeFeed()).toEqual({ path: "/x" });
  expect(sent().headers.get("Content-Type")).toBeNull();
});

test("an answer may have no body", async () => {
  answers = [() => new Response(null, { status: 204 })];
  expect(await removeBooking("1")).toBeUndefined();
});

test("a file is what was asked for, not JSON", async () => {
  answers = [() => new Response("day,calls\n", { headers: { "Content-Type": "text/csv" } })];
  const query = { from: "2030-06-01T00:00:00Z", to: "2030-06-02T00:00:00Z" };
  const headers = { Accept: "text/csv" };
  const file = await ok(client.GET("/v1/usage", { params: { query }, headers, parseAs: "blob" }));
  expect(await file.text()).toBe("day,calls\n");
  expect(sent().headers.get("Accept")).toBe("text/csv");
});

test("what is wrong is a problem, also where something on the path has answered", async () => {
  const failure = () =>
    ok(client.GET("/v1/session/calendar")).then(
      () => null,
      ({ name, status, title, code }) => ({ name, status, title, code }),
    );
  answers = [
    () => json({ title: "Full", code: "1206" }, 409),
    () => new Response("<html>", { status: 502, statusText: "Bad Gateway" }),
    // Of both kinds: a length that is said is read otherwise.
    () => new Response("<html>"),
    () => new Response("<html>", { headers: { "Content-Length": "6" } }),
  ];
  expect(await failure()).toEqual({ name: "ApiProblem", status: 409, title: "Full", code: "1206" });
  expect(await failure()).toMatchObject({ name: "ApiProblem", status: 502, title: "502 Bad Gateway" });
  expect(await failure()).toMatchObject({ name: "ApiProblem" });
  expect(await failure()).toMatchObject({ name: "ApiProblem" });
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("fetch failed")));
  expect(await failure()).toMatchObject({ name: "ApiProblem", status: 0 });
});

test("a session that is over is told to who listens", async () => {
  answers = [() => json({ title: "Unauthorized" }, 401)];
  const listener = vi.fn();
  const stop = onSignedOut(listener);
  await expect(signIn("a@example.com", "b")).rejects.toMatchObject({ status: 401 });
  expect(listener).toHaveBeenCalledTimes(1);
  stop();
  await expect(ok(client.GET("/v1/session"))).rejects.toMatchObject({ status: 401 });
  expect(listener).toHaveBeenCalledTimes(1);
});
