//! Telephones made of sockets: they send 20 ms packets on time and keep what they receive.

#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use plenary_audio::{
    g711::{self, Law},
    goertzel::power_dbov,
    tone::ToneGenerator,
};
use plenary_media::{
    Codec, MediaCallId, MediaConfig, MediaEvent, MediaHandle, MediaPlane, RoomId, StreamParams,
};
use plenary_rtp::{
    dtmf::DtmfSender,
    packet::{Header, Kind, Packet},
    source::Source,
};
use std::{
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::Receiver;

pub const FRAME: usize = 160;
pub const EVENTS: u8 = 101;

/// A media plane on loopback, with ports for all tests that run at the same time.
pub fn config() -> MediaConfig {
    MediaConfig { rtp_ports: 36_000..=60_000, workers: 2, ..MediaConfig::default() }
}

pub struct Plane {
    pub media: MediaHandle,
    pub events: Receiver<MediaEvent>,
    /// All events so far.
    pub received: Vec<MediaEvent>,
}

impl Plane {
    pub fn start(config: MediaConfig) -> Self {
        let (media, events) = MediaPlane::start(config).expect("the plane starts");
        Self { media, events, received: Vec::new() }
    }

    pub fn gather(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.received.push(event);
        }
    }

    /// A call that speaks and listens in a room.
    pub fn dial(&self, call: u64, room: u64, says: Says) -> Phone {
        let mut phone = Phone::new(call, says);
        phone.server = self.media.open(phone.call, RoomId(room)).expect("it opens");
        self.media.set_stream(phone.call, phone.params());
        self.media.set_voice(phone.call, true, true);
        phone
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.media.shutdown();
    }
}

pub enum Says {
    Nothing,
    Tone(ToneGenerator),
    /// Payloads by their place in the stream.
    Payload(fn(u64) -> [u8; FRAME]),
    Key(DtmfSender),
}

pub fn tone(hz: f32) -> Says {
    Says::Tone(ToneGenerator::new(8000, hz, -12.0))
}

pub struct Phone {
    pub call: MediaCallId,
    pub socket: UdpSocket,
    pub server: SocketAddr,
    pub law: Law,
    pub says: Says,
    pub source: Source,
    key_began: Option<u32>,
    sent: u64,
    /// All received audio, decoded.
    pub heard: Vec<i16>,
    pub packets: Vec<(Header, Vec<u8>)>,
}

impl Phone {
    pub fn new(call: u64, says: Says) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a flag");
        let server = socket.local_addr().expect("bound");
        let (heard, packets) = (Vec::new(), Vec::new());
        let source = Source::new(call as u32 + 1, 65_500, 1);
        Self {
            call: MediaCallId(call),
            socket,
            server,
            law: Law::Mu,
            says,
            source,
            key_began: None,
            sent: 0,
            heard,
            packets,
        }
    }

    pub fn params(&self) -> StreamParams {
        let (codec, payload_type) = match self.law {
            Law::Mu => (Codec::Pcmu, 0),
            Law::A => (Codec::Pcma, 8),
        };
        StreamParams {
            rtcp_mux: true,
            dtmf_payload_type: Some(EVENTS),
            ..StreamParams::new(self.socket.local_addr().expect("bound"), codec, payload_type)
        }
    }

    pub fn press(&mut self, key: char) {
        self.says = Says::Key(DtmfSender::new(key, 1600, 160).expect("a key"));
        self.key_began = None;
    }

    /// Sends the packet of these 20 ms.
    pub fn speak(&mut self) {
        let mut payload = [0; FRAME];
        match &mut self.says {
            Says::Nothing => payload.fill(if self.law == Law::Mu { 0xff } else { 0xd5 }),
            Says::Tone(tone) => {
                let mut frame = [0; FRAME];
                tone.fill(&mut frame);
                g711::encode(self.law, &frame, &mut payload);
            }
            Says::Payload(make) => payload = make(self.sent),
            Says::Key(sender) => {
                let Some(packet) = sender.poll_packet() else {
                    self.says = Says::Nothing;
                    return self.speak();
                };
                let began = *self.key_began.get_or_insert(self.source.timestamp());
                let header = self.source.event_header(EVENTS, packet.marker, began, packet.payload.len());
                self.source.skip(FRAME as u32);
                self.send(&header, &packet.payload);
                return;
            }
        }
        let payload_type = if self.law == Law::Mu { 0 } else { 8 };
        let header = self.source.next_header(payload_type, FRAME as u32, FRAME);
        self.send(&header, &payload);
    }

    pub fn send(&mut self, header: &Header, payload: &[u8]) {
        self.sent += 1;
        let mut datagram = [0; 12 + FRAME];
        datagram[..12].copy_from_slice(&header.to_bytes());
        datagram[12..12 + payload.len()].copy_from_slice(payload);
        self.socket.send_to(&datagram[..12 + payload.len()], self.server).expect("sent");
    }

    /// Reads the packets that have arrived.
    pub fn hear(&mut self) {
        let mut datagram = [0; 1500];
        while let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            if Kind::of(&datagram[..length]) != Some(Kind::Rtp) {
                continue;
            }
            assert_eq!(from, self.server, "audio comes from the address of `open`");
            let packet = Packet::parse(&datagram[..length]).expect("well formed");
            let mut samples = vec![0; packet.payload.len()];
            g711::decode(self.law, packet.payload, &mut samples);
            self.heard.extend(samples);
            self.packets.push((packet.header, packet.payload.to_vec()));
        }
    }

    /// Level of a tone in the last half second it heard, in dBov.
    pub fn level(&self, hz: f32) -> f32 {
        let start = self.heard.len().checked_sub(4000).expect("half a second was heard");
        power_dbov(&self.heard[start..], 8000, hz)
    }

    /// The same, most of that time: a busy machine may have lost some of it.
    pub fn usual_level(&self, hz: f32) -> f32 {
        let start = self.heard.len().checked_sub(4000).expect("half a second was heard");
        let mut levels: Vec<f32> =
            self.heard[start..].chunks_exact(800).map(|piece| power_dbov(piece, 8000, hz)).collect();
        levels.sort_by(f32::total_cmp);
        levels[levels.len() / 2]
    }

    pub fn is_silent(&self) -> bool {
        let start = self.heard.len().checked_sub(4000).expect("half a second was heard");
        self.heard[start..].iter().all(|sample| sample.unsigned_abs() <= 8)
    }
}

/// Sends and receives for `ms`, on an absolute clock.
pub fn talk(phones: &mut [&mut Phone], ms: u64) {
    let began = Instant::now();
    for tick in 1..=ms / 20 {
        for phone in phones.iter_mut() {
            phone.speak();
        }
        let next = began + Duration::from_millis(20 * tick);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        for phone in phones.iter_mut() {
            phone.hear();
        }
    }
}

/// Sends and receives until `is_so`, for at most ten seconds.
pub fn talk_until(
    plane: &mut Plane,
    phones: &mut [&mut Phone],
    what: &str,
    mut is_so: impl FnMut(&Plane) -> bool,
) {
    for _ in 0..500 {
        talk(phones, 20);
        plane.gather();
        if is_so(plane) {
            return;
        }
    }
    panic!("{what} did not happen; events: {:?}", plane.received);
}
