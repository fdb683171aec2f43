//! The mix of one conference at one sample rate: each talker hears the sum of all others (N−1).
//!
//! ```text
//!   voices at 8 kHz ──▶ sum ─────────────────▶ total at 8 kHz ──▶ minus own ─▶ each talker at 8 kHz
//!                        │  ▲ converted once     │
//!                        ▼  │                    └──────────────▶ all listeners at 8 kHz
//!   voices at 48 kHz ─▶ sum ─────────────────▶ total at 48 kHz …
//! ```
//!
//! Voices are summed at their own rate, into 32 bits, and each sum is converted once for every other rate in use,
//! however many talk or listen. A talker hears the total at their own rate, which contains their samples unchanged,
//! so they can be subtracted exactly.

use crate::{codec::Rate, resample::FrameConverter};

/// The sum of one rate.
#[derive(Debug, Clone)]
pub struct Bus {
    rate: Rate,
    sum: Vec<i32>,
    total: Vec<i32>,
    voices: usize,
    /// A voice of another rate contributed.
    has_others: bool,
}

impl Bus {
    /// Frames of 20 ms at this rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let silence = vec![0; rate.frame()];
        Self { rate, sum: silence.clone(), total: silence, voices: 0, has_others: false }
    }

    /// The rate of this bus.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Begins a tick without voices.
    pub fn begin(&mut self) {
        if self.voices > 0 {
            self.sum.fill(0);
        }
        (self.voices, self.has_others) = (0, false);
    }

    /// Adds a voice, a frame at this rate.
    pub fn add(&mut self, voice: &[i16]) {
        for (sum, sample) in self.sum.iter_mut().zip(voice) {
            *sum += i32::from(*sample);
        }
        self.voices += 1;
    }

    /// Voices added in this tick.
    #[must_use]
    pub fn voices(&self) -> usize {
        self.voices
    }

    /// Ends the sum of this rate's own voices; the total starts with it.
    pub fn close(&mut self) {
        self.total.copy_from_slice(&self.sum);
    }

    /// Adds the sum of another rate. Call after [`Bus::close`] of both.
    pub fn take_in(&mut self, from: &Self, link: &mut Link) {
        if from.voices > 0 {
            link.frames_left = Link::FRAMES_AFTER;
        } else if link.frames_left == 0 {
            return;
        } else {
            link.frames_left -= 1;
            if link.frames_left == 0 {
                link.converter.reset();
                return;
            }
        }
        // Without a voice the sum is silence, in which the converter rings out.
        link.converter.add(&from.sum, &mut self.total);
        self.has_others = true;
    }

    /// The total contains only voices of this rate.
    #[must_use]
    pub fn is_own(&self) -> bool {
        !self.has_others
    }

    /// The total, as listeners hear it.
    #[must_use]
    pub fn total(&self) -> &[i32] {
        &self.total
    }

    /// What a talker hears: the total minus their own voice, which was added in this tick.
    pub fn without(&self, own: &[i16], out: &mut [i32]) {
        for ((out, total), own) in out.iter_mut().zip(&self.total).zip(own) {
            *out = total - i32::from(*own);
        }
    }
}

/// The conversion from one rate to another.
#[derive(Debug, Clone)]
pub struct Link {
    converter: FrameConverter,
    /// Frames for which the converter still rings after the last voice.
    frames_left: u32,
}

impl Link {
    /// Longer than any of our filters rings.
    const FRAMES_AFTER: u32 = 3;

    /// From one rate to another.
    #[must_use]
    pub fn new(from: Rate, to: Rate) -> Self {
        Self { converter: FrameConverter::new(from, to), frames_left: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{goertzel::power_dbov, limit::Limiter, tone::ToneGenerator};

    #[test]
    fn one_voice_is_heard_bit_for_bit_and_not_by_its_owner() {
        let mut bus = Bus::new(Rate::Narrow);
        let voice: Vec<i16> = (0..160).map(|i| (i * 409 - 32_700) as i16).collect();
        bus.begin();
        bus.add(&voice);
        bus.close();
        assert!(bus.total().iter().zip(&voice).all(|(sum, sample)| *sum == i32::from(*sample)));
        let mut own = [1; 160];
        bus.without(&voice, &mut own);
        assert_eq!(own, [0; 160]);
        bus.begin();
        bus.close();
        assert!(bus.total().iter().all(|sample| *sample == 0));
    }

    #[test]
    fn nobody_hears_their_own_voice_among_three_loud_talkers_at_three_rates() {
        let talkers = [(Rate::Narrow, 400.0), (Rate::Wide, 930.0), (Rate::Full, 1790.0)];
        let mut tones: Vec<_> =
            talkers.iter().map(|(rate, hz)| ToneGenerator::new(rate.hz(), *hz, -1.0)).collect();
        let mut buses = Rate::ALL.map(Bus::new);
        let mut links: Vec<Vec<Option<Link>>> = Rate::ALL
            .iter()
            .map(|to| Rate::ALL.iter().map(|from| (from != to).then(|| Link::new(*from, *to))).collect())
            .collect();
        let mut limiters = [const { None }; 3].map(|_: Option<()>| Limiter::new());
        let mut heard = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..50 {
            let mut voices = Vec::new();
            for (bus, tone) in buses.iter_mut().zip(&mut tones) {
                let mut voice = vec![0; bus.rate().frame()];
                tone.fill(&mut voice);
                bus.begin();
                bus.add(&voice);
                bus.close();
                voices.push(voice);
            }
            for to in 0..3 {
                for from in 0..3 {
                    if let Some(link) = &mut links[to][from] {
                        let source = buses[from].clone();
                        buses[to].take_in(&source, link);
                    }
                }
                let mut sum = vec![0; buses[to].rate().frame()];
                buses[to].without(&voices[to], &mut sum);
                let mut out = vec![0; sum.len()];
                limiters[to].run(&sum, &mut out);
                heard[to].extend(out);
            }
        }
        for (listener, (rate, own_hz)) in talkers.iter().enumerate() {
            let steady = &heard[listener][rate.frame() * 10..rate.frame() * 45];
            let leak = power_dbov(steady, rate.hz(), *own_hz);
            assert!(leak < -60.0, "{own_hz} Hz comes back at {leak} dBov at {} Hz", rate.hz());
            for (_, hz) in talkers.iter().filter(|(_, hz)| hz != own_hz) {
                let level = power_dbov(steady, rate.hz(), *hz);
                assert!(level > -8.0, "{hz} Hz is at {level} dBov at {} Hz", rate.hz());
            }
        }
    }

    #[test]
    fn a_link_rings_out_and_then_rests() {
        let (mut narrow, mut full) = (Bus::new(Rate::Narrow), Bus::new(Rate::Full));
        let mut link = Link::new(Rate::Narrow, Rate::Full);
        let mut frames = 0;
        for tick in 0..10 {
            narrow.begin();
            full.begin();
            if tick < 3 {
                narrow.add(&[8000; 160]);
            }
            narrow.close();
            full.close();
            full.take_in(&narrow, &mut link);
            if !full.is_own() {
                frames += 1;
            }
            if tick > 4 {
                assert!(full.total().iter().all(|sample| *sample == 0), "tick {tick}");
            }
        }
        assert_eq!(frames, 5);
    }
}
