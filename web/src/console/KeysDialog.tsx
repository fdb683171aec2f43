import { t } from "../texts/pages";
import { Dialog } from "../ui/Dialog";
import { CheckField } from "../ui/Field";
import { Facts } from "../ui/Page";
import { useSingleKeysOn } from "../ui/singleKeys";

/** What the keyboard does here, and the switch for single letters. */
export default function KeysDialog({ onClose }: { onClose: () => void }) {
  const [isOn, set] = useSingleKeysOn();
  return (
    <Dialog title={t("keyboard")} onClose={onClose}>
      <Facts>
        {[
          ["Ctrl K", t("keyboard.palette")],
          ["↑ ↓ ← →", t("keyboard.arrows")],
          ["N", t("bookings.new")],
          ["T", t("keyboard.talkers")],
          ["?", t("keyboard.help")],
        ]}
      </Facts>
      <CheckField
        label={t("keyboard.single")}
        checked={isOn}
        onChange={(event) => set(event.target.checked)}
      />
    </Dialog>
  );
}
