import { X } from "lucide-react";
import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { tc } from "../texts/common";
import { Button } from "./Button";
import css from "./Dialog.module.css";
import { enterTopLayer } from "./topLayer";

/** Where the focus goes when what had it before the dialog is not there any more. */
const CONTENT = "content";

/** What was entered in it, or is shown once, would be lost by a click beside it. */
const holdsSomething = (dialog: Element) => dialog.querySelector("form, [readonly]") !== null;

/**
 * A dialog of the browser's own: it keeps the focus, Escape closes it, and the focus goes back to where it was. On narrow screens it is
 * a sheet from below.
 */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode; wide?: boolean }) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Before the browser has anything else to draw: a dialog that is closed after it was taken out of the page gives no focus back.
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!dialog) return;
    const leave = enterTopLayer(dialog);
    if (!dialog.open) {
      dialog.showModal();
      // Where something is to be entered, that comes first, not the button that closes.
      dialog.querySelector<HTMLElement>("input:not([type=checkbox]), textarea, select")?.focus();
    }
    return () => {
      dialog.close();
      leave();
      // Where there is nothing to give it back to, it may stay in the dialog, which is not shown any more.
      const focused = document.activeElement;
      if (focused === document.body || dialog.contains(focused)) document.getElementById(CONTENT)?.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={props.wide ? `${css.dialog} ${css.wide}` : css.dialog}
      aria-labelledby={heading}
      onCancel={(event) => {
        // Those of what is in it come by here, too: a field for files has its own.
        if (event.target !== element.current) return;
        event.preventDefault();
        props.onClose();
      }}
      // Browsers close it without asking where nothing was pressed since it opened.
      onClose={() => {
        if (!element.current?.open) props.onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === element.current && !holdsSomething(event.currentTarget)) props.onClose();
      }}
    >
      <div className={css.inner}>
        <header className={css.head}>
          <h2 id={heading}>{props.title}</h2>
          <Button look="quiet" size="small" iconOnly icon={<X />} onClick={props.onClose}>
            {tc("close")}
          </Button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

/** The buttons at the end of a dialog. */
export function DialogActions({ children }: { children: ReactNode }) {
  return <div className={css.actions}>{children}</div>;
}
