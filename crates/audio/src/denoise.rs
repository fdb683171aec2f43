//! Noise suppression by a small recurrent network (RNNoise, crate `nnnoiseless`). It works on 10 ms at 48 kHz; other
//! rates are converted to that and back.

use crate::{codec::Rate, resample::FrameConverter};
use nnnoiseless::DenoiseState;
use std::fmt;

/// Samples of a piece: 10 ms.
const PIECE: usize = DenoiseState::FRAME_SIZE;

/// Suppresses the noise of one line. Its output is delayed by 10 ms, and by about 4 ms more if rates are converted.
pub struct Denoiser {
    state: Box<DenoiseState<'static>>,
    converters: Option<(FrameConverter, FrameConverter)>,
    full: Box<[i16]>,
    input: [f32; PIECE],
    output: [f32; PIECE],
}

impl fmt::Debug for Denoiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Denoiser")
    }
}

impl Denoiser {
    /// For frames of 20 ms at this rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let converters = (rate != Rate::Full)
            .then(|| (FrameConverter::new(rate, Rate::Full), FrameConverter::new(Rate::Full, rate)));
        Self {
            state: DenoiseState::new(),
            converters,
            full: vec![0; Rate::Full.frame()].into(),
            input: [0.0; PIECE],
            output: [0.0; PIECE],
        }
    }

    /// Suppresses the noise in a frame.
    pub fn run(&mut self, frame: &mut [i16]) {
        match &mut self.converters {
            Some((up, _)) => up.convert(frame, &mut self.full),
            None => self.full.copy_from_slice(frame),
        }
        for piece in self.full.chunks_exact_mut(PIECE) {
            self.input.iter_mut().zip(&*piece).for_each(|(to, from)| *to = f32::from(*from));
            self.state.process_frame(&mut self.output, &self.input);
            piece
                .iter_mut()
                .zip(&self.output)
                .for_each(|(to, from)| *to = from.clamp(-32_768.0, 32_767.0) as i16);
        }
        match &mut self.converters {
            Some((_, down)) => down.convert(&self.full, frame),
            None => frame.copy_from_slice(&self.full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::dbov;

    #[test]
    fn steady_noise_goes_and_a_voice_stays() {
        for rate in Rate::ALL {
            let hz = rate.hz() as f32;
            let mut denoiser = Denoiser::new(rate);
            let (mut seed, mut at, mut noise) = (1_u32, 0_u32, 0.0_f32);
            let (mut noise_levels, mut voice_levels, mut clean_levels) = (Vec::new(), Vec::new(), Vec::new());
            for frame in 0..300_u32 {
                let voiced = frame >= 150 && frame % 20 < 14;
                let mut samples = vec![0_i16; rate.frame()];
                let mut clean = samples.clone();
                for (sample, clean) in samples.iter_mut().zip(&mut clean) {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // As a room has it: less of it the higher it is.
                    let white = (seed >> 16) as f32 / 65_536.0 * 1136.0 - 568.0;
                    noise = 0.8 * noise + 0.6 * white;
                    let time = at as f32 / hz;
                    at += 1;
                    // A voice's pitch wanders, and its overtones fall off.
                    let phase = std::f32::consts::TAU * (140.0 * time + 2.0 * (time * 5.0).sin());
                    let voice: f32 = (1..16).map(|n| (phase * n as f32).sin() / n as f32).sum();
                    *clean = if voiced { (voice * 3500.0) as i16 } else { 0 };
                    *sample = (f32::from(*clean) + noise) as i16;
                }
                denoiser.run(&mut samples);
                if (100..150).contains(&frame) {
                    noise_levels.push(dbov(&samples));
                } else if voiced && frame % 20 > 3 {
                    voice_levels.push(dbov(&samples));
                    clean_levels.push(dbov(&clean));
                }
            }
            let mean = |levels: &[f32]| levels.iter().sum::<f32>() / levels.len() as f32;
            assert!(
                mean(&noise_levels) < -50.0,
                "{rate:?}: noise of -40 dBov is left at {}",
                mean(&noise_levels)
            );
            let change = mean(&voice_levels) - mean(&clean_levels);
            assert!(change.abs() < 4.0, "{rate:?}: the voice changes by {change} dB");
        }
    }
}
