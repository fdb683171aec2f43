import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import german from "./de/problems.json";
import { dateTime } from "./format";
import { translator } from "./translator";

vi.stubGlobal("navigator", { languages: ["en-US"] });

const root = join(import.meta.dirname, "../../..");
const values = (text: string) =>
  [
    ...text
      .replaceAll("{{", "")
      .replaceAll("}}", "")
      .matchAll(/\{[^{}]*\}/g),
  ]
    .map(([one]) => one)
    .sort();

test("every code of docs/errors.md has a title in German, and no other", () => {
  const listed = [
    ...readFileSync(join(root, "docs/errors.md"), "utf8").matchAll(/^### .*\{#([\w-]+)\}$/gm),
  ].map(([, code]) => code);
  expect(listed.length).toBeGreaterThan(80);
  expect(Object.keys(german.titles).sort()).toEqual(listed.sort());
});

test("each sentence that is known is one of the service's own, as its source has it", () => {
  const crates = join(root, "crates");
  const source = readdirSync(crates, { recursive: true, encoding: "utf8" })
    .filter((path) => /^[^/]+\/src\/.*\.rs$/.test(path))
    .map((path) => readFileSync(join(crates, path), "utf8").replace(/\\\n\s*/g, ""))
    .join("\n");
  const unsaid = Object.keys(german.sentences).filter(
    (known) => !source.includes(known.replaceAll('"', '\\"')),
  );
  expect(unsaid).toEqual([]);
});

test("a sentence in German has values that its English one has", () => {
  // Left out: what is a guess at a misspelling, and of a place that people do not know.
  const leftOut = ["{meant}"];
  const differing = Object.entries(german.sentences).filter(
    ([known, text]) =>
      values(known)
        .filter((one) => !leftOut.includes(one))
        .join() !== values(text).join(),
  );
  expect(differing).toEqual([]);
});

const { translate, sentence } = translator(german);
const said = (title: string, detail: string, code: string | null, status: number) =>
  translate({ title, detail, errors: [] }, code, status);

test("a problem has its title by its code, or by its status, and its values in their places", () => {
  expect(
    said("Not enough seats are left", "only 12 seats are left for this time", "1206", 409),
  ).toMatchObject({
    title: "Es sind nicht genug Plätze frei",
    detail: "Für diese Zeit sind nur noch 12 Plätze frei.",
    isForeign: false,
  });
  expect(said("Service Unavailable", "the service is stopping", null, 503)).toMatchObject({
    title: "Der Dienst ist gerade nicht verfügbar",
    detail: "Der Dienst wird gerade beendet.",
  });
  expect(said("The conference is in another state", "the reservation is completed", "1201", 409).detail).toBe(
    "Die Konferenz ist vorbei.",
  );
});

test("what only repeats the title is left out, and what is not known stays as it is", () => {
  expect(said("The old password is wrong", "the old password is wrong", "1140", 403).detail).toBe("");
  expect(said("New", "a sentence of a later version", "1999", 409)).toMatchObject({
    title: "New",
    detail: "a sentence of a later version",
    isForeign: true,
  });
});

test("values that are sentences are in German too, and times as the reader writes them", () => {
  expect(sentence("must be a whole number from 1 to 10")).toBe("muss eine ganze Zahl von 1 bis 10 sein");
  expect(sentence("must be 10 to 256")).toBe("muss zwischen 10 und 256 liegen");
  expect(sentence("must be `a`, `b` or `c`")).toBe("muss `a`, `b` oder `c` sein");
  expect(sentence("must be true or false")).toBe("muss true oder false sein");
  expect(sentence("must be a list of at most 256 networks")).toBe(
    "muss eine Liste von höchstens 256 Netzen sein",
  );
  expect(
    sentence("to: no trunk of the account serves this: prefixes and hosts of a trunk say what it serves"),
  ).toMatch(/^Kein Trunk des Kontos/);
  const [from, to] = ["2030-06-20T12:00:00Z", "2030-06-20T13:00:00Z"] as const;
  expect(sentence(`only 3 seats are left from ${from} to ${to}`)).toBe(
    `Von ${dateTime(from)} bis ${dateTime(to)} sind nur noch 3 Plätze frei.`,
  );
});

test("what is wrong with each thing that was given is said in German", () => {
  const errors = [
    { pointer: "/duration_min", detail: "must be between 5 and 480, not 1" },
    { pointer: "/title", detail: "must be 1 to 100 characters, none of them a control character" },
    { parameter: "cursor", detail: "something new" },
  ];
  expect(translate({ title: "", detail: "", errors }, "1001", 400).errors).toEqual([
    { pointer: "/duration_min", detail: "muss zwischen 5 und 480 liegen, nicht 1" },
    { pointer: "/title", detail: "darf 1 bis 100 Zeichen haben, kein Steuerzeichen darunter" },
    { parameter: "cursor", detail: "something new" },
  ]);
});
