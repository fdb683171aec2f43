//! The negotiated stream of a participant, in both directions: its parts, the effect of another session description,
//! and the processing of a voice before it is summed.

use super::{
    inband::{InbandKeys, KeyRoutes},
    latch::Latch,
    liveness::Liveness,
    outbox::Outbox,
    receive_path::ReceivePath,
    send_path::SendPath,
    settings::Settings,
    silence_fast_path::{FastPathEntry, SilenceFastPath},
    srtp_context::SrtpContext,
    tick::FRAME_NS,
};
use crate::{AudioProcessing, CallStats, InbandDtmf, MediaCallId, MediaEvent, Protection, StreamParams};
use plenary_audio::{
    agc::{self, AutomaticGain},
    denoise::Denoiser,
    echo::EchoDetector,
    level::TalkDetector,
};
use plenary_rtp::{dtmf::DtmfReceiver, source::Source, stats::Reception};
use std::net::SocketAddr;

/// By this time packets that strangers sent before the address was settled have been consumed.
const AFTER_SETTLING_NS: u64 = 1_000_000_000;
/// Concealment counts towards the quality for about this many frames, ten seconds.
const QUALITY_FRAMES: f32 = 500.0;

/// The negotiated stream, in both directions.
///
/// What every packet of a silent line reads comes first and together; see [`super::silence_fast_path`].
#[derive(Debug)]
#[repr(C)]
pub(super) struct Stream {
    pub(super) fast_path: SilenceFastPath,
    pub(super) send_path: SendPath,
    pub(super) params: StreamParams,
    pub(super) latch: Latch,
    /// Its peer address is known and not about to change.
    pub(super) is_settled: bool,
    pub(super) srtp: SrtpContext,
    /// Of RTCP, if it has a port and thus a handshake of its own.
    pub(super) srtcp: Option<SrtpContext>,
    /// Peer addresses of the handshakes of RTP and of RTCP.
    pub(super) dtls_from: [Option<SocketAddr>; 2],
    pub(super) incoming: Incoming,
    pub(super) liveness: Liveness,
    pub(super) control: Control,
}

/// What the participant says.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) path: ReceivePath,
    pub(super) reception: Reception,
    pub(super) keys: DtmfReceiver,
    pub(super) key_routes: KeyRoutes,
    pub(super) silent_until_ns: u64,
    pub(super) talk: TalkDetector,
    pub(super) talking: bool,
    pub(super) sounds: bool,
    /// The line carries sound, even if only noise.
    pub(super) is_live: bool,
    /// Frames for which it is summed although it is quiet.
    pub(super) lingers: u32,
    pub(super) echo: Box<EchoDetector>,
    /// Linear, as applied to the last sample.
    pub(super) gain: f32,
    pub(super) automatic: Option<Box<AutomaticGain>>,
    pub(super) denoiser: Option<Box<Denoiser>>,
    /// Recent share of concealed frames, 0 to 1, and the count of the last update.
    pub(super) concealed_share: f32,
    /// Recent share of lost frames, 0 to 1, and the count of the last update.
    pub(super) lost_share: f32,
    pub(super) frames_lost: u64,
    pub(super) frames_concealed: u64,
}

/// RTCP, in both directions.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) from: Option<SocketAddr>,
    pub(super) next_ns: u64,
    pub(super) packets_reported: u64,
    pub(super) last: Option<(u32, u64)>,
}

/// A small seeded generator, good enough to spread reports and to choose names that cannot be guessed in one try.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// SplitMix64.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

impl Stream {
    pub(super) fn new(params: StreamParams, settings: &Settings, random: &mut Random, now_ns: u64) -> Self {
        let latch = Latch::new(params.remote_rtp);
        let source = Source::new(random.next() as u32, random.next() as u16, random.next() as u32);
        let send_path =
            SendPath::new(params.codec, source, params.ptime_ms, params.opus_bitrate_max, settings);
        let mean = settings.rtcp_interval_ns;
        let mut stream = Self {
            fast_path: SilenceFastPath::new(params.remote_rtp),
            latch,
            is_settled: false,
            srtp: SrtpContext::new(&params.protection),
            srtcp: own_srtcp(&params),
            dtls_from: [None; 2],
            incoming: Incoming {
                path: ReceivePath::new(
                    params.codec,
                    params.level_id.is_some(),
                    settings,
                    random.next() as u32,
                ),
                reception: Reception::new(params.codec.clock_rate()),
                keys: DtmfReceiver::new(),
                key_routes: KeyRoutes::default(),
                silent_until_ns: 0,
                talk: TalkDetector::new(),
                talking: false,
                sounds: false,
                is_live: false,
                lingers: 0,
                echo: Box::default(),
                gain: 1.0,
                automatic: None,
                denoiser: None,
                concealed_share: 0.0,
                lost_share: 0.0,
                frames_lost: 0,
                frames_concealed: 0,
            },
            liveness: Liveness::new(now_ns),
            send_path,
            control: Control {
                from: None,
                // The first report comes after half the usual time (RFC 3550, 6.2).
                next_ns: now_ns + mean / 4 + random.next() % (mean / 2).max(1),
                packets_reported: 0,
                last: None,
            },
            params,
        };
        stream.set_inband(settings, random);
        stream
    }

