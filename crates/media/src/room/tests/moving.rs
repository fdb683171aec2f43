//! Participants that move from one room to another.

use super::*;
use crate::OnMove::{self, KeepPlaying, StopPlaying};
use codecs::tone_at;

/// Two rooms, the second of which ticks this much later. Packets of telephones arrive 10 ms before the tick of the first.
fn rooms(later_ms: u64) -> (World, World) {
    let second = World { offset_ns: later_ms * MS, early_ns: (10 + later_ms) % 20 * MS, ..World::new() };
    (World::new(), second)
}

fn run(rooms: [&mut World; 2], ticks: u64) {
    for room in rooms {
        room.run(ticks);
    }
}

/// Moves a participant after the tick that its room made last, and returns its number in the other.
fn pass(from: &mut World, number: usize, to: &mut World, playing: OnMove) -> usize {
    let mut phone = from.phones.remove(number);
    let now_ns = from.time().now_ns - FRAME_NS;
    let moving = from.room.take_out(phone.key, playing, Tick { now_ns, ..from.time() }).expect("it is in");
    phone.key = to.room.take_in(moving, any_port());
    if to.time().now_ns < now_ns + FRAME_NS / 2 {
        // This tick comes too soon: it sends to a telephone that is not there, or nothing.
        to.run(1);
    }
    to.phones.push(phone);
    to.phones.len() - 1
}

fn assert_even(phone: &Phone) {
    let units = phone.codec.clock_rate() / 50;
    for pair in phone.packets.windows(2) {
        let (earlier, later) = (&pair[0].0, &pair[1].0);
        assert_eq!(later.sequence, earlier.sequence.wrapping_add(1));
        assert_eq!(later.timestamp, earlier.timestamp.wrapping_add(units));
        assert_eq!(later.ssrc, earlier.ssrc);
        assert!(!later.marker);
    }
}

/// Packets with a number in their first two samples. They are loud, and none is like another.
fn numbered() -> Says {
    let mut number = 0;
    Says::Payload(Box::new(move |_| {
        number += 1;
        std::array::from_fn(|place| match place {
            0 => 0x10 | (number >> 4) as u8 & 0x0f,
            1 => 0x10 | number as u8 & 0x0f,
            _ => 0x20 | (place as u8 & 1) << 7,
        })
    }))
}

/// The numbers of those that a telephone heard.
fn numbers(phone: &Phone) -> Vec<u8> {
    let loud = phone.packets.iter().filter(|(_, payload)| payload[0] & 0xf0 == 0x10);
    loud.map(|(_, payload)| payload[0] << 4 | payload[1] & 0x0f).collect()
}

#[test]
fn a_voice_loses_and_repeats_no_packet_when_it_moves() {
    for later_ms in [1, 7, 9, 10, 13, 19] {
        let (mut first, mut second) = rooms(later_ms);
        let moves = first.enter(numbered(), Codec::Pcmu);
        let (left, joined) =
            (first.enter(Says::Nothing, Codec::Pcmu), second.enter(Says::Nothing, Codec::Pcmu));
        run([&mut first, &mut second], 60);
        first.run(1);
        let before = first.stats(moves);
        let moves = pass(&mut first, moves, &mut second, KeepPlaying);
        run([&mut first, &mut second], 60);
        let heard = [numbers(&first.phones[left - 1]), numbers(&second.phones[joined])].concat();
        assert!(heard.len() > 110, "{} packets", heard.len());
        for pair in heard.windows(2) {
            assert_eq!(pair[1], pair[0].wrapping_add(1), "{later_ms} ms later: {heard:?}");
        }
        assert!(first.is_silent(left - 1), "it has left");
        assert_even(&second.phones[moves]);
        assert_eq!(second.phones[moves].packets.len(), 121);
        let after = second.stats(moves);
        assert_eq!(after.packets_received, before.packets_received + 60);
        assert_eq!(after.packets_sent, 121);
        let harm = |stats: CallStats| {
            (stats.frames_concealed, stats.frames_skipped, stats.frames_added, stats.packets_late)
        };
        assert_eq!(harm(after), harm(before), "{later_ms} ms later");
    }
}

#[test]
fn each_hears_the_others_of_its_room_before_and_after_a_move() {
    let (mut first, mut second) = rooms(13);
    let moves = first.enter(tone(400.0), Codec::Pcmu);
    first.enter(tone(700.0), Codec::Pcma);
    let stays = second.enter(tone_at(Codec::G722, 1100.0), Codec::G722);
    run([&mut first, &mut second], 60);
    assert!((first.level(moves, 700.0) + 12.0).abs() < 1.0);
    first.run(1);
    let moves = pass(&mut first, moves, &mut second, KeepPlaying);
    run([&mut first, &mut second], 60);
    assert!(first.is_silent(0), "alone");
    assert!((second.level(moves, 1100.0) + 12.0).abs() < 1.0);
    assert!(second.level(moves, 700.0) < -60.0);
    assert!((second.level(stays, 400.0) + 12.0).abs() < 1.0);
    assert!(second.level(moves, 400.0) < -60.0, "itself");
    // And back.
    let back = pass(&mut second, moves, &mut first, KeepPlaying);
    run([&mut first, &mut second], 60);
    assert!((first.level(back, 700.0) + 12.0).abs() < 1.0);
    assert!(second.is_silent(stays));
    assert_even(&first.phones[back]);
}

