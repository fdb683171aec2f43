//! Detects lines that return what they are sent: a loudspeaker picked up by its own microphone, a poor hybrid.
//!
//! Levels are compared first, one per 20 ms: those received with those sent up to 800 ms before, which costs next to
//! nothing. Speech rises and falls all the time, and hardly anything else follows it at a constant delay. If the
//! levels correlate, samples are compared (at 2 kHz, after removing the spectral envelope of speech), and only those
//! decide: two people who take turns are alike in their levels and never in their samples.

/// Delays that are compared, in frames: 0 to 800 ms.
const LAGS: usize = 41;
/// Anything quieter counts as silence, in dBov.
const FLOOR_DBOV: f32 = -60.0;
/// A line with a mean level below this has been silent for long.
const INDIFFERENT_DBOV: f32 = FLOOR_DBOV + 0.05;
/// What was sent has to be louder than this, in dBov, to be recognised when it returns.
const ACTIVE_DBOV: f32 = -45.0;
/// Weight of each frame in the averages: about six seconds.
const SHARE: f32 = 1.0 / 300.0;
/// Frames before the first result.
const FRAMES_MIN: u32 = 150;

/// From this correlation of levels on, samples are compared.
const WORTH_A_LOOK: f32 = 0.15;
/// Samples of 20 ms at the rate of the comparison, 2 kHz.
const PIECE: usize = 40;
/// Delays in those samples: 0 to 800 ms.
const DELAYS: usize = 1600;
/// Weight of each frame in the comparison of samples: four seconds.
const TRACE_SHARE: f32 = 1.0 / 200.0;
/// Frames of sound before samples give a result, and after which an unsuspicious comparison ends.
const TRACE_MIN: u32 = 75;
const TRACE_MAX: u32 = 500;
/// Correlation that unrelated voices reach by chance; suspicion grows from here to this much more.
const BY_CHANCE: f32 = 0.25;
const CERTAIN_ABOVE: f32 = 0.3;
/// An echo may come back up to 6 dB louder than it was sent.
const GAIN_MAX: f32 = 2.0;
/// Speech has little energy at high frequencies: this share of the previous sample is subtracted from each.
const COLOUR: f32 = 0.9;

/// Watches one line.
#[derive(Debug, Clone)]
pub struct EchoDetector {
    /// Recent levels sent; the newest is at `place`, older ones before it.
    sent: [f32; LAGS],
    place: usize,
    frames: u32,
    received_mean: f32,
    received_square: f32,
    /// For each delay: mean and mean square of what was sent that long ago, and of its product with what was
    /// received.
    means: [f32; LAGS],
    squares: [f32; LAGS],
    products: [f32; LAGS],
    /// Allocated when the line is first suspected, and kept, because the audio path does not allocate and free.
    trace: Option<Box<Trace>>,
    /// Samples are being compared.
    is_traced: bool,
}

/// The comparison of samples.
#[derive(Debug, Clone)]
struct Trace {
    /// What was sent, the newest last.
    sent: [f32; DELAYS + PIECE],
    /// It contains the frame that was sent last.
    is_up_to_date: bool,
    frames: u32,
    sent_before: f32,
    received_before: f32,
    received_energy: f32,
    /// For each delay: energy of what was sent that long ago, and of its product with what was received.
    energies: [f32; DELAYS],
    products: [f32; DELAYS],
}

