//! Conferences that are over: when they were, who was in them, and why they ended.

use crate::{ConferenceKey, ParticipantId, ReservationToken, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a participant left, or a conference ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum HistoryReason {
            $($(#[$doc])* $name,)*
        }

        impl HistoryReason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As it is stored and shown.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// The call ended by itself: the participant hung up, or was not reached any more.
    HungUp = "hung_up",
    /// The participant pressed its exit key.
    ExitKey = "exit_key",
    /// The participant went to another conference.
    Moved = "moved",
    /// A program removed the participant.
    Ejected = "ejected",
    /// A leader removed the participant.
    RemovedByLeader = "removed_by_leader",
    /// The participant was alone for too long.
    Alone = "alone",
    /// The last participant left.
    AllLeft = "all_left",
    /// The reservation's time was up.
    TimeIsUp = "time_is_up",
    /// The leader left, with whom the conference ends.
    LeaderLeft = "leader_left",
    /// A program ended the conference.
    Ended = "ended",
    /// A leader ended the conference.
    EndedByLeader = "ended_by_leader",
    /// The service was stopped.
    Stopped = "stopped",
    /// The service was cut off.
    Interrupted = "interrupted",
}

impl HistoryReason {
    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }
}

/// Something to write down of a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryEntry {
    /// It has begun: its first participant is in, or its reservation's time has come.
    Began {
        /// Its id in the history. Ids sort by time.
        id: String,
        /// The conference, which may begin again under another id.
        conference: ConferenceKey,
        /// When it began.
        at: Timestamp,
        /// The reservation that it is of.
        reservation: Option<ReservationToken>,
        /// So many participants may be in.
        seats: u32,
    },
    /// A participant has entered.
    Entered {
        /// The conference, by its id in the history.
        id: String,
        /// The participant, by the id of its call.
        participant: ParticipantId,
        /// When it entered.
        at: Timestamp,
        /// It is a leader.
        is_leader: bool,
        /// So many are in now.
        present: u32,
    },
    /// A participant was made a leader.
    MadeLeader {
        /// The conference, by its id in the history.
        id: String,
        /// The participant, by the id of its call.
        participant: ParticipantId,
    },
    /// A participant has left.
    Left {
        /// The conference, by its id in the history.
        id: String,
        /// The participant, by the id of its call.
        participant: ParticipantId,
        /// When it left.
        at: Timestamp,
        /// Why it left.
        reason: HistoryReason,
    },
    /// It is over.
    Ended {
        /// The conference, by its id in the history.
        id: String,
        /// When it ended.
        at: Timestamp,
        /// Why it ended.
        reason: HistoryReason,
    },
}

/// A conference of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastConference {
    /// Its id. Ids sort by time.
    pub id: String,
    /// Its name.
    pub conference: String,
    /// It was reserved.
    pub is_reserved: bool,
    /// So many participants might be in.
    pub seats: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why it ended.
    pub end_reason: HistoryReason,
    /// The most participants at a time.
    pub peak: u32,
    /// The time that participants were in, all together, in milliseconds.
    pub present_ms: i64,
    /// Participants who entered.
    pub entries: u32,
}

/// A stay of a participant in a conference of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastParticipant {
    /// The participant, by the id of its call.
    pub participant: String,
    /// When it entered.
    pub entered_at: Timestamp,
    /// When it left.
    pub left_at: Timestamp,
    /// Why it left.
    pub leave_reason: HistoryReason,
    /// It was a leader.
    pub is_leader: bool,
    /// Who called, as its call record has it; `None`: there is none.
    pub from: Option<String>,
    /// What was called.
    pub to: Option<String>,
    /// We called.
    pub is_outgoing: Option<bool>,
}

/// Something to write down of a call or of a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordEntry {
    /// Of a call.
    Call(crate::CallEntry),
    /// Of a conference.
    Conference(HistoryEntry),
}
