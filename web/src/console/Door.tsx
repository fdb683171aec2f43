import type { ReactNode } from "react";
import { Brand } from "../ui/Brand";
import { LanguageChoice } from "../ui/LanguageChoice";
import css from "./Door.module.css";

/** A page without the navigation: for those who are not signed in, and for addresses that lead nowhere. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className={css.door}>
      <title>{`${title} – Plenary`}</title>
      <Brand />
      <div className={css.card}>
        <h1>{title}</h1>
        {children}
      </div>
      <LanguageChoice />
    </main>
  );
}
