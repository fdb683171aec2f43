//! Which prompts a caller hears: the beginning of a clip is looked for in what was received.

use super::{Phone, look_for};
use plenary_caller::Call;
use plenary_model::LanguageCode;
use plenary_sounds::{Limits, Longer};
use plenary_speech::{Languages, languages::MUSIC_ON_HOLD};
use std::collections::BTreeMap;

/// How much of a clip is looked for at a time, in samples of 8 kHz: enough that nothing else looks like it.
pub const LENGTH: usize = 1600;
/// Where a busy machine tears a hole into the first piece, so many behind it will do.
const PIECES_BEHIND: usize = 4;
/// The music on hold some seconds after its beginning, over which a prompt may be said.
pub const UNDER_WAY: &str = "music under way";
const UNDER_WAY_FROM: usize = 28_000;
/// The likeness from which on it is that clip: G.711 and the mixer leave more than this.
const LIKE: f32 = 0.8;

/// How far back a prompt is looked for that may have been heard already.
const BEFORE_S: u64 = 15;

/// What a caller has heard so far, at 8 kHz.
pub trait Recording {
    /// How much it is, in samples.
    fn position(&self) -> u64;
    /// What was heard from a position on.
    fn recorded_from(&self, position: u64) -> Vec<i16>;
}

impl Recording for Call {
    fn position(&self) -> u64 {
        self.position()
    }

    fn recorded_from(&self, position: u64) -> Vec<i16> {
        self.recorded_from(position)
    }
}

/// One that knows G.711 alone.
impl Recording for Phone {
    fn position(&self) -> u64 {
        self.heard().len() as u64
    }

    fn recorded_from(&self, position: u64) -> Vec<i16> {
        self.heard().get(position as usize..).unwrap_or_default().to_vec()
    }
}

/// The beginnings of prompts, read when they are first asked for.
pub struct Prompts {
    languages: Languages,
    known: BTreeMap<String, Vec<f32>>,
}

/// What of the audio was most like a clip: how much, 1 where it is the same, and where the clip began then.
#[derive(Clone, Copy, Default)]
struct Nearest {
    likeness: f32,
    begin: usize,
}

impl Prompts {
    pub fn new() -> Self {
        Self { languages: Languages::built_in(), known: BTreeMap::new() }
    }

    fn beginning(&mut self, name: &str) -> &[f32] {
        let languages = &self.languages;
        self.known.entry(name.to_owned()).or_insert_with(|| {
            let audio = match name {
                "music.hold" | UNDER_WAY => MUSIC_ON_HOLD,
                name => languages.audio(&LanguageCode::english(), name).expect(name),
            };
            let limits = Limits { bytes_max: u64::MAX, seconds_max: 60, longer: Longer::Cut };
            let read = plenary_sounds::read(audio, &limits).expect("a clip is a sound");
            // Means of as many samples as make one of 8 kHz: good enough to be told apart.
            let width = (read.rate.hz() / 8000) as usize;
            let mean =
                |part: &[i16]| part.iter().map(|sample| f32::from(*sample)).sum::<f32>() / width as f32;
            let at_8_khz: Vec<f32> = read.samples.chunks_exact(width).map(mean).collect();
            let from = match name {
                UNDER_WAY => UNDER_WAY_FROM,
                _ => at_8_khz.iter().position(|sample| sample.abs() > 600.0).unwrap_or(0),
            };
            let to = from + (1 + PIECES_BEHIND) * LENGTH;
            at_8_khz[from..to.min(at_8_khz.len())].to_vec()
        })
    }

    /// Where in this audio of 8 kHz the audible beginning of the prompt is; `None`: it did not begin in it.
    pub fn find(&mut self, heard: &[i16], name: &str) -> Option<usize> {
        let nearest = self.most_alike(heard, name);
        (nearest.likeness > LIKE).then_some(nearest.begin)
    }

