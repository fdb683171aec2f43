//! The recorder of the service: what it reports goes to the engine and into the database, and what is too old goes.

mod retention;
mod transcripts;

use crate::{
    config::{RecordingConfig, TranscriptConfig},
    engine::EngineHandle,
};
use anyhow::Context;
use plenary_model::{
    ConferenceRecordingId, RecordingEnd, RecordingManifest, RecordingState, TranscriptState,
};
use plenary_recording::{Archive, Keys, Recorder, RecorderConfig, RecorderEvent};
use plenary_store::Store;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tracing::{info, warn};
use transcripts::{Queue, Transcripts};

/// How soon what cannot be written into the database is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The recorder, and what it reports.
pub(crate) struct Recordings {
    pub(crate) recorder: Recorder,
    reports: UnboundedReceiver<RecorderEvent>,
    transcripts: TranscriptConfig,
}

/// The tasks beside it.
pub(crate) struct Keeper {
    recorder: Recorder,
    reporting: JoinHandle<()>,
    pruning: JoinHandle<()>,
    transcripts: Option<Transcripts>,
}

impl Recordings {
    /// Completes what a run that was cut off has left, then starts the recorder. The recordings that were cut off are returned.
    pub(crate) async fn start(
        folder: PathBuf,
        settings: &RecordingConfig,
        transcripts: &TranscriptConfig,
        store: &Store,
    ) -> anyhow::Result<(Self, Vec<RecordingManifest>)> {
        let keys = match &settings.key_file {
            Some(path) => Keys::read(path)
                .with_context(|| format!("[recordings] key_file {} cannot be used", path.display()))?,
            None => Keys::none(),
        };
        let transcribes = !transcripts.command.is_empty();
        let archive = Archive::new(folder.clone(), keys.clone(), transcribes);
        // First, so that none of them is taken for one that was cut off.
        plenary_api::delete_left_files(store, &archive).await?;
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
            keys,
            transcribes,
        };
        let on_event = move |event| drop(reports.send(event));
        let recorder = Recorder::start(config, Arc::new(on_event))?;
        Ok((Self { recorder, reports: received, transcripts: transcripts.clone() }, cut_off))
    }

    /// Passes on what the recorder reports, has transcripts made, and deletes what is older than so many days; 0: nothing.
    pub(crate) fn keep(self, engine: EngineHandle, store: Store, days: u32) -> Keeper {
        let Self { recorder, reports, transcripts } = self;
        let archive = recorder.archive().clone();
        let transcripts = (!transcripts.command.is_empty())
            .then(|| Transcripts::start(transcripts, archive.clone(), store.clone()));
        let queue = transcripts.as_ref().map(Transcripts::queue);
        let reporting = tokio::spawn(report(reports, engine, store.clone(), queue));
        let pruning = tokio::spawn(retention::prune(archive, store, days));
        Keeper { recorder, reporting, pruning, transcripts }
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
            if let Some(transcripts) = self.transcripts {
                let _ = tokio::task::spawn_blocking(|| transcripts.stop()).await;
            }
        };
        if tokio::time::timeout(within, stop).await.is_err() {
            warn!("recordings could not be completed in time: the next start completes them");
        }
    }
}

/// Until the threads of the recorder have ended.
async fn report(
    mut reports: UnboundedReceiver<RecorderEvent>,
    engine: EngineHandle,
    store: Store,
    transcripts: Option<Queue>,
) {
    while let Some(event) = reports.recv().await {
        match event {
            RecorderEvent::Failing { id, failure } => {
                engine.recording_failed(ConferenceRecordingId(id), failure).await;
            }
            RecorderEvent::Lost { id, ms } => engine.recording_lost(ConferenceRecordingId(id), ms).await,
            RecorderEvent::Ended(manifest) => {
                info!(recording = %manifest.id, duration_ms = manifest.duration_ms, state = manifest.state.name(), "recording complete");
                while let Err(error) = store.write_recording(&manifest).await {
                    warn!(recording = %manifest.id, %error, "the end of a recording cannot be written into the database; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
                if let Some(queue) =
                    transcripts.as_ref().filter(|_| manifest.transcript == Some(TranscriptState::Waiting))
                {
                    queue.add(*manifest);
                }
            }
        }
    }
}
