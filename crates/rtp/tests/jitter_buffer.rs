//! The jitter buffer over whole streams, in virtual time.

use plenary_rtp::{
    jitter::{Frame, JitterBuffer, JitterConfig, JitterCounters, Pushed, Tempo},
    packet::Header,
};
use proptest::prelude::*;

const MS: u64 = 1_000_000;
/// Virtual time starts here, so that early arrivals need no negative numbers.
const START: u64 = 10_000 * MS;

/// A packet in flight: its place in the stream is also its payload.
#[derive(Debug, Clone, Copy)]
struct Sent {
    place: u32,
    arrives_ns: u64,
}

/// What a listener heard.
#[derive(Debug, Default)]
struct Heard {
    /// Places of the packets in the order they were played.
    places: Vec<u32>,
    /// From arrival to playout, in milliseconds.
    waits_ms: Vec<f64>,
    /// Frames concealed before the last packet; everything after it is the end of the stream.
    missing: usize,
    counters: JitterCounters,
}

struct Stream {
    samples: u32,
    first_sequence: u16,
    first_timestamp: u32,
}

const STREAM: Stream = Stream { samples: 160, first_sequence: 65_000, first_timestamp: u32::MAX - 50_000 };

impl Stream {
    fn header(&self, place: u32) -> Header {
        Header {
            sequence: self.first_sequence.wrapping_add(place as u16),
            timestamp: self.first_timestamp.wrapping_add(place * self.samples),
            ssrc: 7,
            ..Header::default()
        }
    }

    fn push(&self, buffer: &mut JitterBuffer, sent: Sent) -> Pushed {
        let mut payload = vec![0; self.samples as usize];
        payload[..4].copy_from_slice(&sent.place.to_be_bytes());
        buffer.push(&self.header(sent.place), &payload, self.samples, sent.arrives_ns)
    }

    /// Plays the packets with a tick every 20 ms, the first `phase_ns` after the start.
    fn play(&self, packets: &[Sent], ticks: u64, phase_ns: u64) -> Heard {
        let mut order: Vec<Sent> = packets.to_vec();
        order.sort_by_key(|sent| sent.arrives_ns);
        let mut arrivals = order.iter().peekable();
        let mut buffer = JitterBuffer::new(JitterConfig::G711);
        buffer.set_quiet(false);
        let mut heard = Heard::default();
        let (mut held, mut missing) = (0, 0);
        for tick in 0..ticks {
            let now = START + phase_ns + tick * 20 * MS;
            while let Some(sent) = arrivals.next_if(|sent| sent.arrives_ns <= now) {
                self.push(&mut buffer, *sent);
            }
            while held < 160 {
                match buffer.pull(now + u64::from(held) * 125_000) {
                    Frame::Packet { payload, samples, .. } => {
                        let place = u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]);
                        heard.places.push(place);
                        let arrived =
                            packets.iter().find(|sent| sent.place == place).expect("it was sent").arrives_ns;
                        heard.waits_ms.push((now + u64::from(held) * 125_000 - arrived) as f64 / MS as f64);
                        heard.missing = missing;
                        held += samples;
                    }
                    Frame::Missing { samples, .. } => {
                        missing += 1;
                        held += samples;
                    }
                    Frame::Nothing => held = 160,
                }
                buffer.set_quiet(false);
            }
            held -= 160;
        }
        heard.counters = buffer.counters();
        heard
    }
}

fn on_time(places: u32, ms: u32, delay_ns: impl Fn(u32) -> u64) -> Vec<Sent> {
    (0..places)
        .map(|place| Sent {
            place,
            arrives_ns: START + u64::from(place) * u64::from(ms) * MS + delay_ns(place),
        })
        .collect()
}

#[test]
fn on_a_clean_network_nothing_waits_for_more_than_the_next_tick() {
    for phase_ms in [1, 2, 7, 13, 19] {
        let heard = STREAM.play(&on_time(500, 20, |_| 0), 502, phase_ms * MS);
        assert_eq!(heard.places, (0..500).collect::<Vec<_>>());
        let longest = heard.waits_ms.iter().copied().fold(0.0, f64::max);
        assert!(longest <= 21.0, "phase {phase_ms} ms: {longest} ms");
        assert_eq!(heard.counters.skipped, 0);
    }
}

