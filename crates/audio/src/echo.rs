//! Finds lines that return what they are sent: a loudspeaker heard by its own microphone, a bad hybrid.
//!
//! Only levels are looked at, one for every 20 ms: what a line says is compared with what it was sent up to 800 ms
//! before. Speech rises and falls all the time, and nothing else rises and falls with it at a constant delay.

/// Delays that are looked at, in frames: 0 to 800 ms.
const LAGS: usize = 41;
/// What is quieter counts as silence, in dBov.
const FLOOR_DBOV: f32 = -60.0;
/// What was sent has to be louder than this to be recognised when it comes back.
const ACTIVE_DBOV: f32 = -45.0;
/// Part that each frame has in the averages: about six seconds.
const SHARE: f32 = 1.0 / 300.0;
/// Frames before anything is said.
const FRAMES_MIN: u32 = 150;

/// Watches one line.
#[derive(Debug, Clone)]
pub struct EchoDetector {
    /// Levels sent of late; the newest at `place`, going back from there.
    sent: [f32; LAGS],
    place: usize,
    frames: u32,
    received_mean: f32,
    received_square: f32,
    /// For each delay: mean and mean square of what was sent so long ago, and of the product with what came.
    means: [f32; LAGS],
    squares: [f32; LAGS],
    products: [f32; LAGS],
}

impl Default for EchoDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoDetector {
    /// A line about which nothing is known.
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
        }
    }

    /// Takes the levels of 20 ms, in dBov.
    pub fn update(&mut self, sent_dbov: f32, received_dbov: f32) {
        self.place = (self.place + LAGS - 1) % LAGS;
        self.sent[self.place] = sent_dbov.max(FLOOR_DBOV);
        let received = received_dbov.max(FLOOR_DBOV);
        // A line that says nothing and has not for long says nothing about its echo either.
        if received == FLOOR_DBOV && self.received_mean < FLOOR_DBOV + 0.05 {
            return;
        }
        // Nothing can come back while nothing was sent, and silence on both sides is no likeness.
        if !self.sent.iter().any(|level| *level > ACTIVE_DBOV) {
            return;
        }
        self.frames = self.frames.saturating_add(1);
        // The first frames have a larger part, so that the averages begin with what is there.
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
    }

    /// The delay of the greatest likeness, in frames, and the likeness, -1 to 1.
    fn likest(&self) -> (usize, f32) {
        let received = (self.received_square - self.received_mean * self.received_mean).max(0.0);
        let mut best = (0, 0.0);
        for lag in 0..LAGS {
            let sent = (self.squares[lag] - self.means[lag] * self.means[lag]).max(0.0);
            // A line that hardly changes is like everything.
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

    /// How much what the line says is like what it was sent: 0 (not at all) to 1 (an echo and nothing else).
    #[must_use]
    pub fn suspicion(&self) -> f32 {
        if self.frames < FRAMES_MIN {
            return 0.0;
        }
        // Two voices that know nothing of each other reach 0.4 by chance.
        ((self.likest().1 - 0.4) / 0.5).clamp(0.0, 1.0)
    }

    /// After how long it comes back, in milliseconds; `None`: there is no echo to speak of.
    #[must_use]
    pub fn delay_ms(&self) -> Option<u32> {
        (self.suspicion() > 0.5).then(|| self.likest().0 as u32 * 20)
    }

    /// How much weaker it comes back, in dB; `None`: there is no echo to speak of.
    #[must_use]
    pub fn loss_db(&self) -> Option<f32> {
        (self.suspicion() > 0.5).then(|| self.means[self.likest().0] - self.received_mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of somebody who talks: words of some length and loudness, and pauses.
    struct Talker {
        seed: u64,
        left: u32,
        level: f32,
    }

    impl Talker {
        fn new(seed: u64) -> Self {
            Self { seed, left: 0, level: -127.0 }
        }

        fn draw(&mut self, below: u64) -> u64 {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.seed >> 33) % below
        }

        fn next(&mut self) -> f32 {
            if self.left == 0 {
                self.left = 3 + self.draw(14) as u32;
                self.level = if self.draw(10) < 3 { -127.0 } else { -35.0 + self.draw(20) as f32 };
            }
            self.left -= 1;
            self.level + self.draw(4) as f32
        }
    }

    fn louder(a: f32, b: f32) -> f32 {
        10.0 * (10_f32.powf(a / 10.0) + 10_f32.powf(b / 10.0)).log10()
    }

    #[test]
    fn an_echo_is_found_with_its_delay_and_loss_also_on_a_noisy_line() {
        for noise in [-127.0, -55.0] {
            let (mut talker, mut detector) = (Talker::new(3), EchoDetector::new());
            let mut past = std::collections::VecDeque::from(vec![-127.0; 15]);
            for _ in 0..500 {
                let sent = talker.next();
                past.push_back(sent);
                let echo = past.pop_front().expect("it is filled") - 15.0;
                detector.update(sent, louder(echo, noise));
            }
            assert!(detector.suspicion() > 0.7, "{noise}: {}", detector.suspicion());
            assert!(detector.delay_ms().expect("found").abs_diff(300) <= 20);
            // Silence counts as -60 dBov on both sides, which makes the loss look smaller.
            assert!((5.0..18.0).contains(&detector.loss_db().expect("found")), "{:?}", detector.loss_db());
        }
    }

    #[test]
    fn somebody_who_talks_for_himself_is_not_suspected_and_silence_is_not() {
        let mut worst = 0.0_f32;
        for seed in 1..6 {
            let (mut far, mut near) = (Talker::new(seed), Talker::new(seed * 7919));
            let mut detector = EchoDetector::new();
            for frame in 0..3000 {
                detector.update(far.next(), near.next());
                if frame > 300 {
                    worst = worst.max(detector.suspicion());
                }
            }
        }
        assert!(worst < 0.3, "{worst}");
        let (mut far, mut detector) = (Talker::new(2), EchoDetector::new());
        (0..3000).for_each(|_| detector.update(far.next(), -127.0));
        assert_eq!(detector.suspicion(), 0.0);
        let (mut near, mut detector) = (Talker::new(2), EchoDetector::new());
        (0..3000).for_each(|_| detector.update(-127.0, near.next()));
        assert_eq!((detector.suspicion(), detector.delay_ms()), (0.0, None));
    }
}
