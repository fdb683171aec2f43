//! Carrying out what is decided about recordings: files are made beside the engine, then the room is recorded into them.

use super::EngineCommand;
use plenary_calls::{RecorderCommand, RecorderEvent, media::RoomNumber};
use plenary_conference::ConferenceKey;
use plenary_media::{FeedId, MediaHandle, RoomId};
use plenary_model::{ConferenceRecordingId, RecordingManifest};
use plenary_recording::{Feed, Note, OpenError, OpenRequest, Recorder};
use plenary_store::Store;
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tracing::warn;

/// The recordings of this node that run.
pub(super) struct Recordings {
    recorder: Recorder,
    media: MediaHandle,
    store: Store,
    commands: mpsc::Sender<EngineCommand>,
    running: BTreeMap<ConferenceRecordingId, (RoomId, FeedId)>,
    /// The number of the last feed.
    feed: u64,
}

/// What came of making the files of a recording.
pub(crate) struct Opened {
    conference: ConferenceKey,
    room: RoomNumber,
    made: Result<(Box<RecordingManifest>, Feed), OpenError>,
}

impl Recordings {
    pub(super) fn new(
        recorder: Recorder,
        media: MediaHandle,
        store: Store,
        commands: mpsc::Sender<EngineCommand>,
    ) -> Self {
        Self { recorder, media, store, commands, running: BTreeMap::new(), feed: 0 }
    }

    pub(super) fn command(&mut self, command: RecorderCommand) {
        match command {
            RecorderCommand::Open { conference, room, settings, continues, is_paused } => {
                let request = OpenRequest {
                    account: conference.account.0,
                    conference: conference.name.to_string(),
                    settings,
                    continues: continues.map(|(id, part)| (id.0, part)),
                    is_paused,
                };
                self.open(conference, room, request);
            }
            RecorderCommand::Pause { recording, is_paused } => {
                if let Some((room, feed)) = self.running.get(&recording) {
                    self.media.pause_room_recording(*room, *feed, is_paused);
                    self.recorder.note(&recording.0, &Note::Paused(is_paused));
                }
            }
            RecorderCommand::End { recording } => {
                if let Some((room, feed)) = self.running.remove(&recording) {
                    self.media.end_room_recording(room, feed);
                }
            }
            RecorderCommand::NoteJoined { recording, call, participant, display_name } => {
                let participant_id = participant.to_string();
                self.recorder
                    .note(&recording.0, &Note::Joined { call: call.0, participant_id, display_name });
            }
            RecorderCommand::NoteTold { recording, participant } => {
                self.recorder.note(&recording.0, &Note::Told { participant_id: participant.to_string() });
            }
        }
    }

    /// Makes the files beside the engine, which does not wait for a disk. [`EngineCommand::RecordingOpened`] answers.
    fn open(&self, conference: ConferenceKey, room: RoomNumber, request: OpenRequest) {
        let (recorder, store, commands) = (self.recorder.clone(), self.store.clone(), self.commands.clone());
        tokio::spawn(async move {
            let of_thread = recorder.clone();
            let made = tokio::task::spawn_blocking(move || of_thread.open(request)).await;
            let made = match made.unwrap_or(Err(OpenError::Ended)) {
                Ok((manifest, feed)) => match store.write_recording(&manifest).await {
                    Ok(()) => Ok((Box::new(manifest), feed)),
                    Err(error) => {
                        // Without its row nobody could find or delete it. Its end finds the feed dropped.
                        warn!(recording = %manifest.id, %error, "a recording cannot be written into the database");
                        Err(OpenError::Io(std::io::Error::other(error)))
                    }
                },
                Err(error) => Err(error),
            };
            let opened = Opened { conference, room, made };
            let _ = commands.send(EngineCommand::RecordingOpened(Box::new(opened))).await;
        });
    }

    /// The files of a recording are there: the room is recorded into them.
    pub(super) fn opened(&mut self, opened: Opened) -> RecorderEvent {
        let Opened { conference, room, made } = opened;
        let failure = match made {
            Ok((manifest, feed)) => {
                self.feed += 1;
                let (room, id) = (RoomId(room.0), FeedId(self.feed));
                if self.media.record_room(room, id, feed) {
                    let recording = ConferenceRecordingId(manifest.id);
                    self.running.insert(recording.clone(), (room, id));
                    return RecorderEvent::Opened { conference, recording };
                }
                // The last call has ended meanwhile, and the recording with the feed.
                None
            }
            Err(error) => {
                let failure = error.failure();
                let error = anyhow::Error::new(error);
                warn!(conference = %conference.name, account = conference.account.0, "a recording cannot begin: {error:#}");
                Some(failure)
            }
        };
        RecorderEvent::NotOpened { conference, failure }
    }

    /// A recording has ended by itself.
    pub(super) fn failed(&mut self, recording: &ConferenceRecordingId) {
        self.running.remove(recording);
    }
}
