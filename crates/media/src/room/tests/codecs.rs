//! Codecs and sample rates side by side, and the audibility of changes between streams.

use super::*;
use plenary_rtp::packet::Header;

pub(super) fn tone_at(codec: Codec, hz: f32) -> Says {
    Says::Tone(ToneGenerator::new(codec.rate().hz(), hz, -12.0))
}

#[test]
fn codecs_of_all_rates_hear_each_other_and_not_themselves() {
    let mut world = World::new();
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
    for (codec, hz) in codecs.into_iter().zip(TONES) {
        world.enter(tone_at(codec, hz), codec);
    }
    // And a listener of each.
    for codec in codecs {
        world.enter(Says::Nothing, codec);
    }
    world.run(150);
    for listener in 0..8 {
        for (speaker, hz) in TONES.into_iter().enumerate() {
            let level = world.level(listener, hz);
            if speaker == listener {
                assert!(level < -50.0, "{listener} hears its own voice at {level} dBov");
            } else {
                assert!((level + 12.0).abs() < 1.5, "{listener} hears {speaker} at {level} dBov");
            }
        }
    }
}

#[test]
fn wideband_reaches_wideband_listeners_and_is_not_folded_into_narrowband() {
    let mut world = World::new();
    world.enter(tone_at(Codec::Opus, 6000.0), Codec::Opus);
    let full = world.enter(Says::Nothing, Codec::Opus);
    let wide = world.enter(Says::Nothing, Codec::G722);
    let narrow = world.enter(Says::Nothing, Codec::Pcmu);
    world.run(100);
    assert!((world.level(full, 6000.0) + 12.0).abs() < 2.0, "{}", world.level(full, 6000.0));
    assert!((world.level(wide, 6000.0) + 12.0).abs() < 2.0, "{}", world.level(wide, 6000.0));
    assert!(world.level(narrow, 2000.0) < -60.0, "{}", world.level(narrow, 2000.0));
}

/// A second of a tone from participant `number`, in packets of `ms` of G.711, and other packets.
fn send_long_packets(world: &mut World, number: usize, ms: u32) {
    let (key, from) = (world.phones[number].key, world.phones[number].address);
    let mut tone = ToneGenerator::new(8000, 1000.0, -12.0);
    let octets = ms as usize * 8;
    let (mut sent, mut sequence) = (0, 500_u16);
    for tick in 0..(3000 / 20) {
        let time = world.time();
        // It is sent when its last sample was spoken.
        while sent + octets <= tick * FRAME {
            let mut samples = vec![0; octets];
            tone.fill(&mut samples);
            let mut payload = vec![0; octets];
            plenary_audio::g711::encode(plenary_audio::g711::Law::Mu, &samples, &mut payload);
            let header = Header { sequence, timestamp: sent as u32, ssrc: 77, ..Header::default() };
            let datagram = [header.to_bytes().as_slice(), &payload].concat();
            let arrival = Some(time.now_ns - 3 * MS);
            world.room.handle_rtp(key, from, &datagram, arrival, time, &mut world.outbox);
            (sent, sequence) = (sent + octets, sequence.wrapping_add(1));
        }
        world.run(1);
    }
}

#[test]
fn packets_of_g711_of_up_to_200_ms_are_heard() {
    for ms in [70, 80, 100, 160, 200] {
        let mut world = World::new();
        let speaker = world.enter(Says::Nothing, Codec::Pcmu);
        let listener = world.enter(Says::Nothing, Codec::Pcmu);
        send_long_packets(&mut world, speaker, ms);
        let level = world.level(listener, 1000.0);
        assert!((level + 12.0).abs() < 1.0, "{ms} ms: {level} dBov");
        let stats = world.stats(speaker);
        assert_eq!((stats.packets_malformed, stats.packets_late, stats.packets_lost), (0, 0, 0), "{ms} ms");
    }
}

#[test]
fn packets_that_cannot_be_decoded_count_as_lost_and_keep_no_call_alive() {
    let mut world = World::new();
    let speaker = world.enter(Says::Nothing, Codec::Pcmu);
    world.enter(Says::Nothing, Codec::Pcmu);
    world.run(400 - 150);
    send_long_packets(&mut world, speaker, 1000);
    let stats = world.stats(speaker);
    assert_eq!((stats.packets_malformed, stats.packets_received), (2, 0));
    assert_eq!(stats.one_way, Some(crate::OneWay::NoneReceived));
}

