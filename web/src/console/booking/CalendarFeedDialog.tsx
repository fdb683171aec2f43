import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link2 } from "lucide-react";
import { useState } from "react";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { Button } from "../../ui/Button";
import { CopyField } from "../../ui/CopyField";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { Loaded } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { feedQuery, makeFeed, removeFeed } from "./bookings";

/** An address under which calendar programs find the bookings: whoever has it reads them. */
export function CalendarFeedDialog({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const feed = useQuery(feedQuery);
  const [path, setPath] = useState<string | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: feedQuery.queryKey });
  const make = () =>
    attempt(async () => {
      setPath((await makeFeed()).path);
      await reload();
    });
  const remove = () =>
    attempt(async () => {
      await removeFeed();
      setPath(null);
      await reload();
    }, t("feed_link.removed"));
  return (
    <Dialog title={t("feed_link")} onClose={onClose}>
      <p>{t("feed_link.text")}</p>
      {path !== null && (
        <>
          <CopyField label={t("feed_link")} note={t("secret.once")} value={`${location.origin}${path}`} />
          <a href={`webcal://${location.host}${path}`}>{t("feed_link.subscribe")}</a>
        </>
      )}
      <Loaded query={feed}>
        {({ created_at, last_used_at }) => (
          <>
            {created_at && (
              <p>{t("feed_link.made", { made: dateTime(created_at), used: dateTime(last_used_at) })}</p>
            )}
            <DialogActions>
              {created_at && <Button onClick={() => void remove()}>{t("feed_link.remove")}</Button>}
              <Button look="primary" icon={<Link2 />} onClick={() => void make()}>
                {t(created_at ? "feed_link.again" : "feed_link.make")}
              </Button>
            </DialogActions>
          </>
        )}
      </Loaded>
    </Dialog>
  );
}
