//! What is played to the parties of a room.

use super::FRAME;
use crate::PlayId;
use plenary_audio::tone::ToneGenerator;
use std::sync::Arc;

/// Level of a tone that is played, in dBov: as loud as somebody talking.
const TONE_DBOV: f32 = -15.0;
/// Sample rate of a room.
const RATE: u32 = 8000;

/// A piece of a play list, ready to be played.
#[derive(Debug, Clone)]
pub(crate) enum Clip {
    /// Mono, 8000 Hz.
    Samples(Arc<[i16]>),
    /// A sine.
    Tone { hz: u32, samples: usize },
    /// Nothing.
    Silence { samples: usize },
}

impl Clip {
    fn samples(&self) -> usize {
        match self {
            Self::Samples(samples) => samples.len(),
            Self::Tone { samples, .. } | Self::Silence { samples } => *samples,
        }
    }
}

/// A play list that is being played.
#[derive(Debug)]
pub(crate) struct Playback {
    pub(crate) id: PlayId,
    clips: Vec<Clip>,
    repeat: bool,
    clip: usize,
    position: usize,
    tone: Option<ToneGenerator>,
    frame: [i16; FRAME],
}

impl Playback {
    pub(crate) fn new(id: PlayId, mut clips: Vec<Clip>, repeat: bool) -> Self {
        clips.retain(|clip| clip.samples() > 0);
        Self { id, clips, repeat, clip: 0, position: 0, tone: None, frame: [0; FRAME] }
    }

    /// What is heard in this tick.
    pub(crate) fn frame(&self) -> &[i16; FRAME] {
        &self.frame
    }

    /// Goes on by a frame. False: the list was over already, there is no frame.
    pub(crate) fn advance(&mut self) -> bool {
        let mut filled = 0;
        while filled < FRAME {
            if self.clip == self.clips.len() {
                if !self.repeat || self.clips.is_empty() {
                    break;
                }
                self.clip = 0;
            }
            let clip = &self.clips[self.clip];
            let count = (clip.samples() - self.position).min(FRAME - filled);
            let out = &mut self.frame[filled..filled + count];
            match clip {
                Clip::Samples(samples) => {
                    out.copy_from_slice(&samples[self.position..self.position + count]);
                }
                Clip::Silence { .. } => out.fill(0),
                Clip::Tone { hz, samples } => {
                    let tone =
                        self.tone.get_or_insert_with(|| ToneGenerator::new(RATE, *hz as f32, TONE_DBOV));
                    tone.fill(out);
                    fade_out(out, samples - self.position);
                }
            }
            filled += count;
            self.position += count;
            if self.position == clip.samples() {
                (self.position, self.tone) = (0, None);
                self.clip += 1;
            }
        }
        self.frame[filled..].fill(0);
        filled > 0
    }
}

/// Fades out the last 5 ms of a tone of which `left` samples are left, for a tone that is cut off clicks.
/// It fades in by itself.
fn fade_out(out: &mut [i16], left: usize) {
    const EDGE: usize = 40;
    for (offset, sample) in out.iter_mut().enumerate() {
        let to_end = left - offset;
        if to_end < EDGE {
            *sample = (i32::from(*sample) * to_end as i32 / EDGE as i32) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(clips: Vec<Clip>, repeat: bool, frames: usize) -> Vec<i16> {
        let mut playback = Playback::new(PlayId(1), clips, repeat);
        let mut all = Vec::new();
        for _ in 0..frames {
            if !playback.advance() {
                break;
            }
            all.extend_from_slice(playback.frame());
        }
        all
    }

    #[test]
    fn clips_follow_each_other_without_a_gap_and_the_list_ends() {
        let ramp: Arc<[i16]> = (1..=200).collect();
        let all = played(
            vec![Clip::Samples(ramp), Clip::Silence { samples: 100 }, Clip::Samples([7; 30].into())],
            false,
            10,
        );
        assert_eq!(all.len(), 3 * FRAME);
        assert!(all[..200].iter().copied().eq(1..=200));
        assert!(all[200..300].iter().all(|sample| *sample == 0));
        assert_eq!(all[300..330], [7; 30]);
        assert!(all[330..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn a_list_that_repeats_starts_over_and_one_of_nothing_is_over_at_once() {
        let all = played(vec![Clip::Samples([3, 4, 5].into())], true, 2);
        assert!(all.iter().enumerate().all(|(place, sample)| *sample == 3 + (place % 3) as i16));
        assert!(played(vec![], true, 2).is_empty());
        assert!(played(vec![Clip::Silence { samples: 0 }], true, 2).is_empty());
    }

    #[test]
    fn a_tone_begins_and_ends_softly() {
        let all = played(vec![Clip::Tone { hz: 1000, samples: 800 }], false, 5);
        let loudest = all.iter().map(|sample| sample.unsigned_abs()).max().expect("samples");
        assert!(loudest > 4000, "{loudest}");
        assert!(all[0].unsigned_abs() < 300 && all[799].unsigned_abs() < 300, "{} {}", all[0], all[799]);
        assert!(all.windows(2).all(|pair| (i32::from(pair[1]) - i32::from(pair[0])).unsigned_abs() < 6000));
    }
}
