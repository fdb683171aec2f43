//! Play lists as they are written in inbound services, read as clips.

use crate::media::Clip;
use plenary_conference::AccountId;
use plenary_model::{LanguageCode, PlayList};
use plenary_speech::languages::MUSIC_ON_HOLD_NAME;
use tracing::warn;

/// The items of a list of an account. They were checked when the inbound service was stored; one that is not understood
/// all the same (stored by another version) is left out rather than ending a call.
pub(crate) fn clips(account: AccountId, list: &[String]) -> Vec<Clip> {
    list.iter()
        .filter_map(|text| {
            let clip = clip(account, text);
            if clip.is_none() {
                warn!(item = %text, "not something that can be played: left out");
            }
            clip
        })
        .collect()
}

/// The built-in music for waiting callers.
pub(crate) fn music() -> Clip {
    Clip::Prompt { language: LanguageCode::english().to_string(), name: MUSIC_ON_HOLD_NAME.to_owned() }
}

fn clip(account: AccountId, text: &str) -> Option<Clip> {
    if let Some(tone) = text.strip_prefix("tone:") {
        let (hz, ms) = tone.split_once('/')?;
        return Some(Clip::Tone { hz: hz.parse().ok()?, ms: ms.parse().ok()? });
    }
    if text == PlayList::MUSIC {
        return Some(music());
    }
    if let Some(ms) = text.strip_prefix("silence:") {
        return Some(Clip::Silence { ms: ms.parse().ok()? });
    }
    if let Some(name) = text.strip_prefix("sound:") {
        return Some(Clip::AccountSound { account, name: name.to_owned() });
    }
    Some(Clip::File(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_sounds_tones_and_silences_are_told_apart() {
        let list: Vec<String> = ["welcome.wav", "sound:hold", "tone:440/1000", "silence:500", "tone:many"]
            .map(str::to_owned)
            .into();
        assert_eq!(
            clips(AccountId(7), &list),
            [
                Clip::File("welcome.wav".to_owned()),
                Clip::AccountSound { account: AccountId(7), name: "hold".to_owned() },
                Clip::Tone { hz: 440, ms: 1000 },
                Clip::Silence { ms: 500 }
            ]
        );
    }
}
