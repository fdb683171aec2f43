import { Copy } from "lucide-react";
import type { ReactNode } from "react";
import { tc } from "../texts/common";
import { Button } from "./Button";
import { TextField } from "./Field";
import css from "./Field.module.css";
import { notify } from "./notices";

/** Something to be copied: selected when it gets the focus, with a button where the browser lets a page copy. */
export function CopyField({ label, value, note }: { label: string; value: string; note?: ReactNode }) {
  const copy = async () => {
    await navigator.clipboard.writeText(value);
    notify(tc("copied"));
  };
  return (
    <div className={css.copied}>
      <TextField
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
