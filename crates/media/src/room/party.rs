//! One call in a room: what it says and what it is told.

use super::{FRAME, FRAME_NS, PartyKey, Settings, Tick, latch::Latch, outbox::Outbox, playback::Playback};
use crate::{
    CallStats, MediaCallId, MediaEvent, StreamParams,
    ports::{Channel, PortKey},
};
use plenary_audio::{
    g711::{self, Law},
    level::{self, TalkDetector},
    mix::Limiter,
    plc::Concealer,
};
use plenary_rtp::{
    dtmf::DtmfReceiver,
    jitter::{Frame, JitterBuffer, JitterConfig},
    packet::{Kind, Packet},
    rtcp::{self, LastReport, REPORT_BYTES_MAX, Report, Sent, Told},
    source::Source,
    stats::Reception,
};
use std::net::SocketAddr;

const CLOCK_RATE: u32 = 8000;
/// Comfort noise (RFC 3389) may come between packets of any G.711 stream.
const COMFORT_NOISE: u8 = 13;
/// The longest packet that is taken or sent: 60 ms.
const PACKET_SAMPLES_MAX: usize = 480;
/// After a key its tone may still echo in the audio that follows.
const AFTER_KEY_NS: u64 = 60_000_000;
/// Below this a frame may be left out or repeated and nobody notices.
const QUIET_DBOV: f32 = -48.0;
/// What is quieter is a line and not a voice. It is not summed; anything louder is from its first frame on.
const SILENCE_DBOV: f32 = -60.0;
/// A voice that was heard is summed for this long after it, however quiet it gets, so that nothing is
/// chopped.
const FRAMES_AFTER_VOICE: u32 = 15;

/// A party. What is counted is counted from its opening on; everything else begins with its stream.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) call: MediaCallId,
    pub(crate) port: PortKey,
    pub(crate) speaks: bool,
    pub(crate) listens: bool,
    /// What is played to it alone.
    pub(crate) plays: Vec<Playback>,
    /// Keeps its voices and plays together within bounds.
    pub(crate) limiter: Limiter,
    pub(crate) stream: Option<Box<Stream>>,
    cname: String,
    random: Random,
    stats: CallStats,
}

/// The agreed stream, in both directions.
#[derive(Debug)]
pub(crate) struct Stream {
    params: StreamParams,
    latch: Latch,
    incoming: Incoming,
    outgoing: Outgoing,
    control: Control,
}

/// What the party says.
#[derive(Debug)]
struct Incoming {
    jitter: JitterBuffer,
    reception: Reception,
    keys: DtmfReceiver,
    silent_until_ns: u64,
    concealer: Concealer,
    talk: TalkDetector,
    talking: bool,
    /// Decoded, not yet heard.
    waiting: [i16; PACKET_SAMPLES_MAX + FRAME],
    waiting_samples: usize,
    frame: [i16; FRAME],
    /// The frame is just this packet, not decoded.
    payload: [u8; FRAME],
    payload_is_frame: bool,
    /// The frame before was made up, so the next one is blended with it.
    made_up: bool,
    /// Nothing was heard of it in the frame before.
    paused: bool,
    sounds: bool,
    /// Frames for which it is summed though it is quiet.
    lingers: u32,
    heard_ns: u64,
    timeout_told: bool,
}

/// What the party is told.
#[derive(Debug)]
struct Outgoing {
    source: Source,
    packet_samples: usize,
    waiting: [u8; PACKET_SAMPLES_MAX + FRAME],
    waiting_samples: usize,
}

/// RTCP, in both directions.
#[derive(Debug)]
struct Control {
    from: Option<SocketAddr>,
    next_ns: u64,
    packets_reported: u64,
    last: Option<(u32, u64)>,
}

/// Small, seeded, good enough to spread reports and to choose names that nobody can guess in one try.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

impl Party {
    /// `seed` comes from the system's randomness.
    pub(crate) fn new(call: MediaCallId, port: PortKey, seed: u64) -> Self {
        let mut random = Random(seed);
        let cname = format!("{:016x}", random.next());
        Self {
            call,
            port,
            speaks: false,
            listens: false,
            plays: Vec::new(),
            limiter: Limiter::new(),
            stream: None,
            cname,
            random,
            stats: CallStats::default(),
        }
    }

    pub(crate) fn set_stream(&mut self, params: StreamParams, settings: &Settings, now_ns: u64) {
        match &mut self.stream {
            Some(stream) => stream.change(params, now_ns),
            None => self.stream = Some(Box::new(Stream::new(params, settings, &mut self.random, now_ns))),
        }
    }

