//! Call records: who called, when, and how it ended.

use crate::{AccountId, Timestamp};

/// A call that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Its id, which is its participant id: `01234567a1b1c1c2.234`.
    pub id: String,
    /// Whose inbound service was called.
    pub account: AccountId,
    /// The inbound service.
    pub service: String,
    /// The conference it was connected to, if it was.
    pub conference: Option<String>,
    /// Who called.
    pub from: String,
    /// The name or number that was called.
    pub to: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Whether we called.
    pub is_outgoing: bool,
    /// The trunk that it came or went through.
    pub trunk: Option<String>,
    /// What admitted the caller: `network`, `trunk`, `user`, `token`, `webrtc`; `None`: we called.
    pub admitted_by: Option<String>,
}

/// A call as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecordEntry {
    /// How it began.
    pub call: CallRecord,
    /// When it ended; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub cause: Option<String>,
    /// Statistics of its media, as given when it ended.
    pub stats: Option<String>,
}

/// Something to write down of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEntry {
    /// It has begun.
    Started {
        /// Who, whom, when.
        call: CallRecord,
        /// What it takes to end it after a crash.
        dialog: Option<String>,
    },
    /// A call of ours was answered.
    Answered {
        /// Which.
        id: String,
        /// The trunk that it went through in the end.
        trunk: Option<String>,
        /// What it takes to end it after a crash.
        dialog: String,
    },
    /// A call that came by an entry is in a conference.
    Entered {
        /// Which.
        id: String,
        /// Where it is.
        conference: String,
    },
    /// It is over.
    Ended {
        /// Which.
        id: String,
        /// When.
        at: Timestamp,
        /// How.
        cause: String,
        /// Statistics of its media.
        stats: Option<String>,
    },
}
