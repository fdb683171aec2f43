//! The loudness of the built-in prompts, -23 LUFS (ITU-R BS.1770-5), and of the music, -27, as `scripts/prompts` makes them.

use plenary_sounds::{Limits, Longer};
use plenary_speech::{LanguageCode, Languages, MUSIC_ON_HOLD};

const LUFS: f64 = -23.0;
/// Music is heard for longer than speech, and in the background.
const MUSIC_LUFS: f64 = -27.0;
/// What resampling to the bridge's rate and another implementation of the filters make of it.
const TOLERANCE_DB: f64 = 0.7;
/// The rate at which clips of 24 kHz are read, for which the filters are given.
const RATE_HZ: usize = 48_000;
/// Blocks of 400 ms, and of 200 where many clips are one word.
const BLOCK: usize = RATE_HZ * 2 / 5;
const BLOCK_OF_WORDS: usize = RATE_HZ / 5;

/// A filter of the second order: numerator, and the denominator behind its 1.
struct Filter([f64; 3], [f64; 2]);

/// Both filters of the K weighting at 48 kHz (tables 1 and 2).
const K_WEIGHTING: [Filter; 2] = [
    Filter(
        [1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85],
        [-1.690_659_293_182_41, 0.732_480_774_215_85],
    ),
    Filter([1.0, -2.0, 1.0], [-1.990_047_454_833_98, 0.990_072_250_366_21]),
];

impl Filter {
    fn run(&self, sound: &mut [f64]) {
        let Self(b, a) = self;
        let (mut first, mut second) = (0.0, 0.0);
        for sample in sound {
            let out = b[0] * *sample + first;
            first = b[1] * *sample - a[0] * out + second;
            second = b[2] * *sample - a[1] * out;
            *sample = out;
        }
    }
}

fn decibels(power: f64) -> f64 {
    -0.691 + 10.0 * power.log10()
}

/// Integrated loudness by blocks of so many samples, in LUFS.
fn loudness(samples: &[i16], block: usize) -> f64 {
    let silence = [0.0; RATE_HZ / 4];
    let mut sound = silence.to_vec();
    sound.extend(samples.iter().map(|sample| f64::from(*sample) / 32_768.0));
    sound.extend(silence);
    K_WEIGHTING.iter().for_each(|filter| filter.run(&mut sound));
    let power = |part: &[f64]| part.iter().map(|sample| sample * sample).sum::<f64>() / block as f64;
    let mut powers: Vec<f64> = sound.windows(block).step_by(block / 4).map(power).collect();
    let mean = |powers: &[f64]| powers.iter().sum::<f64>() / powers.len() as f64;
    powers.retain(|power| decibels(*power) > -70.0);
    let gate = decibels(mean(&powers)) - 10.0;
    powers.retain(|power| decibels(*power) > gate);
    decibels(mean(&powers))
}

#[test]
fn each_clip_is_as_loud_as_all_others() {
    let languages = Languages::built_in();
    let english = languages.get(&LanguageCode::english()).unwrap();
    let limits = Limits { bytes_max: u64::MAX, seconds_max: 60, longer: Longer::Cut };
    let mut others = Vec::new();
    for name in english.clips() {
        let read = plenary_sounds::read(english.audio(name).unwrap(), &limits).expect(name);
        assert_eq!(read.rate.hz() as usize, RATE_HZ, "{name}");
        let is = loudness(&read.samples, BLOCK_OF_WORDS);
        if (is - LUFS).abs() > TOLERANCE_DB {
            others.push(format!("{name}: {is:.1} LUFS"));
        }
    }
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_music_on_hold_is_softer_than_speech() {
    let limits = Limits { bytes_max: u64::MAX, seconds_max: 60, longer: Longer::Cut };
    let read = plenary_sounds::read(MUSIC_ON_HOLD, &limits).unwrap();
    let times = RATE_HZ / read.rate.hz() as usize;
    // Straight lines between samples: nearly all of the music is far below the rate at which it is read.
    let between = |pair: &[i16]| {
        let (from, to) = (i32::from(pair[0]), i32::from(pair[1]));
        (0..times as i32).map(move |at| (from + (to - from) * at / times as i32) as i16)
    };
    let samples: Vec<i16> =
        read.samples.windows(2).flat_map(|pair| between(pair).collect::<Vec<_>>()).collect();
    let is = loudness(&samples, BLOCK);
    assert!((is - MUSIC_LUFS).abs() <= TOLERANCE_DB, "{is:.1} LUFS");
}
