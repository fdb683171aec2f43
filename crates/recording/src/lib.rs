//! Recordings of conferences: files that can be played whatever happens, and the threads that write them.
//!
//! A media thread hands frames of 20 ms to a [`Feed`]; [`Recorder`] encodes and writes them on threads of its own. A file ends
//! with a whole page at any moment: after a crash or with a full disk it plays up to the last 200 ms. [`Archive::repair`] completes
//! what a crash has cut off; [`Archive`] finds and deletes what is there.
//!
//! The crate knows no conference: who may record, and who is told, is decided elsewhere.

#![forbid(unsafe_code)]

mod archive;
mod feed;
mod file;
mod manifest;
mod names;
mod ogg;
mod output;
mod peaks;
mod recorder;
mod repair;
mod session;
#[cfg(test)]
mod tests;
mod track;
mod transcript;
mod wav;

pub use archive::{Archive, is_id};
pub use feed::{Feed, FeedKind, FeedReader, Frame, NoFrame, TrackSource, feed};
pub use file::{KeyFileError, Keys, StoredFile};
pub use peaks::{Peaks, peaks};
pub use recorder::{
    OnRecorderEvent, OpenError, OpenRequest, Recorder, RecorderConfig, RecorderEvent, SYNC_EVERY,
};
pub use repair::{Repaired, repair};
pub use session::Note;
pub use transcript::TranscriptWork;

use std::time::{SystemTime, UNIX_EPOCH};

/// The calendar's time, in milliseconds since the epoch.
fn wall_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
