//! A room with synthetic participants, in virtual time.

mod codecs;
mod inband;
mod keys;
mod levels;
mod liveness;
mod moving;
mod nat;
mod pacing;
mod pauses;
mod plays;
mod processing;
mod recorder;
mod silence_fast_path;
mod streams;
mod taps;
mod volume;

use super::*;
use crate::ports::{Channel, PortPair, Ports};
use crate::{Ducking, InbandDtmf, MediaEvent, OneWay, PlayId, PlayOptions, Protection, Volume};
use plenary_audio::{
    g711, g722,
    goertzel::{power_dbov, take_apart},
    level::dbov,
    tone::ToneGenerator,
};
use plenary_rtp::{
    dtmf::DtmfSender,
    extension::AudioLevel,
    packet::Packet,
    rtcp::{self, LastReport, REPORT_BYTES_MAX, Report, RtcpItem, SenderInfo},
    source::Source,
    stats::ReceptionReport,
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
const SETTINGS: Settings = Settings {
    rtp_timeout_ns: 30 * SECOND,
    rtp_never_ns: 0,
    rtcp_interval_ns: 5 * SECOND,
    jitter_ms_min: 20,
    jitter_ms_max: 200,
    inband_dtmf: InbandDtmf::Auto,
    opus: opus::Settings {
        bitrate: 32_000,
        complexity: 5,
        fec: true,
        dtx: false,
        expected_loss_percent: 10,
        prefers_celt: false,
    },
};
const EVENTS: u8 = 101;
/// Octets and samples of 20 ms of G.711.
const FRAME: usize = 160;

/// What a test participant sends in a tick.
enum Says {
    Nothing,
    Tone(ToneGenerator),
    /// These samples.
    Samples(MakeSamples),
    Payload(Box<dyn FnMut(u64) -> [u8; FRAME]>),
    Key(DtmfSender),
}

type MakeSamples = Box<dyn FnMut(&mut [i16])>;
type Tells = fn(f32) -> Option<AudioLevel>;

struct Phone {
    key: MemberKey,
    address: SocketAddr,
    codec: Codec,
    encoder: Encoder,
    decoder: Decoder,
    source: Source,
    /// It sends no silence (DTX).
    dtx: bool,
    says: Says,
    /// The level that it states in each packet, which it is given in dBov, and its id.
    tells: Option<(u8, Tells)>,
    /// Timestamp at which the key was pressed.
    key_began: u32,
    /// What it heard, decoded.
    heard: Vec<i16>,
    /// RTP headers and payloads of what it was sent.
    packets: Vec<(plenary_rtp::packet::Header, Vec<u8>)>,
    reports: Vec<RtcpItem>,
}

enum Decoder {
    G711,
    G722(Box<g722::Decoder>),
    Opus(opus::Decoder),
}

struct World {
    room: MixRoom,
    ticks: u64,
    /// Its ticks are this much later than those of other rooms.
    offset_ns: u64,
    /// Packets arrive this long before their tick.
    early_ns: u64,
    phones: Vec<Phone>,
    outbox: Outbox,
    events: Vec<MediaEvent>,
}

fn payload_type(codec: Codec) -> u8 {
    [0, 8, 9, 111][codec.index()]
}

fn params(address: SocketAddr, codec: Codec) -> StreamParams {
    StreamParams { dtmf_payload_type: Some(EVENTS), ..StreamParams::new(address, codec, payload_type(codec)) }
}

fn tone(hz: f32) -> Says {
    Says::Tone(ToneGenerator::new(8000, hz, -12.0))
}

/// The room itself does not use the key.
fn any_port() -> PortKey {
    let pair = PortPair::bind([127, 0, 0, 1].into(), &(40_000..=60_000), 0).expect("a free pair");
    Ports::new().insert(pair)
}

impl World {
    fn new() -> Self {
        Self {
            room: MixRoom::new(RoomId(1), SETTINGS),
            ticks: 0,
            offset_ns: 0,
            early_ns: 10 * MS,
            phones: Vec::new(),
            outbox: Outbox::default(),
            events: Vec::new(),
        }
    }

    /// With other settings than usual.
    fn set(settings: Settings) -> Self {
        Self { room: MixRoom::new(RoomId(1), settings), ..Self::new() }
    }

    /// Participants who speak and listen, one for each.
    fn with(says: impl IntoIterator<Item = Says>) -> Self {
        let mut world = Self::new();
        for says in says {
            world.enter(says, Codec::Pcmu);
        }
        world
    }

    fn enter(&mut self, says: Says, codec: Codec) -> usize {
        let number = self.phones.len();
        let key = self.room.add(MediaCallId(number as u64), any_port(), number as u64);
        let address = SocketAddr::from(([10, 0, 0, 1], 4000 + 2 * number as u16));
        let time = self.time();
        self.room.set_stream(key, params(address, codec), time);
        self.room.set_voice(key, true, true, &mut self.outbox);
        let source = Source::new(1000 + number as u32, 7, 9000);
        let (heard, packets, reports) = (Vec::new(), Vec::new(), Vec::new());
        let encoder = Encoder::new(codec, &SETTINGS.opus);
        let decoder = match codec {
            Codec::Pcmu | Codec::Pcma => Decoder::G711,
            Codec::G722 => Decoder::G722(Box::default()),
            Codec::Opus => Decoder::Opus(opus::Decoder::new()),
        };
        self.phones.push(Phone {
            key,
            address,
            codec,
            encoder,
            decoder,
            source,
            dtx: false,
            says,
            tells: None,
            key_began: 0,
            heard,
            packets,
            reports,
        });
        number
    }

    fn time(&self) -> Tick {
        let now_ns = 1000 * SECOND + self.ticks * FRAME_NS + self.offset_ns;
        Tick { now_ns, wall_ns: 1_700_000_000 * SECOND + now_ns }
    }

    fn datagrams_of(&mut self, number: usize) -> Option<Vec<u8>> {
        let phone = &mut self.phones[number];
        let codec = phone.codec;
        let mut payload = [0; 1500];
        let (mut length, mut level_dbov) = (FRAME, -127.0);
        let units = codec.clock_rate() / 50;
        match &mut phone.says {
            Says::Nothing => {
                phone.source.pause(units);
                return None;
            }
            Says::Tone(_) | Says::Samples(_) => {
                let mut frame = vec![0; codec.rate().frame()];
                match &mut phone.says {
                    Says::Tone(tone) => tone.fill(&mut frame),
                    Says::Samples(make) => make(&mut frame),
                    _ => {}
                }
                level_dbov = dbov(&frame);
                length = phone.encoder.encode(&frame, &mut payload);
                if phone.dtx && length <= 2 {
                    // Not sent (RFC 6716, 2.1.9), and so without a sequence number.
                    phone.source.pause(units);
                    return None;
                }
            }
            Says::Payload(make) => payload[..FRAME].copy_from_slice(&make(self.ticks)),
            Says::Key(sender) => {
                if phone.key_began == 0 {
                    phone.key_began = phone.source.timestamp();
                }
                let Some(packet) = sender.poll_packet() else {
                    // The key is released, and the telephone's clock continues.
                    phone.source.pause(units);
                    return None;
                };
                let header = phone.source.event_header(EVENTS, packet.marker, phone.key_began, 4);
                phone.source.skip(units);
                return Some([header.to_bytes().as_slice(), &packet.payload].concat());
            }
        }
        let header = phone.source.next_header(payload_type(codec), units, length);
        let stated = phone.tells.and_then(|(id, tells)| Some((id, tells(level_dbov)?)));
        if let Some((id, level)) = stated {
            return Some([level.header_bytes(&header, id).as_slice(), &payload[..length]].concat());
        }
        Some([header.to_bytes().as_slice(), &payload[..length]].concat())
    }

    fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            let time = self.time();
            for number in 0..self.phones.len() {
                if let Some(datagram) = self.datagrams_of(number) {
                    let (key, from) = (self.phones[number].key, self.phones[number].address);
                    self.room.handle_rtp(
                        key,
                        from,
                        &datagram,
                        Some(time.now_ns - self.early_ns),
                        time,
                        &mut self.outbox,
                    );
                }
            }
            self.room.tick(time, &mut self.outbox);
            self.deliver();
            self.ticks += 1;
        }
    }

    fn deliver(&mut self) {
        for datagram in self.outbox.datagrams() {
            let phone =
                self.phones.iter_mut().find(|phone| phone.key == datagram.route.member).expect("a member");
            if datagram.route.channel == Channel::Rtcp {
                assert_eq!(datagram.route.to.port(), phone.address.port() + 1);
                rtcp::read(datagram.bytes, |item| phone.reports.push(item));
                continue;
            }
            let packet = Packet::parse(datagram.bytes).expect("ours are well formed");
            let units = phone.codec.payload_units(packet.payload).expect("ours are of the codec");
            let per_unit = phone.codec.rate().hz() / phone.codec.clock_rate();
            let mut samples = vec![0; (units * per_unit) as usize];
            match &mut phone.decoder {
                Decoder::G711 => {
                    g711::decode(phone.codec.law().expect("it is G.711"), packet.payload, &mut samples);
                }
                Decoder::G722(decoder) => {
                    assert_eq!(decoder.decode(packet.payload, &mut samples), samples.len())
                }
                Decoder::Opus(decoder) => {
                    assert_eq!(decoder.decode(packet.payload, &mut samples), samples.len())
                }
            }
            phone.heard.extend(samples);
            phone.packets.push((packet.header, packet.payload.to_vec()));
        }
        self.outbox.clear_datagrams();
        self.events.extend(self.outbox.drain_events());
    }

    /// Level of a tone in the last second that a participant heard.
    fn level(&self, number: usize, hz: f32) -> f32 {
        let (heard, rate) = (&self.phones[number].heard, self.phones[number].codec.rate().hz());
        power_dbov(&heard[heard.len() - rate as usize..], rate, hz)
    }

    /// The loudest 20 ms beside these tones, in dBov: a click is broadband. Windows lie across frame edges, so that a
    /// jump there is inside one.
    fn beside_dbov(&self, number: usize, tones: &[f32], ticks: std::ops::Range<usize>) -> f32 {
        let phone = &self.phones[number];
        let (rate, frame) = (phone.codec.rate().hz(), phone.codec.rate().frame());
        let part = &phone.heard[ticks.start * frame + frame / 2..ticks.end * frame + frame / 2];
        let beside = part.chunks(frame).map(|window| take_apart(window, rate, tones).rest_dbov());
        beside.fold(-127.0, f32::max)
    }

    /// The largest bend of what a participant heard, from sample to sample. A tone of 400 Hz at -12 dBov and 8 kHz bends by
    /// 800, and in G.711 by 1800; if it begins or breaks off at once, by 8000.
    fn bend(&self, number: usize, ticks: std::ops::Range<usize>) -> i32 {
        let phone = &self.phones[number];
        let frame = phone.codec.rate().frame();
        let part = &phone.heard[ticks.start * frame..ticks.end * frame];
        let bends =
            part.windows(3).map(|at| (i32::from(at[0]) - 2 * i32::from(at[1]) + i32::from(at[2])).abs());
        bends.max().unwrap_or(0)
    }

    /// Level of a tone in some ticks, in dBov.
    fn level_in(&self, number: usize, hz: f32, ticks: std::ops::Range<usize>) -> f32 {
        let phone = &self.phones[number];
        let (rate, frame) = (phone.codec.rate().hz(), phone.codec.rate().frame());
        power_dbov(&phone.heard[ticks.start * frame..ticks.end * frame], rate, hz)
    }

    /// It hears what all hear.
    fn is_shared(&self, number: usize) -> bool {
        let key = self.phones[number].key;
        self.room.members[key.0].as_ref().is_some_and(|member| !member.is_apart)
    }

    fn is_silent(&self, number: usize) -> bool {
        let heard = &self.phones[number].heard;
        heard[heard.len() - 8000..].iter().all(|sample| sample.unsigned_abs() <= 8)
    }

    fn stats(&mut self, number: usize) -> CallStats {
        self.room.stats(self.phones[number].key).expect("it is in")
    }

    fn say(&mut self, number: usize, says: Says) {
        self.phones[number].says = says;
        self.phones[number].key_began = 0;
    }
}

