//! Concealment of lost frames by pitch repetition, as in G.711 Appendix I: the last period for 10 ms, the last two
//! until 20 ms, the last three after that, so that long losses do not buzz; full level for 10 ms, then 20 % less
//! every 10 ms, silent at 60 ms. Joins overlap, the longer the more was lost.

/// The pitch is searched at this rate, which is sufficient.
const SEARCH_RATE_HZ: u32 = 8000;
/// 200 Hz to 66 Hz at the rate of the search.
const PITCH_MIN: usize = 24;
const PITCH_MAX: usize = 120;
/// Window of the pitch search: 20 ms.
const CORRELATION: usize = 80;
/// Three of the longest periods, and the samples blended before them.
const HISTORY: usize = 3 * PITCH_MAX + OVERLAP;
/// 4 ms.
const OVERLAP: usize = 32;
/// Joins are no longer than 10 ms.
const OVERLAP_MAX: usize = 80;
/// 10 ms: how long one period is repeated, and how long at full level.
const TEN_MS: usize = 80;
/// 60 ms.
const SILENT_AFTER: usize = 480;
/// A signal that correlates this much with itself one period before continues unchanged.
const STEADY: f32 = 0.97;
/// From this correlation on, the signals before and after a gap belong together.
const LIKE: f32 = 0.3;
/// Sample rates are at most this many times that of the search.
const SCALE_MAX: usize = 2;

/// Conceals losses of one stream.
#[derive(Debug, Clone)]
pub struct Concealer {
    /// Samples per sample at the rate of the search.
    scale: usize,
    history: [i16; HISTORY * SCALE_MAX],
    /// The history as it was before the gap began.
    before: [i16; HISTORY * SCALE_MAX],
    /// The period that is being repeated during concealment.
    period: usize,
    /// Samples concealed since the last good one; 0 if nothing is missing.
    concealed: usize,
    /// The concealment leads into the next frame, which repeats itself after this many samples.
    leads_into: Option<usize>,
    /// Correlation of the last period with the one before it, -1 to 1.
    likeness: f32,
    /// The last samples that were silence: the history ends in this many zeros.
    silence: usize,
}

/// The path from the signal before a gap to the signal after it.
#[derive(Debug, Clone, Copy)]
struct Bridge {
    /// The signal before the gap, repeated this much faster or slower, is in phase with the signal after it.
    pace: f32,
    /// Their correlation then, 0 to 1.
    likeness: f32,
    /// The period of the signal after the gap.
    period: usize,
}

