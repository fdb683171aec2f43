import { useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { client, everyPage, ok, type Schemas } from "../../api/client";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { Button } from "../../ui/Button";
import { CheckField, TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { actionsColumn, Badge, Page } from "../../ui/Page";
import { ownZone, wallTime } from "../booking/zones";
import { type Scope, useSession } from "../session";
import { SecretDialog } from "./Secret";

type Key = Schemas["Key"];

const keysKey = ["keys"];
const boundScopes: Scope[] = ["read", "control"];

export function KeysPage() {
  const queries = useQueryClient();
  const keys = useQuery({
    queryKey: keysKey,
    queryFn: () => everyPage<Key>((query) => ok(client.GET("/v1/keys", { params: { query } }))),
  });
  const [isMaking, setMaking] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [revoked, setRevoked] = useState<Key | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: keysKey });
  const nameOf = (key: Key) => key.label || `${key.prefix}…`;
  const add = (
    <Button look="primary" icon={<KeyRound />} onClick={() => setMaking(true)}>
      {t("keys.new")}
    </Button>
  );
  return (
    <Page title={t("nav.keys")} note={t("keys.note")} actions={add}>
      <List
        query={keys}
        label={t("nav.keys")}
        none={t("keys.none")}
        action={add}
        head={[
          t("keys.label"),
          t("keys.prefix"),
          t("keys.scopes"),
          t("booking.conference"),
          t("keys.used"),
          t("keys.expires"),
          actionsColumn(t("keys.revoke")),
        ]}
        row={(key) => (
          <tr key={key.id}>
            <td>{key.label ?? "–"}</td>
            <td>
              <code>{key.prefix}…</code>
            </td>
            <td data-words="">{key.scopes.map((scope) => t(`scope.${scope}`)).join(", ")}</td>
            <td>{key.conference ?? t("keys.all")}</td>
            <td>{dateTime(key.last_used_at)}</td>
            <td>{dateTime(key.expires_at)}</td>
            <td>
              {key.revoked_at ? (
                <Badge>{t("keys.revoked")}</Badge>
              ) : (
                <Button size="small" onClick={() => setRevoked(key)}>
                  {t("keys.revoke")}
                </Button>
              )}
            </td>
          </tr>
        )}
      />
      {isMaking && (
        <NewKeyDialog
          onClose={() => setMaking(false)}
          onDone={(made) => {
            setSecret(made);
            void reload();
          }}
        />
      )}
      {secret !== null && (
        <SecretDialog
          title={t("keys.new")}
          label={t("keys.secret")}
          value={secret}
          note={t("keys.secret.note")}
          onClose={() => setSecret(null)}
        />
      )}
      {revoked && (
        <ActionDialog
          title={t("keys.revoke.ask", { name: nameOf(revoked) })}
          button={t("keys.revoke")}
          danger
          act={async () => {
            await ok(client.DELETE("/v1/keys/{id}", { params: { path: { id: revoked.id } } }));
            await reload();
          }}
          onClose={() => setRevoked(null)}
        >
          <p>{t("keys.revoke.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

const today = () => wallTime(Date.now(), ownZone()).slice(0, 10);

function NewKeyDialog({ onClose, onDone }: { onClose: () => void; onDone: (secret: string) => void }) {
  const session = useSession();
  const given = session?.scopes ?? [];
  const [label, setLabel] = useState("");
  const [conference, setConference] = useState("");
  const [until, setUntil] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(["read"]);
  const isBound = conference.trim() !== "";
  const offered = isBound ? given.filter((scope) => boundScopes.includes(scope)) : given;
  const act = async () => {
    const body: Schemas["KeyBody"] = {
      scopes: scopes.filter((scope) => offered.includes(scope)),
      ...(label.trim() ? { label: label.trim() } : {}),
      ...(isBound ? { conference: conference.trim() } : {}),
      // To the end of that day, as the reader's clocks show it.
      ...(until ? { expires_at: new Date(`${until}T23:59:59`).toISOString() } : {}),
    };
    const made = await ok(client.POST("/v1/keys", { body }));
    onDone(made.secret);
  };
  return (
    <ActionDialog title={t("keys.new")} button={t("keys.make")} act={act} onClose={onClose}>
      <TextField
        label={t("keys.label")}
        hint={t("keys.label.hint")}
        maxLength={100}
        value={label}
        onChange={(event) => setLabel(event.target.value)}
      />
      <TextField
        label={t("keys.conference")}
        hint={t("keys.conference.hint")}
        value={conference}
        onChange={(event) => setConference(event.target.value)}
      />
      <TextField
        label={t("keys.expires")}
        hint={t("keys.expires.hint")}
        type="date"
        min={today()}
        value={until}
        onChange={(event) => setUntil(event.target.value)}
      />
      <fieldset>
        <legend>{t("keys.scopes")}</legend>
        {offered.map((scope) => (
          <div key={scope}>
            <CheckField
              label={t(`scope.${scope}`)}
              checked={scopes.includes(scope)}
              onChange={(event) =>
                setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))
              }
            />
          </div>
        ))}
      </fieldset>
    </ActionDialog>
  );
}
