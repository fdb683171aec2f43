//! Telephone keys as tones in the audio (ITU-T Q.23), detected as Q.24 has it with the values of its Annex A for AT&T.
//!
//! ```text
//!   samples  |·····|—————————— tone ——————————|········
//!   windows       [ 12.75 ms ]                          every 5 ms
//!                      [          ]
//!                           [          ]                the fifth alike: a key
//!                                [          ]
//!                                     [          ]
//! ```
//!
//! Each window is fitted with the strongest pair of a low and a high tone. It is a *hit* if both are loud enough, neither
//! is much louder than the other, and little else is in the window. The fit solves for both tones at once, because a
//! window this short does not keep a strong tone out of the measurement of a weak one.
//!
//! Five hits in a row with one pair are a key if the pair is steady and right. Its frequencies are measured by how far the
//! phases advance from window to window, to a few hertz, which the length of a window could not show. With these
//! frequencies the pair is fitted once more, to all that the hits span, and has to explain nearly all of it. A voice
//! seldom holds two frequencies for that long, and nothing beside them.
//!
//! The first hit raises a suspicion, 8 to 15 ms after the start of a tone; certainty comes 29 to 36 ms after it. So audio
//! that is delayed by 40 ms can be cleared of a whole tone, and audio that is not, of all but its beginning.
//!
//! Each start and end is the sample at which the fitted pair begins and ceases to explain what was heard.

use std::sync::LazyLock;

/// Samples a second that the detector takes.
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// The low tones of the rows and the high ones of the columns, in Hz (ITU-T Q.23).
pub const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// See [`LOW_HZ`].
pub const HIGH_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// The keys, row by row.
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// The low and the high tone of a key, in Hz; `None`: it is no key. Letters are taken in either case.
#[must_use]
pub fn tones_of(key: char) -> Option<[f32; 2]> {
    let key = key.to_ascii_uppercase();
    let row = KEYS.iter().position(|row| row.contains(&key))?;
    let column = KEYS[row].iter().position(|known| *known == key)?;
    Some([LOW_HZ[row], HIGH_HZ[column]])
}

/// Samples of a window, 12.75 ms: short enough for a tone of 40 ms, long enough to distinguish the rows.
const WINDOW: usize = 102;
/// Samples from one window to the next, 5 ms.
const STEP: usize = 40;
/// Hits in a row that make a key. They span 32.75 ms: a tone of 23 ms does not fill them, one of 40 ms does.
const HITS: usize = 5;
/// Samples of a tone by which it is longer than one of 23 ms, 26 ms.
const SHORTEST: u64 = 208;
/// Windows without a hit that end a key. An interruption of 10 ms costs four at the most, a pause of 40 ms eight at
/// least.
const MISSES: u32 = 6;
/// Samples without audio (lost packets) over which a key continues, 60 ms.
const LOST_MAX: u32 = 480;
/// Samples that are kept: the windows that end a key, and where it may have ended.
const HISTORY: usize = 512;

/// Level of a full-scale sine in dBm0 (ITU-T G.711, with µ-law; 0.03 dB less with A-law).
pub const FULL_SCALE_DBM0: f32 = 3.17;
/// What a hit needs: the level of the weaker tone, the level of the high tone relative to the low one, and the share of the
/// window's energy that belongs to the pair. A window with 65 % of a tone in it is a hit, and so is one with two tones 1.5 %
/// beside their frequencies and noise 15 dB below them.
const HIT: Bounds = Bounds { weakest_dbm0: -31.0, twist_db: [-13.0, 9.0], purity: 0.65 };
/// What a key needs. -25 dBm0 and -8 to +4 dB are to be taken.
const KEY: Bounds = Bounds { weakest_dbm0: -28.0, twist_db: [-9.5, 5.5], purity: 0.85 };
/// The frequencies may deviate by this share: 1.5 % are to be taken, and 3.5 % to be refused.
const DEVIATION: f32 = 0.025;
/// A phase advances evenly, from window to window, up to this many radians. Noise 15 dB below the pair moves that of its
/// weaker tone by 0.1.
const UNEVEN_RAD: f32 = 0.6;

/// Bounds of a pair of tones.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    weakest_dbm0: f32,
    twist_db: [f32; 2],
    purity: f32,
}

