//! Concealment of lost frames by repeating the last pitch period, in the manner of G.711 Appendix I: the first
//! 10 ms at full level, then fading to silence by 60 ms; joins are overlapped so that nothing clicks.

/// How far back is remembered: the longest pitch period (15 ms) three times over and some.
const HISTORY_SAMPLES: usize = 390;
/// 200 Hz to 66 Hz at 8 kHz.
const PITCH_MIN_SAMPLES: usize = 40;
const PITCH_MAX_SAMPLES: usize = 120;
/// What is compared to find the period: 20 ms.
const CORRELATION_SAMPLES: usize = 160;
/// 10 ms.
const FULL_LEVEL_SAMPLES: usize = 80;
/// 60 ms.
const SILENT_AFTER_SAMPLES: usize = 480;
/// 4 ms.
const OVERLAP_SAMPLES: usize = 32;

/// Conceals losses of one stream at 8 kHz.
#[derive(Debug, Clone)]
pub struct Concealer {
    history: [i16; HISTORY_SAMPLES],
    /// The period that is being repeated, while concealing.
    period: [f32; PITCH_MAX_SAMPLES],
    period_samples: usize,
    /// Samples concealed since the last good one; 0 when nothing is missing.
    concealed: usize,
}

impl Concealer {
    /// Before the first frame. The lengths in here are those of 8000 Hz, the only rate it works at.
    ///
    /// # Panics
    /// At any other rate: that would be a mistake in the program.
    #[must_use]
    pub fn new(sample_rate_hz: u32) -> Self {
        assert_eq!(sample_rate_hz, 8000, "concealment works at 8000 Hz");
        Self {
            history: [0; HISTORY_SAMPLES],
            period: [0.0; PITCH_MAX_SAMPLES],
            period_samples: PITCH_MIN_SAMPLES,
            concealed: 0,
        }
    }

    /// Takes a frame that arrived. After a loss its beginning is blended with the concealment that went before.
    pub fn good(&mut self, frame: &mut [i16]) {
        if self.concealed > 0 {
            self.join(frame);
        } else {
            self.remember(frame);
        }
    }

    /// Takes a frame that does not follow on what went before, because some was left out or made up: its beginning is
    /// blended with how that would have gone on.
    pub fn join(&mut self, frame: &mut [i16]) {
        if self.concealed == 0 {
            self.find_period();
        }
        let overlap = OVERLAP_SAMPLES.min(frame.len());
        for (index, sample) in frame.iter_mut().take(overlap).enumerate() {
            let weight = (index + 1) as f32 / (overlap + 1) as f32;
            let old = self.next_concealed(index);
            *sample = (f32::from(*sample) * weight + old * (1.0 - weight)) as i16;
        }
        self.concealed = 0;
        self.remember(frame);
    }

    /// Makes up a frame that did not arrive.
    pub fn conceal(&mut self, out: &mut [i16]) {
        if self.concealed == 0 {
            self.find_period();
        }
        for (index, sample) in out.iter_mut().enumerate() {
            *sample = self.next_concealed(index) as i16;
        }
        self.concealed += out.len();
        self.remember(out);
    }

    /// The concealment `ahead` samples from here.
    fn next_concealed(&self, ahead: usize) -> f32 {
        let at = self.concealed + ahead;
        let fade = if at < FULL_LEVEL_SAMPLES {
            1.0
        } else if at < SILENT_AFTER_SAMPLES {
            1.0 - (at - FULL_LEVEL_SAMPLES) as f32 / (SILENT_AFTER_SAMPLES - FULL_LEVEL_SAMPLES) as f32
        } else {
            0.0
        };
        self.period[at % self.period_samples] * fade
    }

