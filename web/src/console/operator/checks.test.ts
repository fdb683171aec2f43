import { beforeAll, describe, expect, test, vi } from "vitest";

vi.stubGlobal("navigator", { languages: ["en"] });
const { certificateCheck, diskCheck, engineCheck, seatsCheck } = await import("./checks");

describe("a check", () => {
  let now = 0;
  beforeAll(() => {
    now = Date.parse("2030-06-20T00:00:00Z");
  });

  test("of the engine is bad where it does not answer", () => {
    expect(engineCheck({ engine_answer_ms: null }).tone).toBe("bad");
    expect(engineCheck({ engine_answer_ms: 900 }).tone).toBe("warn");
    expect(engineCheck({ engine_answer_ms: 0.12 })).toEqual({
      tone: "good",
      text: expect.stringContaining("0.12 ms"),
    });
  });

  test("of the disk is bad where nothing is recorded any more", () => {
    const disk = { free_bytes: 4e9, size_bytes: 100e9, recording_needs_bytes: 5e9 };
    expect(diskCheck(disk)).toEqual({ tone: "bad", text: expect.stringContaining("5.0 GB") });
    expect(diskCheck({ ...disk, recording_needs_bytes: null }).tone).toBe("warn");
    expect(diskCheck({ ...disk, free_bytes: 40e9 }).tone).toBe("good");
    expect(diskCheck(null).tone).toBe("warn");
  });

  test("of the certificate warns a fortnight before", () => {
    expect(certificateCheck(null).tone).toBe("none");
    expect(certificateCheck("2030-06-19T00:00:00Z", now).tone).toBe("bad");
    expect(certificateCheck("2030-07-03T00:00:00Z", now).tone).toBe("warn");
    expect(certificateCheck("2030-07-04T00:00:00Z", now).tone).toBe("good");
  });

  test("of the seats warns where few are left", () => {
    expect(seatsCheck(20, 100).tone).toBe("good");
    expect(seatsCheck(9, 100)).toEqual({ tone: "warn", text: expect.stringContaining("91%") });
  });
});
