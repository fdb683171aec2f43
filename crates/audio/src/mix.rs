//! The N−1 mixer: everybody hears the sum of all the others.
//!
//! One pass sums every speaker into 32 bits. Whoever does not speak hears that sum; a speaker hears it less his own
//! samples, subtracted exactly. Only then does a [`Limiter`] bring it back to 16 bits, so that no clipping of
//! one addition can spoil the next, and nobody ever hears himself.

/// Longest frame: 20 ms at 48 kHz.
const FRAME_SAMPLES_MAX: usize = 960;

/// The mixer of one conference at one sample rate.
///
/// A tick is [`Mixer::begin`], [`Mixer::add`] for each speaker, [`Mixer::finish`], then as many reads as there are
/// listeners. Slots name speakers; who has a slot keeps the state of a limiter of his own, so that moving between the
/// shared and a personal sum is never heard.
#[derive(Debug)]
pub struct Mixer {
    frame_samples: usize,
    sum: Vec<i32>,
    shared: Vec<i16>,
    shared_limiter: Limiter,
    slots: Vec<Slot>,
    speakers: usize,
    scratch: Vec<i32>,
}

#[derive(Debug, Clone)]
struct Slot {
    speaks: bool,
    frame: Vec<i16>,
    limiter: Limiter,
}

impl Mixer {
    /// For frames of 20 ms at this rate, with room for `slots` before more have to be reserved.
    ///
    /// # Panics
    /// At a rate above 48 kHz: that would be a mistake in the program.
    #[must_use]
    pub fn new(sample_rate_hz: u32, slots: usize) -> Self {
        let frame_samples = (sample_rate_hz / 50) as usize;
        assert!(frame_samples <= FRAME_SAMPLES_MAX, "{sample_rate_hz} Hz is above 48 kHz");
        let mut mixer = Self {
            frame_samples,
            sum: vec![0; frame_samples],
            shared: vec![0; frame_samples],
            shared_limiter: Limiter::new(),
            slots: Vec::new(),
            speakers: 0,
            scratch: vec![0; frame_samples],
        };
        mixer.reserve(slots);
        mixer
    }

    /// Makes room for `slots` in all. The only method that allocates.
    pub fn reserve(&mut self, slots: usize) {
        if slots > self.slots.len() {
            let slot = Slot { speaks: false, frame: vec![0; self.frame_samples], limiter: Limiter::new() };
            self.slots.resize(slots, slot);
        }
    }

    /// Begins a tick: nobody speaks.
    pub fn begin(&mut self) {
        if self.speakers > 0 {
            self.sum.fill(0);
            self.slots.iter_mut().for_each(|slot| slot.speaks = false);
            self.speakers = 0;
        }
    }

    /// Adds the frame of the speaker in `slot`.
    ///
    /// # Panics
    /// When the slot was not reserved.
    pub fn add(&mut self, slot: usize, frame: &[i16]) {
        let slot = &mut self.slots[slot];
        slot.speaks = true;
        slot.frame.copy_from_slice(frame);
        for (sum, sample) in self.sum.iter_mut().zip(frame) {
            *sum += i32::from(*sample);
        }
        self.speakers += 1;
    }

    /// All have spoken: works out what everybody hears who has not.
    pub fn finish(&mut self) {
        self.shared_limiter.run(&self.sum, &mut self.shared);
        for slot in &mut self.slots {
            if !slot.speaks {
                // Whoever speaks next goes on from the loudness that he hears now.
                slot.limiter = self.shared_limiter.clone();
            }
        }
    }

    /// What everybody hears who is not in the sum.
    pub fn shared(&self, out: &mut [i16]) {
        out.copy_from_slice(&self.shared);
    }

    /// What the speaker in `slot` hears: all but himself. Once a tick for each, since it moves his limiter on.
    ///
    /// # Panics
    /// When the slot was not reserved.
    pub fn personal(&mut self, slot: usize, out: &mut [i16]) {
        let slot = &mut self.slots[slot];
        if !slot.speaks {
            return out.copy_from_slice(&self.shared);
        }
        for ((scratch, sum), own) in self.scratch.iter_mut().zip(&self.sum).zip(&slot.frame) {
            *scratch = sum - i32::from(*own);
        }
        slot.limiter.run(&self.scratch, out);
    }

    /// How many spoke.
    #[must_use]
    pub fn speakers(&self) -> usize {
        self.speakers
    }
}

/// Brings a sum back to 16 bits without clipping. Below the threshold it changes nothing, bit for bit. Above it
/// the gain of the whole stream goes down within a block of a millisecond and comes back over half a second: loud, but not
/// distorted. The state belongs to one output stream.
#[derive(Debug, Clone)]
pub struct Limiter {
    gain: f32,
}