/// Numbers that leap with each packet belong to no stream, so nothing of it is played.
#[test]
fn packets_whose_numbers_are_far_off_are_counted_and_keep_no_call_alive() {
    let mut world = World::new();
    let speaker = world.enter(Says::Nothing, Codec::Pcmu);
    world.enter(Says::Nothing, Codec::Pcmu);
    let (key, from) = (world.phones[speaker].key, world.phones[speaker].address);
    let send = |world: &mut World, sequence: u16, ticks: u32| {
        let header = Header { sequence, timestamp: ticks * 160, ssrc: 77, ..Header::default() };
        let datagram = [header.to_bytes().as_slice(), &[0x10; 160]].concat();
        let time = world.time();
        world.room.handle_rtp(key, from, &datagram, Some(time.now_ns - 3 * MS), time, &mut world.outbox);
        world.run(1);
    };
    for number in 0..500_u32 {
        let leaps = [20_000, 30_000, 40_000][number as usize % 3];
        send(&mut world, if number == 0 { 0 } else { leaps }, number);
    }
    let stats = world.stats(speaker);
    assert_eq!((stats.packets_received, stats.packets_malformed, stats.bytes_received), (1, 499, 160));
    assert_eq!(stats.one_way, Some(crate::OneWay::NoneReceived));
    // A stream that begins anew costs one packet.
    for number in 0..100_u32 {
        send(&mut world, 40_000 + number as u16, 500 + number);
    }
    let stats = world.stats(speaker);
    assert_eq!((stats.packets_received, stats.packets_malformed), (100, 500));
    assert_eq!(stats.one_way, None);
}

#[test]
fn opus_is_packed_into_the_negotiated_lengths() {
    for (ptime_ms, bitrate_max) in
        [(10, None), (20, None), (30, None), (40, None), (60, None), (20, Some(16_000))]
    {
        let mut world = World::new();
        world.enter(tone_at(Codec::Opus, 700.0), Codec::Opus);
        let listener = world.enter(Says::Nothing, Codec::Opus);
        let (key, address, time) = (world.phones[listener].key, world.phones[listener].address, world.time());
        let wanted = StreamParams { ptime_ms, opus_bitrate_max: bitrate_max, ..params(address, Codec::Opus) };
        world.room.set_stream(key, wanted, time);
        world.run(120);
        let phone = &world.phones[listener];
        let units = |payload: &Vec<u8>| Codec::Opus.payload_units(payload).expect("it is Opus");
        let lengths: Vec<u32> = phone.packets.iter().map(|(_, payload)| units(payload) / 48).collect();
        let usual = lengths.iter().filter(|length| **length == ptime_ms).count();
        assert!(usual * 10 > lengths.len() * 9, "{ptime_ms} ms negotiated, got {lengths:?}");
        for pair in phone.packets.windows(2) {
            let step = pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp);
            assert_eq!(step, units(&pair[0].1), "{ptime_ms} ms: the stamps go on by what was sent");
        }
        assert!((world.level(listener, 700.0) + 12.0).abs() < 1.5, "{ptime_ms} ms");
        let bytes: usize = phone.packets.iter().skip(20).map(|(_, payload)| payload.len()).sum();
        let seconds = 2.0 * (120.0 - 20.0 * f64::from(ptime_ms) / 20.0) / 100.0;
        if let Some(most) = bitrate_max {
            assert!(bytes as f64 * 8.0 / seconds < f64::from(most) * 1.15, "{bytes} octets in {seconds} s");
        }
    }
}

#[test]
fn the_first_syllable_after_a_silence_of_opus_is_whole() {
    let mut world = World::new();
    let codec = Codec::Opus;
    let talker = world.enter(Says::Tone(ToneGenerator::new(48_000, 500.0, -127.0)), codec);
    let listener = world.enter(Says::Nothing, Codec::Pcmu);
    world.run(150);
    assert!(world.is_silent(listener));
    world.say(talker, tone_at(codec, 500.0));
    world.run(50);
    let heard = &world.phones[listener].heard[150 * FRAME..];
    let first = heard.chunks(FRAME).position(|frame| dbov(frame) > -18.0).expect("it is heard");
    assert!(first <= 3, "heard after {first} frames");
}

