//! Concealment of lost frames by repeating what was said, in the manner of G.711 Appendix I: the last pitch period
//! for 10 ms, the last two until 20 ms, the last three after that, so that long losses do not buzz; full level for
//! 10 ms, then 20 % less every 10 ms, silent at 60 ms; joins are overlapped, the longer the more was lost.

/// The pitch is looked for at this rate, which is enough to find it.
const SEARCH_RATE_HZ: u32 = 8000;
/// 200 Hz to 66 Hz at the rate of the search.
const PITCH_MIN: usize = 40;
const PITCH_MAX: usize = 120;
/// What is compared to find the period: 20 ms.
const CORRELATION: usize = 160;
/// Three of the longest periods and what is blended before them.
const HISTORY: usize = 3 * PITCH_MAX + OVERLAP;
/// 4 ms.
const OVERLAP: usize = 32;
/// Joins are no longer than 10 ms.
const OVERLAP_MAX: usize = 80;
/// 10 ms: how long one period is repeated, and how long at full level.
const TEN_MS: usize = 80;
/// 60 ms.
const SILENT_AFTER: usize = 480;
/// Rates are this many times that of the search at most.
const SCALE_MAX: usize = 2;

/// Conceals losses of one stream.
#[derive(Debug, Clone)]
pub struct Concealer {
    /// Samples for one at the rate of the search.
    scale: usize,
    history: [i16; HISTORY * SCALE_MAX],
    /// The history as it was when something was missing first.
    before: [i16; HISTORY * SCALE_MAX],
    /// The period that is being repeated, while concealing.
    period: usize,
    /// Samples concealed since the last good one; 0 when nothing is missing.
    concealed: usize,
}

impl Concealer {
    /// Before the first frame, at 8000 or 16 000 Hz.
    ///
    /// # Panics
    /// At any other rate: that would be a mistake in the program.
    #[must_use]
    pub fn new(sample_rate_hz: u32) -> Self {
        assert!(matches!(sample_rate_hz, 8000 | 16_000), "concealment works at 8000 and 16 000 Hz");
        let scale = (sample_rate_hz / SEARCH_RATE_HZ) as usize;
        Self {
            scale,
            history: [0; HISTORY * SCALE_MAX],
            before: [0; HISTORY * SCALE_MAX],
            period: PITCH_MIN * scale,
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
        let tens = self.concealed / (TEN_MS * self.scale);
        let overlap =
            ((OVERLAP + OVERLAP * tens.saturating_sub(1)).min(OVERLAP_MAX) * self.scale).min(frame.len());
        for (index, sample) in frame.iter_mut().take(overlap).enumerate() {
            let weight = (index + 1) as f32 / (overlap + 1) as f32;
            let old = self.made_up(index);
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
            *sample = self.made_up(index) as i16;
        }
        self.concealed += out.len();
        self.remember(out);
    }

    /// The concealment `ahead` samples from here.
    fn made_up(&self, ahead: usize) -> f32 {
        let (at, ten_ms) = (self.concealed + ahead, TEN_MS * self.scale);
        let silent_after = SILENT_AFTER * self.scale;
        if at >= silent_after {
            return 0.0;
        }
        let fade = match at.checked_sub(ten_ms) {
            None => 1.0,
            Some(late) => 1.0 - late as f32 / (silent_after - ten_ms) as f32,
        };
        // One period, then two, then three; they are in phase, so one runs over into the next.
        let (step, into) = (at / ten_ms, at % ten_ms);
        let overlap = OVERLAP * self.scale;
        let value = match step {
            0 => self.repeated(1, at),
            1 | 2 if into < overlap => {
                let weight = (into + 1) as f32 / (overlap + 1) as f32;
                self.repeated(step, at) * (1.0 - weight) + self.repeated(step + 1, at) * weight
            }
            1 => self.repeated(2, at),
            _ => self.repeated(3, at),
        };
        value * fade
    }

    /// The last `periods`, over and over. Their end runs into their beginning, so it is blended with what led into
    /// that.
    fn repeated(&self, periods: usize, at: usize) -> f32 {
        let (length, end) = (periods * self.period, HISTORY * self.scale);
        let blend = (OVERLAP * self.scale).min(self.period / 4);
        let place = at % length;
        let sample = f32::from(self.before[end - length + place]);
        match place.checked_sub(length - blend) {
            None => sample,
            Some(index) => {
                let weight = (index + 1) as f32 / (blend + 1) as f32;
                let leads_in = f32::from(self.before[end - length - blend + index]);
                sample * (1.0 - weight) + leads_in * weight
            }
        }
    }

    /// The lag at which the last 20 ms look most like what went before them (normalised cross-correlation): at the
    /// rate of the search, then to the sample.
    fn find_period(&mut self) {
        self.before = self.history;
        let mut coarse = [0_i16; HISTORY];
        for (index, sample) in coarse.iter_mut().enumerate() {
            let part = &self.history[index * self.scale..(index + 1) * self.scale];
            *sample = (part.iter().map(|sample| i32::from(*sample)).sum::<i32>() / self.scale as i32) as i16;
        }
        let lag = likest(&coarse, CORRELATION, PITCH_MIN..=PITCH_MAX);
        self.period = if self.scale == 1 {
            lag
        } else {
            let near = lag * self.scale;
            let most = PITCH_MAX * self.scale;
            let history = &self.history[..HISTORY * self.scale];
            likest(
                history,
                CORRELATION * self.scale,
                near - self.scale + 1..=(near + self.scale - 1).min(most),
            )
        };
    }

    fn remember(&mut self, frame: &[i16]) {
        let length = HISTORY * self.scale;
        let frame = &frame[frame.len().saturating_sub(length)..];
        self.history.copy_within(frame.len()..length, 0);
        self.history[length - frame.len()..length].copy_from_slice(frame);
    }
}

fn likest(history: &[i16], window: usize, lags: std::ops::RangeInclusive<usize>) -> usize {
    let recent = &history[history.len() - window..];
    let mut best = (f32::MIN, *lags.start());
    for lag in lags {
        let start = history.len() - window - lag;
        let (mut product, mut energy) = (0.0_f32, 1.0_f32);
        for (a, b) in recent.iter().zip(&history[start..start + window]) {
            product += f32::from(*a) * f32::from(*b);
            energy += f32::from(*b) * f32::from(*b);
        }
        let likeness = product / energy.sqrt();
        if likeness > best.0 {
            best = (likeness, lag);
        }
    }
    best.1
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
    fn at_16_khz_a_lost_frame_of_a_steady_sound_is_hardly_heard() {
        for hz in [90.0, 150.0, 210.0, 397.0] {
            let mut generator = ToneGenerator::new(16_000, hz, -10.0);
            let mut concealer = Concealer::new(16_000);
            let (mut heard, mut clean) = (Vec::new(), Vec::new());
            for index in 0..20 {
                let mut frame = [0; 320];
                generator.fill(&mut frame);
                clean.extend(frame);
                let level = dbov(&frame);
                if index == 10 {
                    concealer.conceal(&mut frame);
                    assert!((dbov(&frame) - level).abs() < 2.5, "{hz} Hz: {} dB", dbov(&frame) - level);
                } else {
                    concealer.good(&mut frame);
                }
                heard.extend(frame);
            }
            let (step, clean_step) = (biggest_step(&heard[1600..]), biggest_step(&clean[1600..]));
            assert!(
                step <= clean_step * 2 + 200,
                "{hz} Hz: a step of {step} where the sound has {clean_step}"
            );
        }
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
