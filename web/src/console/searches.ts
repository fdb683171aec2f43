import type { Schemas } from "../api/client";
import type { Days } from "./days";

// What the addresses of lists say.

export interface CallSearch extends Days {
  /** For operators: those that were refused, of all accounts and of none, in place of those of the account. */
  which?: "refused" | undefined;
  conference?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  direction?: Schemas["CallDirection"] | undefined;
  outcome?: Schemas["CallOutcome"] | undefined;
}

export interface UsageSearch {
  from?: string | undefined;
  to?: string | undefined;
  by?: Schemas["UsageBy"] | undefined;
}
