import { RotateCw, TriangleAlert } from "lucide-react";
import { ApiProblem } from "../api/problem";
import { tc } from "../texts/common";
import { Button } from "./Button";
import css from "./Problem.module.css";

/** What was to be changed is another version by now: the service speaks of headers there, which people do not see. */
const CHANGED_MEANWHILE = "1213";

function detailOf(error: unknown): string {
  if (!(error instanceof ApiProblem)) return error instanceof Error ? error.message : String(error);
  return error.code === CHANGED_MEANWHILE ? tc("error.changed") : sentence(error);
}

/** The detail of a problem as a sentence; where it only repeats the title, nothing. */
function sentence({ title, detail }: ApiProblem): string {
  const isTitle = detail.toLowerCase().replace(/\.$/, "") === title.toLowerCase();
  return isTitle ? "" : detail.charAt(0).toUpperCase() + detail.slice(1);
}

/** What went wrong: title, what it means, the request for those who look into it, and another try. */
export function ProblemBox({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const problem = error instanceof ApiProblem ? error : null;
  const detail = detailOf(error);
  return (
    <div className={css.box} role="alert">
      <TriangleAlert className={css.icon} aria-hidden="true" />
      <div className={css.text}>
        <strong>{problem?.title ?? tc("error")}</strong>
        {detail && <span>{detail}</span>}
        {problem?.errors.map((one) => (
          <span key={`${one.pointer ?? one.parameter} ${one.detail}`}>
            <code>{one.pointer ?? one.parameter}</code> {one.detail}
          </span>
        ))}
        <span className={css.small}>
          {problem?.code && (
            <a href={`/docs/errors#${problem.code}`}>{tc("error.code", { code: problem.code })}</a>
          )}
          {problem?.requestId && <span>{tc("error.request", { id: problem.requestId })}</span>}
        </span>
      </div>
      {onRetry && (
        <Button size="small" icon={<RotateCw />} onClick={onRetry}>
          {tc("retry")}
        </Button>
      )}
    </div>
  );
}
