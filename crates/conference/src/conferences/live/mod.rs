//! A conference that people are in: who they are, and who hears whom.
//!
//! What a step of the machine changes is said in [`Turn::effects`] at once. What follows from how things stand after it, such as
//! timers and what callers in the lobby know about leaders, is worked out by `settle`, once after each step.

mod floor;
mod guest;
mod lobby;
mod lobbying;
mod member;
mod muting;
mod publishing;
mod recording;
mod sounds;
mod timers;
mod timing;
mod warnings;

pub(super) use floor::Floor;
pub(super) use guest::{Guest, Preset};
pub(super) use member::Member;

use super::{listing::ParticipantSummary, turn::Turn};
use crate::{
    command::News,
    controls::Controls,
    effect::{Announcement, Effect, EndReason, Notice, WaitEnd},
    event::ParticipantChange,
    id::{ConferenceName, ParticipantId},
    muting::Muting,
    participant::Digit,
    refused::{OutOfRange, Refused},
    room::{AdmitAnswer, Arrival, RoomRules},
    time::Timestamp,
};
use floor::Actor;
use lobby::Lobby;
use plenary_model::{EventKind, ParticipantUpdate};
use publishing::publish_heard_by;
use recording::{Recordings, Told};
use std::collections::{BTreeMap, BTreeSet};
use timers::Timers;
use warnings::Warnings;

/// The order in which members entered; the participant list is in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryOrder(u64);

/// The participants of a conference. Stopped (HOLDING) at first: no participant hears another one until it starts.
#[derive(Debug)]
pub(super) struct LiveConference {
    pub(super) max_participants: u32,
    /// Since when its members hear each other; `None`: they do not.
    started_at: Option<Timestamp>,
    pub(super) controls: Controls,
    /// Those of the room by which the latest caller came.
    rules: Option<RoomRules>,
    /// All but the leaders were muted in one go, and this was not undone.
    all_muted: bool,
    /// A leader has switched off entry and exit sounds.
    is_quiet: bool,
    /// Calls that have a seat but are not up yet: they count, and nothing else.
    admitted: BTreeSet<ParticipantId>,
    members: BTreeMap<EntryOrder, Member>,
    /// What follows from their leaving waits for the calls that are on the way to their places.
    followed: Vec<Followed>,
    next_order: u64,
    pub(super) lobby: Lobby,
    timers: Timers,
    warnings: Warnings,
    recordings: Recordings,
    /// What is being played to its participants, by ids of the edge.
    playbacks: BTreeSet<String>,
    /// Why all were sent away.
    pub(super) closed_for: Option<EndReason>,
}

/// One who has left while another call is on the way to its place.
#[derive(Debug)]
struct Followed {
    member: Member,
    /// The others heard it until then.
    was_started: bool,
}