#[test]
fn a_room_ticks_sooner_only_when_all_talkers_would_still_be_in_time() {
    // Packets come 10 ms before their tick; the buffer wants 1 ms.
    let mut world = World::with([tone(400.0), Says::Nothing]);
    let moved = |world: &mut World, phase_ms: u64| {
        let mut steps = Vec::new();
        for _ in 0..300 {
            let time = world.time();
            world.run(1);
            let sooner = world.room.phases_sooner(time, phase_ms * MS);
            if sooner != 0 {
                steps.push(sooner);
                world.room.note_moved(sooner, phase_ms * MS, 0);
                world.early_ns =
                    world.early_ns.saturating_add_signed(i64::from(-sooner) * (phase_ms * MS) as i64);
            }
        }
        steps
    };
    assert_eq!(
        moved(&mut world, 10),
        [0; 0],
        "a sooner tick would come before the packet, a later one is later"
    );
    assert_eq!(moved(&mut world, 2), [1; 4]);
    assert_eq!(world.early_ns, 2 * MS);
    world.say(0, Says::Nothing);
    world.run(60);
    assert_eq!(moved(&mut world, 2), [0; 0], "no talker");
}

#[test]
fn a_change_of_codec_during_a_call_does_not_interrupt_the_audio() {
    let mut world = World::new();
    world.enter(tone_at(Codec::Pcmu, 700.0), Codec::Pcmu);
    let changes = world.enter(Says::Nothing, Codec::Pcmu);
    world.run(100);
    let (key, address, time) = (world.phones[changes].key, world.phones[changes].address, world.time());
    world.room.set_stream(key, params(address, Codec::Opus), time);
    let phone = &mut world.phones[changes];
    (phone.codec, phone.decoder) = (Codec::Opus, Decoder::Opus(opus::Decoder::new()));
    phone.heard.clear();
    world.run(100);
    assert!((world.level(changes, 700.0) + 12.0).abs() < 1.5);
    let packets = &world.phones[changes].packets;
    assert_ne!(packets[0].0.ssrc, packets[150].0.ssrc, "another clock is another source");
    assert_eq!(world.stats(changes).packets_sent, 200);
    assert_eq!(world.room.mixers.iter().flatten().count(), 2);
}

#[test]
fn what_was_counted_of_the_audio_stays_when_the_codec_changes() {
    let mut world = World::new();
    let talker = world.enter(Says::Nothing, Codec::Pcmu);
    let mut source = Source::new(77, 7, 9000);
    let mut held_back = Vec::new();
    for tick in 0..120 {
        let codec = if tick < 80 { Codec::Pcmu } else { Codec::Pcma };
        let (time, key, from) = (world.time(), world.phones[talker].key, world.phones[talker].address);
        if tick == 80 {
            let before = world.stats(talker);
            assert_eq!((before.packets_late, before.packets_duplicate), (1, 1), "{before:?}");
            assert!(before.frames_concealed > 0, "{before:?}");
            world.room.set_stream(key, params(from, codec), time);
        }
        let header = source.next_header(payload_type(codec), 160, FRAME);
        let datagram = [header.to_bytes().as_slice(), &[0x55; FRAME]].concat();
        let sent = match tick {
            20 => {
                held_back.push(datagram);
                Vec::new()
            }
            // One comes long after its time, and another twice.
            60 => [std::mem::take(&mut held_back), vec![datagram.clone(), datagram]].concat(),
            _ => vec![datagram],
        };
        for datagram in sent {
            let arrival_ns = Some(time.now_ns - 2 * MS);
            world.room.handle_rtp(key, from, &datagram, arrival_ns, time, &mut world.outbox);
        }
        world.room.tick(time, &mut world.outbox);
        world.deliver();
        world.ticks += 1;
    }
    let after = world.stats(talker);
    assert_eq!((after.packets_received, after.packets_lost), (121, 0), "{after:?}");
    assert_eq!((after.packets_late, after.packets_duplicate), (1, 1), "{after:?}");
    assert!((1..4).contains(&after.frames_concealed), "{after:?}");
}

/// Nothing of a muted participant's audio reaches the buffer.
#[test]
fn packets_of_a_muted_participant_that_come_twice_are_counted_and_hide_no_loss() {
    let mut world = World::new();
    let muted = world.enter(Says::Nothing, Codec::Pcmu);
    world.room.set_voice(world.phones[muted].key, false, false, &mut world.outbox);
    let mut source = Source::new(77, 7, 9000);
    for tick in 0..50 {
        let (time, key, from) = (world.time(), world.phones[muted].key, world.phones[muted].address);
        let datagram = [source.next_header(0, 160, FRAME).to_bytes().as_slice(), &[0x55; FRAME]].concat();
        let times = match tick {
            10..15 => 0,
            30..38 => 2,
            _ => 1,
        };
        for _ in 0..times {
            let arrival_ns = Some(time.now_ns - 2 * MS);
            world.room.handle_rtp(key, from, &datagram, arrival_ns, time, &mut world.outbox);
        }
        world.room.tick(time, &mut world.outbox);
        world.deliver();
        world.ticks += 1;
    }
    let stats = world.stats(muted);
    assert_eq!(
        (stats.packets_received, stats.packets_duplicate, stats.packets_lost),
        (53, 8, 5),
        "{stats:?}"
    );
}

