import { t } from "../texts/pages";
import { TextField } from "../ui/Field";

/** The PIN of participants for invitations: the service has a hash of it alone, with which it compares what is typed in. */
export function PinField({
  value,
  error,
  onChange,
}: {
  value: string;
  error: string | undefined;
  onChange: (pin: string) => void;
}) {
  return (
    <TextField
      label={t("invite.pin")}
      hint={t("invite.pin.hint")}
      error={error}
      value={value}
      inputMode="numeric"
      autoComplete="off"
      onChange={(event) => onChange(event.target.value.replace(/\D/g, "").slice(0, 12))}
    />
  );
}
