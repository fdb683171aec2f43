//! The buffer under paths and senders that change in mid-stream, in virtual time and with continuous sound unless
//! stated.

use plenary_rtp::{
    jitter::{Frame, JitterBuffer, JitterConfig, JitterCounters, Tempo},
    packet::Header,
};

const MS: u64 = 1_000_000;
const START: u64 = 10_000 * MS;
/// A tick every 20 ms, starting at each of these distances from the first packet.
const PHASES_MS: [u64; 4] = [1, 7, 13, 19];

#[derive(Debug, Clone, Copy)]
struct Sent {
    sequence: u16,
    timestamp: u32,
    /// After the first packet.
    arrives_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Tick {
    /// Heard this long after it arrived, in ms.
    Heard(f64),
    Concealed,
    Nothing,
}

struct Run {
    ticks: Vec<Tick>,
    counters: JitterCounters,
    heard: usize,
}

impl Run {
    /// Frames concealed in the ticks of these seconds.
    fn concealed(&self, from_s: f64, to_s: f64) -> usize {
        self.between(from_s, to_s).iter().filter(|tick| **tick == Tick::Concealed).count()
    }

    /// The longest wait in the ticks of these seconds.
    fn wait_ms(&self, from_s: f64, to_s: f64) -> f64 {
        let wait = |tick: &Tick| if let Tick::Heard(wait) = tick { *wait } else { 0.0 };
        self.between(from_s, to_s).iter().map(wait).fold(0.0, f64::max)
    }

    fn silent(&self, from_s: f64, to_s: f64) -> usize {
        self.between(from_s, to_s).iter().filter(|tick| !matches!(tick, Tick::Heard(_))).count()
    }

