/** Who is signed in, and what they may do. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { request } from "../api/client";
import { ApiProblem } from "../api/problem";

export type Scope = "read" | "control" | "book" | "records" | "audit" | "config" | "operator";

export interface Account {
  id: number;
  login: string;
  role: "organiser" | "auditor" | "admin" | null;
}

export interface Session {
  /** Null: whoever has a leader's link. */
  person: { id: number; name: string; mail: string; language: string; operator: boolean } | null;
  /** The conference that a leader's link opens, and nothing else. */
  leader?: { link: number; label: string | null; conference: string } | null;
  /** The account that is worked in; null: there is none yet. */
  account: Account | null;
  scopes: Scope[];
  accounts: Account[];
}

/** A password has at least so many characters. */
export const PASSWORD_MIN = 10;

/** Null: nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  staleTime: 60_000,
  queryFn: async (): Promise<Session | null> => {
    try {
      return await request<Session>("GET", "/v1/session");
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) return null;
      throw error;
    }
  },
});

/** How people sign in here. */
export interface SignInWays {
  passwords: boolean;
  provider: { name: string; path: string } | null;
}

export const signInWaysQuery = queryOptions({
  queryKey: ["sign-in-ways"],
  staleTime: 300_000,
  queryFn: () => request<SignInWays>("GET", "/v1/session/ways"),
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

export const signIn = (login: string, password: string) =>
  request<Session>("POST", "/v1/session", { login, password });
export const signOut = () => request<null>("DELETE", "/v1/session");
export const acceptInvitation = (code: string, password: string) =>
  request<Session>("POST", "/v1/invitations/accept", { code, password });
export const openLeaderLink = (code: string) => request<Session>("POST", "/v1/leader-links/open", { code });
export const changePassword = (old_password: string, password: string) =>
  request<null>("PUT", "/v1/session/password", { old_password, password });
export const workIn = (account: number) => request<Session>("PATCH", "/v1/session", { account });
export const speak = (language: string) => request<Session>("PATCH", "/v1/session", { language });