impl Default for EchoDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoDetector {
    /// A line of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sent: [FLOOR_DBOV; LAGS],
            place: 0,
            frames: 0,
            received_mean: FLOOR_DBOV,
            received_square: FLOOR_DBOV * FLOOR_DBOV,
            means: [FLOOR_DBOV; LAGS],
            squares: [FLOOR_DBOV * FLOOR_DBOV; LAGS],
            products: [FLOOR_DBOV * FLOOR_DBOV; LAGS],
            trace: None,
            is_traced: false,
        }
    }

    fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref().filter(|_| self.is_traced)
    }

    fn trace_mut(&mut self) -> Option<&mut Trace> {
        self.trace.as_deref_mut().filter(|_| self.is_traced)
    }

    /// Takes the 20 ms that are being sent to the line, at any rate.
    pub fn sent(&mut self, frame: &[i16]) {
        if let Some(trace) = self.trace_mut() {
            trace.take_sent(frame);
        }
    }

    /// Takes the 20 ms received from the line, at any rate, their level, and the level of what was sent just before,
    /// in dBov.
    pub fn update(&mut self, sent_dbov: f32, received_dbov: f32, received: &[i16]) {
        if let Some(trace) = self.trace_mut()
            && !std::mem::take(&mut trace.is_up_to_date)
        {
            trace.take_sent(&[]);
            trace.is_up_to_date = false;
        }
        if self.compare_levels(sent_dbov, received_dbov) {
            self.compare_samples(received);
        }
    }

    /// The line is suspected, so the samples of its frames matter and not only their levels.
    #[must_use]
    pub fn compares_samples(&self) -> bool {
        self.is_traced
    }

    /// The line has been silent for long, so silence on it says nothing about an echo.
    #[must_use]
    pub fn is_indifferent(&self) -> bool {
        self.received_mean < INDIFFERENT_DBOV && !self.is_traced
    }

    /// On a silent line: accounts for frames of digital silence, each with the level of what was sent just before it,
    /// in dBov.
    pub fn pass_silence(&mut self, sent_dbov: &[f32]) {
        for level_dbov in sent_dbov {
            self.note_sent(*level_dbov);
        }
    }

    fn note_sent(&mut self, sent_dbov: f32) {
        self.place = (self.place + LAGS - 1) % LAGS;
        self.sent[self.place] = sent_dbov.max(FLOOR_DBOV);
    }

    fn compare_samples(&mut self, received: &[i16]) {
        if let Some(trace) = self.trace_mut() {
            trace.compare(received);
        }
        let likeness = if self.frames < FRAMES_MIN { 0.0 } else { self.likeness() };
        match self.trace() {
            None if likeness > WORTH_A_LOOK => {
                self.is_traced = true;
                match &mut self.trace {
                    Some(trace) => **trace = Trace::default(),
                    None => self.trace = Some(Box::default()),
                }
            }
            Some(trace) if trace.frames > TRACE_MAX && likeness == 0.0 && trace.suspicion() == 0.0 => {
                self.is_traced = false;
            }
            Some(_) | None => {}
        }
    }

    /// False: these 20 ms say nothing about an echo.
    fn compare_levels(&mut self, sent_dbov: f32, received_dbov: f32) -> bool {
        self.note_sent(sent_dbov);
        let received = received_dbov.max(FLOOR_DBOV);
        // A line that has been silent for long says nothing about its echo.
        if received == FLOOR_DBOV && self.received_mean < INDIFFERENT_DBOV {
            return false;
        }
        // Nothing can return while nothing was sent, and silence on both sides is no correlation.
        if !self.sent.iter().any(|level| *level > ACTIVE_DBOV) {
            return false;
        }
        self.frames = self.frames.saturating_add(1);
        // The first frames have a larger weight, so that the averages start from what was measured.
        let share = SHARE.max(1.0 / self.frames as f32);
        self.received_mean += (received - self.received_mean) * share;
        self.received_square += (received * received - self.received_square) * share;
        let (newer, older) = (&self.sent[self.place..], &self.sent[..self.place]);
        let (first, second) = (newer.len(), older.len());
        debug_assert_eq!(first + second, LAGS);
        for (offset, part) in [(0, newer), (first, older)] {
            let end = offset + part.len();
            let averages = self.means[offset..end].iter_mut().zip(&mut self.squares[offset..end]);
            for ((level, (mean, square)), product) in
                part.iter().zip(averages).zip(&mut self.products[offset..end])
            {
                *mean += (level - *mean) * share;
                *square += (level * level - *square) * share;
                *product += (level * received - *product) * share;
            }
        }
        true
    }

    /// The delay with the highest correlation, in frames, and that correlation, -1 to 1.
    fn likest(&self) -> (usize, f32) {
        let received = (self.received_square - self.received_mean * self.received_mean).max(0.0);
        let mut best = (0, 0.0);
        for lag in 0..LAGS {
            let sent = (self.squares[lag] - self.means[lag] * self.means[lag]).max(0.0);
            // A line that hardly varies correlates with everything.
            if received < 4.0 || sent < 4.0 {
                continue;
            }
            let together = self.products[lag] - self.means[lag] * self.received_mean;
            let likeness = together / (sent * received).sqrt();
            if likeness > best.1 {
                best = (lag, likeness);
            }
        }
        best
    }

    /// Correlation of the levels, 0 to 1.
    fn likeness(&self) -> f32 {
        // Unrelated voices reach 0.4 by chance.
        ((self.likest().1 - 0.4) / 0.5).clamp(0.0, 1.0)
    }

    /// How likely the received signal is the sent one: 0 (not at all) to 1 (all or most of it).
    #[must_use]
    pub fn suspicion(&self) -> f32 {
        self.trace().map_or(0.0, Trace::suspicion)
    }

    /// Delay of the echo in milliseconds, to the millisecond; `None` if there is none to speak of.
    #[must_use]
    pub fn delay_ms(&self) -> Option<u32> {
        let trace = self.trace().filter(|trace| trace.suspicion() > 0.5)?;
        // What is sent at one tick is compared with what arrives until the next.
        Some((trace.likest().0 / (PIECE / 20)) as u32 + 20)
    }

    /// Attenuation of the echo, in dB; `None` if there is none to speak of.
    #[must_use]
    pub fn loss_db(&self) -> Option<f32> {
        let trace = self.trace().filter(|trace| trace.suspicion() > 0.5)?;
        let delay = trace.likest().0;
        Some(-20.0 * (trace.products[delay].abs() / trace.energies[delay].max(1.0)).max(1e-6).log10())
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            sent: [0.0; DELAYS + PIECE],
            is_up_to_date: false,
            frames: 0,
            sent_before: 0.0,
            received_before: 0.0,
            received_energy: 0.0,
            energies: [0.0; DELAYS],
            products: [0.0; DELAYS],
        }
    }
}

