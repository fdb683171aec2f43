use super::*;
use crate::g711::{self, Law};

/// A small seeded generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normally distributed, of variance 1.
    fn normal(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
        (sum as f64 / 65_536.0 - 2.0) * 3_f64.sqrt()
    }
}

const ALL: [char; 16] = ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];

/// A press of a key.
#[derive(Debug, Clone, Copy)]
struct Press {
    key: char,
    /// Of the low and of the high tone.
    dbm0: [f32; 2],
    /// Share by which each is beside its frequency.
    deviation: [f64; 2],
    ms: f64,
}

impl Press {
    fn new(key: char, ms: f64) -> Self {
        Self { key, dbm0: [-10.0, -10.0], deviation: [0.0, 0.0], ms }
    }

    fn samples(&self) -> usize {
        (self.ms * 8.0).round() as usize
    }

    /// Adds it to a line, whose full scale is 1, with phases of its own.
    fn add(&self, line: &mut [f64], at: usize, random: &mut Random) {
        let place = ALL.iter().position(|key| *key == self.key).expect("a key");
        for (tone, hz) in [LOW_HZ[place / 4], HIGH_HZ[place % 4]].into_iter().enumerate() {
            let omega = std::f64::consts::TAU * f64::from(hz) * (1.0 + self.deviation[tone]) / 8000.0;
            let amplitude = f64::from(crate::linear(self.dbm0[tone] - FULL_SCALE_DBM0));
            let phase = random.unit() * std::f64::consts::TAU;
            for (index, sample) in line[at..at + self.samples()].iter_mut().enumerate() {
                *sample += amplitude * (omega * index as f64 + phase).sin();
            }
        }
    }

    /// Power of both tones, 1 that of a full-scale square wave.
    fn power(&self) -> f64 {
        self.dbm0.iter().map(|dbm0| f64::from(crate::linear(dbm0 - FULL_SCALE_DBM0)).powi(2) / 2.0).sum()
    }
}

/// How a line is coded before it arrives.
#[derive(Debug, Clone, Copy)]
enum Coded {
    Linear,
    Once(Law),
    /// A-law, then µ-law, as between continents.
    Twice,
}

