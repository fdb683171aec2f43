//! How a call sounded while it lasted: a sample every so often, of which there are never more than a bound.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds from one sample to the next, as long as there are not too many.
pub const SAMPLE_INTERVAL_S: u32 = 10;
/// Samples of a call at the most: two hours of them, then each stands for twice as long.
pub const CALL_SAMPLES_MAX: usize = 720;

/// The samples of a call, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallSamples {
    /// Seconds that each sample stands for.
    pub interval_s: u32,
    /// The samples.
    pub items: Vec<CallSample>,
}

/// How a call sounded at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CallSample {
    /// When it was measured.
    pub at: Timestamp,
    /// Mean opinion score; `None`: nothing has arrived yet.
    pub mos: Option<f32>,
    /// Level of the participant's last speech; `None`: none yet.
    pub level_dbov: Option<f32>,
    /// Share of packets that did not arrive, since the sample before.
    pub loss_percent: f32,
    /// Interarrival jitter.
    pub jitter_ms: f32,
    /// Round-trip time by RTCP; `None` before the first report.
    pub rtt_ms: Option<f32>,
}

impl Default for CallSamples {
    fn default() -> Self {
        Self { interval_s: SAMPLE_INTERVAL_S, items: Vec::new() }
    }
}

impl CallSamples {
    /// Adds a sample that is a usual interval later than the one before. Where there are too many, two become one each.
    pub fn push(&mut self, sample: CallSample) {
        let interval_ms = i64::from(self.interval_s) * 1000;
        match self.items.last_mut() {
            // The intervals have grown: what comes within one is joined.
            Some(last) if sample.at.0.saturating_sub(last.at.0) < interval_ms - TOLERANCE_MS => {
                *last = CallSample { at: last.at, ..last.joined(&sample) };
            }
            _ => self.items.push(sample),
        }
        if self.items.len() > CALL_SAMPLES_MAX {
            self.items = self
                .items
                .chunks(2)
                .map(|pair| match pair {
                    [one, other] => one.joined(other),
                    [one] => *one,
                    _ => unreachable!("chunks of two have one or two"),
                })
                .collect();
            self.interval_s *= 2;
        }
    }
}

/// A sample may come so much early.
const TOLERANCE_MS: i64 = 3_000;

impl CallSample {
    /// Both as one: the worse score and loss, the louder level.
    fn joined(&self, later: &Self) -> Self {
        let either = |one: Option<f32>, other: Option<f32>, choose: fn(f32, f32) -> f32| match (one, other) {
            (Some(one), Some(other)) => Some(choose(one, other)),
            (one, other) => one.or(other),
        };
        Self {
            at: self.at,
            mos: either(self.mos, later.mos, f32::min),
            level_dbov: either(self.level_dbov, later.level_dbov, f32::max),
            loss_percent: self.loss_percent.max(later.loss_percent),
            jitter_ms: self.jitter_ms.max(later.jitter_ms),
            rtt_ms: either(self.rtt_ms, later.rtt_ms, f32::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: i64, mos: f32) -> CallSample {
        CallSample {
            at: Timestamp::from_seconds(seconds),
            mos: Some(mos),
            level_dbov: None,
            loss_percent: 0.0,
            jitter_ms: 0.0,
            rtt_ms: None,
        }
    }

    #[test]
    fn there_are_never_more_than_the_bound_and_the_worst_moment_stays() {
        let mut samples = CallSamples::default();
        // A whole day.
        for index in 0..8640_i64 {
            samples.push(sample(index * 10, if index == 4000 { 1.5 } else { 4.4 }));
            assert!(samples.items.len() <= CALL_SAMPLES_MAX);
        }
        assert_eq!(samples.interval_s, 160);
        assert!(samples.items.len() > CALL_SAMPLES_MAX / 2, "{}", samples.items.len());
        let worst = samples.items.iter().filter(|one| one.mos == Some(1.5)).count();
        assert_eq!(worst, 1);
        assert!(samples.items.windows(2).all(|pair| pair[0].at < pair[1].at));
    }

    #[test]
    fn a_short_call_keeps_each_sample() {
        let mut samples = CallSamples::default();
        for index in 0..5 {
            samples.push(sample(index * 10, 4.0));
        }
        assert_eq!((samples.interval_s, samples.items.len()), (10, 5));
        let text = serde_json::to_string(&samples).unwrap();
        assert_eq!(serde_json::from_str::<CallSamples>(&text).unwrap(), samples);
    }
}
