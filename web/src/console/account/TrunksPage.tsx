import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Cable, Ellipsis } from "lucide-react";
import { useState } from "react";
import { client, ok, type Schemas, type Versioned, versioned } from "../../api/client";
import { dateTime } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { CheckField, TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Page } from "../../ui/Page";
import { useForm } from "../../ui/useForm";
import { listOf } from "./services";
import { TrunkTestDialog } from "./TrunkTestDialog";
import { type Trunk, trunksQuery, trunkTone } from "./trunks";

export function TrunksPage() {
  const queries = useQueryClient();
  const trunks = useQuery({ ...trunksQuery, refetchInterval: 10_000 });
  const [edited, setEdited] = useState<Versioned<Trunk> | "new" | null>(null);
  const [removed, setRemoved] = useState<Trunk | null>(null);
  const [tested, setTested] = useState<string | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: trunksQuery.queryKey });
  // Read anew: only the version that is shown is changed.
  const edit = async (name: string) =>
    setEdited(await versioned(client.GET("/v1/trunks/{name}", { params: { path: { name } } })));
  const add = (
    <Button look="primary" icon={<Cable />} onClick={() => setEdited("new")}>
      {t("trunks.new")}
    </Button>
  );
  return (
    <Page title={t("nav.trunks")} note={t("trunks.note")} actions={add}>
      <List
        query={trunks}
        label={t("nav.trunks")}
        none={t("trunks.none")}
        action={add}
        head={[
          t("trunk.name"),
          t("trunk.uri"),
          t("trunks.serves"),
          t("trunk.state"),
          t("health.calls"),
          t("trunk.error"),
          actionsColumn(t("room.more")),
        ]}
        row={(trunk) => (
          <tr key={trunk.name}>
            <td>{trunk.name}</td>
            <td>
              <code>{trunk.uri}</code>
            </td>
            <td>{[...(trunk.prefixes ?? []), ...(trunk.hosts ?? [])].join(", ") || "–"}</td>
            <td>
              <Badge tone={trunkTone(trunk)}>{t(`trunks.registration.${trunk.status.registration}`)}</Badge>
            </td>
            <td>{trunk.status.calls}</td>
            <td>
              {trunk.status.last_error
                ? `${trunk.status.last_error} (${dateTime(trunk.status.last_error_at)})`
                : "–"}
            </td>
            <td>
              <ActionMenu
                label={t("room.more.who", { name: trunk.name })}
                icon={<Ellipsis />}
                actions={() => [
                  { text: t("rooms.change"), onSelect: () => void attempt(() => edit(trunk.name)) },
                  { text: t("trunk_test"), onSelect: () => setTested(trunk.name) },
                  {
                    text: t("trunks.remove"),
                    danger: true,
                    begins: true,
                    onSelect: () => setRemoved(trunk),
                  },
                ]}
              />
            </td>
          </tr>
        )}
      />
      {edited && (
        <TrunkDialog
          current={edited === "new" ? null : edited}
          onClose={() => setEdited(null)}
          onDone={reload}
        />
      )}
      {tested !== null && <TrunkTestDialog name={tested} onClose={() => setTested(null)} />}
      {removed && (
        <ActionDialog
          title={t("trunks.remove.ask", { name: removed.name })}
          button={t("trunks.remove")}
          danger
          act={async () => {
            await ok(client.DELETE("/v1/trunks/{name}", { params: { path: { name: removed.name } } }));
            await reload();
          }}
          onClose={() => setRemoved(null)}
        >
          <p>{t("trunks.remove.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

function TrunkDialog(props: {
  current: Versioned<Trunk> | null;
  onClose: () => void;
  onDone: () => Promise<void>;
}) {
  const { current } = props;
  const trunk = current?.data;
  const { form, text, check } = useForm({
    name: trunk?.name ?? "",
    uri: trunk?.uri ?? "sip:",
    user: trunk?.user ?? "",
    password: "",
    register: trunk?.register ?? false,
    prefixes: (trunk?.prefixes ?? []).join(", "),
    hosts: (trunk?.hosts ?? []).join(", "),
    networks: (trunk?.networks ?? []).join(", "),
  });
  const act = async () => {
    const path = { name: form.name.trim() };
    const body = {
      uri: form.uri.trim(),
      user: form.user.trim() || null,
      register: form.register,
      prefixes: listOf(form.prefixes),
      hosts: listOf(form.hosts),
      networks: listOf(form.networks),
      // One that is not entered stays.
      ...(form.password ? { password: form.password } : {}),
    } satisfies Schemas["TrunkSettingsPatch"];
    if (current) {
      const header = { "If-Match": current.version };
      await ok(client.PATCH("/v1/trunks/{name}", { params: { path, header }, body }));
    } else {
      // Made, not replaced: a trunk of this name may be there.
      const header = { "If-None-Match": "*" };
      await ok(client.PUT("/v1/trunks/{name}", { params: { path, header }, body }));
    }
    await props.onDone();
  };
  return (
    <ActionDialog
      title={trunk ? t("trunks.change.of", { name: trunk.name }) : t("trunks.new")}
      button={t("booking.save")}
      act={act}
      onClose={props.onClose}
    >
      {!trunk && <TextField label={t("trunk.name")} required {...text("name")} />}
      <TextField label={t("trunk.uri")} hint={t("trunks.uri.hint")} required {...text("uri")} />
      <TextField label={t("trunks.user")} autoComplete="off" {...text("user")} />
      <TextField
        label={t("telephones.password")}
        hint={trunk?.has_password ? t("trunks.password.keep") : undefined}
        type="password"
        autoComplete="new-password"
        {...text("password")}
      />
      <CheckField label={t("trunks.register")} {...check("register")} />
      <TextField label={t("trunks.prefixes")} hint={t("trunks.prefixes.hint")} {...text("prefixes")} />
      <TextField label={t("trunks.hosts")} hint={t("trunks.hosts.hint")} {...text("hosts")} />
      <TextField label={t("trunks.networks")} hint={t("trunks.networks.hint")} {...text("networks")} />
    </ActionDialog>
  );
}