/// The same as factors of power.
#[derive(Debug, Clone, Copy)]
struct Limits {
    weakest: f32,
    twist: [f32; 2],
    purity: f32,
}

impl Bounds {
    fn limits(self) -> Limits {
        let power = |db: f32| crate::linear(db).powi(2);
        Limits {
            // A fitted tone has half its amplitude.
            weakest: power(self.weakest_dbm0 - FULL_SCALE_DBM0) / 4.0,
            twist: self.twist_db.map(power),
            purity: self.purity,
        }
    }
}

impl Limits {
    /// Whether fitted tones lie within them that explain this much of an energy.
    fn hold(&self, tones: [Complex; 2], explained: f32, energy: f32) -> bool {
        let [low, high] = tones.map(Complex::power);
        low.min(high) >= self.weakest
            && high >= low * self.twist[0]
            && high <= low * self.twist[1]
            && explained >= self.purity * energy
    }
}

/// A complex number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    fn turn(angle: f64) -> Self {
        Self { re: angle.cos() as f32, im: angle.sin() as f32 }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    fn minus(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }

    fn scaled(self, by: f32) -> Self {
        Self { re: self.re * by, im: self.im * by }
    }

    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    fn angle(self) -> f32 {
        self.im.atan2(self.re)
    }
}

/// What depends on the frequencies only.
#[derive(Debug)]
struct Tables {
    /// For each sample of a window cosine and minus sine of the eight tones, so that all are correlated in parallel.
    waves: [[f32; 16]; WINDOW],
    /// Correlation of each low tone with each high one over a window.
    overlap: [[Complex; 4]; 4],
    /// How far each tone's phase goes back in a step.
    back: [Complex; 8],
    hit: Limits,
    key: Limits,
    /// Energy of a window below which it is no hit.
    least_energy: f32,
}

static TABLES: LazyLock<Box<Tables>> = LazyLock::new(|| {
    let hz = |tone: usize| f64::from(if tone < 4 { LOW_HZ[tone] } else { HIGH_HZ[tone - 4] });
    let omega = |tone| std::f64::consts::TAU * hz(tone) / f64::from(SAMPLE_RATE_HZ);
    let mut waves = [[0.0; 16]; WINDOW];
    for (at, wave) in waves.iter_mut().enumerate() {
        for tone in 0..8 {
            let turned = Complex::turn(-omega(tone) * at as f64);
            (wave[2 * tone], wave[2 * tone + 1]) = (turned.re, turned.im);
        }
    }
    let overlap = |low: usize, high: usize| {
        let turned = (0..WINDOW).map(|at| Complex::turn((omega(high + 4) - omega(low)) * at as f64));
        turned.fold(Complex::default(), Complex::plus)
    };
    let overlap = std::array::from_fn(|low| std::array::from_fn(|high| overlap(low, high)));
    let hit = HIT.limits();
    Box::new(Tables {
        waves,
        overlap,
        back: std::array::from_fn(|tone| Complex::turn(-omega(tone) * STEP as f64)),
        hit,
        key: KEY.limits(),
        // Two of the weakest tones have that much together; noise may lessen it for a moment.
        least_energy: 2.0 * hit.weakest * WINDOW as f32,
    })
});

/// Fits two tones to `length` samples that were correlated with each of them, given the correlation of one with the other.
/// Returns half of their amplitudes, with their phases, and the energy that they explain.
fn solve(length: f32, overlap: Complex, of_low: Complex, of_high: Complex) -> ([Complex; 2], f32) {
    // [N, D; D*, N] · [low; high]
    let scale = 1.0 / (length * length - overlap.power()).max(f32::MIN_POSITIVE);
    let low = of_low.scaled(length).minus(overlap.times(of_high)).scaled(scale);
    let high = of_high.scaled(length).minus(overlap.conjugate().times(of_low)).scaled(scale);
    let explained = 2.0 * (low.conjugate().times(of_low).re + high.conjugate().times(of_high).re);
    ([low, high], explained)
}

/// A pair of tones fitted to a window.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    low: usize,
    high: usize,
    /// Half of each tone's amplitude, with its phase at the start of the window.
    tones: [Complex; 2],
}

