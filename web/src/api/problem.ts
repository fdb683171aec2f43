/** An answer of the service that says what is wrong (RFC 9457), or that there was none. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code: string | null;
  readonly requestId: string | null;
  readonly errors: { pointer?: string; parameter?: string; detail: string }[];

  constructor(fields: {
    status: number;
    title: string;
    detail?: string | undefined;
    code?: string | null | undefined;
    requestId?: string | null | undefined;
    errors?: { pointer?: string; parameter?: string; detail: string }[] | undefined;
  }) {
    super(fields.detail || fields.title);
    this.name = "ApiProblem";
    this.status = fields.status;
    this.title = fields.title;
    this.detail = fields.detail ?? "";
    this.code = fields.code ?? null;
    this.requestId = fields.requestId ?? null;
    this.errors = fields.errors ?? [];
  }
}

/** What was asked for is not there; every other error says that it could not be looked for. */
export const isMissing = (error: unknown): boolean => error instanceof ApiProblem && error.status === 404;

/** Reads the problem from an answer; `body` is what was parsed of it, or its text. */
export function problemOf(answer: Response, body: unknown): ApiProblem {
  const requestId = answer.headers.get("x-request-id");
  if (body && typeof body === "object" && "title" in body) {
    const fields = body as Record<string, unknown>;
    return new ApiProblem({
      status: answer.status,
      title: String(fields.title),
      detail: typeof fields.detail === "string" ? fields.detail : undefined,
      code: typeof fields.code === "string" ? fields.code : null,
      requestId: typeof fields.request_id === "string" ? fields.request_id : requestId,
      errors: Array.isArray(fields.errors) ? fields.errors : [],
    });
  }
  return new ApiProblem({
    status: answer.status,
    title: `${answer.status} ${answer.statusText}`.trim(),
    requestId,
  });
}

/** No answer came at all, or none of the service. */
export function unreachable(title: string, detail: string): ApiProblem {
  return new ApiProblem({ status: 0, title, detail });
}
