//! What arrives for a participant: RTP, RTCP, STUN and DTLS.

use super::{AFTER_KEY_NS, COMFORT_NOISE, RoomMember};
use crate::{
    MediaEvent, Protection, RtcpReport,
    ports::Channel,
    room::{
        inband::KeyRoute,
        key::MemberKey,
        latch::Seen,
        outbox::{Outbox, PacketRoute},
        tick::{FRAME_NS, Tick},
    },
};
use plenary_rtp::{
    extension::AudioLevel,
    packet::{Kind, Packet},
    rtcp::{self, RtcpItem},
    srtp::{MasterKey, SrtpError},
    stun,
};
use std::net::SocketAddr;

impl RoomMember {
    /// Takes a datagram from the RTP port that arrived at `arrival_ns`; `None`: at an unknown time since the last
    /// tick. False: another one can hardly have arrived yet.
    pub(crate) fn handle_rtp(
        &mut self,
        key: MemberKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: Option<u64>,
        time: Tick,
        out: &mut Outbox,
    ) -> bool {
        let is_listened_to = self.is_listened_to();
        let (is_measured, last_tick_ns) = (arrival_ns.is_some(), time.now_ns - FRAME_NS);
        let mut arrival_ns = arrival_ns.unwrap_or(last_tick_ns);
        if let Some(stream) = &mut self.stream {
            if stream.fast_path.takes_packet(from, bytes, arrival_ns) {
                return false;
            }
            stream.leave_fast_path();
        }
        match Kind::of(bytes) {
            Some(Kind::Rtp) => {}
            Some(Kind::Rtcp) => {
                self.handle_rtcp(key, from, bytes, arrival_ns, time, out);
                return true;
            }
            Some(Kind::Stun) => {
                self.handle_stun(key, Channel::Rtp, from, bytes, time, out);
                return true;
            }
            Some(Kind::Dtls) => {
                self.handle_dtls(Channel::Rtp, from, bytes, out);
                return true;
            }
            Some(Kind::TurnChannel) | None => {
                self.stats.packets_malformed += 1;
                return true;
            }
        }
        let Some(stream) = &mut self.stream else {
            self.stats.packets_unwanted += 1;
            return true;
        };
        let mut scratch = None;
        let bytes = match stream.srtp.open(bytes, false, time.now_ns, &mut scratch) {
            Ok(bytes) => bytes,
            Err(SrtpError::Replay) => {
                self.stats.packets_duplicate += 1;
                return true;
            }
            Err(SrtpError::Malformed | SrtpError::NotAuthentic) => {
                self.stats.packets_not_authentic += 1;
                return true;
            }
        };
        let Ok(packet) = Packet::parse(bytes) else {
            self.stats.packets_malformed += 1;
            return true;
        };
        let params = &stream.params;
        let header = &packet.header;
        if !is_measured && let Some(expected_ns) = stream.incoming.path.jitter.expected_ns(header) {
            arrival_ns = expected_ns.clamp(last_tick_ns, time.now_ns);
        }
        let is_audio = header.payload_type == params.receive_payload_type;
        let is_key = params.dtmf_payload_type == Some(header.payload_type);
        if !is_audio && !is_key && header.payload_type != COMFORT_NOISE {
            self.stats.packets_unknown_payload += 1;
            return true;
        }
        // With ICE its checks decide the address.
        let is_authentic = stream.srtp.is_on() && params.ice.is_none();
        let clock_rate = params.codec.clock_rate();
        if !stream.latch.is_ours(Seen { from, header, is_authentic, clock_rate, at_ns: arrival_ns }) {
            self.stats.packets_stranger += 1;
            return true;
        }
        if !params.receive {
            self.stats.packets_unwanted += 1;
            return true;
        }
        let incoming = &mut stream.incoming;
        let units = params.codec.payload_units(packet.payload);
        if is_audio && (units.is_none() || !incoming.path.jitter.takes(packet.payload.len())) {
            // It counts as lost, and does not keep the call alive.
            self.stats.packets_malformed += 1;
            return true;
        }
        let payload_bytes = packet.payload.len();
        if incoming.reception.handle_packet(header, payload_bytes, arrival_ns, is_audio && is_measured) {
            stream.liveness.rtp(header.payload_type == COMFORT_NOISE && !is_audio && !is_key, arrival_ns);
        } else {
            // Its number is far off, so it is not played.
            self.stats.packets_malformed += 1;
        }
        if is_key {
            if let Some(key) = incoming.keys.handle_packet(header, packet.payload, arrival_ns)
                && incoming.key_routes.is_new(key, KeyRoute::Event, arrival_ns)
            {
                self.stats.keys += 1;
                out.push_event(MediaEvent::KeyPressed { call: self.call, key });
            }
            // What is in the buffer by now was said while the key was pressed.
            incoming.silent_until_ns = arrival_ns + incoming.path.jitter.target_ns() + AFTER_KEY_NS;
        }
        if is_audio && let (Some(inband), Some(units)) = (&mut incoming.path.inband, units) {
            inband.take(header, packet.payload, units, |key| {
                if incoming.key_routes.is_new(key, KeyRoute::Tone, arrival_ns) {
                    self.stats.keys += 1;
                    out.push_event(MediaEvent::KeyPressed { call: self.call, key });
                }
            });
        }
        // Participants who may not speak are not heard: their packets need no order, and the rest may wait, unless they
        // are recorded.
        let mut may_have_more = !is_audio || !is_measured || arrival_ns + FRAME_NS <= time.now_ns;
        if is_listened_to {
            if !is_audio {
                if header.payload_type == COMFORT_NOISE && !is_key {
                    incoming.path.take_noise(packet.payload);
                }
                incoming.path.jitter.push_other(header, arrival_ns);
            } else if let Some(units) = units {
                let level = params.level_id.and_then(|id| AudioLevel::read(packet.extension.as_ref()?, id));
                incoming.path.take(header, packet.payload, units, level, arrival_ns);
                may_have_more |= incoming.path.jitter.may_have_come(time.now_ns);
            }
        }
        may_have_more
    }