#[test]
fn packets_of_every_usual_length_play_through_without_a_gap() {
    for ms in [10, 20, 30, 40, 60] {
        let stream = Stream { samples: ms * 8, ..STREAM };
        let heard = stream.play(&on_time(300, ms, |_| 0), u64::from(300 * ms / 20) + 5, 5 * MS);
        assert_eq!(heard.places, (0..300).collect::<Vec<_>>(), "{ms} ms");
        assert_eq!(heard.missing, 0, "{ms} ms");
    }
}

#[test]
fn a_lost_packet_costs_one_frame_and_no_delay() {
    let mut packets = on_time(400, 20, |_| 0);
    packets.retain(|sent| sent.place % 50 != 30);
    let heard = STREAM.play(&packets, 400, 10 * MS);
    assert_eq!(heard.places.len(), packets.len());
    assert_eq!(heard.missing, 8);
    assert!(heard.waits_ms.last().is_some_and(|wait| *wait <= 20.0));
}

#[test]
fn packets_that_overtake_each_other_are_put_in_order() {
    // Pairs are swapped: each even packet comes 25 ms late.
    let heard = STREAM.play(&on_time(1000, 20, |place| u64::from(place % 2 == 0) * 25 * MS), 1010, 10 * MS);
    assert!(heard.places.is_sorted());
    assert!(heard.places.len() > 985, "{} of 1000", heard.places.len());
}

#[test]
fn a_single_straggler_does_not_make_the_delay_grow() {
    let heard = STREAM.play(&on_time(600, 20, |place| u64::from(place == 400) * 30 * MS), 601, 10 * MS);
    assert!(heard.missing <= 2, "{}", heard.missing);
    assert!(heard.waits_ms.last().is_some_and(|wait| *wait <= 11.0), "{:?}", heard.waits_ms.last());
}

#[test]
fn the_delay_grows_with_jitter_and_shrinks_when_it_is_over() {
    // A minute of up to 60 ms of jitter between two clean ones.
    let jittery = |place: u32| {
        let noise = u64::from(place.wrapping_mul(2_654_435_761) >> 16) % 60;
        u64::from((3000..6000).contains(&place)) * noise * MS
    };
    let heard = STREAM.play(&on_time(9000, 20, jittery), 9002, 10 * MS);
    let wait = |from: usize, to: usize| {
        let part: Vec<f64> = heard
            .places
            .iter()
            .zip(&heard.waits_ms)
            .filter(|(place, _)| (from..to).contains(&(**place as usize)))
            .map(|(_, wait)| *wait)
            .collect();
        part.iter().sum::<f64>() / part.len() as f64
    };
    assert!(wait(1000, 2900) < 12.0, "clean: {}", wait(1000, 2900));
    assert!((25.0..80.0).contains(&wait(4000, 6000)), "jittery: {}", wait(4000, 6000));
    assert!(wait(7000, 9000) < 32.0, "clean again: {}", wait(7000, 9000));
    let lost_to_listeners = 3000 - heard.places.iter().filter(|place| (3000..6000).contains(*place)).count();
    assert!(lost_to_listeners < 60, "{lost_to_listeners} of 3000 packets were not heard");
}

#[test]
fn three_percent_of_loss_with_20_ms_of_jitter_cost_little_more_than_the_loss() {
    // Delays of 0 to 20 ms, most of them short, and one packet in 33 lost; the same every time.
    let noise = |place: u32| u64::from(place.wrapping_add(77).wrapping_mul(2_654_435_761) >> 12);
    let jitter = |place: u32| (noise(place) % 1000) * (noise(place + 7919) % 1000) * 20;
    let mut packets = on_time(3000, 20, jitter);
    packets.retain(|sent| noise(sent.place + 31) % 33 != 0);
    let lost = 3000 - packets.len();
    let heard = STREAM.play(&packets, 3010, 10 * MS);
    assert!((60..120).contains(&lost), "{lost}");
    assert!(heard.places.is_sorted());
    assert!(heard.missing < lost + 60, "{} frames concealed for {lost} lost packets", heard.missing);
    assert!(
        packets.len() - heard.places.len() < 45,
        "{} came but were not heard",
        packets.len() - heard.places.len()
    );
    let mean = heard.waits_ms.iter().sum::<f64>() / heard.waits_ms.len() as f64;
    assert!(mean < 30.0, "{mean} ms");
}

