//! What a room, which callers reach by keypad, makes of its conference.

use crate::refused::Refused;
use plenary_model::{Announce, AutoRecord, LanguageCode, NameId};
use serde::{Deserialize, Serialize};

/// The rules of a conference that is reached by a room. The conference has those of the caller who got a seat, or a place in the
/// lobby, last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRules {
    /// Callers without a leader's PIN wait until a leader admits them.
    pub lobby: bool,
    /// The conference does not start before a leader is in it.
    pub wait_for_leader: bool,
    /// How the others hear that a participant joins or leaves.
    pub announce: Announce,
    /// Names are announced up to so many participants; from then on tones take their place.
    pub announce_names_max: u32,
    /// Participants other than leaders are muted when they enter.
    pub muted_on_entry: bool,
    /// The conference ends so many seconds after the last leader has left; `None`: it goes on.
    pub end_after_leader_s: Option<u32>,
    /// Minutes before the end of a reserved conference at which its participants hear a warning.
    pub time_warnings_min: Vec<u32>,
    /// A participant who is alone for so many minutes, with no call on the way in, is warned a minute before, and the conference ends;
    /// 0: never.
    pub alone_min: u32,
    /// Whether the conference is recorded as soon as it starts.
    pub record: AutoRecord,
    /// Keys that participants press are told by events.
    pub key_events: bool,
    /// The language of what is said to all.
    pub language: LanguageCode,
}

/// A caller who comes by a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViaRoom {
    /// The room's rules.
    pub rules: RoomRules,
    /// The caller has keyed in the leader's PIN.
    pub is_leader: bool,
    /// The name that the caller has recorded. It is the conference's from the moment at which the caller enters until
    /// [`crate::Effect::ForgetName`]; before that it is the edge's.
    pub name: Option<NameId>,
}

/// How a caller finds the conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arrival {
    /// No other participant is in it.
    pub is_first: bool,
    /// It does not start by the caller's entering, nor by others' who may not start it.
    pub awaits_leader: bool,
}

impl Arrival {
    /// The conference has started, or does so as the caller enters.
    #[must_use]
    pub fn is_started(self) -> bool {
        !self.is_first && !self.awaits_leader
    }
}

/// What becomes of a call that has asked for a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdmitAnswer {
    /// The seat is taken.
    Granted(Arrival),
    /// The call waits in the lobby. Said again when a leader comes or the last one goes.
    Waiting {
        /// A leader is in and has been notified.
        is_leader_told: bool,
    },
    /// The call waits no more, and gets no seat.
    Refused(Refused),
}
