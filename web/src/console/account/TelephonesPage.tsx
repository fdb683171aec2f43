import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Phone } from "lucide-react";
import { useState } from "react";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import { randomText } from "../../sip/message";
import { tc } from "../../texts/common";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { Button } from "../../ui/Button";
import { CopyField } from "../../ui/CopyField";
import { Dialog, DialogActions } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { actionsColumn, Page } from "../../ui/Page";

type User = Schemas["User"];

const usersKey = ["users"];

/** SIP users: telephones that register, and callers with a password. */
export function TelephonesPage() {
  const queries = useQueryClient();
  const users = useQuery({
    queryKey: usersKey,
    queryFn: () => everyPage<User>((query) => ok(client.GET("/v1/users", { params: { query } }))),
  });
  const [edited, setEdited] = useState<string | null>(null);
  const [removed, setRemoved] = useState<string | null>(null);
  const [made, setMade] = useState<{ user: User; password: string } | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: usersKey });
  const add = (
    <Button look="primary" icon={<Phone />} onClick={() => setEdited("")}>
      {t("telephones.new")}
    </Button>
  );
  return (
    <Page title={t("nav.telephones")} note={t("telephones.note")} actions={add}>
      <List
        query={users}
        label={t("nav.telephones")}
        none={t("telephones.none")}
        action={add}
        head={[
          t("people.name"),
          t("telephones.realm"),
          t("telephones.changed"),
          actionsColumn(t("room.more")),
        ]}
        row={(user) => (
          <tr key={user.name}>
            <td>
              <code>{user.name}</code>
            </td>
            <td>{user.realm}</td>
            <td>{dateTime(user.updated_at)}</td>
            <td>
              <Button size="small" onClick={() => setEdited(user.name)}>
                {t("telephones.password.new")}
              </Button>
              <Button size="small" onClick={() => setRemoved(user.name)}>
                {t("telephones.remove")}
              </Button>
            </td>
          </tr>
        )}
      />
      {edited !== null && (
        <UserDialog
          name={edited}
          onClose={() => setEdited(null)}
          onDone={async (user, password) => {
            setMade({ user, password });
            await reload();
          }}
        />
      )}
      {made && (
        <Dialog title={t("telephones.made", { name: made.user.name })} onClose={() => setMade(null)}>
          <p>{t("telephones.made.text")}</p>
          <CopyField label={t("telephones.server")} value={location.hostname} />
          <CopyField label={t("people.name")} value={made.user.name} />
          <CopyField label={t("telephones.realm")} value={made.user.realm} />
          <CopyField label={t("telephones.password")} value={made.password} note={t("secret.once")} />
          <DialogActions>
            <Button onClick={() => setMade(null)}>{tc("done")}</Button>
          </DialogActions>
        </Dialog>
      )}
      {removed !== null && (
        <ActionDialog
          title={t("telephones.remove.ask", { name: removed })}
          button={t("telephones.remove")}
          danger
          act={async () => {
            await ok(client.DELETE("/v1/users/{name}", { params: { path: { name: removed } } }));
            await reload();
          }}
          onClose={() => setRemoved(null)}
        >
          <p>{t("telephones.remove.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

/** A new user, or another password of one that is there. */
function UserDialog(props: {
  name: string;
  onClose: () => void;
  onDone: (user: User, password: string) => Promise<void>;
}) {
  const isNew = props.name === "";
  const [name, setName] = useState(props.name);
  const [password, setPassword] = useState(() => randomText(20));
  const act = async () => {
    const params = { path: { name: name.trim() } };
    const header = isNew ? { "If-None-Match": "*" } : { "If-Match": "*" };
    const user = await ok(
      client.PUT("/v1/users/{name}", { params: { ...params, header }, body: { password } }),
    );
    await props.onDone(user, password);
  };
  return (
    <ActionDialog
      title={isNew ? t("telephones.new") : t("telephones.password.of", { name: props.name })}
      button={t("booking.save")}
      act={act}
      onClose={props.onClose}
    >
      {isNew && (
        <TextField
          label={t("people.name")}
          hint={t("telephones.name.hint")}
          required
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      )}
      <TextField
        label={t("telephones.password")}
        hint={t("telephones.password.hint")}
        required
        minLength={8}
        maxLength={128}
        autoComplete="off"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
    </ActionDialog>
  );
}
