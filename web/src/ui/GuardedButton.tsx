import { useId } from "react";
import { Button, type ButtonProps } from "./Button";
import css from "./Field.module.css";

/** A button that cannot be pressed for a reason, which stands beside it; null: it can. */
export function GuardedButton({ reason, disabled, ...rest }: ButtonProps & { reason: string | null }) {
  const note = useId();
  return (
    <>
      <Button
        {...rest}
        disabled={disabled || reason !== null}
        aria-describedby={reason === null ? undefined : note}
      />
      {reason !== null && (
        <span className={css.hint} id={note}>
          {reason}
        </span>
      )}
    </>
  );
}
