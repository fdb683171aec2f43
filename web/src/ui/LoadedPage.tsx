import type { ReactNode } from "react";
import { Loaded, type QueryState } from "./List";
import { Page } from "./Page";

/** A page about one thing, which `children` are: until it is read, and where it cannot be, the page has a heading all the same. */
export function LoadedPage<T>(props: {
  title: string;
  query: QueryState<T>;
  children: (data: T) => ReactNode;
}) {
  if (props.query.data !== undefined) return <Loaded query={props.query}>{props.children}</Loaded>;
  return (
    <Page title={props.title}>
      <Loaded query={props.query}>{() => null}</Loaded>
    </Page>
  );
}
