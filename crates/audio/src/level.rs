//! Level of a line, and detection of speech.

use crate::FRAME_MS;

/// Level of a frame in dBov (RFC 6464: 0 is the maximum, -127 silence): its mean square relative to that of a
/// full-scale square wave.
#[must_use]
pub fn dbov(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return -127.0;
    }
    // Whole chunks are squared and summed in parallel.
    let (chunks, rest) = samples.as_chunks::<8>();
    let mut sums = [0_u64; 8];
    for chunk in chunks {
        for (sum, sample) in sums.iter_mut().zip(chunk) {
            *sum += u64::from((i32::from(*sample) * i32::from(*sample)) as u32);
        }
    }
    let of_rest: u64 =
        rest.iter().map(|sample| u64::from((i32::from(*sample) * i32::from(*sample)) as u32)).sum();
    let energy = sums.iter().sum::<u64>() + of_rest;
    if energy == 0 {
        return -127.0;
    }
    let mean = energy as f64 / samples.len() as f64 / (32768.0 * 32768.0);
    if mean <= 0.0 { -127.0 } else { (10.0 * mean.log10()).max(-127.0) as f32 }
}

/// Detects who is speaking, for rosters and events, and the noise floor of the line. Detection starts after three
/// loud frames and ends half a second after the last one. It does not decide what is mixed, so an error here cannot
/// cut off a syllable.
///
/// The noise floor is the minimum of the last three seconds: a talker pauses for breath in that time, a fan does not.
/// Three measures keep it robust. A median of five frames suppresses one or two silent frames in noise. Frames of
/// digital silence do not count, because a telephone with silence suppression says nothing about its room. And the
/// floor rises slowly and falls quickly.
#[derive(Debug, Clone)]
pub struct TalkDetector {
    floor_dbov: f32,
    /// The last levels that counted, for the median.
    recent: [f32; MEDIAN_FRAMES],
    /// The minimum of each span; the one at `span` is being measured.
    minima: [f32; SPANS],
    span: usize,
    frames_in_span: u32,
    loud_ms: u32,
    quiet_ms: u32,
    talking: bool,
}

/// Speech is at least this far above the noise floor…
const ABOVE_FLOOR_DB: f32 = 9.0;
/// … and never quieter than this.
const QUIETEST_SPEECH_DBOV: f32 = -52.0;
const ON_AFTER_MS: u32 = 60;
const OFF_AFTER_MS: u32 = 500;
/// Initial floor of a line.
const FLOOR_FIRST_DBOV: f32 = -70.0;
/// Lower bound of the floor. Anything below is digital silence, possibly dithered.
const FLOOR_LEAST_DBOV: f32 = -90.0;
const FLOOR_MOST_DBOV: f32 = -30.0;
/// 10 dB a second up, 100 down.
const FLOOR_UP_DB: f32 = 10.0 * FRAME_MS as f32 / 1000.0;
const FLOOR_DOWN_DB: f32 = 100.0 * FRAME_MS as f32 / 1000.0;
const MEDIAN_FRAMES: usize = 5;
/// The minimum is taken over 7 to 8 spans of 400 ms.
const SPANS: usize = 8;
const SPAN_FRAMES: u32 = 400 / FRAME_MS;

