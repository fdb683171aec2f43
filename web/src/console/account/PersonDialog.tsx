import { Plus } from "lucide-react";
import { useState } from "react";
import type { Versioned } from "../../api/client";
import { t } from "../../texts/pages";
import { languages, readLanguage } from "../../texts/texts";
import { ActionDialog } from "../../ui/ActionDialog";
import { Button } from "../../ui/Button";
import { CheckField, SelectField, TextField } from "../../ui/Field";
import { useForm } from "../../ui/useForm";
import { useMay, useSession } from "../session";
import { changePerson, type Invitation, invite, type Person, type PersonRole, type Role } from "./people";

const ROLES: readonly Role[] = ["organiser", "auditor", "admin"];

interface PersonDialogProps {
  /** Null: a new one. */
  current: Versioned<Person> | null;
  onClose: () => void;
  onDone: (person: string, invitation: Invitation | null | undefined) => Promise<void>;
}

/** Who a person is, in which language pages are shown to them, and what they may do in which account. */
export function PersonDialog({ current, onClose, onDone }: PersonDialogProps) {
  const session = useSession();
  const mayOperate = useMay("operator");
  const person = current?.data;
  const { form, text, check } = useForm({
    name: person?.name ?? "",
    mail: person?.mail ?? "",
    language: person?.language ?? readLanguage(),
    operator: person?.operator ?? false,
  });
  const [roles, setRoles] = useState<PersonRole[]>(
    () => person?.roles ?? (session?.account ? [{ account: session.account.id, role: "organiser" }] : []),
  );
  const logins = new Map(session?.accounts.map((one) => [one.id, one.login]));
  const nameOf = (account: number) => logins.get(account) ?? `${account}`;
  // Who administers an account gives roles there alone; operators everywhere.
  const others = mayOperate
    ? (session?.accounts ?? []).filter((one) => !roles.some((given) => given.account === one.id))
    : [];
  const give = (account: number, role: Role | "") =>
    setRoles((before) =>
      role === ""
        ? before.filter((one) => one.account !== account)
        : before.map((one) => (one.account === account ? { account, role } : one)),
    );
  const act = async () => {
    const { operator, language } = form;
    const settings = { name: form.name.trim(), mail: form.mail.trim(), language, operator, roles };
    if (current) {
      const changed = await changePerson(current.data.id, settings, current.version);
      return onDone(changed.name, null);
    }
    const made = await invite(settings);
    return onDone(made.name, made.invitation);
  };
  const isSignedOut = person !== undefined && form.mail.trim() !== person.mail;
  return (
    <ActionDialog
      title={person?.name ?? t("people.invite.title")}
      button={person ? t("booking.save") : t("people.invite")}
      act={act}
      onClose={onClose}
    >
      <TextField label={t("people.name")} required maxLength={100} {...text("name")} />
      <TextField
        label={t("people.mail")}
        hint={isSignedOut ? t("people.mail.changed") : undefined}
        type="email"
        required
        maxLength={254}
        {...text("mail")}
      />
      {roles.map(({ account, role }) => (
        <SelectField
          key={account}
          label={
            roles.length === 1 && account === session?.account?.id
              ? t("history.role")
              : t("people.role.in", { account: nameOf(account) })
          }
          hint={t(`role.${role}.what`)}
          value={role}
          onChange={(event) => give(account, event.target.value as Role | "")}
        >
          {mayOperate && <option value="">{t("people.role.none")}</option>}
          {ROLES.map((one) => (
            <option key={one} value={one}>
              {t(`role.${one}`)}
            </option>
          ))}
        </SelectField>
      ))}
      {others.length > 0 && (
        <AddAccount
          accounts={others}
          onAdd={(account) => setRoles((before) => [...before, { account, role: "organiser" }])}
        />
      )}
      <SelectField label={t("people.language")} {...text("language")}>
        {languages.map((language) => (
          <option key={language} value={language}>
            {t(`me.language.${language}`)}
          </option>
        ))}
      </SelectField>
      {mayOperate && <CheckField label={t("people.operator")} {...check("operator")} />}
    </ActionDialog>
  );
}

/** One more account for the person to have a role in. */
function AddAccount(props: { accounts: { id: number; login: string }[]; onAdd: (account: number) => void }) {
  const [chosen, setChosen] = useState("");
  const account = props.accounts.find((one) => `${one.id}` === chosen) ?? props.accounts[0];
  return (
    <div>
      <SelectField
        label={t("people.role.more")}
        value={account ? `${account.id}` : ""}
        onChange={(event) => setChosen(event.target.value)}
      >
        {props.accounts.map((one) => (
          <option key={one.id} value={one.id}>
            {one.login}
          </option>
        ))}
      </SelectField>
      <Button size="small" icon={<Plus />} onClick={() => account && props.onAdd(account.id)}>
        {t("people.role.add")}
      </Button>
    </div>
  );
}
