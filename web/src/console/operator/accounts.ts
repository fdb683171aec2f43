/** The accounts of the installation, as operators read and change them. */
import { queryOptions } from "@tanstack/react-query";
import { client, everyPage, ok, type Schemas, versioned } from "../../api/client";

export type Account = Schemas["Account"];

export const accountsQuery = queryOptions({
  queryKey: ["accounts"],
  queryFn: () =>
    everyPage<Account>((query) => ok(client.GET("/v1/operator/accounts", { params: { query } }))),
});

/** `secret` is its first API key, which is shown this once. */
export const makeAccount = (body: Schemas["AccountBody"]) =>
  ok(client.POST("/v1/operator/accounts", { body }));

export const readAccount = (id: number) =>
  versioned(client.GET("/v1/operator/accounts/{id}", { params: { path: { id } } }));

/** `version`: only as long as it is this one. */
export const changeAccount = (id: number, body: Schemas["AccountSettingsPatch"], version?: string) =>
  ok(
    client.PATCH("/v1/operator/accounts/{id}", {
      params: { path: { id }, ...(version ? { header: { "If-Match": version } } : {}) },
      body,
    }),
  );
