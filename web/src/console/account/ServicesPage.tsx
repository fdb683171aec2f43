import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Ellipsis, Waypoints } from "lucide-react";
import { useState } from "react";
import type { Versioned } from "../../api/client";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { CheckField, SelectField, TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Page } from "../../ui/Page";
import { useForm } from "../../ui/useForm";
import {
  bodyOf,
  changeOf,
  changeService,
  formOf,
  type InboundService,
  kindOf,
  makeService,
  readService,
  removeService,
  servicesQuery,
} from "./services";

/** What happens to calls, by the name or the number that is dialled. */
export function ServicesPage() {
  const queries = useQueryClient();
  const services = useQuery(servicesQuery);
  const [edited, setEdited] = useState<Versioned<InboundService> | "new" | null>(null);
  const [removed, setRemoved] = useState<string | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: servicesQuery.queryKey });
  const add = (
    <Button look="primary" icon={<Waypoints />} onClick={() => setEdited("new")}>
      {t("services.new")}
    </Button>
  );
  return (
    <Page title={t("nav.services")} note={t("services.note")} actions={add}>
      <List
        query={services}
        label={t("nav.services")}
        none={t("services.none")}
        action={add}
        head={[
          t("services.name"),
          t("services.kind"),
          t("services.leads"),
          t("services.access"),
          t("statistics.srtp"),
          actionsColumn(t("room.more")),
        ]}
        row={(service) => (
          <tr key={service.name}>
            <td>
              <code>{service.name}</code>
            </td>
            <td>{t(`services.kind.${kindOf(service)}`)}</td>
            <td>{leadsTo(service)}</td>
            <td>
              {accessOf(service).map((one) => (
                <Badge key={one}>{one}</Badge>
              ))}
            </td>
            <td>{t(service.srtp ? `services.srtp.${service.srtp}` : "services.srtp.configured")}</td>
            <td>
              <ActionMenu
                label={t("room.more.who", { name: service.name })}
                icon={<Ellipsis />}
                actions={() => [
                  {
                    text: t("rooms.change"),
                    // Read anew: only the version that is shown is changed.
                    onSelect: () => void attempt(async () => setEdited(await readService(service.name))),
                  },
                  {
                    text: t("services.remove"),
                    danger: true,
                    begins: true,
                    onSelect: () => setRemoved(service.name),
                  },
                ]}
              />
            </td>
          </tr>
        )}
      />
      {edited && (
        <ServiceDialog
          current={edited === "new" ? null : edited}
          onClose={() => setEdited(null)}
          onDone={reload}
        />
      )}
      {removed !== null && (
        <ActionDialog
          title={t("services.remove.ask", { name: removed })}
          button={t("services.remove")}
          danger
          act={() => removeService(removed).then(reload)}
          onClose={() => setRemoved(null)}
        >
          <p>{t("services.remove.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

function leadsTo(service: InboundService): string {
  if (service.conference) {
    return service.conference.name === "{rest}" ? t("services.rest") : service.conference.name;
  }
  if (service.announcement) return [service.announcement.play].flat().join(", ");
  const { rooms } = service.entry ?? {};
  return Array.isArray(rooms) ? rooms.join(", ") : t("services.all_rooms");
}

function accessOf({ access }: InboundService): string[] {
  const users = access?.users;
  return [
    access?.tokens && t("services.by.tokens"),
    users === true && t("services.by.users"),
    Array.isArray(users) && users.length > 0 && users.join(", "),
    access?.webrtc && t("services.by.webrtc"),
    ...(access?.networks ?? [t("services.by.networks")]),
  ].filter((one): one is string => typeof one === "string");
}

interface ServiceDialogProps {
  current: Versioned<InboundService> | null;
  onClose: () => void;
  onDone: () => Promise<unknown>;
}

function ServiceDialog({ current, onClose, onDone }: ServiceDialogProps) {
  const service = current?.data ?? null;
  const { form, text, check } = useForm(() => formOf(service));
  const act = async () => {
    await (current
      ? changeService(current.data.name, current.version, changeOf(form, current.data))
      : makeService(form.name.trim(), bodyOf(form)));
    await onDone();
  };
  return (
    <ActionDialog
      title={service ? t("services.change.of", { name: service.name }) : t("services.new")}
      button={t("booking.save")}
      act={act}
      onClose={onClose}
    >
      {!service && (
        <TextField label={t("services.name")} hint={t("services.name.hint")} required {...text("name")} />
      )}
      <SelectField label={t("services.kind")} {...text("kind")}>
        <option value="conference">{t("services.kind.conference")}</option>
        <option value="entry">{t("services.kind.entry")}</option>
        <option value="announcement">{t("services.kind.announcement")}</option>
      </SelectField>
      {form.kind === "conference" && (
        <TextField
          label={t("booking.conference")}
          hint={t("services.conference.hint")}
          required
          {...text("conference")}
        />
      )}
      {form.kind === "entry" && (
        <TextField label={t("services.greeting")} hint={t("services.play.hint")} {...text("greeting")} />
      )}
      {form.kind === "announcement" && (
        <TextField label={t("services.play")} hint={t("services.play.hint")} required {...text("play")} />
      )}
      <fieldset>
        <legend>{t("services.access")}</legend>
        <div>
          <CheckField label={t("services.tokens")} {...check("tokens")} />
        </div>
        <div>
          <CheckField label={t("services.users")} {...check("users")} />
        </div>
        <div>
          <CheckField label={t("services.webrtc")} {...check("webrtc")} />
        </div>
      </fieldset>
      <TextField label={t("services.networks")} hint={t("services.networks.hint")} {...text("networks")} />
      <SelectField label={t("statistics.srtp")} {...text("srtp")}>
        <option value="">{t("services.srtp.configured")}</option>
        <option value="required">{t("services.srtp.required")}</option>
        <option value="preferred">{t("services.srtp.preferred")}</option>
        <option value="off">{t("services.srtp.off")}</option>
      </SelectField>
    </ActionDialog>
  );
}
