/** People who sign in, as the pages read and change them. */
import { queryOptions } from "@tanstack/react-query";
import { everyPage, page, request } from "../../api/client";

export type Role = "organiser" | "auditor" | "admin";

export interface Person {
  id: number;
  name: string;
  mail: string;
  language: string;
  operator: boolean;
  disabled: boolean;
  roles: { account: number; role: Role }[];
  state: "invited" | "active" | "disabled";
  invited_until: string | null;
  signed_in_at: string | null;
}

export interface Invitation {
  /** On this host; it is shown this once. */
  path: string;
  expires_at: string;
}

export const peopleQuery = queryOptions({
  queryKey: ["people"],
  queryFn: () => everyPage<Person>((query) => page("/v1/people", query)),
});

export const invite = (body: Pick<Person, "name" | "mail" | "language" | "operator" | "roles">) =>
  request<Person & { invitation: Invitation | null }>("POST", "/v1/people", body);

export const inviteAgain = (id: number) => request<Invitation>("POST", `/v1/people/${id}/invitation`);

export const changePerson = (id: number, body: Partial<Pick<Person, "name" | "disabled">>) =>
  request<Person>("PATCH", `/v1/people/${id}`, body);

export const removePerson = (id: number) => request<null>("DELETE", `/v1/people/${id}`);

export interface BrowserSession {
  id: number;
  current: boolean;
  created_at: string;
  last_used_at: string;
  ends_at: string;
  address: string | null;
  user_agent: string | null;
}

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: () => everyPage<BrowserSession>((query) => page("/v1/sessions", query)),
});

export const endSession = (id: number) => request<null>("DELETE", `/v1/sessions/${id}`);
