import type { ReactNode } from "react";
import { Brand } from "../ui/Brand";
import css from "./Door.module.css";

/** A page for those who are not signed in. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className={css.door}>
      <title>{`${title} – Plenary`}</title>
      <Brand />
      <div className={css.card}>
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}
