//! Gain, noise suppression, echo detection and their statistics.

use super::*;

#[test]
fn a_voice_has_its_configured_gain_and_reaches_the_common_level_with_automatic_gain() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    let key = world.phones[0].key;
    world.room.set_processing(key, AudioProcessing { gain_db: -10.0, ..AudioProcessing::default() });
    world.run(100);
    assert!((world.level(1, 400.0) + 22.0).abs() < 0.5, "{}", world.level(1, 400.0));
    world.room.set_processing(key, AudioProcessing::default());
    world.run(100);
    assert!((world.level(1, 400.0) + 12.0).abs() < 0.5);
    world.room.set_processing(key, AudioProcessing { automatic_gain: true, ..AudioProcessing::default() });
    for _ in 0..25 {
        world.say(0, Says::Tone(ToneGenerator::new(8000, 400.0, -33.0)));
        world.run(15);
        world.say(0, Says::Tone(ToneGenerator::new(8000, 400.0, -70.0)));
        world.run(5);
    }
    let heard = &world.phones[1].heard;
    let level = dbov(&heard[heard.len() - 15 * FRAME..heard.len() - 10 * FRAME]);
    assert!((level + 22.0).abs() < 3.0, "a quiet voice comes to {level} dBov");
    let gain = world.stats(0).gain_db;
    assert!((10.0..=15.0).contains(&gain), "{gain} dB");
}

#[test]
fn with_many_live_lines_noise_is_left_out_and_voices_are_not() {
    let noise = |seed: u64| {
        let mut state = seed * 7919 + 1;
        Says::Payload(Box::new(move |_| {
            let mut frame = [0_i16; FRAME];
            for sample in &mut frame {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *sample = ((state >> 48) as i32 * 330 / 65_536 - 165) as i16;
            }
            let mut payload = [0; FRAME];
            g711::encode(g711::Law::Mu, &frame, &mut payload);
            payload
        }))
    };
    let mut world = World::with((0..20).map(noise));
    let listener = world.enter(Says::Nothing, Codec::Pcmu);
    world.run(100);
    let level = |world: &World| {
        let heard = &world.phones[listener].heard;
        dbov(&heard[heard.len() - 4000..])
    };
    let crowd = level(&world);
    world.run(400);
    let quiet = level(&world);
    assert!(crowd > -42.0 && quiet < crowd - 6.0, "{crowd} dBov became {quiet}");
    world.say(3, tone(700.0));
    world.run(60);
    assert!((world.level(listener, 700.0) + 12.0).abs() < 1.0);
}

#[test]
fn an_echoing_line_and_a_bad_network_show_in_the_statistics() {
    let words = || {
        let mut seed = 5_u64;
        let (mut left, mut loud, mut voice) = (0_u32, 0.0_f32, hiss(-35.0, 5));
        Says::Payload(Box::new(move |_| {
            if left == 0 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                left = 4 + (seed >> 40) as u32 % 14;
                loud =
                    if (seed >> 33).is_multiple_of(3) { 0.0 } else { 2000.0 + ((seed >> 35) % 8000) as f32 };
            }
            left -= 1;
            let frame = voice().map(|sample| (f32::from(sample) / 1000.0 * loud) as i16);
            let mut payload = [0; FRAME];
            g711::encode(g711::Law::Mu, &frame, &mut payload);
            payload
        }))
    };
    let mut world = World::with([words(), Says::Nothing]);
    // The second telephone returns what it hears 10 frames later, attenuated.
    for _ in 0..700 {
        let heard = &world.phones[1].packets;
        let past = heard.len().checked_sub(10).map(|place| heard[place].1.clone());
        world.phones[1].says = Says::Payload(Box::new(move |_| {
            let mut samples = [0; FRAME];
            if let Some(past) = &past {
                g711::decode(g711::Law::Mu, past, &mut samples);
            }
            samples.iter_mut().for_each(|sample| *sample /= 5);
            let mut payload = [0; FRAME];
            g711::encode(g711::Law::Mu, &samples, &mut payload);
            payload
        }));
        world.run(1);
    }
    let (clean, echoing) = (world.stats(0), world.stats(1));
    assert!(clean.echo_suspicion < 0.5 && clean.echo_delay_ms.is_none(), "{clean:?}");
    assert!(echoing.echo_suspicion > 0.5, "{echoing:?}");
    assert!(echoing.echo_delay_ms.expect("found").abs_diff(200) <= 5, "{echoing:?}");
    assert!((echoing.echo_loss_db.expect("found") - 14.0).abs() < 3.0, "{echoing:?}");
    assert!(clean.mos > 4.2 && clean.codec == Some("PCMU"), "{clean:?}");
    for tick in 0..500 {
        if tick % 8 == 0 {
            world.datagrams_of(0);
        }
        world.run(1);
    }
    assert!(world.stats(0).mos < 3.8, "{:?}", world.stats(0));
}

#[test]
fn comfort_noise_fills_the_pauses_of_a_stream_that_sends_it() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.run(50);
    let (key, from) = (world.phones[0].key, world.phones[0].address);
    world.say(0, Says::Nothing);
    let mut header = world.phones[0].source.next_header(13, 0, 2);
    header.marker = false;
    let time = world.time();
    let datagram = [header.to_bytes().as_slice(), &[50, 127]].concat();
    world.room.handle_rtp(key, from, &datagram, Some(time.now_ns - MS), time, &mut world.outbox);
    world.run(60);
    let heard = &world.phones[1].heard;
    let level = dbov(&heard[heard.len() - 4000..]);
    assert!((level + 50.0).abs() < 3.0, "{level} dBov");
    world.say(0, tone(400.0));
    world.run(60);
    assert!((world.level(1, 400.0) + 12.0).abs() < 0.5);
}

