//! Conversion between sample rates: a windowed-sinc filter in polyphase form.

use crate::{codec::Rate, nearest};

/// Zero crossings of the sinc on each side. 16 gives a stop band below -60 dB with the window used here.
const CROSSINGS: usize = 16;

/// A streaming converter. Each call continues where the previous one ended.
#[derive(Debug, Clone)]
pub struct Resampler {
    up: usize,
    down: usize,
    /// One row of taps for each of the `up` phases.
    phases: Vec<Vec<f32>>,
    history: Vec<f32>,
    /// Position of the next output, in units of 1/`up` input samples, relative to the start of `history`.
    position: usize,
}

impl Resampler {
    /// From one rate to another, in Hz, both at least 1.
    #[must_use]
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let divisor = gcd(from_hz.max(1), to_hz.max(1));
        let (up, down) = ((to_hz.max(1) / divisor) as usize, (from_hz.max(1) / divisor) as usize);
        // The pass band is what both rates can carry, minus the transition of the filter.
        let cutoff = 0.92 * (up as f64 / down as f64).min(1.0);
        let taps = 2 * (CROSSINGS as f64 / cutoff).ceil() as usize;
        let half = (taps / 2) as f64;
        let phases = (0..up)
            .map(|phase| {
                let shift = phase as f64 / up as f64;
                let mut row: Vec<f64> = (0..taps)
                    .map(|tap| {
                        let x = tap as f64 - (half - 1.0) - shift;
                        sinc(x * cutoff) * cutoff * blackman((x + half) / (2.0 * half))
                    })
                    .collect();
                // Each phase has unit gain at DC, so that no phase is louder than another.
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|tap| *tap /= sum);
                row.into_iter().map(|tap| tap as f32).collect()
            })
            .collect();
        let mut history = Vec::with_capacity(taps + 4096);
        history.resize(taps / 2 - 1, 0.0);
        Self { up, down, phases, history, position: 0 }
    }

    /// Converts `input`, appending to `out`. The output lags by half the filter's length.
    pub fn run(&mut self, input: &[i16], out: &mut Vec<i16>) {
        self.history.extend(input.iter().map(|sample| f32::from(*sample)));
        let taps = self.phases[0].len();
        loop {
            let (start, phase) = (self.position / self.up, self.position % self.up);
            let Some(window) = self.history.get(start..start + taps) else { break };
            let sum: f32 = window.iter().zip(&self.phases[phase]).map(|(sample, tap)| sample * tap).sum();
            out.push(sum.round().clamp(-32_768.0, 32_767.0) as i16);
            self.position += self.down;
        }
        let used = (self.position / self.up).min(self.history.len());
        self.history.drain(..used);
        self.position -= used * self.up;
    }
}

impl Resampler {
    /// Converts a whole recording, including its end.
    #[must_use]
    pub fn convert(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
        resample(samples, from_hz, to_hz)
    }
}

/// Converts frames of 20 ms between two rates of the bridge, without allocating. The delay is half the filter's
/// length, about 2.2 ms if 8 kHz is involved.
#[derive(Debug, Clone)]
pub struct FrameConverter {
    /// For each output of a repeating pattern: where in the input its window begins, and its taps.
    taps: usize,
    phases: Vec<f32>,
    up: usize,
    down: usize,
    /// The rest of earlier frames, then the frame.
    window: Vec<f32>,
    frame: usize,
}

impl FrameConverter {
    /// From one rate to another.
    #[must_use]
    pub fn new(from: Rate, to: Rate) -> Self {
        let Resampler { up, down, phases, .. } = Resampler::new(from.hz(), to.hz());
        // Whole lanes, padded with zeros.
        let taps = phases[0].len().next_multiple_of(LANES);
        let mut flat = Vec::with_capacity(up * taps);
        for row in &phases {
            flat.extend(row);
            flat.resize(flat.len().next_multiple_of(taps), 0.0);
        }
        let frame = from.frame();
        Self { taps, phases: flat, up, down, window: vec![0.0; taps - 1 + frame], frame }
    }

    /// Clears the filter's state.
    pub fn reset(&mut self) {
        self.window.fill(0.0);
    }

    /// Converts a frame and adds it to `out`, a frame of the other rate.
    pub fn add(&mut self, frame: &[i32], out: &mut [i32]) {
        self.take(frame.iter().map(|sample| *sample as f32));
        for (index, out) in out.iter_mut().enumerate() {
            *out += nearest(self.sample(index));
        }
        self.keep();
    }

    /// Converts a frame of 16 bits.
    pub fn convert(&mut self, frame: &[i16], out: &mut [i16]) {
        self.take(frame.iter().map(|sample| f32::from(*sample)));
        for (index, out) in out.iter_mut().enumerate() {
            *out = nearest(self.sample(index)).clamp(-32_768, 32_767) as i16;
        }
        self.keep();
    }

