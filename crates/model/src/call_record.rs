//! Call records: who called, when, and how it ended.

use crate::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which side ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The other side: it hung up, cancelled, refused, or pressed its exit key.
    Remote,
    /// This side: for a program, a leader, the calendar, or because something failed.
    Service,
    /// Neither: the other side was not reached any more, or the service was cut off.
    Network,
}

impl EndedBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Remote, Self::Service, Self::Network];

    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Service => "service",
            Self::Network => "network",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

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
    /// When it was answered; `None`: not yet, or never.
    pub answered_at: Option<Timestamp>,
    /// Whether we called.
    pub is_outgoing: bool,
    /// The trunk that it came or went through.
    pub trunk: Option<String>,
    /// What admitted the caller: `network`, `trunk`, `user`, `token`, `guest`, `webrtc`; `None`: we called.
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
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// Statistics of its media, as given when it ended.
    pub stats: Option<String>,
}

impl CallRecordEntry {
    /// The cause of calls that a crash has ended.
    pub const INTERRUPTED: &str = "interrupted";

    /// A crash has ended it: it ended as of when the service last ran, and the log was closed when it ran again.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.cause.as_deref() == Some(Self::INTERRUPTED)
    }
}

/// What the statistics at the end of a call say about it. Records of earlier versions lack some of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CallQuality {
    /// The codec, by its name in SDP.
    pub codec: Option<String>,
    /// The SRTP cipher, by its name in SDP.
    pub srtp: Option<String>,
    /// RTP packets received.
    pub packets_received: u64,
    /// Of those expected, so many did not come.
    pub packets_lost: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Interarrival jitter at the end.
    pub jitter_ms: f64,
    /// The highest of it.
    pub jitter_ms_max: f64,
    /// Mean opinion score at the end; 0: nothing came.
    pub mos: f64,
    /// The lowest of it.
    pub mos_min: Option<f64>,
    /// Share of sent packets that the other side last reported as lost.
    pub remote_loss: Option<f64>,
    /// Jitter in the other side's last report.
    pub remote_jitter_ms: Option<f64>,
    /// Round-trip time by RTCP.
    pub round_trip_ms: Option<f64>,
    /// How long audio flowed one way.
    pub one_way_ms: u64,
}

impl CallRecordEntry {
    /// What its statistics say; `None`: there are none.
    #[must_use]
    pub fn quality(&self) -> Option<CallQuality> {
        serde_json::from_str(self.stats.as_deref()?).ok()
    }
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
        /// The call, by its id.
        id: String,
        /// When it was answered.
        at: Timestamp,
        /// The trunk that it went through in the end.
        trunk: Option<String>,
        /// What it takes to end it after a crash.
        dialog: String,
    },
    /// A call that came by an entry is in a conference.
    Entered {
        /// The call, by its id.
        id: String,
        /// Where it is.
        conference: String,
    },
    /// It is over.
    Ended {
        /// The call, by its id.
        id: String,
        /// When it ended.
        at: Timestamp,
        /// Who ended it and why, in words.
        cause: String,
        /// By whom.
        ended_by: EndedBy,
        /// Statistics of its media.
        stats: Option<String>,
    },
}
