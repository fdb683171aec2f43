//! The entry: from the answered call into a conference.
//!
//! ```text
//!  Greeting ─▶ room number ─▶ FindRoom ─▶ PIN ─▶ CheckPin ─▶ name ─▶ Join ─┬▶ Admitted ─▶ Enter ─▶ (waits to start) ─▶ Done
//!                  ▲  wrong        │       ▲  wrong    │                   ├▶ Lobby ──────▶ Admitted, Denied
//!                  └───────────────┘       └───────────┘                   ├▶ NotYet ─────▶ held, and Join again
//!                                                                          └▶ Full, Locked, Over: said, HangUp
//! ```
//!
//! Keys interrupt what is said and are kept while none are awaited; a failure discards those that were kept, because they
//! were meant for another question. At most one question to the store or the conference is open at a time, and each has a deadline.

mod collecting;
mod input;
mod output;
mod recording;
mod waiting;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

pub use input::{Input, JoinAnswer, PinResult, Room};
pub use output::{HangUpReason, Output};
pub use plenary_conference::Arrival;

use crate::{
    Item, KeyPress, Mono, QuestionId, RoomNumbers,
    keys::KeyBuffer,
    spoken::{Player, seconds_max},
    timers::{Timers, after_s},
};
use collecting::Asked;
use plenary_model::{EntryAction, EntryRooms, Pin};
use plenary_speech::{LanguageCode, NameId, Prompt};
use std::{collections::VecDeque, sync::Arc};

/// A caller has so long until the conference is asked for a place, so that no line is held for nothing.
const DIALOGUE_S_MAX: u32 = 300;
/// The store, the recorder or a conference that does not answer for so long has failed.
const ANSWER_S_MAX: u32 = 15;
/// A PIN that is not looked at yet is kept for so long; a caller who has to wait longer is asked to call again. No member of a room
/// waits longer, however many others guess.
const PIN_WAIT_S_MAX: u32 = 60;
/// A wait of more than so long is not spent in silence.
const PIN_SILENCE_S_MAX: u32 = 5;
/// Callers who heard that # ends a number press it, although the number was complete before; this soon after its last digit. Where #
/// alone is no answer, they have as long as for any key.
const HASH_MS: u64 = 1500;
/// How often a PIN is kept.
const PIN_WAITS_MAX: u32 = 3;

/// The dialogue with one caller.
#[derive(Debug)]
pub struct Entry {
    settings: EntryAction,
    language: LanguageCode,
    stage: Stage,
    timers: Timers<Timer>,
    /// Keys that are not used yet.
    typed: KeyBuffer,
    player: Player,
    is_music_on: bool,
    last_question: u64,
    /// The question that waits for its answer.
    open: Option<QuestionId>,
    rooms: Option<Arc<RoomNumbers>>,
    room: Option<Room>,
    leader: bool,
    /// The caller's recorded name, until the conference has it.
    name: Option<NameId>,
    /// The place that was asked for and has not been refused.
    place: Option<QuestionId>,
    /// When a number was complete without the # that may still follow it.
    completed_at: Option<Mono>,
    /// The only room's number was keyed in, although it was not asked for.
    has_keyed_only_room: bool,
    /// Until when the caller may be held, since they were the first time.
    hold_until: Option<Mono>,
    /// Failures with the present question.
    failures: u32,
    outputs: VecDeque<Output>,
}

/// The room that a caller has keyed in, with what the PIN makes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    room: Room,
    is_leader: bool,
}

#[derive(Debug)]
enum Stage {
    /// The call is not answered.
    New,
    /// The greeting plays, or the list of rooms is awaited, or both.
    Greeting,
    /// A number or a PIN is keyed in.
    Collecting { asked: Asked, keys: KeyBuffer, is_too_long: bool },
    /// The room is looked up.
    FindingRoom,
    /// The PIN is checked.
    CheckingPin { pin: Pin, waits: u32 },
    /// The PIN is kept until it may be checked.
    KeepingPin { pin: Pin, waits: u32 },
    /// The caller is asked for their name. `is_tone`: only the tone is left.
    AskingName { is_tone: bool, is_again: bool },
    /// The name is recorded.
    RecordingName { is_again: bool },
    /// The recording has been stopped.
    SavingName { is_again: bool },
    /// The conference is asked for a place.
    Joining,
    /// It has one, and the caller hears so.
    Announcing { arrival: Arrival },
    /// It has not started; the caller is held, with music.
    Held { starts_at: Mono },
    /// The caller waits to be admitted, with music.
    Lobby { is_leader_told: bool },
    /// The caller is in the conference and waits for its start, with music.
    Waiting { arrival: Arrival },
    /// It has started, which the caller hears.
    Starting,
    /// Something is said before the call ends.
    Closing { reason: HangUpReason },
    /// The dialogue is over.
    Over,
}

