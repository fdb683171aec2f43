import { Copy } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { tc } from "../texts/common";
import { Button } from "./Button";
import { TextField } from "./Field";
import css from "./Field.module.css";
import { notify } from "./notices";

/** Something to be copied: selected when it gets the focus, with a button where the browser lets a page copy. */
export function CopyField({ label, value, note }: { label: string; value: string; note?: ReactNode }) {
  const field = useRef<HTMLInputElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      notify(tc("copied"));
    } catch {
      // The browser, or who uses it, does not let pages copy.
      field.current?.focus();
      notify(tc("copy.refused"));
    }
  };
  return (
    <div className={css.copied}>
      <TextField
        ref={field}
        label={label}
        hint={note}
        readOnly
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
