//! Who is muted, and by whom.

use super::{
    EntryOrder, LiveConference,
    floor::{Actor, Floor},
    guest::Guest,
    member::Member,
};
use crate::{
    command::News,
    conferences::turn::Turn,
    controls::{Controls, ControlsChange},
    effect::Notice,
    muting::{MutedBy, Muting},
    refused::{NotAsked, Refused},
};
use plenary_model::{EventKind, ParticipantUpdate};

impl LiveConference {
    /// What a call is muted by when it enters.
    pub(super) fn muting_on_entry(&self, guest: &Guest) -> Muting {
        let (is_leader, preset) = (guest.is_leader(), &guest.preset);
        let by_lecture = self.controls.lecture && !is_leader;
        let of_other = || self.member_by_id(guest.in_place_of.as_ref()?).map(|other| other.muting);
        // A lecture may have begun or ended since the other one has left.
        let muting = preset.muting.map(|muting| match preset.is_left_alone {
            true => Muting { by_lecture, ..muting },
            false => muting,
        });
        if let Some(muting) = muting.or_else(of_other) {
            return preset.muted.map_or(muting, |muted| muting.with_leader(muted));
        }
        Muting {
            own: preset.own_mute,
            by_leader: preset.muted.unwrap_or(self.controls.muted_on_entry && !is_leader),
            // A participant that was unmuted before entering may speak.
            by_lecture: by_lecture && preset.muted != Some(false),
        }
    }

    pub(super) fn may_unmute(&self, member: &Member) -> bool {
        member.is_leader() || member.self_unmute.unwrap_or(self.controls.self_unmute)
    }

    /// A participant mutes or unmutes itself. Returns whether it is muted now.
    pub(in crate::conferences) fn mute_by_key(
        &mut self,
        order: EntryOrder,
        muted: bool,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(member) = self.members.get(&order) else { return muted };
        let muting = member.muting.with_key(muted, self.may_unmute(member));
        let dtmf_enabled = member.dtmf_enabled;
        self.set(order, muting, dtmf_enabled, Actor::Own, turn);
        muting.is_muted()
    }

    /// A muted participant is told by which key it unmutes itself. What a leader or the lecture has muted is its own mute from then on.
    ///
    /// # Errors
    /// [`Refused::NotAsked`].
    pub(in crate::conferences) fn ask_to_unmute(
        &mut self,
        order: EntryOrder,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let Some(member) = self.members.get(&order) else { return Err(Refused::UnknownParticipant) };
        if !member.is_muted() {
            return Err(Refused::NotAsked(NotAsked::NotMuted));
        }
        if !member.is_talker() {
            return Err(Refused::NotAsked(NotAsked::ListenOnly));
        }
        if !member.has_keys() {
            return Err(Refused::NotAsked(NotAsked::NoKey));
        }
        let (id, dtmf_enabled) = (member.id.clone(), member.dtmf_enabled);
        let muting = Muting { own: true, ..Muting::default() };
        self.set(order, muting, dtmf_enabled, Actor::Others, turn);
        turn.tell(&id, News::AskedToUnmute);
        Ok(())
    }

    /// Sets what is given, for a leader or a program.
    pub(in crate::conferences) fn set_options(
        &mut self,
        order: EntryOrder,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
        self_unmute: Option<Option<bool>>,
        turn: &mut Turn<'_>,
    ) {
        let Some(member) = self.members.get_mut(&order) else { return };
        let self_unmute = self_unmute.unwrap_or(member.self_unmute);
        let is_other_right = std::mem::replace(&mut member.self_unmute, self_unmute) != self_unmute;
        if is_other_right {
            let update = ParticipantUpdate { self_unmute: Some(self_unmute), ..ParticipantUpdate::default() };
            turn.publish_of(&member.id, EventKind::ParticipantChanged(update), None);
        }
        let muting = muted.map_or(member.muting, |muted| member.muting.with_leader(muted));
        let dtmf_enabled = dtmf_enabled.unwrap_or(member.dtmf_enabled);
        let is_changed = (member.muting, member.dtmf_enabled) != (muting, dtmf_enabled);
        self.set(order, muting, dtmf_enabled, Actor::Others, turn);
        if is_other_right && !is_changed {
            self.say_options(order, turn);
        }
    }

    /// Mutes all participants, or undoes that: a participant that has muted itself stays muted.
    pub(in crate::conferences) fn mute_all(
        &mut self,
        muted: bool,
        except_leaders: bool,
        turn: &mut Turn<'_>,
    ) {
        self.all_muted = muted;
        self.set_each(None, turn, |member| match except_leaders && member.is_leader() {
            true => member.muting,
            false => Muting { by_leader: muted, ..member.muting },
        });
    }

    /// Who may be heard now.
    pub(in crate::conferences) fn floor(&self) -> Floor {
        match (self.controls.lecture, self.all_muted) {
            (true, _) => Floor::Lecture,
            (false, true) => Floor::AllMuted,
            (false, false) => Floor::Open,
        }
    }

    /// A leader switches from one to another. Each participant hears at most once of what becomes of it.
    pub(in crate::conferences) fn set_floor(
        &mut self,
        floor: Floor,
        leader: EntryOrder,
        turn: &mut Turn<'_>,
    ) {
        self.all_muted = floor == Floor::AllMuted;
        let lecture = floor == Floor::Lecture;
        self.set_controls(Controls { lecture, ..self.controls }, turn);
        self.set_each(Some(leader), turn, |member| match (floor, member.is_leader()) {
            (Floor::Open, _) => Muting { by_leader: false, by_lecture: false, ..member.muting },
            (Floor::AllMuted | Floor::Lecture, true) => member.muting,
            (Floor::AllMuted | Floor::Lecture, false) => {
                Muting { by_leader: floor == Floor::AllMuted, by_lecture: lecture, ..member.muting }
            }
        });
    }

