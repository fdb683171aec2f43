//! What is asked about conferences and reservations, and what is listed.

use crate::{
    controls::Controls,
    id::{ConferenceName, ParticipantId, ReservationToken},
    muting::MutedBy,
    recording::RecordingOverview,
    reservation::Reservation,
    state::State,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// One line of the conference list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceSummary {
    /// Its name.
    pub name: ConferenceName,
    /// Its state.
    pub state: State,
    /// Its seats.
    pub max_participants: u32,
    /// The reservation behind it, if it is a reserved conference.
    pub reservation: Option<Reservation>,
}

/// One line of the participant list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantSummary {
    /// Its id.
    pub id: ParticipantId,
    /// Muted, for whatever reason. A listen-only participant is not muted by being so.
    pub muted: bool,
    /// The reason that is hardest to undo; `None`: not muted.
    pub muted_by: Option<MutedBy>,
    /// Whether the participant's keys do anything.
    pub dtmf_enabled: bool,
    /// It is a leader: by its options, by the leader's PIN of its room, or because it was made one.
    pub is_leader: bool,
    /// When it entered; `None`: it is on the way in, or waits.
    pub entered_at: Option<Timestamp>,
    /// It waits in the lobby.
    pub waits: bool,
    /// It is on hold, or has put the conference on hold.
    pub is_held: bool,
    /// A leader, or a program, has put it on hold.
    pub is_held_by_leader: bool,
    /// Since when its hand is up.
    pub hand_raised_at: Option<Timestamp>,
    /// It may unmute itself although a leader has muted it.
    pub may_unmute: bool,
    /// Only these hear it; `None`: all do.
    pub heard_by: Option<Vec<ParticipantId>>,
}

/// A conference named the way the web services do: by name, by token, or by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConferenceRef {
    /// By name.
    Name(ConferenceName),
    /// By token.
    Token(ReservationToken),
    /// By both, which must agree.
    Both(ConferenceName, ReservationToken),
}

/// A conference with what is going on in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConferenceOverview {
    /// Its name.
    pub name: ConferenceName,
    /// Its state; HOLDING while calls are on the way in or in the lobby, and none is in.
    pub state: State,
    /// The reservation behind it, if it is a reserved conference.
    pub reservation: Option<Reservation>,
    /// Its seats.
    pub max_participants: u32,
    /// Participants while it is ACTIVE.
    pub participants: usize,
    /// Callers who wait: in the lobby, or in it while it is not ACTIVE.
    pub waiting: usize,
    /// Since when it is ACTIVE.
    pub started_at: Option<Timestamp>,
    /// What is set for it; `None` where it is not open.
    pub controls: Option<Controls>,
    /// Its recording, while it is recorded.
    pub recording: Option<RecordingOverview>,
}

/// Which reservations of an account to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationsQuery {
    /// Of the conference of this name.
    pub conference: Option<ConferenceName>,
    /// Those that end after this instant.
    pub from: Option<Timestamp>,
    /// Those that start before this instant.
    pub to: Option<Timestamp>,
    /// Those in this state.
    pub state: Option<State>,
    /// Those behind the one with this start and this token.
    pub after: Option<(Timestamp, ReservationToken)>,
    /// So many at the most.
    pub limit: usize,
}

impl Default for ReservationsQuery {
    fn default() -> Self {
        Self { conference: None, from: None, to: None, state: None, after: None, limit: usize::MAX }
    }
}
