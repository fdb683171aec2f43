import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { format, namespace } from "./texts";

const here = import.meta.dirname;
const read = (language: string, name: string): Record<string, string> =>
  JSON.parse(readFileSync(join(here, language, name), "utf8"));
const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();

describe.each(readdirSync(join(here, "en")))("%s", (name) => {
  const english = read("en", name);
  const german = read("de", name);

  test("has the same texts in both languages", () => {
    expect(Object.keys(german)).toEqual(Object.keys(english));
  });

  test("has the same values in both languages", () => {
    const differing = Object.keys(english).filter(
      (key) => placeholders(english[key] ?? "").join() !== placeholders(german[key] ?? "").join(),
    );
    expect(differing).toEqual([]);
  });

  test("has both forms where it has one", () => {
    const lonely = Object.keys(english).filter(
      (key) => key.endsWith("_one") && !(key.replace(/_one$/, "_other") in english),
    );
    expect(lonely).toEqual([]);
  });
});

const sources = readdirSync(join(here, ".."), { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".test.ts"))
  .map((name) => readFileSync(join(here, "..", name), "utf8"))
  .join("\n");

test("what pages say that are fetched later does not stand in the start as well", () => {
  const start = read("en", "console.json");
  expect(Object.keys(read("en", "pages.json")).filter((key) => key in start)).toEqual([]);
});

test("every text is used", () => {
  const known = readdirSync(join(here, "en")).flatMap((name) => Object.keys(read("en", name)));
  const begun = [...sources.matchAll(/`([a-z0-9_.]+)\$\{/g)].map(([, start]) => start as string);
  const isUsed = (key: string) => {
    const base = key.replace(/_(one|other)$/, "").replace(/_many$/, "");
    return [key, base].some(
      (name) => sources.includes(`"${name}"`) || begun.some((start) => name.startsWith(start)),
    );
  };
  expect(known.filter((key) => !isUsed(key))).toEqual([]);
});

test("numbers and plural forms are those of the language", () => {
  const messages = {
    seats_one: "{{count}} seat of {{all}}",
    seats_other: "{{count}} seats of {{all}}",
    plain: "{{x}}",
  };
  expect(format(messages, "en", "seats", { count: 1, all: 3500 })).toBe("1 seat of 3,500");
  expect(format(messages, "de", "seats", { count: 2, all: 3500 })).toBe("2 seats of 3.500");
  expect(format(messages, "en", "plain", {})).toBe("");
  expect(format(messages, "en", "missing")).toBe("missing");
});

test("another language is fetched, English is there at once", async () => {
  const texts = namespace({ hello: "Hello" }, async () => ({ default: { hello: "Hallo" } }));
  expect(texts.t("hello")).toBe("Hello");
  await texts.load("de");
  expect(texts.t("hello")).toBe("Hallo");
});
