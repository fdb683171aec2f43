//! A conference with participants: who they are, and who hears whom.

use super::listing::ParticipantSummary;
use crate::{
    controls::{Controls, ControlsChange},
    effect::{Audience, Effect, EndReason, Notice},
    id::{ConferenceKey, ParticipantId},
    muting::Muting,
    participant::{Digit, ParticipantOptions, PlayList},
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The order in which members entered; the participant list is in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryOrder(u64);

/// The participants of a conference. Stopped (HOLDING) at first; they do not hear each other until it starts.
#[derive(Debug)]
pub(super) struct LiveConference {
    pub(super) max_participants: u32,
    /// Since when its members hear each other; `None`: they do not.
    started_at: Option<Timestamp>,
    pub(super) controls: Controls,
    /// Calls that have a seat but are not up yet: they count, and nothing else.
    admitted: BTreeSet<ParticipantId>,
    members: BTreeMap<EntryOrder, Member>,
    next_order: u64,
}

/// A participant who is in.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: ParticipantId,
    options: ParticipantOptions,
    muting: Muting,
    dtmf_enabled: bool,
    entered_at: Timestamp,
    /// What was last said about its voice, so that only changes are said.
    voice: Option<Voice>,
    looping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Voice {
    speaks: bool,
    listens: bool,
}

/// What a member enters with.
#[derive(Debug)]
pub(super) struct Entering {
    pub(super) options: ParticipantOptions,
    pub(super) preset: Preset,
    pub(super) at: Timestamp,
}

/// What was set for a member before it was in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Preset {
    pub(super) muted: Option<bool>,
    pub(super) dtmf_enabled: Option<bool>,
}

/// What a key press means for the participant who pressed it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyAction {
    Nothing,
    Leave,
}

impl LiveConference {
    pub(super) fn new(max_participants: u32) -> Self {
        Self {
            max_participants,
            started_at: None,
            controls: Controls::default(),
            admitted: BTreeSet::new(),
            members: BTreeMap::new(),
            next_order: 0,
        }
    }

    pub(super) fn is_started(&self) -> bool {
        self.started_at.is_some()
    }

