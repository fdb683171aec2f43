import { expect, test } from "vitest";
import { asCurl, recentRequests, remember, withoutSecrets } from "./recent";

test("a request is a command of curl, quoted for a shell", () => {
  const url = "http://localhost/v1/rooms/1001";
  expect(asCurl({ method: "GET", url, body: null })).toBe(`curl -H "Authorization: Bearer $KEY" '${url}'`);
  expect(asCurl({ method: "PATCH", url, body: `{"title":"it's"}` })).toBe(
    `curl -X PATCH -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"title":"it'\\''s"}' '${url}'`,
  );
});

test("secrets are not shown", () => {
  expect(withoutSecrets('{"name":"a","password":"b","in":{"pin":"1","leader_pin":"2"}}')).toBe(
    '{"name":"a","password":"…","in":{"pin":"…","leader_pin":"…"}}',
  );
});

test("the latest requests are kept, what is read again once", async () => {
  const get = (path: string) => remember(new Request(`http://localhost${path}`));
  get("/v1/rooms");
  get("/v1/calls");
  get("/v1/rooms");
  expect(recentRequests().map(({ url }) => new URL(url).pathname)).toEqual(["/v1/rooms", "/v1/calls"]);
  const headers = { "Content-Type": "application/json" };
  const request = new Request("http://localhost/v1/session", {
    method: "POST",
    headers,
    body: '{"password":"x"}',
  });
  remember(request);
  await expect.poll(() => recentRequests()[0]?.body).toBe('{"password":"…"}');
  expect(await request.text()).toBe('{"password":"x"}');
  for (let number = 0; number < 100; number += 1) get(`/v1/rooms/${number}`);
  expect(recentRequests()).toHaveLength(30);
});
