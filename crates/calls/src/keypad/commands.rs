//! What a participant asks for by keys: most of it of the home, some of it here.

use super::state::Levels;
use crate::{
    Calls,
    bindings::Registrant,
    call::CallRequest,
    control::{ControlError, DialRefused},
    lookup::{Extended, Lookup, Pending, StoreFailed},
    number::CallNumber,
    reasons::reasons,
};
use plenary_conference::command::{CallProgress, News, Step, Volume};
use plenary_conference::{Command, ConferenceKey, Digit, Outcome, ParticipantId, ParticipantOptions, ToHome};
use plenary_dialogue::{QuestionId, menus::Input};
use plenary_model::{Actor, EndedBy};

/// One step of a volume, in dB.
const STEP_DB: i8 = 3;
/// The most that a volume is changed by keys, in dB.
const DB_MAX: i8 = 12;
/// How long a participant that is called by keys may ring, in milliseconds.
const RING_MS: u64 = 60_000;

impl Calls {
    /// Does what the menus ask for, or has it done.
    pub(super) fn command(&mut self, number: CallNumber, question: QuestionId, command: Command) {
        match command {
            Command::Hear(step) => self.change_level(number, question, step, |levels| &mut levels.hear_db),
            Command::Talk(step) => self.change_level(number, question, step, |levels| &mut levels.talk_db),
            Command::Leave => {
                of_call!(info, self, number, "leaves by key");
                let text = "The participant left by key";
                self.note_end(number, EndedBy::Remote, text);
                self.end_call(number, reasons(200, text));
            }
            Command::Call { number: dialled } => self.call_by_key(number, question, &dialled),
            Command::Extend { minutes } => self.extend_by_key(number, question, minutes),
            command => {
                let Some((conference, participant)) = self.place_of(number) else {
                    return self.command_done(number, question, Outcome::Failed);
                };
                self.out.home(ToHome::Command { conference, participant, question: question.0, command });
            }
        }
    }

    fn place_of(&self, number: CallNumber) -> Option<(ConferenceKey, ParticipantId)> {
        let call = self.calls.get(&number)?;
        Some((call.conference()?.clone(), call.participant.clone()))
    }

    /// The home has answered a command.
    pub(crate) fn handle_outcome(&mut self, participant: &ParticipantId, question: u64, outcome: Outcome) {
        if let Some(number) = self.participants.get(participant).copied() {
            self.command_done(number, QuestionId(question), outcome);
        }
    }

    pub(super) fn command_done(&mut self, number: CallNumber, question: QuestionId, outcome: Outcome) {
        self.menus_input(number, Input::Done { question, outcome });
    }

    fn change_level(
        &mut self,
        number: CallNumber,
        question: QuestionId,
        step: Step,
        level: impl Fn(&mut Levels) -> &mut i8,
    ) {
        let Some(keypad) = self.keypad(number) else { return };
        let db = level(&mut keypad.levels);
        let before = *db;
        *db = match step {
            Step::Up => (before + STEP_DB).min(DB_MAX),
            Step::Down => (before - STEP_DB).max(-DB_MAX),
            Step::Reset => 0,
        };
        let volume = match step {
            Step::Reset => Volume::Normal,
            Step::Up | Step::Down if *db == before => Volume::AtLimit,
            Step::Up => Volume::Louder,
            Step::Down => Volume::Quieter,
        };
        let Levels { hear_db, talk_db } = keypad.levels;
        self.out.set_levels(number, talk_db.into(), hear_db.into());
        self.command_done(number, question, Outcome::Volume(volume));
    }

    /// A call that takes the place of another one has the volumes that were set there by key.
    pub(crate) fn apply_levels(&mut self, number: CallNumber) {
        let levels = self.keypad(number).map(|keypad| keypad.levels).filter(|of| *of != Levels::default());
        if let Some(Levels { hear_db, talk_db }) = levels {
            self.out.set_levels(number, talk_db.into(), hear_db.into());
        }
    }

    /// A leader has a number called into the conference. What becomes of it, the leader hears.
    fn call_by_key(&mut self, number: CallNumber, question: QuestionId, dialled: &str) {
        let outcome = match self.place_by_key(number, dialled) {
            Ok(()) => Outcome::Calling,
            Err(error) => {
                of_call!(info, self, number, %error, "a number that was keyed in is not called");
                match error {
                    ControlError::Dial(DialRefused::NotPermitted(_)) => Outcome::CallNotAllowed,
                    _ => Outcome::CallFailed,
                }
            }
        };
        self.command_done(number, question, outcome);
    }

    fn place_by_key(&mut self, number: CallNumber, dialled: &str) -> Result<(), ControlError> {
        let unavailable = || ControlError::Unavailable("the call is not in a conference".to_owned());
        let (conference, _) = self.place_of(number).ok_or_else(unavailable)?;
        let request = CallRequest {
            by_key: Some(number),
            confirm: Digit::new('1'),
            redial: true,
            ..CallRequest::default()
        };
        let options = ParticipantOptions::default();
        // Who is registered under the number comes first, as where a telephone has it called (RFC 3515).
        let user = Registrant::User(dialled.to_owned());
        let scheme = match self.bindings.of(conference.account, &user, self.now.mono).is_empty() {
            false => "user",
            true => "tel",
        };
        self.place_to(conference, &format!("{scheme}:{dialled}"), (None, None), options, RING_MS, request)?;
        Ok(())
    }

    /// The leader who had a number called hears what becomes of it.
    pub(crate) fn tell_caller_by_key(&mut self, caller: Option<CallNumber>, progress: CallProgress) {
        if let Some(number) = caller {
            self.menus_input(number, Input::News(News::Call(progress)));
        }
    }

    /// A leader makes the conference longer. Seats are sold for that as for any extension.
    fn extend_by_key(&mut self, number: CallNumber, question: QuestionId, minutes: u32) {
        match self.place_of(number) {
            Some((conference, participant)) => {
                // Only leaders extend by key.
                let by = Actor::participant(&participant, true);
                let lookup = Lookup::Extend { conference, minutes, by };
                self.look_up(Pending::Keypad(number, question), lookup);
            }
            None => self.command_done(number, question, Outcome::NotExtended),
        }
    }

    pub(crate) fn handle_extended(
        &mut self,
        number: CallNumber,
        question: QuestionId,
        found: Result<Extended, StoreFailed>,
    ) {
        let outcome = match found {
            // All others are told by the conference.
            Ok(Extended::By { seconds }) => Outcome::Extended { seconds },
            Ok(Extended::Not(why)) => {
                of_call!(info, self, number, why, "the conference is not extended");
                Outcome::NotExtended
            }
            Err(error) => {
                of_call!(warn, self, number, %error, "the conference could not be extended");
                Outcome::Failed
            }
        };
        self.command_done(number, question, outcome);
    }
}
