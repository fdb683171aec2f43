//! Menus below the first one: a few keys that do something else for a short time.

use super::{Command, EXTEND_MINUTES, Menus, Outcome, PendingCommand, Step, Timer, Who};
use crate::{Item, Mono, timers::after_s};
use plenary_conference::ParticipantId;
use plenary_model::{MenuAction, PlayList};
use plenary_speech::{Prompt, Saying};

/// A menu closes when no key comes for so long, its question included.
const BELOW_S: u32 = 15;
/// Digits of a number to call at the most: an international prefix and the 15 of E.164.
const NUMBER_DIGITS_MAX: usize = 20;

/// The menu that is open below the first one.
#[derive(Debug)]
pub(super) enum Below {
    /// 4 quieter, 5 normal, 6 louder, # ends it.
    Volume,
    /// 1 admits this one, 2 turns them away, 3 admits all, 4 turns all away, # ends it.
    Lobby { participant: ParticipantId },
    /// 1 begins the recording.
    ConfirmRecording,
    /// 1 ends the conference.
    ConfirmEnd,
    /// 1 extends the conference.
    Extend,
    /// The number to call, ended by #.
    Number { number: String },
    /// Goodbye is said; then the participant leaves.
    Leaving,
}

/// What confirms the key that ends a menu where there is nothing to say.
fn closed() -> Item {
    Item::List(PlayList(vec!["tone:660/120".to_owned()]))
}

impl Menus {
    /// Opens a menu and says what it asks.
    pub(super) fn open(&mut self, below: Below, says: impl IntoIterator<Item = impl Into<Item>>, now: Mono) {
        // Who leaves does so at the end of the goodbye.
        match below {
            Below::Leaving => self.timers.cancel(Timer::Below),
            Below::Volume
            | Below::Lobby { .. }
            | Below::ConfirmRecording
            | Below::ConfirmEnd
            | Below::Extend
            | Below::Number { .. } => self.timers.set(Timer::Below, after_s(now, BELOW_S)),
        }
        self.below = Some(below);
        self.say(says, now);
    }

    pub(super) fn close_below(&mut self) {
        self.below = None;
        self.timers.cancel(Timer::Below);
    }

    /// Looks at a key in the menu that is open; `false`: it begins a sequence.
    pub(super) fn is_taken_below(&mut self, key: char, now: Mono) -> bool {
        let Some(below) = self.below.take() else { return false };
        self.timers.cancel(Timer::Below);
        let command = match (below, key) {
            (Below::Number { number }, key) => {
                self.on_number_key(number, key, now);
                return true;
            }
            (_, '*') => return false,
            (Below::Volume, '4' | '5' | '6') => {
                let step = match key {
                    '4' => Step::Down,
                    '5' => Step::Reset,
                    _ => Step::Up,
                };
                self.reopen(Below::Volume, now);
                Command::Hear(step)
            }
            (Below::Lobby { participant }, '1') => {
                self.give(Command::Admit(Who::One(participant)), true, false, now);
                return true;
            }
            (Below::Lobby { participant }, '2') => {
                self.give(Command::Refuse(Who::One(participant)), true, false, now);
                return true;
            }
            (Below::Lobby { .. }, '3') => Command::AdmitAll,
            (Below::Lobby { .. }, '4') => Command::RefuseAll,
            (below @ (Below::Volume | Below::Lobby { .. }), key) => {
                match key {
                    '#' => self.say([closed()], now),
                    _ => {
                        self.reopen(below, now);
                        self.say([Prompt::KeyUnknown], now);
                    }
                }
                return true;
            }
            (Below::ConfirmRecording, '1') => Command::Record { is_confirmed: true },
            (Below::ConfirmEnd, '1') => Command::End,
            (Below::Extend, '1') => Command::Extend { minutes: EXTEND_MINUTES },
            (Below::ConfirmRecording | Below::ConfirmEnd | Below::Extend, _) => {
                self.say([Prompt::EndCancelled], now);
                return true;
            }
            // Its keys do not come here.
            (Below::Leaving, _) => {
                self.below = Some(Below::Leaving);
                return true;
            }
        };
        self.command(command, now);
        true
    }

    fn reopen(&mut self, below: Below, now: Mono) {
        self.below = Some(below);
        self.timers.set(Timer::Below, after_s(now, BELOW_S));
    }

    fn on_number_key(&mut self, mut number: String, key: char, now: Mono) {
        match key {
            '#' if number.is_empty() => self.say([Prompt::DialCancelled], now),
            '#' => self.command(Command::Call { number }, now),
            '*' if number.is_empty() => self.say([Prompt::DialCancelled], now),
            '*' => self.open(Below::Number { number: String::new() }, [Prompt::DialNumber], now),
            key if !key.is_ascii_digit() => self.reopen(Below::Number { number }, now),
            _ if number.len() == NUMBER_DIGITS_MAX => self.say([Prompt::DialFailed], now),
            key => {
                number.push(key);
                self.reopen(Below::Number { number }, now);
            }
        }
    }

    pub(super) fn below_timed_out(&mut self, now: Mono) {
        let says = match self.below.take() {
            Some(Below::ConfirmRecording | Below::ConfirmEnd) => Prompt::EndCancelled,
            // A number of which the end is not known is not called.
            Some(Below::Number { .. }) => Prompt::DialCancelled,
            Some(Below::Volume | Below::Lobby { .. } | Below::Extend | Below::Leaving) | None => return,
        };
        self.say([says], now);
    }

    /// The conference has answered a command.
    pub(super) fn on_outcome(&mut self, asked: &PendingCommand, outcome: Outcome, now: Mono) {
        let says = self.of_outcome(&outcome);
        // A menu that opens later than the next key would take keys that are meant for something else.
        let may_open = asked.opens_menu && self.pressed.is_empty() && self.below.is_none();
        match outcome {
            Outcome::NobodyWaits if asked.is_follow_up => {}
            Outcome::Waiting { participant, .. } if may_open && self.is_leader => {
                self.open(Below::Lobby { participant }, says, now);
            }
            Outcome::Waiting { .. } if asked.is_follow_up => {}
            Outcome::RecordingUnconfirmed if may_open && self.is_leader => {
                self.open(Below::ConfirmRecording, says, now);
            }
            Outcome::RecordingUnconfirmed => {}
            Outcome::TimeLeft { may_extend: true, .. } if may_open && self.is_leader => {
                let asks = says.into_iter().chain([Item::from(Prompt::TimeExtend)]);
                self.open(Below::Extend, asks, now);
            }
            // The one has hung up; others may wait.
            Outcome::NobodyWaits if asked.is_in_lobby && may_open && self.is_leader => {
                self.command(Command::NextWaiting, now);
            }
            Outcome::Admitted | Outcome::TurnedAway if asked.is_in_lobby => {
                self.say(says, now);
                if may_open && self.is_leader {
                    self.give(Command::NextWaiting, false, true, now);
                }
            }
            _ => self.say(says, now),
        }
    }

    /// What a leader hears of the one who has waited longest.
    pub(super) fn of_waiting(count: u32, name: Option<plenary_speech::NameId>) -> Vec<Item> {
        let mut says: Vec<Item> = Vec::new();
        if count > 1 {
            says.push(Saying::Waiting { count }.into());
        }
        says.extend([Saying::AsksAdmission { name }.into(), Prompt::LobbyAdmit.into()]);
        if count > 1 {
            let all = [(MenuAction::AdmitAll, "3"), (MenuAction::RefuseAll, "4")];
            says.extend(all.map(|(task, key)| Item::from(Saying::KeyFor { task, keys: key.to_owned() })));
        }
        says
    }
}