impl Trace {
    fn take_sent(&mut self, frame: &[i16]) {
        self.sent.copy_within(PIECE.., 0);
        let piece = piece(frame, &mut self.sent_before);
        self.sent[DELAYS..].copy_from_slice(&piece);
        self.is_up_to_date = true;
    }

    fn compare(&mut self, frame: &[i16]) {
        let received = piece(frame, &mut self.received_before);
        self.frames = self.frames.saturating_add(1);
        let share = TRACE_SHARE.max(1.0 / self.frames as f32);
        let energy: f32 = received.iter().map(|sample| sample * sample).sum();
        self.received_energy += (energy - self.received_energy) * share;
        // Energy of a piece of what was sent: the newest first, then one sample earlier each time.
        let mut sent_energy: f32 = self.sent[DELAYS..].iter().map(|sample| sample * sample).sum();
        for (delay, (energy, product)) in self.energies.iter_mut().zip(&mut self.products).enumerate() {
            let start = DELAYS - delay;
            let sent = &self.sent[start..start + PIECE];
            let together: f32 = sent.iter().zip(&received).map(|(a, b)| a * b).sum();
            *product += (together - *product) * share;
            *energy += (sent_energy.max(0.0) - *energy) * share;
            sent_energy += self.sent[start - 1].powi(2) - sent[PIECE - 1].powi(2);
        }
    }

