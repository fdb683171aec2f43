/** The management API, typed by its own description. Every failure is an `ApiProblem`. */
import createClient from "openapi-fetch";
import { tc } from "../texts/common";
import { ApiProblem, problemOf, unreachable } from "./problem";
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

export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "http://localhost",
  fetch: reach,
});

/** The body of an answer; throws the problem if there is one. */
export async function ok<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(response, error);
  return data as T;
}

/** A request beside the described ones, in the same manner. */
export async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<T> {
  const answer = await reach(
    new Request(new URL(path, location.origin), {
      method,
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
  const text = await answer.text();
  let read: unknown = null;
  try {
    read = text ? JSON.parse(text) : null;
  } catch {
    if (answer.ok) throw new ApiProblem({ status: answer.status, title: tc("error.network") });
  }
  if (!answer.ok) throw problemOf(answer, read);
  return read as T;
}

/** A page of a list beside the described ones. */
export const page = <T>(path: string, query: Record<string, string | number | undefined>) => {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(said.map(([name, value]) => [name, String(value)]));
  return request<PageOf<T>>("GET", `${path}?${text}`);
};

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