#[test]
fn packets_of_any_length_come_in_without_a_gap() {
    // 25 ms is an unusual length, and accepted like any other.
    for (codec, bound_dbov) in [(Codec::Pcmu, -48.0), (Codec::Pcma, -48.0), (Codec::G722, -55.0)] {
        for ptime_ms in [10, 20, 25, 30, 40, 60] {
            let mut world = World::new();
            let talker = world.enter(Says::Nothing, codec);
            let listener = world.enter(Says::Nothing, codec);
            let mut tone = ToneGenerator::new(codec.rate().hz(), 440.0, -12.0);
            let mut encoder = Encoder::new(codec, &SETTINGS.opus);
            let mut source = Source::new(77, 7, 9000);
            let (mut encoded, size) = (Vec::new(), ptime_ms * 8);
            for _ in 0..150 {
                let (mut frame, mut payload) = (vec![0; codec.rate().frame()], [0; FRAME]);
                tone.fill(&mut frame);
                let length = encoder.encode(&frame, &mut payload);
                encoded.extend_from_slice(&payload[..length]);
                let (time, key, from) =
                    (world.time(), world.phones[talker].key, world.phones[talker].address);
                while encoded.len() >= size {
                    let header = source.next_header(payload_type(codec), size as u32, size);
                    let rest = encoded.split_off(size);
                    let datagram =
                        [header.to_bytes().as_slice(), &std::mem::replace(&mut encoded, rest)].concat();
                    // Sent when its last sample was spoken.
                    let late_ns = encoded.len() as u64 * MS / 8;
                    world.room.handle_rtp(
                        key,
                        from,
                        &datagram,
                        Some(time.now_ns - 2 * MS - late_ns),
                        time,
                        &mut world.outbox,
                    );
                }
                world.room.tick(time, &mut world.outbox);
                world.deliver();
                world.ticks += 1;
            }
            let worst = (60..135)
                .step_by(25)
                .map(|tick| world.beside_dbov(listener, &[440.0], tick - 12..tick + 13))
                .fold(-127.0, f32::max);
            assert!(worst < bound_dbov, "{codec:?}, {ptime_ms} ms: beside the tone there is {worst} dBov");
            assert!((world.level(listener, 440.0) + 12.0).abs() < 0.5, "{codec:?}, {ptime_ms} ms");
            let stats = world.stats(talker);
            assert_eq!(
                (stats.packets_late, stats.frames_skipped),
                (0, 0),
                "{codec:?}, {ptime_ms} ms: {stats:?}"
            );
        }
    }
}

#[test]
fn packets_of_opus_of_any_length_come_in_without_a_gap() {
    for ptime_ms in [10_usize, 20, 40, 60] {
        let mut world = World::new();
        let talker = world.enter(Says::Nothing, Codec::Opus);
        let listener = world.enter(Says::Nothing, Codec::Pcmu);
        let mut tone = ToneGenerator::new(48_000, 440.0, -12.0);
        let mut encoder = opus::Encoder::new(&SETTINGS.opus);
        let mut source = Source::new(77, 7, 9000);
        let (mut packer, mut frames_ms) = (opus::Packer::new(1400), 0);
        for _ in 0..150 {
            let (time, key, from) = (world.time(), world.phones[talker].key, world.phones[talker].address);
            let piece_ms = ptime_ms.min(20);
            for piece in 0..20 / piece_ms {
                let (mut frame, mut payload, mut packet) = (vec![0; 48 * piece_ms], [0; 1275], [0; 1400]);
                tone.fill(&mut frame);
                let length = encoder.encode(&frame, &mut payload);
                assert!(packer.push(&payload[..length]) || frames_ms > 0);
                frames_ms += piece_ms;
                if frames_ms < ptime_ms {
                    continue;
                }
                let length = packer.finish(&mut packet);
                let header = source.next_header(111, (48 * std::mem::take(&mut frames_ms)) as u32, length);
                let datagram = [header.to_bytes().as_slice(), &packet[..length]].concat();
                let arrival_ns = time.now_ns - 2 * MS - (20 - (piece + 1) * piece_ms) as u64 * MS;
                world.room.handle_rtp(key, from, &datagram, Some(arrival_ns), time, &mut world.outbox);
            }
            world.room.tick(time, &mut world.outbox);
            world.deliver();
            world.ticks += 1;
        }
        let beside = world.beside_dbov(listener, &[440.0], 48..148);
        assert!(beside < -40.0, "{ptime_ms} ms: beside the tone there is {beside} dBov");
        assert!((world.level(listener, 440.0) + 12.0).abs() < 0.5, "{ptime_ms} ms");
        let stats = world.stats(talker);
        assert_eq!((stats.packets_late, stats.frames_skipped), (0, 0), "{ptime_ms} ms: {stats:?}");
    }
}

