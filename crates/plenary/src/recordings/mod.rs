//! The recorder of the service: what it reports goes to the engine and into the database, and what is too old goes.

mod retention;
mod transcripts;

use crate::{
    config::{RecordingConfig, TranscriptConfig},
    engine::EngineHandle,
};
use anyhow::Context;
use plenary_model::{
    AccountId, ConferenceRecordingId, RecordingEnd, RecordingFailure, RecordingManifest, RecordingState,
    TranscriptState,
};
use plenary_recording::{Archive, Keys, Recorder, RecorderConfig, RecorderEvent, SYNC_EVERY};
use plenary_store::Store;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
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
    storing: JoinHandle<()>,
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
        let cut_off = complete(store, archive).await?;
        // Without a bound: a few for each recording, and a media thread never waits for them.
        let (reports, received) = unbounded_channel();
        let config = RecorderConfig {
            folder,
            keep_free_bytes: settings.keep_free_bytes,
            opus_bitrate: settings.opus_bitrate,
            sync_every: SYNC_EVERY,
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
        // Without a bound: one for each recording.
        let (ended, received) = unbounded_channel();
        let reporting = tokio::spawn(report(reports, engine, ended));
        let storing = tokio::spawn(store_ends(received, store.clone(), queue));
        let pruning = tokio::spawn(retention::prune(archive, store, days));
        Keeper { recorder, reporting, storing, pruning, transcripts }
    }
}

/// Has the files and the database say the same of what a run that was cut off has left. Returned are the recordings whose end the database
/// did not know, in the order of their ids.
async fn complete(store: &Store, archive: Archive) -> anyhow::Result<Vec<RecordingManifest>> {
    // First, so that none of them is taken for one that was cut off.
    plenary_api::delete_left_files(store, &archive).await?;
    let of_thread = archive.clone();
    let (mut cut_off, here) =
        tokio::task::spawn_blocking(move || (of_thread.repair(), of_thread.list())).await?;
    for manifest in &cut_off {
        store.write_recording(manifest).await?;
    }
    for begun in store.running_recordings().await? {
        let manifest = as_on_disk(&archive, begun);
        store.write_recording(&manifest).await?;
        cut_off.push(manifest);
    }
    // The database was away when these began, and until the kill.
    for (account, ids) in here {
        let known = store.known_recordings(AccountId(account)).await?;
        for id in ids.into_iter().filter(|id| !known.contains(id)) {
            let Ok(Some(manifest)) = archive.manifest(account, &id) else { continue };
            if manifest.state != RecordingState::Running {
                store.write_recording(&manifest).await?;
                cut_off.push(manifest);
            }
        }
    }
    cut_off.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(cut_off)
}

/// What there is of a recording that runs by the database, and does not by its files.
fn as_on_disk(archive: &Archive, begun: RecordingManifest) -> RecordingManifest {
    match archive.manifest(begun.account, &begun.id) {
        Ok(Some(manifest)) if manifest.state != RecordingState::Running => {
            info!(recording = %manifest.id, duration_ms = manifest.duration_ms, state = manifest.state.name(), "a recording was complete, and the database did not know it yet");
            return manifest;
        }
        // Why it could not be completed has been said.
        Ok(Some(_)) | Err(_) => {}
        Ok(None) => {
            warn!(recording = %begun.id, "the files of a recording that was cut off are not there");
        }
    }
    RecordingManifest {
        state: RecordingState::Interrupted,
        end_reason: Some(RecordingEnd::Interrupted),
        ended_at_ms: Some(begun.started_at_ms),
        ..begun
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
            let _ = self.storing.await;
            if let Some(transcripts) = self.transcripts {
                let _ = tokio::task::spawn_blocking(|| transcripts.stop()).await;
            }
        };
        if tokio::time::timeout(within, stop).await.is_err() {
            warn!("recordings could not be completed in time: the next start completes them");
        }
    }
}

/// Hears of recordings that go wrong while they run.
trait Hears: Send + Sync {
    fn failed(
        &self,
        recording: ConferenceRecordingId,
        failure: RecordingFailure,
    ) -> impl Future<Output = ()> + Send;
    fn lost(&self, recording: ConferenceRecordingId, ms: u64) -> impl Future<Output = ()> + Send;
}

impl Hears for EngineHandle {
    async fn failed(&self, recording: ConferenceRecordingId, failure: RecordingFailure) {
        self.recording_failed(recording, failure).await;
    }

    async fn lost(&self, recording: ConferenceRecordingId, ms: u64) {
        self.recording_lost(recording, ms).await;
    }
}

/// Passes on what the recorder reports, until its threads have ended. Waits for no database: that one recording cannot be stored holds up
/// nothing that is to be told of others.
async fn report(
    mut reports: UnboundedReceiver<RecorderEvent>,
    engine: impl Hears,
    ended: UnboundedSender<RecordingManifest>,
) {
    while let Some(event) = reports.recv().await {
        match event {
            RecorderEvent::Failing { id, failure } => {
                engine.failed(ConferenceRecordingId(id), failure).await;
            }
            RecorderEvent::Lost { id, ms } => engine.lost(ConferenceRecordingId(id), ms).await,
            RecorderEvent::Ended(manifest) => {
                info!(recording = %manifest.id, duration_ms = manifest.duration_ms, state = manifest.state.name(), "recording complete");
                // Who stores it runs until this one ends.
                let _ = ended.send(*manifest);
            }
        }
    }
}