/// White noise of this level.
fn hiss(dbov: f32, seed: u64) -> impl FnMut() -> [i16; FRAME] {
    let mut state = seed * 7919 + 1;
    // Even values up to the peak have a third of its power.
    let peak = 32_768.0 * 10_f32.powf(dbov / 20.0) * 3_f32.sqrt();
    move || {
        std::array::from_fn(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (((state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0) * peak) as i16
        })
    }
}

fn encoded(frame: &[i16; FRAME]) -> [u8; FRAME] {
    let mut payload = [0; FRAME];
    g711::encode(g711::Law::Mu, frame, &mut payload);
    payload
}

#[test]
fn the_first_sound_of_a_word_is_heard_however_soft_it_is_and_however_many_lines_hiss() {
    // An s of 120 ms at -45 dBov before the vowel, on lines with noise of -70 to -50 dBov, alone and among twenty.
    for (noise_dbov, others) in [(-70.0, 0), (-55.0, 0), (-55.0, 20), (-52.0, 20), (-50.0, 20)] {
        let noise = |seed: u64| {
            let mut hiss = hiss(noise_dbov, seed);
            Says::Payload(Box::new(move |_| encoded(&hiss())))
        };
        let mut world = World::with((0..=others).map(noise));
        let listener = world.enter(Says::Nothing, Codec::Pcmu);
        world.run(500);
        let before = world.phones[listener].heard.len();
        let (mut soft, mut vowel, mut frames) = (hiss(-45.0, 99), ToneGenerator::new(8000, 300.0, -18.0), 0);
        let says = Says::Payload(Box::new(move |_| {
            frames += 1;
            let mut frame = soft();
            if frames > 6 {
                vowel.fill(&mut frame);
            }
            encoded(&frame)
        }));
        world.say(0, says);
        world.run(12);
        let heard = &world.phones[listener].heard[before..];
        let levels: Vec<f32> = heard.chunks(FRAME).map(dbov).collect();
        let first = levels.iter().position(|level| *level > -46.5).expect("it is heard");
        assert!(first <= 1, "{noise_dbov} dBov, {others} others: heard after {first} frames: {levels:?}");
        assert!(levels[first..first + 6].iter().all(|level| *level > -46.5), "{noise_dbov}: {levels:?}");
        assert!(levels[first + 6] > -22.0, "{noise_dbov}: {levels:?}");
    }
}

#[test]
fn one_voice_is_passed_bit_for_bit_also_beside_silent_members_of_other_codecs() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut world = World::new();
        let codes = |tick: u64| std::array::from_fn(|place| (place as u64 * 37 + tick * 11) as u8);
        world.enter(Says::Payload(Box::new(codes)), codec);
        let listener = world.enter(Says::Nothing, codec);
        for other in [Codec::G722, Codec::Opus] {
            // A microphone that is on in a quiet room.
            world.enter(Says::Tone(ToneGenerator::new(other.rate().hz(), 200.0, -72.0)), other);
        }
        world.run(60);
        let heard = &world.phones[listener].packets;
        for (tick, (_, payload)) in heard.iter().enumerate().skip(5) {
            assert_eq!(payload.as_slice(), codes(tick as u64), "{codec:?}: tick {tick}");
        }
    }
}

#[test]
fn for_an_hour_a_clock_that_is_300_ppm_off_is_followed_without_a_click() {
    for ppm in [-300_i64, 300] {
        let mut world = World::with([tone(440.0), Says::Nothing]);
        // The telephone's 20 ms are slightly longer or shorter than ours.
        let mut sent = 0_i64;
        for tick in 0..180_000_i64 {
            let time = world.time();
            while sent * (20_000_000 - 20 * ppm) < tick * 20_000_000 + 9_000_000 {
                let arrival_ns =
                    (time.now_ns as i64 - tick * 20_000_000 + sent * (20_000_000 - 20 * ppm)) as u64;
                let datagram = world.datagrams_of(0).expect("it talks");
                let (key, from) = (world.phones[0].key, world.phones[0].address);
                world.room.handle_rtp(key, from, &datagram, Some(arrival_ns), time, &mut world.outbox);
                sent += 1;
            }
            world.room.tick(time, &mut world.outbox);
            world.deliver();
            world.ticks += 1;
        }
        let stats = world.stats(0);
        // 300 ppm of an hour are 1.08 s, 54 frames; nothing else is concealed, skipped or late.
        let (concealed, left_out) = (stats.frames_concealed, stats.frames_skipped);
        assert!(
            (50..=56).contains(&(concealed + left_out)),
            "{ppm}: {concealed} concealed, {left_out} left out"
        );
        assert!(if ppm < 0 { left_out == 0 } else { concealed <= 2 }, "{ppm}: {concealed}, {left_out}");
        assert!(stats.packets_late == 0 && stats.buffer_ms < 45.0, "{ppm}: {stats:?}");
        let heard = &world.phones[1].heard[8000..];
        // No step between samples that the tone itself does not have (its steepest is 0.345 of its peak), and no gap.
        let peak = 32_768.0 * 10_f32.powf(-12.0 / 20.0) * std::f32::consts::SQRT_2;
        let step = heard.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
        assert!(step.is_some_and(|step| (step as f32) < peak * 0.45), "{ppm}: a step of {step:?}");
        assert_eq!(heard.len(), 180_000 * FRAME - 8000);
        let loudest = heard.chunks(80).map(dbov).fold(-127.0_f32, f32::max);
        assert!((loudest + 15.0).abs() < 1.0, "{ppm}: up to {loudest} dBov");
        let softest = heard.chunks(80).map(dbov).fold(0.0_f32, f32::min);
        assert!(softest > -21.0, "{ppm}: a hole of {softest} dBov");
    }
}
