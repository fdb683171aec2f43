//! Tones, continuous in phase and faded in and out so that they never click.

use std::f64::consts::TAU;

/// A sine that continues where it left off. Fades in over its first 5 ms.
#[derive(Debug, Clone)]
pub struct ToneGenerator {
    phase: f64,
    step: f64,
    amplitude: f64,
    faded_in: u32,
    fade_samples: u32,
}

impl ToneGenerator {
    /// A tone of `hz` at `level_dbov` (0 is a full-scale sine; -12 is a strong voice).
    #[must_use]
    pub fn new(sample_rate_hz: u32, hz: f32, level_dbov: f32) -> Self {
        Self {
            phase: 0.0,
            step: f64::from(hz) / f64::from(sample_rate_hz),
            amplitude: 32767.0 * f64::from(crate::linear(level_dbov.min(0.0))),
            faded_in: 0,
            fade_samples: sample_rate_hz / 200,
        }
    }

    /// The next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            let fade = if self.faded_in < self.fade_samples {
                self.faded_in += 1;
                f64::from(self.faded_in) / f64::from(self.fade_samples)
            } else {
                1.0
            };
            *sample = (self.amplitude * fade * (TAU * self.phase).sin()).round() as i16;
            self.phase = (self.phase + self.step).fract();
        }
    }
}

/// A tone of a stated length, faded at both ends.
#[must_use]
pub fn tone(sample_rate_hz: u32, hz: f32, level_dbov: f32, length_ms: u32) -> Vec<i16> {
    let mut samples = vec![0; (u64::from(sample_rate_hz) * u64::from(length_ms) / 1000) as usize];
    ToneGenerator::new(sample_rate_hz, hz, level_dbov).fill(&mut samples);
    fade_out(&mut samples, sample_rate_hz);
    samples
}

/// The beep that announces a participant: two short notes, rising by a fourth.
#[must_use]
pub fn beep(sample_rate_hz: u32) -> Vec<i16> {
    let mut samples = tone(sample_rate_hz, 784.0, -20.0, 90);
    samples.extend(tone(sample_rate_hz, 1046.5, -20.0, 130));
    samples
}

fn fade_out(samples: &mut [i16], sample_rate_hz: u32) {
    let fade_samples = (sample_rate_hz as usize / 200).min(samples.len());
    for (index, sample) in samples.iter_mut().rev().take(fade_samples).enumerate() {
        *sample = (f64::from(*sample) * index as f64 / fade_samples as f64) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_goes_on_where_it_left_off() {
        let mut whole = vec![0; 320];
        ToneGenerator::new(8000, 440.0, -6.0).fill(&mut whole);
        let mut parts = vec![0; 320];
        let mut generator = ToneGenerator::new(8000, 440.0, -6.0);
        for part in parts.chunks_mut(37) {
            generator.fill(part);
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn tones_begin_and_end_without_a_click() {
        for samples in [tone(8000, 1000.0, 0.0, 200), beep(8000)] {
            let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).abs();
            assert!(samples[0].abs() < 200 && samples[samples.len() - 1].abs() < 200);
            // A 1 kHz sine at full scale never moves by more than 2π/8 of its amplitude in a sample.
            assert!(samples.windows(2).map(step).max().unwrap() < 26_000);
            assert!(step(&[0, samples[0]]) < 200);
        }
        assert_eq!(tone(8000, 440.0, -10.0, 1000).len(), 8000);
    }
}
