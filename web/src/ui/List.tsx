import { keepPreviousData, type QueryKey, useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { PageOf } from "../api/client";
import { ApiProblem } from "../api/problem";
import { tc } from "../texts/common";
import { Button } from "./Button";
import { Empty, Loading, Table } from "./Page";
import css from "./Page.module.css";
import { ProblemBox } from "./Problem";

/** What decides what is shown of a query. */
export interface QueryState<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** The state of a query with something else in place of what it found. */
export const withData = <T,>(query: QueryState<unknown>, data: T | undefined): QueryState<T> => ({
  data,
  error: query.error,
  refetch: query.refetch,
});

/** What was found must not be shown any more: it is gone, or may not be read. */
const isGone = (error: unknown) =>
  error instanceof ApiProblem && (error.status === 401 || error.status === 403 || error.status === 404);

/**
 * That it waits, what went wrong with another try, or what was found. What was found stays below a problem of reading it again, with
 * what is being entered there.
 */
export function Loaded<T>({ query, children }: { query: QueryState<T>; children: (data: T) => ReactNode }) {
  const { data, error } = query;
  const isShown = data !== undefined && !isGone(error);
  return (
    <>
      {error ? (
        <div className={isShown ? css.above : undefined}>
          <ProblemBox error={error} onRetry={() => void query.refetch()} />
        </div>
      ) : (
        data === undefined && <Loading label={tc("loading")} />
      )}
      {isShown && children(data)}
    </>
  );
}

/** A list that is read page by page. */
export interface Pages<T> extends QueryState<T[]> {
  /** Reads the next page; null: there is none. */
  more: (() => void) | null;
  isReadingMore: boolean;
}

const FIRST_ITEMS = 100;

export function usePages<T>(options: {
  queryKey: QueryKey;
  page: (query: { limit: number; cursor?: string }) => Promise<PageOf<T>>;
  refetchInterval?: number;
}): Pages<T> {
  const query = useInfiniteQuery({
    queryKey: options.queryKey,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      options.page({ limit: FIRST_ITEMS, ...(pageParam ? { cursor: pageParam } : {}) }),
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: options.refetchInterval ?? false,
  });
  return {
    data: query.data?.pages.flatMap((page) => page.items),
    error: query.error,
    refetch: query.refetch,
    more: query.hasNextPage ? () => void query.fetchNextPage() : null,
    isReadingMore: query.isFetchingNextPage,
  };
}

/** All that a page of a list shows: that it waits, a problem, that there is nothing, or a table, and a button for the next page. */
export function List<T>(props: {
  query: QueryState<T[]> & Partial<Pick<Pages<T>, "more" | "isReadingMore">>;
  label: string;
  /** What is said where there is nothing, and what can be done then. */
  none: ReactNode;
  action?: ReactNode;
  head: ReactNode[];
  row: (one: T) => ReactNode;
  /** A last row, of all together. */
  total?: (all: T[]) => ReactNode;
}) {
  const { query } = props;
  return (
    <>
      <Loaded query={query}>
        {(items) =>
          items.length === 0 ? (
            <Empty action={props.action}>{props.none}</Empty>
          ) : (
            <Table label={props.label} head={props.head}>
              {items.map(props.row)}
              {props.total?.(items)}
            </Table>
          )
        }
      </Loaded>
      {query.more && (
        <div className={css.more}>
          <Button onClick={query.more} disabled={query.isReadingMore}>
            {tc("more")}
          </Button>
        </div>
      )}
    </>
  );
}
