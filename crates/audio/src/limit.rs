//! A look-ahead limiter: it brings a sum back to 16 bits without clipping.

/// Brings a sum back to 16 bits. Below full scale it changes nothing, bit for bit. Above it the gain of a whole frame
/// is planned before its first sample leaves: it begins to fall up to 5 ms before a peak, has fallen far enough when
/// the peak comes, stays for 200 ms, so that it follows neither the waves of a low voice nor the syllables of a quick
/// one, and recovers within 500 ms. The state belongs to one output stream.
///
/// Frames are 20 ms at any rate: 160, 320 or 960 samples, of which a twentieth is a millisecond.
#[derive(Debug, Clone)]
pub struct Limiter {
    gain: f32,
    /// Blocks for which the gain stays before it recovers.
    held_blocks: u32,
    /// The gain of another limiter that this one reaches within the next frame.
    goal: Option<f32>,
    /// Magnitude of the last sample of the output.
    last: f32,
}

/// Upper bound of the output: 32767 with a margin, so that rounding never wraps.
const CEILING: f32 = 32_700.0;
/// A frame is planned in blocks of a millisecond.
const BLOCKS: usize = 20;
/// The gain falls over at most this many blocks.
const ATTACK_BLOCKS: usize = 5;
/// By how much the gain recovers per block, and how long after the last block that needed it.
const RELEASE_PER_BLOCK: f32 = 0.002;
const HOLD_BLOCKS: u32 = 200;
/// Samples this close to the ceiling need the gain as well: those of a tone seldom fall on its very peaks.
const NEARLY: f32 = 1.02;
/// Gains within this are equal: 0.01 dB.
const SAME_GAIN: f32 = 0.001;
/// Where the curve for an unforeseen peak begins to bend, as a share of the ceiling: lowest and highest.
const KNEE_LOWEST: f32 = 0.75;
const KNEE_HIGHEST: f32 = 0.97;

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter {
    /// Transparent until something is too loud.
    #[must_use]
    pub fn new() -> Self {
        Self { gain: 1.0, held_blocks: 0, goal: None, last: 0.0 }
    }

    /// It changes nothing at present.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gain >= 1.0
    }

    /// Whether another limiter that gets the same sums from here on would have the same output, but for an inaudible
    /// difference.
    #[must_use]
    pub fn goes_on_like(&self, other: &Self) -> bool {
        (self.gain - other.gain).abs() <= SAME_GAIN * other.gain
    }

    /// Takes over the gain of another limiter that gets the same sums, if the two are nearly equal: two that began
    /// differently may stay slightly apart.
    pub fn approach(&mut self, other: &Self) {
        let (low, high) = (self.gain.min(other.gain), self.gain.max(other.gain));
        if high <= low * NEARLY * (1.0 + SAME_GAIN) {
            (self.goal, self.held_blocks) = (Some(other.gain), other.held_blocks);
        }
    }

    /// Limits one frame; `out` is as long as `sum`.
    pub fn run(&mut self, sum: &[i32], out: &mut [i16]) {
        if self.gain >= 1.0 && self.goal.is_none() && peak(sum) <= i16::MAX as u32 {
            for (out, sample) in out.iter_mut().zip(sum) {
                *out = *sample as i16;
            }
        } else {
            self.turn_down(sum, out);
        }
        if let Some(last) = out.last() {
            self.last = f32::from(last.unsigned_abs());
        }
    }

    fn turn_down(&mut self, sum: &[i32], out: &mut [i16]) {
        let block_samples = sum.len().div_ceil(BLOCKS).max(1);
        let mut needed = [1.0; BLOCKS];
        for (needed, block) in needed.iter_mut().zip(sum.chunks(block_samples)) {
            *needed = (CEILING / (peak(block) as f32).max(CEILING)).min(1.0);
        }
        let plan = self.plan(&needed);
        for (index, (block, out)) in sum.chunks(block_samples).zip(out.chunks_mut(block_samples)).enumerate()
        {
            let (from, to) = (plan[index], plan[index + 1]);
            if from > needed[index] {
                // Only in the first block: it is louder than the gain left by the previous frame allows.
                let knee = (self.last / CEILING).clamp(KNEE_LOWEST, KNEE_HIGHEST);
                surprise(block, out, (from, to), knee);
            } else {
                let step = (to - from) / block.len() as f32;
                for (at, (out, sample)) in out.iter_mut().zip(block).enumerate() {
                    *out = rounded(*sample as f32 * (from + step * (at + 1) as f32));
                }
            }
            self.gain = to;
        }
    }

    /// The gain at the edges of all blocks, beginning with the present one.
    fn plan(&mut self, needed: &[f32; BLOCKS]) -> [f32; BLOCKS + 1] {
        // Both edges of a block are low enough for it, so everything between them is.
        let mut most = [1.0_f32; BLOCKS + 1];
        for (index, needed) in needed.iter().enumerate() {
            most[index] = most[index].min(*needed);
            most[index + 1] = most[index + 1].min(*needed);
        }
        let mut plan = most;
        plan[0] = self.gain;
        for edge in (1..=BLOCKS).filter(|edge| most[*edge] < 1.0) {
            // A ramp down to this edge, from 1, or from the present gain if the frame began too late for that.
            let (length, top) =
                if edge > ATTACK_BLOCKS { (ATTACK_BLOCKS, 1.0) } else { (edge, self.gain.max(most[edge])) };
            for before in 1..length {
                let ramp = most[edge] + (top - most[edge]) * before as f32 / length as f32;
                plan[edge - before] = plan[edge - before].min(ramp);
            }
        }
        let goal = self.goal.take();
        for edge in 1..=BLOCKS {
            let before = plan[edge - 1];
            if needed[edge - 1] < (before * NEARLY).min(1.0) {
                self.held_blocks = HOLD_BLOCKS;
            }
            let release = if self.held_blocks > 0 { 0.0 } else { RELEASE_PER_BLOCK };
            self.held_blocks = self.held_blocks.saturating_sub(1);
            let highest = goal.map_or(before + release, |goal| {
                self.gain + (goal - self.gain) * edge as f32 / BLOCKS as f32
            });
            plan[edge] = plan[edge].min(highest);
        }
        plan
    }
}