const TONES: [f32; 4] = [400.0, 700.0, 1100.0, 1600.0];

#[test]
fn each_participant_hears_all_others_and_not_itself() {
    let mut world = World::with(TONES.map(tone));
    world.run(100);
    for listener in 0..4 {
        for (speaker, hz) in TONES.into_iter().enumerate() {
            let level = world.level(listener, hz);
            if speaker == listener {
                assert!(level < -60.0, "{listener} hears its own voice at {level} dBov");
            } else {
                assert!((level + 12.0).abs() < 1.0, "{listener} hears {speaker} at {level} dBov");
            }
        }
    }
}

#[test]
fn laws_are_mixed_and_each_hears_its_own() {
    let mut world = World::new();
    world.enter(tone(400.0), Codec::Pcmu);
    world.enter(tone(700.0), Codec::Pcma);
    world.enter(Says::Nothing, Codec::Pcma);
    world.run(100);
    assert!((world.level(0, 700.0) + 12.0).abs() < 1.0);
    assert!((world.level(1, 400.0) + 12.0).abs() < 1.0);
    assert!((world.level(2, 400.0) + 12.0).abs() < 1.0 && (world.level(2, 700.0) + 12.0).abs() < 1.0);
}

#[test]
fn one_voice_alone_reaches_listeners_of_its_law_bit_for_bit() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut world = World::new();
        // Every code of the law, in a different order each time.
        let codes = |tick: u64| std::array::from_fn(|place| (place as u64 * 37 + tick * 11) as u8);
        world.enter(Says::Payload(Box::new(codes)), codec);
        let listener = world.enter(Says::Nothing, codec);
        world.run(50);
        let heard: Vec<_> =
            world.phones[listener].packets.iter().map(|(_, payload)| payload.clone()).collect();
        for (tick, payload) in heard.iter().enumerate().skip(5) {
            assert_eq!(payload.as_slice(), codes(tick as u64), "tick {tick}");
        }
        assert!(world.is_silent(0), "the speaker hears nothing");
    }
}