    /// Looks for keys in the audio, or not, as the session description and the settings have it.
    pub(super) fn set_inband(&mut self, settings: &Settings, random: &mut Random) {
        let is_wanted = match settings.inband_dtmf {
            InbandDtmf::Auto => self.params.dtmf_payload_type.is_none(),
            InbandDtmf::Always => true,
            InbandDtmf::Off => false,
        };
        let (inband, codec) = (&mut self.incoming.path.inband, self.params.codec);
        match is_wanted {
            true if inband.is_none() => {
                *inband = Some(Box::new(InbandKeys::new(codec, random.next() as u32)))
            }
            true => {}
            false => *inband = None,
        }
    }

    pub(super) fn change(
        &mut self,
        params: StreamParams,
        settings: &Settings,
        random: &mut Random,
        now_ns: u64,
    ) {
        self.leave_fast_path();
        self.srtp.change(&params.protection, now_ns);
        match (&mut self.srtcp, own_srtcp(&params)) {
            (Some(context), Some(_)) => context.change(&params.protection, now_ns),
            (context, own) => *context = own,
        }
        self.is_settled = false;
        if params.remote_rtp != self.latch.agreed() {
            self.latch = Latch::new(params.remote_rtp);
            self.control.from = None;
        }
        if params.remote_rtcp != self.params.remote_rtcp || params.rtcp_mux != self.params.rtcp_mux {
            self.control.from = None;
        }
        let (old, incoming) = (&self.params, &mut self.incoming);
        if params.codec != old.codec {
            incoming.path =
                ReceivePath::new(params.codec, params.level_id.is_some(), settings, random.next() as u32);
            incoming.denoiser =
                incoming.denoiser.as_ref().map(|_| Box::new(Denoiser::new(params.codec.rate())));
            incoming.reception = incoming.reception.clone().with_clock_rate(params.codec.clock_rate());
            (incoming.sounds, incoming.lingers) = (false, 0);
        } else if (params.receive, params.receive_payload_type) != (old.receive, old.receive_payload_type) {
            // What is held was sent before a hold.
            incoming.hush();
        }
        if params.level_id != old.level_id {
            incoming.path.set_levels(params.level_id.is_some(), random.next() as u32);
        }
        self.liveness.agree(self.send_path.source.packets(), now_ns);
        if (params.codec, params.ptime_ms, params.opus_bitrate_max)
            != (old.codec, old.ptime_ms, old.opus_bitrate_max)
        {
            let same_clock = params.codec.clock_rate() == old.codec.clock_rate();
            let next = Source::new(random.next() as u32, random.next() as u16, random.next() as u32);
            let send_path =
                SendPath::new(params.codec, next, params.ptime_ms, params.opus_bitrate_max, settings);
            let old = std::mem::replace(&mut self.send_path, send_path).into_source();
            // Another clock rate is another source (RFC 7160, 4.1), which keeps the counts.
            self.send_path.source =
                if same_clock { old } else { self.send_path.source.clone().counting_on(&old) };
        }
        self.params = params;
        self.set_inband(settings, random);
    }

    /// Enters the fast path for silence after a tick in which the line was silent, if its state allows it. `number`
    /// spreads lines over the ticks of their full passes.
    pub(super) fn enter_fast_path(&mut self, number: usize, now_ns: u64) {
        let incoming = &self.incoming;
        let is_calm = incoming.path.was_skipped()
            && !incoming.talking
            && !incoming.sounds
            && incoming.echo.is_indifferent()
            && now_ns >= incoming.silent_until_ns
            && !incoming.keys.is_key_down(now_ns)
            && !incoming.path.inband.as_ref().is_some_and(|inband| inband.is_busy())
            && self.is_settled
            && self.latch.is_settled(now_ns.saturating_sub(AFTER_SETTLING_NS))
            && self.params.send
            && matches!(self.srtp, SrtpContext::Off)
            && self.send_path.passes_frames();
        // With audio levels each packet has another header.
        if !is_calm || self.params.level_id.is_some() {
            return;
        }
        let Some((held, mut header)) = incoming.path.jitter.steady_silence(now_ns + FRAME_NS) else { return };
        header.payload_type = self.params.receive_payload_type;
        self.fast_path.enter(FastPathEntry {
            number,
            held,
            codec: self.params.codec,
            header: header.to_bytes(),
            from: self.latch.destination(),
            payload_type: self.params.send_payload_type,
            has_reports: self.params.rtcp_mux,
            now_ns,
        });
    }