#[test]
fn an_hour_of_drift_in_either_direction_costs_a_frame_a_minute_and_no_delay() {
    for ppm in [-300_i64, 300] {
        let packets: Vec<Sent> = (0..180_000_u32)
            .map(|place| {
                let nominal = i64::from(place) * 20 * MS as i64;
                Sent { place, arrives_ns: (START as i64 + nominal + nominal / 1_000_000 * ppm) as u64 }
            })
            .collect();
        // Finding a packet by its place is fast only if the search starts there.
        let mut buffer = JitterBuffer::new(JitterConfig::G711);
        let (mut next, mut played, mut missing, mut longest) = (0, 0_u32, 0_u32, 0);
        for tick in 0..179_900_u64 {
            let now = START + 10 * MS + tick * 20 * MS;
            while next < packets.len() && packets[next].arrives_ns <= now {
                STREAM.push(&mut buffer, packets[next]);
                next += 1;
            }
            match buffer.pull(now) {
                Frame::Packet { payload, .. } => {
                    let place = u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]) as usize;
                    longest = longest.max(now - packets[place].arrives_ns);
                    played += 1;
                }
                Frame::Missing { .. } => missing += 1,
                Frame::Nothing => {}
            }
            buffer.set_quiet(false);
        }
        let counters = buffer.counters();
        // 300 ppm of an hour are 54 frames.
        assert!(
            u64::from(missing) + counters.skipped + counters.late <= 120,
            "{ppm}: {missing} {counters:?}"
        );
        assert!(played > 179_700, "{ppm}: {played}");
        assert!(longest <= 45 * MS, "{ppm}: {longest} ns");
    }
}

#[test]
fn a_pause_of_the_sender_is_silence_and_not_loss() {
    let mut buffer = JitterBuffer::new(JitterConfig::G711);
    let header = |sequence: u16, timestamp: u32| Header { sequence, timestamp, ssrc: 1, ..Header::default() };
    for place in 0..50_u16 {
        buffer.push(
            &header(place, u32::from(place) * 160),
            &[0; 160],
            160,
            START + u64::from(place) * 20 * MS,
        );
        assert!(matches!(buffer.pull(START + u64::from(place) * 20 * MS + 10 * MS), Frame::Packet { .. }));
    }
    // Two seconds of nothing, then the next number with a timestamp two seconds on.
    let mut made_up = 0;
    for tick in 50..150_u64 {
        made_up += u32::from(matches!(buffer.pull(START + tick * 20 * MS + 10 * MS), Frame::Missing { .. }));
    }
    assert!(made_up <= 5, "{made_up}");
    assert_eq!(buffer.push(&header(50, 150 * 160), &[0; 160], 160, START + 150 * 20 * MS), Pushed::Kept);
    let frame = buffer.pull(START + 150 * 20 * MS + 10 * MS);
    assert!(matches!(frame, Frame::Packet { joins: true, .. }), "{frame:?}");
}

#[test]
fn a_pause_within_the_buffer_lasts_as_long_as_the_timestamps_say() {
    let mut buffer = JitterBuffer::new(JitterConfig::G711);
    let header = |sequence: u16, timestamp: u32| Header { sequence, timestamp, ssrc: 1, ..Header::default() };
    // Both packets come at once, the second is to be heard 60 ms after the first has ended.
    buffer.push(&header(0, 0), &[0; 160], 160, START);
    buffer.push(&header(1, 640), &[0; 160], 160, START);
    let frames: Vec<bool> = (0..6)
        .map(|tick| matches!(buffer.pull(START + 10 * MS + tick * 20 * MS), Frame::Packet { .. }))
        .collect();
    assert_eq!(frames, [true, false, false, false, true, false]);
}