    pub(crate) fn set_voice(&mut self, speaks: bool, listens: bool, out: &mut Outbox) {
        (self.speaks, self.listens) = (speaks, listens);
        if !speaks && let Some(stream) = &mut self.stream {
            stream.incoming.hush();
            stream.incoming.set_talking(false, self.call, out);
        }
    }

    /// Takes a datagram off the RTP port.
    pub(crate) fn handle_rtp(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: u64,
        time: Tick,
        out: &mut Outbox,
    ) {
        match Kind::of(bytes) {
            Some(Kind::Rtp) => {}
            Some(Kind::Rtcp) => return self.handle_rtcp(from, bytes, arrival_ns, time),
            Some(Kind::Stun | Kind::Dtls | Kind::TurnChannel) | None => {
                self.stats.packets_malformed += 1;
                return;
            }
        }
        let Some(stream) = &mut self.stream else {
            self.stats.packets_unwanted += 1;
            return;
        };
        let Ok(packet) = Packet::parse(bytes) else {
            self.stats.packets_malformed += 1;
            return;
        };
        let params = &stream.params;
        let header = &packet.header;
        let is_audio = header.payload_type == params.receive_payload_type;
        let is_key = params.dtmf_payload_type == Some(header.payload_type);
        if !is_audio && !is_key && header.payload_type != COMFORT_NOISE {
            self.stats.packets_unknown_payload += 1;
            return;
        }
        if !stream.latch.is_ours(from, header, arrival_ns) {
            self.stats.packets_stranger += 1;
            return;
        }
        if !params.receive {
            self.stats.packets_unwanted += 1;
            return;
        }
        let incoming = &mut stream.incoming;
        incoming.heard_ns = arrival_ns;
        incoming.timeout_told = false;
        incoming.reception.handle_packet(header, packet.payload.len(), arrival_ns, is_audio);
        if is_key {
            if let Some(key) =
                incoming.keys.handle_packet(header.timestamp, header.marker, packet.payload, arrival_ns)
            {
                self.stats.keys += 1;
                out.tell(MediaEvent::KeyPressed { call: self.call, key });
            }
            // What is in the buffer by now was said while the key was down.
            incoming.silent_until_ns = arrival_ns + incoming.jitter.target_ns() + AFTER_KEY_NS;
        }
        // Nobody hears those who may not speak: their packets need no order.
        if self.speaks {
            if is_audio {
                incoming.jitter.push(header, packet.payload, packet.payload.len() as u32, arrival_ns);
            } else {
                incoming.jitter.push_other(header, arrival_ns);
            }
        }
    }

    /// Takes a datagram off the RTCP port, or one of RTCP off the RTP port.
    pub(crate) fn handle_rtcp(&mut self, from: SocketAddr, bytes: &[u8], arrival_ns: u64, time: Tick) {
        let Some(stream) = &mut self.stream else {
            self.stats.packets_unwanted += 1;
            return;
        };
        let known = [Some(stream.latch.destination()), stream.params.remote_rtcp];
        if !known.into_iter().flatten().any(|known| known.ip() == from.ip()) {
            self.stats.packets_stranger += 1;
            return;
        }
        let ours = stream.outgoing.source.ssrc();
        let theirs = stream.incoming.reception.ssrc();
        let (stats, control) = (&mut self.stats, &mut stream.control);
        let now_middle_ntp = (rtcp::ntp(time.wall_ns_at(arrival_ns)) >> 16) as u32;
        let read = rtcp::read(bytes, |told| match told {
            Told::Sends { middle_ntp, .. } => control.last = Some((middle_ntp, arrival_ns)),
            Told::Receives { ssrc, fraction_lost, jitter, last, .. } if ssrc == ours => {
                stats.remote_loss = Some(f32::from(fraction_lost) / 256.0);
                stats.remote_jitter_ms = Some(jitter as f32 * 1000.0 / CLOCK_RATE as f32);
                if let Some(round_trip) = rtcp::round_trip(now_middle_ntp, last) {
                    stats.round_trip_ms = Some(round_trip as f32 * 1000.0 / 65_536.0);
                }
            }
            Told::Receives { .. } => {}
            Told::Goodbye { ssrc } => stats.remote_bye |= theirs.is_none_or(|theirs| theirs == ssrc),
        });
        if read {
            control.from = Some(from);
        } else {
            self.stats.packets_malformed += 1;
        }
    }