impl Fit {
    fn key(&self) -> char {
        KEYS[self.low][self.high]
    }

    /// Angular frequency of each tone, for deviations in radians a step.
    fn omegas(&self, turned: [f32; 2]) -> [f32; 2] {
        let omega = |hz: f32| std::f32::consts::TAU * hz / SAMPLE_RATE_HZ as f32;
        [
            omega(LOW_HZ[self.low]) + turned[0] / STEP as f32,
            omega(HIGH_HZ[self.high]) + turned[1] / STEP as f32,
        ]
    }
}

/// Hits in a row with the same pair.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    hits: usize,
    /// The first sample of its first window.
    start: u64,
    /// The latest fits, the newest last.
    fits: [Fit; HITS],
    /// By how much each phase advanced beyond what its frequency demands, for the latest steps, in radians.
    turned: [[f32; 2]; HITS - 1],
}

impl Run {
    fn push(&mut self, fit: Fit, start: u64, tables: &Tables) {
        let last = self.fits[HITS - 1];
        if self.hits == 0 || (last.low, last.high) != (fit.low, fit.high) {
            *self = Self { start, ..Self::default() };
        } else {
            self.turned.rotate_left(1);
            let back = [tables.back[fit.low], tables.back[fit.high + 4]];
            self.turned[HITS - 2] = std::array::from_fn(|tone| {
                fit.tones[tone].times(last.tones[tone].conjugate()).times(back[tone]).angle()
            });
        }
        self.hits += 1;
        self.fits.rotate_left(1);
        self.fits[HITS - 1] = fit;
    }

    /// Mean advance of each phase per step.
    fn mean_turned(&self) -> [f32; 2] {
        std::array::from_fn(|tone| self.turned.iter().map(|step| step[tone]).sum::<f32>() / (HITS - 1) as f32)
    }

    /// The latest hits have steady tones of the right frequencies.
    fn is_steady(&self) -> bool {
        if self.hits < HITS {
            return false;
        }
        let mean = self.mean_turned();
        let newest = &self.fits[HITS - 1];
        let nominal = [LOW_HZ[newest.low], HIGH_HZ[newest.high]];
        (0..2).all(|tone| {
            let most =
                DEVIATION * nominal[tone] * std::f32::consts::TAU * STEP as f32 / SAMPLE_RATE_HZ as f32;
            mean[tone].abs() <= most
                && self.turned.iter().all(|step| (step[tone] - mean[tone]).abs() <= UNEVEN_RAD)
        })
    }
}

/// A key that is being held.
#[derive(Debug, Clone, Copy)]
struct Held {
    fit: Fit,
    start: u64,
    misses: u32,
    /// The fit from which its end is sought, that window's first sample, and the advance of its phases.
    inside: Fit,
    inside_start: u64,
    turned: [f32; 2],
    /// The end of the latest hit.
    last_end: u64,
}

/// What the detector reports. Positions are samples at 8000 Hz since it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToneEvent {
    /// A key is certain, 29 to 36 ms after its start.
    Began {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        key: char,
        /// The first sample of its tone.
        start: u64,
    },
    /// The key was released, 30 to 50 ms ago.
    Ended {
        /// As it began.
        key: char,
        /// As it began.
        start: u64,
        /// The first sample after its tone.
        end: u64,
    },
}

/// Detects keys in audio of 8000 samples a second.
#[derive(Debug, Clone)]
pub struct DtmfDetector {
    tables: &'static Tables,
    /// The latest samples, full scale 1, the newest last.
    history: [f32; HISTORY],
    /// Samples taken and skipped.
    position: u64,
    /// Samples since the last window, at the end of `history`.
    waiting: usize,
    /// Samples that continue each other without a loss.
    whole: usize,
    run: Run,
    held: Option<Held>,
}

