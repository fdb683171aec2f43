/** Who is signed in, and what they may do. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { client, ok, type Schemas } from "../api/client";
import { ApiProblem } from "../api/problem";

export type Scope = Schemas["Scopes"][number];
export type Session = Schemas["SignedIn"];

/** A password has at least so many characters. */
export const PASSWORD_MIN = 10;

/** Null: nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  staleTime: 60_000,
  queryFn: async (): Promise<Session | null> => {
    try {
      return await ok(client.GET("/v1/session"));
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) return null;
      throw error;
    }
  },
});

/** How people sign in here. */
export const signInWaysQuery = queryOptions({
  queryKey: ["sign-in-ways"],
  staleTime: 300_000,
  queryFn: () => ok(client.GET("/v1/session/ways")),
});

/** Nobody signs in by a password here. */
export function useHasNoPasswords(): boolean {
  return useQuery(signInWaysQuery).data?.passwords === false;
}

export function useSession(): Session | null {
  return useQuery(sessionQuery).data ?? null;
}

export function mayDo(session: Session | null, scope: Scope): boolean {
  if (!session?.scopes.includes(scope)) return false;
  // An auditor reads what the scopes allow and changes nothing.
  return session.account?.role !== "auditor" || scope === "read" || scope === "records" || scope === "audit";
}

export function useMay(scope: Scope): boolean {
  return mayDo(useSession(), scope);
}

/** Whose events a page shows: pages of another person, link or account must not get them. */
export function readerOf({
  person,
  leader,
  account,
}: Pick<Session, "person" | "leader" | "account">): string {
  const who = person ? `person ${person.id}` : `leader ${leader?.conference ?? ""}`;
  return `${who} of ${account?.id ?? "none"}`;
}

let channel: BroadcastChannel | undefined;

/** Between the pages of this browser. */
function pages(): BroadcastChannel {
  channel ??= new BroadcastChannel("plenary-session");
  return channel;
}

/** Calls `listener` when another page of this browser signs in or out, or goes to another account. */
export function onSessionChanged(listener: () => void): void {
  pages().onmessage = listener;
}

/** What changes the session counts for all pages of this browser: they share its cookie. */
async function telling<T>(change: Promise<T>): Promise<T> {
  const done = await change;
  pages().postMessage("changed");
  return done;
}

export const signIn = (login: string, password: string) =>
  telling(ok(client.POST("/v1/session", { body: { login, password } })));
export const signOut = () => telling(ok(client.DELETE("/v1/session")));
/** Whom it is for, and as what: it is not used up by that. */
export const openInvitation = (code: string) => ok(client.POST("/v1/invitations/open", { body: { code } }));
export const acceptInvitation = (code: string, password: string) =>
  telling(ok(client.POST("/v1/invitations/accept", { body: { code, password } })));
export const openLeaderLink = (code: string) =>
  telling(ok(client.POST("/v1/leader-links/open", { body: { code } })));
export const changePassword = (old_password: string, password: string) =>
  ok(client.PUT("/v1/session/password", { body: { old_password, password } }));
export const workIn = (account: number) => telling(ok(client.PATCH("/v1/session", { body: { account } })));
export const speak = (language: string) => ok(client.PATCH("/v1/session", { body: { language } }));
