//! The menus of a participant: their outputs carried out, and events of the conference passed to them.

use super::{Speaker, state::Keypad};
use crate::{
    Calls,
    media::{PlayNumber, PlayTo},
    number::CallNumber,
};
use plenary_conference::{ConferenceKey, Digit, News, ParticipantId, Refused, refused::NotAsked};
use plenary_dialogue::menus::{Input, Output};
use plenary_speech::Saying;

impl Calls {
    pub(super) fn menus_input(&mut self, number: CallNumber, input: Input) {
        let now = self.now.mono;
        if let Some(Keypad { menus: Some(menus), .. }) = self.keypad(number) {
            menus.handle_input(input, now);
        }
        self.drive_keypad(number);
    }

    /// Carries out the next thing that the menus decided; `false`: there is none.
    pub(super) fn drive_menus(&mut self, number: CallNumber) -> bool {
        let Some(Keypad { menus: Some(menus), .. }) = self.keypad(number) else { return false };
        let Some(output) = menus.poll_output() else { return false };
        match output {
            Output::Play(speech) => self.speak(number, Speaker::Menus, speech),
            Output::StopPlay(id) => self.stop_speaking(number, Speaker::Menus, id),
            Output::Do { question, command } => self.command(number, question, command),
        }
        true
    }

    /// The conference notifies a participant.
    pub(crate) fn tell(&mut self, participant: &ParticipantId, news: News) {
        let Some(number) = self.participants.get(participant).copied() else { return };
        if news == News::AskedToUnmute && !self.has_mute_menu(number) {
            return self.ask_by_single_key(number);
        }
        self.menus_input(number, Input::News(news));
    }

    fn has_mute_menu(&mut self, number: CallNumber) -> bool {
        let menus = self.keypad(number).and_then(|keypad| keypad.menus.as_ref());
        menus.is_some_and(plenary_dialogue::Menus::has_mute_key)
    }

    /// The key of an inbound service by which a participant unmutes itself.
    fn single_unmute_key(&self, number: CallNumber) -> Option<Digit> {
        let options = &self.calls.get(&number)?.options;
        options.unmute_digit.or(options.mute_digit)
    }

    fn ask_by_single_key(&mut self, number: CallNumber) {
        if let Some(key) = self.single_unmute_key(number) {
            let saying = Saying::KeyToUnmute { keys: key.as_char().to_string() };
            let clips = self.spoken(&self.language_of(number), &[saying]);
            let play = PlayNumber(self.play_numbers.draw());
            self.out.play(PlayTo::Call(number), play, clips, false);
        }
    }

    /// A participant can only be asked to unmute itself where it has a key for that.
    pub(crate) fn check_unmute_key(
        &mut self,
        key: &ConferenceKey,
        id: &ParticipantId,
    ) -> Result<(), Refused> {
        let (number, _) = self.call_with_seat(key, id).ok_or(Refused::UnknownParticipant)?;
        match self.has_mute_menu(number) || self.single_unmute_key(number).is_some() {
            true => Ok(()),
            false => Err(Refused::NotAsked(NotAsked::NoKey)),
        }
    }

    /// A participant has become a leader, or is none any more.
    pub(crate) fn set_role(&mut self, participant: &ParticipantId, is_leader: bool) {
        let Some(number) = self.participants.get(participant).copied() else { return };
        if let Some(keypad) = self.keypad(number) {
            keypad.is_leader = is_leader;
        }
        self.menus_input(number, Input::Role { is_leader });
    }
}
