//! The level of a tone, by the Goertzel algorithm with a window that keeps strong neighbours out, and the level of
//! everything beside the expected tones.

/// Level of the tone of `hz` in `samples`, in dBov (0 is a full-scale sine), -127 at the least. Hann window: two tones are
/// distinguished when they are at least `4 × sample_rate / samples.len()` Hz apart.
#[must_use]
pub fn power_dbov(samples: &[i16], sample_rate_hz: u32, hz: f32) -> f32 {
    if samples.is_empty() {
        return -127.0;
    }
    let length = samples.len() as f64;
    let omega = std::f64::consts::TAU * f64::from(hz) / f64::from(sample_rate_hz);
    let coefficient = 2.0 * omega.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (std::f64::consts::TAU * index as f64 / length).cos();
        let next = f64::from(*sample) / 32768.0 * window + coefficient * last - before;
        before = last;
        last = next;
    }
    let energy = last * last + before * before - coefficient * last * before;
    // A full-scale sine through a Hann window (mean 1/2) has an amplitude of length/4 here.
    let amplitude = energy.max(0.0).sqrt() / (length / 4.0);
    (20.0 * amplitude.max(1e-7).log10()).max(-127.0) as f32
}

/// Which of `candidates_hz` are in `samples` at `threshold_dbov` or above.
#[must_use]
pub fn tones_present(
    samples: &[i16],
    sample_rate_hz: u32,
    candidates_hz: &[f32],
    threshold_dbov: f32,
) -> Vec<bool> {
    candidates_hz.iter().map(|hz| power_dbov(samples, sample_rate_hz, *hz) >= threshold_dbov).collect()
}

/// Samples decomposed into the expected tones and the rest: distortion, noise, clicks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Mean power of the tones, 1 that of a full-scale square wave.
    pub tones: f64,
    /// Mean power of everything else but a constant.
    pub rest: f64,
}

impl Parts {
    /// Level of the rest, in dBov as [`crate::level::dbov`] has it, -127 at the least.
    #[must_use]
    pub fn rest_dbov(self) -> f32 {
        (10.0 * self.rest.max(1e-13).log10()).max(-127.0) as f32
    }

    /// The rest relative to the tones, in dB: distortion and noise (THD+N) of one tone.
    #[must_use]
    pub fn rest_db(self) -> f32 {
        (10.0 * (self.rest.max(1e-13) / self.tones.max(1e-13)).log10()) as f32
    }
}

/// Decomposes samples by least squares: each tone gets the amplitude and phase, constant over all samples, that leave
/// the least. Tones have to be more than `sample_rate / samples.len()` Hz apart.
#[must_use]
pub fn take_apart(samples: &[i16], sample_rate_hz: u32, tones_hz: &[f32]) -> Parts {
    let size = 2 * tones_hz.len() + 1;
    let basis = |at: usize, row: &mut Vec<f64>| {
        row.clear();
        row.push(1.0);
        for hz in tones_hz {
            let angle = std::f64::consts::TAU * f64::from(*hz) * at as f64 / f64::from(sample_rate_hz);
            row.extend([angle.sin(), angle.cos()]);
        }
    };
    // The normal equations, the right side in the last column.
    let mut equations = vec![vec![0.0; size + 1]; size];
    let mut row = Vec::with_capacity(size + 1);
    for (at, sample) in samples.iter().enumerate() {
        basis(at, &mut row);
        row.push(f64::from(*sample) / 32768.0);
        for (equation, factor) in equations.iter_mut().zip(&row) {
            equation.iter_mut().zip(&row).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    for pivot in 0..size {
        let solved = equations[pivot].clone();
        for (index, equation) in equations.iter_mut().enumerate() {
            let factor = if index == pivot { 0.0 } else { equation[pivot] / solved[pivot] };
            equation.iter_mut().zip(&solved).for_each(|(value, of_pivot)| *value -= factor * of_pivot);
        }
    }
    let weights: Vec<f64> = (0..size).map(|index| equations[index][size] / equations[index][index]).collect();
    let mut parts = Parts { tones: 0.0, rest: 0.0 };
    for (at, sample) in samples.iter().enumerate() {
        basis(at, &mut row);
        let tones: f64 = row[1..].iter().zip(&weights[1..]).map(|(value, weight)| value * weight).sum();
        parts.tones += tones * tones / samples.len() as f64;
        parts.rest += (f64::from(*sample) / 32768.0 - weights[0] - tones).powi(2) / samples.len() as f64;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

    #[test]
    fn what_is_beside_the_tones_is_found_however_soft_it_is() {
        let mut samples = vec![0; 2000];
        ToneGenerator::new(8000, 440.0, -6.0).fill(&mut samples);
        let mut second = vec![0; 2000];
        ToneGenerator::new(8000, 611.0, -12.0).fill(&mut second);
        let mut soft = vec![0; 2000];
        ToneGenerator::new(8000, 1320.0, -66.0).fill(&mut soft);
        for ((sample, second), soft) in samples.iter_mut().zip(second).zip(soft) {
            *sample += second + soft + 50;
        }
        // Without the part that fades in. A sine of -66 dBov on this scale is one of -69 on that of squares.
        let parts = take_apart(&samples[100..], 8000, &[440.0, 611.0]);
        assert!((parts.rest_dbov() + 69.0).abs() < 0.3, "{}", parts.rest_dbov());
        assert!((parts.rest_db() + 61.0).abs() < 0.3, "{}", parts.rest_db());
        assert!(take_apart(&samples[100..], 8000, &[440.0, 611.0, 1320.0]).rest_db() < -85.0);
    }

    #[test]
    fn a_tone_is_as_strong_as_it_was_made_and_absent_beside() {
        let mut samples = vec![0; 8000];
        ToneGenerator::new(8000, 440.0, -12.0).fill(&mut samples);
        let steady = &samples[800..4000];
        assert!((power_dbov(steady, 8000, 440.0) + 12.0).abs() < 0.2);
        assert!(power_dbov(steady, 8000, 480.0) < -70.0);
        assert_eq!(tones_present(steady, 8000, &[440.0, 700.0], -30.0), [true, false]);
        assert!(power_dbov(&[0; 800], 8000, 440.0) <= -126.0);
    }
}
