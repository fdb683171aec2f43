/** The same for several participants. */
import { ApiProblem, isMissing } from "../../api/problem";
import { t } from "../../texts/pages";
import { nameOf, type Participant } from "./state";

const NAMES_MAX = 3;

/**
 * Does it to each: one who has just left does not keep it from the others. What went wrong is thrown once, and a further try is for those
 * for whom it did. `isDoneByLeaving`: who has left is as was wanted.
 */
export function everyOne(participants: Participant[], options: { isDoneByLeaving?: boolean } = {}) {
  let left = participants;
  return async (act: (one: Participant) => Promise<unknown>): Promise<void> => {
    const tried = left;
    const results = await Promise.allSettled(tried.map((one) => act(one)));
    const problems = new Map<Participant, unknown>();
    for (const [index, one] of tried.entries()) {
      const result = results[index];
      if (result?.status !== "rejected") continue;
      if (!(options.isDoneByLeaving && isMissing(result.reason))) problems.set(one, result.reason);
    }
    left = [...problems.keys()];
    const [first] = problems.values();
    if (left.length > 0) throw tried.length === 1 ? first : ofSeveral(first, left, tried.length);
  };
}

/** The first problem, and for whom there was one. */
function ofSeveral(first: unknown, failed: Participant[], all: number): unknown {
  if (!(first instanceof ApiProblem)) return first;
  const { status, detail, code, requestId, errors, isForeign } = first;
  const names = failed.slice(0, NAMES_MAX).map(nameOf);
  const title = t("room.not_all", {
    failed: failed.length,
    all,
    names: [...names, ...(failed.length > NAMES_MAX ? ["…"] : [])].join(", "),
  });
  // What is said of the first holds for it alone: its title says what it is.
  return new ApiProblem({ status, title, detail: detail || first.title, code, requestId, errors, isForeign });
}