#[test]
fn another_source_and_jumping_numbers_start_anew_and_jumping_timestamps_go_on() {
    let mut buffer = JitterBuffer::new(JitterConfig::G711);
    let mut push = |ssrc, sequence, timestamp, at_ms: u64| {
        buffer.push(
            &Header { sequence, timestamp, ssrc, ..Header::default() },
            &[0; 160],
            160,
            START + at_ms * MS,
        )
    };
    assert_eq!(push(1, 10, 1600, 0), Pushed::Restarted);
    assert_eq!(push(1, 11, 1760, 20), Pushed::Kept);
    assert_eq!(push(2, 11, 1760, 40), Pushed::Restarted, "another source");
    assert_eq!(push(2, 40_000, 1920, 60), Pushed::Suspect, "one wild number");
    assert_eq!(push(2, 12, 1920, 60), Pushed::Kept);
    assert_eq!(push(2, 30_000, 2080, 80), Pushed::Suspect);
    assert_eq!(push(2, 30_001, 2240, 100), Pushed::Restarted, "two in a row");
    assert_eq!(
        push(2, 30_002, 900_000_000, 120),
        Pushed::Kept,
        "a timestamp from nowhere, of the same stream"
    );
    assert_eq!(push(2, 30_003, 900_000_160, 140), Pushed::Kept);
    assert_eq!(push(2, 30_003, 900_000_160, 141), Pushed::Duplicate);
}

#[test]
fn a_stall_is_played_late_rather_than_lost_and_never_deeper_than_allowed() {
    // The network holds everything for 600 ms, then delivers it at once.
    let held_back = |place: u32| match place {
        300..330 => u64::from(330 - place) * 20 * MS,
        _ => 0,
    };
    let heard = STREAM.play(&on_time(1500, 20, held_back), 1501, 10 * MS);
    assert!(heard.places.is_sorted());
    assert!(heard.waits_ms[310..].iter().all(|wait| *wait <= 650.0));
    let after =
        heard.places.iter().zip(&heard.waits_ms).filter(|(place, _)| **place > 1000).map(|(_, wait)| *wait);
    assert!(after.fold(0.0, f64::max) <= 41.0, "the delay comes down again");
}

#[test]
fn telephone_events_are_neither_loss_nor_joined_over() {
    let mut buffer = JitterBuffer::new(JitterConfig::G711);
    let header = |sequence: u16, timestamp: u32| Header { sequence, timestamp, ssrc: 1, ..Header::default() };
    let at = |tick: u64| START + tick * 20 * MS;
    let mut missing = 0;
    for place in 0..40_u16 {
        let tick = u64::from(place);
        if (20..28).contains(&place) {
            buffer.push_other(&header(place, 20 * 160), at(tick));
        } else {
            buffer.push(&header(place, u32::from(place) * 160), &[0; 160], 160, at(tick));
        }
        match buffer.pull(at(tick) + 10 * MS) {
            Frame::Packet { joins, .. } => assert_eq!(joins, place == 0 || place == 28, "{place}"),
            Frame::Missing { .. } => missing += 1,
            Frame::Nothing => assert!((20..28).contains(&place), "{place}"),
        }
    }
    assert_eq!(missing, 0);
}