#[test]
fn a_muted_participant_is_not_heard_and_a_deaf_one_hears_nothing() {
    let mut world = World::with([tone(400.0), tone(700.0), Says::Nothing]);
    world.run(60);
    world.room.set_voice(world.phones[0].key, false, true, &mut world.outbox);
    world.room.set_voice(world.phones[2].key, true, false, &mut world.outbox);
    world.run(60);
    assert!(world.level(1, 400.0) < -60.0, "the muted one is heard");
    assert!((world.level(0, 700.0) + 12.0).abs() < 1.0, "the muted one still hears");
    assert!(world.is_silent(2));
    world.room.set_voice(world.phones[0].key, true, true, &mut world.outbox);
    world.run(60);
    assert!((world.level(1, 400.0) + 12.0).abs() < 1.0, "heard again");
    assert!((world.stats(1).level_dbov + 12.0).abs() < 4.0);
    assert_eq!(world.stats(2).level_dbov, -127.0, "it has said nothing");
}

#[test]
fn a_silent_line_is_not_summed_and_a_single_voice_still_passes_unchanged() {
    let mut world = World::new();
    world.enter(Says::Payload(Box::new(|tick| [0x20 | (tick as u8 & 0x0f); FRAME])), Codec::Pcmu);
    // A line with noise in the last bit.
    world.enter(
        Says::Payload(Box::new(|tick| std::array::from_fn(|i| 0xff - ((i as u8 ^ tick as u8) & 1)))),
        Codec::Pcmu,
    );
    world.enter(Says::Nothing, Codec::Pcmu);
    world.run(30);
    let (_, payload) = world.phones[2].packets.last().expect("it was sent something");
    assert_eq!(payload.as_slice(), [0x2d; FRAME]);
}

