import { RotateCw, TriangleAlert } from "lucide-react";
import { ApiProblem } from "../api/problem";
import { tc } from "../texts/common";
import { inReadersLanguage, type Said } from "../texts/problems";
import { Button } from "./Button";
import css from "./Problem.module.css";

/** What was to be changed is another version by now: the service speaks of headers there, which people do not see. */
const CHANGED_MEANWHILE = "1213";

function detailOf(error: unknown): string {
  if (!(error instanceof ApiProblem)) return error instanceof Error ? error.message : String(error);
  return error.code === CHANGED_MEANWHILE ? tc("error.changed") : sentence(error);
}

/** The detail of a problem as a sentence; where it only repeats the title, or what is said of each member, nothing. */
function sentence({ title, detail, errors }: Said): string {
  const isTitle = detail.toLowerCase().replace(/\.$/, "") === title.toLowerCase();
  return isTitle || errors.length > 0 ? "" : capital(detail);
}

/** What is reported among other things, in one sentence. */
export function problemText({ code, detail }: { code: string; detail: string }): string {
  const said = inReadersLanguage({ title: "", detail, errors: [] }, code, 0);
  return said.isForeign && said.title ? said.title : sentence(said);
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What is wrong with a member, to stand at its field. */
export function memberError(error: unknown, pointer: string): string | undefined {
  const found = error instanceof ApiProblem && error.errors.find((one) => one.pointer === pointer);
  return found ? capital(found.detail) : undefined;
}

interface ProblemBoxProps {
  error: unknown;
  onRetry?: (() => void) | undefined;
  /** Members that have fields in the form: what is wrong with them stands there. */
  atFields?: readonly string[];
}

/** What went wrong: title, what it means, the request for those who look into it, and another try. */
export function ProblemBox({ error, onRetry, atFields = [] }: ProblemBoxProps) {
  const problem = error instanceof ApiProblem ? error : null;
  const detail = detailOf(error);
  const elsewhere = problem?.errors.filter(({ pointer }) => !atFields.includes(pointer ?? "")) ?? [];
  return (
    <div className={css.box} role="alert">
      <TriangleAlert className={css.icon} aria-hidden="true" />
      <div className={css.text}>
        <strong>{problem?.title ?? tc("error")}</strong>
        {detail && <span lang={problem?.isForeign ? "en" : undefined}>{detail}</span>}
        {elsewhere.map((one) => (
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
