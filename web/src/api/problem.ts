import { inReadersLanguage, type Said } from "../texts/problems";

/** What was given, and what is wrong with it. */
export type ProblemItem = Said["errors"][number];

/** An answer of the service that says what is wrong (RFC 9457), or that there was none. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code: string | null;
  readonly requestId: string | null;
  readonly errors: ProblemItem[];
  /** The detail is English, whatever the reader's language. */
  readonly isForeign: boolean;

  constructor(fields: {
    status: number;
    title: string;
    detail?: string | undefined;
    code?: string | null | undefined;
    requestId?: string | null | undefined;
    errors?: ProblemItem[] | undefined;
    isForeign?: boolean;
  }) {
    super(fields.detail || fields.title);
    this.name = "ApiProblem";
    this.status = fields.status;
    this.title = fields.title;
    this.detail = fields.detail ?? "";
    this.code = fields.code ?? null;
    this.requestId = fields.requestId ?? null;
    this.errors = fields.errors ?? [];
    this.isForeign = fields.isForeign ?? false;
  }
}

/** What was asked for is not there; every other error says that it could not be looked for. */
export const isMissing = (error: unknown): boolean => error instanceof ApiProblem && error.status === 404;

/** A problem as it stands in an answer. */
interface Fields {
  title: string;
  status: number;
  detail: string;
  code?: string | null;
  errors: ProblemItem[];
  request_id: string;
}

/** Of one that is reported among other things, in the reader's language. */
export function problemFrom(fields: Fields): ApiProblem {
  const { status, code, request_id: requestId } = fields;
  return new ApiProblem({ ...inReadersLanguage(fields, code, status), requestId });
}

/** Reads the problem from an answer; `body` is what was parsed of it, or its text. */
export function problemOf(answer: Response, body: unknown): ApiProblem {
  const requestId = answer.headers.get("x-request-id");
  const { status } = answer;
  if (body && typeof body === "object" && "title" in body) {
    const fields = body as Record<string, unknown>;
    return problemFrom({
      status,
      title: String(fields.title),
      detail: typeof fields.detail === "string" ? fields.detail : "",
      code: typeof fields.code === "string" ? fields.code : null,
      errors: Array.isArray(fields.errors) ? fields.errors : [],
      request_id: typeof fields.request_id === "string" ? fields.request_id : (requestId ?? ""),
    });
  }
  const said = { title: `${status} ${answer.statusText}`.trim(), detail: "", errors: [] };
  return new ApiProblem({ ...inReadersLanguage(said, null, status), status, requestId });
}

/** No answer came at all, or none of the service. */
export function unreachable(title: string, detail: string): ApiProblem {
  return new ApiProblem({ status: 0, title, detail });
}
