import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Ellipsis, UserPlus } from "lucide-react";
import { useState } from "react";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { type Language, languages } from "../../texts/texts";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { CheckField, SelectField, TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { Badge, Page } from "../../ui/Page";
import { useForm } from "../../ui/useForm";
import { useHasNoPasswords, useMay, useSession } from "../session";
import {
  changePerson,
  type Invitation,
  invite,
  inviteAgain,
  type Person,
  peopleQuery,
  type Role,
  removePerson,
} from "./people";
import { SecretDialog } from "./Secret";

const tones = { invited: "warn", active: "good", disabled: "none" } as const;

export function PeoplePage() {
  const queries = useQueryClient();
  const session = useSession();
  const people = useQuery(peopleQuery);
  const hasNoPasswords = useHasNoPasswords();
  const [isInviting, setInviting] = useState(false);
  const [link, setLink] = useState<{ person: string; invitation: Invitation } | null>(null);
  const [removed, setRemoved] = useState<Person | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: peopleQuery.queryKey });
  const accounts = new Map(session?.accounts.map((account) => [account.id, account.login]));
  return (
    <Page
      title={t("nav.people")}
      note={t("people.note")}
      actions={
        <Button look="primary" icon={<UserPlus />} onClick={() => setInviting(true)}>
          {t("people.invite")}
        </Button>
      }
    >
      <List
        query={people}
        label={t("nav.people")}
        none={t("people.none")}
        head={[
          t("people.name"),
          t("people.mail"),
          t("people.roles"),
          t("people.state"),
          t("people.signed_in"),
          t("room.more"),
        ]}
        row={(person) => (
          <tr key={person.id}>
            <td>{person.name}</td>
            <td>{person.mail}</td>
            <td>
              {[
                ...(person.operator ? [t("role.operator")] : []),
                ...person.roles.map(
                  ({ account, role }) => `${t(`role.${role}`)} (${accounts.get(account) ?? account})`,
                ),
              ].join(", ")}
            </td>
            <td>
              <Badge tone={tones[person.state]}>{t(`people.state.${person.state}`)}</Badge>
            </td>
            <td>{dateTime(person.signed_in_at)}</td>
            <td>
              <ActionMenu
                label={t("room.more.who", { name: person.name })}
                icon={<Ellipsis />}
                actions={() => [
                  ...(hasNoPasswords
                    ? []
                    : [
                        {
                          text: t("people.link"),
                          onSelect: () =>
                            void attempt(async () =>
                              setLink({ person: person.name, invitation: await inviteAgain(person.id) }),
                            ),
                        },
                      ]),
                  {
                    text: t(person.disabled ? "people.enable" : "people.disable"),
                    onSelect: () =>
                      void attempt(() =>
                        changePerson(person.id, { disabled: !person.disabled }).then(reload),
                      ),
                  },
                  {
                    text: t("people.remove"),
                    danger: true,
                    begins: true,
                    onSelect: () => setRemoved(person),
                  },
                ]}
              />
            </td>
          </tr>
        )}
      />
      {isInviting && (
        <InvitePersonDialog
          onClose={() => setInviting(false)}
          onDone={(person, invitation) => {
            // Where passwords are off, they sign in at the provider.
            if (invitation) setLink({ person, invitation });
            void reload();
          }}
        />
      )}
      {link && (
        <SecretDialog
          title={t("people.link.of", { name: link.person })}
          label={t("people.link")}
          value={`${location.origin}${link.invitation.path}`}
          note={t("people.link.until", { time: dateTime(link.invitation.expires_at) })}
          onClose={() => setLink(null)}
        />
      )}
      {removed && (
        <ActionDialog
          title={t("people.remove.ask", { name: removed.name })}
          button={t("people.remove")}
          danger
          act={() => removePerson(removed.id).then(reload)}
          onClose={() => setRemoved(null)}
        >
          <p>{t("people.remove.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

interface InviteProps {
  onClose: () => void;
  onDone: (person: string, invitation: Invitation | null | undefined) => void;
}

function InvitePersonDialog({ onClose, onDone }: InviteProps) {
  const session = useSession();
  const mayOperate = useMay("operator");
  const account = session?.account;
  const { form, text, check } = useForm({
    name: "",
    mail: "",
    language: "en" as Language,
    role: "organiser" as Role,
    operator: false,
  });
  const act = async () => {
    const { name, mail, language, operator, role } = form;
    const roles = account ? [{ account: account.id, role }] : [];
    const made = await invite({ name: name.trim(), mail: mail.trim(), language, operator, roles });
    onDone(made.name, made.invitation);
  };
  return (
    <ActionDialog title={t("people.invite")} button={t("people.invite")} act={act} onClose={onClose}>
      <TextField label={t("people.name")} required maxLength={100} {...text("name")} />
      <TextField label={t("people.mail")} type="email" required {...text("mail")} />
      {account && (
        <SelectField
          label={t("people.role.in", { account: account.login })}
          hint={t(`role.${form.role}.what`)}
          {...text("role")}
        >
          <option value="organiser">{t("role.organiser")}</option>
          <option value="auditor">{t("role.auditor")}</option>
          <option value="admin">{t("role.admin")}</option>
        </SelectField>
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
