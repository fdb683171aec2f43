import { describe, expect, test, vi } from "vitest";
import { ApiProblem } from "../../api/problem";
import { everyOne } from "./everyOne";
import type { Participant } from "./state";

const people = ["Ann", "Ben", "Carl", "Dora", "Eve"].map(
  (name) => ({ participant_id: name, display_name: name }) as Participant,
);
const gone = new ApiProblem({ status: 404, title: "Not Found", detail: "No such participant", code: "1303" });
/** Fails for these. */
const failing = (...names: string[]) =>
  vi.fn(async ({ participant_id }: Participant) => {
    if (names.includes(participant_id)) throw gone;
  });
const asked = (act: ReturnType<typeof failing>) => act.mock.calls.map(([one]) => one.participant_id).join();

describe("what is done to several", () => {
  test("is done to all, also where one has just left, and says so once", async () => {
    const act = failing("Ben");
    await expect(everyOne(people)(act)).rejects.toMatchObject({
      title: "Not done for 1 of 5: Ben",
      detail: "No such participant",
      code: "1303",
    });
    expect(asked(act)).toBe("Ann,Ben,Carl,Dora,Eve");
    await expect(everyOne(people)(failing())).resolves.toBeUndefined();
  });

  test("names a few of many", async () => {
    const act = failing("Ann", "Ben", "Carl", "Dora");
    await expect(everyOne(people)(act)).rejects.toMatchObject({
      title: "Not done for 4 of 5: Ann, Ben, Carl, …",
    });
  });

  test("is tried again for those alone for whom it was not done", async () => {
    const run = everyOne(people);
    await expect(run(failing("Ben", "Dora"))).rejects.toBeInstanceOf(ApiProblem);
    const again = failing();
    await run(again);
    expect(asked(again)).toBe("Ben,Dora");
  });

  test("is as wanted for who has left, where they were to leave", async () => {
    await expect(everyOne(people, { isDoneByLeaving: true })(failing("Ben"))).resolves.toBeUndefined();
  });

  test("says of one alone what the service says", async () => {
    await expect(everyOne(people.slice(0, 1))(failing("Ann"))).rejects.toBe(gone);
  });
});
