import { Link2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { dateTime } from "../texts/format";
import { t } from "../texts/pages";
import { ActionDialog } from "../ui/ActionDialog";
import { Button } from "../ui/Button";
import { CopyField } from "../ui/CopyField";
import { Dialog, DialogActions } from "../ui/Dialog";
import css from "../ui/Dialog.module.css";
import { TextField } from "../ui/Field";
import { List, type QueryState } from "../ui/List";
import { notify } from "../ui/notices";
import { actionsColumn } from "../ui/Page";
import { memberError, ProblemBox } from "../ui/Problem";

/** What links of leaders and of guests have in common. */
interface LinkShown {
  id: number;
  label?: string | null;
  created_at: string;
  expires_at?: string | null;
  last_used_at?: string | null;
}

/** Links for people who have no account: made, shown once, listed and revoked. */
export function LinksDialog<L extends LinkShown>(props: {
  title: string;
  text: string;
  /** What the link is called that was made just now. */
  made: string;
  list: string;
  none: string;
  links: QueryState<L[]>;
  make: (label: string | null) => Promise<{ path: string }>;
  revoke: (id: number) => Promise<unknown>;
  /** Whose it is, where the label does not say so. */
  whose?: (link: L) => string | null | undefined;
  /** Of the form, behind the label; `wrong`: what is wrong with a member. */
  fields?: (wrong: (pointer: string) => string | undefined) => ReactNode;
  children?: ReactNode;
  onClose: () => void;
}) {
  const [label, setLabel] = useState("");
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [revoked, setRevoked] = useState<L | null>(null);
  const [isBusy, setBusy] = useState(false);
  const nameOf = (link: L) => props.whose?.(link) ?? link.label;
  const make = async () => {
    setError(null);
    setBusy(true);
    try {
      const { path } = await props.make(label.trim() || null);
      setMade(`${location.origin}${path}`);
      setLabel("");
      await props.links.refetch();
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  const revoke = async (id: number) => {
    await props.revoke(id);
    notify(t("link.revoked"));
    // Read again when the focus is back in the list: the row that had it goes.
    void props.links.refetch();
  };
  return (
    <>
      <Dialog title={props.title} onClose={props.onClose} wide>
        <p>{props.text}</p>
        {error !== null && <ProblemBox error={error} atFields={["/pin"]} />}
        {made !== null && <CopyField label={props.made} note={t("secret.once")} value={made} />}
        <form
          className={css.form}
          onSubmit={(event) => {
            event.preventDefault();
            void make();
          }}
        >
          <TextField
            label={t("link.label")}
            hint={t("link.label.hint")}
            maxLength={100}
            value={label}
            onChange={(event) => setLabel(event.target.value)}
          />
          {props.fields?.((pointer) => memberError(error, pointer))}
          <DialogActions>
            <Button type="submit" look={made === null ? "primary" : "plain"} icon={<Link2 />} isBusy={isBusy}>
              {t("link.make")}
            </Button>
          </DialogActions>
        </form>
        {props.children}
        <List
          query={props.links}
          label={props.list}
          none={props.none}
          head={[
            t("link.label"),
            t("link.made"),
            t("keys.used"),
            t("keys.expires"),
            actionsColumn(t("keys.revoke")),
          ]}
          row={(link) => (
            <tr key={link.id}>
              <td>{nameOf(link) ?? t("link.unnamed")}</td>
              <td>{dateTime(link.created_at)}</td>
              <td>{dateTime(link.last_used_at)}</td>
              <td>{dateTime(link.expires_at)}</td>
              <td>
                <Button size="small" onClick={() => setRevoked(link)}>
                  {t("keys.revoke")}
                </Button>
              </td>
            </tr>
          )}
        />
      </Dialog>
      {revoked && (
        <ActionDialog
          title={
            nameOf(revoked)
              ? t("link.revoke.ask.label", { name: nameOf(revoked) ?? "" })
              : t("link.revoke.ask")
          }
          button={t("keys.revoke")}
          danger
          act={() => revoke(revoked.id)}
          onClose={() => setRevoked(null)}
        >
          <p>{t("link.revoke.text")}</p>
        </ActionDialog>
      )}
    </>
  );
}
