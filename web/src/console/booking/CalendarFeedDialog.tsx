import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link2 } from "lucide-react";
import { useState } from "react";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { Button } from "../../ui/Button";
import { CopyField } from "../../ui/CopyField";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { Loaded } from "../../ui/List";
import { attempt, notify } from "../../ui/notices";
import { feedQuery, makeFeed, removeFeed } from "./bookings";

/** An address under which calendar programs find the bookings: all who have it can read them. */
export function CalendarFeedDialog({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const feed = useQuery(feedQuery);
  const [path, setPath] = useState<string | null>(null);
  // What would end the address in use is asked about first.
  const [asked, setAsked] = useState<"remove" | "again" | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: feedQuery.queryKey });
  const make = async () => {
    setPath((await makeFeed()).path);
    await reload();
  };
  const remove = async () => {
    await removeFeed();
    setPath(null);
    await reload();
    notify(t("feed_link.removed"));
  };
  if (asked !== null) {
    return (
      <ActionDialog
        title={t(`feed_link.${asked}.ask`)}
        button={t(`feed_link.${asked}`)}
        danger
        act={asked === "remove" ? remove : make}
        onClose={() => setAsked(null)}
      >
        <p>{t(`feed_link.${asked}.text`)}</p>
      </ActionDialog>
    );
  }
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
              <p>
                {last_used_at
                  ? t("feed_link.made", { made: dateTime(created_at), used: dateTime(last_used_at) })
                  : t("feed_link.unread", { made: dateTime(created_at) })}
              </p>
            )}
            <DialogActions>
              {created_at ? (
                <>
                  <Button onClick={() => setAsked("remove")}>{t("feed_link.remove")}</Button>
                  <Button icon={<Link2 />} onClick={() => setAsked("again")}>
                    {t("feed_link.again")}
                  </Button>
                </>
              ) : (
                <Button look="primary" icon={<Link2 />} onClick={() => void attempt(make)}>
                  {t("feed_link.make")}
                </Button>
              )}
            </DialogActions>
          </>
        )}
      </Loaded>
    </Dialog>
  );
}
