//! Short recordings of speech, brought into the form of an announcement.

use crate::level;

/// Level of active speech in announcements, in dBov: that of the built-in prompts.
pub const ANNOUNCEMENT_DBOV: f32 = -22.5;
/// Frames this far below the loudest are pauses and word endings; they do not count for the level.
const ACTIVE_WITHIN_DB: f32 = 15.0;
/// Frames this far below the loudest, or below the bound, are silence if nothing louder follows.
const SILENT_BELOW_DB: f32 = 30.0;
const SILENCE_DBOV: f32 = -58.0;
/// A recording whose loudest frame is below this holds no speech.
const FAINTEST_SPEECH_DBOV: f32 = -50.0;
/// What is kept before and after speech, in frames: a soft consonant begins a word, and a syllable fades.
const FRAMES_BEFORE: usize = 4;
const FRAMES_AFTER: usize = 6;
/// Bounds of the gain, in dB.
const GAIN_MAX_DB: f32 = 24.0;
/// No sample is raised above this, -3 dBov.
const PEAK_MAX: f32 = 23_198.0;
/// The edges are faded over this many parts of a frame, 5 ms.
const EDGE_PARTS: usize = 4;

/// Trims silence at both ends and brings the rest to the level of announcements. `frame`: samples of 20 ms. `None`: there
/// is no speech.
#[must_use]
pub fn announcement(samples: &[i16], frame: usize) -> Option<Vec<i16>> {
    let levels: Vec<f32> = samples.chunks(frame.max(1)).map(level::dbov).collect();
    let loudest = levels.iter().copied().fold(-127.0, f32::max);
    if loudest < FAINTEST_SPEECH_DBOV {
        return None;
    }
    let is_speech = |level: &f32| *level > (loudest - SILENT_BELOW_DB).max(SILENCE_DBOV);
    let first = levels.iter().position(is_speech)?.saturating_sub(FRAMES_BEFORE);
    let last = levels.iter().rposition(is_speech)? + FRAMES_AFTER;
    let mut spoken = samples[first * frame..((last + 1) * frame).min(samples.len())].to_vec();

    let active = levels.iter().filter(|level| **level > loudest - ACTIVE_WITHIN_DB);
    let (power, count) =
        active.fold((0.0, 0.0), |(power, count), level| (power + 10_f32.powf(level / 10.0), count + 1.0));
    let speech_dbov = 10.0 * (power / count).log10();
    let peak = spoken.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(1).max(1);
    let wanted = crate::linear((ANNOUNCEMENT_DBOV - speech_dbov).clamp(-GAIN_MAX_DB, GAIN_MAX_DB));
    let gain = if wanted > 1.0 { wanted.min((PEAK_MAX / f32::from(peak)).max(1.0)) } else { wanted };
    let (edge, length) = ((frame / EDGE_PARTS).max(1), spoken.len());
    for (index, sample) in spoken.iter_mut().enumerate() {
        let to_edge = (index + 1).min(length - index).min(edge);
        *sample = (f32::from(*sample) * gain * to_edge as f32 / edge as f32) as i16;
    }
    Some(spoken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::tone;

    const FRAME: usize = 320;

    /// Seconds of silence, of a tone, and of silence, with a little noise throughout.
    fn said(before_ms: usize, dbov: f32, speech_ms: u32, after_ms: usize, noise: i16) -> Vec<i16> {
        let silence = |ms: usize| vec![0; ms * 16];
        // The level of a tone is stated by its peak.
        let speech = tone(16_000, 400.0, dbov + 3.01, speech_ms);
        let mut all = [silence(before_ms), speech, silence(after_ms)].concat();
        let mut seed = 1_u32;
        for sample in &mut all {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = sample.saturating_add((seed >> 16) as i16 % (noise + 1));
        }
        all
    }

    #[test]
    fn silence_is_trimmed_and_speech_comes_to_the_level_of_announcements() {
        for dbov in [-40.0, -30.0, -22.5, -12.0, -6.0] {
            let spoken = announcement(&said(700, dbov, 1200, 900, 12), FRAME).expect("speech");
            let ms = spoken.len() / 16;
            assert!((1200..=1420).contains(&ms), "{dbov} dBov: {ms} ms");
            let middle = level::dbov(&spoken[spoken.len() / 2 - 4000..spoken.len() / 2 + 4000]);
            assert!((middle - ANNOUNCEMENT_DBOV).abs() < 0.6, "{dbov} dBov comes to {middle}");
            assert!(spoken[0].unsigned_abs() < 100 && spoken[spoken.len() - 1].unsigned_abs() < 100);
        }
    }

    #[test]
    fn a_pause_within_a_name_stays() {
        let name = [said(300, -25.0, 500, 600, 0), said(0, -30.0, 400, 1500, 0)].concat();
        let ms = announcement(&name, FRAME).expect("speech").len() / 16;
        assert!((1500..=1720).contains(&ms), "{ms} ms");
    }

    #[test]
    fn a_peak_bounds_the_gain() {
        let mut name = said(100, -38.0, 1000, 100, 0);
        name[8000] = 15_000;
        let spoken = announcement(&name, FRAME).expect("speech");
        let peak = spoken.iter().map(|sample| sample.unsigned_abs()).max().expect("samples");
        assert!((20_000..=23_199).contains(&peak), "{peak}");
    }

    #[test]
    fn noise_and_silence_are_no_speech() {
        assert_eq!(announcement(&said(1000, -90.0, 100, 900, 30), FRAME), None);
        assert_eq!(announcement(&[0; 64_000], FRAME), None);
        assert_eq!(announcement(&[], FRAME), None);
    }
}