    /// Takes a datagram from the RTCP port, or an RTCP one from the RTP port.
    pub(crate) fn handle_rtcp(
        &mut self,
        key: MemberKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: u64,
        time: Tick,
        out: &mut Outbox,
    ) {
        match Kind::of(bytes) {
            Some(Kind::Stun) => return self.handle_stun(key, Channel::Rtcp, from, bytes, time, out),
            Some(Kind::Dtls) => return self.handle_dtls(Channel::Rtcp, from, bytes, out),
            _ => {}
        }
        let Some(stream) = &mut self.stream else {
            self.stats.packets_unwanted += 1;
            return;
        };
        let context = stream.srtcp.as_mut().unwrap_or(&mut stream.srtp);
        // What opens with the call's key is from the other side, wherever it comes from.
        let known = [Some(stream.latch.destination()), stream.params.remote_rtcp];
        if !context.is_on() && !known.into_iter().flatten().any(|known| known.ip() == from.ip()) {
            self.stats.packets_stranger += 1;
            return;
        }
        let mut scratch = None;
        let bytes = match context.open(bytes, true, time.now_ns, &mut scratch) {
            Ok(bytes) => bytes,
            // A path that doubles packets doubles reports as well.
            Err(SrtpError::Replay) => {
                self.stats.packets_duplicate += 1;
                return;
            }
            Err(SrtpError::Malformed | SrtpError::NotAuthentic) => {
                self.stats.packets_not_authentic += 1;
                return;
            }
        };
        let ours = stream.send_path.source.ssrc();
        let clock_rate = stream.params.codec.clock_rate();
        let theirs = stream.incoming.reception.ssrc();
        let (stats, control) = (&mut self.stats, &mut stream.control);
        let (mut reports, mut highest_of_ours, mut goodbye) = (false, None, false);
        let now_middle_ntp = (rtcp::ntp(time.wall_ns_at(arrival_ns)) >> 16) as u32;
        let read = rtcp::read(bytes, |item| match item {
            RtcpItem::SenderReport { middle_ntp, .. } => control.last = Some((middle_ntp, arrival_ns)),
            RtcpItem::Report { .. } => reports = true,
            RtcpItem::ReportBlock { ssrc, highest, fraction_lost, jitter, last, .. } if ssrc == ours => {
                highest_of_ours = Some(highest);
                stats.remote_loss = Some(f32::from(fraction_lost) / 256.0);
                stats.remote_jitter_ms = Some(jitter as f32 * 1000.0 / clock_rate as f32);
                if let Some(round_trip) = rtcp::round_trip(now_middle_ntp, last) {
                    stats.round_trip_ms = Some(round_trip as f32 * 1000.0 / 65_536.0);
                }
            }
            RtcpItem::ReportBlock { .. } => {}
            RtcpItem::Goodbye { ssrc } => goodbye |= theirs.is_none_or(|theirs| theirs == ssrc),
        });
        if read {
            let is_muxed = stream.params.rtcp_mux;
            let wall_ns = time.wall_ns_at(arrival_ns);
            out.show_report(&RtcpReport::new(self.call, false, from, is_muxed, wall_ns, bytes));
            control.from = Some(from);
            stream.liveness.control(arrival_ns);
            if reports {
                stream.liveness.report(highest_of_ours, stream.send_path.source.packets(), arrival_ns);
            }
            if goodbye {
                stats.remote_bye = true;
                stream.liveness.goodbye(arrival_ns);
            }
        } else {
            self.stats.packets_malformed += 1;
        }
    }

