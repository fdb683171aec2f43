import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GAIN_DB, SERIES_DATES_MAX } from "./bounds";

const description = JSON.parse(
  readFileSync(join(import.meta.dirname, "..", "..", "..", "docs", "openapi.json"), "utf8"),
);
const member = (schema: string, name: string) => description.components.schemas[schema].properties[name];

test("what fields allow is what the service allows", () => {
  const { minimum, maximum } = member("ParticipantPatch", "gain_db");
  expect([GAIN_DB.min, GAIN_DB.max]).toEqual([minimum, maximum]);
  expect(SERIES_DATES_MAX).toBe(member("SeriesBody", "count").maximum);
});
