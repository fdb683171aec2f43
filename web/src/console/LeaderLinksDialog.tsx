import { useQuery } from "@tanstack/react-query";
import { t } from "../texts/pages";
import { LinksDialog } from "./LinksDialog";
import { type LinkOf, leaderLinksQuery, makeLeaderLink, removeLeaderLink } from "./links";

/** Links for people who lead this conference and have no account. */
export function LeaderLinksDialog({
  of,
  title,
  onClose,
}: {
  of: LinkOf;
  title: string;
  onClose: () => void;
}) {
  const links = useQuery(leaderLinksQuery(of));
  return (
    <LinksDialog
      title={t("leader_link.of", { name: title })}
      text={t("reservation" in of ? "leader_link.text.booking" : "leader_link.text")}
      made={t("leader_link")}
      list={t("leader_links")}
      none={t("leader_link.none")}
      links={links}
      make={(label) => makeLeaderLink({ ...of, label })}
      revoke={removeLeaderLink}
      onClose={onClose}
    />
  );
}