    /// Answers an ICE check. The address that the other side nominates is used.
    fn handle_stun(
        &mut self,
        key: MemberKey,
        channel: Channel,
        from: SocketAddr,
        bytes: &[u8],
        time: Tick,
        out: &mut Outbox,
    ) {
        let Some(stream) = &mut self.stream else {
            self.stats.packets_unwanted += 1;
            return;
        };
        let ice = stream.params.ice.as_ref();
        let Some((ice, check)) =
            ice.and_then(|ice| Some((ice, stun::check(bytes, &ice.local_ufrag, &ice.local_pwd)?)))
        else {
            self.stats.packets_stranger += 1;
            return;
        };
        stream.liveness.control(time.now_ns);
        let mut response = [0; stun::RESPONSE_BYTES_MAX];
        let length = check.respond(from, &ice.local_pwd, &mut response);
        let route = PacketRoute { member: key, port: self.port, channel, to: from, is_settled: false };
        out.send(route, &response[..length], &[], |_, _| {});
        if channel == Channel::Rtcp {
            stream.control.from = Some(from);
        } else if check.nominates || !is_reachable(stream.latch.destination()) {
            stream.latch.nominate(from, time.now_ns);
        }
    }

    /// Passes a handshake datagram to the DTLS thread.
    fn handle_dtls(&mut self, channel: Channel, from: SocketAddr, bytes: &[u8], out: &mut Outbox) {
        let Some(stream) = &mut self.stream else {
            self.stats.packets_unwanted += 1;
            return;
        };
        let Protection::Dtls { .. } = stream.params.protection else {
            self.stats.packets_unwanted += 1;
            return;
        };
        // With ICE the address is known; without it, the handshake itself proves the peer.
        if stream.params.ice.is_none() {
            stream.dtls_from[channel as usize] = Some(from);
        }
        out.pass_on(self.call, channel, bytes);
    }

    /// The keys of the handshake.
    pub(crate) fn set_keys(&mut self, channel: Channel, send: &MasterKey, receive: &MasterKey, now_ns: u64) {
        self.leave_fast_path();
        let receive = std::slice::from_ref(receive);
        if let Some(stream) = &mut self.stream
            && matches!(stream.params.protection, Protection::Dtls { .. })
        {
            match (channel, &mut stream.srtcp) {
                (Channel::Rtp, _) => stream.srtp.set_keys(send, receive, now_ns),
                (Channel::Rtcp, Some(context)) => context.set_keys(send, receive, now_ns),
                (Channel::Rtcp, None) => {}
            }
        }
    }

    /// The signalling connection is closed.
    pub(crate) fn cut_off(&mut self) {
        self.leave_fast_path();
        if let Some(stream) = &mut self.stream {
            stream.liveness.cut_off();
        }
    }

    /// The peer address of the handshake.
    pub(crate) fn dtls_destination(&self, channel: Channel) -> Option<SocketAddr> {
        let stream = self.stream.as_ref()?;
        let to = stream.dtls_from[channel as usize].unwrap_or_else(|| match channel {
            Channel::Rtp => stream.latch.destination(),
            Channel::Rtcp => stream.rtcp_destination(),
        });
        is_reachable(to).then_some(to)
    }
}

/// Nothing can be sent to port 0 or to the unspecified address, which older telephones use for hold (RFC 3264, 8.4).
pub(super) fn is_reachable(address: SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}