    /// Takes what the party says at this tick out of its buffer; see [`Party::voice`].
    pub(crate) fn hear(&mut self, time: Tick, out: &mut Outbox) {
        let Some(stream) = &mut self.stream else { return };
        let incoming = &mut stream.incoming;
        incoming.sounds = false;
        if !self.speaks {
            return;
        }
        if !stream.params.receive {
            return incoming.set_talking(false, self.call, out);
        }
        incoming.fill_frame(stream.params.law, time.now_ns);
        let key_is_down = incoming.keys.is_key_down(time.now_ns) || time.now_ns < incoming.silent_until_ns;
        if key_is_down {
            incoming.frame.fill(0);
            incoming.payload_is_frame = false;
        }
        let level_dbov = level::dbov(&incoming.frame);
        incoming.jitter.set_quiet(level_dbov < QUIET_DBOV);
        incoming.lingers = match level_dbov > SILENCE_DBOV {
            true => FRAMES_AFTER_VOICE,
            false => incoming.lingers.saturating_sub(1),
        };
        incoming.sounds = incoming.lingers > 0;
        let talking = incoming.talk.update_level(level_dbov);
        if talking {
            self.stats.level_dbov = level_dbov;
        }
        incoming.set_talking(talking, self.call, out);
    }

    /// What the party says at this tick; `None`: nothing that could be heard.
    pub(crate) fn voice(&self) -> Option<&[i16; FRAME]> {
        let incoming = &self.stream.as_ref()?.incoming;
        incoming.sounds.then_some(&incoming.frame)
    }

    /// What it says, as it came, where it came in a packet of just a frame.
    pub(crate) fn voice_payload(&self) -> Option<(Law, &[u8; FRAME])> {
        let stream = self.stream.as_ref()?;
        let incoming = &stream.incoming;
        (incoming.sounds && incoming.payload_is_frame).then_some((stream.params.law, &incoming.payload))
    }

    /// The law in which it is told something; `None`: it is not, for it has no stream or holds us.
    pub(crate) fn told_in(&self) -> Option<Law> {
        let stream = self.stream.as_ref()?;
        (stream.params.send && is_reachable(stream.latch.destination())).then_some(stream.params.law)
    }

    /// Tells it a frame.
    pub(crate) fn tell(&mut self, key: PartyKey, frame: &[u8; FRAME], out: &mut Outbox) {
        let Some(stream) = &mut self.stream else { return };
        let to = stream.latch.destination();
        let payload_type = stream.params.send_payload_type;
        let outgoing = &mut stream.outgoing;
        let samples = outgoing.packet_samples;
        if samples == FRAME && outgoing.waiting_samples == 0 {
            let header = outgoing.source.next_header(payload_type, FRAME as u32, FRAME);
            return out.send(key, Channel::Rtp, to, &header.to_bytes(), frame);
        }
        outgoing.waiting[outgoing.waiting_samples..outgoing.waiting_samples + FRAME].copy_from_slice(frame);
        outgoing.waiting_samples += FRAME;
        let mut sent = 0;
        while outgoing.waiting_samples - sent >= samples {
            let header = outgoing.source.next_header(payload_type, samples as u32, samples);
            out.send(key, Channel::Rtp, to, &header.to_bytes(), &outgoing.waiting[sent..sent + samples]);
            sent += samples;
        }
        outgoing.waiting.copy_within(sent..outgoing.waiting_samples, 0);
        outgoing.waiting_samples -= sent;
    }

    /// Lets `frames` pass in which it is told nothing.
    pub(crate) fn stay_silent(&mut self, frames: u32) {
        if let Some(stream) = &mut self.stream {
            let outgoing = &mut stream.outgoing;
            // What was gathered for a packet that never went out took its time too.
            let gathered = std::mem::take(&mut outgoing.waiting_samples) as u32;
            outgoing.source.pause(frames * FRAME as u32 + gathered);
        }
    }

    /// Reports by RTCP when it is time to, and notices when nothing comes any more.
    pub(crate) fn look_after(&mut self, key: PartyKey, settings: &Settings, time: Tick, out: &mut Outbox) {
        let Some(stream) = &mut self.stream else { return };
        let incoming = &mut stream.incoming;
        let expected = stream.params.receive && stream.params.send;
        if expected
            && !incoming.timeout_told
            && time.now_ns.saturating_sub(incoming.heard_ns) > settings.rtp_timeout_ns
        {
            incoming.timeout_told = true;
            out.tell(MediaEvent::RtpTimeout { call: self.call });
        }
        if time.now_ns >= stream.control.next_ns {
            let mean = settings.rtcp_interval_ns;
            stream.control.next_ns = time.now_ns + mean / 2 + self.random.next() % mean.max(1);
            self.report(key, false, time, out);
        }
    }