/// Nothing leaves above this: 32767 less a little, so that rounding never wraps.
const CEILING: f32 = 32_700.0;
/// Gain is looked at in blocks of this many samples: 1 ms at 8 kHz.
const BLOCK_SAMPLES: usize = 8;
/// By how much the gain comes back in a block: full scale in about 500 ms.
const RELEASE_PER_BLOCK: f32 = 0.002;

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter {
    /// Transparent until something is too loud.
    #[must_use]
    pub fn new() -> Self {
        Self { gain: 1.0 }
    }

    /// Changes nothing at the moment.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gain >= 1.0
    }

    /// Limits one frame.
    pub fn run(&mut self, sum: &[i32], out: &mut [i16]) {
        let peak = sum.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        if self.gain >= 1.0 && peak <= i16::MAX as u32 {
            for (out, sample) in out.iter_mut().zip(sum) {
                *out = *sample as i16;
            }
            return;
        }
        let mut needed = needed_gain(sum.get(..BLOCK_SAMPLES).unwrap_or(sum));
        for (index, (block, out)) in sum.chunks(BLOCK_SAMPLES).zip(out.chunks_mut(BLOCK_SAMPLES)).enumerate()
        {
            let next = sum.get((index + 1) * BLOCK_SAMPLES..).unwrap_or_default();
            let next_needed = needed_gain(next.get(..BLOCK_SAMPLES).unwrap_or(next));
            // Falls to what the next block needs by the end of this one; only a frame's first block may have to jump.
            let from = self.gain.min(needed);
            let to = (from + RELEASE_PER_BLOCK).min(needed).min(next_needed);
            let step = (to - from) / block.len() as f32;
            let mut gain = from;
            for (out, sample) in out.iter_mut().zip(block) {
                gain += step;
                *out = (*sample as f32 * gain).clamp(-32_768.0, 32_767.0) as i16;
            }
            self.gain = to;
            needed = next_needed;
        }
    }
}

/// The gain that brings a block's peak to the ceiling; 1 where it is below.
fn needed_gain(block: &[i32]) -> f32 {
    let peak = block.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0) as f32;
    if peak > CEILING { CEILING / peak } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{goertzel::power_dbov, tone::ToneGenerator};

    #[test]
    fn one_speaker_is_heard_bit_for_bit() {
        let mut mixer = Mixer::new(8000, 2);
        let frame: Vec<i16> = (0..160).map(|i| (i * 409 - 32_700) as i16).collect();
        let (mut heard, mut own) = ([0; 160], [1; 160]);
        mixer.begin();
        mixer.add(0, &frame);
        mixer.finish();
        mixer.shared(&mut heard);
        mixer.personal(0, &mut own);
        assert_eq!((heard.as_slice(), own), (frame.as_slice(), [0; 160]));
        mixer.personal(1, &mut own);
        assert_eq!(own.as_slice(), frame, "who does not speak hears what all hear");
        mixer.begin();
        mixer.finish();
        mixer.shared(&mut heard);
        assert_eq!((heard, mixer.speakers()), ([0; 160], 0));
    }

    /// Runs `speakers` (Hz, dBov) for a second; returns what `listener` hears and the sum as all others hear it.
    fn run(speakers: &[(f32, f32)], listener: usize) -> (Vec<i16>, Vec<i16>) {
        let mut generators: Vec<_> =
            speakers.iter().map(|(hz, level)| ToneGenerator::new(8000, *hz, *level)).collect();
        let mut mixer = Mixer::new(8000, speakers.len());
        let (mut own, mut all) = (Vec::new(), Vec::new());
        let mut frame = [0; 160];
        for _ in 0..50 {
            mixer.begin();
            for (slot, generator) in generators.iter_mut().enumerate() {
                generator.fill(&mut frame);
                mixer.add(slot, &frame);
            }
            mixer.finish();
            mixer.personal(listener, &mut frame);
            own.extend(frame);
            mixer.shared(&mut frame);
            all.extend(frame);
        }
        (own, all)
    }

    #[test]
    fn nobody_hears_himself_among_three_loud_talkers() {
        let tones = [(400.0, -1.0), (930.0, -1.0), (1730.0, -1.0)];
        for (listener, (hz, _)) in tones.iter().enumerate() {
            let (own, _) = run(&tones, listener);
            let steady = &own[2000..7000];
            let leak = power_dbov(steady, 8000, *hz);
            assert!(leak < -60.0, "{hz} Hz comes back at {leak} dBov");
            for (other, _) in tones.iter().enumerate().filter(|(i, _)| *i != listener).map(|(_, tone)| tone) {
                assert!(power_dbov(steady, 8000, *other) > -10.0, "{other} Hz is missing");
            }
        }
    }

    #[test]
    fn too_loud_is_turned_down_and_not_cut_off() {
        let tones = [(400.0, 0.0), (430.0, 0.0), (470.0, 0.0), (500.0, 0.0)];
        let (_, all) = run(&tones, 0);
        let clipped = all.iter().filter(|sample| sample.unsigned_abs() >= 32_767).count();
        assert!(clipped < 8, "{clipped} samples at the rail");
        // Clipping would show as odd harmonics of the cluster around 3 × 450 Hz.
        let harmonic = power_dbov(&all[3000..8000], 8000, 1350.0);
        assert!(harmonic < -28.0, "distortion at {harmonic} dBov");
    }

    #[test]
    fn the_gain_comes_back_after_a_loud_moment() {
        let mut limiter = Limiter::new();
        let mut out = [0; 160];
        limiter.run(&[90_000; 160], &mut out);
        assert!(out.iter().skip(8).all(|sample| *sample > 30_000));
        let mut frames = 0;
        loop {
            limiter.run(&[10_000; 160], &mut out);
            if out[159] == 10_000 {
                break;
            }
            frames += 1;
            assert!(frames < 40, "still turned down after {} ms", frames * 20);
        }
    }
}