impl Concealer {
    /// Before the first frame, at 8000 or 16 000 Hz.
    ///
    /// # Panics
    ///
    /// At any other rate, which would be a bug.
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
            leads_into: None,
            likeness: 0.0,
            silence: 0,
        }
    }

    /// Takes `samples` of received silence: equivalent to [`Self::good`] with as many zeros, at nearly no cost while
    /// silence lasts. False, and nothing is taken: it has to be blended with the concealment before it.
    #[must_use]
    pub fn silence(&mut self, samples: usize) -> bool {
        if self.concealed > 0 {
            return false;
        }
        let length = HISTORY * self.scale;
        if self.silence < length {
            let samples = samples.min(length);
            self.history.copy_within(samples..length, 0);
            self.history[length - samples..length].fill(0);
            self.silence += samples;
        }
        true
    }

    /// Takes a received frame. After a loss its beginning is blended with the concealment.
    pub fn good(&mut self, frame: &mut [i16]) {
        if self.concealed > 0 {
            self.join(frame);
        } else {
            self.remember(frame);
        }
    }

    /// Takes a frame that does not continue the previous one, because frames were removed or inserted: its beginning
    /// is blended with the continuation of what came before.
    pub fn join(&mut self, frame: &mut [i16]) {
        if self.concealed == 0 {
            self.find_period();
        }
        if let Some(period) = self.leads_into.take() {
            // The concealment ends like the period before the second one of this frame.
            let overlap = (OVERLAP * self.scale).min(frame.len().saturating_sub(period));
            for index in 0..overlap {
                let old = f32::from(frame[index + period]);
                frame[index] = blend(f32::from(frame[index]), old, index, overlap) as i16;
            }
        } else {
            let tens = self.concealed / (TEN_MS * self.scale);
            let overlap =
                ((OVERLAP + OVERLAP * tens.saturating_sub(1)).min(OVERLAP_MAX) * self.scale).min(frame.len());
            for (index, sample) in frame.iter_mut().take(overlap).enumerate() {
                *sample = blend(f32::from(*sample), self.made_up(index), index, overlap) as i16;
            }
        }
        self.concealed = 0;
        self.remember(frame);
    }

    /// Conceals a lost frame. `next`: the frame after it, if it has arrived.
    pub fn conceal(&mut self, out: &mut [i16], next: Option<&[i16]>) {
        if self.concealed == 0 {
            self.find_period();
        }
        match next.and_then(|next| Some((next, self.bridge(out.len(), next)?))) {
            None => {
                self.leads_into = None;
                for (index, sample) in out.iter_mut().enumerate() {
                    *sample = self.made_up(index) as i16;
                }
            }
            Some((next, bridge)) => {
                self.leads_into = Some(bridge.period);
                self.cross(out, next, bridge);
            }
        }
        self.concealed += out.len();
        self.remember(out);
    }

    /// The continuation of the last concealment.
    pub fn go_on(&self, out: &mut [i16]) {
        for (index, sample) in out.iter_mut().enumerate() {
            *sample = self.made_up(index) as i16;
        }
    }

    /// Searches for a path from the signal before a gap of `length` to `next`.
    fn bridge(&self, length: usize, next: &[i16]) -> Option<Bridge> {
        let (least, most) = (PITCH_MIN * self.scale, PITCH_MAX * self.scale);
        let window = (OVERLAP_MAX * self.scale).min(next.len());
        if next.len() < most + PITCH_MIN * self.scale || length == 0 {
            return None;
        }
        let reach = (self.period / 2).min(length / 4);
        let mut on = [0.0; (OVERLAP_MAX + PITCH_MAX) * SCALE_MAX];
        let on = &mut on[..window + 2 * reach];
        for (index, sample) in on.iter_mut().enumerate() {
            *sample = self.made_up(length - reach + index);
        }
        let energy_of = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>();
        let energy = next[..window].iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>();
        let mut best = (0.0_f32, reach);
        for shift in 0..=2 * reach {
            let part = &on[shift..shift + window];
            let product: f32 = part.iter().zip(next).map(|(a, b)| a * f32::from(*b)).sum();
            let likeness = product / (energy_of(part) * energy + 1.0).sqrt();
            if likeness > best.0 {
                best = (likeness, shift);
            }
        }
        let (likeness, shift) = best;
        let end = (length + shift - reach) as f32;
        let pace = if likeness > LIKE { end / length as f32 } else { 1.0 };
        let period = likest_ahead(next, least..=most);
        Some(Bridge { pace, likeness: if likeness > LIKE { likeness } else { 0.0 }, period })
    }

    /// Fills a gap along the path to `next`.
    fn cross(&self, out: &mut [i16], next: &[i16], bridge: Bridge) {
        let length = out.len();
        for (index, sample) in out.iter_mut().enumerate() {
            let at = index as f32 * bridge.pace;
            let (whole, part) = (at as usize, at.fract());
            let before = self.made_up(whole) * (1.0 - part) + self.made_up(whole + 1) * part;
            // The first period of `next`, repeated as needed.
            let left = length - index;
            let after = f32::from(next[left.div_ceil(bridge.period) * bridge.period - left]);
            let later = (index + 1) as f32 / (length + 1) as f32;
            let sooner = 1.0 - later;
            // Uncorrelated signals add up to less than correlated ones.
            let sum = sooner * sooner + later * later + 2.0 * sooner * later * bridge.likeness;
            *sample = ((before * sooner + after * later) / sum.sqrt()).clamp(-32_768.0, 32_767.0) as i16;
        }
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
        // One period, then two, then three; they are in phase, so one continues into the next.
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

    /// The last `periods`, repeated. Their end leads into their beginning, so it is blended with what preceded that.
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

    /// The lag at which the last 20 ms correlate most with what preceded them (normalised cross-correlation): at the
    /// rate of the search, then to the sample.
    fn find_period(&mut self) {
        self.before = self.history;
        let mut coarse = [0_i16; HISTORY];
        for (index, sample) in coarse.iter_mut().enumerate() {
            let part = &self.history[index * self.scale..(index + 1) * self.scale];
            *sample = (part.iter().map(|sample| i32::from(*sample)).sum::<i32>() / self.scale as i32) as i16;
        }
        (self.period, self.likeness) = likest(&coarse, CORRELATION, PITCH_MIN..=PITCH_MAX);
        if self.scale > 1 {
            let near = self.period * self.scale;
            let most = PITCH_MAX * self.scale;
            let history = &self.history[..HISTORY * self.scale];
            let lags = near - self.scale + 1..=(near + self.scale - 1).min(most);
            (self.period, self.likeness) = likest(history, CORRELATION * self.scale, lags);
        }
    }

    /// The concealment repeats a periodic signal.
    pub fn is_steady(&self) -> bool {
        self.likeness > STEADY
    }

    fn remember(&mut self, frame: &[i16]) {
        let length = HISTORY * self.scale;
        let frame = &frame[frame.len().saturating_sub(length)..];
        self.silence = 0;
        self.history.copy_within(frame.len()..length, 0);
        self.history[length - frame.len()..length].copy_from_slice(frame);
    }
}

/// From `old` to `new`, at `index` of `length`.
fn blend(new: f32, old: f32, index: usize, length: usize) -> f32 {
    let weight = (index + 1) as f32 / (length + 1) as f32;
    new * weight + old * (1.0 - weight)
}

/// The lag at which the beginning of `frame` recurs.
fn likest_ahead(frame: &[i16], lags: std::ops::RangeInclusive<usize>) -> usize {
    let window = frame.len() - lags.end();
    let mut best = (f32::MIN, *lags.start());
    for lag in lags {
        let (mut product, mut energy) = (0.0_f32, 1.0_f32);
        for (a, b) in frame[..window].iter().zip(&frame[lag..]) {
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

/// The lag at which the last `window` samples correlate most with what preceded them, and that correlation.
fn likest(history: &[i16], window: usize, lags: std::ops::RangeInclusive<usize>) -> (usize, f32) {
    let recent = &history[history.len() - window..];
    let own: f32 = 1.0 + recent.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>();
    let mut best = (*lags.start(), f32::MIN);
    for lag in lags {
        let start = history.len() - window - lag;
        let (mut product, mut energy) = (0.0_f32, 1.0_f32);
        for (a, b) in recent.iter().zip(&history[start..start + window]) {
            product += f32::from(*a) * f32::from(*b);
            energy += f32::from(*b) * f32::from(*b);
        }
        let likeness = product / (energy * own).sqrt();
        if likeness > best.1 {
            best = (lag, likeness);
        }
    }
    best
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
                    concealer.conceal(&mut out, None);
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
                concealer.conceal(&mut out, None);
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
                    concealer.conceal(&mut frame, None);
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