impl Default for TalkDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl TalkDetector {
    /// A line of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self {
            floor_dbov: FLOOR_FIRST_DBOV,
            recent: [f32::NAN; MEDIAN_FRAMES],
            minima: [FLOOR_MOST_DBOV; SPANS],
            span: 0,
            frames_in_span: 0,
            loud_ms: 0,
            quiet_ms: 0,
            talking: false,
        }
    }

    /// Takes the next 20 ms frame, of any sample rate; returns whether it has speech.
    pub fn update(&mut self, frame: &[i16]) -> bool {
        self.update_level(dbov(frame))
    }

    /// The same with the frame's known level.
    pub fn update_level(&mut self, level_dbov: f32) -> bool {
        let loud = level_dbov > (self.floor_dbov + ABOVE_FLOOR_DB).max(QUIETEST_SPEECH_DBOV);
        if level_dbov > FLOOR_LEAST_DBOV {
            self.follow_floor(level_dbov);
        }
        if loud {
            self.loud_ms = self.loud_ms.saturating_add(FRAME_MS);
            self.quiet_ms = 0;
        } else {
            self.quiet_ms = self.quiet_ms.saturating_add(FRAME_MS);
            self.loud_ms = 0;
        }
        if self.loud_ms >= ON_AFTER_MS {
            self.talking = true;
        } else if self.quiet_ms >= OFF_AFTER_MS {
            self.talking = false;
        }
        self.talking
    }

    /// Accounts for this many frames of digital silence.
    pub fn pass_silence(&mut self, frames: u32) {
        self.loud_ms = 0;
        self.quiet_ms = self.quiet_ms.saturating_add(frames.saturating_mul(FRAME_MS));
        self.talking &= self.quiet_ms < OFF_AFTER_MS;
    }

    fn follow_floor(&mut self, level_dbov: f32) {
        if self.recent[0].is_nan() {
            // Nothing is known of what came before, so it must not hold the floor down.
            self.recent = [level_dbov; MEDIAN_FRAMES];
        }
        self.recent.rotate_left(1);
        self.recent[MEDIAN_FRAMES - 1] = level_dbov;
        let mut sorted = self.recent;
        sorted.sort_unstable_by(f32::total_cmp);
        let median = sorted[MEDIAN_FRAMES / 2];
        if self.frames_in_span == SPAN_FRAMES {
            self.frames_in_span = 0;
            self.span = (self.span + 1) % SPANS;
            self.minima[self.span] = median;
        }
        self.frames_in_span += 1;
        self.minima[self.span] = self.minima[self.span].min(median);
        let least = self.minima.iter().copied().fold(FLOOR_MOST_DBOV, f32::min);
        self.floor_dbov =
            least.clamp(self.floor_dbov - FLOOR_DOWN_DB, self.floor_dbov + FLOOR_UP_DB).max(FLOOR_LEAST_DBOV);
    }

    /// Level of the last speech.
    #[must_use]
    pub fn is_talking(&self) -> bool {
        self.talking
    }

    /// The noise floor in dBov: -90 to -30, and -70 until it is measured.
    #[must_use]
    pub fn floor_dbov(&self) -> f32 {
        self.floor_dbov
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_scale() {
        assert_eq!(dbov(&[]), -127.0);
        assert_eq!(dbov(&[0; 160]), -127.0);
        assert!(dbov(&[i16::MIN; 160]).abs() < 0.01);
        let sine = crate::tone::tone(8000, 1000.0, 0.0, 100);
        assert!((dbov(&sine[80..720]) + 3.01).abs() < 0.1);
    }

    #[test]
    fn speech_is_seen_within_200_ms_and_gone_within_800() {
        let mut detector = TalkDetector::new();
        for _ in 0..100 {
            assert!(!detector.update_level(-65.0));
        }
        let on = (1..).find(|_| detector.update_level(-25.0)).unwrap();
        assert!(on * FRAME_MS <= 200, "on after {} ms", on * FRAME_MS);
        let off = (1..).find(|_| !detector.update_level(-65.0)).unwrap();
        assert!((400..=800).contains(&(off * FRAME_MS)), "off after {} ms", off * FRAME_MS);
    }

    #[test]
    fn a_noisy_line_is_not_a_speaker_but_may_have_one() {
        let mut detector = TalkDetector::new();
        let quiet = (1..).find(|_| !detector.update_level(-40.0) && detector.floor_dbov() > -42.0).unwrap();
        assert!(quiet * FRAME_MS <= 7000, "the noise has become the floor after {} ms", quiet * FRAME_MS);
        for _ in 0..1000 {
            assert!(!detector.update_level(-40.0));
        }
        assert!((detector.floor_dbov() + 40.0).abs() < 0.5, "the floor is {}", detector.floor_dbov());
        // A voice 12 dB above the noise, syllables of 240 ms with the noise between them.
        let on = (1..50).find(|frame| detector.update_level(if frame % 17 < 12 { -28.0 } else { -40.0 }));
        assert!(on.is_some_and(|on| on * FRAME_MS <= 200), "on after {on:?} frames");
        for frame in 0..1500 {
            let level = if frame % 17 < 12 { -28.0 } else { -40.0 };
            assert!(detector.update_level(level), "a voice in noise is lost after {frame} frames");
        }
        assert!((detector.floor_dbov() + 40.0).abs() < 2.0, "the voice moved the floor");
    }

    #[test]
    fn the_noise_of_a_new_line_is_known_in_two_seconds_and_a_voice_that_begins_at_once_is_none() {
        let mut detector = TalkDetector::new();
        let known = (1..).find(|_| {
            detector.update_level(-52.0);
            detector.floor_dbov() > -53.0
        });
        assert!(known.unwrap() * FRAME_MS <= 2000, "after {known:?} frames");
        let mut detector = TalkDetector::new();
        for frame in 0..500 {
            // Syllables of 240 ms.
            let talking = detector.update_level(if frame % 17 < 12 { -22.0 } else { -60.0 });
            assert!(frame < 10 || talking, "lost after {frame} frames");
        }
        assert!(detector.floor_dbov() < -55.0, "the floor is {}", detector.floor_dbov());
    }

    #[test]
    fn the_floor_of_real_noise_is_close_to_its_level() {
        let mut detector = TalkDetector::new();
        let mut seed = 1_u32;
        for _ in 0..1000 {
            let mut frame = [0; 160];
            for sample in &mut frame {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Uniform noise of ±568: -40 dBov.
                *sample = ((seed >> 16) as i32 * 1136 / 65_536 - 568) as i16;
            }
            detector.update(&frame);
        }
        assert!((detector.floor_dbov() + 40.0).abs() < 2.0, "the floor is {}", detector.floor_dbov());
        assert!(!detector.is_talking());
    }

    #[test]
    fn a_few_silent_frames_do_not_make_noise_a_voice() {
        for silent in [-127.0, -85.0] {
            let mut detector = TalkDetector::new();
            for frame in 0..2000 {
                let level = if frame % 50 == 49 { silent } else { -45.0 };
                let talking = detector.update_level(level);
                assert!(frame < 500 || !talking, "{silent} dBov among noise: talk in frame {frame}");
            }
            assert!((detector.floor_dbov() + 45.0).abs() < 1.0, "the floor is {}", detector.floor_dbov());
        }
    }

    #[test]
    fn suppressed_silence_says_nothing_about_the_room() {
        let mut detector = TalkDetector::new();
        for _ in 0..500 {
            detector.update_level(-45.0);
        }
        for _ in 0..3000 {
            assert!(!detector.update_level(-127.0));
        }
        assert!((detector.floor_dbov() + 45.0).abs() < 1.0, "the floor is {}", detector.floor_dbov());
        for _ in 0..50 {
            assert!(!detector.update_level(-44.0), "a burst of the known noise");
        }
    }

    #[test]
    fn the_floor_falls_quickly_and_rises_slowly_within_its_bounds() {
        let mut detector = TalkDetector::new();
        for _ in 0..1000 {
            detector.update_level(-10.0);
        }
        assert_eq!(detector.floor_dbov(), -30.0);
        let down = (1..).find(|_| {
            detector.update_level(-60.0);
            detector.floor_dbov() < -59.0
        });
        assert!(down.unwrap() * FRAME_MS <= 500);
        let up = (1..).find(|_| {
            detector.update_level(-50.0);
            detector.floor_dbov() > -51.0
        });
        assert!((2000..=5000).contains(&(up.unwrap() * FRAME_MS)), "up after {up:?} frames");
        for _ in 0..100 {
            detector.update_level(-89.5);
        }
        assert!((-90.0..-89.0).contains(&detector.floor_dbov()));
    }

    #[test]
    fn a_click_is_not_speech() {
        let mut detector = TalkDetector::new();
        for frame in 0..200 {
            assert!(!detector.update_level(if frame % 20 == 0 { -10.0 } else { -70.0 }));
        }
    }
}
