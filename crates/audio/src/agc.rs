//! Automatic gain control: brings all voices to a common level.

/// Target level of active speech, in dBov.
const TARGET_DBOV: f32 = -22.0;
/// Bounds of the gain, in dB.
const GAIN_MAX_DB: f32 = 15.0;
/// Frames this far below the recent maximum are pauses and word endings, and do not count as speech.
const ACTIVE_WITHIN_DB: f32 = 15.0;
/// The recent maximum decays by this much per frame: 3 dB a second.
const PEAK_FADE_DB: f32 = 0.06;
/// Slew per frame: up 3 and down 6 dB a second.
const UP_DB: f32 = 0.06;
const DOWN_DB: f32 = 0.12;
/// Within this distance of the target the gain stays.
const DEAD_BAND_DB: f32 = 1.0;
/// No sample is raised above this, -3 dBov.
const PEAK_MAX: f32 = 23_198.0;

/// Brings the voice of one line slowly to the common level while it speaks.
#[derive(Debug, Clone)]
pub struct AutomaticGain {
    /// The gain that the voice needs, and the one applied to the last sample.
    gain_db: f32,
    applied: f32,
    loudest_dbov: f32,
    /// Recent level of active speech, before the gain.
    speech_dbov: Option<f32>,
}

impl Default for AutomaticGain {
    fn default() -> Self {
        Self::new()
    }
}

impl AutomaticGain {
    /// Unity gain until speech has been measured.
    #[must_use]
    pub fn new() -> Self {
        Self { gain_db: 0.0, applied: 1.0, loudest_dbov: -127.0, speech_dbov: None }
    }

    /// The gain that is aimed at, in dB.
    #[must_use]
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    /// Processes a frame of 20 ms whose level is `level_dbov`. `speech`: the talker is speaking.
    pub fn run(&mut self, frame: &mut [i16], level_dbov: f32, speech: bool) {
        if speech {
            self.loudest_dbov = level_dbov.max(self.loudest_dbov - PEAK_FADE_DB);
            if level_dbov > self.loudest_dbov - ACTIVE_WITHIN_DB {
                self.adapt(level_dbov);
            }
        }
        apply(frame, &mut self.applied, crate::linear(self.gain_db));
    }

    fn adapt(&mut self, level_dbov: f32) {
        // About a second of speech.
        let speech = self.speech_dbov.map_or(level_dbov, |speech| speech + (level_dbov - speech) * 0.03);
        self.speech_dbov = Some(speech);
        let wanted = (TARGET_DBOV - speech).clamp(-GAIN_MAX_DB, GAIN_MAX_DB);
        let change = wanted - self.gain_db;
        if change.abs() > DEAD_BAND_DB {
            self.gain_db += change.clamp(-DOWN_DB, UP_DB);
        }
    }
}

