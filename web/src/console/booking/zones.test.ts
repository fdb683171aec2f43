import { describe, expect, test } from "vitest";
import { momentOf, wallTime, zones } from "./zones";

const utc = (at: number) => new Date(at).toISOString().slice(0, 16);

describe("a time of day in a zone", () => {
  test("is a moment, in summer and in winter", () => {
    expect(utc(momentOf("2030-06-20T15:00", "Europe/Berlin"))).toBe("2030-06-20T13:00");
    expect(utc(momentOf("2030-01-20T15:00", "Europe/Berlin"))).toBe("2030-01-20T14:00");
    expect(utc(momentOf("2030-06-20T00:30", "Asia/Kolkata"))).toBe("2030-06-19T19:00");
    expect(utc(momentOf("2030-06-20T15:00", "UTC"))).toBe("2030-06-20T15:00");
  });

  test("that clocks leave out is as far after midnight as it would have been", () => {
    // On 31 March 2030 clocks in Berlin go from 2:00 to 3:00.
    expect(utc(momentOf("2030-03-31T02:30", "Europe/Berlin"))).toBe("2030-03-31T01:30");
  });

  test("that there is twice is the first", () => {
    // On 27 October 2030 clocks in Berlin go from 3:00 back to 2:00.
    expect(utc(momentOf("2030-10-27T02:30", "Europe/Berlin"))).toBe("2030-10-27T00:30");
    expect(utc(momentOf("2030-10-27T03:30", "Europe/Berlin"))).toBe("2030-10-27T02:30");
  });

  test("comes back as it was entered", () => {
    for (const zone of ["America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]) {
      for (const wall of ["2030-02-28T23:59", "2030-07-01T00:00"]) {
        expect(wallTime(momentOf(wall, zone), zone)).toBe(wall);
      }
    }
  });

  test("is none where nothing is entered", () => {
    expect(momentOf("", "UTC")).toBeNaN();
  });
});

test("the zones hold UTC once", () => {
  expect(zones().filter((zone) => zone === "UTC")).toEqual(["UTC"]);
});
