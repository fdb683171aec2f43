import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { amount, dateTime, duration } from "../../texts/format";
import { t } from "../../texts/pages";
import { ActionDialog } from "../../ui/ActionDialog";
import { ActionMenu } from "../../ui/ActionMenu";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { List, usePages } from "../../ui/List";
import { actionsColumn, Badge, Filters, Page, type Tone } from "../../ui/Page";
import { ConferenceFilter } from "../ConferenceFilter";
import { useRefreshedBy } from "../conferences";
import css from "../operator/Operator.module.css";
import { useSession } from "../session";

type Recording = Schemas["Recording"];

const route = getRouteApi("/shell/recordings");

const tones: Record<Recording["state"], Tone> = {
  running: "bad",
  finished: "good",
  interrupted: "warn",
  failed: "warn",
};

export function RecordingsPage() {
  const { conference } = route.useSearch();
  const queries = useQueryClient();
  useRefreshedBy((type) => type.startsWith("recording."), [["recordings"]]);
  const mayDelete = useSession()?.account?.role !== "auditor";
  const [heard, setHeard] = useState<Recording | null>(null);
  const [deleted, setDeleted] = useState<Recording | null>(null);
  const recordings = usePages({
    queryKey: ["recordings", conference],
    page: (query) => ok(client.GET("/v1/recordings", { params: { query: { ...query, conference } } })),
  });
  return (
    <Page title={t("nav.recordings")} note={t("recordings.note")}>
      <Filters>
        <ConferenceFilter />
      </Filters>
      <List
        query={recordings}
        label={t("nav.recordings")}
        none={t(conference ? "recordings.none.match" : "recordings.none")}
        head={[
          t("booking.conference"),
          t("calls.started"),
          t("calls.duration"),
          t("recordings.state"),
          t("recording.tracks"),
          t("recordings.size"),
          actionsColumn(t("room.more")),
        ]}
        row={(one) => (
          <tr key={one.id}>
            <td>
              <Link to="/history" search={{ conference: one.conference }}>
                {one.conference}
              </Link>
            </td>
            <td>{dateTime(one.started_at)}</td>
            <td>{duration(one.duration_ms)}</td>
            <td>
              <Badge tone={tones[one.state]}>{t(`recordings.state.${one.state}`)}</Badge>
            </td>
            <td>{one.files.length}</td>
            <td>{size(one.files.reduce((sum, file) => sum + file.bytes, 0))}</td>
            <td>
              {one.files.length > 0 && one.state !== "running" && (
                <Button size="small" onClick={() => setHeard(one)}>
                  {t("recordings.listen")}
                </Button>
              )}
              {mayDelete && one.state !== "running" && (
                <ActionMenu
                  label={t("room.more.who", { name: one.conference })}
                  icon={<Ellipsis />}
                  actions={() => [
                    { text: t("recordings.delete"), danger: true, onSelect: () => setDeleted(one) },
                  ]}
                />
              )}
            </td>
          </tr>
        )}
      />
      {heard && <Listen recording={heard} onClose={() => setHeard(null)} />}
      {deleted && (
        <ActionDialog
          title={t("recordings.delete.ask", { name: deleted.conference })}
          button={t("recordings.delete")}
          danger
          act={async () => {
            await ok(client.DELETE("/v1/recordings/{id}", { params: { path: { id: deleted.id } } }));
            await queries.invalidateQueries({ queryKey: ["recordings"] });
          }}
          onClose={() => setDeleted(null)}
        >
          <p>{t("recordings.delete.text")}</p>
        </ActionDialog>
      )}
    </Page>
  );
}

const size = (bytes: number): string =>
  bytes < 1e6
    ? t("recordings.size.kb", { size: amount(bytes / 1e3) })
    : t("recordings.size.mb", { size: amount(bytes / 1e6, 1) });

function Listen({ recording, onClose }: { recording: Recording; onClose: () => void }) {
  const names = new Map(recording.participants.map((one) => [one.participant_id, one.display_name]));
  const address = (track: number) =>
    `/v1/recordings/${encodeURIComponent(recording.id)}/audio?track=${track}`;
  return (
    <Dialog title={`${recording.conference}, ${dateTime(recording.started_at)}`} onClose={onClose} wide>
      {recording.files.map((file) => {
        const who = file.participant_id
          ? (names.get(file.participant_id) ?? file.participant_id)
          : t("recordings.everybody");
        return (
          <div key={file.track}>
            <p>
              {who} ·{" "}
              <a href={address(file.track)} download>
                {t("recordings.download")}
              </a>
            </p>
            {/* biome-ignore lint/a11y/useMediaCaption: a transcript exists only where one was made. */}
            <audio
              controls
              preload="none"
              src={address(file.track)}
              aria-label={who}
              className={css.player}
            />
          </div>
        );
      })}
    </Dialog>
  );
}
