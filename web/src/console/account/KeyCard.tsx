import { Printer } from "lucide-react";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { Dialog, DialogActions } from "../../ui/Dialog";
import css from "./KeyCard.module.css";

const forAll = ["*6", "*9", "*3", "*4", "*0"] as const;
const forLeaders = ["*5", "*7", "*8", "*1", "*2", "*#", "**"] as const;

/** The card of the usual keys, to be printed. */
export function KeyCard({ number, onClose }: { number: string; onClose: () => void }) {
  return (
    <Dialog title={t("rooms.card")} onClose={onClose} wide>
      <div className={css.card}>
        <h3>{t("card.room", { number })}</h3>
        <p>{t("card.entry", { number })}</p>
        <div className={css.columns}>
          <Keys title={t("card.all")} keys={forAll} />
          <Keys title={t("card.leaders")} keys={forLeaders} />
        </div>
      </div>
      <DialogActions>
        <Button look="primary" icon={<Printer />} onClick={() => window.print()}>
          {t("card.print")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function Keys({
  title,
  keys,
}: {
  title: string;
  keys: readonly ((typeof forAll)[number] | (typeof forLeaders)[number])[];
}) {
  return (
    <div>
      <h4>{title}</h4>
      <dl className={css.keys}>
        {keys.map((key) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{t(`card.${key}`)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