proptest! {
    #[test]
    fn order_is_never_wrong_whatever_the_network_does(
        fates in prop::collection::vec((0_u64..150, 0_u32..100, any::<bool>()), 50..400),
        phase in 1_u64..20,
    ) {
        // Delay in ms; one in ten lost; some twice.
        let packets: Vec<Sent> = fates
            .iter()
            .enumerate()
            .filter(|(_, (_, luck, _))| *luck >= 10)
            .flat_map(|(place, (delay, _, twice))| {
                let sent = Sent { place: place as u32, arrives_ns: START + (place as u64 * 20 + delay) * MS };
                std::iter::once(sent).chain(twice.then_some(Sent { arrives_ns: sent.arrives_ns + 5 * MS, ..sent }))
            })
            .collect();
        let heard = STREAM.play(&packets, fates.len() as u64 + 30, phase * MS);
        prop_assert!(heard.places.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", heard.places);
        let once = packets.iter().map(|sent| sent.place).collect::<std::collections::BTreeSet<_>>().len();
        prop_assert!(heard.places.len() as u64 + heard.counters.late + heard.counters.skipped >= once as u64);
    }

    #[test]
    fn any_headers_at_any_time_are_survived(
        pushes in prop::collection::vec(
            (any::<u16>(), any::<u32>(), 0_u32..2, 0_usize..600, 0_u64..5_000, any::<bool>()), 1..300),
    ) {
        let mut buffer = JitterBuffer::new(JitterConfig::G711);
        let mut now = START;
        for (sequence, timestamp, ssrc, length, advance_ms, other) in pushes {
            now += advance_ms * MS;
            let header = Header { sequence, timestamp, ssrc, ..Header::default() };
            if other {
                buffer.push_other(&header, now);
            } else {
                buffer.push(&header, &vec![0; length], length as u32, now);
            }
            prop_assert!(buffer.packets_held() <= JitterConfig::G711.slots);
            buffer.pull(now);
            let _ = buffer.target_ns();
        }
    }
}

#[test]
fn payloads_of_any_length_share_the_slots_and_come_out_whole() {
    let mut buffer = JitterBuffer::new(JitterConfig { min_ms: 40, ..JitterConfig::OPUS });
    let payload = |number: u16| -> Vec<u8> {
        (0..usize::from(number) * 97 % 1400 + 1).map(|byte| (byte as u16 ^ number) as u8).collect()
    };
    for number in 0..150_u16 {
        let header =
            Header { sequence: number, timestamp: u32::from(number) * 960, ssrc: 9, ..Header::default() };
        let at = START + u64::from(number) * 20 * MS;
        assert!(matches!(buffer.push(&header, &payload(number), 960, at), Pushed::Kept | Pushed::Restarted));
        // Two are held at a time, so that the parts of both are mixed.
        let Some(played) = number.checked_sub(1) else { continue };
        match buffer.pull(at + 5 * MS) {
            Frame::Packet { payload: whole, sequence, .. } => {
                assert_eq!(sequence, played);
                assert!(whole == payload(played), "packet {played} of {} bytes is not whole", whole.len());
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    let _ = buffer.pull(START + 155 * 20 * MS);
    assert_eq!(buffer.packets_held(), 0);
    let header = Header { sequence: 150, timestamp: 150 * 960, ssrc: 9, ..Header::default() };
    assert_eq!(buffer.push(&header, &[0; 1501], 960, START), Pushed::Refused);
}

#[test]
fn what_follows_a_lost_packet_is_shown_where_it_is_here() {
    let mut buffer = JitterBuffer::new(JitterConfig { min_ms: 60, ..JitterConfig::OPUS });
    let mut seen = 0;
    for number in 0..20_u16 {
        let at = START + u64::from(number) * 20 * MS;
        if number != 10 {
            let header =
                Header { sequence: number, timestamp: u32::from(number) * 960, ssrc: 9, ..Header::default() };
            buffer.push(&header, &[number as u8; 40], 960, at);
        }
        // Two frames are held, so the packet after the lost one has arrived when that is due.
        if let Frame::Missing { samples, next } = buffer.pull(at + 5 * MS) {
            assert_eq!((samples, next), (960, Some([11; 40].as_slice())));
            seen += 1;
        }
    }
    assert_eq!(seen, 1);
}

/// A consumer that stretches time, and a stream whose packets arrive evenly, each 20 ms after the one before it.
struct Even {
    buffer: JitterBuffer,
    /// When the first packet arrives, and when the next pull is.
    first_ns: u64,
    pull_ns: u64,
    pushed: u32,
    /// Pulled and not heard yet.
    waiting: Vec<u32>,
}

impl Even {
    /// The packets arrive this long before the pulls.
    fn new(before_ns: u64, is_quiet: bool) -> Self {
        let mut buffer = JitterBuffer::new(JitterConfig::G711);
        buffer.set_follows_tempo(true);
        buffer.set_quiet(is_quiet);
        let pull_ns = START + 20 * MS;
        Self { buffer, first_ns: pull_ns - before_ns, pull_ns, pushed: 0, waiting: Vec::new() }
    }

    fn arrival_ns(&self, place: u32) -> u64 {
        self.first_ns + u64::from(place) * 20 * MS + u64::from(place) * 7919 % 100_000
    }

    /// One pull; how long the packet has waited that is heard, in milliseconds.
    fn tick(&mut self) -> Option<f64> {
        while self.arrival_ns(self.pushed) <= self.pull_ns {
            let sent = Sent { place: self.pushed, arrives_ns: self.arrival_ns(self.pushed) };
            assert_ne!(STREAM.push(&mut self.buffer, sent), Pushed::Late);
            self.pushed += 1;
        }
        let mut frames = 1;
        while self.waiting.len() < frames {
            let Frame::Packet { payload, tempo, .. } = self.buffer.pull(self.pull_ns) else { break };
            let place = u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]);
            if matches!(tempo, Tempo::Faster { .. }) {
                // Where it would be heard it is refused.
                frames += usize::from(tempo == Tempo::Faster { now: true });
            }
            self.waiting.push(place);
        }
        if self.waiting.len() > 1 {
            self.waiting.remove(0);
            self.buffer.changed_tempo(Tempo::Faster { now: true });
        }
        let wait_ms =
            self.waiting.pop().map(|place| (self.pull_ns - self.arrival_ns(place)) as f64 / MS as f64);
        self.pull_ns += 20 * MS;
        wait_ms
    }
}

#[test]
fn what_arrives_evenly_just_before_the_pull_does_not_wait_for_the_next_one() {
    for before_us in [600, 700, 800, 900, 1200, 2000] {
        let mut even = Even::new(before_us * 1000, true);
        let waits_ms: Vec<f64> = (0..3000).filter_map(|_| even.tick()).collect();
        let longest_ms = waits_ms[60..].iter().copied().fold(0.0, f64::max);
        assert!(longest_ms <= before_us as f64 / 1000.0, "{before_us} us before: {longest_ms} ms");
        assert_eq!(even.buffer.counters().concealed, 0, "{before_us}");
        assert!(even.buffer.counters().taken_out <= 1, "{before_us}");
        assert!(waits_ms.len() >= 2998, "{before_us}: {} are heard", waits_ms.len());
    }
}

#[test]
fn a_consumer_that_pulls_later_need_not_keep_the_surplus_frame() {
    // The packets arrive 1 ms after the pulls.
    let mut even = Even::new(19 * MS, false);
    assert!((0..100).all(|_| even.tick().is_none_or(|wait_ms| wait_ms > 18.0)));
    even.pull_ns += 3 * MS;
    even.buffer.pulls_later();
    let waits_ms: Vec<f64> = (0..100).filter_map(|_| even.tick()).collect();
    assert!(waits_ms[8..].iter().all(|wait_ms| *wait_ms <= 3.0), "{waits_ms:?}");
    let counters = even.buffer.counters();
    assert_eq!((counters.taken_out, counters.concealed), (1, 0));
}

#[test]
fn what_a_sooner_pull_misses_where_nothing_is_heard_was_not_lost() {
    for is_quiet in [true, false] {
        let mut even = Even::new(2 * MS, is_quiet);
        assert!((0..100).all(|_| even.tick().is_none_or(|wait_ms| wait_ms <= 2.0)));
        even.pull_ns -= 4 * MS;
        even.buffer.pulls_sooner();
        assert_eq!(even.tick(), None, "the packet is not there yet");
        assert!((0..100).all(|_| even.tick().is_some_and(|wait_ms| wait_ms <= 18.0)));
        let counters = even.buffer.counters();
        assert_eq!((counters.put_in, counters.concealed), if is_quiet { (1, 0) } else { (0, 1) });
        assert_eq!(counters.lost_units, 0);
    }
}
