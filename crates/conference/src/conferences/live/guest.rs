//! Calls that are not in yet: on the way in, or in the lobby.

use crate::{
    event::ParticipantChange,
    id::ParticipantId,
    muting::Muting,
    participant::ParticipantOptions,
    room::{RoomRules, ViaRoom},
};
use plenary_model::Introduction;

/// A call that has asked for a seat, until it is in.
#[derive(Debug, Clone)]
pub(in crate::conferences) struct Guest {
    pub(in crate::conferences) options: ParticipantOptions,
    /// The room that it comes by.
    pub(in crate::conferences) via: Option<Box<ViaRoom>>,
    /// Whose place it takes, where it takes another's.
    pub(in crate::conferences) in_place_of: Option<ParticipantId>,
    /// What was set for it meanwhile.
    pub(in crate::conferences) preset: Preset,
    /// Who it is, as far as others may see.
    pub(in crate::conferences) who: Introduction,
    /// We call it.
    pub(in crate::conferences) is_called: bool,
    /// Its call has failed, as was published.
    pub(in crate::conferences) has_failed: bool,
}

/// What a participant enters with because it was set before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::conferences) struct Preset {
    pub(in crate::conferences) muted: Option<bool>,
    /// It has muted itself, in the conference that it comes from.
    pub(in crate::conferences) own_mute: bool,
    /// What the call was muted by whose place it takes, once that is known; `muted` above comes after it.
    pub(in crate::conferences) muting: Option<Muting>,
    /// That one has left before this one is in.
    pub(in crate::conferences) is_left_alone: bool,
    pub(in crate::conferences) dtmf_enabled: Option<bool>,
    pub(in crate::conferences) self_unmute: Option<bool>,
    pub(in crate::conferences) held: bool,
    /// Its telephone has put the conference that it comes from on hold.
    pub(in crate::conferences) held_by_telephone: bool,
    pub(in crate::conferences) leader: Option<bool>,
    pub(in crate::conferences) heard_by: Option<Vec<ParticipantId>>,
    /// The hand of the call whose place it takes is up.
    pub(in crate::conferences) has_hand_up: bool,
}

impl Guest {
    pub(in crate::conferences) fn is_leader(&self) -> bool {
        self.preset.leader.unwrap_or_else(|| self.is_leader_by_itself())
    }

    /// By its options or its PIN.
    pub(super) fn is_leader_by_itself(&self) -> bool {
        self.options.is_leader() || self.via.as_ref().is_some_and(|via| via.is_leader)
    }

    pub(in crate::conferences) fn rules(&self) -> Option<&RoomRules> {
        self.via.as_ref().map(|via| &via.rules)
    }
}

impl Preset {
    /// A change of one who is not in yet.
    pub(in crate::conferences) fn change(&mut self, change: ParticipantChange) {
        let ParticipantChange { muted, dtmf_enabled, self_unmute, lower_hand: _, held, leader, heard_by } =
            change;
        self.muted = muted.or(self.muted);
        self.dtmf_enabled = dtmf_enabled.or(self.dtmf_enabled);
        self.self_unmute = self_unmute.unwrap_or(self.self_unmute);
        self.held = held.unwrap_or(self.held);
        self.leader = leader.or(self.leader);
        if let Some(by) = heard_by {
            self.heard_by = by;
        }
    }
}