    /// The delay with the highest correlation, in samples, and that correlation, 0 to 1.
    fn likest(&self) -> (usize, f32) {
        let mut best = (0, 0.0);
        for (delay, (energy, product)) in self.energies.iter().zip(&self.products).enumerate() {
            // No line returns more than this.
            if product.abs() > GAIN_MAX * energy {
                continue;
            }
            // Also if the line inverts the signal.
            let likeness = product.abs() / (energy * self.received_energy).sqrt().max(1.0);
            if likeness > best.1 {
                best = (delay, likeness);
            }
        }
        best
    }

    fn suspicion(&self) -> f32 {
        if self.frames < TRACE_MIN {
            return 0.0;
        }
        ((self.likest().1 - BY_CHANCE) / CERTAIN_ABOVE).clamp(0.0, 1.0)
    }
}

/// 20 ms at the rate of the comparison, without the spectral envelope of speech. `before`: the preceding sample.
fn piece(frame: &[i16], before: &mut f32) -> [f32; PIECE] {
    let mut piece = [0.0; PIECE];
    let factor = frame.len() / PIECE;
    if factor > 0 {
        for (sample, part) in piece.iter_mut().zip(frame.chunks_exact(factor)) {
            let mean = part.iter().map(|sample| i32::from(*sample)).sum::<i32>() as f32 / factor as f32;
            *sample = mean - COLOUR * std::mem::replace(before, mean);
        }
    }
    piece
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::dbov;
    use std::collections::VecDeque;

    fn random(seed: &mut u64) -> f32 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// A talker: words of voiced and unvoiced sounds, and pauses, at 8 kHz.
    struct Talker {
        seed: u64,
        left: u32,
        loud: f32,
        hz: f32,
        phase: f32,
        is_voiced: bool,
        last: f32,
    }

    impl Talker {
        fn new(seed: u64) -> Self {
            Self { seed, left: 0, loud: 0.0, hz: 100.0, phase: 0.0, is_voiced: true, last: 0.0 }
        }

        fn next(&mut self) -> [i16; 160] {
            if self.left == 0 {
                self.left = 3 + (random(&mut self.seed) * 14.0) as u32;
                self.loud =
                    if random(&mut self.seed) < 0.3 { 0.0 } else { 600.0 + 4000.0 * random(&mut self.seed) };
                self.hz = 90.0 + 130.0 * random(&mut self.seed);
                self.is_voiced = random(&mut self.seed) < 0.7;
            }
            self.left -= 1;
            self.hz *= 0.98 + 0.04 * random(&mut self.seed);
            std::array::from_fn(|_| {
                self.phase = (self.phase + self.hz / 8000.0).fract();
                // A saw-tooth has all harmonics, as a voice does.
                let source =
                    if self.is_voiced { 1.0 - 2.0 * self.phase } else { 2.0 * random(&mut self.seed) - 1.0 };
                self.last = 0.6 * self.last + 0.4 * source;
                (self.last * self.loud) as i16
            })
        }
    }

    /// Sends and takes 20 ms as a room does: what came is heard first.
    fn tick(detector: &mut EchoDetector, received: &[i16], sent: &[i16], sent_before: &mut f32) {
        detector.update(*sent_before, dbov(received), received);
        *sent_before = dbov(sent);
        detector.sent(sent);
    }

    #[test]
    fn an_echo_is_found_with_its_delay_and_loss_also_on_a_noisy_line_and_upside_down() {
        for (delay_ms, gain, noise) in
            [(43_usize, 0.5_f32, 0.0_f32), (312, 0.178, 60.0), (205, -0.1, 20.0), (790, 0.3, 0.0)]
        {
            let (mut talker, mut detector, mut level) = (Talker::new(3), EchoDetector::new(), -127.0);
            let mut line: VecDeque<i16> = vec![0; delay_ms * 8].into();
            let mut seed = 17;
            for _ in 0..600 {
                // What was sent at earlier ticks.
                let received: Vec<i16> = (0..160)
                    .map(|_| {
                        let hiss = noise * (2.0 * random(&mut seed) - 1.0);
                        (f32::from(line.pop_front().unwrap_or(0)) * gain + hiss) as i16
                    })
                    .collect();
                let sent = talker.next();
                tick(&mut detector, &received, &sent, &mut level);
                line.extend(sent);
                if line.len() > delay_ms * 8 {
                    line.drain(..line.len() - delay_ms * 8);
                }
            }
            let found = (detector.suspicion(), detector.delay_ms(), detector.loss_db());
            assert!(found.0 > 0.8, "{delay_ms} ms: {found:?}");
            assert!(
                found.1.is_some_and(|found| found.abs_diff(delay_ms as u32) <= 5),
                "{delay_ms} ms: {found:?}"
            );
            let loss = -20.0 * gain.abs().log10();
            assert!(found.2.is_some_and(|found| (found - loss).abs() < 3.0), "{loss} dB: {found:?}");
        }
    }

    #[test]
    fn people_who_talk_at_once_or_take_turns_are_not_suspected() {
        for seed in 1..5 {
            for turns in [false, true] {
                let (mut far, mut near) = (Talker::new(seed), Talker::new(seed * 7919));
                let (mut detector, mut level, mut worst) = (EchoDetector::new(), -127.0, 0.0_f32);
                for frame in 0..3000 {
                    let (mut received, mut sent) = (near.next(), far.next());
                    // A question of a second, an answer of a second, more regular than any person.
                    if turns && frame / 50 % 2 == 0 {
                        received.fill(0);
                    } else if turns {
                        sent.fill(0);
                    }
                    tick(&mut detector, &received, &sent, &mut level);
                    worst = worst.max(detector.suspicion());
                }
                assert!(worst < 0.35, "seed {seed}, turns {turns}: {worst}");
                assert_eq!(detector.delay_ms(), None);
            }
        }
    }

    #[test]
    fn music_and_silence_are_not_suspected() {
        let (mut near, mut detector, mut level, mut worst) =
            (Talker::new(5), EchoDetector::new(), -127.0, 0.0_f32);
        let mut at = 0.0_f32;
        for frame in 0..3000 {
            // Chords of three notes, a beat of 300 ms that swells and fades.
            let note = 220.0 * [1.0, 1.125, 1.25, 1.5, 1.333][frame / 15 % 5];
            let swell = 1.0 - (frame % 15) as f32 / 16.0;
            let music: [i16; 160] = std::array::from_fn(|_| {
                at += 1.0 / 8000.0;
                let chord: f32 = [1.0, 1.26, 1.5]
                    .iter()
                    .map(|part| (at * note * part * std::f32::consts::TAU).sin())
                    .sum();
                (chord * swell * 3000.0) as i16
            });
            tick(&mut detector, &near.next(), &music, &mut level);
            worst = worst.max(detector.suspicion());
        }
        assert!(worst < 0.2, "{worst}");
        let mut far = Talker::new(2);
        let (mut detector, mut level) = (EchoDetector::new(), -127.0);
        (0..1000).for_each(|_| tick(&mut detector, &[0; 160], &far.next(), &mut level));
        assert_eq!((detector.suspicion(), detector.delay_ms()), (0.0, None));
        (0..1000).for_each(|_| tick(&mut detector, &far.next(), &[0; 160], &mut level));
        assert_eq!((detector.suspicion(), detector.delay_ms()), (0.0, None));
    }

    #[test]
    fn an_echo_that_ends_is_forgotten() {
        let (mut talker, mut other) = (Talker::new(3), Talker::new(99));
        let (mut detector, mut level, mut last) = (EchoDetector::new(), -127.0, [0; 160]);
        for frame in 0..3000 {
            let received = if frame < 600 { last.map(|sample| sample / 3) } else { other.next() };
            last = talker.next();
            tick(&mut detector, &received, &last, &mut level);
            if frame == 599 {
                assert!(detector.suspicion() > 0.8, "{}", detector.suspicion());
            }
        }
        assert_eq!(detector.delay_ms(), None);
    }
}
