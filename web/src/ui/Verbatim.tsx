import css from "./Verbatim.module.css";

/** Text as it is, line by line; what is longer than its place scrolls. */
export function Verbatim({ text }: { text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard (WCAG 2.1.1).
    <pre className={css.text} tabIndex={0}>
      {text}
    </pre>
  );
}