    /// Changes what is set for the conference as a whole, with what follows for its participants.
    /// `pressed`: the leader who does it by key.
    pub(in crate::conferences) fn change_controls(
        &mut self,
        change: ControlsChange,
        pressed: Option<EntryOrder>,
        turn: &mut Turn<'_>,
    ) {
        let before = self.controls;
        let now = before.changed(change);
        self.set_controls(now, turn);
        if before.lecture != now.lecture {
            self.set_each(pressed, turn, |member| Muting {
                by_lecture: now.lecture && !member.is_leader(),
                ..member.muting
            });
        }
    }

    pub(in crate::conferences) fn set_controls(&mut self, controls: Controls, turn: &mut Turn<'_>) {
        if self.controls != controls {
            let before = std::mem::replace(&mut self.controls, controls);
            publish_controls(before, controls, turn);
            turn.notify(|conference| Notice::ControlsChanged { conference, controls });
        }
    }

    /// `pressed`: the leader who does it by key, and is not notified.
    fn set_each(
        &mut self,
        pressed: Option<EntryOrder>,
        turn: &mut Turn<'_>,
        muting: impl Fn(&Member) -> Muting,
    ) {
        let orders: Vec<EntryOrder> = self.members.keys().copied().collect();
        for order in orders {
            let member = &self.members[&order];
            let (muting, dtmf_enabled) = (muting(member), member.dtmf_enabled);
            let actor = if pressed == Some(order) { Actor::Own } else { Actor::Others };
            self.set(order, muting, dtmf_enabled, actor, turn);
        }
    }

    pub(super) fn set(
        &mut self,
        order: EntryOrder,
        muting: Muting,
        dtmf_enabled: bool,
        actor: Actor,
        turn: &mut Turn<'_>,
    ) {
        let Some(member) = self.members.get_mut(&order) else { return };
        let (before, was_heard) = (member.muting, member.is_heard_talking());
        if (before, member.dtmf_enabled) == (muting, dtmf_enabled) {
            return;
        }
        if member.dtmf_enabled != dtmf_enabled {
            let update =
                ParticipantUpdate { dtmf_enabled: Some(dtmf_enabled), ..ParticipantUpdate::default() };
            turn.publish_of(&member.id, EventKind::ParticipantChanged(update), None);
        }
        (member.muting, member.dtmf_enabled) = (muting, dtmf_enabled);
        member.publish_muting(before, turn);
        member.publish_talking(was_heard, turn);
        self.say_options(order, turn);
        let is_unmuted = before.is_muted() && !muting.is_muted();
        if is_unmuted && actor == Actor::Others {
            self.set_hand(order, false, turn);
        }
        self.refresh(order, turn);
        if actor == Actor::Others {
            self.tell_muting(order, before, turn);
        }
    }

    /// Keys that were switched off for one who is not in yet are off from its first one on.
    pub(super) fn say_keys_are_off(&self, order: EntryOrder, turn: &mut Turn<'_>) {
        if self.members.get(&order).is_some_and(|member| !member.dtmf_enabled) {
            self.say_options(order, turn);
        }
    }

    fn say_options(&self, order: EntryOrder, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get(&order) else { return };
        turn.notify(|conference| Notice::OptionsChanged {
            conference,
            participant: member.id.clone(),
            muted: member.muting.is_muted(),
            muted_by: member.muting.muted_by(),
            dtmf_enabled: member.dtmf_enabled,
        });
    }

    pub(super) fn tell_muted_on_entry(&self, order: EntryOrder, turn: &mut Turn<'_>) {
        self.tell_muting(order, Muting::default(), turn);
    }

    /// Notifies a participant of what others have changed about its muting, if that makes a difference to it: who may only listen
    /// is heard in no case.
    fn tell_muting(&self, order: EntryOrder, before: Muting, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get(&order).filter(|member| member.is_talker()) else { return };
        let by_others = |by: Option<MutedBy>| matches!(by, Some(MutedBy::Leader | MutedBy::Lecture));
        let (was, is) = (before.muted_by(), member.muting.muted_by());
        let may_undo = |muting: Muting| self.may_unmute(member) && !muting.by_lecture;
        let self_unmute = may_undo(member.muting);
        // That the key which was named does nothing any more is told, too.
        let is_other = !by_others(was) || (may_undo(before) && !self_unmute);
        if was.is_some() && is.is_none() {
            turn.tell(&member.id, News::UnmutedByLeader);
        } else if by_others(is) && is_other {
            turn.tell(&member.id, News::MutedByLeader { self_unmute });
        }
    }
}

/// What is set for the conference has changed: each has an event of its own.
fn publish_controls(before: Controls, now: Controls, turn: &mut Turn<'_>) {
    if before.locked != now.locked {
        turn.publish(match now.locked {
            true => EventKind::ConferenceLocked {},
            false => EventKind::ConferenceUnlocked {},
        });
    }
    if before.lecture != now.lecture {
        turn.publish(EventKind::ConferenceLecture { lecture: now.lecture });
    }
    let Controls { muted_on_entry, self_unmute, .. } = now;
    if (before.muted_on_entry, before.self_unmute) != (muted_on_entry, self_unmute) {
        turn.publish(EventKind::ConferenceChanged { muted_on_entry, self_unmute });
    }
}
