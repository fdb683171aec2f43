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
          [t("keyboard.palette"), <kbd key="palette">Ctrl K</kbd>],
          [t("keyboard.arrows"), <kbd key="arrows">↑ ↓ ← →</kbd>],
          [t("bookings.new"), <kbd key="new">N</kbd>],
          [t("keyboard.talkers"), <kbd key="talkers">T</kbd>],
          [t("keyboard.help"), <kbd key="help">?</kbd>],
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
