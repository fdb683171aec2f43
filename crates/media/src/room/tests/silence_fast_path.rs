//! The fast path for silence changes nothing that is heard.

use super::*;

/// Small and repeatable.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

fn silence(codec: Codec) -> Says {
    match codec {
        Codec::Pcmu => Says::Payload(Box::new(|_| [0xff; FRAME])),
        _ => Says::Samples(Box::new(|frame: &mut [i16]| frame.fill(0))),
    }
}

/// Participants who are mostly silent, over a network that is alternately calm and rough. Returns what they heard,
/// their statistics, and how often the fast path was used.
fn conversation(codec: Codec, seed: u64, gets_rough: bool, has_lulls: bool) -> (World, usize) {
    const PARTICIPANTS: usize = 6;
    let mut world = World::new();
    let mut random = seed;
    let (mut silences, mut unmeasured) = (0, 0);
    for number in 0..PARTICIPANTS {
        world.enter(silence(codec), codec);
        if !has_lulls {
            // ICE checks may come from anywhere at any time, so such a stream never settles.
            let ice = Some(crate::Ice { local_ufrag: "u".to_owned(), local_pwd: "p".to_owned() });
            let (key, address) = (world.phones[number].key, world.phones[number].address);
            let time = world.time();
            world.room.set_stream(key, StreamParams { ice, ..params(address, codec) }, time);
        }
    }
    let mut on_their_way: Vec<(u64, usize, Vec<u8>)> = Vec::new();
    let mut is_rough = [false; PARTICIPANTS];
    for tick in 0..3000 {
        let time = world.time();
        for number in 0..PARTICIPANTS {
            if draw(&mut random, 100) == 0 {
                let says = match draw(&mut random, 5) {
                    // Half of them never speak.
                    0 if number < 3 => {
                        Says::Tone(ToneGenerator::new(codec.rate().hz(), TONES[number], -12.0))
                    }
                    1 => Says::Nothing,
                    2 if tick > 300 => Says::Key(
                        DtmfSender::new(
                            '5',
                            (codec.clock_rate() / 10) as u16,
                            (codec.clock_rate() / 50) as u16,
                        )
                        .expect("a key"),
                    ),
                    _ => silence(codec),
                };
                world.say(number, says);
            }
            if gets_rough && draw(&mut random, if is_rough[number] { 100 } else { 1000 }) == 0 {
                is_rough[number] = !is_rough[number];
            }
            let late_ns = 2 * MS + draw(&mut random, if is_rough[number] { 50 } else { 2 }) * MS;
            let is_lost = is_rough[number] && draw(&mut random, 20) == 0;
            if let Some(datagram) = world.datagrams_of(number)
                && !is_lost
            {
                on_their_way.push((time.now_ns - 8 * MS + late_ns, number, datagram));
            }
        }
        on_their_way.sort_by_key(|(arrival_ns, ..)| *arrival_ns);
        let here = on_their_way.partition_point(|(arrival_ns, ..)| *arrival_ns <= time.now_ns);
        for (arrival_ns, number, datagram) in on_their_way.drain(..here) {
            let (key, from) = (world.phones[number].key, world.phones[number].address);
            // As the worker does, which does not need the arrival time of each.
            let arrival = Some(arrival_ns).filter(|_| !world.room.may_be_unmeasured(key));
            unmeasured += usize::from(arrival.is_none());
            world.room.handle_rtp(key, from, &datagram, arrival, time, &mut world.outbox);
        }
        world.room.tick(time, &mut world.outbox);
        silences += (0..PARTICIPANTS)
            .filter(|number| {
                world
                    .room
                    .member(world.phones[*number].key)
                    .is_some_and(|member| member.codec_on_fast_path(time).is_some())
            })
            .count();
        world.deliver();
        world.ticks += 1;
        if tick % 500 == 499 {
            // Statistics include everything that arrived.
            let received: u64 = (0..PARTICIPANTS).map(|number| world.stats(number).packets_received).sum();
            assert!(received > 0);
            let key = world.phones[0].key;
            world.room.set_voice(key, tick % 1000 == 999, true, &mut world.outbox);
        }
    }
    assert_eq!(unmeasured > 500, has_lulls, "{unmeasured} packets were not measured");
    (world, silences)
}

/// Everything that does not depend on how evenly packets arrived.
fn counted(world: &mut World, number: usize) -> ([u64; 5], [f32; 3]) {
    let stats = world.stats(number);
    (
        [stats.packets_received, stats.bytes_received, stats.packets_lost, stats.packets_sent, stats.keys],
        [stats.level_dbov, stats.noise_floor_dbov, stats.held_ms],
    )
}

#[test]
fn a_line_on_the_fast_path_hears_and_is_heard_as_without_it() {
    let of_g711 = (1..=4).map(|seed| (Codec::Pcmu, seed));
    for (codec, seed) in of_g711.chain([(Codec::Opus, 2)]) {
        let (mut ordinary, none) = conversation(codec, seed, false, false);
        let (mut with_lulls, silences) = conversation(codec, seed, false, true);
        assert_eq!(none, 0);
        assert!(silences > 3000, "{silences} ticks of 18,000 were in silences");
        assert_eq!(ordinary.events, with_lulls.events);
        for number in 0..6 {
            let (one, other) = (&ordinary.phones[number], &with_lulls.phones[number]);
            let differing = one.packets.iter().zip(&other.packets).position(|(one, other)| one != other);
            assert_eq!(differing, None, "seed {seed}, member {number}");
            assert_eq!(one.packets.len(), other.packets.len());
            assert_eq!(counted(&mut ordinary, number), counted(&mut with_lulls, number));
            let (one, other) = (ordinary.stats(number), with_lulls.stats(number));
            assert!(one.frames_concealed.abs_diff(other.frames_concealed) <= 2);
            assert!((one.mos - other.mos).abs() < 0.01 && (one.jitter_ms - other.jitter_ms).abs() < 0.5);
        }
    }
}

#[test]
fn on_a_rough_network_the_fast_path_changes_no_concealment() {
    let (mut of_ordinary, mut of_lulls) = ([0; 3], [0; 3]);
    for seed in 1..=8 {
        let (mut ordinary, _) = conversation(Codec::Pcmu, seed, true, false);
        let (mut with_lulls, silences) = conversation(Codec::Pcmu, seed, true, true);
        assert!(silences > 1000, "{silences} ticks of 18,000 were in silences");
        assert_eq!(ordinary.events.len(), with_lulls.events.len());
        for number in 0..6 {
            assert_eq!(counted(&mut ordinary, number).0, counted(&mut with_lulls, number).0);
            for (world, sum) in [(&mut ordinary, &mut of_ordinary), (&mut with_lulls, &mut of_lulls)] {
                let stats = world.stats(number);
                let of_one = [stats.frames_concealed, stats.frames_skipped, stats.packets_late];
                sum.iter_mut().zip(of_one).for_each(|(sum, of_one)| *sum += of_one);
            }
        }
    }
    // Only part of the silence is measured, so the buffer may grow or shrink slightly earlier or later.
    for (ordinary, with_lulls) in of_ordinary.into_iter().zip(of_lulls) {
        // Counts differ by about their square root by chance.
        let by_chance = 3 * (ordinary.max(100) as f64).sqrt() as u64;
        assert!(with_lulls.abs_diff(ordinary) < by_chance, "{with_lulls} instead of {ordinary}");
    }
    let [concealed, skipped, late] = of_ordinary;
    assert!(concealed > 1000 && skipped > 100 && late > 10, "{of_ordinary:?}: the network is rough");
}
