//! What the others hear when a participant comes or goes: its own sounds, and what the rules of a room say.

use super::{EntryOrder, Followed, LiveConference, member::Member};
use crate::{
    conferences::turn::Turn,
    effect::{Announcement, Effect},
    participant::{ParticipantOptions, PlayList},
    room::RoomRules,
};
use plenary_model::{Announce, NameId};

impl LiveConference {
    /// Switches entry and exit sounds on or off. Returns whether they are on now.
    pub(in crate::conferences) fn toggle_sounds(&mut self) -> bool {
        self.is_quiet = !self.is_quiet;
        !self.is_quiet
    }

    /// `replaces`: it comes in place of another call of the same person, so no participant joins.
    pub(super) fn sound_entry(&self, order: EntryOrder, replaces: bool, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get(&order).filter(|_| self.has_sounds()) else { return };
        if member.options.beep_on_entry && self.beeps(member) {
            turn.effect(Effect::Beep { to: turn.all() });
        }
        if let Some(list) = message(&member.options, &member.options.has_joined_message) {
            turn.play(turn.all_but(&member.id), list);
        }
        if self.announces() && !replaces {
            let name = self.announced_name(member, self.members.len());
            turn.announce_to_others(&member.id, Announcement::Joined { name });
        }
    }

    /// One has left a conference that has not stopped yet: the last one who stays hears it too, and then the conference falls silent.
    pub(super) fn sound_exit(&self, gone: &Member, turn: &mut Turn<'_>) {
        if !self.has_sounds() {
            return;
        }
        if let Some(list) = message(&gone.options, &gone.options.has_left_message) {
            turn.play(turn.all(), list);
        }
        if !gone.is_replaced {
            self.announce_exit(gone, turn);
        }
    }

    /// The call that was to take the place of this one has not come. Those who heard it until it left hear now that it has.
    pub(super) fn sound_late_exit(&self, gone: &Followed, turn: &mut Turn<'_>) {
        if gone.was_started && !self.is_quiet && self.has_members() {
            self.announce_exit(&gone.member, turn);
        }
    }

    fn announce_exit(&self, gone: &Member, turn: &mut Turn<'_>) {
        if self.announces() {
            let name = self.announced_name(gone, self.members.len() + 1);
            turn.announce_to_others(&gone.id, Announcement::Left { name });
        }
    }

    fn has_sounds(&self) -> bool {
        self.is_started() && !self.is_quiet
    }

    fn announce(&self) -> Option<Announce> {
        self.rules.as_ref().map(|rules| rules.announce)
    }

    fn announces(&self) -> bool {
        matches!(self.announce(), Some(Announce::Name | Announce::Tone))
    }

    /// Whether the beep of its options is heard: an announcement takes its place, and where a room has none it is meant for those
    /// who come otherwise.
    fn beeps(&self, member: &Member) -> bool {
        !self.announces() && member.via.is_none()
    }

    fn announced_name(&self, member: &Member, count: usize) -> Option<NameId> {
        // In a big conference names would be said most of the time, and few listeners know them all.
        let is_for = |rules: &RoomRules| {
            rules.announce == Announce::Name && count <= rules.announce_names_max as usize
        };
        let by_name = self.rules.as_ref().is_some_and(is_for);
        member.name().filter(|_| by_name).cloned()
    }
}

/// The member's name and then the message. Without a message nothing is played.
fn message(options: &ParticipantOptions, message: &Option<PlayList>) -> Option<PlayList> {
    let message = message.as_ref()?;
    let name = options.name.iter().flat_map(|name| &name.0);
    Some(PlayList(name.chain(&message.0).cloned().collect()))
}