/// What a key press means to the participant who pressed it.
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
            rules: None,
            all_muted: false,
            is_quiet: false,
            admitted: BTreeSet::new(),
            members: BTreeMap::new(),
            followed: Vec::new(),
            next_order: 0,
            lobby: Lobby::default(),
            timers: Timers::default(),
            warnings: Warnings::default(),
            recordings: Recordings::default(),
            playbacks: BTreeSet::new(),
            closed_for: None,
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

    /// No call is in, on the way in, or in the lobby.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_vacant() && self.lobby.is_empty()
    }

    /// No call is in or on the way in.
    pub(super) fn is_vacant(&self) -> bool {
        self.admitted.is_empty() && self.members.is_empty()
    }

    pub(super) fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(super) fn member(&self, order: EntryOrder) -> Option<&Member> {
        self.members.get(&order)
    }

    pub(super) fn summaries(&self) -> impl Iterator<Item = ParticipantSummary> {
        self.members.values().map(|member| member.summary(self.may_unmute(member)))
    }

    /// Calls that have a seat and are not up yet.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &ParticipantId> {
        self.admitted.iter()
    }

    fn member_by_id(&self, id: &ParticipantId) -> Option<&Member> {
        self.members.values().find(|member| member.id == *id)
    }

    pub(super) fn has_leader(&self) -> bool {
        self.members.values().any(Member::is_leader)
    }

    /// The one who came last and is not a leader.
    pub(super) fn last_participant(&self) -> Option<&ParticipantId> {
        self.members.values().rev().find(|member| !member.is_leader()).map(|member| &member.id)
    }

    /// A caller comes by a room and gets a seat, or a place in the lobby: the room's rules are those of the conference from now on.
    pub(super) fn adopt_rules(&mut self, rules: &RoomRules, turn: &mut Turn<'_>) {
        let was_muted_on_entry = self.rules.as_ref().is_some_and(|rules| rules.muted_on_entry);
        if was_muted_on_entry != rules.muted_on_entry {
            self.set_controls(Controls { muted_on_entry: rules.muted_on_entry, ..self.controls }, turn);
        }
        self.rules = Some(rules.clone());
    }

    /// The last participant has gone, while callers wait in the lobby: who comes next finds everything as in a new conference.
    pub(super) fn begin_anew(&mut self, turn: &mut Turn<'_>) {
        let muted_on_entry = self.rules.as_ref().is_some_and(|rules| rules.muted_on_entry);
        (self.all_muted, self.is_quiet) = (false, false);
        self.set_controls(Controls { muted_on_entry, ..Controls::default() }, turn);
    }

    /// How a call finds the conference that it is about to enter.
    pub(super) fn arrival(&self, guest: &Guest) -> Arrival {
        let is_first = self.members.is_empty();
        let starts = self.starts_it(guest.options.start_on_entry, guest.is_leader())
            || self.members.values().any(|member| self.is_starter(member));
        let is_heard = guest.is_talker() || self.members.values().any(Member::is_talker);
        let would_start = starts && (is_heard || is_first);
        Arrival { is_first, awaits_leader: !self.is_started() && !would_start }
    }

    /// Takes a seat for a call.
    pub(super) fn admit(&mut self, id: &ParticipantId, guest: &Guest, turn: &mut Turn<'_>) {
        let arrival = self.arrival(guest);
        self.admitted.insert(id.clone());
        if guest.is_called {
            turn.publish_of(id, EventKind::ParticipantCalling(guest.who.clone()), None);
        }
        turn.answer(id, AdmitAnswer::Granted(arrival));
    }

    pub(super) fn withdraw(&mut self, id: &ParticipantId) {
        self.admitted.remove(id);
    }

    /// An admitted call is up: the member enters, and may start the conference. `from`: the conference that it comes from.
    pub(super) fn enter(
        &mut self,
        id: &ParticipantId,
        mut guest: Guest,
        from: Option<&ConferenceName>,
        turn: &mut Turn<'_>,
    ) -> EntryOrder {
        self.admitted.remove(id);
        self.closed_for = None;
        let order = EntryOrder(self.next_order);
        self.next_order += 1;
        if let Some(of) = &guest.in_place_of {
            self.forget_followed(of, turn);
        }
        let replaces = self.take_standing(id, &mut guest, turn);
        if let Some(by) = &mut guest.preset.heard_by {
            by.retain(|id| self.members.values().any(|member| member.id == *id));
        }
        let (is_leader, was_made) = (guest.is_leader(), guest.is_leader() != guest.is_leader_by_itself());
        let (by, has_hand_up) = (guest.preset.heard_by.clone(), guest.preset.has_hand_up);
        let muting = self.muting_on_entry(&guest);
        self.members.insert(order, Member::new(id.clone(), guest, muting, turn.now.wall));
        self.expect_to_tell(order, turn);
        turn.notify(|conference| Notice::ParticipantEntered { conference, participant: id.clone() });
        let presence = self.members[&order].presence();
        let kind = match from.cloned() {
            Some(from_conference) => EventKind::ParticipantMoved { from_conference, presence },
            None => EventKind::ParticipantEntered(presence),
        };
        turn.publish_of(id, kind, None);
        // Leaders have heard of it when it went up.
        self.change_hand(order, has_hand_up, turn);
        if was_made {
            self.say_role(order, turn);
        }
        self.say_keys_are_off(order, turn);
        if by.is_some() {
            turn.effect(Effect::HeardBy { conference: turn.key.clone(), participant: id.clone(), by });
        }
        if !self.start_if_possible(turn) {
            self.refresh(order, turn);
        }
        self.sound_entry(order, replaces, turn);
        self.tell_recorded(order, turn);
        self.tell_muted_on_entry(order, turn);
        if is_leader {
            self.tell_who_waits(order, turn);
        }
        order
    }

    /// A call that comes in place of another one has that one's name, is a leader where that one was made one, is muted, on hold
    /// and heard as that one was, and has its hand up where that one had. Returns whether there is, or was, such a one.
    fn take_standing(&mut self, id: &ParticipantId, guest: &mut Guest, turn: &mut Turn<'_>) -> bool {
        let Some(of) = guest.in_place_of.take() else { return false };
        let Some(other) = self.members.values_mut().find(|member| member.id == of) else {
            return guest.preset.is_left_alone;
        };
        guest.inherit(other);
        // The name is that of one of them.
        if let Some(via) = &mut other.via {
            via.name = None;
        }
        // Who speaks to the other one alone speaks to this one.
        for member in self.members.values_mut() {
            let Some(by) = member.heard_by.as_mut().filter(|by| by.contains(&of)) else { continue };
            by.push(id.clone());
            let by = Some(by.clone());
            publish_heard_by(&member.id, &by, turn);
            turn.effect(Effect::HeardBy { conference: turn.key.clone(), participant: member.id.clone(), by });
        }
        true
    }

    /// The participant leaves before the call is up that takes its place: what it is and was given is kept for that one, but for
    /// its recorded name.
    pub(super) fn hand_over(&self, order: EntryOrder, guest: &mut Guest) {
        let Some(member) = self.members.get(&order) else { return };
        guest.inherit(member);
        guest.preset.is_left_alone = true;
        if let Some(via) = &mut guest.via {
            via.name = None;
        }
    }

    /// A call that is not in yet, as it would enter now.
    pub(super) fn expected(&self, id: &ParticipantId, guest: &Guest, waits: bool) -> ParticipantSummary {
        let muting = self.muting_on_entry(guest);
        let preset = &guest.preset;
        ParticipantSummary {
            id: id.clone(),
            muted: muting.is_muted(),
            muted_by: muting.muted_by(),
            dtmf_enabled: preset.dtmf_enabled.unwrap_or(true),
            is_leader: guest.is_leader(),
            entered_at: None,
            waits,
            is_held: preset.held,
            is_held_by_leader: preset.held,
            hand_raised_at: None,
            may_unmute: guest.is_leader() || preset.self_unmute.unwrap_or(self.controls.self_unmute),
            heard_by: preset.heard_by.clone(),
        }
    }

    fn is_starter(&self, member: &Member) -> bool {
        self.starts_it(member.options.start_on_entry, member.is_leader())
    }

    fn starts_it(&self, start_on_entry: bool, is_leader: bool) -> bool {
        let waits_for_leader = self.rules.as_ref().is_some_and(|rules| rules.wait_for_leader);
        is_leader || (start_on_entry && !waits_for_leader)
    }

    /// Starts where a participant who may start it is in with at least one more, and one of them may speak. Returns whether it starts.
    fn start_if_possible(&mut self, turn: &mut Turn<'_>) -> bool {
        let starts = !self.is_started()
            && self.members.len() >= 2
            && self.members.values().any(|member| self.is_starter(member))
            && self.members.values().any(Member::is_talker);
        if starts {
            self.started_at = Some(turn.now.wall);
            turn.notify(|conference| Notice::ConferenceStarted { conference });
            turn.publish(EventKind::ConferenceStarted {});
            self.refresh_all(turn);
        }
        starts
    }

    /// A participant leaves. `hang_up` says why we end its call; `None`: the call has ended already. `is_followed`: another call is
    /// on the way to its place. Returns whether the conference ends for all.
    pub(super) fn leave(
        &mut self,
        order: EntryOrder,
        hang_up: Option<EndReason>,
        is_followed: bool,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(member) = self.members.remove(&order) else { return false };
        self.forget_telling(order);
        if let Some(reason) = hang_up {
            turn.hang_up(&member.id, reason);
        }
        turn.notify(|conference| Notice::ParticipantLeft { conference, participant: member.id.clone() });
        let reason = match (hang_up, &member.leaving) {
            _ if member.is_replaced => "replaced",
            (Some(reason), _) => reason.name(),
            (None, Some((reason, _))) => reason,
            (None, None) => "hung_up",
        };
        turn.publish_of(&member.id, EventKind::ParticipantLeft {}, Some(reason));
        let was_started = self.is_started();
        let ends_for_all = member.ends_when_it_leaves() || self.after_one_left(&member, turn);
        match is_followed && member.is_replaced {
            true => self.followed.push(Followed { member, was_started }),
            false => self.forget_name_later(member.name().cloned(), turn),
        }
        ends_for_all
    }

    /// The call that was on the way to this one's place has not come: this one has left after all. Returns whether the conference
    /// ends for all.
    pub(super) fn has_left_for_good(&mut self, of: &ParticipantId, turn: &mut Turn<'_>) -> bool {
        let Some(mut gone) = self.forget_followed(of, turn) else { return false };
        gone.member.is_replaced = false;
        gone.member.ends_when_it_leaves() || {
            self.sound_late_exit(&gone, turn);
            self.leader_left(&gone.member, turn)
        }
    }

    fn forget_followed(&mut self, of: &ParticipantId, turn: &Turn<'_>) -> Option<Followed> {
        let place = self.followed.iter().position(|gone| gone.member.id == *of)?;
        let gone = self.followed.swap_remove(place);
        self.forget_name_later(gone.member.name().cloned(), turn);
        Some(gone)
    }

    /// A participant goes to another conference. Returns what it enters there with, and whether this conference ends for all others.
    pub(super) fn move_out(&mut self, order: EntryOrder, turn: &mut Turn<'_>) -> Option<(Guest, bool)> {
        let mut member = self.members.remove(&order)?;
        self.forget_telling(order);
        member.end_what_it_hears(turn);
        turn.notify(|conference| Notice::ParticipantLeft { conference, participant: member.id.clone() });
        let ends_for_all = self.after_one_left(&member, turn);
        Some((member.into_guest(), ends_for_all))
    }

    /// What follows from a participant's leaving. Returns whether the conference ends for all.
    fn after_one_left(&mut self, gone: &Member, turn: &mut Turn<'_>) -> bool {
        for member in self.members.values_mut() {
            let Some(by) = member.heard_by.as_mut().filter(|by| by.contains(&gone.id)) else { continue };
            by.retain(|id| *id != gone.id);
            let by = Some(by.clone());
            publish_heard_by(&member.id, &by, turn);
            turn.effect(Effect::HeardBy { conference: turn.key.clone(), participant: member.id.clone(), by });
        }
        self.sound_exit(gone, turn);
        if self.is_started() && self.members.len() < 2 {
            self.started_at = None;
            turn.notify(|conference| Notice::ConferenceStopped { conference });
            turn.publish(EventKind::ConferenceStopped {});
            self.refresh_all(turn);
        }
        self.all_muted &= !self.members.is_empty();
        if self.members.is_empty() {
            self.end_recording(Told::Nobody, turn);
        }
        self.leader_left(gone, turn)
    }

    /// The same of a leader's. Returns whether the conference ends for all.
    fn leader_left(&mut self, gone: &Member, turn: &mut Turn<'_>) -> bool {
        let was_last_leader = gone.is_leader() && !gone.is_replaced && !self.has_leader();
        let Some(rules) = self.rules.as_ref().filter(|_| was_last_leader && !self.members.is_empty()) else {
            return false;
        };
        let ends_in_s = rules.end_after_leader_s;
        if ends_in_s == Some(0) {
            return true;
        }
        self.timers.leader_is_gone(ends_in_s, turn.now.mono);
        turn.announce(Announcement::LeaderLeft { ends_in_s });
        false
    }

    /// All leave: participants, calls on the way in and callers in the lobby. Returns their ids.
    pub(super) fn close(&mut self, reason: EndReason, turn: &mut Turn<'_>) -> Vec<ParticipantId> {
        let mut gone = Vec::with_capacity(self.members.len() + self.admitted.len() + self.lobby.len());
        for member in std::mem::take(&mut self.members).into_values() {
            turn.hang_up(&member.id, reason);
            turn.notify(|conference| Notice::ParticipantLeft { conference, participant: member.id.clone() });
            turn.publish_of(&member.id, EventKind::ParticipantLeft {}, Some(reason.name()));
            self.forget_name_later(member.name().cloned(), turn);
            gone.push(member.id);
        }
        for id in std::mem::take(&mut self.admitted) {
            turn.hang_up(&id, reason);
            gone.push(id);
        }
        for waiting in self.lobby.take_all() {
            Self::say_not_waiting(&waiting.id, WaitEnd::Over, turn);
            turn.answer(&waiting.id, AdmitAnswer::Refused(Refused::Over));
            gone.push(waiting.id);
        }
        if self.started_at.take().is_some() {
            turn.notify(|conference| Notice::ConferenceStopped { conference });
            turn.publish_because(EventKind::ConferenceStopped {}, reason.name());
        }
        for gone in std::mem::take(&mut self.followed) {
            self.forget_name_later(gone.member.name().cloned(), turn);
        }
        self.end_playbacks(turn);
        self.closed_for = Some(reason);
        self.all_muted = false;
        self.end_recording(Told::Nobody, turn);
        self.forget_names(turn);
        gone
    }

    pub(super) fn key_pressed(&mut self, order: EntryOrder, digit: Digit, turn: &mut Turn<'_>) -> KeyAction {
        let Some(member) = self.members.get_mut(&order) else { return KeyAction::Nothing };
        if !member.dtmf_enabled {
            return KeyAction::Nothing;
        }
        if member.via.as_ref().is_some_and(|via| via.rules.key_events) {
            turn.publish_of(&member.id, EventKind::KeyPressed { key: digit }, None);
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
        self.mute_by_key(order, muted, turn);
        KeyAction::Nothing
    }

    /// Checks a change of a participant before anything is changed.
    ///
    /// # Errors
    /// [`Refused::OutOfRange`] that names the listeners who are not in.
    pub(super) fn check_change(&self, change: &ParticipantChange) -> Result<(), Refused> {
        let Some(Some(by)) = &change.heard_by else { return Ok(()) };
        let is_in = |id: &&ParticipantId| self.members.values().any(|member| member.id == **id);
        let unknown: Vec<&str> = by.iter().filter(|id| !is_in(id)).map(ParticipantId::as_str).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let text =
            format!("must be ids of participants who are in the conference, not {}", unknown.join(", "));
        Err(Refused::OutOfRange(vec![OutOfRange { parameter: "heard_by".into(), text }]))
    }

    /// Changes a participant who is in, for a leader or a program.
    pub(super) fn change(&mut self, order: EntryOrder, change: ParticipantChange, turn: &mut Turn<'_>) {
        let ParticipantChange { muted, dtmf_enabled, self_unmute, lower_hand, held, leader, heard_by } =
            change;
        if let Some(is_leader) = leader {
            self.make_leader(order, is_leader, turn);
        }
        self.set_options(order, muted, dtmf_enabled, self_unmute, turn);
        if lower_hand {
            self.set_hand(order, false, turn);
        }
        let Some(member) = self.members.get_mut(&order) else { return };
        if let Some(by) = heard_by.map(|by| by.map(without_repeats))
            && member.heard_by != by
        {
            member.heard_by.clone_from(&by);
            publish_heard_by(&member.id, &by, turn);
            let (conference, participant) = (turn.key.clone(), member.id.clone());
            turn.effect(Effect::HeardBy { conference, participant, by });
        }
        if let Some(held) = held {
            self.hold(order, turn, |member| member.is_held = held);
            self.come_back(order, turn);
        }
    }

    /// A hold has begun or ended: one who is back is told first that the conference is recorded, where it does not know.
    fn come_back(&mut self, order: EntryOrder, turn: &mut Turn<'_>) {
        self.expect_to_tell(order, turn);
        self.refresh(order, turn);
        self.tell_recorded(order, turn);
    }

    /// A participant becomes a leader, or is none any more.
    fn make_leader(&mut self, order: EntryOrder, is_leader: bool, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(&order).filter(|member| member.is_leader() != is_leader)
        else {
            return;
        };
        member.made_leader = Some(is_leader);
        let update = ParticipantUpdate { leader: Some(is_leader), ..ParticipantUpdate::default() };
        turn.publish_of(&member.id, EventKind::ParticipantChanged(update), None);
        self.say_role(order, turn);
        // In a lecture leaders speak, and no other participants.
        let member = &self.members[&order];
        let by_lecture = self.controls.lecture && !is_leader;
        let (muting, dtmf_enabled) = (Muting { by_lecture, ..member.muting }, member.dtmf_enabled);
        self.set(order, muting, dtmf_enabled, Actor::Others, turn);
        // Of those who otherwise only listen, leaders speak.
        self.refresh(order, turn);
        if is_leader {
            self.start_if_possible(turn);
            self.tell_who_waits(order, turn);
        }
    }

    fn say_role(&self, order: EntryOrder, turn: &mut Turn<'_>) {
        let member = &self.members[&order];
        let (conference, participant) = (turn.key.clone(), member.id.clone());
        turn.effect(Effect::Role { conference, participant, is_leader: member.is_leader() });
    }

    /// Raises or lowers a hand. Returns whether it is up now.
    pub(super) fn toggle_hand(&mut self, order: EntryOrder, turn: &mut Turn<'_>) -> bool {
        let is_raised = self.members.get(&order).is_some_and(|member| member.hand_raised_at.is_none());
        self.set_hand(order, is_raised, turn);
        is_raised
    }

    fn set_hand(&mut self, order: EntryOrder, is_raised: bool, turn: &mut Turn<'_>) {
        if self.change_hand(order, is_raised, turn) && is_raised {
            self.tell_leaders(&News::HandRaised, Some(order), turn);
        }
    }

    /// The same without a word to the leaders. Returns whether it was otherwise before.
    fn change_hand(&mut self, order: EntryOrder, is_raised: bool, turn: &mut Turn<'_>) -> bool {
        let Some(member) = self.members.get_mut(&order) else { return false };
        if member.hand_raised_at.is_some() == is_raised {
            return false;
        }
        member.hand_raised_at = is_raised.then_some(turn.now.wall);
        let participant = member.id.clone();
        let kind = match is_raised {
            true => EventKind::ParticipantHandRaised {},
            false => EventKind::ParticipantHandLowered {},
        };
        turn.publish_of(&participant, kind, None);
        turn.notify(|conference| Notice::HandChanged { conference, participant, is_raised });
        true
    }

    /// Notifies all leaders but this one.
    pub(super) fn tell_leaders(&self, news: &News, but: Option<EntryOrder>, turn: &mut Turn<'_>) {
        for (order, member) in &self.members {
            if member.is_leader() && Some(*order) != but {
                turn.tell(&member.id, news.clone());
            }
        }
    }

    /// Another call has entered in place of this one: its leaving ends nothing for the others and is not announced.
    pub(super) fn mark_replaced(&mut self, order: EntryOrder) {
        if let Some(member) = self.members.get_mut(&order) {
            member.is_replaced = true;
        }
    }

    fn refresh_all(&mut self, turn: &mut Turn<'_>) {
        let started = self.is_started();
        for member in self.members.values_mut() {
            member.refresh(started, turn);
        }
    }

    fn refresh(&mut self, order: EntryOrder, turn: &mut Turn<'_>) {
        let started = self.is_started();
        if let Some(member) = self.members.get_mut(&order) {
            member.refresh(started, turn);
        }
    }
}

fn without_repeats(ids: Vec<ParticipantId>) -> Vec<ParticipantId> {
    let mut seen = BTreeSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}
