import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Building2, Ellipsis } from "lucide-react";
import { useState } from "react";
import type { Versioned } from "../../api/client";
import { amount, dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Page } from "../../ui/Page";
import { useForm } from "../../ui/useForm";
import { SecretDialog } from "../account/Secret";
import { sessionQuery } from "../session";
import { type Account, accountsQuery, changeAccount, makeAccount, readAccount } from "./accounts";

export function AccountsPage() {
  const queries = useQueryClient();
  const accounts = useQuery(accountsQuery);
  const [edited, setEdited] = useState<Versioned<Account> | "new" | null>(null);
  const [secret, setSecret] = useState<{ of: string; value: string } | null>(null);
  const [disabled, setDisabled] = useState<Account | null>(null);
  const reload = async () => {
    await queries.invalidateQueries({ queryKey: accountsQuery.queryKey });
    // An operator may work in a new account at once.
    await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
  };
  const limit = (value: number | null | undefined) =>
    value == null ? t("accounts.configured") : amount(value);
  const add = (
    <Button look="primary" icon={<Building2 />} onClick={() => setEdited("new")}>
      {t("accounts.new")}
    </Button>
  );
  return (
    <Page title={t("nav.accounts")} note={t("accounts.note")} actions={add}>
      <List
        query={accounts}
        label={t("nav.accounts")}
        none={t("accounts.none")}
        action={add}
        head={[
          t("accounts.cloud_id"),
          t("accounts.username"),
          t("people.state"),
          t("accounts.seats"),
          t("accounts.requests"),
          t("accounts.recording_days"),
          t("accounts.made"),
          actionsColumn(t("room.more")),
        ]}
        row={(account) => (
          <tr key={account.id}>
            <td>{account.cloud_id}</td>
            <td>{account.username}</td>
            <td>
              <Badge tone={account.disabled ? "none" : "good"}>
                {t(account.disabled ? "people.state.disabled" : "people.state.active")}
              </Badge>
            </td>
            <td>{limit(account.max_participants)}</td>
            <td>{limit(account.requests_per_second)}</td>
            <td>{account.recording_days === 0 ? t("accounts.for_ever") : limit(account.recording_days)}</td>
            <td>{dateTime(account.created_at)}</td>
            <td>
              <ActionMenu
                label={t("room.more.who", { name: account.username })}
                icon={<Ellipsis />}
                actions={() => [
                  {
                    text: t("accounts.limits"),
                    // Read anew: only the version that is shown is changed.
                    onSelect: () => void attempt(async () => setEdited(await readAccount(account.id))),
                  },
                  account.disabled
                    ? {
                        text: t("people.enable"),
                        begins: true,
                        onSelect: () =>
                          void attempt(() => changeAccount(account.id, { disabled: false }).then(reload)),
                      }
                    : {
                        text: t("people.disable"),
                        danger: true,
                        begins: true,
                        onSelect: () => setDisabled(account),
                      },
                ]}
              />
            </td>
          </tr>
        )}
      />
      {edited && (
        <AccountDialog
          current={edited === "new" ? null : edited}
          onClose={() => setEdited(null)}
          onDone={async (made) => {
            setSecret(made);
            await reload();
          }}
        />
      )}
      {secret !== null && (
        <SecretDialog
          title={t("accounts.secret", { name: secret.of })}
          label={t("keys.secret")}
          value={secret.value}
          note={t("keys.secret.note")}
          onClose={() => setSecret(null)}
        />
      )}
      {disabled && (
        <ActionDialog
          title={t("accounts.disable.ask", { name: disabled.username })}
          button={t("people.disable")}
          danger
          act={() => changeAccount(disabled.id, { disabled: true }).then(reload)}
          onClose={() => setDisabled(null)}
        >
          <p>{t("accounts.disable.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

interface AccountDialogProps {
  current: Versioned<Account> | null;
  onClose: () => void;
  /** With the first API key of a new one. */
  onDone: (secret: { of: string; value: string } | null) => Promise<void>;
}

/** A new account, or other limits of one that is there. */
function AccountDialog({ current, onClose, onDone }: AccountDialogProps) {
  const account = current?.data;
  const shown = (value: number | null | undefined) =>
    value === null || value === undefined ? "" : `${value}`;
  const { form, text } = useForm({
    cloud_id: "",
    username: "",
    max_participants: shown(account?.max_participants),
    requests_per_second: shown(account?.requests_per_second),
    recording_days: shown(account?.recording_days),
  });
  const number = (value: string) => (value === "" ? null : Number(value));
  const act = async () => {
    const limits = {
      max_participants: number(form.max_participants),
      requests_per_second: number(form.requests_per_second),
      recording_days: number(form.recording_days),
    };
    if (current) {
      await changeAccount(current.data.id, limits, current.version);
      return onDone(null);
    }
    // What is left empty is as configured, and is not said.
    const said = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== null));
    const made = await makeAccount({
      cloud_id: form.cloud_id.trim(),
      username: form.username.trim(),
      ...said,
    });
    await onDone({ of: form.username.trim(), value: made.secret });
  };
  return (
    <ActionDialog
      title={account ? t("accounts.limits.of", { name: account.username }) : t("accounts.new")}
      button={t("booking.save")}
      act={act}
      onClose={onClose}
    >
      {!account && (
        <>
          <TextField
            label={t("accounts.cloud_id")}
            hint={t("accounts.cloud_id.hint")}
            required
            pattern="[0-9]+-[0-9]+-[0-9]+"
            {...text("cloud_id")}
          />
          <TextField
            label={t("accounts.username")}
            hint={t("accounts.username.hint")}
            required
            {...text("username")}
          />
        </>
      )}
      <TextField
        label={t("accounts.seats")}
        hint={t("accounts.empty")}
        type="number"
        min={1}
        {...text("max_participants")}
      />
      <TextField
        label={t("accounts.requests")}
        hint={t("accounts.empty")}
        type="number"
        min={1}
        {...text("requests_per_second")}
      />
      <TextField
        label={t("accounts.recording_days")}
        hint={t("accounts.recording_days.hint")}
        type="number"
        min={0}
        {...text("recording_days")}
      />
    </ActionDialog>
  );
}
