//! Recordings of a conference, as home and edge speak of them.

use crate::{id::ParticipantId, time::Timestamp};
use plenary_model::{ConferenceRecordingId, RecordingFailure, RecordingSettings};
use serde::{Deserialize, Serialize};

/// What is configured about recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingRules {
    /// Conferences may be recorded.
    pub is_allowed: bool,
    /// How a conference is recorded that a leader or its room has recorded.
    pub settings: RecordingSettings,
    /// All hear a short tone every so many seconds while they are recorded; 0: never.
    pub tone_every_s: u32,
}

impl Default for RecordingRules {
    fn default() -> Self {
        Self { is_allowed: true, settings: RecordingSettings::default(), tone_every_s: 0 }
    }
}

/// A recording that was cut off while its conference goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutOffRecording {
    /// Its id.
    pub recording: ConferenceRecordingId,
    /// Which part it was.
    pub part: u32,
    /// How it was made.
    pub settings: RecordingSettings,
    /// It was paused: what follows on it begins paused.
    pub is_paused: bool,
}

/// What an edge is to do about the recording of a conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordingCommand {
    /// Begins one. [`RecordingReport::Opened`] or [`RecordingReport::NotOpened`] answers.
    Open {
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
    /// A participant has been told of it, for its manifest.
    NoteTold {
        /// The recording that it was told of.
        recording: ConferenceRecordingId,
        /// The participant who was told.
        participant: ParticipantId,
    },
}

/// What an edge says about the recording of a conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordingReport {
    /// It runs.
    Opened {
        /// Its id.
        recording: ConferenceRecordingId,
    },
    /// It could not begin.
    NotOpened {
        /// Why; `None`: nobody is left to be recorded.
        failure: Option<RecordingFailure>,
    },
    /// Audio of it was lost, because the disk or the processor is too slow; silence is in its place.
    Lost {
        /// The recording that goes on without it.
        recording: ConferenceRecordingId,
        /// How much since the last report, in milliseconds over all tracks.
        ms: u64,
    },
    /// It has ended by itself.
    Failed {
        /// The recording that has ended.
        recording: ConferenceRecordingId,
        /// What made it end.
        failure: RecordingFailure,
    },
    /// A participant has heard that the conference is recorded.
    Told {
        /// The participant who has heard it.
        participant: ParticipantId,
    },
}

/// A recording that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingOverview {
    /// Its id; `None`: it is about to begin.
    pub recording: Option<ConferenceRecordingId>,
    /// How it is made.
    pub settings: RecordingSettings,
    /// Nothing is recorded for now.
    pub is_paused: bool,
    /// Since when it runs.
    pub started_at: Option<Timestamp>,
}
