//! How strong a tone is: the Goertzel algorithm, windowed so that a strong neighbour does not leak in.

/// Level of the tone of `hz` in `samples`, in dBov (0 is a full-scale sine), -127 at the least. Hann window: two tones are
/// told apart when they are at least `4 × sample_rate / samples.len()` Hz apart.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

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
