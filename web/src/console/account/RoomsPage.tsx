import { useQuery, useQueryClient } from "@tanstack/react-query";
import { DoorOpen, Ellipsis } from "lucide-react";
import { useState } from "react";
import { client, everyPage, ok, type Schemas, type Versioned, versioned } from "../../api/client";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { CheckField, SelectField, TextField } from "../../ui/Field";
import { List } from "../../ui/List";
import { attempt } from "../../ui/notices";
import { actionsColumn, Badge, Page } from "../../ui/Page";
import { useForm } from "../../ui/useForm";
import { KeyCard } from "./KeyCard";

type Room = Schemas["Room"];

const roomsKey = ["rooms"];

/** Rooms that people reach by keypad. */
export function RoomsPage() {
  const queries = useQueryClient();
  const rooms = useQuery({
    queryKey: roomsKey,
    queryFn: () => everyPage<Room>((query) => ok(client.GET("/v1/rooms", { params: { query } }))),
  });
  const [edited, setEdited] = useState<Versioned<Room> | "new" | null>(null);
  const [removed, setRemoved] = useState<Room | null>(null);
  const [printed, setPrinted] = useState<Room | null>(null);
  const reload = () => queries.invalidateQueries({ queryKey: roomsKey });
  // Read anew: only the version that is shown is changed.
  const edit = async (number: string) =>
    setEdited(await versioned(client.GET("/v1/rooms/{number}", { params: { path: { number } } })));
  const add = (
    <Button look="primary" icon={<DoorOpen />} onClick={() => setEdited("new")}>
      {t("rooms.new")}
    </Button>
  );
  return (
    <Page title={t("nav.rooms")} note={t("rooms.note")} actions={add}>
      <List
        query={rooms}
        label={t("nav.rooms")}
        none={t("rooms.none")}
        action={add}
        head={[
          t("rooms.number"),
          t("booking.conference"),
          t("rooms.settings"),
          actionsColumn(t("room.more")),
        ]}
        row={(room) => (
          <tr key={room.number}>
            <td>{room.number}</td>
            <td>{room.conference}</td>
            <td>
              {[
                [room.has_pin, t("rooms.has_pin")] as const,
                [room.has_leader_pin, t("rooms.has_leader_pin")] as const,
                [room.lobby, t("rooms.lobby")] as const,
                [room.wait_for_leader, t("rooms.wait_for_leader")] as const,
                [room.muted_on_entry, t("rooms.muted")] as const,
                [room.record === "auto", t("rooms.recorded")] as const,
              ].map(([isSo, text]) => isSo && <Badge key={text}>{text}</Badge>)}
            </td>
            <td>
              <ActionMenu
                label={t("room.more.who", { name: room.number })}
                icon={<Ellipsis />}
                actions={() => [
                  { text: t("rooms.change"), onSelect: () => void attempt(() => edit(room.number)) },
                  { text: t("rooms.card"), onSelect: () => setPrinted(room) },
                  { text: t("rooms.remove"), danger: true, begins: true, onSelect: () => setRemoved(room) },
                ]}
              />
            </td>
          </tr>
        )}
      />
      {edited && (
        <RoomDialog
          current={edited === "new" ? null : edited}
          onClose={() => setEdited(null)}
          onDone={reload}
        />
      )}
      {printed && <KeyCard room={printed} rooms={rooms.data ?? []} onClose={() => setPrinted(null)} />}
      {removed && (
        <ActionDialog
          title={t("rooms.remove.ask", { number: removed.number })}
          button={t("rooms.remove")}
          danger
          act={async () => {
            await ok(client.DELETE("/v1/rooms/{number}", { params: { path: { number: removed.number } } }));
            await reload();
          }}
          onClose={() => setRemoved(null)}
        >
          <p>{t("rooms.remove.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

function RoomDialog({
  current,
  onClose,
  onDone,
}: {
  current: Versioned<Room> | null;
  onClose: () => void;
  onDone: () => Promise<void>;
}) {
  const room = current?.data;
  const { form, set, text, check } = useForm({
    number: room?.number ?? "",
    conference: room?.conference ?? "",
    pin: "",
    leader_pin: "",
    lobby: room?.lobby ?? false,
    wait_for_leader: room?.wait_for_leader ?? false,
    muted_on_entry: room?.muted_on_entry ?? false,
    announce: room?.announce ?? "tone",
    record: room?.record ?? "off",
  });
  const act = async () => {
    const { number, pin, leader_pin, ...settings } = form;
    // A PIN that is not entered stays as it is.
    const body = { ...settings, ...(pin ? { pin } : {}), ...(leader_pin ? { leader_pin } : {}) };
    const path = { number };
    if (current) {
      const header = { "If-Match": current.version };
      await ok(client.PATCH("/v1/rooms/{number}", { params: { path, header }, body }));
    } else {
      // Made, not replaced: a room with this number may be there.
      const header = { "If-None-Match": "*" };
      await ok(client.PUT("/v1/rooms/{number}", { params: { path, header }, body }));
    }
    await onDone();
  };
  const keepsPin = (has: boolean | undefined) => (has ? t("rooms.pin.keep") : t("rooms.pin.hint"));
  return (
    <ActionDialog
      title={room ? t("rooms.change.of", { number: room.number }) : t("rooms.new")}
      button={t("booking.save")}
      act={act}
      onClose={onClose}
    >
      {!room && (
        <TextField
          label={t("rooms.number")}
          hint={t("rooms.number.hint")}
          required
          inputMode="numeric"
          pattern="[0-9]{1,12}"
          {...text("number")}
        />
      )}
      <TextField
        label={t("booking.conference")}
        required
        maxLength={47}
        pattern="[A-Za-z0-9]+"
        {...text("conference")}
      />
      <TextField
        label={t("rooms.pin")}
        hint={keepsPin(room?.has_pin)}
        inputMode="numeric"
        autoComplete="off"
        pattern="[0-9]{4,12}"
        {...text("pin")}
      />
      <TextField
        label={t("rooms.leader_pin")}
        hint={keepsPin(room?.has_leader_pin)}
        inputMode="numeric"
        autoComplete="off"
        pattern="[0-9]{4,12}"
        {...text("leader_pin")}
      />
      <SelectField label={t("rooms.announce")} {...text("announce")}>
        <option value="tone">{t("rooms.announce.tone")}</option>
        <option value="name">{t("rooms.announce.name")}</option>
        <option value="none">{t("rooms.announce.none")}</option>
      </SelectField>
      <CheckField label={t("rooms.lobby.long")} {...check("lobby")} />
      <CheckField label={t("rooms.wait_for_leader.long")} {...check("wait_for_leader")} />
      <CheckField label={t("rooms.muted.long")} {...check("muted_on_entry")} />
      <CheckField
        label={t("rooms.recorded.long")}
        checked={form.record === "auto"}
        onChange={(event) => set({ record: event.target.checked ? "auto" : "off" })}
      />
    </ActionDialog>
  );
}