    fn take(&mut self, frame: impl Iterator<Item = f32>) {
        self.window[self.taps - 1..].iter_mut().zip(frame).for_each(|(place, sample)| *place = sample);
    }

    fn sample(&self, index: usize) -> f32 {
        let (start, phase) = (index * self.down / self.up, index * self.down % self.up);
        let (window, _) = self.window[start..start + self.taps].as_chunks::<LANES>();
        let (taps, _) = self.phases[phase * self.taps..(phase + 1) * self.taps].as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for (window, taps) in window.iter().zip(taps) {
            for lane in 0..LANES {
                sums[lane] += window[lane] * taps[lane];
            }
        }
        sums.iter().sum()
    }

    fn keep(&mut self) {
        self.window.copy_within(self.frame.., 0);
    }
}

/// Products that are summed in parallel.
const LANES: usize = 8;

fn resample(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz {
        return samples.to_vec();
    }
    let mut resampler = Resampler::new(from_hz, to_hz);
    let wanted = (samples.len() as u64 * u64::from(to_hz) / u64::from(from_hz.max(1))) as usize;
    let mut out = Vec::with_capacity(wanted + 16);
    resampler.run(samples, &mut out);
    let tail = vec![0; resampler.phases[0].len()];
    resampler.run(&tail, &mut out);
    out.truncate(wanted);
    out
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

fn blackman(at: f64) -> f64 {
    let x = std::f64::consts::TAU * at.clamp(0.0, 1.0);
    0.42 - 0.5 * x.cos() + 0.08 * (2.0 * x).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{goertzel::power_dbov, tone::tone};

    #[test]
    fn a_tone_keeps_its_level_and_gains_no_image() {
        for (from, to) in
            [(8000, 16_000), (16_000, 8000), (44_100, 8000), (8000, 48_000), (48_000, 8000), (32_000, 8000)]
        {
            let converted = resample(&tone(from, 1000.0, -6.0, 500), from, to);
            assert_eq!(converted.len(), to as usize / 2, "{from} to {to}");
            let steady = &converted[converted.len() / 4..converted.len() * 3 / 4];
            assert!((power_dbov(steady, to, 1000.0) + 6.0).abs() < 0.3, "{from} to {to}");
            if to > from {
                let image = power_dbov(steady, to, from as f32 - 1000.0);
                assert!(image < -66.0, "{from} to {to}: image at {image} dBov");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_filtered_out() {
        let converted = resample(&tone(16_000, 5500.0, -6.0, 500), 16_000, 8000);
        let alias = power_dbov(&converted[1000..3000], 8000, 2500.0);
        assert!(alias < -66.0, "alias at {alias} dBov");
    }

    #[test]
    fn frames_between_the_rates_of_the_bridge_keep_level_and_pitch() {
        for from in Rate::ALL {
            for to in Rate::ALL.into_iter().filter(|to| *to != from) {
                let mut converter = FrameConverter::new(from, to);
                let sound = tone(from.hz(), 1000.0, -6.0, 400);
                let mut heard = Vec::new();
                for frame in sound.chunks(from.frame()) {
                    let mut out = vec![0; to.frame()];
                    converter.convert(frame, &mut out);
                    heard.extend(out);
                }
                let steady = &heard[heard.len() / 4..heard.len() * 3 / 4];
                let level = power_dbov(steady, to.hz(), 1000.0);
                assert!((level + 6.0).abs() < 0.1, "{from:?} to {to:?}: {level} dBov");
                if to > from {
                    let image = power_dbov(steady, to.hz(), from.hz() as f32 - 1000.0);
                    assert!(image < -66.0, "{from:?} to {to:?}: image at {image} dBov");
                }
            }
        }
    }

    #[test]
    fn what_8_khz_cannot_carry_is_filtered_out_of_48_khz() {
        let mut converter = FrameConverter::new(Rate::Full, Rate::Narrow);
        let mut heard = Vec::new();
        for frame in tone(48_000, 5500.0, -6.0, 400).chunks(960) {
            let mut out = vec![0; 160];
            converter.convert(frame, &mut out);
            heard.extend(out);
        }
        let alias = power_dbov(&heard[800..2400], 8000, 2500.0);
        assert!(alias < -66.0, "alias at {alias} dBov");
    }

    #[test]
    fn pieces_come_out_like_the_whole() {
        let sound = tone(44_100, 600.0, -6.0, 100);
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Resampler::new(44_100, 8000).run(&sound, &mut whole);
        let mut resampler = Resampler::new(44_100, 8000);
        sound.chunks(333).for_each(|piece| resampler.run(piece, &mut pieces));
        assert_eq!(whole, pieces);
    }
}
