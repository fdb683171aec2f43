import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Ellipsis, UserPlus } from "lucide-react";
import { useState } from "react";
import type { Versioned } from "../../api/client";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Page } from "../../ui/Page";
import { sessionQuery, useHasNoPasswords, useSession } from "../session";
import { PersonDialog } from "./PersonDialog";
import {
  changePerson,
  type Invitation,
  inviteAgain,
  type Person,
  peopleQuery,
  readPerson,
  removePerson,
} from "./people";
import { SecretDialog } from "./Secret";

const tones = { invited: "warn", active: "good", disabled: "none" } as const;

export function PeoplePage() {
  const queries = useQueryClient();
  const session = useSession();
  const people = useQuery(peopleQuery);
  const hasNoPasswords = useHasNoPasswords();
  const [edited, setEdited] = useState<Versioned<Person> | "new" | null>(null);
  const [link, setLink] = useState<{ person: string; invitation: Invitation } | null>(null);
  const [removed, setRemoved] = useState<Person | null>(null);
  const [disabled, setDisabled] = useState<Person | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: peopleQuery.queryKey });
  const accounts = new Map(session?.accounts.map((account) => [account.id, account.login]));
  const add = (
    <Button look="primary" icon={<UserPlus />} onClick={() => setEdited("new")}>
      {t("people.invite")}
    </Button>
  );
  return (
    <Page title={t("nav.people")} note={t("people.note")} actions={add}>
      <List
        query={people}
        label={t("nav.people")}
        none={t("people.none")}
        action={add}
        head={[
          t("people.name"),
          t("people.mail"),
          t("people.roles"),
          t("people.state"),
          t("people.signed_in"),
          actionsColumn(t("room.more")),
        ]}
        row={(person) => (
          <tr key={person.id}>
            <td>{person.name}</td>
            <td>{person.mail}</td>
            <td>
              {[
                ...(person.operator ? [t("role.operator")] : []),
                ...person.roles.map(({ account, role }) =>
                  account === session?.account?.id
                    ? t(`role.${role}`)
                    : `${t(`role.${role}`)} (${accounts.get(account) ?? account})`,
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
                  {
                    text: t("rooms.change"),
                    // Read anew: only the version that is shown is changed.
                    onSelect: () => void attempt(async () => setEdited(await readPerson(person.id))),
                  },
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
                  person.disabled
                    ? {
                        text: t("people.enable"),
                        onSelect: () =>
                          void attempt(() => changePerson(person.id, { disabled: false }).then(reload)),
                      }
                    : { text: t("people.disable"), onSelect: () => setDisabled(person) },
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
      {edited && (
        <PersonDialog
          current={edited === "new" ? null : edited}
          onClose={() => setEdited(null)}
          onDone={async (person, invitation) => {
            // Where passwords are off, they sign in at the provider.
            if (invitation) setLink({ person, invitation });
            await reload();
            // One's own name, language and rights are shown at once.
            await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
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
      {disabled && (
        <ActionDialog
          title={t("people.disable.ask", { name: disabled.name })}
          button={t("people.disable")}
          danger
          act={() => changePerson(disabled.id, { disabled: true }).then(reload)}
          onClose={() => setDisabled(null)}
        >
          <p>{t("people.disable.text")}</p>
        </ActionDialog>
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
