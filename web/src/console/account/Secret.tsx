import { t } from "../../texts/pages";
import { CopyField } from "../../ui/CopyField";
import { Dialog } from "../../ui/Dialog";

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
    </Dialog>
  );
}
