/** The requests that the pages have made, so that programs can make them too. */

export interface Asked {
  id: number;
  method: string;
  url: string;
  /** JSON, without secrets; null: there is none. */
  body: string | null;
}

const KEPT_MAX = 30;
const SECRETS = /^(password|old_password|secret|pin|leader_pin|code)$/;

let asked: Asked[] = [];
let last = 0;

/** The latest first. The same request again takes the place of the earlier one. */
export const recentRequests = (): Asked[] => asked;

export function remember(request: Request): void {
  const { method, url } = request;
  last += 1;
  const one: Asked = { id: last, method, url, body: null };
  asked = [one, ...asked.filter((other) => !(method === "GET" && other.url === url))].slice(0, KEPT_MAX);
  if (!request.headers.get("Content-Type")?.startsWith("application/json")) return;
  void request
    .clone()
    .text()
    .then((text) => {
      one.body = withoutSecrets(text);
    })
    .catch(() => undefined);
}

export function withoutSecrets(body: string): string {
  return JSON.stringify(JSON.parse(body), (key, value) => (SECRETS.test(key) ? "…" : value));
}

/** A request as a command of curl for a shell; `KEY` stands for an API key. */
export function asCurl({ method, url, body }: Omit<Asked, "id">): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  return [
    "curl",
    ...(method === "GET" ? [] : [`-X ${method}`]),
    '-H "Authorization: Bearer $KEY"',
    ...(body === null ? [] : ["-H 'Content-Type: application/json'", `-d ${quoted(body)}`]),
    quoted(url),
  ].join(" ");
}
