import { afterAll, expect, test } from "vitest";
import { client, ok } from "../api/client";
import { sentenceInReadersLanguage, speakProblems } from "./problems";

afterAll(() => speakProblems("en"));

const answer = { title: "The old password is wrong", detail: "the old password is wrong", code: "1140" };
const failure = () =>
  ok(
    client.PUT("/v1/session/password", {
      body: { old_password: "a", password: "b" },
      fetch: async () => new Response(JSON.stringify(answer), { status: 403 }),
    }),
  ).then(
    () => null,
    ({ title, detail, code }) => ({ title, detail, code }),
  );

test("a problem of the service is in the reader's language when it is there", async () => {
  expect(await failure()).toEqual(answer);
  expect(sentenceInReadersLanguage("unreachable")).toBe("unreachable");
  speakProblems("de");
  expect(await failure()).toEqual({ title: "Das alte Passwort ist falsch", detail: "", code: "1140" });
  expect(sentenceInReadersLanguage("unreachable")).toBe("Nicht mehr erreichbar");
});
