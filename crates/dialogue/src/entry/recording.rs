//! The caller's name, as they say it.

use super::{Entry, Output, Stage, Timer};
use crate::{Item, Mono, QuestionId, timers::after_s};
use plenary_model::PlayList;
use plenary_speech::{NameId, Prompt};

/// A name is recorded for so long at the most, from its first word on. The recorder ends it.
const NAME_MS_MAX: u32 = 4000;
/// So long the recorder waits for the first word.
const FIRST_WORD_MS: u32 = 10_000;

/// The prompt to speak.
fn tone() -> Item {
    Item::List(PlayList(vec!["tone:1000/250".to_owned()]))
}

impl Entry {
    pub(super) fn ask_name(&mut self, is_again: bool, now: Mono) {
        self.stage = Stage::AskingName { is_tone: false, is_again };
        let mut says: Vec<Item> = Vec::new();
        if is_again {
            says.push(Prompt::NameTooShort.into());
        }
        says.extend([Prompt::NameSay.into(), tone()]);
        self.play(says, true, now);
    }

    /// A key cuts the question short, but not the tone: people wait for it.
    pub(super) fn skip_to_tone(&mut self, is_again: bool, now: Mono) {
        self.stage = Stage::AskingName { is_tone: true, is_again };
        self.play(vec![tone()], false, now);
    }

    pub(super) fn start_recording(&mut self, is_again: bool, now: Mono) {
        self.stage = Stage::RecordingName { is_again };
        let question = self.ask(now);
        // The recorder has ended it by then, unless no audio comes.
        self.timers.set(Timer::Recording, now.plus_ms(u64::from(FIRST_WORD_MS + NAME_MS_MAX)));
        self.outputs.push_back(Output::StartRecording { question, max_ms: NAME_MS_MAX });
    }

    pub(super) fn stop_recording(&mut self, is_again: bool, now: Mono) {
        let Some(question) = self.open else { return };
        self.stage = Stage::SavingName { is_again };
        self.timers.cancel(Timer::Recording);
        self.timers.set(Timer::Answer, after_s(now, super::ANSWER_S_MAX));
        self.outputs.push_back(Output::StopRecording { question, is_kept: true });
    }

    /// What is being recorded, or has been, is dropped.
    pub(super) fn drop_recording(&mut self, question: QuestionId) {
        self.timers.cancel(Timer::Recording);
        self.outputs.push_back(Output::StopRecording { question, is_kept: false });
    }

    pub(super) fn on_recorded(&mut self, question: QuestionId, name: Option<NameId>, now: Mono) {
        let (Stage::RecordingName { is_again } | Stage::SavingName { is_again }) = self.stage else { return };
        if self.open != Some(question) {
            return;
        }
        self.open = None;
        self.timers.cancel(Timer::Answer);
        self.timers.cancel(Timer::Recording);
        match name {
            None if !is_again => self.ask_name(true, now),
            name => {
                self.name = name;
                self.join(now);
            }
        }
    }
}
