//! A NAT that changes the port of a stream in mid-call, and attackers who pretend to be one.

use super::*;

/// Two participants without reports, so that only RTP is compared.
fn world() -> World {
    let mut world = World::set(Settings { rtcp_interval_ns: 1_000_000 * SECOND, ..SETTINGS });
    world.enter(tone(400.0), Codec::Pcmu);
    world.enter(tone(700.0), Codec::Pcmu);
    world
}

fn port_of(world: &World, number: usize) -> (SocketAddr, bool) {
    let member = world.room.members[number].as_ref().expect("it is in");
    let stream = member.stream.as_ref().expect("it has one");
    (stream.latch.destination(), stream.is_settled)
}

#[test]
fn a_stream_that_goes_on_from_another_port_is_heard_and_hears_after_a_second() {
    for silent in [false, true] {
        let mut world = world();
        if silent {
            // A line on the fast path for silence: its packets are only counted.
            world.say(0, Says::Payload(Box::new(|_| [0xff; FRAME])));
        }
        world.run(6 * 50);
        let old = world.phones[0].address;
        assert_eq!(port_of(&world, 0), (old, true));
        let new = SocketAddr::new(old.ip(), 55_000);
        world.phones[0].address = new;
        world.run(49);
        assert_eq!(port_of(&world, 0), (old, true));
        world.run(3);
        // By now its socket accepts packets from elsewhere, and the next one moves the stream.
        assert_eq!(port_of(&world, 0), (new, true));
        world.say(0, tone(400.0));
        world.run(100);
        assert!((world.level(1, 400.0) + 12.0).abs() < 1.0, "it is not heard");
        assert!((world.level(0, 700.0) + 12.0).abs() < 1.0, "it hears nothing");
    }
}

#[test]
fn the_socket_of_a_stream_that_pauses_takes_packets_from_elsewhere_until_it_goes_on() {
    let mut world = world();
    world.run(6 * 50);
    let address = world.phones[0].address;
    world.say(0, Says::Nothing);
    world.run(49);
    assert_eq!(port_of(&world, 0), (address, true));
    world.run(2);
    assert_eq!(port_of(&world, 0), (address, false));
    world.say(0, tone(400.0));
    world.run(1);
    assert_eq!(port_of(&world, 0), (address, true));
}

#[test]
fn a_stranger_at_the_same_host_does_not_take_over_a_stream_that_pauses() {
    let mut world = world();
    world.run(6 * 50);
    let (key, address) = (world.phones[0].key, world.phones[0].address);
    world.say(0, Says::Nothing);
    let stranger = SocketAddr::new(address.ip(), 55_000);
    for number in 0..500_u16 {
        world.run(1);
        let header = plenary_rtp::packet::Header {
            sequence: 300 + number,
            timestamp: 48_000 + u32::from(number) * 160,
            ssrc: 4711,
            ..Default::default()
        };
        let packet = [header.to_bytes().as_slice(), &[0x10; FRAME]].concat();
        let time = world.time();
        world.room.handle_rtp(key, stranger, &packet, Some(time.now_ns), time, &mut world.outbox);
    }
    assert_eq!(port_of(&world, 0).0, address);
    assert!(world.is_silent(1), "the stranger is heard");
    assert_eq!(world.stats(0).packets_stranger, 500);
}
