//! Comfort noise (RFC 3389), generated while the other side sends no audio, as it described it.

/// Reflection coefficients used at most; higher orders add little to noise.
const ORDER_MAX: usize = 12;
/// Upper bound of the level, in dBov, whatever the network asks for.
const LOUDEST_DBOV: f32 = -20.0;

/// Generates noise of a given level and spectrum.
#[derive(Debug, Clone)]
pub struct ComfortNoise {
    seed: u32,
    /// Reflection coefficients, -1 to 1: the target and the current ones.
    target: [f32; ORDER_MAX],
    now: [f32; ORDER_MAX],
    /// Linear level, the target and the current one; 0: silence.
    target_level: f32,
    level: f32,
    /// The lattice filter's memory.
    memory: [f32; ORDER_MAX],
    /// Share of the way to the target that each sample covers: 20 ms in all.
    step: f32,
}

impl ComfortNoise {
    /// Silent until the first [`Self::update`]. `seed` decorrelates streams.
    #[must_use]
    pub fn new(sample_rate_hz: u32, seed: u32) -> Self {
        Self {
            seed: seed | 1,
            target: [0.0; ORDER_MAX],
            now: [0.0; ORDER_MAX],
            target_level: 0.0,
            level: 0.0,
            memory: [0.0; ORDER_MAX],
            step: 4.0 * 50.0 / sample_rate_hz as f32,
        }
    }

    /// Reads a payload: one octet of level in -dBov, then reflection coefficients (RFC 3389, 3.1, 3.2). An empty one
    /// changes nothing.
    pub fn update(&mut self, payload: &[u8]) {
        let Some((level, coefficients)) = payload.split_first() else { return };
        let dbov = (-f32::from(level & 0x7f)).min(LOUDEST_DBOV);
        self.target_level = 32_768.0 * crate::linear(dbov);
        self.target = [0.0; ORDER_MAX];
        for (target, octet) in self.target.iter_mut().zip(coefficients) {
            // 0 to 254 stand for -1 to 1; the filter must be stable whatever is received.
            *target = ((f32::from(*octet) - 127.0) / 128.0).clamp(-0.97, 0.97);
        }
    }

    /// Noise is being generated.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.target_level > 0.0 || self.level > 0.5
    }

    /// Silence from here on.
    pub fn stop(&mut self) {
        self.target_level = 0.0;
    }

    /// The next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            self.level += (self.target_level - self.level) * self.step;
            let mut gain = 1.0;
            for (now, target) in self.now.iter_mut().zip(&self.target) {
                *now += (target - *now) * self.step;
                gain *= 1.0 - *now * *now;
            }
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Uniform noise of unit variance, scaled so that the filter's output has unit variance again.
            let white = ((self.seed >> 8) as f32 / 8_388_608.0 - 1.0) * 3_f32.sqrt() * gain.sqrt();
            let mut forward = white;
            for stage in (0..ORDER_MAX).rev() {
                forward -= self.now[stage] * self.memory[stage];
                if stage + 1 < ORDER_MAX {
                    self.memory[stage + 1] = self.memory[stage] + self.now[stage] * forward;
                }
            }
            self.memory[0] = forward;
            *sample = (forward * self.level).clamp(-32_768.0, 32_767.0) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{goertzel::power_dbov, level::dbov};

    fn noise(payload: &[u8]) -> Vec<i16> {
        let mut noise = ComfortNoise::new(8000, 5);
        noise.update(payload);
        let mut out = vec![0; 16_000];
        noise.fill(&mut out);
        out.split_off(8000)
    }

    #[test]
    fn it_is_as_loud_as_was_told() {
        for level in [30, 45, 60] {
            let heard = dbov(&noise(&[level]));
            assert!((heard + f32::from(level)).abs() < 1.5, "{level}: {heard}");
            let coloured = dbov(&noise(&[level, 40, 150, 100]));
            assert!((coloured + f32::from(level)).abs() < 1.5, "{level}, coloured: {coloured}");
        }
        assert!(dbov(&noise(&[0])) < -18.5, "the network does not make us loud");
        assert!(noise(&[]).iter().all(|sample| *sample == 0));
    }

    #[test]
    fn it_has_the_colour_that_was_told() {
        let band = |samples: &[i16], from: usize| -> f32 {
            let powers =
                (0..20).map(|n| crate::linear(power_dbov(samples, 8000, (from + n * 37) as f32)).powi(2));
            10.0 * powers.sum::<f32>().log10()
        };
        let low = noise(&[40, 20]);
        assert!(band(&low, 200) > band(&low, 3000) + 10.0, "{} {}", band(&low, 200), band(&low, 3000));
        let high = noise(&[40, 234]);
        assert!(band(&high, 3000) > band(&high, 200) + 10.0);
    }

    #[test]
    fn it_comes_and_goes_softly_and_any_octets_are_taken() {
        let mut noise = ComfortNoise::new(16_000, 9);
        let mut out = [0; 320];
        for round in 0..500_u32 {
            let payload: Vec<u8> =
                (0..round % 40).map(|n| (n.wrapping_mul(97) ^ round.wrapping_mul(31)) as u8).collect();
            noise.update(&payload);
            noise.fill(&mut out);
            assert!(dbov(&out) < -8.0, "{payload:?} makes {} dBov", dbov(&out));
        }
        noise.stop();
        for _ in 0..10 {
            noise.fill(&mut out);
        }
        assert!(!noise.is_active() && dbov(&out) < -90.0);
    }
}
