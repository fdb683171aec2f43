import { useQuery } from "@tanstack/react-query";
import { Printer } from "lucide-react";
import type { Schemas } from "../../api/client";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { ProblemBox } from "../../ui/Problem";
import css from "./KeyCard.module.css";
import { numbersOf, servicesQuery } from "./services";

type Room = Schemas["Room"];

const forAll = ["*6", "*9", "*3", "*4", "*0"] as const;
const forLeaders = ["*5", "*7", "*8", "*1", "*2", "*#", "**"] as const;

/** The card of the usual keys, to be printed. */
export function KeyCard({ room, onClose }: { room: Room; onClose: () => void }) {
  const services = useQuery(servicesQuery);
  const { number, conference } = room;
  const numbers = numbersOf(services.data ?? [], number);
  const hasPin = room.has_pin || room.has_leader_pin;
  return (
    <Dialog title={t("rooms.card")} onClose={onClose} wide>
      <div className={css.card}>
        <h3>{conference}</h3>
        {services.error ? (
          <ProblemBox error={services.error} onRetry={() => void services.refetch()} />
        ) : (
          <p>{numbers.length ? t("card.call", { numbers: numbers.join(", ") }) : t("card.call.none")}</p>
        )}
        <p>{t(hasPin ? "card.entry.pin" : "card.entry", { number })}</p>
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
