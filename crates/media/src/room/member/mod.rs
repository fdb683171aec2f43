//! One call in a room: what it sends and what it hears.

mod arriving;

use super::{
    inband::KeyRoute,
    key::MemberKey,
    liveness::{Expected, Finding, Limits},
    outbox::{Outbox, PacketRoute},
    own_mix::OwnMix,
    pace::Talker,
    playback::Playback,
    ramp::Ramp,
    receive_path::G711_FRAME,
    recorder::NameRecorder,
    send_path::OwnEncoder,
    settings::Settings,
    stream::{Random, Stream},
    tick::Tick,
};
use crate::{
    AudioProcessing, CallStats, InbandDtmf, MediaCallId, MediaEvent, Protection, RtcpReport, StreamParams,
    load::{JITTER_BOUNDS_US, PlaneCounts},
    ports::{Channel, PortKey},
};
use arriving::is_reachable;
use plenary_audio::{
    agc,
    codec::{Codec, Encoder, Rate},
    denoise::Denoiser,
    limit::Limiter,
};
use plenary_rtp::{
    jitter::JitterBuffer,
    quality::{self, Equipment},
    rtcp::{self, LastReport, REPORT_BYTES_MAX, Report, SenderInfo},
};

/// Comfort noise (RFC 3389) may come between packets of any G.711 stream.
const COMFORT_NOISE: u8 = 13;
/// After a key its tone may still ring in the audio that follows.
const AFTER_KEY_NS: u64 = 60_000_000;
/// Anything quieter is the line and not a voice. It is not summed; anything louder is, from its first frame on.
const SILENCE_DBOV: f32 = -60.0;
/// If many lines carry sound, one that is within this of its own noise is not summed…
const ABOVE_NOISE_DB: f32 = 6.0;
/// … unless it is louder than this.
const LOUD_DBOV: f32 = -46.0;
/// Delay outside the bridge, from mouth to packet and from packet to ear, in milliseconds, if nothing better is
/// known.
const DELAY_ELSEWHERE_MS: f32 = 60.0;
/// A voice that was heard is summed for this long afterwards, however quiet it gets, so that nothing is cut off.
const FRAMES_AFTER_VOICE: u32 = 15;

/// What is recorded of a participant who holds the call.
const SILENT_FRAME: [i16; Rate::Narrow.frame()] = [0; Rate::Narrow.frame()];

/// A participant. Counters start when it is opened; everything else starts with its stream.
///
/// What every tick reads comes first and together: with thousands of participants, memory is what takes the time.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct RoomMember {
    pub(super) stream: Option<Box<Stream>>,
    pub(crate) call: MediaCallId,
    pub(crate) port: PortKey,
    pub(crate) speaks: bool,
    pub(crate) listens: bool,
    /// Its own stream has the same output as the shared one.
    pub(super) may_return: bool,
    /// It heard a mix of its own in the last tick.
    pub(super) is_apart: bool,
    /// It may hear something otherwise than all.
    pub(super) is_special: bool,
    /// It is on hold.
    pub(super) is_held: bool,
    /// Ticks for which it has waited for a pause.
    pub(super) ticks_waited: u8,
    /// The stream that it heard last, if its codec has state.
    pub(super) follows: Follows,
    /// Level of what it was sent in the last tick, in dBov.
    sent_dbov: f32,
    /// Playbacks for it alone, in order.
    pub(crate) plays: Vec<Playback>,
    /// What it hears otherwise.
    pub(super) own_mix: OwnMix,
    /// The part of its voice that is heard: nothing on hold.
    pub(super) gate: Ramp,
    /// Gain of its voice after all processing: as set, in dB, and linear, as applied last.
    pub(super) talk_db: f32,
    talk_applied: f32,
    /// Limits the sum of its voices and playbacks.
    pub(crate) limiter: Limiter,
    processing: AudioProcessing,
    /// Where keys are looked for as tones; `None`: as the settings say.
    inband_dtmf: Option<InbandDtmf>,
    /// Records what it says, whether or not it speaks.
    recorder: Option<Box<NameRecorder>>,
    /// Encodes its own stream, while it has one.
    pub(super) encoder: Option<Encoder>,
    cname: String,
    random: Random,
    stats: CallStats,
    /// What is in the counts of the plane.
    counted: Counted,
}