/// What a deadline is for. Where several are due at once, the first one here comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The whole dialogue, until the conference is asked.
    Dialogue,
    /// The next key.
    Key,
    /// The answer to the open question.
    Answer,
    /// The end of the playback that runs.
    Playback,
    /// The latest end of the recording.
    Recording,
    /// The PIN may be looked at.
    Pin,
    /// The held caller's conference starts.
    Start,
    /// The held caller has waited as long as the room allows.
    Hold,
    /// The held caller hears it again.
    Repeat,
}

impl Entry {
    /// A dialogue as configured.
    #[must_use]
    pub fn new(settings: EntryAction) -> Self {
        let rooms = match &settings.rooms {
            EntryRooms::All => None,
            EntryRooms::Listed(numbers) => Some(Arc::new(RoomNumbers::new(numbers.iter().cloned()))),
        };
        Self {
            language: settings.language.clone(),
            settings,
            stage: Stage::New,
            timers: Timers::new(),
            typed: KeyBuffer::new(),
            player: Player::default(),
            is_music_on: false,
            last_question: 0,
            open: None,
            rooms,
            room: None,
            leader: false,
            name: None,
            place: None,
            completed_at: None,
            has_keyed_only_room: false,
            hold_until: None,
            failures: 0,
            outputs: VecDeque::new(),
        }
    }

    /// For a caller who takes the place of another call (RFC 3891) that was that far: room and PIN are not asked for again.
    #[must_use]
    pub fn resumed(settings: EntryAction, known: Known) -> Self {
        let Known { room, is_leader } = known;
        Self { room: Some(room), leader: is_leader, ..Self::new(settings) }
    }

