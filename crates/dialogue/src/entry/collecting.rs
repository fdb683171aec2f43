//! Numbers and PINs that are keyed in.

use super::{Entry, HangUpReason, Stage, Timer};
use crate::{Item, Mono, keys::KeyBuffer, timers::after_s};
use plenary_conference::Digit;
use plenary_model::Pin;
use plenary_speech::Prompt;

/// More digits than any number or PIN has.
const DIGITS_MAX: usize = 12;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The number of a room.
    Room,
    /// The PIN that all callers need.
    Pin,
    /// The PIN that only leaders have; nothing is right for the others.
    LeaderPin,
}

impl Asked {
    fn prompt(self) -> Prompt {
        match self {
            Self::Room => Prompt::EntryRoom,
            Self::Pin => Prompt::EntryPin,
            Self::LeaderPin => Prompt::EntryLeaderPin,
        }
    }
}

impl Entry {
    /// Asks, after what has to be said before. Who has typed ahead is not asked.
    pub(super) fn collect(&mut self, asked: Asked, mut says: Vec<Item>, now: Mono) {
        self.stage = Stage::Collecting { asked, keys: KeyBuffer::new(), is_too_long: false };
        if self.typed.is_empty() {
            says.push(asked.prompt().into());
            self.play(says, true, now);
        } else {
            self.timers.set(Timer::Key, after_s(now, self.settings.first_key_s));
        }
    }

    /// Looks at the keys that are there, as long as keys are waited for.
    pub(super) fn take_typed(&mut self, now: Mono) {
        while matches!(self.stage, Stage::Collecting { .. }) {
            let Some(key) = self.typed.pop() else { return };
            self.take_key(key, now);
        }
    }

    fn take_key(&mut self, key: char, now: Mono) {
        let Stage::Collecting { asked, keys, is_too_long } = &mut self.stage else { return };
        match key {
            '#' => return self.collected(now),
            '*' => {
                let (asked, had_keys) = (*asked, !keys.is_empty());
                keys.clear();
                *is_too_long = false;
                if had_keys {
                    self.timers.set(Timer::Key, after_s(now, self.settings.first_key_s));
                } else {
                    // Nothing to correct: the question is heard again.
                    self.timers.cancel(Timer::Key);
                    self.collect(asked, Vec::new(), now);
                }
                return;
            }
            // The keys A to D are on no telephone that people have.
            key if !key.is_ascii_digit() => {}
            _ if keys.len() == DIGITS_MAX => *is_too_long = true,
            key => {
                if let Some(digit) = Digit::new(key) {
                    keys.push(digit);
                }
                let is_room = *asked == Asked::Room;
                if is_room && self.rooms.as_ref().is_some_and(|rooms| rooms.is_complete(keys.text())) {
                    self.expect_hash(now);
                    return self.collected(now);
                }
            }
        }
        self.timers.set(Timer::Key, after_s(now, self.settings.next_key_s));
    }

    /// The number is complete; a # behind it is no answer to the next question.
    fn expect_hash(&mut self, now: Mono) {
        if self.typed.text().starts_with('#') {
            self.typed.pop();
        } else if self.typed.is_empty() {
            self.completed_at = Some(now);
        }
    }

    /// No more keys come: by `#`, by time, or because the number is complete.
    pub(super) fn collected(&mut self, now: Mono) {
        self.timers.cancel(Timer::Key);
        let Stage::Collecting { asked, keys, is_too_long } =
            std::mem::replace(&mut self.stage, Stage::FindingRoom)
        else {
            return;
        };
        let is_empty = keys.is_empty() && !is_too_long;
        let is_only_room = !is_too_long && self.only_room() == Some(keys.text());
        match asked {
            Asked::LeaderPin if is_empty => self.identified(false, now),
            Asked::Room | Asked::Pin if is_empty => self.failed(asked, Prompt::EntryNothing, now),
            Asked::Room => {
                let is_known = self.rooms.as_ref().is_some_and(|rooms| rooms.contains(keys.text()));
                match is_known && !is_too_long {
                    true => self.find_room(keys.text().to_owned(), now),
                    false => self.failed(asked, Prompt::EntryRoomWrong, now),
                }
            }
            // Cards and mails name the number, which is not asked for where there is no other. The second time it is a PIN: a room
            // may have one of the same digits.
            Asked::Pin | Asked::LeaderPin if is_only_room && !self.has_keyed_only_room => {
                self.has_keyed_only_room = true;
                self.collect(asked, Vec::new(), now);
            }
            Asked::Pin | Asked::LeaderPin => match Pin::new(keys.text()).filter(|_| !is_too_long) {
                Some(pin) => self.check_pin(pin, 0, now),
                // It can be no PIN, so it is not counted as a guess either.
                None => self.failed(asked, Prompt::EntryPinWrong, now),
            },
        }
    }

    /// The caller was wrong, or silent: asks again, or ends the call.
    pub(super) fn failed(&mut self, asked: Asked, why: Prompt, now: Mono) {
        self.failures += 1;
        // What was typed ahead was meant for the question after this one.
        self.typed.clear();
        if self.failures >= self.settings.tries {
            return self.close([why, Prompt::EntryTooMany], HangUpReason::Failures, now);
        }
        self.collect(asked, vec![why.into(), Prompt::EntryAgain.into()], now);
    }
}
