//! Pauses: comfort noise, DTX, and the first sound after them; talk detection.

use super::*;
use codecs::tone_at;

/// Levels of what a participant heard from a tick on, frame by frame.
fn levels(world: &World, number: usize, from_tick: usize) -> Vec<f32> {
    let phone = &world.phones[number];
    let frame = phone.codec.rate().frame();
    phone.heard[from_tick * frame..].chunks(frame).map(dbov).collect()
}

/// Sends a packet of comfort noise (RFC 3389) at this level in place of a frame.
fn send_noise(world: &mut World, number: usize, below_dbov: u8) {
    let phone = &mut world.phones[number];
    let (key, from) = (phone.key, phone.address);
    let mut header = phone.source.next_header(13, 0, 2);
    header.marker = false;
    let (time, datagram) = (world.time(), [header.to_bytes().as_slice(), &[below_dbov, 127]].concat());
    world.room.handle_rtp(key, from, &datagram, Some(time.now_ns - 10 * MS), time, &mut world.outbox);
}

#[test]
fn a_telephone_that_sends_comfort_noise_in_pauses_is_heard_whole_and_nothing_is_concealed() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut world = World::new();
        let talker = world.enter(tone_at(codec, 500.0), codec);
        let listener = world.enter(Says::Nothing, codec);
        world.run(100);
        for pause_ticks in [7, 40, 150, 400] {
            let begins = world.phones[listener].heard.len() / FRAME;
            world.say(talker, Says::Nothing);
            for tick in 0..pause_ticks {
                // Again every 200 ms, as telephones do.
                if tick % 10 == 0 {
                    send_noise(&mut world, talker, 48);
                }
                world.run(1);
            }
            let pause = levels(&world, listener, begins);
            // The last word ends, then noise follows at once and continuously.
            let (first, rest) = pause.split_at(4);
            assert!(first.iter().all(|level| *level > -53.0), "{codec:?}, {pause_ticks}: {first:?}");
            assert!(
                rest.iter().all(|level| (level + 48.0).abs() < 4.0),
                "{codec:?}, {pause_ticks}: {rest:?}"
            );
            world.say(talker, tone_at(codec, 500.0));
            let resumes = world.phones[listener].heard.len() / FRAME;
            world.run(60);
            let word = levels(&world, listener, resumes);
            let whole = word.iter().position(|level| (level + 15.0).abs() < 0.5).expect("it is heard");
            // A frame waits in the buffer; the tone itself fades in over 5 ms.
            assert!(whole <= 2, "{codec:?}, {pause_ticks}: whole after {whole} frames: {:?}", &word[..8]);
            assert!(word[whole..].iter().all(|level| (level + 15.0).abs() < 0.5), "{codec:?}: {word:?}");
        }
        let stats = world.stats(talker);
        assert_eq!(
            (stats.frames_concealed, stats.frames_skipped, stats.packets_lost, stats.packets_late),
            (0, 0, 0, 0),
            "{codec:?}: {stats:?}"
        );
    }
}

#[test]
fn a_telephone_with_opus_dtx_is_heard_whole_and_little_is_concealed() {
    let mut world = World::new();
    let talker = world.enter(tone_at(Codec::Opus, 500.0), Codec::Opus);
    let listener = world.enter(Says::Nothing, Codec::Pcmu);
    let settings = opus::Settings { dtx: true, ..SETTINGS.opus };
    (world.phones[talker].encoder, world.phones[talker].dtx) = (Encoder::new(Codec::Opus, &settings), true);
    world.run(100);
    let silence = || Says::Tone(ToneGenerator::new(48_000, 500.0, -127.0));
    for pause_ticks in [10, 40, 150, 400] {
        world.say(talker, silence());
        let (begins, received) =
            (world.phones[listener].heard.len() / FRAME, world.stats(talker).packets_received);
        world.run(pause_ticks);
        let sent = world.stats(talker).packets_received - received;
        // Ten frames of silence are sent, then one in 400 ms.
        assert!(sent <= 20 + pause_ticks / 20 + 1, "{sent} packets in {pause_ticks} frames of silence");
        let pause = levels(&world, listener, begins);
        assert!(pause[8..].iter().all(|level| *level < -60.0), "{pause_ticks}: {pause:?}");
        world.say(talker, tone_at(Codec::Opus, 500.0));
        let resumes = world.phones[listener].heard.len() / FRAME;
        world.run(60);
        let word = levels(&world, listener, resumes);
        let whole = word.iter().position(|level| (level + 15.0).abs() < 1.0).expect("it is heard");
        // A frame in the buffer, 6.5 ms in the encoder, 2 ms to another rate, and the encoder's own beginning.
        assert!(whole <= 3, "{pause_ticks}: whole after {whole} frames: {:?}", &word[..8]);
        assert!(word[whole + 3..].iter().all(|level| (level + 15.0).abs() < 1.0), "{word:?}");
    }
    let stats = world.stats(talker);
    assert!(stats.packets_late == 0 && stats.packets_lost == 0, "{stats:?}");
    // What was not sent does not count as lost, except for some after packets that do not indicate silence.
    assert!(stats.frames_concealed <= 12 && stats.frames_skipped == 0 && stats.mos > 4.3, "{stats:?}");
}

