import type { Schemas } from "../api/client";

// What the addresses of lists say.

export interface CallSearch {
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