/// Ramps a frame from the gain `applied` to the linear `gain`, sample by sample; less if a raised peak would be too
/// loud. Unity changes nothing.
pub fn apply(frame: &mut [i16], applied: &mut f32, gain: f32) {
    let peak = frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    let gain = if gain > 1.0 { gain.min((PEAK_MAX / f32::from(peak.max(1))).max(1.0)) } else { gain };
    if gain == 1.0 && *applied == 1.0 {
        return;
    }
    // Peaks that would be too loud are reduced quickly, everything else changes slowly.
    let is_too_loud = *applied > gain && f32::from(peak) * *applied > PEAK_MAX;
    let ramp = if is_too_loud { frame.len() / 8 } else { frame.len() }.max(1);
    let step = (gain - *applied) / ramp as f32;
    for (index, sample) in frame.iter_mut().enumerate() {
        if index < ramp {
            *applied += step;
        }
        *sample = (f32::from(*sample) * *applied).clamp(-32_768.0, 32_767.0) as i16;
    }
    *applied = gain;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{level::dbov, tone::ToneGenerator};

    /// Bursts of 300 ms with pauses of 200 ms between, in which a little noise is left. Returns the mean level of the
    /// bursts of the last second.
    fn run(agc: &mut AutomaticGain, level_dbov: f32, seconds: u64) -> f32 {
        let mut voice = ToneGenerator::new(8000, 300.0, level_dbov + 3.01);
        let (mut levels, mut last, mut biggest) = (Vec::new(), 0_i16, 0);
        for frame in 0..seconds * 50 {
            let mut samples = [0; 160];
            voice.fill(&mut samples);
            let is_burst = frame % 25 < 15;
            if !is_burst {
                samples.iter_mut().for_each(|sample| *sample /= 500);
            }
            let before = dbov(&samples);
            agc.run(&mut samples, before, true);
            if is_burst && frame % 25 > 1 && frame + 50 > seconds * 50 {
                levels.push(dbov(&samples));
            }
            if is_burst && frame % 25 > 0 {
                biggest = biggest.max((i32::from(samples[0]) - i32::from(last)).abs());
            }
            last = samples[159];
        }
        // 300 Hz at 8 kHz changes by a quarter of its peak from sample to sample at most.
        assert!(biggest < 9000, "a step of {biggest}");
        levels.iter().sum::<f32>() / levels.len() as f32
    }

    #[test]
    fn voices_of_any_loudness_come_to_the_common_level() {
        for level in [-36.0, -22.0, -12.0] {
            let heard = run(&mut AutomaticGain::new(), level, 8);
            assert!((heard - TARGET_DBOV).abs() < 3.0, "{level} dBov comes to {heard}");
        }
    }

    #[test]
    fn pauses_and_noise_do_not_change_the_gain() {
        let mut agc = AutomaticGain::new();
        run(&mut agc, -36.0, 8);
        let gain = agc.gain_db();
        for _ in 0..1000 {
            agc.run(&mut [20; 160], -64.0, false);
        }
        for _ in 0..100 {
            agc.run(&mut [20; 160], -64.0, true);
        }
        assert!((agc.gain_db() - gain).abs() < 0.5, "{gain} became {}", agc.gain_db());
    }

    #[test]
    fn a_voice_comes_to_the_common_level_in_bounded_time_and_stays_there() {
        for level in [-37.0, -30.0, -26.0, -16.0, -10.0] {
            let mut agc = AutomaticGain::new();
            let (mut voice, mut reached, mut gains) =
                (ToneGenerator::new(8000, 300.0, level + 3.01), None, vec![]);
            for frame in 0..1000 {
                let mut samples = [0; 160];
                voice.fill(&mut samples);
                // Syllables that differ by 6 dB, and pauses.
                let factor = match frame % 25 {
                    0..8 => 1.2,
                    8..15 => 0.6,
                    _ => 0.002,
                };
                samples.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * factor) as i16);
                let (before, level_before) = (agc.gain_db(), dbov(&samples));
                agc.run(&mut samples, level_before, true);
                // Up 3 dB a second and down 6.
                let change = agc.gain_db() - before;
                assert!((-0.121..=0.061).contains(&change), "{level} dBov: {change} dB in a frame");
                gains.push(agc.gain_db());
            }
            let last = gains[999];
            for (frame, gain) in gains.iter().enumerate() {
                if reached.is_none() && (gain - last).abs() < 1.5 {
                    reached = Some(frame);
                }
            }
            // No pumping: from here on the gain moves by less than a syllable does.
            let after = &gains[reached.unwrap() + 100..];
            let (low, high) = after
                .iter()
                .fold((100.0_f32, -100.0_f32), |(low, high), gain| (low.min(*gain), high.max(*gain)));
            assert!(high - low < 1.0, "{level} dBov: the gain goes from {low} to {high} dB");
            // Louder and quieter syllables together are 0.3 dB above the level of the tone.
            assert!((level + last + 22.0).abs() < 2.5, "{level} dBov: {last} dB");
            let seconds = last.abs() / if last > 0.0 { 3.0 } else { 6.0 };
            assert!(
                (reached.unwrap() as f32) < 50.0 * (seconds * 2.0 + 1.0),
                "{level} dBov: in {reached:?} frames"
            );
        }
    }

    #[test]
    fn unity_passes_bit_for_bit_and_peaks_are_never_raised_too_far() {
        let mut agc = AutomaticGain::new();
        let mut frame: Vec<i16> = (0..160).map(|i| (i * 400 - 32_000) as i16).collect();
        let before = frame.clone();
        agc.run(&mut frame, -22.0, true);
        assert_eq!(frame, before);
        run(&mut agc, -36.0, 8);
        let mut loud = [0; 160];
        loud[80] = 20_000;
        agc.run(&mut loud, -30.0, true);
        assert!(loud[80] <= 23_199, "{}", loud[80]);
    }
}