#[test]
fn what_is_sent_has_no_gap_in_numbers_or_time_and_is_silence_when_there_is_nothing() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    world.run(100);
    let packets = &world.phones[0].packets;
    assert_eq!(packets.len(), 100);
    assert!(packets[0].0.marker);
    for pair in packets.windows(2) {
        let (earlier, later) = (&pair[0].0, &pair[1].0);
        assert_eq!(later.sequence, earlier.sequence.wrapping_add(1));
        assert_eq!(later.timestamp, earlier.timestamp.wrapping_add(160));
        assert!(!later.marker);
    }
    assert!(packets.iter().all(|(_, payload)| payload.iter().all(|code| *code == 0xff)));
}

#[test]
fn packets_are_as_long_as_the_other_side_wants_them() {
    for (ptime_ms, samples) in [(10, 80), (20, 160), (30, 240), (40, 320), (60, 480), (17, 160)] {
        let mut world = World::with([tone(400.0), Says::Nothing]);
        let (key, address) = (world.phones[1].key, world.phones[1].address);
        let time = world.time();
        world.room.set_stream(key, StreamParams { ptime_ms, ..params(address, Codec::Pcmu) }, time);
        world.run(90);
        let phone = &world.phones[1];
        assert!(phone.packets.iter().all(|(_, payload)| payload.len() == samples), "{ptime_ms} ms");
        assert_eq!(phone.heard.len(), 90 * FRAME / samples * samples);
        assert!(
            phone.packets.windows(2).all(|pair| pair[1].0.timestamp - pair[0].0.timestamp == samples as u32)
        );
        assert!((world.level(1, 400.0) + 12.0).abs() < 1.0, "{ptime_ms} ms");
    }
}

