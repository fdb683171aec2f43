//! The recorder of the service: what it reports goes to the engine and into the database, and what is too old goes.

use crate::{config::RecordingConfig, engine::EngineHandle};
use plenary_model::{ConferenceRecordingId, RecordingEnd, RecordingManifest, RecordingState, Timestamp};
use plenary_recording::{Archive, Recorder, RecorderConfig, RecorderEvent};
use plenary_store::Store;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tracing::{info, warn};

/// How soon what cannot be written into the database is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often recordings that are too old are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Of those so many are deleted before the database has a rest.
const DELETED_AT_ONCE: usize = 100;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The recorder, and what it reports.
pub(crate) struct Recordings {
    pub(crate) recorder: Recorder,
    reports: UnboundedReceiver<RecorderEvent>,
}

/// The tasks beside it.
pub(crate) struct Keeper {
    recorder: Recorder,
    reporting: JoinHandle<()>,
    pruning: JoinHandle<()>,
}

impl Recordings {
    /// Completes what a run that was cut off has left, then starts the recorder. The recordings that were cut off are returned.
    pub(crate) async fn start(
        folder: PathBuf,
        settings: &RecordingConfig,
        store: &Store,
    ) -> anyhow::Result<(Self, Vec<RecordingManifest>)> {
        let archive = Archive::new(folder.clone());
        let cut_off = tokio::task::spawn_blocking(move || archive.repair()).await?;
        for manifest in &cut_off {
            store.write_recording(manifest).await?;
        }
        // What the database says is running, and is not here: its files are gone.
        for mut manifest in store.running_recordings().await? {
            warn!(recording = %manifest.id, "the files of a recording that was cut off are not there");
            manifest.state = RecordingState::Interrupted;
            manifest.end_reason = Some(RecordingEnd::Interrupted);
            manifest.ended_at_ms = Some(manifest.started_at_ms);
            store.write_recording(&manifest).await?;
        }
        // Without a bound: a few for each recording, and a media thread never waits for them.
        let (reports, received) = unbounded_channel();
        let config = RecorderConfig {
            folder,
            keep_free_bytes: settings.keep_free_bytes,
            opus_bitrate: settings.opus_bitrate,
            threads: settings.threads,
        };
        let on_event = move |event| drop(reports.send(event));
        let recorder = Recorder::start(config, Arc::new(on_event))?;
        Ok((Self { recorder, reports: received }, cut_off))
    }

    /// Passes on what the recorder reports, and deletes what is older than so many days; 0: nothing.
    pub(crate) fn keep(self, engine: EngineHandle, store: Store, days: u32) -> Keeper {
        let Self { recorder, reports } = self;
        let reporting = tokio::spawn(report(reports, engine, store.clone()));
        let archive = recorder.archive().clone();
        let pruning = tokio::spawn(prune(archive, store, days));
        Keeper { recorder, reporting, pruning }
    }
}

impl Keeper {
    /// Completes what still runs, and returns when the database knows it.
    pub(crate) async fn stop(self, within: Duration) {
        self.pruning.abort();
        let stop = async {
            let recorder = self.recorder;
            let _ = tokio::task::spawn_blocking(move || recorder.shutdown()).await;
            let _ = self.reporting.await;
        };
        if tokio::time::timeout(within, stop).await.is_err() {
            warn!("recordings could not be completed in time: the next start completes them");
        }
    }
}

/// Until the threads of the recorder have ended.
async fn report(mut reports: UnboundedReceiver<RecorderEvent>, engine: EngineHandle, store: Store) {
    while let Some(event) = reports.recv().await {
        match event {
            RecorderEvent::Failing { id, reason } => {
                let is_full = reason == RecordingEnd::StorageFull;
                engine.recording_failed(ConferenceRecordingId(id), is_full).await;
            }
            // The log has it, and the manifest.
            RecorderEvent::Lost { .. } => {}
            RecorderEvent::Ended(manifest) => {
                info!(recording = %manifest.id, duration_ms = manifest.duration_ms, state = manifest.state.name(), "recording complete");
                while let Err(error) = store.write_recording(&manifest).await {
                    warn!(recording = %manifest.id, %error, "the end of a recording cannot be written into the database; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// Deletes recordings that ended more than so many days ago.
async fn prune(archive: Archive, store: Store, days: u32) {
    if days == 0 {
        return;
    }
    loop {
        let before = Timestamp(crate::engine::wall_now().0.saturating_sub(i64::from(days) * DAY_MS));
        match prune_once(&archive, &store, before).await {
            Ok(DELETED_AT_ONCE) => tokio::time::sleep(Duration::from_secs(1)).await,
            Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
            Err(error) => {
                warn!("recordings that are too old cannot be deleted; trying again later: {error:#}");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

async fn prune_once(archive: &Archive, store: &Store, before: Timestamp) -> anyhow::Result<usize> {
    let old = store.recordings_ended_before(before, DELETED_AT_ONCE).await?;
    let count = old.len();
    for (account, id) in old {
        let (archive, of_thread) = (archive.clone(), id.clone());
        // First the files: what has no row is found by nobody.
        tokio::task::spawn_blocking(move || archive.delete(account.0, &of_thread)).await??;
        store.forget_recording(account, &id).await?;
        info!(recording = %id, account = account.0, "a recording is deleted: it is older than is kept");
    }
    Ok(count)
}