    /// The lag at which the last 20 ms look most like what went before them (normalised cross-correlation), and
    /// one period of that, its end bent to meet its beginning.
    fn find_period(&mut self) {
        let recent = &self.history[HISTORY_SAMPLES - CORRELATION_SAMPLES..];
        let mut best = (f32::MIN, PITCH_MIN_SAMPLES);
        for lag in PITCH_MIN_SAMPLES..=PITCH_MAX_SAMPLES {
            let start = HISTORY_SAMPLES - CORRELATION_SAMPLES - lag;
            let earlier = &self.history[start..start + CORRELATION_SAMPLES];
            let (mut product, mut energy) = (0_i64, 1_i64);
            for (a, b) in recent.iter().zip(earlier) {
                product += i64::from(*a) * i64::from(*b);
                energy += i64::from(*b) * i64::from(*b);
            }
            let likeness = product as f32 / (energy as f32).sqrt();
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        let lag = best.1;
        self.period_samples = lag;
        let start = HISTORY_SAMPLES - lag;
        for (index, value) in self.period[..lag].iter_mut().enumerate() {
            *value = f32::from(self.history[start + index]);
        }
        // The end of the period runs into its beginning when repeated: blend it with what led into that beginning.
        let blend = OVERLAP_SAMPLES.min(lag / 4);
        for index in 0..blend {
            let weight = (index + 1) as f32 / (blend + 1) as f32;
            let leads_in = f32::from(self.history[start - blend + index]);
            let value = &mut self.period[lag - blend + index];
            *value = *value * (1.0 - weight) + leads_in * weight;
        }
    }

    fn remember(&mut self, frame: &[i16]) {
        let frame = &frame[frame.len().saturating_sub(HISTORY_SAMPLES)..];
        self.history.copy_within(frame.len().., 0);
        self.history[HISTORY_SAMPLES - frame.len()..].copy_from_slice(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{level::dbov, tone::ToneGenerator};

    fn frames(hz: f32, count: usize) -> Vec<[i16; 160]> {
        let mut generator = ToneGenerator::new(8000, hz, -10.0);
        (0..count)
            .map(|_| {
                let mut frame = [0; 160];
                generator.fill(&mut frame);
                frame
            })
            .collect()
    }

    fn biggest_step(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap()
    }

    #[test]
    fn a_lost_frame_of_a_steady_sound_is_hardly_noticed() {
        for hz in [100.0, 160.0, 213.0, 440.0, 997.0] {
            let frames = frames(hz, 20);
            let mut concealer = Concealer::new(8000);
            let mut heard = Vec::new();
            for (index, frame) in frames.iter().enumerate() {
                let mut out = *frame;
                if index == 10 {
                    concealer.conceal(&mut out);
                    let loss = dbov(&out) - dbov(frame);
                    assert!(loss.abs() < 2.5, "{hz} Hz: the made-up frame is {loss} dB off");
                } else {
                    concealer.good(&mut out);
                }
                heard.extend(out);
            }
            let clean: Vec<i16> = frames.concat();
            let (step, clean_step) = (biggest_step(&heard[800..]), biggest_step(&clean[800..]));
            assert!(
                step <= clean_step * 2 + 200,
                "{hz} Hz: a step of {step} where the sound has {clean_step}"
            );
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let mut concealer = Concealer::new(8000);
        for frame in frames(200.0, 10) {
            concealer.good(&mut frame.clone());
        }
        let levels: Vec<f32> = (0..5)
            .map(|_| {
                let mut out = [0; 160];
                concealer.conceal(&mut out);
                dbov(&out)
            })
            .collect();
        assert!(levels[0] > levels[1] && levels[1] > levels[2], "{levels:?}");
        assert!(levels[3] < -120.0 && levels[4] < -120.0, "{levels:?}");
    }

    #[test]
    fn a_frame_left_out_leaves_no_click() {
        // Half a period is missing where the frames meet.
        let frames = frames(425.0, 20);
        let mut concealer = Concealer::new(8000);
        let mut heard = Vec::new();
        for (index, frame) in frames.iter().enumerate().filter(|(index, _)| *index != 10) {
            let mut out = *frame;
            if index == 11 {
                concealer.join(&mut out);
            } else {
                concealer.good(&mut out);
            }
            heard.extend(out);
        }
        assert!(biggest_step(&heard[800..]) <= biggest_step(&frames.concat()[800..]) * 3 / 2);
    }

    #[test]
    fn frames_that_arrive_pass_unchanged() {
        let mut concealer = Concealer::new(8000);
        for frame in frames(300.0, 5) {
            let mut out = frame;
            concealer.good(&mut out);
            assert_eq!(out, frame);
        }
    }
}
