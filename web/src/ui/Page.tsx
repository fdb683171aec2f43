import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { tc } from "../texts/common";
import css from "./Page.module.css";
import { useMedia } from "./useMedia";
import { useRoving } from "./useRoving";

/** The head of a page, and what belongs to it. */
export function Page(props: { title: string; note?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <>
      <title>{`${props.title} – Plenary`}</title>
      <div className={css.head}>
        <div className={css.words}>
          <h1>{props.title}</h1>
          {props.note && <p className={css.note}>{props.note}</p>}
        </div>
        {props.actions && <div className={css.actions}>{props.actions}</div>}
      </div>
      {props.children}
    </>
  );
}

export function Section(props: { title: string; count?: number; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className={css.section}>
      <div className={css.sectionHead}>
        <h2>
          {props.title}
          {props.count !== undefined && <span className={css.count}>{props.count}</span>}
        </h2>
        {props.actions && <div className={css.actions}>{props.actions}</div>}
      </div>
      {props.children}
    </section>
  );
}

export function Empty({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className={css.empty}>
      <p>{children}</p>
      {action}
    </div>
  );
}

export type Tone = "good" | "warn" | "bad" | "accent" | "none";

/** A word with a dot: never the colour alone. */
export function Badge({ tone = "none", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`${css.badge} ${css[tone]}`}>{children}</span>;
}

/**
 * A table that scrolls by itself where the screen is too narrow; the keyboard reaches it then. On telephones each row is a card, whose
 * values have their column's name beside them. What its rows have is one more stop.
 */
export function Table({ label, head, children }: { label: string; head: ReactNode[]; children: ReactNode }) {
  const roving = useRoving<HTMLTableSectionElement>({ rows: "tr" });
  const table = useRef<HTMLTableElement>(null);
  // Rows come and go without the table knowing.
  useLayoutEffect(() => {
    if (table.current) nameCells(table.current);
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard (WCAG 2.1.1).
    <section className={css.scroll} aria-label={label} tabIndex={0}>
      <table className={css.table} ref={table}>
        <thead>
          <tr>
            {head.map((one, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move.
              <th key={index} scope="col">
                {one}
              </th>
            ))}
          </tr>
        </thead>
        <tbody {...roving}>{children}</tbody>
      </table>
    </section>
  );
}

/** The head of a column of buttons: they say what they do, so it is read out only. */
export const actionsColumn = (name: string): ReactNode => (
  <span className="visually-hidden" data-actions="">
    {name}
  </span>
);

/** Tells each cell the name of its column. A table that is drawn as cards is none to screen readers: roles say that it is. */
function nameCells(table: HTMLTableElement): void {
  const set = (element: Element, name: string, value: string) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  const columns = [...(table.tHead?.rows[0]?.cells ?? [])];
  set(table, "role", "table");
  for (const group of [table.tHead, ...table.tBodies]) if (group) set(group, "role", "rowgroup");
  for (const row of table.rows) set(row, "role", "row");
  for (const column of columns) set(column, "role", "columnheader");
  for (const body of table.tBodies) {
    for (const row of body.rows) {
      for (const cell of row.cells) {
        const column = columns[cell.cellIndex];
        const isOfActions = Boolean(column?.querySelector("[data-actions]"));
        set(cell, "role", "cell");
        set(cell, "data-label", (!isOfActions && column?.textContent) || "");
        if (isOfActions) set(cell, "data-actions", "");
      }
    }
  }
}

/** What is waited for is said after a second: most waits are shorter. */
export function Loading({ label }: { label: string }) {
  return (
    <div className={css.loading} role="status">
      <span className={css.waits}>{label}</span>
    </div>
  );
}

/** What narrows down a list. On telephones `more` is folded, unless one of it is set at first. */
export function Filters(props: { children: ReactNode; more?: ReactNode; isMoreSet?: boolean }) {
  const isNarrow = useMedia("(max-width: 560px)");
  const [beginsOpen] = useState(Boolean(props.isMoreSet));
  if (!props.more || !isNarrow) {
    return (
      <search className={css.filters}>
        {props.children}
        {props.more}
      </search>
    );
  }
  return (
    <search>
      <div className={css.filters}>{props.children}</div>
      <details className={css.folded} open={beginsOpen}>
        <summary>{tc("filters.more")}</summary>
        <div className={css.filters}>{props.more}</div>
      </details>
    </search>
  );
}

export function Panel({ children }: { children: ReactNode }) {
  return <div className={css.panel}>{children}</div>;
}

/** Names and what they stand for. */
export function Facts({ children }: { children: [name: string, value: ReactNode][] }) {
  return (
    <dl className={css.facts}>
      {children.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
