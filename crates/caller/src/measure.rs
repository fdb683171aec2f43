//! Measurements: the delay of a burst through the other side, and the evenness of arrivals.

use plenary_audio::{
    codec::{Codec, Decoder},
    goertzel::power_dbov,
    opus,
};
use serde::Serialize;

/// The frequency of bursts, above every tone of the talkers, and their level.
pub(crate) const BURST_HZ: u16 = 3520;
pub(crate) const BURST_DBOV: f32 = -14.0;
/// A packet contains a burst if it has this level of its tone.
const HEARD_DBOV: f32 = -30.0;
/// Buckets of a tenth of a millisecond, up to half a second.
const BUCKETS: usize = 5000;
const BUCKET_NS: u64 = 100_000;

/// A histogram of durations; longer ones than it covers count in its last bucket.
#[derive(Debug, Clone)]
pub(crate) struct Durations {
    counts: Vec<u32>,
}

/// Quantiles of durations, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct DurationQuantiles {
    /// The number of durations.
    pub count: u64,
    /// The median.
    pub p50: f32,
    /// The 99th percentile.
    pub p99: f32,
    /// The 99.9th percentile.
    pub p999: f32,
    /// The longest; at most 500.
    pub max: f32,
}

impl Default for Durations {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS] }
    }
}

impl Durations {
    pub(crate) fn add(&mut self, ns: u64) {
        let bucket = usize::try_from(ns / BUCKET_NS).unwrap_or(BUCKETS).min(BUCKETS - 1);
        self.counts[bucket] += 1;
    }

    pub(crate) fn quantiles(&self) -> DurationQuantiles {
        let count: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let at = |share: f64| {
            let (wanted, mut seen) = ((count as f64 * share).ceil().max(1.0) as u64, 0);
            let bucket = self.counts.iter().position(|count| {
                seen += u64::from(*count);
                seen >= wanted
            });
            // The upper edge of the bucket.
            bucket.map_or(0.0, |bucket| (bucket + 1) as f32 * BUCKET_NS as f32 / 1e6)
        };
        DurationQuantiles { count, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

/// Detects bursts in the packets of one call as they arrive, without a jitter buffer.
#[derive(Debug)]
pub(crate) struct BurstDetector {
    codec: Codec,
    decoder: Decoder,
    decoded: Vec<i16>,
    in_burst: bool,
}

impl BurstDetector {
    pub(crate) fn new(codec: Codec) -> Self {
        let decoded = vec![0; opus::PACKET_SAMPLES_MAX];
        Self { codec, decoder: Decoder::new(codec), decoded, in_burst: false }
    }

    /// Whether a burst begins in this packet.
    pub(crate) fn hears(&mut self, payload: &[u8]) -> bool {
        let count = self.decoder.decode(payload, &mut self.decoded);
        let rate_hz = self.codec.rate().hz();
        let power = power_dbov(&self.decoded[..count], rate_hz, f32::from(BURST_HZ));
        let is_burst = power > HEARD_DBOV;
        let was_burst = std::mem::replace(&mut self.in_burst, is_burst);
        is_burst && !was_burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_burst_is_seen_once_also_beside_a_voice() {
        let mut detector = BurstDetector::new(Codec::Pcmu);
        let mut voice = plenary_audio::tone::ToneGenerator::new(8000, 590.0, -20.0);
        let mut burst = plenary_audio::tone::ToneGenerator::new(8000, f32::from(BURST_HZ), BURST_DBOV);
        burst.fill(&mut [0; 80]);
        let mut seen = Vec::new();
        for frame in 0..100 {
            let (mut samples, mut sound, mut payload) = ([0; 160], [0; 160], [0; 160]);
            voice.fill(&mut samples);
            if frame % 25 < 2 {
                burst.fill(&mut sound);
                samples.iter_mut().zip(sound).for_each(|(sample, sound)| *sample += sound);
            }
            plenary_audio::g711::encode(plenary_audio::g711::Law::Mu, &samples, &mut payload);
            if detector.hears(&payload) {
                seen.push(frame);
            }
        }
        assert_eq!(seen, [0, 25, 50, 75]);
    }

    #[test]
    fn quantiles_are_the_upper_edges_of_tenths_of_a_millisecond() {
        let mut durations = Durations::default();
        assert_eq!(durations.quantiles(), DurationQuantiles::default());
        for tenth in 0..1000 {
            durations.add(tenth * BUCKET_NS + 5);
        }
        durations.add(u64::MAX);
        let quantiles = durations.quantiles();
        assert_eq!((quantiles.count, quantiles.max), (1001, 500.0));
        assert!((quantiles.p50 - 50.1).abs() < 0.01 && (quantiles.p99 - 99.1).abs() < 0.01, "{quantiles:?}");
    }
}