/// Stores what has ended, one after the other, however long that takes.
async fn store_ends(
    mut ended: UnboundedReceiver<RecordingManifest>,
    store: Store,
    transcripts: Option<Queue>,
) {
    while let Some(manifest) = ended.recv().await {
        while let Err(error) = store.write_recording(&manifest).await {
            warn!(recording = %manifest.id, %error, "the end of a recording cannot be written into the database; trying again");
            tokio::time::sleep(AGAIN).await;
        }
        if let Some(queue) =
            transcripts.as_ref().filter(|_| manifest.transcript == Some(TranscriptState::Waiting))
        {
            queue.add(manifest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_model::{RecordedTrack, RecordingSettings};
    use std::{fs, path::Path};

    /// What its folder holds once its files are complete.
    fn complete_manifest(begun: &RecordingManifest, end: RecordingEnd) -> RecordingManifest {
        let track = RecordedTrack {
            number: 1,
            file: "mixed.opus".to_owned(),
            participant_id: None,
            offset_ms: 0,
            bytes: 5,
            sha256: Some("ab".repeat(32)),
        };
        RecordingManifest {
            state: match end {
                RecordingEnd::Interrupted => RecordingState::Interrupted,
                _ => RecordingState::Finished,
            },
            end_reason: Some(end),
            ended_at_ms: Some(begun.started_at_ms + 5000),
            duration_ms: 5000,
            tracks: vec![track],
            ..begun.clone()
        }
    }

    fn put(folder: &Path, manifest: &RecordingManifest) {
        let folder = folder.join(manifest.account.to_string()).join(&manifest.id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), serde_json::to_vec(manifest).unwrap()).unwrap();
        fs::write(folder.join("mixed.opus"), b"audio").unwrap();
    }

    struct Heard(UnboundedSender<String>);

    impl Hears for Heard {
        async fn failed(&self, recording: ConferenceRecordingId, failure: RecordingFailure) {
            self.0.send(format!("{recording} failed: {}", failure.name())).unwrap();
        }

        async fn lost(&self, recording: ConferenceRecordingId, ms: u64) {
            self.0.send(format!("{recording} lost {ms}")).unwrap();
        }
    }

    #[tokio::test]
    async fn an_end_that_is_not_stored_yet_holds_up_nothing_that_is_told_of_others() {
        let (reports, received) = unbounded_channel();
        let (heard, mut told) = unbounded_channel();
        // Nobody stores what has ended.
        let (ended, mut ends) = unbounded_channel();
        let reporting = tokio::spawn(report(received, Heard(heard), ended));
        let begun =
            RecordingManifest::begun("a".to_owned(), 1, "Board".to_owned(), RecordingSettings::default(), 0);
        let over = complete_manifest(&begun, RecordingEnd::Stopped);
        reports.send(RecorderEvent::Ended(Box::new(over.clone()))).unwrap();
        let failure = RecordingFailure::StorageFull;
        reports.send(RecorderEvent::Failing { id: "b".to_owned(), failure }).unwrap();
        reports.send(RecorderEvent::Lost { id: "c".to_owned(), ms: 40 }).unwrap();
        assert_eq!(told.recv().await.unwrap(), "b failed: storage_full");
        assert_eq!(told.recv().await.unwrap(), "c lost 40");
        assert_eq!(ends.recv().await.unwrap(), over);
        drop(reports);
        reporting.await.unwrap();
        assert!(ends.recv().await.is_none(), "who stores it ends as well");
    }

    #[tokio::test]
    async fn what_the_files_say_of_a_recording_that_is_complete_counts_and_not_an_older_row() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&data.path().join("plenary.db")).await.unwrap();
        let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let folder = data.path().join("recordings");
        let begun = |number: u8| {
            let (id, settings) = (format!("{number:032x}"), RecordingSettings::default());
            RecordingManifest::begun(id, account.0, "Board".to_owned(), settings, 1000 * i64::from(number))
        };
        // The row says that it runs: it was complete just before the kill, or an earlier start had completed it.
        let (stopped, repaired) = (begun(1), begun(2));
        // No row, since the database was away; one that was deleted, and its files were not.
        let (without_row, deleted) = (begun(3), begun(4));
        // A row without files, and one that knows more than is needed.
        let (lost, over) = (begun(5), complete_manifest(&begun(6), RecordingEnd::Stopped));
        for manifest in [&stopped, &repaired, &lost, &over] {
            store.write_recording(manifest).await.unwrap();
        }
        store.write_recording(&complete_manifest(&deleted, RecordingEnd::Stopped)).await.unwrap();
        assert!(store.delete_recording(account, &deleted.id, None).await.unwrap());
        let stopped = complete_manifest(&stopped, RecordingEnd::Stopped);
        let repaired = complete_manifest(&repaired, RecordingEnd::Interrupted);
        let without_row = complete_manifest(&without_row, RecordingEnd::Stopped);
        for manifest in [&stopped, &repaired, &without_row] {
            put(&folder, manifest);
        }
        put(&folder, &complete_manifest(&deleted, RecordingEnd::Stopped));
        put(&folder, &RecordingManifest { duration_ms: 1, ..over.clone() });

        let archive = Archive::new(folder, Keys::none(), false);
        let found = complete(&store, archive.clone()).await.unwrap();
        let lost = RecordingManifest {
            state: RecordingState::Interrupted,
            end_reason: Some(RecordingEnd::Interrupted),
            ended_at_ms: Some(lost.started_at_ms),
            ..lost
        };
        let expected = [stopped, repaired, without_row, lost];
        assert_eq!(found, expected);
        for manifest in expected.iter().chain([&over]) {
            assert_eq!(store.recording(account, &manifest.id).await.unwrap().as_ref(), Some(manifest));
        }
        assert_eq!(store.recording(account, &deleted.id).await.unwrap(), None);
        assert!(!archive.has(account.0, &deleted.id));
        assert!(complete(&store, archive).await.unwrap().is_empty(), "nothing is left to complete");
    }
}
