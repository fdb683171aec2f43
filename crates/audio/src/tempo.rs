//! Time stretching: removes a frame from a voice, or inserts one, so that it is not heard.
//!
//! ```text
//!   faster   |── first ──|── second ──|     first fades out while second fades in: one frame is left
//!   slower   |── before ─|─── new ────|── after ──|     new begins as after does, and ends as before did
//! ```
//!
//! Either way every sample follows one that it could have followed in the voice itself: the first sample of the result
//! continues what was before it, and what comes after continues its last one. The middle sounds right where both frames
//! are alike, as in vowels when their pitch fits, and where the signal is faint.

/// From this normalised correlation on, frames can be merged without being heard.
const ALIKE: f32 = 0.5;
/// Signals below this mean square can be merged in any case: -50 dBov.
const FAINT: f32 = 105.0 * 105.0;
/// Signals that nearly cancel are not raised to the level of their parts.
const OPPOSITE: f32 = -0.7;

/// Merges the two frames in `frames` into one, in its first half. `now`: however it sounds. False: it would be heard,
/// and nothing was done.
pub fn faster(frames: &mut [i16], now: bool) -> bool {
    let (first, second) = frames.split_at_mut(frames.len() / 2);
    let Some(alike) = likeness(first, second, now) else { return false };
    for (index, (sample, later)) in first.iter_mut().zip(second.iter()).enumerate() {
        *sample = fade(*sample, *later, index, second.len(), alike);
    }
    true
}

/// Creates `new`, a frame between `before` and `after`; all three have the same length. `now`: however it sounds.
/// False: it would be heard, and nothing was done.
pub fn slower(before: &[i16], after: &[i16], new: &mut [i16], now: bool) -> bool {
    let Some(alike) = likeness(before, after, now) else { return false };
    let length = new.len();
    for (index, (sample, (old, coming))) in new.iter_mut().zip(before.iter().zip(after)).enumerate() {
        *sample = fade(*coming, *old, index, length, alike);
    }
    true
}

/// Correlation of the two, -1 to 1; `None` if it is too low.
fn likeness(one: &[i16], other: &[i16], now: bool) -> Option<f32> {
    let (mut product, mut of_one, mut of_other) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (f32::from(*a), f32::from(*b));
        product += a * b;
        of_one += a * a;
        of_other += b * b;
    }
    let alike = product / (of_one * of_other).sqrt().max(1.0);
    let is_faint = of_one.max(of_other) < FAINT * one.len() as f32;
    (now || is_faint || alike > ALIKE).then_some(alike)
}

/// The sample at `index` of `length` in a cross-fade between two signals.
fn fade(from: i16, to: i16, index: usize, length: usize, alike: f32) -> i16 {
    let later = (index + 1) as f32 / (length + 1) as f32;
    let sooner = 1.0 - later;
    // Uncorrelated signals add up to less than correlated ones.
    let level = sooner * sooner + later * later + 2.0 * sooner * later * alike.max(OPPOSITE);
    ((f32::from(from) * sooner + f32::from(to) * later) / level.sqrt()).clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::dbov;

    const FRAME: usize = 160;

    fn tone(hz: f32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|index| ((index as f32 * hz * std::f32::consts::TAU / 8000.0).sin() * 8000.0) as i16)
            .collect()
    }

    /// The largest step between neighbours.
    fn largest_step(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_tone_that_fits_goes_on_as_if_nothing_was_done() {
        // 20 ms are ten periods of 500 Hz.
        let whole = tone(500.0, 4 * FRAME);
        let mut two = whole[FRAME..3 * FRAME].to_vec();
        assert!(faster(&mut two, false));
        let error = |made: &[i16], right: &[i16]| {
            made.iter().zip(right).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max()
        };
        assert!(error(&two[..FRAME], &whole[FRAME..2 * FRAME]) <= Some(2));
        let mut new = [0; FRAME];
        assert!(slower(&whole[..FRAME], &whole[FRAME..2 * FRAME], &mut new, false));
        assert!(error(&new, &whole[..FRAME]) <= Some(2));
    }

    #[test]
    fn what_does_not_fit_is_left_unless_it_has_to_be() {
        // Half a period more or less: one frame is the opposite of the other.
        let whole = tone(525.0, 4 * FRAME);
        let mut two = whole[..2 * FRAME].to_vec();
        assert!(!faster(&mut two, false));
        assert_eq!(two, whole[..2 * FRAME], "nothing was done");
        let mut new = [0; FRAME];
        assert!(!slower(&whole[..FRAME], &whole[FRAME..2 * FRAME], &mut new, false));
        assert_eq!(new, [0; FRAME]);
        assert!(faster(&mut two, true));
        assert!(slower(&whole[..FRAME], &whole[FRAME..2 * FRAME], &mut new, true));
        assert!(dbov(&new) > dbov(&whole[..FRAME]) - 12.0);
    }

    #[test]
    fn there_is_no_step_at_either_end_even_where_it_does_not_fit() {
        for hz in [110.0, 137.0, 233.0, 310.0, 525.0] {
            let whole = tone(hz, 5 * FRAME);
            let usual = largest_step(&whole);
            let mut two = whole[FRAME..3 * FRAME].to_vec();
            faster(&mut two, true);
            let heard = [&whole[..FRAME], &two[..FRAME], &whole[3 * FRAME..4 * FRAME]].concat();
            assert!(largest_step(&heard) <= usual * 3 / 2 + 60, "{hz} Hz faster: {}", largest_step(&heard));
            let mut new = [0; FRAME];
            slower(&whole[..FRAME], &whole[FRAME..2 * FRAME], &mut new, true);
            let heard = [&whole[..FRAME], &new, &whole[FRAME..2 * FRAME]].concat();
            assert!(largest_step(&heard) <= usual * 3 / 2 + 60, "{hz} Hz slower: {}", largest_step(&heard));
        }
    }

    #[test]
    fn faint_sounds_may_always_be_put_together_and_nothing_wraps() {
        let mut state = 1_u32;
        let mut noise = |most: i32| -> Vec<i16> {
            let mut draw = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as i32 % (2 * most + 1) - most
            };
            (0..2 * FRAME).map(|_| draw().clamp(-32_768, 32_767) as i16).collect()
        };
        assert!(faster(&mut noise(100), false));
        assert!(!faster(&mut noise(8000), false));
        let mut loud = noise(32_768);
        assert!(faster(&mut loud, true));
        assert!(faster(&mut [0; 2 * FRAME], false));
        assert!(faster(&mut [], true));
    }
}
