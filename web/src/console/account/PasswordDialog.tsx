import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { TextField } from "../../ui/Field";
import { notify } from "../../ui/notices";
import { useForm } from "../../ui/useForm";
import { changePassword, PASSWORD_MIN } from "../session";

/** Another password of one's own: the old one is asked for, and other browsers are signed out. */
export function PasswordDialog({ onClose, onDone }: { onClose: () => void; onDone: () => Promise<unknown> }) {
  const { form, text } = useForm({ old: "", password: "", again: "" });
  const differs = form.again !== "" && form.password !== form.again;
  const act = async () => {
    await changePassword(form.old, form.password);
    notify(t("password.changed"));
    await onDone();
  };
  return (
    <ActionDialog
      title={t("password.change")}
      button={t("password.change")}
      disabled={form.password !== form.again}
      act={act}
      onClose={onClose}
    >
      <p>{t("password.text")}</p>
      <TextField
        label={t("password.old")}
        type="password"
        autoComplete="current-password"
        required
        {...text("old")}
      />
      <TextField
        label={t("password.new")}
        hint={t("welcome.password.hint", { count: PASSWORD_MIN })}
        type="password"
        autoComplete="new-password"
        required
        minLength={PASSWORD_MIN}
        maxLength={256}
        {...text("password")}
      />
      <TextField
        label={t("welcome.again")}
        error={differs ? t("welcome.differs") : undefined}
        type="password"
        autoComplete="new-password"
        required
        {...text("again")}
      />
    </ActionDialog>
  );
}