    fn most_alike(&mut self, heard: &[i16], name: &str) -> Nearest {
        let heard: Vec<f32> = heard.iter().map(|sample| f32::from(*sample)).collect();
        let mut pieces = self.beginning(name).chunks(LENGTH);
        let first = most_alike(&heard, pieces.next().unwrap_or_default());
        // Words are the same in several clips: all four have to be there then, where they belong.
        let behind: Vec<&[f32]> = pieces.filter(|piece| piece.len() == LENGTH).collect();
        if first.likeness > LIKE || behind.len() < PIECES_BEHIND || heard.len() < LENGTH {
            return first;
        }
        let mut torn = most_alike(&heard[LENGTH..], behind[0]);
        for (index, piece) in behind.iter().enumerate().skip(1) {
            let at = torn.begin + (1 + index) * LENGTH;
            let there = heard.get(at..at + LENGTH).map_or(0.0, |there| most_alike(there, piece).likeness);
            torn.likeness = torn.likeness.min(there);
        }
        if torn.likeness > first.likeness { torn } else { first }
    }

    /// Whether the last four seconds hold the beginning of this prompt.
    pub fn is_heard(&mut self, call: &Call, name: &str) -> bool {
        self.find(&call.heard(4000), name).is_some()
    }

    /// Waits until a caller who records has heard it, now or in the last [`BEFORE_S`] seconds: on a busy machine it takes its time to
    /// see what others hear first.
    #[track_caller]
    pub fn wait_for(&mut self, call: &Call, name: &str) {
        self.wait_since(call, call.position().saturating_sub(BEFORE_S * 8000), name);
    }

    /// Waits until a caller who records has heard it since a position; the position of its audible beginning. To hear the same again
    /// is to look from [`LENGTH`] behind that.
    #[track_caller]
    pub fn wait_since(&mut self, call: &impl Recording, since: u64, name: &str) -> u64 {
        // What has been looked at need not be looked at again, but for what may be a part of the clip.
        let mut from = since;
        let mut nearest = (0.0, since);
        let found = look_for(|| {
            let heard = call.recorded_from(from);
            let Nearest { likeness, begin } = self.most_alike(&heard, name);
            let begin = from + begin as u64;
            if likeness > nearest.0 {
                nearest = (likeness, begin);
            }
            from += heard.len().saturating_sub((2 + PIECES_BEHIND) * LENGTH) as u64;
            (likeness > LIKE).then_some(begin)
        });
        found.unwrap_or_else(|| {
            let (likeness, begin) = nearest;
            panic!(
                "waited in vain for the prompt {name} from sample {since} to {}; most like it, at {begin}: {likeness:.2}",
                call.position()
            )
        })
    }

    /// Whether a caller who records has heard it since a position.
    pub fn is_heard_since(&mut self, call: &impl Recording, since: u64, name: &str) -> bool {
        self.find(&call.recorded_from(since), name).is_some()
    }
}

/// The place of what was heard that is most like the wanted sound.
fn most_alike(heard: &[f32], wanted: &[f32]) -> Nearest {
    let energy: f32 = dot(wanted, wanted);
    let mut most = Nearest::default();
    if heard.len() < wanted.len() || energy == 0.0 {
        return most;
    }
    let mut around = f64::from(dot(&heard[..wanted.len()], &heard[..wanted.len()]));
    for begin in 0..=heard.len() - wanted.len() {
        // Silence is like nothing.
        if around > f64::from(energy) / 16.0 {
            let product = dot(&heard[begin..begin + wanted.len()], wanted);
            let likeness = product / (around as f32 * energy).sqrt();
            if likeness > most.likeness {
                most = Nearest { likeness, begin };
            }
        }
        let next = heard.get(begin + wanted.len()).copied().unwrap_or_default();
        around += f64::from(next).powi(2) - f64::from(heard[begin]).powi(2);
    }
    most
}

/// The sum of products, in lanes that the processor adds at once.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    for (one, other) in one.chunks_exact(LANES).zip(other.chunks_exact(LANES)) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += one * other;
        }
    }
    let rest = one.len() - one.len() % LANES;
    sums.iter().sum::<f32>()
        + one[rest..].iter().zip(&other[rest..]).map(|(one, other)| one * other).sum::<f32>()
}