    pub(super) fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.admitted.len() + self.members.len() >= self.max_participants as usize
    }

    /// No participant is in or on the way in.
    pub(super) fn is_deserted(&self) -> bool {
        self.admitted.is_empty() && self.members.is_empty()
    }

    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(super) fn admit(&mut self, id: ParticipantId) {
        self.admitted.insert(id);
    }

    pub(super) fn withdraw(&mut self, id: &ParticipantId) {
        self.admitted.remove(id);
    }

    /// An admitted call is up: the member enters, and may start the conference.
    pub(super) fn enter(
        &mut self,
        key: &ConferenceKey,
        id: &ParticipantId,
        entering: Entering,
        effects: &mut VecDeque<Effect>,
    ) -> EntryOrder {
        let Entering { options, preset, at } = entering;
        self.admitted.remove(id);
        let order = EntryOrder(self.next_order);
        self.next_order += 1;
        let (beep, joined) = (options.beep_on_entry, announcement(&options, &options.has_joined_message));
        let muting = self.muting_on_entry(&options, preset);
        self.members.insert(
            order,
            Member {
                id: id.clone(),
                options,
                muting,
                dtmf_enabled: preset.dtmf_enabled.unwrap_or(true),
                entered_at: at,
                voice: None,
                looping: false,
            },
        );
        effects.push_back(Effect::Notify(Notice::ParticipantEntered {
            conference: key.clone(),
            participant: id.clone(),
        }));
        if !self.is_started() && self.may_start() {
            self.started_at = Some(at);
            effects.push_back(Effect::Notify(Notice::ConferenceStarted { conference: key.clone() }));
            self.refresh_all(key, effects);
        } else {
            self.refresh(key, order, effects);
        }
        if self.is_started() {
            if beep {
                effects.push_back(Effect::Beep { to: Audience::All(key.clone()) });
            }
            if let Some(list) = joined {
                let to = Audience::AllBut(key.clone(), id.clone());
                effects.push_back(Effect::Play { to, what: list });
            }
        }
        order
    }

    /// What a member is muted by when it enters.
    fn muting_on_entry(&self, options: &ParticipantOptions, preset: Preset) -> Muting {
        let is_leader = options.is_leader();
        Muting {
            own: false,
            by_leader: preset.muted.unwrap_or(self.controls.muted_on_entry && !is_leader),
            // A participant who was unmuted before entering may speak.
            by_lecture: self.controls.lecture && !is_leader && preset.muted != Some(false),
        }
    }

    /// A member that is on the way in, as it would enter now.
    pub(super) fn expected(
        &self,
        id: &ParticipantId,
        options: &ParticipantOptions,
        preset: Preset,
    ) -> ParticipantSummary {
        let muting = self.muting_on_entry(options, preset);
        ParticipantSummary {
            id: id.clone(),
            muted: muting.is_muted(),
            muted_by: muting.muted_by(),
            dtmf_enabled: preset.dtmf_enabled.unwrap_or(true),
            is_leader: options.is_leader(),
            entered_at: None,
        }
    }

    /// Calls that have a seat and are not up yet.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &ParticipantId> {
        self.admitted.iter()
    }

    /// A `start_on_entry` member is in with at least one more, and one of them may speak.
    fn may_start(&self) -> bool {
        self.members.len() >= 2
            && self.members.values().any(|member| member.options.start_on_entry)
            && self.members.values().any(|member| member.options.talker)
    }

    /// A member leaves. `hang_up` says why we end the call; `None`: it has ended already. Returns whether the conference ends
    /// for all.
    pub(super) fn leave(
        &mut self,
        key: &ConferenceKey,
        order: EntryOrder,
        hang_up: Option<EndReason>,
        effects: &mut VecDeque<Effect>,
    ) -> bool {
        let Some(member) = self.members.remove(&order) else { return false };
        if let Some(reason) = hang_up {
            effects.push_back(Effect::HangUp {
                conference: key.clone(),
                participant: member.id.clone(),
                reason,
            });
        }
        effects.push_back(Effect::Notify(Notice::ParticipantLeft {
            conference: key.clone(),
            participant: member.id,
        }));
        if member.options.destroy_on_exit {
            return true;
        }
        if self.is_started() && self.members.len() < 2 {
            self.started_at = None;
            effects.push_back(Effect::Notify(Notice::ConferenceStopped { conference: key.clone() }));
            self.refresh_all(key, effects);
        }
        if self.is_started()
            && let Some(list) = announcement(&member.options, &member.options.has_left_message)
        {
            effects.push_back(Effect::Play { to: Audience::All(key.clone()), what: list });
        }
        false
    }

    /// Removes all members and all calls on the way in, and returns who they were.
    pub(super) fn close(
        &mut self,
        key: &ConferenceKey,
        reason: EndReason,
        effects: &mut VecDeque<Effect>,
    ) -> Vec<ParticipantId> {
        let mut gone = Vec::with_capacity(self.members.len() + self.admitted.len());
        for member in std::mem::take(&mut self.members).into_values() {
            effects.push_back(Effect::HangUp {
                conference: key.clone(),
                participant: member.id.clone(),
                reason,
            });
            effects.push_back(Effect::Notify(Notice::ParticipantLeft {
                conference: key.clone(),
                participant: member.id.clone(),
            }));
            gone.push(member.id);
        }
        for id in std::mem::take(&mut self.admitted) {
            effects.push_back(Effect::HangUp { conference: key.clone(), participant: id.clone(), reason });
            gone.push(id);
        }
        if self.started_at.take().is_some() {
            effects.push_back(Effect::Notify(Notice::ConferenceStopped { conference: key.clone() }));
        }
        gone
    }

    pub(super) fn key_pressed(
        &mut self,
        key: &ConferenceKey,
        order: EntryOrder,
        digit: Digit,
        effects: &mut VecDeque<Effect>,
    ) -> KeyAction {
        let Some(member) = self.members.get_mut(&order) else { return KeyAction::Nothing };
        if !member.dtmf_enabled {
            return KeyAction::Nothing;
        }
        if member.options.exit_digit == Some(digit) {
            return KeyAction::Leave;
        }
        let mutes = member.options.mute_digit == Some(digit);
        let unmutes = member.options.unmute_digit == Some(digit);
        // One key for both, or a mute key alone, is a switch.
        let toggles = mutes && (unmutes || member.options.unmute_digit.is_none());
        let muted = match (toggles, mutes, unmutes) {
            (true, _, _) => !member.muting.is_muted(),
            (false, true, _) => true,
            (false, false, true) => false,
            (false, false, false) => return KeyAction::Nothing,
        };
        let may_unmute = self.controls.self_unmute || member.options.is_leader();
        let (muting, dtmf_enabled) = (member.muting.with_key(muted, may_unmute), member.dtmf_enabled);
        self.set(key, order, muting, dtmf_enabled, effects);
        KeyAction::Nothing
    }

    /// Sets what is given. The caller has checked that it is allowed.
    pub(super) fn set_options(
        &mut self,
        key: &ConferenceKey,
        order: EntryOrder,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
        effects: &mut VecDeque<Effect>,
    ) {
        let Some(member) = self.members.get(&order) else { return };
        let muting = muted.map_or(member.muting, |muted| member.muting.with_leader(muted));
        let dtmf_enabled = dtmf_enabled.unwrap_or(member.dtmf_enabled);
        self.set(key, order, muting, dtmf_enabled, effects);
    }

    /// Mutes all members, or undoes that for all; members who muted themselves stay muted.
    pub(super) fn mute_all(
        &mut self,
        key: &ConferenceKey,
        muted: bool,
        except_leaders: bool,
        effects: &mut VecDeque<Effect>,
    ) {
        self.set_each(key, effects, |member| match except_leaders && member.options.is_leader() {
            true => member.muting,
            false => Muting { by_leader: muted, ..member.muting },
        });
    }

    /// Changes what is set for the conference as a whole, with what follows for the members.
    pub(super) fn change_controls(
        &mut self,
        key: &ConferenceKey,
        change: ControlsChange,
        effects: &mut VecDeque<Effect>,
    ) {
        let (before, now) = (self.controls, self.controls.changed(change));
        if before == now {
            return;
        }
        self.controls = now;
        effects.push_back(Effect::Notify(Notice::ControlsChanged { conference: key.clone(), controls: now }));
        if before.lecture != now.lecture {
            self.set_each(key, effects, |member| Muting {
                by_lecture: now.lecture && !member.options.is_leader(),
                ..member.muting
            });
        }
    }

    fn set_each(
        &mut self,
        key: &ConferenceKey,
        effects: &mut VecDeque<Effect>,
        muting: impl Fn(&Member) -> Muting,
    ) {
        let orders: Vec<EntryOrder> = self.members.keys().copied().collect();
        for order in orders {
            let member = &self.members[&order];
            let (muting, dtmf_enabled) = (muting(member), member.dtmf_enabled);
            self.set(key, order, muting, dtmf_enabled, effects);
        }
    }

    fn set(
        &mut self,
        key: &ConferenceKey,
        order: EntryOrder,
        muting: Muting,
        dtmf_enabled: bool,
        effects: &mut VecDeque<Effect>,
    ) {
        let Some(member) = self.members.get_mut(&order) else { return };
        if (member.muting, member.dtmf_enabled) == (muting, dtmf_enabled) {
            return;
        }
        (member.muting, member.dtmf_enabled) = (muting, dtmf_enabled);
        effects.push_back(Effect::Notify(Notice::OptionsChanged {
            conference: key.clone(),
            participant: member.id.clone(),
            muted: muting.is_muted(),
            muted_by: muting.muted_by(),
            dtmf_enabled,
        }));
        self.refresh(key, order, effects);
    }

    pub(super) fn member(&self, order: EntryOrder) -> Option<&Member> {
        self.members.get(&order)
    }

    /// The conference does not end when this member leaves.
    pub(super) fn keep_when_leaves(&mut self, order: EntryOrder) {
        if let Some(member) = self.members.get_mut(&order) {
            member.options.destroy_on_exit = false;
        }
    }

    fn refresh_all(&mut self, key: &ConferenceKey, effects: &mut VecDeque<Effect>) {
        let started = self.is_started();
        for member in self.members.values_mut() {
            member.refresh(key, started, effects);
        }
    }

    fn refresh(&mut self, key: &ConferenceKey, order: EntryOrder, effects: &mut VecDeque<Effect>) {
        let started = self.is_started();
        if let Some(member) = self.members.get_mut(&order) {
            member.refresh(key, started, effects);
        }
    }
}

