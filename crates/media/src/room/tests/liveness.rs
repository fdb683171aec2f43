//! Calls that vanish, are on hold, have one-way audio or receive packets of others.

use super::*;
use crate::Ice;
use plenary_rtp::srtp::{MasterKey, Suite};

#[test]
fn calls_that_fall_silent_never_talk_or_are_on_hold_are_reported() {
    let mut world = World::with([tone(400.0), tone(700.0), Says::Nothing]);
    let ticks = 31 * SECOND / FRAME_NS;
    world.run(10);
    world.say(0, Says::Nothing);
    world.say(1, Says::Nothing);
    let (key, address) = (world.phones[1].key, world.phones[1].address);
    let time = world.time();
    world.room.set_stream(key, StreamParams { send: false, ..params(address, Codec::Pcmu) }, time);
    world.run(2 * ticks);
    let count =
        |world: &World, event: MediaEvent| world.events.iter().filter(|other| **other == event).count();
    let silent = MediaEvent::SilenceTimeout { call: MediaCallId(0) };
    assert_eq!(count(&world, silent.clone()), 2, "to be asked");
    assert_eq!(count(&world, MediaEvent::HoldTimeout { call: MediaCallId(1) }), 2, "to be asked");
    assert_eq!(
        count(&world, MediaEvent::SilenceTimeout { call: MediaCallId(2) }),
        2,
        "muted from the beginning"
    );
    let all = world.events.iter().filter(|event| !matches!(event, MediaEvent::OneWay { .. }));
    assert_eq!(
        all.filter(|event| !matches!(event, MediaEvent::TalkStarted { .. } | MediaEvent::TalkStopped { .. }))
            .count(),
        6
    );
    world.say(0, tone(400.0));
    world.run(5);
    world.say(0, Says::Nothing);
    world.run(ticks);
    assert_eq!(count(&world, silent), 3, "silent again");
}

#[test]
fn a_browser_that_does_not_connect_is_reported_once_and_a_muted_one_repeatedly() {
    let ticks = 31 * SECOND / FRAME_NS;
    let handshake = Protection::Dtls { active: false, fingerprint: [0; 32] };
    let ice = || Some(Ice { local_ufrag: "ours".to_owned(), local_pwd: "secret".repeat(4) });
    // Without ICE, without the handshake, and with both.
    for (is_nominated, has_keys) in [(false, true), (true, false), (true, true)] {
        let mut world = World::with([Says::Nothing]);
        let (key, address, time) = (world.phones[0].key, world.phones[0].address, world.time());
        let params = params(address, Codec::Pcmu);
        world.room.set_stream(
            key,
            StreamParams { ice: ice(), protection: handshake.clone(), ..params },
            time,
        );
        let member = world.room.member_mut(key).expect("it is in");
        if is_nominated {
            member.stream.as_mut().expect("it was agreed").latch.nominate(address, time.now_ns);
        }
        if has_keys {
            let suite = Suite::AesCm128HmacSha1_80;
            let master = MasterKey::new(suite, &[7; 30]).expect("as long as its key and salt");
            member.set_keys(Channel::Rtp, &master, &master, time.now_ns);
        }
        world.run(3 * ticks);
        let count = |event: MediaEvent| world.events.iter().filter(|other| **other == event).count();
        let is_through = is_nominated && has_keys;
        let call = MediaCallId(0);
        let found = (count(MediaEvent::RtpTimeout { call }), count(MediaEvent::SilenceTimeout { call }));
        assert_eq!(found, if is_through { (0, 3) } else { (1, 0) }, "{is_nominated} {has_keys}");
    }
}

/// What a telephone reports: the highest received sequence number of ours, if it received any.
fn report_of(world: &mut World, number: usize, highest: Option<u32>, goodbye: bool) {
    let ours = world.phones[number].packets.last().expect("it was sent something").0.ssrc;
    let received = highest.map(|extended_highest_sequence| {
        let block = ReceptionReport {
            ssrc: ours,
            fraction_lost: 0,
            cumulative_lost: 0,
            extended_highest_sequence,
            jitter: 0,
        };
        (block, LastReport::default())
    });
    let report = Report { ssrc: 1000 + number as u32, sent: None, received, cname: "phone", goodbye };
    let mut bytes = [0; REPORT_BYTES_MAX];
    let length = report.write(&mut bytes);
    let (time, key, address) = (world.time(), world.phones[number].key, world.phones[number].address);
    let from = SocketAddr::new(address.ip(), address.port() + 1);
    world.room.handle_rtcp(key, from, &bytes[..length], time.now_ns, time, &mut world.outbox);
}

#[test]
fn a_goodbye_by_rtcp_ends_the_waiting_for_audio() {
    let mut world = World::with([tone(400.0), tone(700.0)]);
    world.run(100);
    world.say(0, Says::Nothing);
    report_of(&mut world, 0, None, true);
    report_of(&mut world, 1, None, true);
    world.run(4 * 50);
    let gone = MediaEvent::RtpTimeout { call: MediaCallId(0) };
    assert!(!world.events.contains(&gone));
    world.run(2 * 50);
    assert!(world.events.contains(&gone), "{:?}", world.events);
    world.run(40 * 50);
    let others = world.events.iter().filter(|event| matches!(event, MediaEvent::RtpTimeout { .. })).count();
    assert_eq!(others, 1, "the other one talked on after its goodbye");
}

