import { describe, expect, test, vi } from "vitest";
import type { Roster, RosterUser } from "../sip/roster";
import { reason, sentence } from "./Outcome";
import { newsBetween } from "./useAnnouncements";

vi.stubGlobal("navigator", { languages: ["en"] });

const person = (id: string, more: Partial<RosterUser> = {}): RosterUser => ({
  id,
  name: `Person ${id}`,
  status: "connected",
  muted: false,
  talking: false,
  handRaised: false,
  dialedOut: false,
  ...more,
});
const roster = (users: RosterUser[], recording: Roster["recording"] = null): Roster => ({
  conference: "Board",
  active: true,
  recording,
  ownId: "me",
  version: 1,
  users: [person("me"), ...users],
});
const own = (more: Partial<RosterUser>): Roster => ({ ...roster([]), users: [person("me", more)] });

describe("what is read out", () => {
  test("names one who comes or goes, and counts several", () => {
    expect(newsBetween(roster([]), roster([person("1")]))).toBe("Person 1 came in");
    expect(newsBetween(roster([person("1")]), roster([person("2"), person("3")]))).toBe(
      "2 people came in. Person 1 left",
    );
    // Who is being called is not in; who answers comes in.
    const called = person("1", { status: "alerting" });
    expect(newsBetween(roster([]), roster([called]))).toBe("");
    expect(newsBetween(roster([called]), roster([person("1")]))).toBe("Person 1 came in");
    expect(newsBetween(null, roster([person("1")]))).toBe("");
  });

  test("is not oneself, also where another call has taken one's place", () => {
    const after = { ...roster([]), ownId: "me2", users: [person("me2")] };
    expect(newsBetween(roster([]), after)).toBe("");
  });

  test("is recording, from the first list on", () => {
    expect(newsBetween(null, roster([], "on"))).toBe("This conference is being recorded");
    expect(newsBetween(roster([], "on"), roster([], "on"))).toBe("");
    expect(newsBetween(roster([], "on"), roster([], "paused"))).toBe("The recording is paused");
    expect(newsBetween(roster([], "paused"), roster([]))).toBe("The recording has ended");
  });

  test("is what the conference does with oneself", () => {
    expect(newsBetween(own({}), own({ muted: true }))).toBe("You are muted in the conference");
    expect(newsBetween(own({ muted: true }), own({}))).toBe("You can be heard");
    expect(newsBetween(own({ handRaised: true }), own({}))).toBe("Your hand is lowered");
    expect(newsBetween(roster([person("1")]), roster([person("1", { muted: true })]))).toBe("");
  });
});

describe("a call that does not come to be", () => {
  test("has a sentence for each reason, none of them the browser's", () => {
    expect(sentence({ kind: "ice" })).toMatch(/no way through your network/);
    expect(sentence({ kind: "connection" })).toMatch(/cannot be reached/);
    expect(sentence({ kind: "codecs" })).toMatch(/no common way of sending audio/);
    expect(sentence({ kind: "browser" })).toMatch(/could not set up the audio/);
    expect(sentence({ kind: "refused", status: 486, text: "The conference is locked" })).toMatch(
      /The conference is locked\. Ask its leader/,
    );
    expect(sentence({ kind: "refused", status: 486, text: "Busy Here" })).toMatch(/full or locked/);
    expect(sentence({ kind: "refused", status: 500, text: "" })).toBe("The service said: 500");
  });

  test("or was ended has the page's words for the service's", () => {
    expect(reason("Ejected from the conference")).toBe("You were removed from the conference.");
    expect(reason("The conference's time is up")).toBe("The time of the conference is up.");
    expect(reason("Something new")).toBe("Something new");
  });
});
