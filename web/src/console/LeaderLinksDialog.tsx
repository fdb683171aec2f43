import { useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { dateTime } from "../texts/format";
import { t } from "../texts/pages";
import { Button } from "../ui/Button";
import { CopyField } from "../ui/CopyField";
import { Dialog, DialogActions } from "../ui/Dialog";
import css from "../ui/Dialog.module.css";
import { TextField } from "../ui/Field";
import { List } from "../ui/List";
import { attempt } from "../ui/notices";
import { type LeaderLinkOf, leaderLinksQuery, makeLeaderLink, removeLeaderLink } from "./leaderLinks";

/** Links for people who lead this conference and have no account: made, listed and revoked. */
export function LeaderLinksDialog({
  of,
  title,
  onClose,
}: {
  of: LeaderLinkOf;
  title: string;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const query = leaderLinksQuery(of);
  const links = useQuery(query);
  const [label, setLabel] = useState("");
  const [made, setMade] = useState<string | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: query.queryKey });
  const make = () =>
    attempt(async () => {
      const { path } = await makeLeaderLink({ ...of, label: label.trim() || null });
      setMade(`${location.origin}${path}`);
      setLabel("");
      await reload();
    });
  const remove = (id: number) =>
    attempt(async () => {
      await removeLeaderLink(id);
      await reload();
    }, t("leader_link.revoked"));
  return (
    <Dialog title={t("leader_link.of", { name: title })} onClose={onClose} wide>
      <p>{t("reservation" in of ? "leader_link.text.booking" : "leader_link.text")}</p>
      {made !== null && <CopyField label={t("leader_link")} note={t("secret.once")} value={made} />}
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        <TextField
          label={t("leader_link.label")}
          hint={t("leader_link.label.hint")}
          maxLength={100}
          value={label}
          onChange={(event) => setLabel(event.target.value)}
        />
        <DialogActions>
          <Button type="submit" look={made === null ? "primary" : "plain"} icon={<KeyRound />}>
            {t("invite.make")}
          </Button>
        </DialogActions>
      </form>
      <List
        query={links}
        label={t("leader_links")}
        none={t("leader_link.none")}
        head={[
          t("leader_link.label"),
          t("leader_link.made"),
          t("keys.used"),
          t("keys.expires"),
          t("keys.revoke"),
        ]}
        row={(link) => (
          <tr key={link.id}>
            <td>{link.label ?? "–"}</td>
            <td>{dateTime(link.created_at)}</td>
            <td>{dateTime(link.last_used_at)}</td>
            <td>{dateTime(link.expires_at)}</td>
            <td>
              <Button size="small" onClick={() => void remove(link.id)}>
                {t("keys.revoke")}
              </Button>
            </td>
          </tr>
        )}
      />
    </Dialog>
  );
}
