//! Play lists as they are written in inbound services, turned into what the media plane plays.

use plenary_media::PlayItem;
use tracing::warn;

/// The items of a list. They were checked when the inbound service was stored; one that is not understood
/// all the same (stored by another version) is left out rather than ending a call.
pub(super) fn items(list: &[String]) -> Vec<PlayItem> {
    list.iter()
        .filter_map(|text| {
            let item = item(text);
            if item.is_none() {
                warn!(item = %text, "not something that can be played: left out");
            }
            item
        })
        .collect()
}

fn item(text: &str) -> Option<PlayItem> {
    if let Some(tone) = text.strip_prefix("tone:") {
        let (hz, ms) = tone.split_once('/')?;
        return Some(PlayItem::Tone { hz: hz.parse().ok()?, ms: ms.parse().ok()? });
    }
    if let Some(ms) = text.strip_prefix("silence:") {
        return Some(PlayItem::Silence { ms: ms.parse().ok()? });
    }
    Some(PlayItem::File(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tones_and_silences_are_told_apart() {
        let list: Vec<String> =
            ["welcome.wav", "tone:440/1000", "silence:500", "tone:many"].map(str::to_owned).into();
        assert!(matches!(
            items(&list).as_slice(),
            [PlayItem::File(name), PlayItem::Tone { hz: 440, ms: 1000 }, PlayItem::Silence { ms: 500 }] if name == "welcome.wav"
        ));
    }
}