#[test]
fn a_key_is_reported_once_and_never_heard() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.run(50);
    world.say(0, Says::Key(DtmfSender::new('7', 1600, 160).expect("a key")));
    world.run(12);
    let keys: Vec<_> =
        world.events.iter().filter(|event| matches!(event, MediaEvent::KeyPressed { .. })).collect();
    assert_eq!(keys, [&MediaEvent::KeyPressed { call: MediaCallId(0), key: '7' }]);
    assert_eq!(world.stats(0).keys, 1);
    let heard = &world.phones[1].heard;
    let during = &heard[heard.len() - 8 * FRAME..];
    assert!(
        during.iter().all(|sample| sample.unsigned_abs() <= 8),
        "something is heard while the key is down"
    );
    world.say(0, tone(400.0));
    world.run(60);
    assert!((world.level(1, 400.0) + 12.0).abs() < 1.0, "heard again");
    assert_eq!(world.stats(0).packets_lost, 0);
}

#[test]
fn a_muted_participant_still_presses_keys() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.room.set_voice(world.phones[0].key, false, false, &mut world.outbox);
    world.run(20);
    world.say(0, Says::Key(DtmfSender::new('*', 1600, 160).expect("a key")));
    world.run(12);
    assert_eq!(world.events, [MediaEvent::KeyPressed { call: MediaCallId(0), key: '*' }]);
}

#[test]
fn audio_that_comes_along_with_a_key_is_not_heard() {
    let mut world = World::with([Says::Key(DtmfSender::new('1', 8000, 160).expect("a key")), Says::Nothing]);
    // A gateway that sends the tone of the key as audio too.
    let mut tones = ToneGenerator::new(8000, 697.0, -6.0);
    let mut audio = Source::new(1000, 500, 9000);
    for _ in 0..45 {
        let (mut frame, mut payload) = ([0; FRAME], [0; FRAME]);
        tones.fill(&mut frame);
        g711::encode(g711::Law::Mu, &frame, &mut payload);
        let header = audio.next_header(0, 160, 160);
        let datagram = [header.to_bytes().as_slice(), &payload].concat();
        let (time, from, key) = (world.time(), world.phones[0].address, world.phones[0].key);
        world.run(1);
        world.room.handle_rtp(key, from, &datagram, Some(time.now_ns), time, &mut world.outbox);
    }
    assert!(world.phones[1].heard.iter().all(|sample| sample.unsigned_abs() <= 8));
}

