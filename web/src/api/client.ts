/** The management API, typed by its own description. Every failure is an `ApiProblem`. */
import createClient, { createQuerySerializer } from "openapi-fetch";
import { tc } from "../texts/common";
import { loadProblems } from "../texts/problems";
import { problemOf, unreachable } from "./problem";
import { remember } from "./recent";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

const signedOut = new Set<() => void>();

/** Called whenever an answer says that the session is over. */
export function onSignedOut(listener: () => void): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

async function reach(request: Request): Promise<Response> {
  remember(request);
  let answer: Response;
  try {
    answer = await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable(tc("error.network"), tc("error.network.detail"));
  }
  if (answer.status === 401) for (const listener of signedOut) listener();
  return answer;
}

const serialize = createQuerySerializer<Record<string, unknown>>();

export const client = createClient<paths, "application/json">({
  baseUrl: globalThis.location?.origin ?? "http://localhost",
  headers: { Accept: "application/json" },
  fetch: reach,
  // An empty filter is left out: the service would look for what has an empty value.
  querySerializer: (query: Record<string, unknown>) =>
    serialize(Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ""))),
});

/** The body of an answer, undefined where it has none; throws the problem if there is one. */
export async function ok<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call.catch(unread);
  if (!response.ok) {
    await loadProblems();
    throw problemOf(response, error);
  }
  return data as T;
}

/** What an answer holds, and which version of it: a change of that names it, so that it does not undo another one's. */
export interface Versioned<T> {
  data: T;
  /** The answer's `ETag`, for `If-Match`. */
  version: string;
}

/** The body of an answer, with its version. */
export async function versioned<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<Versioned<T>> {
  const { response } = await call.catch(unread);
  const data = await ok(call);
  return { data, version: response.headers.get("etag") ?? "*" };
}

/** A body that is not JSON is not the service's: something on the path has answered. */
function unread(error: unknown): never {
  throw error instanceof SyntaxError ? unreachable(tc("error.network"), "") : error;
}

/** A page of a list; `next` is where the next one begins. */
export interface PageOf<T> {
  items: T[];
  next?: string | null;
}

const ITEMS_PER_PAGE = 500;

/** All items of a list, page by page, at most `most`. */
export async function everyPage<T>(
  page: (query: { limit: number; cursor?: string }) => Promise<PageOf<T>>,
  most = 5000,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const answer = await page({ limit: ITEMS_PER_PAGE, ...(cursor ? { cursor } : {}) });
    items.push(...answer.items);
    cursor = answer.next ?? undefined;
  } while (cursor !== undefined && items.length < most);
  return items;
}
