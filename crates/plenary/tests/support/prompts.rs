//! Which prompts a caller hears: the beginning of a clip is looked for in what was received.

use super::wait_for;
use plenary_caller::Call;
use plenary_model::LanguageCode;
use plenary_sounds::{Limits, Longer};
use plenary_speech::{Languages, languages::MUSIC_ON_HOLD};
use std::collections::BTreeMap;

/// How much of a clip is looked for, in samples of 8 kHz: enough that nothing else looks like it.
const LENGTH: usize = 1600;
/// The likeness from which on it is that clip: G.711 and the mixer leave more than this.
const LIKE: f64 = 0.8;

/// The beginnings of prompts, read when they are first asked for.
pub struct Prompts {
    languages: Languages,
    known: BTreeMap<String, Vec<f64>>,
}

impl Prompts {
    pub fn new() -> Self {
        Self { languages: Languages::built_in(), known: BTreeMap::new() }
    }

    fn beginning(&mut self, name: &str) -> &[f64] {
        let languages = &self.languages;
        self.known.entry(name.to_owned()).or_insert_with(|| {
            let audio = match name {
                "music.hold" => MUSIC_ON_HOLD,
                name => languages.audio(&LanguageCode::english(), name).expect(name),
            };
            let limits = Limits { bytes_max: u64::MAX, seconds_max: 60, longer: Longer::Cut };
            let read = plenary_sounds::read(audio, &limits).expect("a clip is a sound");
            // Means of as many samples as make one of 8 kHz: good enough to be told apart.
            let width = (read.rate.hz() / 8000) as usize;
            let mean =
                |part: &[i16]| part.iter().map(|sample| f64::from(*sample)).sum::<f64>() / width as f64;
            let at_8_khz: Vec<f64> = read.samples.chunks_exact(width).map(mean).collect();
            let loud = at_8_khz.iter().position(|sample| sample.abs() > 600.0).unwrap_or(0);
            at_8_khz[loud..(loud + LENGTH).min(at_8_khz.len())].to_vec()
        })
    }

    /// Whether the last four seconds hold the beginning of this prompt.
    pub fn is_heard(&mut self, call: &Call, name: &str) -> bool {
        let heard: Vec<f64> = call.heard(4000).into_iter().map(f64::from).collect();
        likeness(&heard, self.beginning(name)) > LIKE
    }

    /// Waits until a caller has heard it.
    #[track_caller]
    pub fn wait_for(&mut self, call: &Call, name: &str) {
        wait_for(&format!("the prompt {name}"), || self.is_heard(call, name).then_some(()));
    }
}

/// The greatest likeness of the wanted sound to any place of what was heard: 1 where it is the same.
fn likeness(heard: &[f64], wanted: &[f64]) -> f64 {
    let energy: f64 = wanted.iter().map(|sample| sample * sample).sum();
    if heard.len() < wanted.len() || energy == 0.0 {
        return 0.0;
    }
    let mut around: f64 = heard[..wanted.len()].iter().map(|sample| sample * sample).sum();
    let mut most: f64 = 0.0;
    for start in 0..heard.len() - wanted.len() {
        // Silence is like nothing.
        if around > energy / 16.0 {
            let product: f64 = heard[start..].iter().zip(wanted).map(|(one, other)| one * other).sum();
            most = most.max(product / (around * energy).sqrt());
        }
        around += heard[start + wanted.len()].powi(2) - heard[start].powi(2);
    }
    most
}