#[test]
fn a_change_of_rooms_that_sound_alike_is_not_heard() {
    let bounds = [(Codec::Pcmu, -50.0), (Codec::Pcma, -50.0), (Codec::G722, -60.0), (Codec::Opus, -43.0)];
    for (codec, bound_dbov) in bounds {
        for later_ms in [4, 15] {
            let (mut first, mut second) = rooms(later_ms);
            first.enter(tone_at(codec, 440.0), codec);
            let moves = first.enter(Says::Nothing, codec);
            first.enter(Says::Nothing, codec);
            // What the second room hears after a tick of the first continues that, as a caller hears it who moves then.
            let mut ahead = ToneGenerator::new(codec.rate().hz(), 440.0, -12.0);
            if later_ms >= 10 {
                ahead.fill(&mut vec![0; codec.rate().frame()]);
            }
            second.enter(Says::Tone(ahead), codec);
            second.enter(Says::Nothing, codec);
            run([&mut first, &mut second], 100);
            first.run(1);
            let moves = pass(&mut first, moves, &mut second, KeepPlaying);
            run([&mut first, &mut second], 250);
            let beside = |ticks| second.beside_dbov(moves, &[440.0], ticks);
            let (steady, worst) = (beside(40..95), beside(95..340));
            assert!(worst < bound_dbov, "{codec:?}: {worst} dBov, steady {steady}");
            assert!((second.level(moves, 440.0) + 12.0).abs() < 1.0);
            assert_even(&second.phones[moves]);
            let is_apart = second.room.members[second.phones[moves].key.0]
                .as_ref()
                .is_some_and(|member| member.is_apart);
            // G.722 waits until both outputs are identical to the last bit, or for a pause.
            assert!(codec == Codec::G722 || !is_apart, "{codec:?}: it hears what all hear");
        }
    }
}

fn ends(world: &World) -> usize {
    world.events.iter().filter(|event| **event == MediaEvent::PlayFinished { id: PlayId(3) }).count()
}

#[test]
fn a_prompt_continues_or_ends_with_the_move() {
    for (playing, later_ms) in [(KeepPlaying, 3), (KeepPlaying, 12), (StopPlaying, 3)] {
        let (mut first, mut second) = rooms(later_ms);
        let moves = first.enter(Says::Nothing, Codec::Pcmu);
        second.enter(Says::Nothing, Codec::Pcmu);
        run([&mut first, &mut second], 10);
        let clip = LoadedClip::Tone { hz: 700, ms: 4000 };
        first.room.play_to(first.phones[moves].key, Playback::new(PlayId(3), vec![clip], false));
        run([&mut first, &mut second], 60);
        first.run(1);
        let moves = pass(&mut first, moves, &mut second, playing);
        run([&mut first, &mut second], 60);
        assert!(first.room.is_empty());
        let other = second.is_silent(0);
        assert!(other, "a prompt for one reaches nobody else");
        if playing == StopPlaying {
            assert!(second.is_silent(moves));
            run([&mut first, &mut second], 200);
            assert_eq!(ends(&second), 0, "it was stopped");
            continue;
        }
        assert!(second.beside_dbov(moves, &[700.0], 20..120) < -50.0, "{later_ms} ms later: a break");
        assert!(second.level(moves, 700.0) > -16.0);
        run([&mut first, &mut second], 200);
        assert_eq!(ends(&second), 1);
        assert!(second.is_silent(moves));
        // The prompt of 4 s was heard from its first to its last sample, of which two of 80 are zero.
        let heard = second.phones[moves].heard.iter().filter(|sample| sample.unsigned_abs() > 8).count();
        assert!((31_190..=31_200).contains(&heard), "{heard} samples");
    }
}

#[test]
fn what_a_late_worker_misses_counts_as_time() {
    let (mut first, mut second) = rooms(5);
    let moves = first.enter(Says::Nothing, Codec::Pcmu);
    second.enter(Says::Nothing, Codec::Pcmu);
    run([&mut first, &mut second], 30);
    first.run(1);
    // The second room ticks next 45 ms after the first: one frame is missing.
    second.run(2);
    let moves = pass(&mut first, moves, &mut second, KeepPlaying);
    second.run(10);
    let headers: Vec<_> = second.phones[moves].packets.iter().map(|(header, _)| header).collect();
    assert_eq!(headers.len(), 41);
    for (place, header) in headers.iter().enumerate() {
        assert_eq!(header.sequence, headers[0].sequence.wrapping_add(place as u16));
        let frames = place as u32 + u32::from(place >= 31);
        assert_eq!(header.timestamp, headers[0].timestamp.wrapping_add(160 * frames), "packet {place}");
    }
}

#[test]
fn a_line_on_the_fast_path_for_silence_moves_with_what_it_counted() {
    let (mut first, mut second) = rooms(12);
    let silence = || Says::Payload(Box::new(|_| [0xff; FRAME]));
    let moves = first.enter(silence(), Codec::Pcmu);
    second.enter(tone(400.0), Codec::Pcmu);
    run([&mut first, &mut second], 499);
    first.run(1);
    let moves = pass(&mut first, moves, &mut second, KeepPlaying);
    run([&mut first, &mut second], 500);
    let stats = second.stats(moves);
    assert_eq!((stats.packets_received, stats.packets_lost, stats.packets_sent), (1000, 0, 1000));
    assert_eq!((stats.frames_concealed, stats.packets_late), (0, 0));
    assert!((second.level(moves, 400.0) + 12.0).abs() < 1.0);
    assert_even(&second.phones[moves]);
}