#[test]
fn one_way_audio_is_reported_and_shown_until_it_flows_both_ways() {
    let mut world = World::with([tone(400.0), tone(700.0)]);
    let mut reported = Vec::new();
    for second in 0..60 {
        // Nothing arrives from 0 between the tenth second and the twentieth.
        world.say(0, if (10..20).contains(&second) { Says::Nothing } else { tone(400.0) });
        world.run(50);
        if second % 5 == 4 {
            // Nothing sent arrives at 1 between the twentieth second and the fortieth.
            let highest = world.phones[1].packets.last().expect("packets").0.sequence;
            let highest = u32::from(highest) * u32::from(!(20..40).contains(&second));
            report_of(&mut world, 0, Some(second * 50), false);
            report_of(&mut world, 1, Some(highest), false);
        }
        for event in world.events.drain(..) {
            if let MediaEvent::OneWay { call, one_way } = event {
                reported.push((second, call.0, one_way));
            }
        }
        let mut shown =
            |number: usize| world.room.stats(world.phones[number].key).expect("it is there").one_way;
        assert_eq!(
            shown(0),
            reported.iter().rev().find(|(_, call, _)| *call == 0).and_then(|report| report.2)
        );
        assert_eq!(
            shown(1),
            reported.iter().rev().find(|(_, call, _)| *call == 1).and_then(|report| report.2)
        );
    }
    let (received, delivered) = (Some(OneWay::NoneReceived), Some(OneWay::NoneDelivered));
    assert_eq!(reported, [(14, 0, received), (20, 0, None), (35, 1, delivered), (45, 1, None)]);
    // It counts from when it was noticed.
    let lasted = [0, 1].map(|number: usize| {
        let stats = world.room.stats(world.phones[number].key).expect("it is there");
        assert!(stats.mos_min.is_some_and(|lowest| lowest > 0.0 && lowest <= stats.mos), "{stats:?}");
        stats.one_way_ms
    });
    assert!((4500..=6500).contains(&lasted[0]) && (9000..=11_000).contains(&lasted[1]), "{lasted:?}");
}

#[test]
fn on_hold_nothing_is_sent_and_the_clock_goes_on() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.run(50);
    let (key, address) = (world.phones[1].key, world.phones[1].address);
    let time = world.time();
    world.room.set_stream(
        key,
        StreamParams { send: false, receive: false, ..params(address, Codec::Pcmu) },
        time,
    );
    world.run(50);
    assert_eq!(world.phones[1].packets.len(), 50);
    let time = world.time();
    world.room.set_stream(key, params(address, Codec::Pcmu), time);
    world.run(50);
    let packets = &world.phones[1].packets;
    assert_eq!(packets.len(), 100);
    let (before, after) = (&packets[49].0, &packets[50].0);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(51 * 160));
    assert!(after.marker);
    assert_eq!(after.ssrc, before.ssrc);
}

#[test]
fn a_held_participant_is_not_heard() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.run(50);
    let (key, address) = (world.phones[0].key, world.phones[0].address);
    let time = world.time();
    world.room.set_stream(
        key,
        StreamParams { send: false, receive: false, ..params(address, Codec::Pcmu) },
        time,
    );
    world.run(60);
    assert!(world.is_silent(1));
    assert_eq!(world.stats(0).packets_unwanted, 60);
}

#[test]
fn a_remote_that_is_no_address_is_sent_nothing() {
    for address in ["0.0.0.0:4000", "10.0.0.1:0"] {
        let mut world = World::with([Says::Nothing]);
        let time = world.time();
        world.room.set_stream(
            world.phones[0].key,
            params(address.parse().expect("parses"), Codec::Pcmu),
            time,
        );
        world.run(500);
        assert!(world.phones[0].packets.is_empty() && world.phones[0].reports.is_empty(), "{address}");
    }
}

#[test]
fn packets_of_strangers_and_of_other_kinds_are_counted_and_nothing_else() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.run(50);
    let (key, time) = (world.phones[0].key, world.time());
    let ours = world.phones[0].address;
    let stranger: SocketAddr = "203.0.113.5:4000".parse().expect("an address");
    let packet = |payload_type, sequence| {
        let header = plenary_rtp::packet::Header { payload_type, sequence, ssrc: 1000, ..Default::default() };
        [header.to_bytes().as_slice(), &[0x10; FRAME]].concat()
    };
    let sent = world.phones[0].packets.len();
    let mut give = |from, bytes: &[u8]| {
        world.room.handle_rtp(key, from, bytes, Some(time.now_ns), time, &mut world.outbox)
    };
    give(stranger, &packet(0, 900));
    give(ours, &packet(96, 901));
    give(ours, &packet(0, 902)[..11]);
    give(ours, b"~~~~~~");
    give(ours, &[]);
    let stats = world.stats(0);
    assert_eq!((stats.packets_stranger, stats.packets_unknown_payload, stats.packets_malformed), (1, 1, 3));
    world.run(1);
    assert_eq!(world.phones[0].packets.len(), sent + 1);
}

#[test]
fn packets_before_the_stream_is_set_are_counted_and_nothing_else() {
    let mut room = MixRoom::new(RoomId(1), SETTINGS);
    let (key, mut outbox) = (room.add(MediaCallId(1), any_port(), 1), Outbox::default());
    let time = Tick { now_ns: SECOND, wall_ns: SECOND };
    let header = plenary_rtp::packet::Header::default().to_bytes();
    room.handle_rtp(
        key,
        "10.0.0.1:4000".parse().expect("an address"),
        &header,
        Some(SECOND),
        time,
        &mut outbox,
    );
    room.tick(time, &mut outbox);
    assert_eq!(room.stats(key).expect("it is in").packets_unwanted, 1);
    assert_eq!(outbox.datagrams().count(), 0);
}
