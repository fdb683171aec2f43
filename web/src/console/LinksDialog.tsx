import { Link2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { dateTime } from "../texts/format";
import { t } from "../texts/pages";
import { Button } from "../ui/Button";
import { CopyField } from "../ui/CopyField";
import { Dialog, DialogActions } from "../ui/Dialog";
import css from "../ui/Dialog.module.css";
import { TextField } from "../ui/Field";
import { List, type QueryState } from "../ui/List";
import { notify } from "../ui/notices";
import { ProblemBox } from "../ui/Problem";

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
  whose?: (link: L) => ReactNode;
  /** Of the form, behind the label. */
  fields?: ReactNode;
  children?: ReactNode;
  onClose: () => void;
}) {
  const [label, setLabel] = useState("");
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const attempt = async (act: () => Promise<void>) => {
    setError(null);
    try {
      await act();
      await props.links.refetch();
    } catch (problem) {
      setError(problem);
    }
  };
  const make = () =>
    attempt(async () => {
      const { path } = await props.make(label.trim() || null);
      setMade(`${location.origin}${path}`);
      setLabel("");
    });
  const revoke = (id: number) =>
    attempt(async () => {
      await props.revoke(id);
      notify(t("link.revoked"));
    });
  return (
    <Dialog title={props.title} onClose={props.onClose} wide>
      <p>{props.text}</p>
      {error !== null && <ProblemBox error={error} />}
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
        {props.fields}
        <DialogActions>
          <Button type="submit" look={made === null ? "primary" : "plain"} icon={<Link2 />}>
            {t("link.make")}
          </Button>
        </DialogActions>
      </form>
      {props.children}
      <List
        query={props.links}
        label={props.list}
        none={props.none}
        head={[t("link.label"), t("link.made"), t("keys.used"), t("keys.expires"), t("keys.revoke")]}
        row={(link) => (
          <tr key={link.id}>
            <td>{props.whose?.(link) ?? link.label ?? "–"}</td>
            <td>{dateTime(link.created_at)}</td>
            <td>{dateTime(link.last_used_at)}</td>
            <td>{dateTime(link.expires_at)}</td>
            <td>
              <Button size="small" onClick={() => void revoke(link.id)}>
                {t("keys.revoke")}
              </Button>
            </td>
          </tr>
        )}
      />
    </Dialog>
  );
}
