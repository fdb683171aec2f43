//! From keys to sequences, and from sequences to actions.

use super::{Below, COUNT_AGAIN_S, Command, EXTEND_MINUTES, Menus, NEXT_KEY_S, Step, Timer, Who};
use crate::{KeyPress, Mono, timers::after_s};
use plenary_model::MenuAction;
use plenary_speech::Prompt;

impl Menus {
    pub(super) fn on_key(&mut self, KeyPress(key): KeyPress, is_consumed: bool, now: Mono) {
        if is_consumed {
            // It belongs to the service; a sequence that it interrupts is not meant any more.
            self.pressed.clear();
            self.timers.cancel(Timer::Sequence);
            return;
        }
        if let Some(Below::Leaving) = self.below {
            return;
        }
        self.silence();
        for asked in self.commands.values_mut() {
            asked.opens_menu = false;
        }
        let key = key.as_char();
        if self.pressed.is_empty() && self.is_taken_below(key, now) {
            return;
        }
        self.pressed.push(key);
        self.resolve(now);
    }

    fn resolve(&mut self, now: Mono) {
        self.timers.cancel(Timer::Sequence);
        if let Some(action) = self.action(&self.pressed) {
            self.pressed.clear();
            return self.run(action, now);
        }
        if self.goes_on(&self.pressed) {
            return self.timers.set(Timer::Sequence, after_s(now, NEXT_KEY_S));
        }
        self.is_unknown(now);
    }

    /// No further key has come.
    pub(super) fn sequence_ended(&mut self, now: Mono) {
        if self.pressed == "*" {
            self.pressed.clear();
            return self.run(MenuAction::Help, now);
        }
        self.is_unknown(now);
    }

    fn is_unknown(&mut self, now: Mono) {
        let keys = std::mem::take(&mut self.pressed);
        let is_leaders = !self.is_leader && self.leader_menu.action(&keys).is_some();
        match (is_leaders, keys.len()) {
            (true, _) => self.say([Prompt::KeyNotYou], now),
            // One false key, by a cheek or by a voice, is not worth a word.
            (false, 0 | 1) => {}
            (false, _) => self.say([Prompt::KeyUnknown], now),
        }
    }

    fn action(&self, keys: &str) -> Option<MenuAction> {
        if self.is_leader { self.leader_menu.action(keys) } else { self.menu.action(keys) }
    }

    /// A sequence begins with these keys: one of the participant's own, or one of the leaders', which is told apart from an
    /// unknown one.
    fn goes_on(&self, keys: &str) -> bool {
        let begins = |known: &str| known.len() > keys.len() && known.starts_with(keys);
        let is_own = !self.is_leader && self.menu.iter().any(|(known, _)| begins(known.as_str()));
        let is_leaders = self.leader_menu.iter().any(|(known, _)| begins(known.as_str()));
        // What is complete for leaders is not waited for, unless it goes on for this participant.
        is_own || (is_leaders && (self.is_leader || self.leader_menu.action(keys).is_none()))
    }

    fn run(&mut self, action: MenuAction, now: Mono) {
        if action.is_for_leaders() && !self.is_leader {
            return self.say([Prompt::KeyNotYou], now);
        }
        // A sequence leaves the menu that is open.
        self.close_below();
        let command = match action {
            MenuAction::Mute => Command::ToggleMute,
            MenuAction::Hand => Command::ToggleHand,
            MenuAction::Count => {
                let again = self.counted_at.take().is_some_and(|at| now < after_s(at, COUNT_AGAIN_S));
                if !again {
                    self.counted_at = Some(now);
                }
                if again { Command::RollCall } else { Command::Count }
            }
            MenuAction::RollCall => Command::RollCall,
            MenuAction::Volume => return self.open(Below::Volume, [Prompt::VolumeKeys], now),
            MenuAction::HearLouder => Command::Hear(Step::Up),
            MenuAction::HearQuieter => Command::Hear(Step::Down),
            MenuAction::TalkLouder => Command::Talk(Step::Up),
            MenuAction::TalkQuieter => Command::Talk(Step::Down),
            MenuAction::Floor => Command::NextFloor,
            MenuAction::MuteAll => Command::ToggleMuteAll,
            MenuAction::Lecture => Command::ToggleLecture,
            MenuAction::Lock => Command::ToggleLock,
            MenuAction::Lobby => Command::NextWaiting,
            MenuAction::AdmitNext => Command::Admit(Who::Next),
            MenuAction::AdmitAll => Command::AdmitAll,
            MenuAction::RefuseNext => Command::Refuse(Who::Next),
            MenuAction::RefuseAll => Command::RefuseAll,
            MenuAction::EjectLast => Command::EjectLast,
            MenuAction::Call => {
                let number = String::new();
                return self.open(Below::Number { number }, [Prompt::DialNumber], now);
            }
            MenuAction::Record => Command::Record { is_confirmed: false },
            MenuAction::RecordStop => Command::StopRecording,
            MenuAction::TimeLeft => Command::TimeLeft,
            MenuAction::Extend => Command::Extend { minutes: EXTEND_MINUTES },
            MenuAction::Announcements => Command::ToggleAnnouncements,
            MenuAction::Leave => return self.open(Below::Leaving, [Prompt::LeaveGoodbye], now),
            MenuAction::End => return self.open(Below::ConfirmEnd, [Prompt::EndConfirm], now),
            MenuAction::Help => {
                // In parts that listeners can keep in mind. A key ends them all.
                return self.help().into_iter().for_each(|part| self.say(part, now));
            }
        };
        self.command(command, now);
    }
}
