//! Recordings and their transcripts.

use anyhow::bail;
use plenary_conference::RecordingRules;
use plenary_model::{RecordedTracks, RecordingFormat, RecordingSettings};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The most days that recordings can be kept: ten years.
const DAYS_MAX: u32 = 3660;
/// The longest time between two tones.
const TONE_SECONDS_MAX: u32 = 3600;

/// `[recordings]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RecordingConfig {
    /// Conferences may be recorded.
    pub(crate) enabled: bool,
    /// How a conference is recorded that a leader or its room has recorded, and where a program does not say.
    pub(crate) tracks: RecordedTracks,
    pub(crate) format: RecordingFormat,
    /// Participants are told.
    pub(crate) announce: bool,
    /// All hear a tone every so many seconds; 0: never.
    pub(crate) tone_seconds: u32,
    /// Bits per second of Opus.
    pub(crate) opus_bitrate: u32,
    /// So many bytes of the disk stay free.
    pub(crate) keep_free_bytes: u64,
    /// Recordings are deleted so many days after their end; 0: never.
    pub(crate) days: u32,
    /// Threads that encode and write. 0: half as many as there are cores.
    pub(crate) threads: usize,
    /// A file of keys: the first encrypts what is recorded, all decrypt it. None: recordings are not encrypted.
    pub(crate) key_file: Option<PathBuf>,
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            tracks: RecordedTracks::Mixed,
            format: RecordingFormat::Opus,
            announce: true,
            tone_seconds: 0,
            opus_bitrate: 32_000,
            keep_free_bytes: 1_000_000_000,
            days: 30,
            threads: 0,
            key_file: None,
        }
    }
}

impl RecordingConfig {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if !(6000..=128_000).contains(&self.opus_bitrate) {
            bail!("[recordings] opus_bitrate is {}: 6000 to 128000 are allowed", self.opus_bitrate);
        }
        if self.days > DAYS_MAX {
            bail!("[recordings] days is {}: 0 to {DAYS_MAX} are allowed", self.days);
        }
        if self.tone_seconds > TONE_SECONDS_MAX {
            bail!("[recordings] tone_seconds is {}: 0 to {TONE_SECONDS_MAX} are allowed", self.tone_seconds);
        }
        if self.threads > 64 {
            bail!("[recordings] threads is {}: 0 to 64 are allowed", self.threads);
        }
        Ok(())
    }

    pub(crate) fn rules(&self) -> RecordingRules {
        RecordingRules {
            is_allowed: self.enabled,
            settings: self.settings(),
            tone_every_s: self.tone_seconds,
        }
    }

    pub(crate) fn settings(&self) -> RecordingSettings {
        RecordingSettings { tracks: self.tracks, format: self.format, announce: self.announce }
    }
}

/// The longest time that a transcript may take: a week.
const TRANSCRIPT_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// `[transcripts]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TranscriptConfig {
    /// The program that makes them, with its first arguments. None: no transcripts are made.
    pub(crate) command: Vec<String>,
    /// So long one may take.
    pub(crate) timeout_seconds: u64,
}

impl Default for TranscriptConfig {
    fn default() -> Self {
        Self { command: Vec::new(), timeout_seconds: 6 * 3600 }
    }
}

impl TranscriptConfig {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.command.first().is_some_and(String::is_empty) {
            bail!(
                "[transcripts] command begins with an empty name: name a program, as in [\"/usr/local/bin/transcribe\"]"
            );
        }
        if !(1..=TRANSCRIPT_SECONDS_MAX).contains(&self.timeout_seconds) {
            bail!(
                "[transcripts] timeout_seconds is {}: 1 to {TRANSCRIPT_SECONDS_MAX} are allowed",
                self.timeout_seconds
            );
        }
        Ok(())
    }
}
