//! Recordings of conferences: how they are made, and what is known of one.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Names a recording of a conference, across nodes and restarts: 32 hexadecimal digits that sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConferenceRecordingId(pub String);

impl fmt::Display for ConferenceRecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a conference is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingSettings {
    /// One track or one for each participant.
    pub tracks: RecordedTracks,
    /// Of the files.
    pub format: RecordingFormat,
    /// Participants are told: at its beginning, at its end and in between, and who comes later.
    pub announce: bool,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self { tracks: RecordedTracks::Mixed, format: RecordingFormat::Opus, announce: true }
    }
}

/// How audio is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingFormat {
    /// Ogg with Opus, mono, 48 kHz (RFC 7845).
    #[default]
    Opus,
    /// WAV, mono, 48 kHz, 16 bits.
    Wav,
}

impl RecordingFormat {
    /// The end of a file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Wav => "wav",
        }
    }

    /// The media type (RFC 7845, section 9).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/ogg; codecs=opus",
            Self::Wav => "audio/wav",
        }
    }
}

/// What is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordedTracks {
    /// One track: what a listener hears.
    #[default]
    Mixed,
    /// A track for each participant.
    Separate,
}

/// How a recording does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It is being written.
    Running,
    /// It was ended.
    Finished,
    /// The service ended while it was being written; what is there can be played.
    Interrupted,
    /// It could not be written on; what is there can be played.
    Failed,
}

/// Why a recording has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingEnd {
    /// It was stopped, or nobody was left.
    Stopped,
    /// The disk has no more than the space that is to be kept free.
    StorageFull,
    /// The disk could not be written to.
    StorageFailed,
    /// A file is as long as its format allows.
    TooLong,
    /// The service ended.
    Interrupted,
}

/// Why a recording cannot begin, or ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingFailure {
    /// The disk has no more than the space that is to be kept free.
    StorageFull,
    /// The disk, or the database, could not be written to.
    StorageFailed,
    /// A file is as long as its format allows.
    TooLong,
}

impl RecordingFailure {
    /// Its name, as the reason of an event.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StorageFull => "storage_full",
            Self::StorageFailed => "storage_failed",
            Self::TooLong => "too_long",
        }
    }
}

impl From<RecordingFailure> for RecordingEnd {
    fn from(failure: RecordingFailure) -> Self {
        match failure {
            RecordingFailure::StorageFull => Self::StorageFull,
            RecordingFailure::StorageFailed => Self::StorageFailed,
            RecordingFailure::TooLong => Self::TooLong,
        }
    }
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingManifest {
    /// Its id, unique across nodes.
    pub id: String,
    /// The number of the account whose conference it was.
    pub account: i64,
    /// The name of the conference.
    pub conference: String,
    /// Counts the recordings of one conference that follow on each other after interruptions, from 1.
    pub part: u32,
    /// The recording that this one follows on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
    /// How it does.
    pub state: RecordingState,
    /// What is recorded.
    pub tracks_kind: RecordedTracks,
    /// The format of its files.
    pub format: RecordingFormat,
    /// Participants are told of it.
    pub announced: bool,
    /// When it began, in milliseconds since the epoch.
    pub started_at_ms: i64,
    /// When it ended. It may be known before the files are complete: until then it is running by its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<i64>,
    /// Why it ended; `None`: it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<RecordingEnd>,
    /// How long it plays, in milliseconds: pauses are left out.
    pub duration_ms: u64,
    /// Audio that was lost because the disk or the processor was too slow, in milliseconds over all tracks. Silence of the same
    /// length is in its place.
    pub lost_ms: u64,
    /// Its files. All begin at the same moment.
    pub tracks: Vec<RecordedTrack>,
    /// Who was there.
    pub participants: Vec<RecordedParticipant>,
    /// When nothing was recorded.
    pub pauses: Vec<RecordingPause>,
    /// How its transcript does; `None`: none is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<TranscriptState>,
}

/// How a transcript does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranscriptState {
    /// It is being made, or waits for that.
    Waiting,
    /// It is there.
    Ready,
    /// It could not be made.
    Failed,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTrack {
    /// Its number, from 1.
    pub number: u32,
    /// The name of the file.
    pub file: String,
    /// The participant whose voice it is; `None`: it is the mix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_id: Option<String>,
    /// When the participant was heard first, in milliseconds from the beginning; silence comes before.
    pub offset_ms: u64,
    /// Octets; 0 while it is being written.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A participant of a recorded conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedParticipant {
    /// Its id.
    pub participant_id: String,
    /// Its name, as it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// When it came, in milliseconds since the epoch; with the beginning where it was there before.
    pub joined_at_ms: i64,
    /// When it had heard that the conference is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at_ms: Option<i64>,
}

/// A time in which nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingPause {
    /// The place in the recording, in milliseconds from its beginning.
    pub at_ms: u64,
    /// When it began, in milliseconds since the epoch.
    pub began_at_ms: i64,
    /// When it ended; `None`: it has not, or the recording ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<i64>,
}

impl RecordingManifest {
    /// Of a recording that begins.
    #[must_use]
    pub fn begun(
        id: String,
        account: i64,
        conference: String,
        settings: RecordingSettings,
        started_at_ms: i64,
    ) -> Self {
        let RecordingSettings { tracks, format, announce } = settings;
        Self {
            id,
            account,
            conference,
            part: 1,
            continues: None,
            state: RecordingState::Running,
            tracks_kind: tracks,
            format,
            announced: announce,
            started_at_ms,
            ended_at_ms: None,
            end_reason: None,
            duration_ms: 0,
            lost_ms: 0,
            tracks: Vec::new(),
            participants: Vec::new(),
            pauses: Vec::new(),
            transcript: None,
        }
    }

    /// Nothing was being recorded when this was written: a pause had begun and not ended.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.pauses.last().is_some_and(|pause| pause.ended_at_ms.is_none())
    }
}

impl RecordingState {
    /// Its name, as in JSON and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}
