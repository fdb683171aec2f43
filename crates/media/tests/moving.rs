//! A call moves from room to room, on one worker and across two, and its telephone notices nothing but other voices.

mod support;

use plenary_audio::{
    g711::{self, Law},
    goertzel::power_dbov,
    tone::ToneGenerator,
};
use plenary_media::{
    Clip, Codec, MasterKey, MediaCallId, MediaConfig, MediaEvent, OnMove, PlayId, PlayTo, Protection, RoomId,
    StreamParams, Suite,
};
use plenary_rtp::{
    packet::{Header, Packet},
    source::Source,
    srtp::{Receiver, Sender},
};
use std::{
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};
use support::{FRAME, Phone, Plane, Says, config, talk, talk_until, tone};

fn assert_even(headers: impl Iterator<Item = Header> + Clone) {
    for (earlier, later) in headers.clone().zip(headers.skip(1)) {
        assert_eq!(later.ssrc, earlier.ssrc);
        assert_eq!(later.sequence, earlier.sequence.wrapping_add(1));
        assert_eq!(later.timestamp, earlier.timestamp.wrapping_add(FRAME as u32));
    }
}

fn workers(plane: &Plane, calls: [u64; 2]) -> [Option<usize>; 2] {
    calls.map(|call| plane.media.worker_of(MediaCallId(call)))
}

fn calls_by_worker(plane: &Plane) -> Vec<u64> {
    plane.media.load().workers.iter().map(|worker| worker.calls).collect()
}

#[test]
fn a_call_hears_and_is_heard_in_its_new_room_on_the_same_worker_or_another() {
    let mut plane = Plane::start(config());
    let mut moves = plane.dial(1, 1, tone(400.0));
    let mut other = plane.dial(2, 2, tone(700.0));
    let mut same = plane.dial(3, 3, tone(1100.0));
    assert_eq!(workers(&plane, [1, 3]), [Some(0), Some(0)]);
    assert_eq!(workers(&plane, [1, 2]), [Some(0), Some(1)]);
    talk(&mut [&mut moves, &mut other, &mut same], 600);
    assert!(moves.is_silent(), "alone");
    assert_eq!(calls_by_worker(&plane), [2, 1]);

    plane.media.move_call(moves.call, RoomId(2), OnMove::KeepPlaying);
    assert_eq!(workers(&plane, [1, 2]), [Some(1), Some(1)]);
    talk(&mut [&mut moves, &mut other, &mut same], 900);
    assert!(moves.level(700.0) > -14.0 && moves.level(1100.0) < -50.0);
    assert!(other.level(400.0) > -14.0 && same.is_silent());
    assert_eq!(calls_by_worker(&plane), [1, 2]);

    plane.media.move_call(moves.call, RoomId(3), OnMove::KeepPlaying);
    talk(&mut [&mut moves, &mut other, &mut same], 900);
    assert!(moves.level(1100.0) > -14.0 && moves.level(700.0) < -50.0);
    assert!(same.level(400.0) > -14.0 && other.is_silent());

    // To a room of its own, and back within one worker.
    plane.media.move_call(moves.call, RoomId(4), OnMove::KeepPlaying);
    let worker = plane.media.worker_of(moves.call);
    talk(&mut [&mut moves, &mut other, &mut same], 700);
    assert!(moves.is_silent() && same.is_silent());
    plane.media.move_call(same.call, RoomId(4), OnMove::KeepPlaying);
    assert_eq!(plane.media.worker_of(same.call), worker);
    talk(&mut [&mut moves, &mut other, &mut same], 900);
    assert!(moves.level(1100.0) > -14.0 && same.level(400.0) > -14.0);

    assert_even(moves.packets.iter().map(|(header, _)| *header));
    assert_even(same.packets.iter().map(|(header, _)| *header));
    for phone in [&moves, &other, &same] {
        plane.media.close(phone.call);
    }
    talk_until(&mut plane, &mut [], "the end of all calls", |plane| {
        plane.received.iter().filter(|event| matches!(event, MediaEvent::Closed { .. })).count() == 3
    });
    let closed = plane.received.iter().find_map(|event| match event {
        MediaEvent::Closed { call: MediaCallId(1), stats } => Some(stats),
        _ => None,
    });
    let stats = closed.expect("it is closed");
    assert!(stats.packets_received > 190 && stats.packets_lost == 0, "{stats:?}");
    assert_eq!(calls_by_worker(&plane), [0, 0]);
}

