//! Callers who use keys: the dialogue on the way in, the menus in the conference, and what is said to one caller alone.
//!
//! ```text
//!   keys, ends of playbacks, answers ─▶ Entry ─ Enter ─▶ Menus ─▶ Do(command) ─▶ the home, or here
//!                                         └──────────────┴─▶ Play, StopPlay ─▶ media plane
//! ```
//!
//! The dialogues decide ([`plenary_dialogue`]); here their outputs become lookups, messages to the home and commands to the
//! media plane, and what these say becomes their inputs.

mod commands;
mod confirm;
mod entry;
mod farewell;
mod menus;
mod speaking;
pub(crate) mod state;

pub(crate) use farewell::Farewells;
pub(crate) use speaking::Speeches;

use speaking::Speaker;
use state::Keypad;

use crate::{Calls, call::Call, media::Clip, number::CallNumber, play};
use plenary_conference::{ConferenceKey, Mono};
use plenary_dialogue::{Entry, Menus};
use plenary_model::LanguageCode;

impl Calls {
    /// When a dialogue wants to be woken.
    pub(crate) fn keypad_timeout(&self) -> Option<Mono> {
        self.keypad_due.first().map(|(at, _)| *at)
    }

    /// Lets time pass for dialogues.
    pub(crate) fn wake_keypads(&mut self) {
        let now = self.now.mono;
        while let Some((at, number)) = self.keypad_due.first().copied()
            && at <= now
        {
            self.keypad_due.remove(&(at, number));
            if let Some(keypad) = self.keypad(number) {
                keypad.due = None;
                if let Some(entry) = &mut keypad.entry {
                    entry.handle_timeout(now);
                }
                if let Some(menus) = &mut keypad.menus {
                    menus.handle_timeout(now);
                }
            }
            self.end_confirmations(number);
            self.drive_keypad(number);
        }
    }

    fn keypad(&mut self, number: CallNumber) -> Option<&mut Keypad> {
        self.calls.get_mut(&number)?.keypad.as_deref_mut()
    }

    /// Carries out what the dialogues of a call decide, until they have nothing more to say.
    pub(crate) fn drive_keypad(&mut self, number: CallNumber) {
        while self.drive_entry(number) || self.drive_menus(number) {}
        let due = self.keypad(number).and_then(|keypad| {
            let entry = keypad.entry.as_ref().and_then(Entry::poll_timeout);
            let menus = keypad.menus.as_ref().and_then(Menus::poll_timeout);
            let confirmation = keypad.confirmation.as_ref().map(|confirmation| confirmation.until);
            [entry, menus, confirmation].into_iter().flatten().min()
        });
        self.set_keypad_due(number, due);
    }

    fn set_keypad_due(&mut self, number: CallNumber, due: Option<Mono>) {
        let Some(keypad) = self.calls.get_mut(&number).and_then(|call| call.keypad.as_deref_mut()) else {
            return;
        };
        if keypad.due == due {
            return;
        }
        if let Some(before) = std::mem::replace(&mut keypad.due, due) {
            self.keypad_due.remove(&(before, number));
        }
        if let Some(due) = due {
            self.keypad_due.insert((due, number));
        }
    }

    /// A key of a caller who is in a dialogue, or has menus.
    pub(crate) fn handle_keypad_key(&mut self, number: CallNumber, key: plenary_conference::Digit) {
        let now = self.now.mono;
        if self.confirm_key(number, key) {
            return;
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        let is_consumed = is_single_key(call, key);
        let Some(keypad) = call.keypad.as_deref_mut() else { return };
        let key = plenary_dialogue::KeyPress(key);
        if let Some(entry) = &mut keypad.entry {
            entry.handle_input(plenary_dialogue::entry::Input::Key(key), now);
        }
        if let Some(menus) = keypad.menus.as_mut().filter(|_| keypad.has_keys) {
            menus.handle_input(plenary_dialogue::menus::Input::Key { key, is_consumed }, now);
        }
        self.drive_keypad(number);
    }

    /// The call is over, or leaves its dialogues behind: nothing of them stays, nor of a farewell.
    pub(crate) fn drop_keypad(&mut self, number: CallNumber) {
        let now = self.now.mono;
        if let Some(keypad) = self.keypad(number) {
            if let Some(entry) = &mut keypad.entry {
                entry.handle_input(plenary_dialogue::entry::Input::HungUp, now);
            }
            if let Some(menus) = &mut keypad.menus {
                menus.handle_input(plenary_dialogue::menus::Input::Left, now);
            }
        }
        self.drive_keypad(number);
        self.remove_keypad(number);
        self.forget_farewell(number);
        self.speeches.forget_call(number);
    }

    /// Takes away what a call has that uses keys, with what it is being asked and when it wanted to be woken.
    fn remove_keypad(&mut self, number: CallNumber) {
        self.set_keypad_due(number, None);
        let keypad = self.calls.get_mut(&number).and_then(|call| call.keypad.take());
        if let Some(confirmation) = keypad.and_then(|keypad| keypad.confirmation) {
            self.out.stop_play(confirmation.play);
        }
    }
}

impl Calls {
    /// The language of what is said to all of a conference: that of the room or the service by which callers came last.
    pub(crate) fn language_of_conference(&self, conference: &ConferenceKey) -> LanguageCode {
        self.voices.get(conference).map(|voice| voice.language.clone()).unwrap_or_default()
    }

    /// What a participant hears on hold: what its options say, then what the conference's room says.
    pub(crate) fn music_on_hold(&self, number: CallNumber) -> Vec<Clip> {
        let call = self.calls.get(&number);
        let conference = call.and_then(Call::conference);
        let own = call.and_then(|call| call.options.while_held_media.as_ref());
        let of_room = || self.voices.get(conference?)?.music.as_ref();
        match (own.or_else(of_room), conference) {
            (Some(list), Some(conference)) => play::clips(conference.account, &list.0),
            _ => vec![play::music()],
        }
    }
}

/// One of the single keys of an inbound service, which come before menus.
fn is_single_key(call: &Call, key: plenary_conference::Digit) -> bool {
    let options = &call.options;
    [options.exit_digit, options.mute_digit, options.unmute_digit].contains(&Some(key))
}