impl Default for DtmfDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl DtmfDetector {
    /// At position 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tables: &TABLES,
            history: [0.0; HISTORY],
            position: 0,
            waiting: 0,
            whole: 0,
            run: Run::default(),
            held: None,
        }
    }

    /// Position of the next sample.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// A tone may have begun that is not certain yet: its first sample, at the earliest.
    #[must_use]
    pub fn suspected_since(&self) -> Option<u64> {
        // Where the window before it was no hit, a tone begins hardly earlier. After the last hit it is known.
        let is_open = (1..HITS).contains(&self.run.hits) && !self.is_held_again();
        is_open.then(|| self.run.start.saturating_sub(STEP as u64 / 2))
    }

    /// The key that is held, with the start of its tone, until its end is certain.
    #[must_use]
    pub fn held(&self) -> Option<(char, u64)> {
        self.held.map(|held| (held.fit.key(), held.start))
    }

    /// The hits are those of the key that is held.
    fn is_held_again(&self) -> bool {
        let newest = &self.run.fits[HITS - 1];
        self.held.is_some_and(|held| held.fit.key() == newest.key())
    }

    /// Takes the next samples, however many. Calls `report` for each key that became certain or ended.
    pub fn take(&mut self, samples: &[i16], mut report: impl FnMut(ToneEvent)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let count = rest.len().min(STEP - self.waiting);
            let (now, later) = rest.split_at(count);
            self.history.copy_within(count.., 0);
            for (place, sample) in self.history[HISTORY - count..].iter_mut().zip(now) {
                *place = f32::from(*sample) / 32_768.0;
            }
            self.position += count as u64;
            self.waiting += count;
            self.whole = (self.whole + count).min(HISTORY);
            if self.waiting == STEP {
                self.waiting = 0;
                if self.whole >= WINDOW {
                    self.look(&mut report);
                }
            }
            rest = later;
        }
    }

    /// The next samples are missing: lost packets, or a pause.
    pub fn skip(&mut self, samples: u32, mut report: impl FnMut(ToneEvent)) {
        if samples > LOST_MAX
            && let Some(held) = self.held.take()
        {
            report(held.ended(held.last_end));
        }
        self.position += u64::from(samples);
        (self.waiting, self.whole, self.run) = (0, 0, Run::default());
    }

    /// Judges the latest window.
    fn look(&mut self, report: &mut impl FnMut(ToneEvent)) {
        let start = self.position - WINDOW as u64;
        match self.fit() {
            Some(fit) => self.run.push(fit, start, self.tables),
            None => self.run = Run::default(),
        }
        if self.run.hits > 0 && self.is_held_again() {
            let run = &self.run;
            if let Some(held) = &mut self.held {
                (held.misses, held.last_end) = (0, self.position);
                if run.is_steady() {
                    // The middle one of the latest hits lies inside the tone.
                    held.inside = run.fits[HITS / 2];
                    held.inside_start = start - (STEP * (HITS / 2)) as u64;
                    held.turned = run.mean_turned();
                }
            }
            return;
        }
        if let Some(key) = self.key(start) {
            if let Some(held) = self.held.take() {
                report(held.ended(self.run.start.max(held.start)));
            }
            report(ToneEvent::Began { key: key.fit.key(), start: key.start });
            self.held = Some(key);
        } else if let Some(held) = &mut self.held {
            held.misses += 1;
            if held.misses >= MISSES {
                let held = *held;
                self.held = None;
                report(held.ended(self.end_of(&held)));
            }
        }
    }

    /// The key of the present run, if it is one; `start` is the first sample of the latest window.
    fn key(&self, start: u64) -> Option<Held> {
        let run = &self.run;
        if !run.is_steady() || !self.is_pure() {
            return None;
        }
        let mut key = Held {
            fit: run.fits[HITS - 1],
            start: 0,
            misses: 0,
            inside: run.fits[HITS / 2],
            inside_start: start - (STEP * (HITS / 2)) as u64,
            turned: run.mean_turned(),
            last_end: self.position,
        };
        key.start = self.start_of(&key, run.start);
        (self.end_of(&key) >= key.start + SHORTEST).then_some(key)
    }

    /// The strongest pair, if the latest window is a hit.
    fn fit(&self) -> Option<Fit> {
        let tables = self.tables;
        let window = &self.history[HISTORY - WINDOW..];
        let mut energies = [0.0_f32; 6];
        for chunk in window.as_chunks::<6>().0 {
            for (energy, sample) in energies.iter_mut().zip(chunk) {
                *energy += sample * sample;
            }
        }
        let energy: f32 = energies.iter().sum();
        if energy < tables.least_energy {
            return None;
        }
        let mut sums = [0.0; 16];
        for (sample, waves) in window.iter().zip(&tables.waves) {
            for (sum, wave) in sums.iter_mut().zip(waves) {
                *sum += sample * wave;
            }
        }
        let of = |tone: usize| Complex { re: sums[2 * tone], im: sums[2 * tone + 1] };
        let strongest = |tones: std::ops::Range<usize>| {
            tones.max_by(|a, b| of(*a).power().total_cmp(&of(*b).power())).unwrap_or_default()
        };
        let (low, high) = (strongest(0..4), strongest(4..8) - 4);
        let (of_low, of_high) = (of(low), of(high + 4));
        let (tones, explained) = solve(WINDOW as f32, tables.overlap[low][high], of_low, of_high);
        tables.hit.hold(tones, explained, energy).then_some(Fit { low, high, tones })
    }

    /// Whether the pair, with its measured frequencies, explains all that lies inside the hits of the present run.
    fn is_pure(&self) -> bool {
        let run = &self.run;
        let omegas = run.fits[HITS - 1].omegas(run.mean_turned());
        let turns = omegas.map(|omega| Complex::turn(-f64::from(omega)));
        let all = &self.history[HISTORY - WINDOW - (HITS - 1) * STEP..];
        // A third of the first window and of the last may lie beside the tone.
        let inside = &all[WINDOW / 3..all.len() - WINDOW / 3];
        let one = Complex { re: 1.0, im: 0.0 };
        let (mut waves, mut sums) = ([one; 2], [Complex::default(); 2]);
        let (mut overlap, mut energy) = (Complex::default(), 0.0);
        for sample in inside {
            for tone in 0..2 {
                sums[tone] = sums[tone].plus(waves[tone].scaled(*sample));
            }
            overlap = overlap.plus(waves[0].times(waves[1].conjugate()));
            energy += sample * sample;
            waves = [waves[0].times(turns[0]), waves[1].times(turns[1])];
        }
        let (tones, explained) = solve(inside.len() as f32, overlap, sums[0], sums[1]);
        self.tables.key.hold(tones, explained, energy)
    }

    /// The first sample of a tone whose first hit is the window at `first`.
    fn start_of(&self, held: &Held, first: u64) -> u64 {
        // From inside the tone back to before its first window.
        let earliest = first.saturating_sub(2 * STEP as u64);
        let (mut best, mut at_best, mut sum) = (0.0, held.inside_start, 0.0);
        self.explain(held, (earliest..held.inside_start).rev(), |position, gain| {
            sum += gain;
            if sum > best {
                (best, at_best) = (sum, position);
            }
        });
        at_best
    }

    /// The first sample after a tone.
    fn end_of(&self, held: &Held) -> u64 {
        let latest = (held.last_end + STEP as u64).min(self.position);
        let (mut best, mut at_best, mut sum) = (0.0, held.inside_start, 0.0);
        self.explain(held, held.inside_start..latest, |position, gain| {
            sum += gain;
            if sum > best {
                (best, at_best) = (sum, position + 1);
            }
        });
        at_best
    }

    /// By how much the energy of each sample is lessened by taking the pair away. Positions that are no longer kept are
    /// left out.
    fn explain(&self, held: &Held, positions: impl Iterator<Item = u64>, mut gain: impl FnMut(u64, f32)) {
        let omegas = held.inside.omegas(held.turned);
        for position in positions {
            let back = self.position - position;
            if back > self.whole as u64 {
                continue;
            }
            let sample = self.history[HISTORY - back as usize];
            let at = position as f32 - held.inside_start as f32;
            let wave: f32 = (0..2)
                .map(|tone| {
                    let Complex { re, im } = held.inside.tones[tone];
                    let (sine, cosine) = (omegas[tone] * at).sin_cos();
                    2.0 * (re * cosine - im * sine)
                })
                .sum();
            gain(position, wave * (2.0 * sample - wave));
        }
    }
}

impl Held {
    fn ended(&self, end: u64) -> ToneEvent {
        ToneEvent::Ended { key: self.fit.key(), start: self.start, end }
    }
}

#[cfg(test)]
mod tests;