impl Member {
    pub(super) fn options(&self) -> &ParticipantOptions {
        &self.options
    }

    pub(super) fn summary(&self) -> ParticipantSummary {
        ParticipantSummary {
            id: self.id.clone(),
            muted: self.muting.is_muted(),
            muted_by: self.muting.muted_by(),
            dtmf_enabled: self.dtmf_enabled,
            is_leader: self.options.is_leader(),
            entered_at: Some(self.entered_at),
        }
    }

    /// Says what has changed in what this member may hear and be heard of.
    fn refresh(&mut self, key: &ConferenceKey, started: bool, effects: &mut VecDeque<Effect>) {
        let voice =
            Voice { speaks: started && self.options.talker && !self.muting.is_muted(), listens: started };
        // The loop ends before the conference is heard, and begins after it has fallen silent.
        if started && std::mem::take(&mut self.looping) {
            effects.push_back(Effect::StopLoop { conference: key.clone(), participant: self.id.clone() });
        }
        if self.voice != Some(voice) {
            self.voice = Some(voice);
            effects.push_back(Effect::SetVoice {
                conference: key.clone(),
                participant: self.id.clone(),
                speaks: voice.speaks,
                listens: voice.listens,
            });
        }
        if let Some(what) = &self.options.while_stopped_media
            && !started
            && !self.looping
        {
            self.looping = true;
            effects.push_back(Effect::StartLoop {
                conference: key.clone(),
                participant: self.id.clone(),
                what: what.clone(),
            });
        }
    }
}

/// The member's name and then the message. Without a message nothing is announced.
fn announcement(options: &ParticipantOptions, message: &Option<PlayList>) -> Option<PlayList> {
    let message = message.as_ref()?;
    let name = options.name.iter().flat_map(|name| &name.0);
    Some(PlayList(name.chain(&message.0).cloned().collect()))
}