    /// Says goodbye by RTCP.
    pub(crate) fn leave(&mut self, key: PartyKey, time: Tick, out: &mut Outbox) {
        self.report(key, true, time, out);
    }

    fn report(&mut self, key: PartyKey, goodbye: bool, time: Tick, out: &mut Outbox) {
        let Some(stream) = &mut self.stream else { return };
        let to = stream.rtcp_destination();
        if !is_reachable(stream.latch.destination()) || !is_reachable(to) {
            return;
        }
        let source = &stream.outgoing.source;
        let control = &mut stream.control;
        let sends = source.packets() > control.packets_reported;
        control.packets_reported = source.packets();
        let last = control.last.map_or(LastReport::default(), |(middle_ntp, at_ns)| LastReport {
            middle_ntp,
            delay: (u128::from(time.now_ns.saturating_sub(at_ns)) * 65_536 / 1_000_000_000) as u32,
        });
        let report = Report {
            ssrc: source.ssrc(),
            sent: sends.then(|| Sent {
                ntp: rtcp::ntp(time.wall_ns),
                rtp_timestamp: source.timestamp(),
                packets: source.packets() as u32,
                bytes: source.bytes() as u32,
            }),
            received: stream.incoming.reception.poll_report().map(|report| (report, last)),
            cname: &self.cname,
            goodbye,
        };
        let mut bytes = [0; REPORT_BYTES_MAX];
        let length = report.write(&mut bytes);
        let channel = if stream.params.rtcp_mux { Channel::Rtp } else { Channel::Rtcp };
        out.send(key, channel, to, &bytes[..length], &[]);
    }

    pub(crate) fn handle_send_error(&mut self) {
        self.stats.send_errors += 1;
    }

    pub(crate) fn stats(&self) -> CallStats {
        let mut stats = self.stats;
        if let Some(stream) = &self.stream {
            let (incoming, source) = (&stream.incoming, &stream.outgoing.source);
            let buffer = incoming.jitter.counters();
            stats.packets_received = incoming.reception.packets();
            stats.bytes_received = incoming.reception.bytes();
            stats.packets_lost = incoming.reception.lost();
            stats.jitter_ms = incoming.reception.jitter_ms();
            stats.packets_duplicate = buffer.duplicate;
            stats.packets_late = buffer.late;
            stats.frames_concealed = buffer.concealed;
            stats.frames_skipped = buffer.skipped;
            stats.buffer_ms = incoming.jitter.target_ns() as f32 / 1e6;
            stats.packets_sent = source.packets();
            stats.bytes_sent = source.bytes();
        }
        stats
    }
}

impl Stream {
    fn new(params: StreamParams, settings: &Settings, random: &mut Random, now_ns: u64) -> Self {
        let latch = Latch::new(params.remote_rtp);
        let source = Source::new(random.next() as u32, random.next() as u16, random.next() as u32);
        let jitter = JitterConfig {
            min_ms: settings.jitter_ms_min,
            max_ms: settings.jitter_ms_max,
            payload_bytes_max: PACKET_SAMPLES_MAX,
            ..JitterConfig::G711
        };
        let mean = settings.rtcp_interval_ns;
        Self {
            latch,
            incoming: Incoming {
                jitter: JitterBuffer::new(jitter),
                reception: Reception::new(CLOCK_RATE),
                keys: DtmfReceiver::new(),
                silent_until_ns: 0,
                concealer: Concealer::new(CLOCK_RATE),
                talk: TalkDetector::new(CLOCK_RATE),
                talking: false,
                waiting: [0; PACKET_SAMPLES_MAX + FRAME],
                waiting_samples: 0,
                frame: [0; FRAME],
                payload: [0; FRAME],
                payload_is_frame: false,
                made_up: false,
                paused: true,
                sounds: false,
                lingers: 0,
                heard_ns: now_ns,
                timeout_told: false,
            },
            outgoing: Outgoing {
                source,
                packet_samples: packet_samples(params.ptime_ms),
                waiting: [0; PACKET_SAMPLES_MAX + FRAME],
                waiting_samples: 0,
            },
            control: Control {
                from: None,
                // The first report comes after half the usual time (RFC 3550, 6.2).
                next_ns: now_ns + mean / 4 + random.next() % (mean / 2).max(1),
                packets_reported: 0,
                last: None,
            },
            params,
        }
    }

