//! How loud, and whether somebody is speaking.

use crate::FRAME_MS;

/// Level of a frame in dBov (RFC 6464's scale: 0 is the loudest possible, -127 silence), by its mean square against
/// that of a full-scale square wave.
#[must_use]
pub fn dbov(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return -127.0;
    }
    let energy: i64 = samples.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    let mean = energy as f64 / samples.len() as f64 / (32768.0 * 32768.0);
    if mean <= 0.0 { -127.0 } else { (10.0 * mean.log10()).max(-127.0) as f32 }
}

/// Reports who is speaking, for rosters and events. It follows the line's noise floor, comes on after three loud
/// frames and goes off half a second after the last one. It never decides what is mixed, so nothing it gets
/// wrong can cut off a syllable.
#[derive(Debug, Clone)]
pub struct TalkDetector {
    floor_dbov: f32,
    loud_ms: u32,
    quiet_ms: u32,
    talking: bool,
}

/// Speech is at least this far above the noise floor…
const ABOVE_FLOOR_DB: f32 = 12.0;
/// … and never quieter than this.
const QUIETEST_SPEECH_DBOV: f32 = -52.0;
const ON_AFTER_MS: u32 = 60;
const OFF_AFTER_MS: u32 = 500;

impl TalkDetector {
    /// A line about which nothing is known yet. Frames are 20 ms, so the sample rate only says how long they are.
    #[must_use]
    pub fn new(sample_rate_hz: u32) -> Self {
        debug_assert!((8000..=48_000).contains(&sample_rate_hz));
        Self { floor_dbov: -70.0, loud_ms: 0, quiet_ms: 0, talking: false }
    }

    /// Takes the next 20 ms frame; returns whether somebody is speaking.
    pub fn update(&mut self, frame: &[i16]) -> bool {
        self.update_level(dbov(frame))
    }

    /// The same, where the frame's level is known.
    pub fn update_level(&mut self, level_dbov: f32) -> bool {
        let loud = level_dbov > (self.floor_dbov + ABOVE_FLOOR_DB).max(QUIETEST_SPEECH_DBOV);
        // Down at once to every quieter frame, up slowly: 3 dB a second is a new fan, not a sentence.
        if level_dbov < self.floor_dbov {
            self.floor_dbov = level_dbov.max(-90.0);
        } else {
            self.floor_dbov = (self.floor_dbov + 3.0 * FRAME_MS as f32 / 1000.0).min(level_dbov).min(-30.0);
        }
        if loud {
            self.loud_ms += FRAME_MS;
            self.quiet_ms = 0;
        } else {
            self.quiet_ms += FRAME_MS;
            self.loud_ms = 0;
        }
        if self.loud_ms >= ON_AFTER_MS {
            self.talking = true;
        } else if self.quiet_ms >= OFF_AFTER_MS {
            self.talking = false;
        }
        self.talking
    }

    /// What it said last.
    #[must_use]
    pub fn is_talking(&self) -> bool {
        self.talking
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
        let mut detector = TalkDetector::new(8000);
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
        let mut detector = TalkDetector::new(8000);
        for _ in 0..1000 {
            detector.update_level(-40.0);
        }
        assert!(!detector.is_talking(), "steady noise has become the floor");
        let on = (1..50).find(|_| detector.update_level(-18.0));
        assert!(on.is_some(), "a voice 22 dB above the noise is heard");
    }

    #[test]
    fn a_click_is_not_speech() {
        let mut detector = TalkDetector::new(8000);
        for frame in 0..200 {
            assert!(!detector.update_level(if frame % 20 == 0 { -10.0 } else { -70.0 }));
        }
    }
}
