import { Copy } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { tc } from "../texts/common";
import { Button } from "./Button";
import { AreaField } from "./Field";
import css from "./Field.module.css";
import { notify } from "./notices";

/** So many characters stand in a line of a dialog. */
const LINE = 44;
const LINES_MAX = 6;

/** Something to be copied, all of it in sight: selected when it gets the focus, with a button where the browser lets a page copy. */
export function CopyField({ label, value, note }: { label: string; value: string; note?: ReactNode }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      notify(tc("copied"));
    } catch {
      // The browser, or the one who uses it, does not let pages copy.
      field.current?.focus();
      notify(tc("copy.refused"));
    }
  };
  return (
    <div className={css.copied}>
      <AreaField
        ref={field}
        label={label}
        hint={note}
        readOnly
        spellCheck={false}
        rows={Math.min(LINES_MAX, Math.ceil(value.length / LINE))}
        value={value}
        onFocus={(event) => event.target.select()}
      />
      {navigator.clipboard && (
        <Button look="primary" icon={<Copy />} onClick={() => void copy()}>
          {tc("copy")}
        </Button>
      )}
    </div>
  );
}
