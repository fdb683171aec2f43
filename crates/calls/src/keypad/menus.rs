//! The menus of a participant: their outputs carried out, and events of the conference passed to them.

use super::{Speaker, state::Keypad};
use crate::{Calls, number::CallNumber};
use plenary_conference::{News, ParticipantId};
use plenary_dialogue::menus::{Input, Output};

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
        if let News::MutedByLeader { self_unmute } = news
            && let Some(keypad) = self.keypad(number)
        {
            keypad.may_unmute = self_unmute;
        }
        self.menus_input(number, Input::News(news));
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