#[test]
fn g722_is_packed_into_the_negotiated_lengths() {
    for ptime_ms in [10, 20, 30, 40, 60] {
        let mut world = World::new();
        world.enter(tone_at(Codec::G722, 700.0), Codec::G722);
        let listener = world.enter(Says::Nothing, Codec::G722);
        let (key, address, time) = (world.phones[listener].key, world.phones[listener].address, world.time());
        world.room.set_stream(key, StreamParams { ptime_ms, ..params(address, Codec::G722) }, time);
        world.run(120);
        let phone = &world.phones[listener];
        assert!(
            phone.packets.iter().all(|(_, payload)| payload.len() == 8 * ptime_ms as usize),
            "{ptime_ms}"
        );
        assert!(
            phone.packets.windows(2).all(|pair| pair[1].0.timestamp - pair[0].0.timestamp == 8 * ptime_ms)
        );
        assert!((world.level(listener, 700.0) + 12.0).abs() < 0.5, "{ptime_ms} ms");
    }
}

#[test]
fn each_side_is_sent_its_own_payload_type_and_heard_under_ours() {
    for codec in [Codec::Opus, Codec::G722] {
        let mut world = World::new();
        let one = world.enter(tone_at(codec, 700.0), codec);
        let other = world.enter(Says::Nothing, codec);
        for number in [one, other] {
            let (key, address, time) = (world.phones[number].key, world.phones[number].address, world.time());
            let agreed = StreamParams { send_payload_type: 97 + number as u8, ..params(address, codec) };
            world.room.set_stream(key, agreed, time);
        }
        world.run(100);
        for number in [one, other] {
            let is_own = |(header, _): &(plenary_rtp::packet::Header, Vec<u8>)| {
                header.payload_type == 97 + number as u8
            };
            assert!(world.phones[number].packets.iter().all(is_own), "{codec:?}");
        }
        assert!((world.level(other, 700.0) + 12.0).abs() < 1.0, "{codec:?}");
        assert_eq!(world.stats(one).packets_unknown_payload, 0);
    }
}

#[test]
fn keys_are_reported_at_the_clock_rates_of_telephony_and_of_opus() {
    // 200 ms in steps of 20 ms: 1600 and 160 at 8000, 9600 and 960 at 48 000.
    for (codec, per_ms) in [(Codec::Pcmu, 8), (Codec::G722, 8), (Codec::Opus, 48), (Codec::Opus, 8)] {
        let mut world = World::new();
        let talker = world.enter(tone_at(codec, 400.0), codec);
        let listener = world.enter(Says::Nothing, Codec::Pcmu);
        world.run(50);
        for key in ['7', '7', '#'] {
            world.say(talker, Says::Key(DtmfSender::new(key, 200 * per_ms, 20 * per_ms).expect("a key")));
            world.run(14);
            let heard = &world.phones[listener].heard;
            assert!(
                heard[heard.len() - 6 * FRAME..].iter().all(|sample| sample.unsigned_abs() <= 8),
                "{codec:?}"
            );
            world.say(talker, tone_at(codec, 400.0));
            world.run(60);
        }
        let keys: Vec<_> =
            world.events.iter().filter(|event| matches!(event, MediaEvent::KeyPressed { .. })).collect();
        let pressed = |key| MediaEvent::KeyPressed { call: MediaCallId(0), key };
        assert_eq!(
            keys,
            [&pressed('7'), &pressed('7'), &pressed('#')],
            "{codec:?}, {per_ms} in a millisecond"
        );
        assert!((world.level(listener, 400.0) + 12.0).abs() < 3.0, "{codec:?}: heard again");
    }
}
