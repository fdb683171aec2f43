//! From the conference's answer until the caller is in it: refused with the reason, held, in the lobby, or waiting for the start.

use super::{Arrival, Entry, HangUpReason, JoinAnswer, Output, Stage, Timer};
use crate::{Item, Mono, QuestionId, timers::after_s};
use plenary_speech::{Day, Prompt, Saying, TimeOfDay};

/// Who is held hears how long it takes each few minutes.
const REPEAT_S: u32 = 180;
/// Shorter waits are not worth a sentence.
const WORTH_SAYING_S: u32 = 10;
/// A start that has come may be refused for a moment, because the clocks of both sides differ by a little.
const HOLD_GRACE_S: u32 = 60;
/// A start later than this is said as the time of day.
const SAID_AS_DURATION_S: u32 = 3600;

impl Entry {
    /// Asks the conference for a place.
    pub(super) fn join(&mut self, now: Mono) {
        let Some(room) = self.room.as_ref().map(|room| room.number.clone()) else { return };
        // From here on it is the conference that says how long a caller may wait.
        self.timers.cancel(Timer::Dialogue);
        self.stage = Stage::Joining;
        let question = self.ask(now);
        self.place = Some(question);
        let (leader, name) = (self.leader, self.name.clone());
        self.outputs.push_back(Output::Join { question, room, leader, name });
    }

    pub(super) fn on_joining(&mut self, question: QuestionId, answer: JoinAnswer, now: Mono) {
        match self.stage {
            Stage::Joining if self.open == Some(question) => {
                self.open = None;
                self.timers.cancel(Timer::Answer);
            }
            // The place is still asked for, or held.
            Stage::Lobby { .. } | Stage::Announcing { .. } if self.place == Some(question) => {}
            _ => return,
        }
        match answer {
            JoinAnswer::Admitted(arrival) => self.on_admitted(arrival, now),
            JoinAnswer::Lobby { leader_present } => self.on_lobby(leader_present, now),
            JoinAnswer::NotYet { starts_in_s, starts_at } => self.on_not_yet(starts_in_s, starts_at, now),
            JoinAnswer::LobbyFull => self.refused(Prompt::LobbyFull, HangUpReason::LobbyFull, now),
            JoinAnswer::Denied => self.refused(Prompt::LobbyDenied, HangUpReason::Denied, now),
            JoinAnswer::Full => self.refused(Prompt::EntryFull, HangUpReason::Full, now),
            JoinAnswer::Locked => self.refused(Prompt::EntryLocked, HangUpReason::Locked, now),
            JoinAnswer::Over => self.refused(Prompt::EntryIsOver, HangUpReason::Over, now),
        }
    }

    fn refused(&mut self, why: Prompt, reason: HangUpReason, now: Mono) {
        self.place = None;
        self.close([why], reason, now);
    }

    fn on_admitted(&mut self, arrival: Arrival, now: Mono) {
        if matches!(self.stage, Stage::Announcing { .. }) {
            self.stage = Stage::Announcing { arrival };
            return;
        }
        let mut says = vec![Item::from(match self.leader {
            true => Prompt::EntryJoiningLeader,
            false => Prompt::EntryJoining,
        })];
        if arrival.is_first {
            says.push(Prompt::WaitFirst.into());
        }
        if arrival.awaits_leader {
            says.push(Prompt::WaitLeader.into());
        }
        self.stage = Stage::Announcing { arrival };
        self.play(says, true, now);
    }

    /// The admitted caller goes in.
    pub(super) fn enter(&mut self, arrival: Arrival) {
        let Some(question) = self.place.take() else { return };
        // Both are the conference's now.
        self.name = None;
        self.outputs.push_back(Output::Enter { question });
        if arrival.is_started() {
            return self.done();
        }
        self.stage = Stage::Waiting { arrival };
        self.set_music(true);
    }

    pub(super) fn on_started(&mut self, now: Mono) {
        match self.stage {
            Stage::Waiting { arrival } if arrival.awaits_leader => {
                self.stage = Stage::Starting;
                self.play(vec![Prompt::WaitStart.into()], true, now);
            }
            // Who was the first hears the second one come.
            Stage::Waiting { .. } => self.done(),
            Stage::Announcing { .. } => self.stage = Stage::Announcing { arrival: Arrival::default() },
            _ => {}
        }
    }

