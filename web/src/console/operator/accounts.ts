/** The accounts of the installation, as operators read and change them. */
import { queryOptions } from "@tanstack/react-query";
import { everyPage, page, request } from "../../api/client";

/** Null: as is configured. */
export interface AccountLimits {
  recording_days: number | null;
  max_participants: number | null;
  requests_per_second: number | null;
}

export interface OperatorAccount extends AccountLimits {
  id: number;
  cloud_id: string;
  username: string;
  created_at: string;
  disabled: boolean;
}

const path = "/v1/operator/accounts";

export const accountsQuery = queryOptions({
  queryKey: ["accounts"],
  queryFn: () => everyPage<OperatorAccount>((query) => page(path, query)),
});

/** `secret` is its first API key, which is shown this once. */
export const makeAccount = (body: { cloud_id: string; username: string } & Partial<AccountLimits>) =>
  request<OperatorAccount & { secret: string }>("POST", path, body);

export const changeAccount = (id: number, body: Partial<AccountLimits & { disabled: boolean }>) =>
  request<OperatorAccount>("PATCH", `${path}/${id}`, body);
