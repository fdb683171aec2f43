//! Protected streams: new keys in mid-call, key identifiers (MKI), and replays.

use super::*;
use plenary_rtp::srtp::{MasterKey, Receiver, Sender, Suite};

fn key(fill: u8) -> MasterKey {
    let suite = Suite::AesCm128HmacSha1_80;
    MasterKey::new(suite, &vec![fill; suite.key_and_salt_bytes()]).expect("a key").with_mki(&[fill])
}

#[test]
fn packets_in_flight_at_a_change_of_keys_are_heard_and_replays_are_counted() {
    let (ours, first, second) = (key(1), key(2), key(3));
    let mut world = World::new();
    let talker = world.enter(Says::Nothing, Codec::Pcmu);
    let (member, address) = (world.phones[talker].key, world.phones[talker].address);
    let (mut before, mut after) = (Sender::new(&first), Sender::new(&second));
    let mut receiver = Receiver::new(&ours);
    let mut source = Source::new(77, 7, 9000);
    let (mut datagram, mut opened) = (Vec::new(), 0);
    for tick in 0..100 {
        let time = world.time();
        if tick == 0 || tick == 50 {
            let theirs = if tick == 0 { &first } else { &second };
            let protection = Protection::Srtp { send: ours.clone(), receive: vec![theirs.clone()] };
            world.room.set_stream(member, StreamParams { protection, ..params(address, Codec::Pcmu) }, time);
        }
        datagram = [&source.next_header(0, 160, FRAME).to_bytes()[..], &[0x10; FRAME]].concat();
        // Its session description overtakes five packets.
        if tick < 55 { &mut before } else { &mut after }.protect_rtp(&mut datagram, 0);
        let arrival_ns = Some(time.now_ns - 10 * MS);
        world.room.handle_rtp(member, address, &datagram, arrival_ns, time, &mut world.outbox);
        world.room.tick(time, &mut world.outbox);
        for datagram in world.outbox.datagrams().filter(|datagram| datagram.route.channel == Channel::Rtp) {
            opened += u32::from(receiver.open_rtp(&mut datagram.bytes.to_vec()).is_ok());
        }
        world.outbox.clear_datagrams();
        world.ticks += 1;
    }
    let stats = world.stats(talker);
    assert_eq!((stats.packets_received, stats.packets_lost), (100, 0), "{stats:?}");
    assert_eq!((stats.packets_not_authentic, stats.packets_duplicate, stats.frames_concealed), (0, 0, 0));
    assert_eq!(opened, 100, "ours go on under one key, and name it");
    let time = world.time();
    world.room.handle_rtp(member, address, &datagram, Some(time.now_ns), time, &mut world.outbox);
    let stats = world.stats(talker);
    assert_eq!((stats.packets_received, stats.packets_duplicate, stats.packets_not_authentic), (100, 1, 0));
}
