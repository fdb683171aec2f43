//! The recordings of conferences: what their home decides is passed to the recorder, and what the recorder says to the home.

use crate::{
    Calls,
    call::Stage,
    media::{PlayNumber, RoomNumber},
    number::CallNumber,
};
use plenary_conference::{ConferenceKey, ParticipantId, RecordingCommand, RecordingReport, ToHome};
use plenary_model::{ConferenceRecordingId, RecordingFailure, RecordingSettings};
use plenary_speech::Prompt;
use std::collections::BTreeMap;
use tracing::{info, warn};

/// What the recorder is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecorderCommand {
    /// Records a room. [`RecorderEvent::Opened`] or [`RecorderEvent::NotOpened`] answers.
    Open {
        /// The conference.
        conference: ConferenceKey,
        /// Its place in the media plane.
        room: RoomNumber,
        /// Tracks, format and notice to the participants.
        settings: RecordingSettings,
        /// The recording that it goes on with, and which part that was.
        continues: Option<(ConferenceRecordingId, u32)>,
        /// Nothing is recorded before it is resumed.
        is_paused: bool,
    },
    /// Records nothing for now, or goes on.
    Pause {
        /// The recording that pauses or goes on.
        recording: ConferenceRecordingId,
        /// It is paused now.
        is_paused: bool,
    },
    /// Ends one.
    End {
        /// The recording that ends.
        recording: ConferenceRecordingId,
    },
    /// A participant is in the conference.
    NoteJoined {
        /// The recording of that conference.
        recording: ConferenceRecordingId,
        /// Its call, as the tracks are numbered by.
        call: CallNumber,
        /// Its id.
        participant: ParticipantId,
        /// Its name, as it is shown.
        display_name: Option<String>,
    },
    /// A participant was told.
    NoteTold {
        /// The recording that it was told of.
        recording: ConferenceRecordingId,
        /// Its id.
        participant: ParticipantId,
    },
}

/// What the recorder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecorderEvent {
    /// It runs.
    Opened {
        /// The conference.
        conference: ConferenceKey,
        /// Its id.
        recording: ConferenceRecordingId,
    },
    /// It could not begin.
    NotOpened {
        /// The conference.
        conference: ConferenceKey,
        /// Why; `None`: nobody is left to be recorded.
        failure: Option<RecordingFailure>,
    },
    /// Audio was lost; silence is in its place.
    Lost {
        /// The recording that goes on without it.
        recording: ConferenceRecordingId,
        /// How much since the last time, in milliseconds over all tracks.
        ms: u64,
    },
    /// It ends by itself.
    Failed {
        /// The recording that has ended.
        recording: ConferenceRecordingId,
        /// What made it end.
        failure: RecordingFailure,
    },
}

/// What of recordings the edge keeps.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    running: BTreeMap<ConferenceKey, ConferenceRecordingId>,
    /// Participants who are being told that they are recorded.
    telling: BTreeMap<PlayNumber, (ConferenceKey, ParticipantId)>,
}

impl Calls {
    /// The home of a conference decides about its recording.
    pub(crate) fn command_recording(&mut self, conference: ConferenceKey, command: RecordingCommand) {
        match command {
            RecordingCommand::Open { settings, continues, is_paused } => {
                let Some(room) = self.rooms.get(&conference).map(|room| room.number) else {
                    // Its last call has ended meanwhile.
                    let report = RecordingReport::NotOpened { failure: None };
                    return self.out.home(ToHome::Recording { conference, report });
                };
                self.out.record_room(RecorderCommand::Open {
                    conference,
                    room,
                    settings,
                    continues,
                    is_paused,
                });
            }
            RecordingCommand::Pause { recording, is_paused } => {
                self.out.record_room(RecorderCommand::Pause { recording, is_paused });
            }
            RecordingCommand::End { recording } => {
                self.recordings.running.retain(|_, running| *running != recording);
                self.out.record_room(RecorderCommand::End { recording });
            }
            RecordingCommand::NoteTold { recording, participant } => {
                self.out.record_room(RecorderCommand::NoteTold { recording, participant });
            }
        }
    }

    /// Takes what the recorder says.
    pub(crate) fn handle_recorder(&mut self, event: RecorderEvent) {
        let (conference, report) = match event {
            RecorderEvent::Opened { conference, recording } => {
                info!(conference = %conference.name, account = conference.account.0, %recording, "recording");
                self.recordings.running.insert(conference.clone(), recording.clone());
                let inside = |call: &crate::call::Call| {
                    matches!(call.stage, Stage::Up(_)) && call.seat.as_ref() == Some(&conference)
                };
                let inside: Vec<_> = self
                    .calls
                    .values()
                    .filter(|call| inside(call))
                    .map(|call| call.participant.clone())
                    .collect();
                for participant in inside {
                    self.note_recorded(&conference, &participant);
                }
                (conference, RecordingReport::Opened { recording })
            }
            RecorderEvent::NotOpened { conference, failure } => {
                (conference, RecordingReport::NotOpened { failure })
            }
            RecorderEvent::Lost { recording, ms } => {
                let Some(conference) = self.recorded_into(&recording) else { return };
                (conference, RecordingReport::Lost { recording, ms })
            }
            RecorderEvent::Failed { recording, failure } => {
                let Some(conference) = self.recorded_into(&recording) else { return };
                warn!(conference = %conference.name, account = conference.account.0, %recording, reason = failure.name(), "the recording of a conference has ended by itself");
                self.recordings.running.remove(&conference);
                (conference, RecordingReport::Failed { recording, failure })
            }
        };
        self.out.home(ToHome::Recording { conference, report });
    }

    /// The conference of a recording that runs.
    fn recorded_into(&self, recording: &ConferenceRecordingId) -> Option<ConferenceKey> {
        let mut running = self.recordings.running.iter();
        running.find(|(_, running)| *running == recording).map(|(conference, _)| conference.clone())
    }

    /// A participant is in a conference: the recording, if there is one, gets to know whose track is whose.
    pub(crate) fn note_recorded(&mut self, conference: &ConferenceKey, participant: &ParticipantId) {
        let Some(recording) = self.recordings.running.get(conference).cloned() else { return };
        let Some(number) = self.participants.get(participant).copied() else { return };
        let Some(call) = self.calls.get(&number) else { return };
        let display_name = call.shown_display_name().map(str::to_owned);
        let participant = participant.clone();
        self.out.record_room(RecorderCommand::NoteJoined {
            recording,
            call: number,
            participant,
            display_name,
        });
    }

    /// Tells a participant who came while the conference is recorded.
    pub(crate) fn tell_recorded(&mut self, conference: ConferenceKey, participant: ParticipantId) {
        let Some(number) = self.participants.get(&participant).copied() else { return };
        let language = self.language_of(number);
        // They are heard when they have heard it, whatever is being said to all.
        let play = self.say_at_once(&language, number, Prompt::RecordOn);
        self.recordings.telling.insert(play, (conference, participant));
    }

    /// What was played is over; `false`: it was something else.
    pub(crate) fn handle_told_recorded(&mut self, play: PlayNumber) -> bool {
        let Some((conference, participant)) = self.recordings.telling.remove(&play) else { return false };
        self.out.home(ToHome::Recording { conference, report: RecordingReport::Told { participant } });
        true
    }

    /// A participant is gone: nothing that is played to it ends any more.
    pub(crate) fn forget_telling(&mut self, participant: &ParticipantId) {
        self.recordings.telling.retain(|_, (_, told)| told != participant);
    }
}
