import { Copy } from "lucide-react";
import { tc } from "../../texts/common";
import { t } from "../../texts/console";
import { Button } from "../../ui/Button";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { notify } from "../../ui/notices";

/** Something that is shown this once. */
export function SecretDialog(props: {
  title: string;
  label: string;
  value: string;
  note: string;
  onClose: () => void;
}) {
  const copy = async () => {
    await navigator.clipboard.writeText(props.value);
    notify(tc("copied"));
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <TextField
        label={props.label}
        readOnly
        value={props.value}
        onFocus={(event) => event.target.select()}
      />
      <p>
        {t("secret.once")} {props.note}
      </p>
      <DialogActions>
        {navigator.clipboard && (
          <Button look="primary" icon={<Copy />} onClick={() => void copy()}>
            {tc("copy")}
          </Button>
        )}
      </DialogActions>
    </Dialog>
  );
}