fn coded(line: &[f64], coded: Coded) -> Vec<i16> {
    let mut samples: Vec<i16> =
        line.iter().map(|sample| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect();
    let mut through = |law| {
        let mut octets = vec![0; samples.len()];
        g711::encode(law, &samples, &mut octets);
        g711::decode(law, &octets, &mut samples);
    };
    match coded {
        Coded::Linear => {}
        Coded::Once(law) => through(law),
        Coded::Twice => {
            through(Law::A);
            through(Law::Mu);
        }
    }
    samples
}

fn noise(line: &mut [f64], power: f64, random: &mut Random) {
    line.iter_mut().for_each(|sample| *sample += power.sqrt() * random.normal());
}

/// What a detector reports, each with its position at that time.
fn reports(samples: &[i16]) -> Vec<(ToneEvent, u64)> {
    let mut detector = DtmfDetector::new();
    let mut reports = Vec::new();
    for piece in samples.chunks(8) {
        let at = detector.position() + piece.len() as u64;
        detector.take(piece, |event| reports.push((event, at)));
    }
    reports
}

fn keys(samples: &[i16]) -> String {
    let began = |(event, _)| match event {
        ToneEvent::Began { key, .. } => Some(key),
        ToneEvent::Ended { .. } => None,
    };
    reports(samples).into_iter().filter_map(began).collect()
}

/// Silence, the press with noise this much below it, silence; and where it begins.
fn line_with(press: Press, snr_db: Option<f32>, how: Coded, random: &mut Random) -> (Vec<i16>, usize) {
    let at = 400 + (random.next() % 400) as usize;
    let mut line = vec![0.0; at + press.samples() + 600];
    press.add(&mut line, at, random);
    let power = match snr_db {
        Some(db) => press.power() * f64::from(crate::linear(-db)).powi(2),
        None => f64::from(crate::linear(-63.0 - FULL_SCALE_DBM0)).powi(2),
    };
    noise(&mut line, power, random);
    (coded(&line, how), at)
}

const HOWS: [Coded; 4] = [Coded::Linear, Coded::Once(Law::Mu), Coded::Once(Law::A), Coded::Twice];
const NOISES: [Option<f32>; 2] = [None, Some(15.0)];

/// Levels of the low and the high tone from 0 to -25 dBm0 for a twist: the high tone's level less the low one's.
fn levels(twist_db: f32) -> impl Iterator<Item = [f32; 2]> {
    let room = 25.0 - twist_db.abs();
    (0..4).map(move |step| {
        let stronger = -room * step as f32 / 3.0;
        if twist_db < 0.0 { [stronger, stronger + twist_db] } else { [stronger - twist_db, stronger] }
    })
}

#[test]
fn every_key_that_is_to_be_taken_is_taken_once_and_within_36_ms() {
    let mut random = Random(1);
    let (mut tried, mut latest, mut worst_start, mut worst_end) = (0, 0, 0, 0);
    for key in ALL {
        for twist_db in [-8.0, -7.5, -4.0, 0.0, 2.0, 4.0] {
            for dbm0 in levels(twist_db) {
                for deviation in
                    [[0.0, 0.0], [0.015, 0.015], [-0.015, -0.015], [0.015, -0.015], [-0.015, 0.015]]
                {
                    for snr_db in NOISES {
                        for how in HOWS {
                            let press = Press { dbm0, deviation, ..Press::new(key, 40.0) };
                            let (line, at) = line_with(press, snr_db, how, &mut random);
                            tried += 1;
                            let said = reports(&line);
                            let [
                                (ToneEvent::Began { key: heard, start }, when),
                                (ToneEvent::Ended { end, .. }, _),
                            ] = said[..]
                            else {
                                panic!("{press:?}, {snr_db:?}, {how:?}: {said:?}");
                            };
                            assert_eq!(heard, key, "{press:?}, {snr_db:?}, {how:?}");
                            latest = latest.max(when - at as u64);
                            worst_start = worst_start.max(start.abs_diff(at as u64));
                            worst_end = worst_end.max(end.abs_diff((at + 320) as u64));
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tried, 16 * 6 * 4 * 5 * 2 * 4);
    assert!(latest <= 36 * 8, "certain after {latest} samples");
    assert!(worst_start <= 24, "the start is off by {worst_start} samples");
    assert!(worst_end <= 24, "the end is off by {worst_end} samples");
}

#[test]
fn what_is_to_be_refused_is_refused() {
    let mut random = Random(2);
    let mut refuse = |press: Press, snr_db, how, why: &str| {
        let (line, _) = line_with(press, snr_db, how, &mut random);
        assert_eq!(keys(&line), "", "{why}: {press:?}, {snr_db:?}, {how:?}");
    };
    for key in ALL {
        for snr_db in NOISES {
            for how in HOWS {
                for twist_db in [-8.0, 0.0, 4.0] {
                    for dbm0 in levels(twist_db) {
                        for ms in [5.0, 10.0, 15.0, 20.0, 23.0] {
                            refuse(Press { dbm0, ..Press::new(key, ms) }, snr_db, how, "too short");
                        }
                        for deviation in [
                            [0.035, 0.0],
                            [-0.035, 0.0],
                            [0.0, 0.035],
                            [0.0, -0.035],
                            [0.035, 0.035],
                            [-0.035, -0.035],
                            [0.035, -0.015],
                            [0.015, -0.035],
                        ] {
                            refuse(
                                Press { dbm0, deviation, ..Press::new(key, 100.0) },
                                snr_db,
                                how,
                                "beside it",
                            );
                        }
                    }
                }
                for dbm0 in [[-5.0, -17.5], [-10.0, -22.5], [-13.0, -5.0], [-18.0, -9.0]] {
                    refuse(Press { dbm0, ..Press::new(key, 100.0) }, snr_db, how, "too much twist");
                }
                refuse(Press { dbm0: [-36.0, -36.0], ..Press::new(key, 100.0) }, snr_db, how, "too faint");
                // One tone alone, and noise.
                refuse(Press { dbm0: [-6.0, -90.0], ..Press::new(key, 100.0) }, snr_db, how, "no high tone");
                refuse(Press { dbm0: [-90.0, -6.0], ..Press::new(key, 100.0) }, snr_db, how, "no low tone");
            }
        }
    }
}

#[test]
fn an_interruption_of_10_ms_is_one_key_and_a_pause_of_40_ms_makes_two() {
    let mut random = Random(3);
    for key in ALL {
        for how in HOWS {
            for snr_db in [60.0_f32, 15.0] {
                for (gap, expected) in [(5, 1), (10, 1), (40, 2), (50, 2), (70, 2)] {
                    let press = Press::new(key, 40.0 + random.unit() * 20.0);
                    let at = 400 + (random.next() % 200) as usize;
                    let second = at + press.samples() + gap * 8;
                    let mut line = vec![0.0; second + press.samples() + 600];
                    press.add(&mut line, at, &mut random);
                    press.add(&mut line, second, &mut random);
                    let power = press.power() * f64::from(crate::linear(-snr_db)).powi(2);
                    noise(&mut line, power, &mut random);
                    let heard = keys(&coded(&line, how));
                    assert_eq!(
                        heard,
                        key.to_string().repeat(expected),
                        "{gap} ms, {press:?}, {how:?}, {snr_db} dB"
                    );
                }
            }
        }
    }
}

#[test]
fn a_number_dialled_as_fast_as_allowed_is_read_whole() {
    let mut random = Random(4);
    for _ in 0..50 {
        let number: String = (0..20).map(|_| ALL[(random.next() % 16) as usize]).collect();
        let mut line = vec![0.0; 20 * 640 + 1000];
        for (place, key) in number.chars().enumerate() {
            Press::new(key, 40.0).add(&mut line, 300 + place * 640, &mut random);
        }
        noise(&mut line, Press::new('1', 40.0).power() * 0.01, &mut random);
        assert_eq!(keys(&coded(&line, Coded::Once(Law::A))), number);
    }
}

#[test]
fn a_tone_is_suspected_within_15_ms_and_from_no_later_than_its_start() {
    let mut random = Random(5);
    let mut latest = 0;
    for key in ALL {
        for snr_db in NOISES {
            for _ in 0..20 {
                let (line, at) = line_with(Press::new(key, 60.0), snr_db, Coded::Once(Law::A), &mut random);
                let mut detector = DtmfDetector::new();
                let mut since = None;
                for piece in line.chunks(8) {
                    detector.take(piece, |_| {});
                    since = since.or(detector.suspected_since().map(|since| (since, detector.position())));
                }
                let (since, when) = since.expect("suspected");
                assert!(since <= at as u64 + 24 && since + 120 > at as u64, "{since} for {at}");
                latest = latest.max(when - at as u64);
            }
        }
    }
    assert!(latest <= 15 * 8, "suspected after {latest} samples");
}

#[test]
fn lost_packets_neither_end_a_key_nor_make_one() {
    let mut random = Random(6);
    let press = Press::new('7', 200.0);
    let (line, at) = line_with(press, None, Coded::Once(Law::Mu), &mut random);
    for lost in [160, 320, 480] {
        let mut detector = DtmfDetector::new();
        let mut said = Vec::new();
        let cut = at + 480;
        detector.take(&line[..cut], |event| said.push(event));
        detector.skip(lost, |event| said.push(event));
        detector.take(&line[cut + lost as usize..], |event| said.push(event));
        assert!(
            matches!(said[..], [ToneEvent::Began { key: '7', .. }, ToneEvent::Ended { key: '7', end, .. }]
                if end.abs_diff((at + 1600) as u64) <= 8),
            "{lost}: {said:?}"
        );
    }
    // Longer than that, it has ended where it was last heard.
    let mut detector = DtmfDetector::new();
    let mut said = Vec::new();
    detector.take(&line[..at + 480], |event| said.push(event));
    detector.skip(800, |event| said.push(event));
    assert!(matches!(said[..], [ToneEvent::Began { .. }, ToneEvent::Ended { .. }]), "{said:?}");
    assert_eq!(detector.held(), None);
    assert_eq!(detector.position(), (at + 480 + 800) as u64);
}

/// A voice: pulses of a moving pitch through two formants that move among the very frequencies of the keys.
fn voice(seconds: usize, random: &mut Random) -> Vec<i16> {
    let mut out = Vec::with_capacity(seconds * 8000);
    let mut most: f64 = 0.0;
    let mut states = [[0.0_f64; 2]; 3];
    let (mut phase, mut at) = (0.0, [700.0, 1400.0, 2600.0]);
    for _ in 0..seconds * 5 {
        // Syllables of 200 ms, some of them steady vowels.
        let pitch = 80.0 + random.unit() * 220.0;
        let drift = (random.unit() - 0.5) * if random.unit() < 0.3 { 0.0 } else { 0.4 };
        let to =
            [600.0 + random.unit() * 450.0, 1100.0 + random.unit() * 650.0, 2400.0 + random.unit() * 900.0];
        let from = if random.unit() < 0.5 { to } else { at };
        let breath = random.unit() * 0.05;
        let loud = 0.1 + random.unit();
        for index in 0..1600 {
            let share = index as f64 / 1600.0;
            phase += pitch * (1.0 + drift * share) / 8000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let mut sample = pulse + breath * random.normal();
            for (formant, state) in states.iter_mut().enumerate() {
                let hz = from[formant] + (to[formant] - from[formant]) * share;
                let radius = 1.0 - std::f64::consts::PI * (50.0 + 20.0 * formant as f64) / 8000.0;
                let next = sample * (1.0 - radius)
                    + 2.0 * radius * (std::f64::consts::TAU * hz / 8000.0).cos() * state[0]
                    - radius * radius * state[1];
                *state = [next, state[0]];
                sample = sample * 0.3 + next * 3.0;
            }
            let envelope = (share * 8.0).min(1.0) * ((1.0 - share) * 8.0).min(1.0);
            out.push(sample * loud * envelope);
            most = most.max(out[out.len() - 1].abs());
        }
        at = to;
    }
    out.into_iter().map(|sample| (sample / most * 28_000.0) as i16).collect()
}

#[test]
fn a_voice_is_no_key() {
    let mut random = Random(7);
    let mut detector = DtmfDetector::new();
    let (mut suspected, mut pieces) = (0, 0);
    for _ in 0..30 {
        let voice = voice(20, &mut random);
        for piece in voice.chunks(40) {
            detector.take(piece, |event| panic!("{event:?} in a voice"));
            suspected += u64::from(detector.suspected_since().is_some());
            pieces += 1;
        }
    }
    assert!(suspected * 100 < pieces, "suspected in {suspected} of {pieces} windows");
}

#[test]
fn tones_of_the_network_are_no_keys() {
    // Dial, ringing, busy and special tones of the world, alone and in pairs; fax and modem tones.
    let pairs: [[f32; 2]; 12] = [
        [350.0, 440.0],
        [440.0, 480.0],
        [480.0, 620.0],
        [425.0, 425.0],
        [400.0, 450.0],
        [950.0, 1400.0],
        [1400.0, 1800.0],
        [1100.0, 2100.0],
        [941.0, 1004.0],
        [700.0, 1100.0],
        [900.0, 1500.0],
        [1100.0, 1300.0],
    ];
    for pair in pairs {
        for level in [-6.0, -13.0, -22.0] {
            let sample = |at: usize| {
                let wave = |hz: f32| (std::f64::consts::TAU * f64::from(hz) * at as f64 / 8000.0).sin();
                f64::from(crate::linear(level - FULL_SCALE_DBM0)) * (wave(pair[0]) + wave(pair[1]))
            };
            let line: Vec<f64> = (0..8000).map(sample).collect();
            assert_eq!(keys(&coded(&line, Coded::Once(Law::A))), "", "{pair:?} at {level}");
        }
    }
}

#[test]
fn any_samples_in_pieces_of_any_size_are_taken() {
    let mut random = Random(8);
    let line: Vec<i16> = (0..40_000)
        .map(|index| match index / 4000 % 4 {
            0 => random.next() as i16,
            1 => i16::MIN,
            2 => i16::MAX,
            _ => 0,
        })
        .collect();
    let mut whole = DtmfDetector::new();
    let mut said = Vec::new();
    whole.take(&line, |event| said.push(event));
    let mut pieces = DtmfDetector::new();
    let mut said_of_pieces = Vec::new();
    let mut rest = &line[..];
    while !rest.is_empty() {
        let (now, later) = rest.split_at((1 + random.next() as usize % 700).min(rest.len()));
        pieces.take(now, |event| said_of_pieces.push(event));
        rest = later;
    }
    assert_eq!(said, said_of_pieces);
    assert_eq!((whole.position(), pieces.position()), (40_000, 40_000));
    pieces.skip(u32::MAX, |_| {});
    pieces.take(&line[..1000], |_| {});
}