/// What of a participant's counters is in the counts of the plane.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    received: u64,
    sent: u64,
    lost: u64,
    concealed: u64,
}

/// The stream that a participant hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// None yet.
    Nothing,
    /// A shared one, by whether it contains the voices.
    Shared(bool),
    /// One of its own.
    Own,
}

impl RoomMember {
    /// `seed` comes from the system's randomness.
    pub(crate) fn new(call: MediaCallId, port: PortKey, seed: u64) -> Self {
        let mut random = Random(seed);
        let cname = format!("{:016x}", random.next());
        Self {
            call,
            port,
            speaks: false,
            listens: false,
            is_special: false,
            is_held: false,
            plays: Vec::new(),
            own_mix: OwnMix::default(),
            gate: Ramp::at(1.0),
            talk_db: 0.0,
            talk_applied: 1.0,
            limiter: Limiter::new(),
            stream: None,
            processing: AudioProcessing::default(),
            inband_dtmf: None,
            recorder: None,
            sent_dbov: -127.0,
            follows: Follows::Nothing,
            may_return: false,
            is_apart: false,
            ticks_waited: 0,
            encoder: None,
            cname,
            random,
            // Nothing has been said yet, which is not the same as full scale.
            stats: CallStats { level_dbov: -127.0, noise_floor_dbov: -90.0, ..CallStats::default() },
            counted: Counted::default(),
        }
    }

    pub(crate) fn set_stream(&mut self, params: StreamParams, settings: &Settings, now_ns: u64) {
        let settings = &self.own_settings(settings);
        match &mut self.stream {
            Some(stream) => {
                if stream.params.codec != params.codec {
                    // Another codec has another buffer, which counts from nothing.
                    stream.incoming.count(&mut self.stats);
                    (self.follows, self.encoder) = (Follows::Nothing, None);
                }
                stream.change(params, settings, &mut self.random, now_ns);
            }
            None => {
                self.stream = Some(Box::new(Stream::new(params, settings, &mut self.random, now_ns)));
                self.set_processing(self.processing);
            }
        }
    }

    /// The settings, with what differs for this participant.
    /// It has an Opus stream of its own, coded as those of all.
    pub(super) fn encodes_opus(&self) -> bool {
        matches!(self.encoder, Some(Encoder::Opus(_)))
    }

    fn own_settings(&self, settings: &Settings) -> Settings {
        Settings { inband_dtmf: self.inband_dtmf.unwrap_or(settings.inband_dtmf), ..*settings }
    }

    pub(crate) fn set_inband_dtmf(&mut self, inband: Option<InbandDtmf>, settings: &Settings) {
        self.leave_fast_path();
        self.inband_dtmf = inband;
        let settings = self.own_settings(settings);
        if let Some(stream) = &mut self.stream {
            stream.set_inband(&settings, &mut self.random);
        }
    }

    pub(crate) fn record(&mut self, recorder: Box<NameRecorder>) {
        self.leave_fast_path();
        self.recorder = Some(recorder);
    }

    pub(crate) fn end_recording(&mut self, out: &mut Outbox) {
        let Some(recorder) = self.recorder.take() else { return };
        out.push_recording(self.call, recorder);
        if !self.may_be_heard()
            && let Some(stream) = &mut self.stream
        {
            stream.incoming.hush();
        }
    }

    /// Its audio is wanted.
    fn is_listened_to(&self) -> bool {
        self.may_be_heard() || self.recorder.is_some()
    }

    /// It speaks, and is not on hold, or only just.
    fn may_be_heard(&self) -> bool {
        self.speaks && !(self.is_held && self.gate.is(0.0))
    }

