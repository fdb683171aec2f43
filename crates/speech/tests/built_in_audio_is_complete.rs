//! The audio in the program: every clip that a saying can need, as long as it may be and no longer.

use plenary_speech::{LanguageCode, Languages, MUSIC_ON_HOLD, Prompt};
use std::collections::BTreeSet;

/// What the first block of a FLAC file says (RFC 9639, 8.2): rate in Hz, channels, bits of a sample, and samples.
fn stream_info(file: &[u8]) -> (u64, u64, u64, u64) {
    assert_eq!(&file[..4], b"fLaC");
    let bits = u64::from_be_bytes(file[18..26].try_into().unwrap());
    (bits >> 44, (bits >> 41 & 7) + 1, (bits >> 36 & 31) + 1, bits & ((1 << 36) - 1))
}

#[test]
fn every_clip_has_audio_and_a_text_and_none_is_for_nothing() {
    let languages = Languages::built_in();
    let mut needed = BTreeSet::new();
    for language in languages.iter() {
        assert_eq!(language.missing(), Vec::<String>::new(), "{}", language.code());
        needed.extend(language.needed());
    }
    let english = languages.get(&LanguageCode::english()).unwrap();
    let texts: BTreeSet<_> = english.texts().map(|(name, _)| name.to_owned()).collect();
    let clips: BTreeSet<_> = english.clips().map(str::to_owned).collect();
    assert_eq!(texts, needed);
    assert_eq!(clips, needed);
}

#[test]
fn clips_are_24_khz_mono_and_all_together_below_7_mb() {
    let languages = Languages::built_in();
    let english = languages.get(&LanguageCode::english()).unwrap();
    let mut bytes = MUSIC_ON_HOLD.len();
    for name in english.clips() {
        let audio = english.audio(name).unwrap();
        let (rate, channels, bits, samples) = stream_info(audio);
        assert_eq!((rate, channels, bits), (24_000, 1, 16), "{name}");
        assert!(samples > 24_000 / 10, "{name} is shorter than any word: {samples} samples");
        bytes += audio.len();
    }
    assert!(bytes <= 7_000_000, "{bytes} bytes");
}

#[test]
fn no_prompt_is_longer_than_its_listeners_wait_for() {
    let languages = Languages::built_in();
    for language in languages.iter() {
        for prompt in Prompt::ALL {
            let spoken = languages.say(language.code(), &[(*prompt).into()]);
            let [plenary_speech::Piece::Clip { language, name }] = &spoken.pieces[..] else {
                panic!("{prompt}: {spoken:?}")
            };
            let (rate, _, _, samples) = stream_info(languages.audio(language, name).unwrap());
            let ms = samples * 1000 / rate;
            if let Some(max_ms) = prompt.kind().max_ms() {
                assert!(ms <= u64::from(max_ms), "{name} takes {ms} ms; at most {max_ms} are allowed");
            }
        }
    }
}

#[test]
fn the_music_on_hold_is_whole_beats() {
    // Sixteen bars of four beats at 72 a minute.
    assert_eq!(stream_info(MUSIC_ON_HOLD), (12_000, 1, 16, 12_000 * 16 * 4 * 60 / 72));
}