/// A block louder than foreseen: the gain falls within it, and until then samples above the knee are bent below the
/// ceiling instead of clipped. The knee rises to the ceiling meanwhile, where it has no effect.
fn surprise(block: &[i32], out: &mut [i16], (from, to): (f32, f32), knee: f32) {
    for (index, (out, sample)) in out.iter_mut().zip(block).enumerate() {
        let at = (index + 1) as f32 / block.len() as f32;
        let scaled = *sample as f32 * (from + (to - from) * at);
        let knee = CEILING * (knee + (1.0 - knee) * at);
        let (over, room) = (scaled.abs() - knee, CEILING - knee);
        *out = rounded(if over <= 0.0 {
            scaled
        } else if room < 1.0 {
            CEILING.copysign(scaled)
        } else {
            (knee + room * (over / room).tanh()).copysign(scaled)
        });
    }
}

/// Rounds to the nearest 16-bit sample.
fn rounded(sample: f32) -> i16 {
    (sample + 0.5_f32.copysign(sample)) as i16
}

fn peak(samples: &[i32]) -> u32 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::{power_dbov, take_apart};
    use std::f64::consts::TAU;

    const RATES: [u32; 3] = [8000, 16_000, 48_000];

    fn limit(limiter: &mut Limiter, sum: &[i32], rate: u32) -> Vec<i16> {
        let mut out = vec![0; sum.len()];
        let frame = rate as usize / 50;
        sum.chunks(frame).zip(out.chunks_mut(frame)).for_each(|(sum, out)| limiter.run(sum, out));
        out
    }

    /// Full-scale tones added up.
    fn tones(rate: u32, hz: &[f64], seconds: f64) -> Vec<i32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|at| {
                let angle = TAU * at as f64 / f64::from(rate);
                hz.iter().map(|hz| (32_767.0 * (angle * hz).sin()) as i32).sum()
            })
            .collect()
    }

    #[test]
    fn what_fits_passes_bit_for_bit() {
        for rate in RATES {
            let mut limiter = Limiter::new();
            let sum: Vec<i32> = (0..rate as i32).map(|i| (i * 409) % 65_535 - 32_767).collect();
            let out = limit(&mut limiter, &sum, rate);
            assert!(sum.iter().zip(&out).all(|(sum, out)| *sum == i32::from(*out)));
        }
    }

    #[test]
    fn four_loud_tones_are_turned_down_and_not_distorted() {
        for rate in RATES {
            let sum = tones(rate, &[400.0, 430.0, 470.0, 500.0], 2.0);
            let out = limit(&mut Limiter::new(), &sum, rate);
            let rail = out.iter().filter(|sample| sample.unsigned_abs() >= 32_767).count();
            assert!(rail < 8, "{rate} Hz: {rail} samples at the rail");
            let steady = &out[rate as usize / 2..];
            // Clipping would show as odd harmonics of the cluster around 3 × 450 Hz.
            for hz in [1290.0, 1350.0, 1410.0] {
                let harmonic = power_dbov(steady, rate, hz);
                assert!(harmonic < -30.0, "{rate} Hz: {harmonic} dBov at {hz} Hz");
            }
            for hz in [400.0, 430.0, 470.0, 500.0] {
                assert!(power_dbov(steady, rate, hz) > -15.0, "{rate} Hz: {hz} Hz is missing");
            }
        }
    }

    #[test]
    fn a_peak_within_a_frame_is_met_by_a_ramp_that_ends_before_it() {
        for rate in RATES {
            let ms = rate as usize / 1000;
            let mut sum = vec![10_000; 20 * ms];
            sum[12 * ms..13 * ms].fill(100_000);
            let out = limit(&mut Limiter::new(), &sum, rate);
            let begins = out.iter().position(|sample| *sample != 10_000).unwrap();
            assert!((7 * ms - 1..=9 * ms).contains(&begins), "{rate} Hz: the ramp begins at {begins}");
            assert!(out[12 * ms..13 * ms].iter().all(|sample| (32_600..=32_701).contains(sample)));
            assert!(out[begins..12 * ms].windows(2).all(|pair| pair[1] <= pair[0]), "{rate} Hz: falls");
        }
    }

    #[test]
    fn the_gain_comes_back_in_half_a_second_at_every_rate() {
        for rate in RATES {
            let frame = rate as usize / 50;
            let mut limiter = Limiter::new();
            let out = limit(&mut limiter, &vec![90_000; frame], rate);
            assert!(out.iter().all(|sample| *sample > 24_000));
            let frames = (1..)
                .find(|_| limit(&mut limiter, &vec![10_000; frame], rate).iter().all(|s| *s == 10_000))
                .unwrap();
            // It stays for 200 ms and rises by 0.637.
            assert!((500..=540).contains(&(frames * 20)), "{rate} Hz: back after {} ms", frames * 20);
        }
    }

    #[test]
    fn a_tone_of_full_scale_is_not_touched_and_a_louder_one_stays_a_tone() {
        for rate in RATES {
            for hz in [60.0, 100.0, 213.0, 440.0, 1000.0, 3000.0_f32] {
                for over_db in [0.0, 1.0, 3.0, 6.0, 9.5, 20.0_f32] {
                    let peak = 32_767.0 * f64::from(crate::linear(over_db));
                    let sum: Vec<i32> = (0..2 * rate as usize)
                        .map(|at| (peak * (TAU * f64::from(hz) * at as f64 / f64::from(rate)).sin()) as i32)
                        .collect();
                    let out = limit(&mut Limiter::new(), &sum, rate);
                    if over_db == 0.0 {
                        assert!(sum.iter().zip(&out).all(|(sum, out)| *sum == i32::from(*out)));
                        continue;
                    }
                    let thd_db = take_apart(&out[rate as usize / 5..], rate, &[hz]).rest_db();
                    assert!(thd_db < -90.0, "{rate} Hz: {hz} Hz, {over_db} dB over: {thd_db} dB beside it");
                }
            }
        }
    }

    #[test]
    fn three_loud_talkers_are_turned_down_together_and_nothing_comes_beside_them() {
        let sets = [
            [410.0, 733.0, 1187.0],
            [200.0, 310.0, 450.0],
            [300.0, 360.0, 425.0],
            [700.0, 1100.0, 1900.0],
            // Their beats are as slow as words, so the gain comes back between them.
            [120.0, 187.0, 251.0_f32],
        ];
        for rate in RATES {
            for (number, set) in sets.iter().enumerate() {
                let sum: Vec<i32> = (0..3 * rate as usize)
                    .map(|at| {
                        let angle = TAU * at as f64 / f64::from(rate);
                        let tone = |hz: &f32| 32_767.0 * 0.708 * (angle * f64::from(*hz)).sin();
                        set.iter().map(|hz| tone(hz) as i32).sum()
                    })
                    .collect();
                let out = limit(&mut Limiter::new(), &sum, rate);
                assert!(out.iter().all(|sample| sample.unsigned_abs() <= 32_700), "{set:?}: clipped");
                // In pieces of 100 ms. In the first ones the gain falls, from the first peak on to the highest.
                let beside: Vec<f32> = out
                    .chunks(rate as usize / 10)
                    .map(|piece| take_apart(piece, rate, set).rest_db())
                    .collect();
                let worst = |pieces: &[f32]| pieces.iter().copied().fold(-127.0, f32::max);
                let (first, steady) = (worst(&beside[..5]), worst(&beside[5..]));
                assert!(first < -23.0, "{rate} Hz, {set:?}: {first} dB at first");
                let bound_db = if number == 4 { -24.0 } else { -80.0 };
                assert!(steady < bound_db, "{rate} Hz, {set:?}: {steady} dB");
                // Clipping would leave this much.
                let clipped: Vec<i16> =
                    sum.iter().map(|sample| (*sample).clamp(-32_768, 32_767) as i16).collect();
                assert!(take_apart(&clipped[rate as usize..], rate, set).rest_db() > -13.0);
            }
        }
    }

    /// Something like a voice: syllables of many harmonics of a pitch, with pauses between them, of this peak.
    fn voice(rate: u32, pitch_hz: f64, syllable_ms: usize, peak: f64, seconds: usize) -> Vec<i32> {
        let syllable = rate as usize * syllable_ms / 1000;
        let samples: Vec<f64> = (0..rate as usize * seconds)
            .map(|at| {
                let (part, word) = ((at % syllable) as f64 / syllable as f64, at / syllable);
                let loud = if word % 4 == 3 { 0.0 } else { (part * std::f64::consts::PI).sin() };
                let angle = TAU * (pitch_hz + (word % 5) as f64 * 4.0) * at as f64 / f64::from(rate);
                loud * (1..=12).map(|n| (angle * f64::from(n)).sin() / f64::from(n)).sum::<f64>()
            })
            .collect();
        let most = samples.iter().fold(0.0_f64, |most, sample| most.max(sample.abs()));
        samples.iter().map(|sample| (sample * peak / most) as i32).collect()
    }

    #[test]
    fn three_loud_voices_keep_the_shape_of_their_waves() {
        for rate in RATES {
            let voices =
                [(110.0, 180), (157.0, 230), (208.0, 290)].map(|(hz, ms)| voice(rate, hz, ms, 23_198.0, 10));
            let sum: Vec<i32> =
                (0..voices[0].len()).map(|at| voices.iter().map(|voice| voice[at]).sum()).collect();
            let over = sum.iter().filter(|sample| sample.unsigned_abs() > 32_767).count();
            assert!(over > 100, "{rate} Hz: {over} samples over full scale, up to {}", peak(&sum));
            let out = limit(&mut Limiter::new(), &sum, rate);
            assert!(out.iter().all(|sample| sample.unsigned_abs() <= 32_767));
            // What each 20 ms contain beside the sum, scaled.
            let mut beside: Vec<f64> = sum
                .chunks(rate as usize / 50)
                .zip(out.chunks(rate as usize / 50))
                .filter(|(sum, _)| peak(sum) > 3000)
                .map(|(sum, out)| {
                    let product = |a: &dyn Fn(usize) -> f64, b: &dyn Fn(usize) -> f64| -> f64 {
                        (0..sum.len()).map(|at| a(at) * b(at)).sum()
                    };
                    let (of_sum, of_out) = (|at: usize| f64::from(sum[at]), |at: usize| f64::from(out[at]));
                    let gain = product(&of_sum, &of_out) / product(&of_sum, &of_sum);
                    let rest = |at: usize| of_out(at) - gain * of_sum(at);
                    10.0 * (product(&rest, &rest) / product(&of_out, &of_out)).max(1e-13).log10()
                })
                .collect();
            beside.sort_by(f64::total_cmp);
            let (median, many, all) =
                (beside[beside.len() / 2], beside[beside.len() * 95 / 100], beside[beside.len() - 1]);
            assert!(median < -80.0 && many < -27.0 && all < -19.0, "{rate} Hz: {median}, {many}, {all} dB");
        }
    }

    #[test]
    fn a_step_at_the_first_sample_of_a_frame_makes_no_jump() {
        for rate in RATES {
            for (hz, phase) in [(100.0, 0.0), (100.0, 0.11), (450.0, 0.0), (450.0, 0.2), (900.0, 0.07)] {
                // Quiet for two frames; then four times full scale, which begins where the quiet part ended.
                let frame = rate as usize / 50;
                let sum: Vec<i32> = (0..6 * frame)
                    .map(|at| {
                        let angle = TAU * (hz * (at as f64 - 2.0 * frame as f64) / f64::from(rate) + phase);
                        (angle.sin() * if at < 2 * frame { 8191.0 } else { 131_068.0 }) as i32
                    })
                    .collect();
                let out = limit(&mut Limiter::new(), &sum, rate);
                assert!(out.iter().all(|sample| sample.unsigned_abs() <= 32_700));
                for at in 1..out.len() {
                    let step = (i32::from(out[at]) - i32::from(out[at - 1])).abs();
                    let own = (sum[at] - sum[at - 1]).abs();
                    // What the ramp of the gain may add to the slope of the sound: once the ceiling in a millisecond.
                    let ramp = 33_000_000 / rate as i32;
                    assert!(step <= own + ramp, "{rate} Hz, {hz} Hz: {step} at {at}, where it came by {own}");
                }
            }
        }
    }

    #[test]
    fn a_surprise_is_bent_and_not_cut_off() {
        // A slow half wave that starts to be too loud just where a frame begins.
        for rate in RATES {
            let frame = rate as usize / 50;
            let sum: Vec<i32> = (0..2 * frame).map(|at| (at * 32_700 / frame) as i32).collect();
            let out = limit(&mut Limiter::new(), &sum, rate);
            let ms = rate as usize / 1000;
            let steps: Vec<i32> = out[frame - ms..frame + ms]
                .windows(2)
                .map(|pair| i32::from(pair[1]) - i32::from(pair[0]))
                .collect();
            // The knee begins a little below full scale: a tenth of a decibel.
            let most = 33_000 / frame as i32 + 2 + 375;
            assert!(steps.iter().all(|step| step.abs() <= most), "{rate} Hz: {steps:?}");
        }
    }

    #[test]
    fn two_that_began_differently_come_to_the_same_gain_in_small_steps() {
        for rate in RATES {
            let frame = rate as usize / 50;
            let sum = tones(rate, &[440.0, 910.0], 3.0);
            let (mut one, mut other) = (Limiter::new(), Limiter::new());
            let mut out = vec![0; frame];
            other.run(&vec![90_000; frame], &mut out);
            let mut meet = None;
            for (number, sum) in sum.chunks(frame).enumerate() {
                if meet.is_none() && one.goes_on_like(&other) {
                    meet = Some(number);
                }
                assert!(meet.is_none() || one.goes_on_like(&other), "{rate} Hz: they part again");
                let before = one.gain;
                if meet.is_none() {
                    one.approach(&other);
                }
                one.run(sum, &mut out);
                assert!(number < 3 || (one.gain / before - 1.0).abs() < 0.021, "{rate} Hz: a jump");
                other.run(sum, &mut out);
            }
            assert!(meet.is_some_and(|frames| frames > 3 && frames < 60), "{rate} Hz: {meet:?}");
        }
    }

    #[test]
    fn nothing_wraps_whatever_comes() {
        let mut limiter = Limiter::new();
        let mut seed = 7_u32;
        for length in [160, 320, 960, 1, 7, 19, 21, 0, 480, 33] {
            for round in 0..50 {
                let sum: Vec<i32> = (0..length)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        if round == 0 { i32::MIN } else { seed as i32 >> (round % 20) }
                    })
                    .collect();
                let mut out = vec![0; length];
                limiter.run(&sum, &mut out);
                for (sum, out) in sum.iter().zip(&out) {
                    assert!(*out == 0 || sum.signum() == i32::from(*out).signum());
                    assert!(i32::from(*out).unsigned_abs() <= sum.unsigned_abs());
                }
            }
        }
    }
}