#[test]
fn with_opus_dtx_configured_silence_is_not_sent_to_listeners() {
    for talks in [Codec::Pcmu, Codec::Opus] {
        let settings = Settings { opus: opus::Settings { dtx: true, ..SETTINGS.opus }, ..SETTINGS };
        let mut world = World::set(settings);
        let talker = world.enter(tone_at(talks, 500.0), talks);
        let listener = world.enter(Says::Nothing, Codec::Opus);
        world.run(100);
        world.say(talker, Says::Nothing);
        world.run(50);
        let before = world.phones[listener].packets.len();
        world.run(200);
        let sent = world.phones[listener].packets.len() - before;
        assert!(sent <= 12, "{talks:?}: {sent} packets in 4 s of silence");
        world.say(talker, tone_at(talks, 500.0));
        let heard = world.phones[listener].heard.len();
        let packets = world.phones[listener].packets.len();
        world.run(60);
        let phone = &world.phones[listener];
        let (resumes, last) = (&phone.packets[packets].0, &phone.packets[phone.packets.len() - 1].0);
        assert!(resumes.marker, "{talks:?}: a talkspurt begins (RFC 3551, 4.1)");
        // The clock continued: packets now have timestamps 410 ticks after the first packet.
        let since_first = last.timestamp.wrapping_sub(phone.packets[0].0.timestamp);
        assert_eq!(since_first, 409 * 960, "{talks:?}");
        let numbers = last.sequence.wrapping_sub(phone.packets[0].0.sequence);
        assert_eq!(usize::from(numbers), phone.packets.len() - 1, "{talks:?}: no number is left out");
        let word: Vec<f32> = phone.heard[heard..].chunks(960).map(dbov).collect();
        let whole = word.iter().position(|level| (level + 15.0).abs() < 1.0).expect("it is heard");
        assert!(whole <= 3, "{talks:?}: whole after {whole} packets: {:?}", &word[..8]);
    }
}

#[test]
fn talk_is_reported_within_200_ms_and_its_end_after_400_to_800_ms_on_quiet_and_noisy_lines() {
    for codec in Codec::ALL {
        for (noise_dbov, voice_dbov) in [(-127.0, -20.0), (-65.0, -30.0), (-45.0, -20.0)] {
            let rate = codec.rate().hz();
            let mut world = World::new();
            // A hum is noise to everyone; Opus codes it as what it is.
            let hum = || Says::Tone(ToneGenerator::new(rate, 120.0, noise_dbov));
            let talker = world.enter(hum(), codec);
            world.enter(Says::Nothing, codec);
            world.run(600);
            world.events.clear();
            let ticks_until = |world: &mut World, event: &MediaEvent, most: u64| {
                (1..=most).find(|_| {
                    world.run(1);
                    world.events.contains(event)
                })
            };
            let call = MediaCallId(talker as u64);
            world.say(talker, Says::Tone(ToneGenerator::new(rate, 300.0, voice_dbov)));
            let on = ticks_until(&mut world, &MediaEvent::TalkStarted { call }, 50);
            assert!(on.is_some_and(|on| on <= 10), "{codec:?}, {noise_dbov}: on after {on:?} frames");
            world.run(100);
            world.say(talker, hum());
            let off = ticks_until(&mut world, &MediaEvent::TalkStopped { call }, 100);
            assert!(
                off.is_some_and(|off| (20..=40).contains(&off)),
                "{codec:?}, {noise_dbov}: off after {off:?}"
            );
        }
    }
}
