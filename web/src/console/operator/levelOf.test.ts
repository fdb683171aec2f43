import { expect, test } from "vitest";
import { levelOf } from "./levelOf";

test("lines that warn are told apart, in both formats of the log", () => {
  expect(levelOf("2030-06-20T15:16:02.1Z  WARN plenary_sip: a source is banned")).toBe("warning");
  expect(levelOf("2030-06-20T15:16:02.1Z ERROR plenary: the database fails")).toBe("error");
  expect(levelOf('{"timestamp":"2030-06-20T15:16:02Z","level":"WARN","fields":{}}')).toBe("warning");
  // The word alone says nothing.
  expect(levelOf("2030-06-20T15:16:02.1Z  INFO plenary: ERROR was its name")).toBe("plain");
});