#[test]
fn commands_that_follow_a_move_find_the_call_wherever_it_is() {
    let mut plane = Plane::start(config());
    let mut moves = plane.dial(1, 1, Says::Nothing);
    let mut other = plane.dial(2, 2, tone(700.0));
    talk(&mut [&mut moves, &mut other], 400);
    let prompt = || vec![Clip::Tone { hz: 1600, ms: 400 }];
    for round in 0..20 {
        let (room, id) = (RoomId(1 + (round + 1) % 2), PlayId(round));
        plane.media.move_call(moves.call, room, OnMove::KeepPlaying);
        plane.media.play(PlayTo::Call(moves.call), id, prompt(), true);
        plane.media.stop_play(id);
        plane.media.set_voice(moves.call, false, round % 2 == 0);
    }
    // It is back in its room and hears nothing: all that was played to it was stopped. A move waits for a tick of the old
    // room and is heard at one of the new room, 40 ms at most, so twenty take 800.
    talk(&mut [&mut moves, &mut other], 1400);
    assert!(moves.is_silent());
    plane.media.move_call(moves.call, RoomId(2), OnMove::KeepPlaying);
    plane.media.set_voice(moves.call, true, true);
    plane.media.play(PlayTo::Call(moves.call), PlayId(100), prompt(), false);
    talk(&mut [&mut moves, &mut other], 300);
    assert!(power_dbov(&moves.heard[moves.heard.len() - 1600..], 8000, 1600.0) > -20.0, "the prompt");
    talk_until(&mut plane, &mut [&mut moves, &mut other], "the end of the prompt", |plane| {
        plane.received.contains(&MediaEvent::PlayFinished { id: PlayId(100) })
    });
    talk(&mut [&mut moves, &mut other], 700);
    assert!(moves.level(700.0) > -14.0);
    // The move was in the way of the close.
    plane.media.move_call(moves.call, RoomId(1), OnMove::StopPlaying);
    plane.media.close(moves.call);
    talk_until(&mut plane, &mut [&mut other], "the close", |plane| {
        plane.received.iter().any(|event| matches!(event, MediaEvent::Closed { call: MediaCallId(1), .. }))
    });
    assert!(!plane.received.iter().any(|event| matches!(event, MediaEvent::PlayFailed { .. })));
    assert_even(moves.packets.iter().map(|(header, _)| *header));
}

#[test]
fn calls_on_their_way_are_closed_by_a_shutdown() {
    let mut plane = Plane::start(config());
    let _phones: Vec<Phone> = (0..6).map(|call| plane.dial(call, call, Says::Nothing)).collect();
    for call in 0..6 {
        plane.media.move_call(MediaCallId(call), RoomId((call + 1) % 6), OnMove::KeepPlaying);
    }
    plane.media.shutdown();
    plane.gather();
    let closed = plane.received.iter().filter(|event| matches!(event, MediaEvent::Closed { .. })).count();
    assert_eq!(closed, 6, "{:?}", plane.received);
}

/// A telephone with keys from its session description.
struct SecurePhone {
    socket: UdpSocket,
    server: SocketAddr,
    tone: ToneGenerator,
    source: Source,
    sender: Sender,
    receiver: Receiver,
    heard: Vec<i16>,
    headers: Vec<Header>,
}