    fn on_lobby(&mut self, leader_present: bool, now: Mono) {
        let was_told = match self.stage {
            Stage::Lobby { is_leader_told } => Some(is_leader_told),
            // There was a seat, and there is none any more but by a leader.
            _ => None,
        };
        self.stage = Stage::Lobby { is_leader_told: leader_present };
        if was_told != Some(leader_present) {
            let why = if leader_present { Prompt::LobbyWait } else { Prompt::WaitLeader };
            self.play(vec![why.into()], true, now);
        }
    }

    fn on_not_yet(&mut self, starts_in_s: u32, starts_at: Option<(TimeOfDay, Day)>, now: Mono) {
        self.place = None;
        let hold_s =
            self.room.as_ref().and_then(|room| room.hold_early_min).map(|min| min.saturating_mul(60));
        let was_held = self.hold_until.is_some();
        let hold_until = match (self.hold_until, hold_s) {
            (Some(until), _) => Some(until).filter(|until| now < *until),
            (None, Some(hold_s)) if starts_in_s <= hold_s => {
                Some(after_s(now, hold_s.saturating_add(HOLD_GRACE_S)))
            }
            (None, _) => None,
        };
        let Some(hold_until) = hold_until else { return self.refused_early(starts_in_s, starts_at, now) };
        self.hold_until = Some(hold_until);
        let said_at = starts_at;
        let starts_at = after_s(now, starts_in_s.max(1));
        self.stage = Stage::Held { starts_at };
        self.timers.set(Timer::Start, starts_at);
        self.timers.set(Timer::Hold, hold_until);
        match was_held {
            true => self.tell_held(now),
            false => {
                let when = when_it_starts(starts_in_s, said_at);
                self.play(vec![Prompt::EntryNotYet.into(), when.into()], true, now);
                self.timers.set(Timer::Repeat, after_s(now, REPEAT_S));
            }
        }
    }

    fn refused_early(&mut self, starts_in_s: u32, starts_at: Option<(TimeOfDay, Day)>, now: Mono) {
        let when = when_it_starts(starts_in_s, starts_at);
        self.close([Item::from(Prompt::EntryNotYet), when.into()], HangUpReason::NotYet, now);
    }

    /// Says how long it still takes, and that again later.
    pub(super) fn tell_held(&mut self, now: Mono) {
        let Stage::Held { starts_at } = self.stage else { return };
        let seconds = seconds_until(starts_at, now);
        self.timers.set(Timer::Repeat, after_s(now, REPEAT_S));
        if seconds >= WORTH_SAYING_S {
            self.play(vec![Saying::StartsIn { seconds }.into()], true, now);
        } else {
            self.set_music(true);
        }
    }

    /// The time has come at which the conference starts. The music goes on until it answers.
    pub(super) fn join_again(&mut self, now: Mono) {
        if let Stage::Held { .. } = self.stage {
            self.stop_speaking();
            self.timers.cancel(Timer::Repeat);
            self.timers.cancel(Timer::Hold);
            self.join(now);
        }
    }

    /// The start was put off, and the room holds no callers for longer.
    pub(super) fn held_too_long(&mut self, now: Mono) {
        if let Stage::Held { starts_at } = self.stage {
            self.refused_early(seconds_until(starts_at, now), None, now);
        }
    }
}

/// What starts soon is said by how long it takes, what starts later by the time of day, where that is known.
fn when_it_starts(starts_in_s: u32, starts_at: Option<(TimeOfDay, Day)>) -> Saying {
    match starts_at {
        Some((time, day)) if starts_in_s > SAID_AS_DURATION_S => Saying::StartsAt { time, day },
        _ => Saying::StartsIn { seconds: starts_in_s.max(1) },
    }
}

fn seconds_until(at: Mono, now: Mono) -> u32 {
    u32::try_from(at.0.saturating_sub(now.0) / 1000).unwrap_or(u32::MAX)
}