    /// The handshake that brings its keys is not complete: nothing can be sent to it yet.
    pub(super) fn awaits_keys(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.srtp.is_waiting())
    }

    /// It was found to talk.
    pub(super) fn is_talking(&self) -> bool {
        self.speaks && self.stream.as_ref().is_some_and(|stream| stream.incoming.talking)
    }

    /// On hold: its voice fades out, and is not listened to any more.
    fn close_gate(&mut self, out: &mut Outbox) {
        let was_heard = !self.gate.is(0.0);
        self.gate.jump(0.0);
        if was_heard
            && self.gate.is(0.0)
            && let Some(stream) = &mut self.stream
        {
            // It has faded out.
            if self.recorder.is_none() {
                stream.incoming.hush();
            }
            stream.incoming.set_talking(false, self.call, out);
        }
    }

    pub(crate) fn set_processing(&mut self, processing: AudioProcessing) {
        self.processing = processing;
        let Some(stream) = &mut self.stream else { return };
        let incoming = &mut stream.incoming;
        match processing.automatic_gain {
            true => drop(incoming.automatic.get_or_insert_default()),
            false => incoming.automatic = None,
        }
        match processing.noise_suppression {
            true if incoming.denoiser.is_none() => {
                incoming.denoiser = Some(Box::new(Denoiser::new(stream.params.codec.rate())));
            }
            true => {}
            false => incoming.denoiser = None,
        }
    }

    pub(crate) fn set_voice(&mut self, speaks: bool, listens: bool, out: &mut Outbox) {
        self.leave_fast_path();
        (self.speaks, self.listens) = (speaks, listens);
        if !speaks && let Some(stream) = &mut self.stream {
            if self.recorder.is_none() {
                stream.incoming.hush();
            }
            stream.incoming.set_talking(false, self.call, out);
        }
    }

    /// Leaves the fast path for silence, if the line is on it: required before anything else reads its stream.
    pub(super) fn leave_fast_path(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.leave_fast_path();
        }
    }

    /// Takes what the participant says at this tick from its buffer; see [`RoomMember::voice`]. `is_crowded`: many lines
    /// carry sound, so a line with noise only is left out. True: the line carries sound.
    pub(crate) fn hear(&mut self, key: MemberKey, time: Tick, is_crowded: bool, out: &mut Outbox) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        if stream.fast_path.takes_tick(time.now_ns, self.sent_dbov) {
            return false;
        }
        stream.leave_fast_path();
        (stream.incoming.sounds, stream.incoming.is_live) = (false, false);
        if self.is_held {
            self.close_gate(out);
        }
        if !self.is_listened_to() {
            return false;
        }
        let Some(stream) = &mut self.stream else { return false };
        let incoming = &mut stream.incoming;
        if !stream.params.receive {
            incoming.set_talking(false, self.call, out);
            if let Some(recorder) = &mut self.recorder
                && recorder.take(&SILENT_FRAME, Rate::Narrow, false)
            {
                self.end_recording(out);
            }
            return false;
        }
        if let Some(inband) = &mut incoming.path.inband {
            inband.set_noise_floor(incoming.talk.floor_dbov());
        }
        incoming.path.listen(time.now_ns);
        let key_is_down = incoming.keys.is_key_down(time.now_ns) || time.now_ns < incoming.silent_until_ns;
        if key_is_down {
            incoming.path.frame.fill(0);
            incoming.path.set_changed();
        }
        let level_dbov = incoming.path.level_dbov();
        incoming.path.note_level(level_dbov);
        incoming.is_live = level_dbov > SILENCE_DBOV;
        incoming.echo.update(self.sent_dbov, level_dbov, &incoming.path.frame);
        incoming.reckon_quality();
        let talking = incoming.talk.update_level(level_dbov);
        let threshold = match is_crowded && !talking {
            true => (incoming.talk.floor_dbov() + ABOVE_NOISE_DB).clamp(SILENCE_DBOV, LOUD_DBOV),
            false => SILENCE_DBOV,
        };
        incoming.lingers = match level_dbov > threshold {
            true => FRAMES_AFTER_VOICE,
            false => incoming.lingers.saturating_sub(1),
        };
        incoming.sounds = incoming.lingers > 0;
        if !incoming.sounds && self.recorder.is_none() {
            // While samples are compared to detect an echo, they are needed.
            let below_dbov = if incoming.echo.compares_samples() { SILENCE_DBOV } else { threshold };
            incoming.path.may_skip(below_dbov);
        }
        if incoming.sounds {
            incoming.path.decode_all();
            incoming.process(&self.processing, level_dbov, talking);
            if self.talk_db != 0.0 || self.talk_applied != 1.0 {
                let gain = plenary_audio::linear(self.talk_db);
                agc::apply(&mut incoming.path.frame, &mut self.talk_applied, gain);
                incoming.path.set_changed();
            }
            if !self.gate.is(1.0) {
                if !self.is_held {
                    // The first sound after a hold fades in.
                    self.gate.jump(1.0);
                }
                self.gate.fade(&mut incoming.path.frame);
                incoming.path.set_changed();
            }
        }
        if talking {
            self.stats.level_dbov = level_dbov;
        }
        if self.recorder.is_some() {
            return self.hear_recorded(talking, out);
        }
        incoming.set_talking(talking, self.call, out);
        let is_something = incoming.sounds || incoming.is_live;
        if !is_something {
            stream.enter_fast_path(key.0, time.now_ns);
        }
        is_something
    }

    /// The rest of [`RoomMember::hear`] while it is recorded.
    fn hear_recorded(&mut self, talking: bool, out: &mut Outbox) -> bool {
        let may_be_heard = self.may_be_heard();
        let (Some(stream), Some(recorder)) = (&mut self.stream, &mut self.recorder) else { return false };
        let incoming = &mut stream.incoming;
        incoming.path.decode_all();
        let has_ended = recorder.take(&incoming.path.frame, stream.params.codec.rate(), talking);
        if may_be_heard {
            incoming.set_talking(talking, self.call, out);
        } else {
            (incoming.sounds, incoming.is_live) = (false, false);
        }
        let is_something = incoming.sounds || incoming.is_live;
        if has_ended {
            self.end_recording(out);
        }
        is_something
    }

    /// The codec of both directions, if its line is on the fast path for silence and this tick was counted there.
    pub(super) fn codec_on_fast_path(&self, time: Tick) -> Option<Codec> {
        let fast_path = &self.stream.as_ref()?.fast_path;
        fast_path.has_taken_tick(time.now_ns).then_some(fast_path.codec)
    }

    /// What the participant says at this tick; `None` if it is not audible.
    pub(crate) fn voice(&self) -> Option<&[i16]> {
        let incoming = &self.stream.as_ref()?.incoming;
        incoming.sounds.then_some(&*incoming.path.frame)
    }

    /// What it says, to be changed; see [`RoomMember::voice`].
    pub(super) fn voice_mut(&mut self) -> Option<&mut [i16]> {
        let incoming = &mut self.stream.as_mut()?.incoming;
        if !incoming.sounds {
            return None;
        }
        incoming.path.set_changed();
        Some(&mut incoming.path.frame)
    }

    /// All do not hear what it says in this tick.
    pub(super) fn be_private(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.incoming.sounds = false;
        }
    }

    /// Its line carries sound, even if only noise.
    pub(crate) fn is_live(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.incoming.is_live)
    }

    /// The payload of what it says, if that came in a packet of exactly one frame.
    pub(crate) fn voice_payload(&self) -> Option<(Codec, &[u8; G711_FRAME])> {
        let incoming = &self.stream.as_ref()?.incoming;
        if incoming.sounds { incoming.path.payload() } else { None }
    }

    /// The position of a talker relative to the next tick; `None` if it does not talk.
    pub(super) fn waits(&self, place: usize, next_tick_ns: u64) -> Option<Talker> {
        let incoming = &self.stream.as_ref()?.incoming;
        if !incoming.sounds {
            return None;
        }
        let path = &incoming.path;
        Some(Talker {
            place,
            spare_ns: path.spare_ns(next_tick_ns)?,
            far_too_long_ns: path.jitter.far_too_long_ns(),
            is_quiet: path.jitter.is_quiet(),
        })
    }

    /// The jitter buffer of its stream.
    pub(super) fn jitter_mut(&mut self) -> Option<&mut JitterBuffer> {
        Some(&mut self.stream.as_mut()?.incoming.path.jitter)
    }

    /// How much earlier the next tick could be and still find the packet of a participant that may talk and does not;
    /// `None` if it talks, or nothing arrives.
    pub(super) fn waits_silent(&mut self, next_tick_ns: u64) -> Option<i64> {
        if !self.speaks {
            return None;
        }
        self.leave_fast_path();
        let incoming = &self.stream.as_ref()?.incoming;
        if incoming.sounds { None } else { incoming.path.spare_ns(next_tick_ns) }
    }

    /// The codec of its stream; `None` without a stream.
    pub(crate) fn codec(&self) -> Option<Codec> {
        Some(self.stream.as_ref()?.params.codec)
    }

    /// The rate at which it speaks and listens.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.codec().map(Codec::rate)
    }

    /// The codec in which it is sent audio; `None` if it is not, because it has no stream or holds the call.
    pub(crate) fn send_codec(&self) -> Option<Codec> {
        let stream = self.stream.as_ref()?;
        (stream.params.send && is_reachable(stream.latch.destination())).then_some(stream.params.codec)
    }

    /// Its separate encoder, if its stream has settings of its own.
    pub(super) fn own_encoder(&mut self) -> Option<&mut OwnEncoder> {
        self.stream.as_mut()?.send_path.own_encoder.as_deref_mut()
    }

    pub(crate) fn has_own_encoder(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.send_path.own_encoder.is_some())
    }

    /// Records what it is sent in this tick, because it may return as an echo.
    pub(super) fn note_sent(&mut self, frame: &[i16], level_dbov: f32) {
        self.sent_dbov = level_dbov;
        if let Some(stream) = &mut self.stream {
            stream.incoming.echo.sent(frame);
        }
    }

    /// Sends it an encoded frame that lasts `units` of its RTP clock.
    pub(crate) fn send_frame(&mut self, key: MemberKey, frame: &[u8], units: u32, out: &mut Outbox) {
        let Some(stream) = &mut self.stream else { return };
        let route = PacketRoute {
            member: key,
            port: self.port,
            channel: Channel::Rtp,
            to: stream.latch.destination(),
            is_settled: stream.is_settled,
        };
        let payload_type = stream.params.send_payload_type;
        let context = &mut stream.srtp;
        stream.send_path.take(frame, units, payload_type, |header, payload| {
            out.send(route, header, payload, |bytes, start| {
                context.protect_rtp(bytes, start);
            });
        });
    }

    /// The arrival time of its next packet matters little, and no RTCP, whose time matters, comes through its port.
    pub(super) fn may_be_unmeasured(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.fast_path.is_on() && !stream.fast_path.has_reports)
    }

    /// Sends it an encoded frame on the fast path, using only the state kept for that.
    pub(super) fn send_on_fast_path(
        &mut self,
        key: MemberKey,
        frame: &[u8],
        level_dbov: f32,
        out: &mut Outbox,
    ) {
        self.sent_dbov = level_dbov;
        let Some(stream) = &mut self.stream else { return };
        let Stream { fast_path, send_path, .. } = &mut **stream;
        let route = PacketRoute {
            member: key,
            port: self.port,
            channel: Channel::Rtp,
            to: fast_path.from,
            is_settled: true,
        };
        send_path.take(
            frame,
            fast_path.codec.clock_rate() / 50,
            fast_path.payload_type,
            |header, payload| {
                out.send(route, header, payload, |_, _| {});
            },
        );
    }

    /// Advances by `frames` in which it is sent nothing.
    pub(crate) fn stay_silent(&mut self, frames: u32) {
        if let Some(stream) = &mut self.stream {
            stream.send_path.stay_silent(frames);
        }
    }

    /// Sends RTCP reports when due, and notices when nothing arrives any more.
    pub(crate) fn look_after(&mut self, key: MemberKey, settings: &Settings, time: Tick, out: &mut Outbox) {
        let Some(stream) = &mut self.stream else { return };
        let expected = Expected {
            sends: stream.params.send,
            receives: stream.params.receive,
            is_connected: stream.is_connected(),
        };
        let sent = stream.send_path.source.packets();
        let call = self.call;
        let limits = Limits { timeout_ns: settings.rtp_timeout_ns, never_ns: settings.rtp_never_ns };
        match stream.liveness.look(expected, sent, limits, time.now_ns) {
            Some(Finding::Never) => out.push_event(MediaEvent::NeverHeard { call }),
            Some(Finding::Gone) => out.push_event(MediaEvent::RtpTimeout { call }),
            Some(Finding::Held) => out.push_event(MediaEvent::HoldTimeout { call }),
            Some(Finding::Silent) => out.push_event(MediaEvent::SilenceTimeout { call }),
            Some(Finding::OneWay(one_way)) => out.push_event(MediaEvent::OneWay { call, one_way }),
            None => {}
        }
        // ICE checks and handshakes may come from elsewhere at any time.
        let may_settle =
            stream.params.ice.is_none() && !matches!(stream.params.protection, Protection::Dtls { .. });
        // And after a silence the stream itself may, if a NAT gives it another port.
        let is_settled = may_settle
            && (stream.is_settled || stream.latch.is_settled(time.now_ns))
            && !stream.latch.is_silent(time.now_ns);
        if time.now_ns >= stream.control.next_ns {
            let mean = settings.rtcp_interval_ns;
            stream.control.next_ns = time.now_ns + mean / 2 + self.random.next() % mean.max(1);
            self.report(key, false, time, out);
        }
        // From the next tick on: all packets of one tick leave in the same way.
        if let Some(stream) = &mut self.stream {
            stream.is_settled = is_settled;
        }
    }

    /// Sends RTCP BYE.
    pub(crate) fn leave(&mut self, key: MemberKey, time: Tick, out: &mut Outbox) {
        self.leave_fast_path();
        self.report(key, true, time, out);
    }

    /// Adds what has happened since the last time to the counts of the plane, and remembers how bad it has been.
    fn take_stock(&mut self, counts: &mut PlaneCounts) {
        let now = self.stats();
        if now.packets_received > 0 {
            let lowest = &mut self.stats.mos_min;
            *lowest = Some(lowest.map_or(now.mos, |known| known.min(now.mos)));
            self.stats.jitter_ms_max = self.stats.jitter_ms_max.max(now.jitter_ms);
        }
        if now.packets_received > self.counted.received {
            counts.jitter.add(&JITTER_BOUNDS_US, (now.jitter_ms * 1000.0) as u64);
        }
        let Counted { received, sent, lost, concealed } = &mut self.counted;
        for (counted, now, count) in [
            (received, now.packets_received, &mut counts.packets_received),
            (sent, now.packets_sent, &mut counts.packets_sent),
            // A packet that was counted as lost and came late is not taken back.
            (lost, now.packets_lost, &mut counts.packets_lost),
            (concealed, now.frames_concealed, &mut counts.frames_concealed),
        ] {
            *count += now.saturating_sub(*counted);
            *counted = now.max(*counted);
        }
    }

    fn report(&mut self, key: MemberKey, goodbye: bool, time: Tick, out: &mut Outbox) {
        self.take_stock(&mut out.counts);
        let Some(stream) = &mut self.stream else { return };
        let to = stream.rtcp_destination();
        if !is_reachable(stream.latch.destination()) || !is_reachable(to) {
            return;
        }
        let source = &stream.send_path.source;
        let control = &mut stream.control;
        let sends = source.packets() > control.packets_reported;
        control.packets_reported = source.packets();
        let last = control.last.map_or(LastReport::default(), |(middle_ntp, at_ns)| LastReport {
            middle_ntp,
            delay: (u128::from(time.now_ns.saturating_sub(at_ns)) * 65_536 / 1_000_000_000) as u32,
        });
        let report = Report {
            ssrc: source.ssrc(),
            sent: sends.then(|| SenderInfo {
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
        let context = stream.srtcp.as_mut().unwrap_or(&mut stream.srtp);
        // Through the RTP socket only in the way that RTP is sent, which may connect it or end that.
        let is_settled = stream.is_settled && channel == Channel::Rtp;
        let route = PacketRoute { member: key, port: self.port, channel, to, is_settled };
        let is_muxed = channel == Channel::Rtp;
        out.show_report(&RtcpReport::new(self.call, true, to, is_muxed, time.wall_ns, &bytes[..length]));
        out.send(route, &bytes[..length], &[], |bytes, start| {
            context.protect_rtcp(bytes, start);
        });
    }

    /// A telephone key arrived by signalling.
    pub(crate) fn press_key(&mut self, key: char, time: Tick, out: &mut Outbox) {
        let is_new = self
            .stream
            .as_mut()
            .is_none_or(|stream| stream.incoming.key_routes.is_new(key, KeyRoute::Signalling, time.now_ns));
        if is_new {
            self.stats.keys += 1;
            out.push_event(MediaEvent::KeyPressed { call: self.call, key });
        }
    }

    /// Counters and measurements up to now.
    pub(super) fn stats_now(&mut self) -> CallStats {
        self.leave_fast_path();
        self.stats()
    }

    pub(crate) fn handle_send_error(&mut self) {
        self.stats.send_errors += 1;
    }

    pub(crate) fn stats(&self) -> CallStats {
        let mut stats = self.stats;
        if let Some(stream) = &self.stream {
            let (incoming, source) = (&stream.incoming, &stream.send_path.source);
            incoming.count(&mut stats);
            stats.packets_received = incoming.reception.packets();
            stats.bytes_received = incoming.reception.bytes();
            stats.packets_lost = incoming.reception.lost();
            stats.jitter_ms = incoming.reception.jitter_ms();
            stats.packets_duplicate += incoming.reception.duplicates();
            stats.buffer_ms = incoming.path.jitter.target_ns() as f32 / 1e6;
            let (codec, equipment) = match stream.params.codec {
                Codec::Pcmu => ("PCMU", Equipment::G711),
                Codec::Pcma => ("PCMA", Equipment::G711),
                Codec::G722 => ("G722", Equipment::G722),
                Codec::Opus => ("opus", Equipment::OPUS),
            };
            stats.codec = Some(codec);
            stats.srtp = stream.srtp.suite();
            stats.one_way = stream.liveness.one_way();
            stats.one_way_ms = stream.liveness.one_way_ms();
            stats.held_ms = incoming.path.jitter.packets_held() as f32 * 20.0;
            stats.noise_floor_dbov = incoming.talk.floor_dbov();
            stats.echo_suspicion = incoming.echo.suspicion();
            stats.echo_delay_ms = incoming.echo.delay_ms();
            stats.echo_loss_db = incoming.echo.loss_db();
            stats.gain_db = self.processing.gain_db
                + self.talk_db
                + incoming.automatic.as_ref().map_or(0.0, |automatic| automatic.gain_db());
            let half_trip_ms = stats.round_trip_ms.unwrap_or(0.0) / 2.0;
            if stats.packets_received > 0 {
                let delay_ms = DELAY_ELSEWHERE_MS + half_trip_ms + stats.buffer_ms;
                stats.mos = quality::mos(equipment, incoming.concealed_share, delay_ms);
            }
            stats.remote_mos = stats
                .remote_loss
                .map(|lost| quality::mos(equipment, lost, DELAY_ELSEWHERE_MS + half_trip_ms));
            stats.packets_sent = source.packets();
            stats.bytes_sent = source.bytes();
        }
        stats
    }
}
