//! What is said: sentences become clips in the caller's language, and a playback that ends goes back to who began it.

use super::state::Keypad;
use crate::{
    Calls,
    media::{Clip, PlayNumber, PlayTo},
    number::CallNumber,
    play,
};
use plenary_dialogue::{Item, PlaybackId, Speech, entry, menus};
use plenary_model::{LanguageCode, NameId, RecordingId};
use plenary_speech::{Piece, Saying};
use std::collections::{BTreeMap, BTreeSet};
use tracing::warn;

/// Who speaks to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Speaker {
    Entry,
    Menus,
    /// What is said before the call ends.
    Farewell,
}

/// Playbacks of dialogues that go on.
#[derive(Debug, Default)]
pub(crate) struct Speeches {
    by_play: BTreeMap<PlayNumber, (CallNumber, Speaker, PlaybackId)>,
    by_speech: BTreeMap<(CallNumber, Speaker, PlaybackId), PlayNumber>,
    /// What languages lack, as the log has told.
    missing: BTreeSet<(LanguageCode, String)>,
}

/// So many gaps in languages are remembered; then the log tells them again.
const MISSING_MAX: usize = 10_000;

impl Speeches {
    pub(super) fn begin(&mut self, play: PlayNumber, call: CallNumber, speaker: Speaker, id: PlaybackId) {
        self.by_play.insert(play, (call, speaker, id));
        self.by_speech.insert((call, speaker, id), play);
    }

    fn end(&mut self, play: PlayNumber) -> Option<(CallNumber, Speaker, PlaybackId)> {
        let speech = self.by_play.remove(&play)?;
        self.by_speech.remove(&speech);
        Some(speech)
    }

    fn stop(&mut self, call: CallNumber, speaker: Speaker, id: PlaybackId) -> Option<PlayNumber> {
        let play = self.by_speech.remove(&(call, speaker, id))?;
        self.by_play.remove(&play);
        Some(play)
    }

    pub(super) fn forget_call(&mut self, call: CallNumber) {
        let first = (call, Speaker::Entry, PlaybackId(0));
        let last = (call, Speaker::Farewell, PlaybackId(u64::MAX));
        let speeches: Vec<_> = self.by_speech.range(first..=last).map(|(speech, _)| *speech).collect();
        for (call, speaker, id) in speeches {
            self.stop(call, speaker, id);
        }
    }
}

impl Calls {
    /// The clips of sentences. What a language lacks is said in English, which the log tells once.
    pub(crate) fn spoken(&mut self, language: &LanguageCode, sayings: &[Saying]) -> Vec<Clip> {
        let sayings: Vec<Saying> = sayings.iter().map(|saying| self.with_known_names(saying)).collect();
        let mut spoken = self.languages.say(language, &sayings);
        let told = &mut self.speeches.missing;
        if told.len() > MISSING_MAX {
            told.clear();
        }
        spoken.missing.retain(|missing| told.insert((language.clone(), missing.clone())));
        if !spoken.missing.is_empty() {
            warn!(%language, missing = spoken.missing.join(" "), "prompts are missing: said in English");
        }
        spoken.pieces.into_iter().filter_map(|piece| self.clip(piece)).collect()
    }

    /// Says something to one caller, for one of its dialogues.
    pub(super) fn speak(&mut self, number: CallNumber, speaker: Speaker, speech: Speech) {
        let Some(account) = self.keypad(number).map(|keypad| keypad.account) else { return };
        let mut clips = Vec::new();
        // Sentences that follow each other are said as the language joins them.
        let mut sayings = Vec::new();
        for item in speech.items {
            match item {
                Item::Say(saying) => sayings.push(saying),
                Item::List(list) => {
                    clips.extend(self.spoken(&speech.language, &std::mem::take(&mut sayings)));
                    clips.extend(play::clips(account, &list.0));
                }
            }
        }
        clips.extend(self.spoken(&speech.language, &sayings));
        let play = PlayNumber(self.play_numbers.draw());
        self.speeches.begin(play, number, speaker, speech.id);
        match speech.is_urgent {
            true => self.out.play_at_once(number, play, clips),
            false => self.out.play(PlayTo::Call(number), play, clips, false),
        }
    }

    pub(super) fn stop_speaking(&mut self, number: CallNumber, speaker: Speaker, id: PlaybackId) {
        if let Some(play) = self.speeches.stop(number, speaker, id) {
            self.out.stop_play(play);
        }
    }

    /// A playback of a dialogue has ended.
    pub(crate) fn handle_speech_finished(&mut self, play: PlayNumber) -> bool {
        let Some((number, speaker, id)) = self.speeches.end(play) else { return false };
        let now = self.now.mono;
        match speaker {
            Speaker::Farewell => self.farewell_said(number),
            Speaker::Entry | Speaker::Menus => {
                if let Some(Keypad { entry, menus, .. }) = self.keypad(number) {
                    match (speaker, entry, menus) {
                        (Speaker::Entry, Some(entry), _) => {
                            entry.handle_input(entry::Input::Played(id), now);
                        }
                        (_, _, Some(menus)) => menus.handle_input(menus::Input::Played(id), now),
                        (_, _, None) => {}
                    }
                }
                self.drive_keypad(number);
            }
        }
        true
    }

    /// The sentence without names that are not there any more: their callers have left since it was to be said.
    fn with_known_names(&self, saying: &Saying) -> Saying {
        let is_known = |name: &NameId| self.recording_of(name).is_some_and(|id| self.names.contains(&id));
        let known = |name: &Option<NameId>| name.clone().filter(is_known);
        match saying {
            Saying::AsksAdmission { name } => Saying::AsksAdmission { name: known(name) },
            Saying::Joined { name } => Saying::Joined { name: known(name) },
            Saying::Left { name } => Saying::Left { name: known(name) },
            Saying::RollCall { names, unnamed } => {
                let (names, gone): (Vec<_>, Vec<_>) = names.iter().cloned().partition(is_known);
                let unnamed = unnamed.saturating_add(u32::try_from(gone.len()).unwrap_or(u32::MAX));
                Saying::RollCall { names, unnamed }
            }
            saying => saying.clone(),
        }
    }

    /// What is played for a piece; `None`: a name that was recorded elsewhere.
    fn clip(&self, piece: Piece) -> Option<Clip> {
        Some(match piece {
            Piece::Clip { language, name } => Clip::Prompt { language: language.to_string(), name },
            Piece::Silence { ms } => Clip::Silence { ms: ms.into() },
            Piece::Name(name) => Clip::Recorded(self.recording_of(&name)?),
        })
    }

    /// How a recording of this node is called by homes and in dialogues.
    pub(super) fn name_of(&self, id: RecordingId) -> NameId {
        NameId(self.id_of(id.0))
    }

    fn recording_of(&self, name: &NameId) -> Option<RecordingId> {
        self.number_of(&name.0).map(RecordingId)
    }

    pub(crate) fn forget_name(&mut self, name: &NameId) {
        if let Some(id) = self.recording_of(name) {
            self.names.remove(&id);
            self.out.forget_name(id);
        }
    }
}
