//! Packets with audio levels (RFC 6464), and the decoding that they save.

use super::*;
use plenary_rtp::srtp::{MasterKey, Receiver, Sender, Suite};

const ID: u8 = 3;
const CODECS: [Codec; 2] = [Codec::Opus, Codec::G722];

fn honest(level_dbov: f32) -> Option<AudioLevel> {
    Some(AudioLevel { level: (-level_dbov).round() as u8, voice: level_dbov > -50.0 })
}

/// Noise of all frequencies, of this level.
fn noise(dbov: f32) -> Says {
    let peak = 32_768.0 * 10_f32.powf(dbov / 20.0) * 3_f32.sqrt();
    let mut random = stream::Random(7);
    Says::Samples(Box::new(move |frame| {
        for sample in frame {
            *sample = ((random.next() as u32 as f32 / u32::MAX as f32 * 2.0 - 1.0) * peak).round() as i16;
        }
    }))
}

fn voice(codec: Codec) -> Says {
    Says::Tone(ToneGenerator::new(codec.rate().hz(), 500.0, -12.0))
}

impl World {
    fn agree(&mut self, number: usize, params_of: impl FnOnce(StreamParams) -> StreamParams) {
        let (key, address, codec, time) = {
            let phone = &self.phones[number];
            (phone.key, phone.address, phone.codec, self.time())
        };
        self.room.set_stream(key, params_of(params(address, codec)), time);
    }

    /// A participant whose packets carry levels.
    fn enter_with_levels(&mut self, says: Says, codec: Codec, id: u8) -> usize {
        let number = self.enter(says, codec);
        self.agree(number, |params| StreamParams { level_id: Some(id), ..params });
        self.phones[number].tells = Some((id, honest));
        number
    }

    fn is_skipping(&self, number: usize) -> bool {
        let member = self.room.member(self.phones[number].key).expect("it is in");
        member.stream.as_ref().is_some_and(|stream| stream.incoming.path.is_skipping())
    }

    /// Of `ticks` ticks, those in which its packets were not decoded.
    fn ticks_asleep(&mut self, number: usize, ticks: u64) -> u64 {
        let asleep = |world: &mut Self| {
            world.run(1);
            u64::from(world.is_skipping(number))
        };
        (0..ticks).map(|_| asleep(self)).sum()
    }
}

/// What a listener hears of a participant who is silent, speaks and is silent again, and for how many ticks of the
/// first silence nothing was decoded.
fn heard_of(codec: Codec, with_levels: bool, quiet_dbov: f32) -> (Vec<i16>, u64) {
    let mut world = World::new();
    let talker = match with_levels {
        true => world.enter_with_levels(noise(quiet_dbov), codec, ID),
        false => world.enter(noise(quiet_dbov), codec),
    };
    let listener = world.enter(Says::Nothing, Codec::Pcmu);
    let asleep = world.ticks_asleep(talker, 250);
    for says in [voice(codec), noise(quiet_dbov), voice(codec)] {
        world.say(talker, says);
        world.run(50);
    }
    (std::mem::take(&mut world.phones[listener].heard), asleep)
}

#[test]
fn skipped_packets_do_not_change_what_is_heard_afterwards() {
    // The bounds are those of a change of stream; the beginning of G.722 is slightly worse, 32 dB below the voice.
    for (codec, bound_dbov) in [(Codec::Opus, -43.0), (Codec::G722, -47.0)] {
        let (decoded, never) = heard_of(codec, false, -66.0);
        let (skipped, asleep) = heard_of(codec, true, -66.0);
        assert_eq!(never, 0);
        // All but the first packets and the checks.
        assert!(asleep >= 240, "{codec:?}: {asleep} of 250");
        assert_eq!(decoded.len(), skipped.len());
        for (place, (one, other)) in decoded.chunks(FRAME).zip(skipped.chunks(FRAME)).enumerate() {
            let difference: Vec<i16> = one.iter().zip(other).map(|(a, b)| a.saturating_sub(*b)).collect();
            let difference = dbov(&difference);
            assert!(difference < bound_dbov, "{codec:?}: {difference} dBov in frame {place}");
        }
        let first = skipped[250 * FRAME..].chunks(FRAME).position(|frame| dbov(frame) > -18.0);
        assert!(first.is_some_and(|first| first <= 3), "{codec:?}: heard after {first:?} frames");
    }
}

