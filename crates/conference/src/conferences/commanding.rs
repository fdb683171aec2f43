//! What participants ask of a conference by their keys.

use super::{Conference, Conferences, EntryOrder, LiveConference, Member, admitting::FromLobby, live::Floor};
use crate::{
    command::{Command, News, Outcome, Who},
    controls::ControlsChange,
    effect::EndReason,
    id::{ConferenceKey, ParticipantId},
    refused::Refused,
    time::Now,
};

/// So long a leader who comes is told that wrong PINs were tried, in milliseconds.
const GUESSING_TOLD_MS: u64 = 3_600_000;

impl Conferences {
    /// Does what a participant who is in asks for, after letting pass whatever time is due. Volumes, calls and extensions are not decided here and fail.
    pub fn handle_command(&mut self, participant: &ParticipantId, command: Command, now: Now) -> Outcome {
        self.handle_timeout(now);
        self.actor = self.as_participant(participant);
        let outcome = self.on_command(participant, command, now);
        self.settle(now);
        outcome
    }

    /// Wrong PINs of a room that leads to this conference are being tried: its leaders hear of it, or else the next one who comes
    /// within the hour. The event is written where they are counted.
    pub(crate) fn tell_of_guessing(&mut self, key: &ConferenceKey, now: Now) {
        self.guessed.retain(|_, until| now.mono < *until);
        match self.open(key, now) {
            Some((live, mut turn)) if live.has_leader() => {
                live.tell_leaders(&News::Guessing, None, &mut turn);
            }
            _ => drop(self.guessed.insert(key.clone(), now.mono.plus_ms(GUESSING_TOLD_MS))),
        }
    }

    /// A leader has entered.
    pub(super) fn tell_leader_of_guessing(&mut self, key: &ConferenceKey, leader: &ParticipantId, now: Now) {
        if self.guessed.remove(key).is_some_and(|until| now.mono < until)
            && let Some((_, mut turn)) = self.open(key, now)
        {
            turn.tell(leader, News::Guessing);
        }
    }

    fn on_command(&mut self, participant: &ParticipantId, command: Command, now: Now) -> Outcome {
        let Some((key, order)) = self.place_of(participant) else { return Outcome::Failed };
        let Some(member) = self.member(&key, order) else { return Outcome::Failed };
        let (is_leader, has_keys) = (member.is_leader(), member.has_keys());
        if command.is_for_leaders() && !is_leader {
            return Outcome::LeadersOnly;
        }
        match command {
            // Who has said goodbye leaves.
            Command::Leave => {
                self.remove_participant(participant, Some(EndReason::ExitKey), now);
                Outcome::Done
            }
            _ if !has_keys => Outcome::Failed,
            Command::End => {
                self.hang_up_on_all(&key, EndReason::EndedByLeader, now);
                self.unlock_if_deserted(&key, now);
                Outcome::Done
            }
            Command::EjectLast => self.eject_last(&key, now),
            Command::NextWaiting => self.next_waiting(&key),
            Command::Admit(who) => match self.admit_from_lobby(&key, from_lobby(&who), now) {
                Ok(()) => Outcome::Admitted,
                Err(Refused::UnknownParticipant) => Outcome::NobodyWaits,
                Err(Refused::Full) => Outcome::Full,
                Err(_) => Outcome::Failed,
            },
            Command::AdmitAll => match self.admit_all_from_lobby(&key, now) {
                (0, 0) => Outcome::NobodyWaits,
                (_, 0) => Outcome::AllAdmitted,
                (0, _) => Outcome::Full,
                _ => Outcome::SomeAdmitted,
            },
            Command::Refuse(who) => match self.turn_away(&key, from_lobby(&who), now) {
                Ok(()) => Outcome::TurnedAway,
                Err(_) => Outcome::NobodyWaits,
            },
            Command::RefuseAll => match self.turn_all_away(&key, now) {
                0 => Outcome::NobodyWaits,
                _ => Outcome::AllTurnedAway,
            },
            Command::TimeLeft => self.time_left(&key, is_leader, now),
            command => self.switch(&key, order, &command, now),
        }
    }