    fn change(&mut self, params: StreamParams, now_ns: u64) {
        if params.remote_rtp != self.latch.agreed() {
            self.latch = Latch::new(params.remote_rtp);
            self.control.from = None;
        }
        if params.remote_rtcp != self.params.remote_rtcp || params.rtcp_mux != self.params.rtcp_mux {
            self.control.from = None;
        }
        // What is held was sent in another law, or before a hold.
        if (params.law, params.receive, params.receive_payload_type)
            != (self.params.law, self.params.receive, self.params.receive_payload_type)
        {
            self.incoming.hush();
        }
        self.incoming.heard_ns = now_ns;
        self.incoming.timeout_told = false;
        let packet_samples = packet_samples(params.ptime_ms);
        if packet_samples != self.outgoing.packet_samples {
            // What was gathered for a packet of the old length is dropped; the clock goes on over it.
            let gathered = std::mem::take(&mut self.outgoing.waiting_samples) as u32;
            self.outgoing.source.skip(gathered);
            self.outgoing.packet_samples = packet_samples;
        }
        self.params = params;
    }

    /// Where RTCP goes: where it comes from, or where was agreed, or the port after RTP's. Like RTP it
    /// follows the other side when that is not where it said.
    fn rtcp_destination(&self) -> SocketAddr {
        let rtp = self.latch.destination();
        if self.params.rtcp_mux {
            return rtp;
        }
        let next = SocketAddr::new(rtp.ip(), rtp.port().wrapping_add(1));
        let agreed =
            self.params.remote_rtcp.filter(|agreed| rtp == self.latch.agreed() || agreed.ip() == rtp.ip());
        self.control.from.or(agreed).unwrap_or(next)
    }
}

impl Incoming {
    /// Forgets what was said; what comes next begins anew.
    fn hush(&mut self) {
        self.jitter.reset();
        self.concealer = Concealer::new(CLOCK_RATE);
        self.waiting_samples = 0;
        (self.made_up, self.paused) = (false, true);
        (self.sounds, self.lingers) = (false, 0);
    }

    fn set_talking(&mut self, talking: bool, call: MediaCallId, out: &mut Outbox) {
        if talking != std::mem::replace(&mut self.talking, talking) {
            out.tell(if talking {
                MediaEvent::TalkStarted { call }
            } else {
                MediaEvent::TalkStopped { call }
            });
        }
    }

    /// Puts the next 20 ms into `frame`, silence where there is nothing.
    fn fill_frame(&mut self, law: Law, now_ns: u64) {
        self.payload_is_frame = false;
        let starts_empty = self.waiting_samples == 0;
        while self.waiting_samples < FRAME {
            let held_ns = self.waiting_samples as u64 * FRAME_NS / FRAME as u64;
            let room = &mut self.waiting[self.waiting_samples..];
            match self.jitter.pull(now_ns + held_ns) {
                Frame::Packet { payload, joins, .. } => {
                    let decoded = &mut room[..payload.len()];
                    g711::decode(law, payload, decoded);
                    if joins {
                        self.concealer.join(decoded);
                    } else {
                        self.concealer.good(decoded);
                    }
                    let is_untouched = !joins && !self.made_up;
                    if starts_empty
                        && is_untouched
                        && let Ok(payload) = <&[u8; FRAME]>::try_from(payload)
                    {
                        self.payload = *payload;
                        self.payload_is_frame = true;
                    }
                    self.waiting_samples += payload.len();
                    (self.made_up, self.paused) = (false, false);
                }
                Frame::Missing { samples } => {
                    let samples = (samples as usize).min(FRAME);
                    self.concealer.conceal(&mut room[..samples]);
                    self.waiting_samples += samples;
                    self.made_up = true;
                }
                Frame::Nothing => {
                    room[..FRAME - self.waiting_samples].fill(0);
                    self.waiting_samples = FRAME;
                    if !std::mem::replace(&mut self.paused, true) {
                        // What comes next joins silence and not what was said before it.
                        self.concealer = Concealer::new(CLOCK_RATE);
                        self.made_up = false;
                    }
                }
            }
        }
        self.frame.copy_from_slice(&self.waiting[..FRAME]);
        self.waiting.copy_within(FRAME..self.waiting_samples, 0);
        self.waiting_samples -= FRAME;
    }
}

fn packet_samples(ptime_ms: u32) -> usize {
    match ptime_ms {
        10 | 20 | 30 | 40 | 60 => ptime_ms as usize * (CLOCK_RATE as usize / 1000),
        _ => FRAME,
    }
}

/// Nothing can be sent to port 0 or to no address in particular, which older phones name to be held (RFC
/// 3264, 8.4).
fn is_reachable(address: SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}
