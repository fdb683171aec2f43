//! Gain, noise, echo and what the statistics say of them.

use super::*;

#[test]
fn a_voice_has_the_gain_it_was_given_and_comes_to_the_common_level_where_asked() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    let key = world.phones[0].key;
    world.room.set_sound(key, Sound { gain_db: -10.0, ..Sound::default() });
    world.run(100);
    assert!((world.level(1, 400.0) + 22.0).abs() < 0.5, "{}", world.level(1, 400.0));
    world.room.set_sound(key, Sound::default());
    world.run(100);
    assert!((world.level(1, 400.0) + 12.0).abs() < 0.5);
    world.room.set_sound(key, Sound { automatic_gain: true, ..Sound::default() });
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
fn where_many_lines_sound_their_noise_is_left_out_and_a_voice_on_them_is_not() {
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
        let (mut left, mut loud, mut at) = (0_u32, 0.0_f32, 0_u32);
        Says::Payload(Box::new(move |_| {
            if left == 0 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                left = 4 + (seed >> 40) as u32 % 14;
                loud =
                    if (seed >> 33).is_multiple_of(3) { 0.0 } else { 2000.0 + ((seed >> 35) % 8000) as f32 };
            }
            left -= 1;
            let frame: [i16; FRAME] = std::array::from_fn(|place| {
                ((at * FRAME as u32 + place as u32) as f32 * 0.4).sin().mul_add(loud, 0.0) as i16
            });
            at += 1;
            let mut payload = [0; FRAME];
            g711::encode(g711::Law::Mu, &frame, &mut payload);
            payload
        }))
    };
    let mut world = World::with([words(), Says::Nothing]);
    // The second phone returns what it hears 10 frames later, softer.
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
    assert!(echoing.echo_delay_ms.expect("found").abs_diff(200) <= 40, "{echoing:?}");
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
    world.room.handle_rtp(key, from, &datagram, time.now_ns - MS, time, &mut world.outbox);
    world.run(60);
    let heard = &world.phones[1].heard;
    let level = dbov(&heard[heard.len() - 4000..]);
    assert!((level + 50.0).abs() < 3.0, "{level} dBov");
    world.say(0, tone(400.0));
    world.run(60);
    assert!((world.level(1, 400.0) + 12.0).abs() < 0.5);
}
