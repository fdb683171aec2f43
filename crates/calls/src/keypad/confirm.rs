//! A called participant confirms by a key that it joins: an answering machine does not.

use super::state::{Confirmation, Keypad};
use crate::{
    Calls,
    media::{PlayNumber, PlayTo},
    number::CallNumber,
    reasons::reasons,
};
use plenary_conference::{Digit, ToHome};
use plenary_speech::{Prompt, Saying};

/// How long a called participant has for its key, in milliseconds: a machine has begun to record by then, and has pressed nothing.
const CONFIRM_MS: u64 = 20_000;
/// The key that refuses.
const REFUSAL: char = '2';

impl Calls {
    /// The called side has answered: it is asked whether it joins.
    pub(crate) fn ask_to_confirm(&mut self, number: CallNumber, key: Digit) {
        let Some(call) = self.calls.get(&number) else { return };
        let Some(conference) = call.conference().cloned() else { return };
        let language = self.language_of_conference(&conference);
        let keys = key.as_char().to_string();
        let says = [Saying::Prompt(Prompt::DialInvited), Saying::KeyToJoin { keys }];
        let mut clips = self.spoken(&language, &says);
        // Repeated: people put the handset to their head some time after they have answered.
        clips.push(crate::media::Clip::Silence { ms: 1500 });
        let play = PlayNumber(self.play_numbers.draw());
        let until = self.now.mono.plus_ms(CONFIRM_MS);
        let mut keypad = Keypad::new(conference.account, None, None);
        keypad.confirmation = Some(Confirmation { key, play, until });
        if let Some(call) = self.calls.get_mut(&number) {
            call.keypad = Some(Box::new(keypad));
        }
        // What is said to all, such as names, is not for a machine: on hold the question alone is heard.
        self.out.hold(number, Vec::new());
        self.out.play(PlayTo::Call(number), play, clips, true);
        self.drive_keypad(number);
    }

    /// A key of a participant that is asked whether it joins; `false`: it is not asked.
    pub(super) fn confirm_key(&mut self, number: CallNumber, key: Digit) -> bool {
        let Some(keypad) = self.keypad(number) else { return false };
        let Some(confirmation) = &keypad.confirmation else { return false };
        match (key == confirmation.key, key.as_char() == REFUSAL) {
            (true, _) => self.confirmed(number),
            (false, true) => self.not_confirmed(number, "The call was refused"),
            (false, false) => {}
        }
        true
    }

    fn confirmed(&mut self, number: CallNumber) {
        of_call!(info, self, number, "the called side joins by key");
        self.remove_keypad(number);
        self.out.resume(number);
        self.enter_called(number);
    }

    /// The call was not confirmed.
    pub(super) fn not_confirmed(&mut self, number: CallNumber, text: &str) {
        of_call!(info, self, number, text, "the called side does not join");
        self.outgoing_failed(number, if text == NO_KEY { 408 } else { 603 }, text);
        self.end_call(number, reasons(200, text));
    }

    /// A called participant enters, with the keys of the conference's room.
    pub(crate) fn enter_called(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some(conference) = call.conference().cloned() else { return };
        let participant = call.participant.clone();
        self.begin_menus_of_conference(number, &conference);
        self.out.home(ToHome::Connected { conference, participant });
    }

    pub(super) fn end_confirmations(&mut self, number: CallNumber) {
        let now = self.now.mono;
        let is_due = |keypad: &mut Keypad| {
            keypad.confirmation.as_ref().is_some_and(|confirmation| confirmation.until <= now)
        };
        if self.keypad(number).is_some_and(is_due) {
            self.not_confirmed(number, NO_KEY);
        }
    }
}

/// Why a call ends that was not confirmed.
const NO_KEY: &str = "Nobody pressed the key to join";