/// What a listener hears of a telephone that sends G.722 and is muted before and between, and for how many ticks of
/// the first silence nothing was decoded. `stays_awake`: everything is decoded.
fn heard_of_muted(stays_awake: bool) -> (Vec<i16>, u64) {
    let silence = || Says::Samples(Box::new(|frame: &mut [i16]| frame.fill(0)));
    let mut world = World::new();
    let talker = world.enter(silence(), Codec::G722);
    let listener = world.enter(Says::Nothing, Codec::Pcmu);
    let mut asleep = 0;
    for (turn, says) in [silence(), voice(Codec::G722), silence(), voice(Codec::G722)].into_iter().enumerate()
    {
        world.say(talker, says);
        for _ in 0..75 {
            let key = world.phones[talker].key;
            if stays_awake && let Some(stream) = &mut world.room.member_mut(key).expect("it is in").stream {
                stream.incoming.path.decode_all();
            }
            asleep += world.ticks_asleep(talker, 1) * u64::from(turn == 0);
        }
    }
    (std::mem::take(&mut world.phones[listener].heard), asleep)
}

#[test]
fn digital_silence_of_g722_is_skipped_and_speech_after_it_is_whole() {
    let ((decoded, never), (skipped, asleep)) = (heard_of_muted(true), heard_of_muted(false));
    assert_eq!(never, 0);
    assert!(asleep > 70, "{asleep} of 75");
    let mut worst = -127.0_f32;
    for (one, other) in decoded.chunks(FRAME).zip(skipped.chunks(FRAME)) {
        let difference: Vec<i16> = one.iter().zip(other).map(|(a, b)| a.saturating_sub(*b)).collect();
        worst = worst.max(dbov(&difference));
    }
    assert!(worst < -47.0, "{worst} dBov");
    let first = skipped[75 * FRAME..].chunks(FRAME).position(|frame| dbov(frame) > -18.0);
    assert!(first.is_some_and(|first| first <= 3), "heard after {first:?} frames");
}

#[test]
fn packets_of_other_lengths_are_skipped_and_warm_the_decoder_too() {
    // 10 ms of G.722, and 60.
    for size in [80_usize, 480] {
        let mut world = World::new();
        let talker = world.enter(Says::Nothing, Codec::G722);
        world.agree(talker, |params| StreamParams { level_id: Some(ID), ..params });
        let listener = world.enter(Says::Nothing, Codec::Pcmu);
        let (mut encoder, mut source) = (Encoder::new(Codec::G722, &SETTINGS.opus), Source::new(77, 7, 9000));
        let mut encoded: Vec<u8> = Vec::new();
        let mut asleep = 0;
        for tick in 0..200 {
            let level_dbov = if tick < 150 { -66.0 } else { -15.0 };
            let mut says = if tick < 150 { noise(level_dbov) } else { voice(Codec::G722) };
            let (mut frame, mut payload) = ([0; 320], [0; FRAME]);
            match &mut says {
                Says::Samples(make) => make(&mut frame),
                Says::Tone(tone) => tone.fill(&mut frame),
                _ => {}
            }
            encoder.encode(&frame, &mut payload);
            encoded.extend(payload);
            let (time, key, from) = (world.time(), world.phones[talker].key, world.phones[talker].address);
            while encoded.len() >= size {
                let header = source.next_header(payload_type(Codec::G722), size as u32, size);
                let level = honest(level_dbov).expect("a level").header_bytes(&header, ID);
                let datagram: Vec<u8> = level.into_iter().chain(encoded.drain(..size)).collect();
                let arrival_ns = time.now_ns - 2 * MS - encoded.len() as u64 * MS / 8;
                world.room.handle_rtp(key, from, &datagram, Some(arrival_ns), time, &mut world.outbox);
            }
            world.run(1);
            asleep += usize::from(tick < 150 && world.is_skipping(talker));
        }
        assert!(asleep > 130, "{size} octets: {asleep} of 150 ticks");
        assert!((world.level(listener, 500.0) + 12.0).abs() < 6.0, "{}", world.level(listener, 500.0));
    }
}

