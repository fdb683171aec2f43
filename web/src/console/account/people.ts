/** People who sign in, as the pages read and change them. */
import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas, versioned } from "../../api/client";

export type Role = Schemas["Role"];
export type PersonRole = Schemas["PersonRole"];
export type Person = Schemas["Person"];
export type Invitation = Schemas["Invitation"];

const of = (id: number) => ({ params: { path: { id } } });

export const peopleQuery = queryOptions({
  queryKey: ["people"],
  queryFn: () => everyPage<Person>((query) => ok(client.GET("/v1/people", { params: { query } }))),
});

export const invite = (body: Schemas["PersonBody"]) => ok(client.POST("/v1/people", { body }));

/** The link is shown this once. */
export const inviteAgain = (id: number) => ok(client.POST("/v1/people/{id}/invitation", of(id)));

export const readPerson = (id: number) => versioned(client.GET("/v1/people/{id}", of(id)));

/** `version`: only as long as it is this one. */
export const changePerson = (id: number, body: Schemas["PersonPatch"], version?: string) =>
  ok(
    client.PATCH("/v1/people/{id}", {
      params: { path: { id }, ...(version ? { header: { "If-Match": version } } : {}) },
      body,
    }),
  );

export const removePerson = (id: number) => ok(client.DELETE("/v1/people/{id}", of(id)));

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: () =>
    everyPage<Schemas["Session"]>((query) => ok(client.GET("/v1/sessions", { params: { query } }))),
});

export const endSession = (id: number) => ok(client.DELETE("/v1/sessions/{id}", of(id)));
