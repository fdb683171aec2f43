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

pub(crate) use farewell::Farewells;
pub(crate) use speaking::Speeches;

use commands::Levels;
use confirm::Confirmation;
use speaking::Speaker;

use crate::{Calls, call::Call, media::PlayNumber, number::CallNumber};
use plenary_conference::{AccountId, ConferenceKey, Mono};
use plenary_dialogue::{Entry, Menus, QuestionId};
use plenary_model::{LanguageCode, LeaderMenu, Menu, RecordingId, Room};

/// What a call has that uses keys.
#[derive(Debug)]
pub(crate) struct Keypad {
    /// The account whose rooms it may enter.
    account: AccountId,
    /// The dialogue on the way in, until it is over.
    entry: Option<Entry>,
    /// The menus, once the caller is in a conference.
    menus: Option<Menus>,
    /// The room that was found, by its number.
    room: Option<Room>,
    /// The room that the caller asks to join, and by which question.
    joining: Option<Joining>,
    /// The menus where the room has none.
    menu: Menu,
    leader_menu: LeaderMenu,
    is_leader: bool,
    /// What is heard while waiting, where the dialogue plays it.
    music: Option<PlayNumber>,
    /// The name that is being recorded, and the question that asked for it.
    recording: Option<(QuestionId, RecordingId)>,
    levels: Levels,
    /// When the participant last heard that it talks while it is muted.
    told_muted_at: Option<Mono>,
    /// It may unmute itself, as last reported to it.
    may_unmute: bool,
    /// The keys do something in the conference.
    pub(crate) has_keys: bool,
    /// What a called participant is asked before it enters.
    confirmation: Option<Confirmation>,
    /// When its dialogues want to be woken, as it is entered in [`Calls::keypad_due`].
    due: Option<Mono>,
}

/// A place that was asked for.
#[derive(Debug)]
struct Joining {
    question: QuestionId,
    conference: ConferenceKey,
}

impl Keypad {
    fn new(account: AccountId, menu: Option<Menu>, leader_menu: Option<LeaderMenu>) -> Self {
        Self {
            account,
            entry: None,
            menus: None,
            room: None,
            joining: None,
            menu: menu.unwrap_or_default(),
            leader_menu: leader_menu.unwrap_or_default(),
            is_leader: false,
            music: None,
            recording: None,
            levels: Levels::default(),
            told_muted_at: None,
            may_unmute: true,
            has_keys: true,
            confirmation: None,
            due: None,
        }
    }

    /// The menus speak, or the dialogue where it is not over.
    pub(crate) fn language(&self) -> LanguageCode {
        let language = self.menus.as_ref().map(Menus::language).or(self.entry.as_ref().map(Entry::language));
        language.cloned().unwrap_or_default()
    }

    /// The home's messages are about the place that was asked for here.
    pub(crate) fn joins(&self, conference: &ConferenceKey) -> bool {
        self.joining.as_ref().is_some_and(|joining| joining.conference == *conference)
    }
}

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

/// How a conference that is reached by a room speaks, and which keys there are in it.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    language: LanguageCode,
    menu: Menu,
    leader_menu: LeaderMenu,
}

impl Calls {
    /// The language of what is said to all of a conference: that of the room by which callers came last.
    pub(crate) fn language_of_conference(&self, conference: &ConferenceKey) -> LanguageCode {
        self.voices.get(conference).map(|voice| voice.language.clone()).unwrap_or_default()
    }
}

/// One of the single keys of an inbound service, which come before menus.
fn is_single_key(call: &Call, key: plenary_conference::Digit) -> bool {
    let options = &call.options;
    [options.exit_digit, options.mute_digit, options.unmute_digit].contains(&Some(key))
}
