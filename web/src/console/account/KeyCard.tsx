import { useQuery } from "@tanstack/react-query";
import { Printer } from "lucide-react";
import type { Schemas } from "../../api/client";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { ProblemBox } from "../../ui/Problem";
import { ACTIONS, type Card, type CardKey, cardOf } from "./card";
import css from "./KeyCard.module.css";
import { asksForRoom, numbersOf, servicesQuery } from "./services";

type Room = Schemas["Room"];

/** The card of the keys of a room, to be printed. */
export function KeyCard({ room, rooms, onClose }: { room: Room; rooms: Room[]; onClose: () => void }) {
  const services = useQuery(servicesQuery);
  const { number, conference } = room;
  const numbers = numbersOf(services.data ?? [], number);
  // Which keys there are the entry may say.
  const keys = services.data && cardOf(room, services.data);
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
        {asksForRoom(services.data ?? [], number, rooms.length) ? (
          <p>{t(hasPin ? "card.entry.pin" : "card.entry", { number })}</p>
        ) : (
          hasPin && <p>{t("card.entry.only_pin")}</p>
        )}
        {keys && <Columns card={keys} />}
      </div>
      <DialogActions>
        <Button look="primary" icon={<Printer />} onClick={() => window.print()}>
          {t("card.print")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function Columns({ card: { all, leaders, isMore } }: { card: Card }) {
  if (all.length + leaders.length === 0) return <p>{t("card.none")}</p>;
  return (
    <div className={css.columns}>
      {all.length > 0 && <Keys title={t("card.all")} keys={all} />}
      {leaders.length > 0 && (
        <Keys title={t(isMore ? "card.leaders" : "card.leaders.own")} keys={leaders} isLeaders />
      )}
    </div>
  );
}

function Keys({ title, keys, isLeaders = false }: { title: string; keys: CardKey[]; isLeaders?: boolean }) {
  return (
    <div>
      <h4>{title}</h4>
      <dl className={css.keys}>
        {keys.map((one) => (
          <div key={one.keys}>
            <dt>{one.keys}</dt>
            <dd>{words(one.action, isLeaders)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** An action that is newer than this page is shown by its name. */
function words(action: string, isLeaders: boolean): string {
  if (action === "time_left" && isLeaders) return t("card.time_left.leaders");
  const known = ACTIONS.find((one) => one === action);
  return known ? t(`card.does.${known}`) : action;
}