#[test]
fn in_a_crowded_room_noise_is_skipped_and_its_floor_is_still_known() {
    let floors = [false, true].map(|with_levels| {
        let mut world = World::new();
        for _ in 0..6 {
            match with_levels {
                true => world.enter_with_levels(noise(-52.0), Codec::Opus, ID),
                false => world.enter(noise(-52.0), Codec::Opus),
            };
        }
        let listener = world.enter(Says::Nothing, Codec::Pcmu);
        world.run(500);
        assert!(world.is_silent(listener), "noise of many is left out");
        let asleep = world.ticks_asleep(0, 200);
        assert_eq!(asleep > 190, with_levels, "{asleep} of 200");
        world.say(0, voice(Codec::Opus));
        world.run(60);
        assert!((world.level(listener, 500.0) + 12.0).abs() < 1.5);
        world.stats(1).noise_floor_dbov
    });
    // The stated level was measured before the codec, which leaves out inaudible parts.
    assert!((floors[1] + 52.0).abs() < 1.0, "{floors:?}");
    assert!((floors[0] - floors[1]).abs() < 4.0, "{floors:?}");
}

#[test]
fn levels_that_were_not_negotiated_or_are_missing_change_nothing() {
    let nothing: Tells = |_| None;
    for codec in CODECS {
        for (agreed, tells) in [(None, Some((ID, honest as Tells))), (Some(ID), Some((ID + 1, honest)))]
            .into_iter()
            .chain([(Some(ID), Some((ID, nothing))), (Some(ID), None), (Some(20), Some((ID, honest)))])
        {
            let mut world = World::new();
            let talker = world.enter(noise(-66.0), codec);
            world.agree(talker, |params| StreamParams { level_id: agreed, ..params });
            world.phones[talker].tells = tells;
            let listener = world.enter(Says::Nothing, Codec::Pcmu);
            assert_eq!(world.ticks_asleep(talker, 100), 0, "{codec:?} {agreed:?}");
            world.say(talker, voice(codec));
            world.run(60);
            assert!((world.level(listener, 500.0) + 12.0).abs() < 1.5, "{codec:?} {agreed:?}");
        }
    }
    // A packet without a level is decoded, and those after it are not.
    let mut world = World::new();
    let talker = world.enter_with_levels(noise(-66.0), Codec::Opus, ID);
    world.run(100);
    world.phones[talker].tells = None;
    world.run(1);
    assert!(!world.is_skipping(talker));
    world.phones[talker].tells = Some((ID, honest));
    assert!(world.ticks_asleep(talker, 50) >= 48);
}

#[test]
fn a_stream_with_false_levels_harms_no_other_and_is_heard_in_the_end() {
    for codec in CODECS {
        let mut world = World::new();
        let liar = world.enter(voice(codec), codec);
        world.agree(liar, |params| StreamParams { level_id: Some(ID), ..params });
        world.phones[liar].tells = Some((ID, |_| Some(AudioLevel { level: 127, voice: false })));
        let honest_one = world.enter_with_levels(
            Says::Tone(ToneGenerator::new(codec.rate().hz(), 1100.0, -12.0)),
            codec,
            ID,
        );
        let listener = world.enter(Says::Nothing, Codec::Pcmu);
        // Two seconds at most until one of their packets is decoded.
        world.run(160);
        for hears in [listener, honest_one] {
            assert!(
                (world.level(hears, 500.0) + 12.0).abs() < 2.0,
                "{codec:?}: {}",
                world.level(hears, 500.0)
            );
        }
        for hears in [listener, liar] {
            assert!((world.level(hears, 1100.0) + 12.0).abs() < 1.5, "{codec:?}: the other is heard");
        }
        // From then on their levels are ignored: what they say next is heard at once.
        world.say(liar, noise(-66.0));
        assert_eq!(world.ticks_asleep(liar, 150), 0, "{codec:?}");
        world.say(liar, voice(codec));
        let before = world.phones[listener].heard.len();
        world.run(10);
        let heard = &world.phones[listener].heard[before + 4 * FRAME..];
        assert!(power_dbov(heard, 8000, 500.0) > -14.0, "{codec:?}");
    }
}