    fn between(&self, from_s: f64, to_s: f64) -> &[Tick] {
        let tick = |seconds: f64| ((seconds * 50.0) as usize).min(self.ticks.len());
        &self.ticks[tick(from_s)..tick(to_s)]
    }
}

/// Plays packets of `samples` for this long.
fn play(packets: &[Sent], samples: u32, seconds: f64, phase_ms: u64, is_quiet: impl Fn(f64) -> bool) -> Run {
    play_to(packets, samples, seconds, phase_ms, is_quiet, false)
}

/// The same; `follows`: with a consumer that follows every request to stretch time.
fn play_to(
    packets: &[Sent],
    samples: u32,
    seconds: f64,
    phase_ms: u64,
    is_quiet: impl Fn(f64) -> bool,
    follows: bool,
) -> Run {
    let mut order = packets.to_vec();
    order.sort_by(|a, b| a.arrives_ms.total_cmp(&b.arrives_ms));
    let mut arrivals = order.iter().peekable();
    let arrival_ns = |sent: &Sent| START + (sent.arrives_ms * MS as f64) as u64;
    let mut buffer = JitterBuffer::new(JitterConfig::G711);
    buffer.set_follows_tempo(follows);
    let mut run = Run { ticks: Vec::new(), counters: JitterCounters::default(), heard: 0 };
    let mut waiting = 0;
    for tick in 0..(seconds * 50.0) as u64 {
        let now = START + (phase_ms + tick * 20) * MS;
        while let Some(sent) = arrivals.next_if(|sent| arrival_ns(sent) <= now) {
            let header =
                Header { sequence: sent.sequence, timestamp: sent.timestamp, ssrc: 7, ..Header::default() };
            buffer.push(&header, &vec![1; samples as usize], samples, arrival_ns(sent));
        }
        buffer.set_quiet(is_quiet(tick as f64 / 50.0));
        let mut this = Tick::Heard(0.0);
        let mut faster = None;
        while waiting < if faster.is_some() { 320 } else { 160 } {
            match buffer.pull(now + waiting * 125_000) {
                Frame::Packet { sequence, samples, tempo, .. } => {
                    let came = packets
                        .iter()
                        .filter(|sent| sent.sequence == sequence)
                        .map(arrival_ns)
                        .min()
                        .expect("it was sent");
                    this = Tick::Heard((now + waiting * 125_000 - came) as f64 / MS as f64);
                    waiting += u64::from(samples);
                    run.heard += 1;
                    match tempo {
                        Tempo::Even => {}
                        Tempo::Faster { .. } => faster = Some(tempo),
                        Tempo::Slower { .. } => {
                            waiting += 160;
                            buffer.changed_tempo(tempo);
                        }
                    }
                }
                Frame::Missing { samples, .. } => {
                    this = Tick::Concealed;
                    waiting += u64::from(samples);
                }
                Frame::Nothing => {
                    this = Tick::Nothing;
                    waiting = 160;
                }
            }
        }
        if let Some(tempo) = faster {
            waiting -= 160;
            buffer.changed_tempo(tempo);
        }
        waiting -= 160;
        run.ticks.push(this);
    }
    run.counters = buffer.counters();
    run
}

/// A sequence of packets of 20 ms; `change` may move them.
fn stream(packets: u32, change: impl Fn(u32, &mut Sent)) -> Vec<Sent> {
    (0..packets)
        .map(|place| {
            let mut sent = Sent {
                sequence: 65_400_u16.wrapping_add(place as u16),
                timestamp: (u32::MAX - 3000).wrapping_add(place * 160),
                arrives_ms: f64::from(place) * 20.0,
            };
            change(place, &mut sent);
            sent
        })
        .collect()
}

const NEVER: fn(f64) -> bool = |_| false;

#[test]
fn a_path_that_becomes_longer_costs_one_gap() {
    for step_ms in [40.0, 80.0, 120.0, 180.0, 300.0, 700.0, 1900.0] {
        for phase in PHASES_MS {
            let packets =
                stream(600, |place, sent| sent.arrives_ms += f64::from(u8::from(place >= 150)) * step_ms);
            let run = play(&packets, 160, 12.0, phase, NEVER);
            let over = 3.0 + step_ms / 1000.0 + 0.1;
            let gap = run.silent(2.9, over);
            assert!(gap as f64 <= step_ms / 20.0 + 2.0, "{step_ms} ms at {phase}: {gap} frames");
            assert_eq!(run.silent(over, 12.0), 0, "{step_ms} ms at {phase}: after the gap");
            assert_eq!(run.counters.skipped, 0, "{step_ms} ms at {phase}");
            assert!(run.wait_ms(over, 12.0) <= 41.0, "{step_ms} ms at {phase}: {}", run.wait_ms(over, 12.0));
        }
    }
}

#[test]
fn timestamps_that_stand_still_in_pauses_cost_nothing_but_the_pause() {
    // Half a second of sound, then silence during which the timestamps stand still.
    for pause_ms in [60.0, 100.0, 300.0, 500.0, 1000.0, 1900.0] {
        for phase in PHASES_MS {
            let packets = stream(500, |place, sent| sent.arrives_ms += f64::from(place / 25) * pause_ms);
            let seconds = 10.0 + 20.0 * pause_ms / 1000.0;
            let run = play(&packets, 160, seconds, phase, NEVER);
            assert!(run.heard >= 498, "{pause_ms} ms at {phase}: {} of 500 heard", run.heard);
            assert!(run.wait_ms(0.0, seconds) <= 41.0, "{pause_ms}, {phase}: {}", run.wait_ms(0.0, seconds));
        }
    }
}

#[test]
fn what_a_stalled_path_held_back_does_not_stay_as_delay() {
    for stall_ms in [100.0, 200.0, 400.0, 900.0] {
        for phase in PHASES_MS {
            let packets = stream(900, |place, sent| {
                let released = 3000.0 + stall_ms;
                if (3000.0..released).contains(&sent.arrives_ms) {
                    sent.arrives_ms = released;
                }
                let _ = place;
            });
            let run = play(&packets, 160, 18.0, phase, NEVER);
            let over = 3.0 + stall_ms / 1000.0 + 0.1;
            assert_eq!(run.concealed(over, 18.0), 0, "{stall_ms} ms at {phase}");
            assert!(
                run.wait_ms(over + 1.0, 18.0) <= 201.0,
                "{stall_ms}, {phase}: {}",
                run.wait_ms(over, 18.0)
            );
            assert!(
                run.wait_ms(over + 8.0, 18.0) <= 41.0,
                "{stall_ms}, {phase}: {}",
                run.wait_ms(over + 8.0, 18.0)
            );
        }
    }
}

#[test]
fn packets_that_are_overtaken_are_heard_after_the_first_two_seconds() {
    for nth in [2, 3, 10] {
        for behind_ms in [0.05, 5.0, 25.0, 45.0] {
            for phase in PHASES_MS {
                let packets = stream(500, |place, sent| {
                    if place % nth == 1 {
                        sent.arrives_ms += 20.0 + behind_ms;
                    }
                });
                let run = play(&packets, 160, 10.0, phase, NEVER);
                let what = format!("every {nth}th, {behind_ms} ms behind, at {phase}");
                assert!(run.concealed(0.0, 10.0) <= 10, "{what}: {}", run.concealed(0.0, 10.0));
                assert_eq!(run.concealed(2.0, 10.0), 0, "{what}");
                let deeper = 41.0 + 20.0 + behind_ms;
                assert!(run.wait_ms(2.0, 10.0) <= deeper, "{what}: {}", run.wait_ms(2.0, 10.0));
            }
        }
    }
}

#[test]
fn with_tempo_the_delay_grows_without_concealing_and_shrinks_without_leaving_out() {
    for phase in PHASES_MS {
        // From the fifth second on every third packet is 70 ms late, until the tenth.
        let packets = stream(1500, |place, sent| {
            if (250..500).contains(&place) && place % 3 == 0 {
                sent.arrives_ms += 70.0;
            }
        });
        let run = play_to(&packets, 160, 30.0, phase, NEVER, true);
        let counters = run.counters;
        // The first two cannot be foreseen: a single late packet is dropped. A third is in flight by then.
        assert!(run.concealed(0.0, 29.9) <= 8 && run.concealed(6.0, 29.9) == 0, "{phase}: {counters:?}");
        assert!(counters.late <= 3, "{phase}: {counters:?}");
        assert!(run.heard as u64 + counters.late >= 1499 && counters.skipped == 0, "{phase}: {counters:?}");
        assert!(counters.put_in >= 1 && counters.taken_out >= 1, "{phase}: {counters:?}");
        assert!(run.wait_ms(0.0, 5.0) <= 41.0 && run.wait_ms(24.0, 29.9) <= 41.0, "{phase}");
    }
}

#[test]
fn timestamps_that_step_back_are_a_new_time_base() {
    for step_ms in [20, 250, 500, 1000, 2000, 20_000] {
        for pause_ms in [0.0, 40.0, 300.0, 2000.0] {
            for phase in PHASES_MS {
                let packets = stream(500, |place, sent| {
                    if place >= 150 {
                        sent.timestamp = sent.timestamp.wrapping_sub(step_ms * 8);
                        sent.arrives_ms += pause_ms;
                    }
                });
                let run = play(&packets, 160, 10.0, phase, NEVER);
                let what = format!("{step_ms} ms back after {pause_ms} ms, at {phase}");
                let back = 3.0 + pause_ms / 1000.0;
                assert!(run.silent(back, back + 0.3) <= 2, "{what}: {}", run.silent(back, back + 0.3));
                assert_eq!(run.silent(back + 0.2, 10.0), 0, "{what}");
                assert!(run.wait_ms(back, 10.0) <= 41.0, "{what}: {}", run.wait_ms(back, 10.0));
                assert!(run.counters.late + run.counters.skipped <= 1, "{what}: {:?}", run.counters);
            }
        }
    }
}

#[test]
fn packets_around_a_step_back_that_overtake_each_other_keep_their_order() {
    let packets = stream(300, |place, sent| {
        if place >= 150 {
            sent.timestamp = sent.timestamp.wrapping_sub(4000);
        }
        // The last packet of the old time base, and the first of the new one, arrive late.
        if place == 149 || place == 150 {
            sent.arrives_ms += 25.0;
        }
    });
    for phase in PHASES_MS {
        let run = play(&packets, 160, 6.0, phase, NEVER);
        assert!(run.silent(0.0, 6.0) <= 4, "{phase}: {}", run.silent(0.0, 6.0));
        assert!(run.heard >= 298, "{phase}: {}", run.heard);
    }
}

#[test]
fn timestamps_that_leap_ahead_do_not_add_up_to_delay() {
    // In each pause the timestamps run ahead of real time.
    for ahead_ms in [6, 30, 100, 5000] {
        for pause_ms in [0.0, 40.0, 200.0, 700.0] {
            for phase in PHASES_MS {
                let packets = stream(750, |place, sent| {
                    let pauses = place / 25;
                    sent.arrives_ms += f64::from(pauses) * pause_ms;
                    sent.timestamp = sent.timestamp.wrapping_add(pauses * (pause_ms as u32 + ahead_ms) * 8);
                });
                let seconds = 15.0 + 30.0 * pause_ms / 1000.0;
                let run = play(&packets, 160, seconds, phase, NEVER);
                let what = format!("{ahead_ms} ms ahead in pauses of {pause_ms} ms, at {phase}");
                assert!(run.heard >= 748, "{what}: {} of 750", run.heard);
                assert!(run.wait_ms(0.0, seconds) <= 46.0, "{what}: {}", run.wait_ms(0.0, seconds));
            }
        }
    }
}

#[test]
fn an_honest_pause_is_as_long_as_its_timestamps_say() {
    // Speech with pauses in which nothing is sent, over 30 ms of jitter.
    let jitter = |place: u32| f64::from((place.wrapping_mul(2_654_435_761) >> 16) % 300) / 10.0;
    let packets = stream(1500, |place, sent| {
        let pauses = place / 50;
        sent.arrives_ms += f64::from(pauses) * 400.0 + jitter(place);
        sent.timestamp = sent.timestamp.wrapping_add(pauses * 3200);
    });
    for phase in PHASES_MS {
        let run = play(&packets, 160, 42.0, phase, NEVER);
        assert!(run.heard >= 1495, "{phase}: {} of 1500", run.heard);
        assert!(run.wait_ms(5.0, 42.0) <= 80.0, "{phase}: {}", run.wait_ms(5.0, 42.0));
    }
}

#[test]
fn packets_of_every_length_that_telephones_send_are_heard() {
    // RFC 3551, 4.2: a receiver should take 0 to 200 ms.
    let buffer = JitterBuffer::new(JitterConfig::G711);
    assert!(buffer.takes(1600) && !buffer.takes(1601));
    for ms in [5_u32, 10, 25, 70, 75, 80, 100, 120, 150, 160, 200] {
        let packets: Vec<Sent> = (0..6000 / ms)
            .map(|place| Sent {
                sequence: place as u16,
                timestamp: place * ms * 8,
                arrives_ms: f64::from(place * ms),
            })
            .collect();
        for phase in PHASES_MS {
            let run = play(&packets, ms * 8, 6.0 + 0.4, phase, NEVER);
            assert_eq!(run.heard, packets.len(), "{ms} ms at {phase}: {:?}", run.counters);
            assert_eq!(run.concealed(0.0, 5.5), 0, "{ms} ms at {phase}");
        }
    }
}

#[test]
fn a_packet_that_comes_twice_is_a_duplicate_whether_played_or_not() {
    for behind_ms in [0.1, 15.0, 35.0, 100.0, 400.0] {
        let mut packets = stream(500, |_, _| {});
        let again: Vec<Sent> =
            packets.iter().map(|sent| Sent { arrives_ms: sent.arrives_ms + behind_ms, ..*sent }).collect();
        packets.extend(again);
        for phase in PHASES_MS {
            let run = play(&packets, 160, 12.0, phase, NEVER);
            let counters = run.counters;
            assert_eq!((counters.duplicate, counters.late), (500, 0), "{behind_ms} ms behind, at {phase}");
            assert_eq!((run.heard, run.silent(0.0, 9.9)), (500, 0), "{behind_ms} ms behind, at {phase}");
        }
    }
}
