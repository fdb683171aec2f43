import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { t } from "../texts/pages";
import { SelectField } from "../ui/Field";
import { Loaded } from "../ui/List";
import { Empty, Facts, Panel } from "../ui/Page";
import { LinksDialog } from "./LinksDialog";
import {
  guestLinksQuery,
  type LinkOf,
  makeGuestLink,
  removeGuestLink,
  telephoneFacts,
  waysQuery,
} from "./links";
import { PinField } from "./PinField";

const HOUR_MS = 3_600_000;

/** How people without an account join: by a link, and by telephone. */
export function InviteDialog({
  of,
  conference,
  title,
  onClose,
}: {
  of: LinkOf;
  conference: string;
  title: string;
  onClose: () => void;
}) {
  const links = useQuery(guestLinksQuery(of));
  const ways = useQuery(waysQuery(conference));
  const [hours, setHours] = useState("24");
  const [pin, setPin] = useState("");
  const isBooking = "reservation" in of;
  const telephone = telephoneFacts(ways.data);
  const expiresAt = () =>
    isBooking || !hours ? {} : { expires_at: new Date(Date.now() + Number(hours) * HOUR_MS).toISOString() };
  return (
    <LinksDialog
      title={t("invite.to", { name: title })}
      text={t(isBooking ? "invite.text.booking" : "invite.text")}
      made={t("invite.link")}
      list={t("invite.links")}
      none={t("invite.none")}
      links={links}
      make={(label) => makeGuestLink({ ...of, label, ...expiresAt(), ...(pin ? { pin } : {}) })}
      revoke={removeGuestLink}
      whose={(link) =>
        link.purpose === "mail" ? link.guest : link.purpose === "calendar" ? t("invite.calendar") : null
      }
      fields={(wrong) => (
        <>
          {!isBooking && (
            <SelectField
              label={t("invite.valid")}
              value={hours}
              onChange={(event) => setHours(event.target.value)}
            >
              <option value="1">{t("invite.hour")}</option>
              <option value="8">{t("invite.hours", { count: 8 })}</option>
              <option value="24">{t("invite.hours", { count: 24 })}</option>
              <option value="168">{t("invite.week")}</option>
              <option value="">{t("invite.until_revoked")}</option>
            </SelectField>
          )}
          {ways.data?.has_pin && <PinField value={pin} error={wrong("/pin")} onChange={setPin} />}
        </>
      )}
      onClose={onClose}
    >
      <Loaded query={ways}>
        {(data) => (
          <>
            {!data.service && <Empty>{t("invite.no_service")}</Empty>}
            {telephone.length > 0 && (
              <Panel>
                <Facts>{telephone}</Facts>
              </Panel>
            )}
          </>
        )}
      </Loaded>
    </LinksDialog>
  );
}