#[test]
fn silence_that_is_stated_to_be_loud_is_decoded_and_not_summed() {
    let mut world = World::new();
    let talker = world.enter(noise(-66.0), Codec::Opus);
    world.agree(talker, |params| StreamParams { level_id: Some(ID), ..params });
    world.phones[talker].tells = Some((ID, |_| Some(AudioLevel { level: 0, voice: true })));
    let listener = world.enter(Says::Nothing, Codec::Pcmu);
    assert_eq!(world.ticks_asleep(talker, 150), 0);
    assert!(world.is_silent(listener));
    assert!(!world.events.contains(&MediaEvent::TalkStarted { call: MediaCallId(talker as u64) }));
}

#[test]
fn a_new_session_description_changes_the_extension_id_or_ends_it() {
    let mut world = World::new();
    let talker = world.enter_with_levels(noise(-66.0), Codec::Opus, ID);
    let listener = world.enter(Says::Nothing, Codec::Pcmu);
    assert!(world.ticks_asleep(talker, 100) >= 95);
    world.agree(talker, |params| StreamParams { level_id: Some(200), ..params });
    world.run(3);
    assert_eq!(world.ticks_asleep(talker, 50), 0, "the old number means nothing");
    world.phones[talker].tells = Some((200, honest));
    world.run(3);
    assert!(world.ticks_asleep(talker, 50) >= 48, "in two-byte elements");
    world.agree(talker, |params| StreamParams { level_id: None, ..params });
    world.run(3);
    assert_eq!(world.ticks_asleep(talker, 50), 0);
    world.say(talker, voice(Codec::Opus));
    world.run(60);
    assert!((world.level(listener, 500.0) + 12.0).abs() < 1.5);
}

#[test]
fn levels_of_protected_packets_are_read_and_modified_ones_are_not() {
    let suite = Suite::AesCm128HmacSha1_80;
    let key = |fill: u8| MasterKey::new(suite, &vec![fill; suite.key_and_salt_bytes()]).unwrap();
    let (ours, theirs) = (key(1), key(2));
    let mut world = World::new();
    let talker = world.enter(Says::Nothing, Codec::Opus);
    world.agree(talker, |params| StreamParams {
        level_id: Some(ID),
        protection: Protection::Srtp { send: ours.clone(), receive: vec![theirs.clone()] },
        ..params
    });
    let mut sender = Sender::new(&theirs);
    let mut encoder = Encoder::new(Codec::Opus, &SETTINGS.opus);
    let mut source = Source::new(77, 7, 9000);
    let Says::Samples(mut make) = noise(-66.0) else { unreachable!() };
    let mut asleep = 0;
    for tick in 0..100 {
        let (mut frame, mut payload) = ([0; 960], [0; 1500]);
        make(&mut frame);
        let length = encoder.encode(&frame, &mut payload);
        let header = source.next_header(payload_type(Codec::Opus), 960, length);
        let level = honest(-66.0).expect("a level").header_bytes(&header, ID);
        let mut datagram = [level.as_slice(), &payload[..length]].concat();
        sender.protect_rtp(&mut datagram, 0);
        assert_eq!(datagram[..level.len()], level, "the header is readable");
        if tick >= 50 {
            // Its level, which cannot be changed without the key.
            datagram[17] ^= 1;
            assert!(Receiver::new(&theirs).open_rtp(&mut datagram.clone()).is_err());
        }
        let (time, key, from) = (world.time(), world.phones[talker].key, world.phones[talker].address);
        world.room.handle_rtp(key, from, &datagram, Some(time.now_ns - 10 * MS), time, &mut world.outbox);
        world.room.tick(time, &mut world.outbox);
        world.outbox.clear_datagrams();
        world.ticks += 1;
        asleep += u32::from(world.is_skipping(talker));
        assert_eq!(world.stats(talker).packets_not_authentic, (tick + 1_u64).saturating_sub(50));
    }
    assert!(asleep >= 45, "{asleep}");
}