    /// Leaves it: the line accounts for what passed.
    pub(super) fn leave_fast_path(&mut self) {
        let Some(passed) = self.fast_path.leave() else { return };
        let incoming = &mut self.incoming;
        if passed.received > 0 {
            incoming.reception.pass(passed.received, u64::from(passed.bytes));
            self.liveness.rtp(false, passed.last_ns);
            self.latch.pass(passed.received, self.params.codec.clock_rate() / 50, passed.last_ns);
        }
        incoming.path.pass_silence(passed.received, passed.ticks, passed.last.packets());
        incoming.talk.pass_silence(passed.ticks);
        incoming.echo.pass_silence(&passed.sent_dbov[..passed.ticks as usize]);
        for _ in 0..passed.ticks {
            incoming.reckon_quality();
        }
    }

    /// ICE and DTLS, if used, have completed.
    pub(super) fn is_connected(&self) -> bool {
        let has_path = self.params.ice.is_none() || self.latch.is_held();
        let has_keys = !matches!(self.params.protection, Protection::Dtls { .. }) || self.srtp.is_on();
        has_path && has_keys
    }

    /// Where RTCP goes: where it comes from, or the negotiated address, or the port after that of RTP. Like RTP it
    /// follows the other side if that is not where it announced.
    pub(super) fn rtcp_destination(&self) -> SocketAddr {
        let rtp = self.latch.destination();
        if self.params.rtcp_mux {
            return rtp;
        }
        let next = SocketAddr::new(rtp.ip(), rtp.port().wrapping_add(1));
        let agreed =
            self.params.remote_rtcp.filter(|agreed| rtp == self.latch.agreed() || agreed.ip() == rtp.ip());
        // An address on another host than RTP's counts only if it was negotiated: otherwise RTP has moved since.
        let is_there = |from: &SocketAddr| {
            from.ip() == rtp.ip() || self.params.remote_rtcp.is_some_and(|agreed| agreed.ip() == from.ip())
        };
        self.control.from.filter(is_there).or(agreed).unwrap_or(next)
    }
}

impl Incoming {
    /// Discards what was received; what comes next starts afresh.
    pub(super) fn hush(&mut self) {
        self.path.hush();
        (self.sounds, self.lingers) = (false, 0);
    }

    /// Adds what the buffer has counted.
    pub(super) fn count(&self, stats: &mut CallStats) {
        let buffer = self.path.jitter.counters();
        stats.packets_late += buffer.late;
        stats.frames_concealed += self.path.frames_concealed();
        stats.frames_skipped += buffer.skipped + buffer.taken_out;
        stats.frames_added += buffer.put_in;
    }

    /// Updates the recent share of concealed frames.
    pub(super) fn reckon_quality(&mut self) {
        let concealed = self.path.frames_concealed();
        let new = concealed.saturating_sub(std::mem::replace(&mut self.frames_concealed, concealed));
        self.concealed_share += ((new.min(1) as f32) - self.concealed_share) / QUALITY_FRAMES;
        let frames_lost = self.path.frames_lost();
        let lost = frames_lost.saturating_sub(std::mem::replace(&mut self.frames_lost, frames_lost));
        self.lost_share += ((lost.min(1) as f32) - self.lost_share) / QUALITY_FRAMES;
        self.path.expect_loss(self.lost_share);
    }

    /// Applies the configured processing to a frame that is heard.
    pub(super) fn process(&mut self, processing: &AudioProcessing, level_dbov: f32, talking: bool) {
        let gain = plenary_audio::linear(processing.gain_db.clamp(-40.0, 20.0));
        if self.denoiser.is_none() && self.automatic.is_none() && gain == 1.0 && self.gain == 1.0 {
            return;
        }
        let frame = &mut self.path.frame;
        if let Some(denoiser) = &mut self.denoiser {
            denoiser.run(frame);
        }
        agc::apply(frame, &mut self.gain, gain);
        if let Some(automatic) = &mut self.automatic {
            automatic.run(frame, level_dbov + processing.gain_db, talking);
        }
        self.path.set_changed();
    }

    pub(super) fn set_talking(&mut self, talking: bool, call: MediaCallId, out: &mut Outbox) {
        if talking != std::mem::replace(&mut self.talking, talking) {
            out.push_event(if talking {
                MediaEvent::TalkStarted { call }
            } else {
                MediaEvent::TalkStopped { call }
            });
        }
    }
}

/// With keys from handshakes, RTCP on a port of its own has keys of its own (RFC 5764, 4.1).
fn own_srtcp(params: &StreamParams) -> Option<SrtpContext> {
    let has_own = matches!(params.protection, Protection::Dtls { .. }) && !params.rtcp_mux;
    has_own.then(|| SrtpContext::new(&params.protection))
}
