import { tc } from "../../texts/common";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { CopyField } from "../../ui/CopyField";
import { Dialog, DialogActions } from "../../ui/Dialog";

/** Something that is shown this once. */
export function SecretDialog(props: {
  title: string;
  label: string;
  value: string;
  note: string;
  onClose: () => void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <CopyField label={props.label} value={props.value} note={`${t("secret.once")} ${props.note}`} />
      <DialogActions>
        <Button onClick={props.onClose}>{tc("done")}</Button>
      </DialogActions>
    </Dialog>
  );
}