impl SecurePhone {
    fn dial(plane: &Plane, call: u64, room: u64, hz: f32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a flag");
        let key = |seed: u8| {
            let octets: Vec<u8> = (0..30).map(|place| place * 3 + seed + call as u8).collect();
            MasterKey::new(Suite::AesCm128HmacSha1_80, &octets).expect("a key")
        };
        let call = MediaCallId(call);
        let server = plane.media.open(call, RoomId(room)).expect("it opens");
        let protection = Protection::Srtp { send: key(1), receive: vec![key(100)] };
        let address = socket.local_addr().expect("bound");
        let stream =
            StreamParams { protection, rtcp_mux: true, ..StreamParams::new(address, Codec::Pcmu, 0) };
        plane.media.set_stream(call, stream);
        plane.media.set_voice(call, true, true);
        let (sender, receiver) = (Sender::new(&key(100)), Receiver::new(&key(1)));
        let tone = ToneGenerator::new(8000, hz, -12.0);
        // The roll-over counter has to move along too.
        let source = Source::new(7, 65_530, 1);
        Self { socket, server, tone, source, sender, receiver, heard: vec![], headers: vec![] }
    }

    fn speak(&mut self) {
        let (mut frame, mut payload) = ([0; FRAME], [0; FRAME]);
        self.tone.fill(&mut frame);
        g711::encode(Law::Mu, &frame, &mut payload);
        let header = self.source.next_header(0, FRAME as u32, FRAME);
        let mut packet = [header.to_bytes().as_slice(), &payload].concat();
        self.sender.protect_rtp(&mut packet, 0);
        self.socket.send_to(&packet, self.server).expect("sent");
    }

    fn hear(&mut self) {
        let mut datagram = [0; 1500];
        while let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            assert_eq!(from, self.server);
            let packet = &mut datagram[..length];
            if packet[1] & 0x7f >= 64 {
                self.receiver.open_rtcp(packet).expect("authentic");
                continue;
            }
            let length = self.receiver.open_rtp(packet).expect("authentic");
            let packet = Packet::parse(&datagram[..length]).expect("well formed");
            let mut samples = [0; FRAME];
            g711::decode(Law::Mu, packet.payload, &mut samples);
            self.heard.extend(samples);
            self.headers.push(packet.header);
        }
    }

    fn level(&self, hz: f32) -> f32 {
        power_dbov(&self.heard[self.heard.len() - 4000..], 8000, hz)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn srtp_continues_with_its_keys_and_counters() {
    let plane = Plane::start(MediaConfig { rtcp_interval_ms: 200, ..config() });
    let mut phones = [(1, 1, 400.0), (2, 2, 700.0), (3, 1, 1100.0)]
        .map(|(call, room, hz)| SecurePhone::dial(&plane, call, room, hz));
    let mut talk = |ms: u64| {
        let began = Instant::now();
        for tick in 1..=ms / 20 {
            phones.iter_mut().for_each(SecurePhone::speak);
            let next = began + Duration::from_millis(20 * tick);
            thread::sleep(next.saturating_duration_since(Instant::now()));
            phones.iter_mut().for_each(SecurePhone::hear);
        }
        let [first, second, _] = &phones;
        [first.level(700.0), first.level(1100.0), second.level(400.0)]
    };
    let is_heard = |levels: [f32; 3]| levels.map(|level| level > -14.0);
    assert_eq!(is_heard(talk(800)), [false, true, false]);
    plane.media.move_call(MediaCallId(1), RoomId(2), OnMove::KeepPlaying);
    assert_eq!(is_heard(talk(900)), [true, false, true]);
    plane.media.move_call(MediaCallId(1), RoomId(1), OnMove::KeepPlaying);
    assert_eq!(is_heard(talk(900)), [false, true, false]);
    let stats = plane.media.stats(MediaCallId(1)).await.expect("it is open");
    assert_eq!((stats.packets_not_authentic, stats.packets_lost), (0, 0));
    assert!(stats.round_trip_ms.is_none() && stats.packets_received > 120, "{stats:?}");
    assert_even(phones[0].headers.iter().copied());
}