#[test]
fn talk_is_reported_when_it_starts_and_when_it_stops() {
    let mut world = World::with([Says::Nothing, Says::Nothing]);
    world.run(50);
    world.say(0, tone(400.0));
    world.run(10);
    assert_eq!(world.events, [MediaEvent::TalkStarted { call: MediaCallId(0) }]);
    world.say(0, Says::Nothing);
    world.run(40);
    assert_eq!(world.events[1..], [MediaEvent::TalkStopped { call: MediaCallId(0) }]);
    world.say(0, tone(400.0));
    world.run(10);
    world.room.set_voice(world.phones[0].key, false, true, &mut world.outbox);
    world.run(1);
    assert_eq!(
        world.events.last(),
        Some(&MediaEvent::TalkStopped { call: MediaCallId(0) }),
        "muted while talking"
    );
}

#[test]
fn a_playback_is_heard_by_its_listeners_whether_or_not_they_hear_the_room() {
    let mut world = World::with([tone(400.0), Says::Nothing, Says::Nothing]);
    world.room.set_voice(world.phones[2].key, false, false, &mut world.outbox);
    let clip = |hz| vec![LoadedClip::Tone { hz, ms: 2000 }];
    world.room.play(Playback::new(PlayId(1), clip(700), false), None);
    world.room.play(Playback::new(PlayId(2), clip(1100), false), Some(world.phones[1].key));
    world.room.play_to(world.phones[2].key, Playback::new(PlayId(3), clip(1600), false));
    world.run(60);
    let hears = |number, hz| world.level(number, hz) > -30.0;
    let all = |number| TONES.map(|hz| hears(number, hz));
    assert_eq!(all(0), [false, true, true, false]);
    assert_eq!(all(1), [true, true, false, false]);
    assert_eq!(all(2), [false, true, true, true]);
    world.run(100);
    let mut finished: Vec<_> =
        world.events.iter().filter(|event| matches!(event, MediaEvent::PlayFinished { .. })).collect();
    finished.dedup();
    assert_eq!(finished.len(), 3, "{finished:?}");
    assert!(world.is_silent(2));
    assert!((world.level(1, 400.0) + 12.0).abs() < 1.0);
}

#[test]
fn a_repeated_playback_continues_until_it_is_stopped_and_reports_no_end() {
    let mut world = World::with([Says::Nothing]);
    let clips = vec![LoadedClip::Tone { hz: 700, ms: 100 }];
    world.room.play_to(world.phones[0].key, Playback::new(PlayId(1), clips, true));
    world.run(500);
    assert!(world.level(0, 700.0) > -30.0);
    world.room.stop_play(PlayId(1));
    world.run(60);
    assert!(world.is_silent(0));
    assert!(
        world.events.iter().all(|event| matches!(event, MediaEvent::OneWay { .. })),
        "{:?}",
        world.events
    );
}

#[test]
fn the_key_of_a_member_that_left_is_reused_without_its_state() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    let clips = vec![LoadedClip::Tone { hz: 1600, ms: 10_000 }];
    world.room.play(Playback::new(PlayId(1), clips, false), Some(world.phones[0].key));
    world.run(50);
    let time = world.time();
    let gone = world.phones.remove(0);
    let stats = world.room.remove(gone.key, time, &mut world.outbox).expect("it was in");
    assert_eq!(stats.packets_sent, 50);
    let mut goodbyes = 0;
    for datagram in world.outbox.datagrams() {
        rtcp::read(datagram.bytes, |item| goodbyes += u32::from(matches!(item, RtcpItem::Goodbye { .. })));
    }
    assert_eq!(goodbyes, 1);
    world.outbox.clear_datagrams();
    let next = world.enter(Says::Nothing, Codec::Pcmu);
    assert_eq!(world.phones[next].key, gone.key);
    world.run(60);
    assert!(world.level(next, 1600.0) > -30.0, "it was the other one who was not to hear it");
    assert!(!world.room.is_empty());
}

