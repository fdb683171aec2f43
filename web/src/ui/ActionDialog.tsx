import { type ReactNode, useState } from "react";
import { tc } from "../texts/common";
import { Button } from "./Button";
import { Dialog, DialogActions } from "./Dialog";
import css from "./Dialog.module.css";
import { GuardedButton } from "./GuardedButton";
import { ProblemBox } from "./Problem";

/** A form in a dialog: the main button does it and closes, a problem stays in sight. */
export function ActionDialog(props: {
  title: string;
  button: string;
  danger?: boolean;
  disabled?: boolean;
  /** Why it cannot be done as things are; it stands beside the button. */
  reason?: string | null;
  act: () => Promise<unknown>;
  onClose: () => void;
  children?: ReactNode;
}) {
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      await props.act();
      props.onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {error !== null && <ProblemBox error={error} />}
        {props.children}
        <DialogActions>
          <Button onClick={props.onClose}>{tc("cancel")}</Button>
          <GuardedButton
            type="submit"
            look={props.danger ? "danger" : "primary"}
            isBusy={isBusy}
            disabled={props.disabled}
            reason={props.reason ?? null}
          >
            {props.button}
          </GuardedButton>
        </DialogActions>
      </form>
    </Dialog>
  );
}