    /// What the caller has shown, where nothing is left to be keyed in and the caller is not in the conference.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        let is_known = match self.stage {
            Stage::New
            | Stage::Greeting
            | Stage::Collecting { .. }
            | Stage::FindingRoom
            | Stage::CheckingPin { .. }
            | Stage::KeepingPin { .. }
            | Stage::Waiting { .. }
            | Stage::Starting
            | Stage::Closing { .. }
            | Stage::Over => false,
            Stage::AskingName { .. }
            | Stage::RecordingName { .. }
            | Stage::SavingName { .. }
            | Stage::Joining
            | Stage::Announcing { .. }
            | Stage::Held { .. }
            | Stage::Lobby { .. } => true,
        };
        let room = self.room.clone().filter(|_| is_known)?;
        Some(Known { room, is_leader: self.leader })
    }

    /// Takes an input.
    pub fn handle_input(&mut self, input: Input, now: Mono) {
        self.handle_timeout(now);
        match input {
            Input::Connected => self.on_connected(now),
            Input::Key(key) => self.on_key(key, now),
            Input::Played(playback) => {
                if self.player.ended(playback) {
                    self.timers.cancel(Timer::Playback);
                    self.on_played(now);
                }
            }
            Input::RoomsListed { question, rooms } => {
                if self.take_answer(question, |stage| matches!(stage, Stage::Greeting)) {
                    self.rooms = Some(rooms);
                    self.greeted(now);
                }
            }
            Input::RoomFound { question, room } => {
                if self.take_answer(question, |stage| matches!(stage, Stage::FindingRoom)) {
                    self.on_room(room, now);
                }
            }
            Input::PinChecked { question, result } => {
                if self.take_answer(question, |stage| matches!(stage, Stage::CheckingPin { .. })) {
                    self.on_pin(result, now);
                }
            }
            Input::Recorded { question, name } => self.on_recorded(question, name, now),
            Input::Joining { question, answer } => self.on_joining(question, answer, now),
            Input::Started => self.on_started(now),
            Input::Failed { question } => self.on_failed(question, now),
            Input::HungUp => self.give_up(),
        }
        self.take_typed(now);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Mono) {
        while let Some(timer) = self.timers.take_due(now) {
            self.on_timer(timer, now);
            self.take_typed(now);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// The dialogue is over: the caller is in the conference, or the call has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// The language in which the caller is spoken to.
    #[must_use]
    pub fn language(&self) -> &LanguageCode {
        &self.language
    }

    fn on_connected(&mut self, now: Mono) {
        let Stage::New = self.stage else { return };
        self.stage = Stage::Greeting;
        self.timers.set(Timer::Dialogue, after_s(now, DIALOGUE_S_MAX));
        if let Some(room) = &self.room {
            if let Some(language) = &room.language {
                self.language = language.clone();
            }
            return self.identified(self.leader, now);
        }
        let greeting = match &self.settings.greeting {
            Some(list) => Item::List(list.clone()),
            None => Prompt::EntryWelcome.into(),
        };
        self.play(vec![greeting], true, now);
        // A greeting of the account may be as long as the dialogue.
        self.timers.cancel(Timer::Playback);
        if self.rooms.is_none() {
            let question = self.ask(now);
            self.outputs.push_back(Output::ListRooms { question });
        }
    }

    fn on_key(&mut self, KeyPress(key): KeyPress, now: Mono) {
        let completed_at = self.completed_at.take();
        if key.as_char() == '#' && completed_at.is_some_and(|at| now < at.plus_ms(self.hash_ms())) {
            return;
        }
        match self.stage {
            // The caller has left, or the keys belong to the menus of the conference.
            Stage::New | Stage::Over | Stage::Waiting { .. } | Stage::Starting => {}
            Stage::Closing { .. } => {}
            Stage::RecordingName { is_again } => self.stop_recording(is_again, now),
            Stage::AskingName { is_tone: false, is_again } => self.skip_to_tone(is_again, now),
            Stage::AskingName { is_tone: true, .. } | Stage::SavingName { .. } => {}
            Stage::Greeting
            | Stage::Collecting { .. }
            | Stage::FindingRoom
            | Stage::CheckingPin { .. }
            | Stage::KeepingPin { .. } => {
                // One that finds no room is one of too many, which are wrong in any case.
                let _ = self.typed.push(key);
                if self.interrupt() && matches!(self.stage, Stage::Greeting) {
                    self.greeted(now);
                }
            }
            Stage::Joining | Stage::Announcing { .. } | Stage::Held { .. } | Stage::Lobby { .. } => {
                if self.interrupt() {
                    self.on_played(now);
                }
            }
        }
    }

    /// How long a # belongs to the number before it.
    fn hash_ms(&self) -> u64 {
        match self.stage {
            Stage::FindingRoom | Stage::Collecting { asked: Asked::Pin, .. } => {
                HASH_MS.max(u64::from(self.settings.next_key_s) * 1000)
            }
            _ => HASH_MS,
        }
    }

    /// What was being said is over, at its end or by a key.
    fn on_played(&mut self, now: Mono) {
        match self.stage {
            Stage::Greeting => self.greeted(now),
            Stage::Collecting { .. } => {
                self.timers.set(Timer::Key, after_s(now, self.settings.first_key_s));
            }
            Stage::AskingName { is_again, .. } => self.start_recording(is_again, now),
            Stage::Announcing { arrival } => self.enter(arrival),
            Stage::KeepingPin { .. } | Stage::Held { .. } | Stage::Lobby { .. } | Stage::Waiting { .. } => {
                self.set_music(true);
            }
            Stage::Starting => self.done(),
            Stage::Closing { reason } => self.hang_up(reason),
            Stage::New
            | Stage::FindingRoom
            | Stage::CheckingPin { .. }
            | Stage::RecordingName { .. }
            | Stage::SavingName { .. }
            | Stage::Joining
            | Stage::Over => {}
        }
    }

    /// Goes on from the greeting once it is over and the rooms are known.
    fn greeted(&mut self, now: Mono) {
        let (Stage::Greeting, Some(rooms)) = (&self.stage, self.rooms.clone()) else { return };
        if self.player.is_playing() {
            return;
        }
        match rooms.single() {
            _ if rooms.is_empty() => self.close([Prompt::SysTrouble], HangUpReason::NoRoom, now),
            Some(only) => {
                let number = only.to_owned();
                self.find_room(number, now);
            }
            None => self.collect(Asked::Room, Vec::new(), now),
        }
    }

    /// The number of the room that is entered without a question.
    fn only_room(&self) -> Option<&str> {
        self.rooms.as_ref()?.single()
    }

    fn find_room(&mut self, number: String, now: Mono) {
        self.stage = Stage::FindingRoom;
        let question = self.ask(now);
        self.outputs.push_back(Output::FindRoom { question, number });
    }

    fn on_room(&mut self, room: Option<Room>, now: Mono) {
        let Some(room) = room else {
            // There is no other number to ask for.
            return match self.only_room().is_some() {
                true => self.close([Prompt::SysTrouble], HangUpReason::NoRoom, now),
                false => self.failed(Asked::Room, Prompt::EntryRoomWrong, now),
            };
        };
        self.failures = 0;
        if let Some(language) = &room.language {
            self.language = language.clone();
        }
        let asked = match (room.has_pin, room.has_leader_pin) {
            (true, _) => Some(Asked::Pin),
            (false, true) => Some(Asked::LeaderPin),
            (false, false) => None,
        };
        self.room = Some(room);
        match asked {
            Some(asked) => self.collect(asked, Vec::new(), now),
            None => self.identified(false, now),
        }
    }

    fn check_pin(&mut self, pin: Pin, waits: u32, now: Mono) {
        let Some(room) = self.room.as_ref().map(|room| room.number.clone()) else { return };
        self.stage = Stage::CheckingPin { pin: pin.clone(), waits };
        let question = self.ask(now);
        self.outputs.push_back(Output::CheckPin { question, room, pin });
    }

    fn on_pin(&mut self, result: PinResult, now: Mono) {
        let Stage::CheckingPin { pin, waits } = std::mem::replace(&mut self.stage, Stage::FindingRoom) else {
            return;
        };
        match result {
            PinResult::Right { leader } => self.identified(leader, now),
            PinResult::Wrong => {
                let asked = match self.room.as_ref().is_some_and(|room| room.has_pin) {
                    true => Asked::Pin,
                    false => Asked::LeaderPin,
                };
                self.failed(asked, Prompt::EntryPinWrong, now);
            }
            // Others may have caused it, from the same network or at the same room: a short wait is no reason to end a call.
            PinResult::TooMany { until }
                if until <= after_s(now, PIN_WAIT_S_MAX) && waits < PIN_WAITS_MAX =>
            {
                self.stage = Stage::KeepingPin { pin, waits: waits + 1 };
                self.timers.set(Timer::Pin, until.max(now.plus_ms(1)));
                if until > after_s(now, PIN_SILENCE_S_MAX) && !self.is_music_on {
                    self.play(vec![Prompt::HoldOn.into()], false, now);
                }
            }
            PinResult::TooMany { .. } => {
                self.close([Prompt::EntryWaitBetweenTries], HangUpReason::TooManyPins, now);
            }
        }
    }

    /// The caller may join, as a leader or not.
    fn identified(&mut self, leader: bool, now: Mono) {
        self.leader = leader;
        // What was keyed in beyond a PIN is for nothing.
        self.typed.clear();
        match self.room.as_ref().is_some_and(|room| room.records_names) {
            true => self.ask_name(false, now),
            false => self.join(now),
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Mono) {
        match timer {
            Timer::Dialogue => self.close([Prompt::SysTrouble], HangUpReason::TooLong, now),
            Timer::Key => self.collected(now),
            Timer::Answer => self.on_no_answer(now),
            Timer::Playback => {
                if let Some(playback) = self.player.stop() {
                    self.outputs.push_back(Output::StopPlay(playback));
                    self.on_played(now);
                }
            }
            Timer::Recording => {
                if let Stage::RecordingName { is_again } = self.stage {
                    self.stop_recording(is_again, now);
                }
            }
            Timer::Pin => {
                if let Stage::KeepingPin { pin, waits } =
                    std::mem::replace(&mut self.stage, Stage::FindingRoom)
                {
                    self.check_pin(pin, waits, now);
                }
            }
            Timer::Start => self.join_again(now),
            Timer::Hold => self.held_too_long(now),
            Timer::Repeat => self.tell_held(now),
        }
    }

    fn on_failed(&mut self, question: QuestionId, now: Mono) {
        if self.open == Some(question) {
            self.timers.cancel(Timer::Answer);
            self.on_no_answer(now);
        }
    }

    /// The open question is not answered.
    fn on_no_answer(&mut self, now: Mono) {
        let Some(question) = self.open.take() else { return };
        match self.stage {
            // No caller is refused because of a recorder.
            Stage::RecordingName { .. } | Stage::SavingName { .. } => {
                self.drop_recording(question);
                self.join(now);
            }
            _ => self.close([Prompt::SysTrouble], HangUpReason::Trouble, now),
        }
    }

    /// A new question, which is the open one.
    fn ask(&mut self, now: Mono) -> QuestionId {
        self.last_question += 1;
        let question = QuestionId(self.last_question);
        self.open = Some(question);
        self.timers.set(Timer::Answer, after_s(now, ANSWER_S_MAX));
        question
    }

    /// The answer to the open question has come, and its stage waits for it.
    fn take_answer(&mut self, question: QuestionId, awaits: fn(&Stage) -> bool) -> bool {
        let is_awaited = self.open == Some(question) && awaits(&self.stage);
        if is_awaited {
            self.open = None;
            self.timers.cancel(Timer::Answer);
        }
        is_awaited
    }

    /// Begins to say this, in place of the music and of what is being said.
    fn play(&mut self, items: Vec<Item>, is_interruptible: bool, now: Mono) {
        self.silence();
        let ends_at = after_s(now, seconds_max(&items));
        let speech = self.player.start(&self.language, items, is_interruptible);
        self.outputs.push_back(Output::Play(speech));
        self.timers.set(Timer::Playback, ends_at);
    }

    /// Ends what is said where keys may; `true`: something was.
    fn interrupt(&mut self) -> bool {
        let Some(playback) = self.player.interrupt() else { return false };
        self.timers.cancel(Timer::Playback);
        self.outputs.push_back(Output::StopPlay(playback));
        true
    }

    /// Ends what is being said and the music.
    fn silence(&mut self) {
        self.stop_speaking();
        self.set_music(false);
    }

    fn stop_speaking(&mut self) {
        self.timers.cancel(Timer::Playback);
        if let Some(playback) = self.player.stop() {
            self.outputs.push_back(Output::StopPlay(playback));
        }
    }

    fn set_music(&mut self, is_on: bool) {
        if self.is_music_on != is_on {
            self.is_music_on = is_on;
            self.outputs.push_back(Output::Music { is_on });
        }
    }

    /// Says something and ends the call.
    fn close(&mut self, says: impl IntoIterator<Item = impl Into<Item>>, reason: HangUpReason, now: Mono) {
        self.release();
        self.stage = Stage::Closing { reason };
        self.play(says.into_iter().map(Into::into).collect(), false, now);
    }

    fn hang_up(&mut self, reason: HangUpReason) {
        self.give_up();
        self.outputs.push_back(Output::HangUp(reason));
    }

    fn done(&mut self) {
        self.silence();
        self.timers.clear();
        self.stage = Stage::Over;
        self.outputs.push_back(Output::Done);
    }

    /// The call is over: nothing is left running.
    fn give_up(&mut self) {
        if self.is_over() {
            return;
        }
        self.release();
        self.silence();
        self.stage = Stage::Over;
    }

    /// Gives back what the caller holds, and asks for nothing any more.
    fn release(&mut self) {
        self.timers.clear();
        self.typed.clear();
        let open = self.open.take();
        if let (Stage::RecordingName { .. } | Stage::SavingName { .. }, Some(question)) = (&self.stage, open)
        {
            self.drop_recording(question);
        }
        if let Some(question) = self.place.take() {
            self.outputs.push_back(Output::Withdraw { question });
        }
        if let Some(name) = self.name.take() {
            self.outputs.push_back(Output::ForgetName(name));
        }
    }
}
