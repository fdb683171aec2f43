//! What a dialogue says, one playback at a time.

use plenary_model::PlayList;
use plenary_speech::{LanguageCode, Prompt, Saying};

/// What a dialogue says is shorter, in seconds, but for names and keys. Longer playbacks have got lost.
const PLAYBACK_S_MAX: u32 = 60;
/// A name takes up to four seconds, and so do a task and its keys; with the pause behind it.
const LONG_PIECE_S: u32 = 5;

/// A playback of these that takes longer has got lost, in seconds.
pub(crate) fn seconds_max(items: &[Item]) -> u32 {
    let long_pieces = |item: &Item| match item {
        Item::Say(Saying::RollCall { names, .. }) => names.len(),
        Item::Say(Saying::KeyFor { .. }) => 1,
        Item::Say(_) | Item::List(_) => 0,
    };
    let pieces = items.iter().map(long_pieces).sum::<usize>();
    PLAYBACK_S_MAX.saturating_add(LONG_PIECE_S.saturating_mul(u32::try_from(pieces).unwrap_or(u32::MAX)))
}

/// The number of a playback; unique within one dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaybackId(pub u64);

/// One thing to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A sentence.
    Say(Saying),
    /// Files, tones and silences.
    List(PlayList),
}

impl From<Prompt> for Item {
    fn from(prompt: Prompt) -> Self {
        Self::Say(prompt.into())
    }
}

impl From<Saying> for Item {
    fn from(saying: Saying) -> Self {
        Self::Say(saying)
    }
}

/// A playback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// Its number.
    pub id: PlaybackId,
    /// The language of its sentences.
    pub language: LanguageCode,
    /// What is played, in order.
    pub items: Vec<Item>,
    /// Keys end it. The dialogue then asks for that; the media plane need not look at keys.
    pub is_interruptible: bool,
    /// It answers a key, so it is heard at once: what else is said to the caller, or to all, comes after it.
    pub is_urgent: bool,
}

/// Which playback runs. Numbers are never used twice.
#[derive(Debug, Default)]
pub(crate) struct Player {
    last: u64,
    playing: Option<PlaybackId>,
    is_interruptible: bool,
}

impl Player {
    /// A playback of these begins. The one before has to be over.
    pub(crate) fn start(
        &mut self,
        language: &LanguageCode,
        items: Vec<Item>,
        is_interruptible: bool,
    ) -> Speech {
        self.last += 1;
        let id = PlaybackId(self.last);
        (self.playing, self.is_interruptible) = (Some(id), is_interruptible);
        Speech { id, language: language.clone(), items, is_interruptible, is_urgent: false }
    }

    /// It has ended; `false`: it was over already.
    pub(crate) fn ended(&mut self, id: PlaybackId) -> bool {
        self.playing.take_if(|playing| *playing == id).is_some()
    }

    /// Ends what is playing. The playback that has to be stopped.
    pub(crate) fn stop(&mut self) -> Option<PlaybackId> {
        self.playing.take()
    }

    /// As [`Self::stop`], where keys may.
    pub(crate) fn interrupt(&mut self) -> Option<PlaybackId> {
        if self.is_interruptible { self.playing.take() } else { None }
    }

    pub(crate) fn is_playing(&self) -> bool {
        self.playing.is_some()
    }
}
