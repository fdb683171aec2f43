/** Who calls and who is called, and in which conference, as people say it. */
import { shownName } from "../sip/identity";
import { t } from "../texts/pages";

/** What the service calls itself where it calls without a number of its own. */
const OWN = "conference";
/** Each test of a trunk has a conference of its own, under such a name. */
const TEST = /^TrunkTest[0-9a-f]{12}$/;

export function callerOf(call: { from?: string | null; direction?: "in" | "out" | null }): string | null {
  if (call.direction === "out" && call.from === OWN) return t("calls.by_service");
  return call.from ? shownName(call.from) : null;
}

export const isTrunkTest = (conference: string): boolean => TEST.test(conference);

export const conferenceName = (conference: string): string =>
  isTrunkTest(conference) ? t("trunk_test.conference") : conference;