#[test]
fn reports_state_what_was_sent_and_received_and_find_the_round_trip() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.run(1000);
    let reports = world.phones[0].reports.clone();
    let sends = reports.iter().filter(|item| matches!(item, RtcpItem::SenderReport { .. })).count();
    assert!((3..=8).contains(&sends), "{sends} reports in 20 s");
    let ours = world.phones[0].packets[0].0.ssrc;
    assert!(reports.iter().all(|item| match item {
        RtcpItem::SenderReport { ssrc, .. } | RtcpItem::Report { ssrc } => *ssrc == ours,
        RtcpItem::ReportBlock { ssrc, fraction_lost, .. } => *ssrc == 1000 && *fraction_lost == 0,
        RtcpItem::Goodbye { .. } => false,
    }));
    // The telephone received our last report 100 ms ago, held it for 40 ms, and lost a quarter of what was sent.
    let time = world.time();
    let now = (rtcp::ntp(time.wall_ns) >> 16) as u32;
    let report = Report {
        ssrc: 1000,
        sent: Some(SenderInfo { ntp: rtcp::ntp(time.wall_ns), rtp_timestamp: 0, packets: 1, bytes: 160 }),
        received: Some((
            plenary_rtp::stats::ReceptionReport {
                ssrc: ours,
                fraction_lost: 64,
                cumulative_lost: 3,
                extended_highest_sequence: 9,
                jitter: 80,
            },
            rtcp::LastReport { middle_ntp: now - 6554, delay: 2621 },
        )),
        cname: "phone",
        goodbye: true,
    };
    let mut bytes = [0; REPORT_BYTES_MAX];
    let length = report.write(&mut bytes);
    let from = SocketAddr::new(world.phones[0].address.ip(), world.phones[0].address.port() + 1);
    let stranger = "203.0.113.5:4001".parse().expect("an address");
    world.room.handle_rtcp(
        world.phones[0].key,
        stranger,
        &bytes[..length],
        time.now_ns,
        time,
        &mut world.outbox,
    );
    assert_eq!(world.stats(0).round_trip_ms, None);
    world.room.handle_rtcp(world.phones[0].key, from, &bytes[..length], time.now_ns, time, &mut world.outbox);
    let stats = world.stats(0);
    assert!((stats.round_trip_ms.expect("reported") - 60.0).abs() < 0.5, "{:?}", stats.round_trip_ms);
    assert_eq!((stats.remote_loss, stats.remote_jitter_ms, stats.remote_bye), (Some(0.25), Some(10.0), true));
}

#[test]
fn a_lost_packet_is_concealed_and_counted() {
    let mut world = World::with([tone(400.0), Says::Nothing]);
    world.run(50);
    // It is sent, but does not arrive.
    world.datagrams_of(0);
    world.phones[0].says = tone(400.0);
    world.run(60);
    let stats = world.stats(0);
    assert_eq!(stats.packets_lost, 1);
    assert!(stats.frames_concealed <= 1);
    assert!(world.level(1, 400.0) > -14.0);
}

#[test]
fn no_bytes_from_the_network_cause_a_panic() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::default();
    let datagrams = prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 0..64), prop::option::of(0_u8..=127), any::<bool>(), 0_u64..100),
        1..60,
    );
    runner
        .run(&datagrams, |datagrams| {
            let mut world = World::with([tone(400.0), Says::Nothing]);
            world.run(2);
            for (mut bytes, payload_type, rtcp, later_ms) in datagrams {
                if let (Some(payload_type), Some(front)) = (payload_type, bytes.first_chunk_mut::<2>()) {
                    *front = [0x80 | front[0] & 0x3f, if rtcp { 200 } else { payload_type % 10 }];
                }
                let (time, phone) = (world.time(), &world.phones[0]);
                let arrival = time.now_ns - later_ms * MS;
                world.room.handle_rtp(
                    phone.key,
                    phone.address,
                    &bytes,
                    Some(arrival),
                    time,
                    &mut world.outbox,
                );
                world.room.handle_rtcp(phone.key, phone.address, &bytes, arrival, time, &mut world.outbox);
                world.run(1);
            }
            Ok(())
        })
        .expect("nothing panics");
}