    /// What a conference decides by itself.
    fn switch(&mut self, key: &ConferenceKey, order: EntryOrder, command: &Command, now: Now) -> Outcome {
        let rules = self.recording_rules;
        let Some((live, mut turn)) = self.open(key, now) else { return Outcome::Failed };
        let turn = &mut turn;
        match command {
            Command::ToggleMute if !live.member(order).is_some_and(Member::is_talker) => Outcome::ListenOnly,
            Command::ToggleMute => {
                let was_muted = live.member(order).is_some_and(Member::is_muted);
                match (was_muted, live.mute_by_key(order, !was_muted, turn)) {
                    (true, true) => Outcome::StaysMuted,
                    (false, true) => Outcome::Muted,
                    (_, false) => Outcome::Unmuted,
                }
            }
            Command::ToggleHand => match live.toggle_hand(order, turn) {
                true => Outcome::HandRaised,
                false => Outcome::HandLowered,
            },
            Command::Count => {
                let [participants, waiting] = [live.member_count(), live.lobby.len()]
                    .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
                Outcome::Count { participants, waiting }
            }
            Command::RollCall => {
                let names: Vec<_> = live.members().filter_map(|member| member.name().cloned()).collect();
                let unnamed = u32::try_from(live.member_count() - names.len()).unwrap_or(u32::MAX);
                Outcome::Roll { names, unnamed }
            }
            Command::NextFloor => {
                let (floor, outcome) = match live.floor() {
                    Floor::Open => (Floor::AllMuted, Outcome::AllMuted),
                    Floor::AllMuted => (Floor::Lecture, Outcome::LectureOn),
                    Floor::Lecture => (Floor::Open, Outcome::AllUnmuted),
                };
                live.set_floor(floor, order, turn);
                outcome
            }
            Command::ToggleMuteAll => {
                let (floor, outcome) = match live.floor() {
                    Floor::Open => (Floor::AllMuted, Outcome::AllMuted),
                    Floor::AllMuted | Floor::Lecture => (Floor::Open, Outcome::AllUnmuted),
                };
                live.set_floor(floor, order, turn);
                outcome
            }
            Command::ToggleLecture => {
                let lecture = !live.controls.lecture;
                let change = ControlsChange { lecture: Some(lecture), ..ControlsChange::default() };
                live.change_controls(change, Some(order), turn);
                if lecture { Outcome::LectureOn } else { Outcome::LectureOff }
            }
            Command::ToggleLock => {
                let locked = !live.controls.locked;
                let change = ControlsChange { locked: Some(locked), ..ControlsChange::default() };
                live.change_controls(change, Some(order), turn);
                if locked { Outcome::Locked } else { Outcome::Unlocked }
            }
            Command::ToggleAnnouncements => match live.toggle_sounds() {
                true => Outcome::AnnouncementsOn,
                false => Outcome::AnnouncementsOff,
            },
            Command::Record { is_confirmed } => live.record_by_key(order, *is_confirmed, &rules, turn),
            Command::StopRecording => live.stop_recording_by_key(order, turn),
            Command::Hear(_)
            | Command::Talk(_)
            | Command::Call { .. }
            | Command::Extend { .. }
            | Command::NextWaiting
            | Command::Admit(_)
            | Command::Refuse(_)
            | Command::AdmitAll
            | Command::RefuseAll
            | Command::EjectLast
            | Command::TimeLeft
            | Command::Leave
            | Command::End => Outcome::Failed,
        }
    }

    fn eject_last(&mut self, key: &ConferenceKey, now: Now) -> Outcome {
        let live = self.conferences.get(key).and_then(Conference::live);
        let Some(last) = live.and_then(LiveConference::last_participant).cloned() else {
            return Outcome::Failed;
        };
        self.remove_participant(&last, Some(EndReason::RemovedByLeader), now);
        Outcome::LastEjected
    }

    fn next_waiting(&self, key: &ConferenceKey) -> Outcome {
        let live = self.conferences.get(key).and_then(Conference::live);
        let Some((lobby, first)) = live.and_then(|live| Some((&live.lobby, live.lobby.first()?))) else {
            return Outcome::NobodyWaits;
        };
        let (participant, name) = (first.id.clone(), first.name.clone());
        Outcome::Waiting { participant, name, count: u32::try_from(lobby.len()).unwrap_or(u32::MAX) }
    }

    fn time_left(&self, key: &ConferenceKey, is_leader: bool, now: Now) -> Outcome {
        let ends_at = self.conferences.get(key).and_then(Conference::open_until);
        // A started second counts as a whole one: who asks at once hears the whole time.
        let seconds = ends_at.map(|ends_at| {
            u32::try_from((ends_at.0.saturating_sub(now.wall.0).max(0) + 999) / 1000).unwrap_or(u32::MAX)
        });
        Outcome::TimeLeft { seconds, may_extend: ends_at.is_some() && is_leader }
    }
}

fn from_lobby(who: &Who) -> FromLobby<'_> {
    match who {
        Who::Next => FromLobby::First,
        Who::One(id) => FromLobby::One(id),
    }
}
