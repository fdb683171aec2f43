//! Telling the media plane what the calls want of it, and the calls what it says.

use crate::forecast::{Admissions, CallKind, TooMuch};
use plenary_calls::{
    CallNumber,
    media::{self as calls, MediaCommand, NoMedia, OpenedAt, PlayNumber, Reach, RoomNumber},
};
use plenary_media::{
    Ice, MasterKey, MediaCallId, MediaEvent, MediaHandle, OnMove, PlayId, PlayOptions, PlayTo, Protection,
    RoomId, StreamParams, Volume,
};
use plenary_sip::sdp::{self, Codec, Direction, IceCredentials, Stream};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Carries a command out. What the media plane says at once comes back.
pub(super) fn command(
    media: &MediaHandle,
    listening: &[IpAddr],
    admissions: &Admissions,
    command: MediaCommand,
) -> Option<calls::MediaEvent> {
    match command {
        MediaCommand::Open { call, room, reach } => {
            let local = match reach {
                Reach::At(local) => local.to_canonical(),
                Reach::Towards(remote) => own_address(listening, remote),
            };
            let opened = media.open_at(id(call), RoomId(room.0), media_address(listening, local));
            let at = opened
                .map(|rtp| OpenedAt { rtp, local })
                .map_err(|error| NoMedia { is_temporary: error.is_temporary(), text: error.to_string() });
            return Some(calls::MediaEvent::Opened { call, at });
        }
        MediaCommand::Weigh { call, kind } => {
            let weighed = match media.worker_of(id(call)) {
                Some(worker) => admissions.admit(call.0, worker, call_kind(kind)),
                None => Ok(()),
            };
            let afforded = weighed.map_err(|TooMuch { expected_share }| expected_share);
            return Some(calls::MediaEvent::Weighed { call, afforded });
        }
        MediaCommand::Count { call, kind } => {
            if let Some(worker) = media.worker_of(id(call)) {
                admissions.count(call.0, worker, call_kind(kind));
            }
        }
        MediaCommand::Began { call } => admissions.began(call.0),
        MediaCommand::SetStream { call, stream, ice } => {
            media.set_stream(id(call), stream_params(&stream, ice.as_ref()));
        }
        MediaCommand::SetVoice { call, speaks, listens } => media.set_voice(id(call), speaks, listens),
        MediaCommand::SetProcessing { call, processing } => {
            media.set_processing(id(call), processing);
        }
        MediaCommand::SetInbandDtmf { call, inband_dtmf } => {
            media.set_inband_dtmf(id(call), inband_dtmf);
        }
        MediaCommand::PressKey { call, key } => media.press_key(id(call), key),
        MediaCommand::CutOff { call } => media.cut_off(id(call)),
        MediaCommand::Move { call, room } => {
            // What is being said to the caller is heard to its end.
            media.move_call(id(call), RoomId(room.0), OnMove::KeepPlaying);
            if let Some(worker) = media.worker_of(id(call)) {
                admissions.moved(call.0, worker);
            }
        }
        MediaCommand::Hold { call, music } => media.hold(id(call), music),
        MediaCommand::Resume { call } => media.resume(id(call)),
        MediaCommand::SetLevels { call, talk_db, hear_db } => {
            media.set_volume(id(call), Volume { talk_db, hear_db });
        }
        MediaCommand::SetHeardBy { call, by } => {
            media.set_heard_by(id(call), by.map(|by| by.into_iter().map(id).collect()));
        }
        MediaCommand::RecordName { call, id } => media.record(self::id(call), id),
        MediaCommand::StopName { call } => media.end_recording(id(call)),
        MediaCommand::ForgetName { id } => media.forget_recording(id),
        MediaCommand::Play { to, play, clips, repeat, gain_db, is_urgent } => {
            let to = match to {
                calls::PlayTo::Call(call) => PlayTo::Call(id(call)),
                calls::PlayTo::Room(room) => PlayTo::Room(RoomId(room.0)),
                calls::PlayTo::RoomBut(room, call) => PlayTo::RoomBut(RoomId(room.0), id(call)),
            };
            let options = PlayOptions { repeat, gain_db, urgent: is_urgent, ..PlayOptions::default() };
            media.play_with(to, PlayId(play.0), clips, options);
        }
        MediaCommand::StopPlay { play } => media.stop_play(PlayId(play.0)),
        MediaCommand::Close { call } => {
            media.close(id(call));
            admissions.ended(call.0);
        }
    }
    None
}

/// What the media plane says to calls; `None`: nothing that concerns them.
pub(super) fn event(event: MediaEvent) -> Option<calls::MediaEvent> {
    use calls::MediaEvent as To;
    Some(match event {
        // No call asks for recordings.
        MediaEvent::Recorded { call, id, length_ms } => {
            To::Recorded { call: number(call), id, is_speech: length_ms.is_some() }
        }
        MediaEvent::KeyPressed { call, key } => To::KeyPressed { call: number(call), key },
        MediaEvent::TalkStarted { call } => To::Talking { call: number(call), talking: true },
        MediaEvent::TalkStopped { call } => To::Talking { call: number(call), talking: false },
        MediaEvent::RtpTimeout { call } => To::RtpTimeout { call: number(call) },
        MediaEvent::NeverHeard { call } => To::NeverHeard { call: number(call) },
        MediaEvent::PeerClosed { call } => To::PeerClosed { call: number(call) },
        MediaEvent::HoldTimeout { call } => To::HoldTimeout { call: number(call) },
        MediaEvent::SilenceTimeout { call } => To::SilenceTimeout { call: number(call) },
        MediaEvent::OneWay { call, one_way } => To::OneWay { call: number(call), one_way },
        MediaEvent::PlayFinished { id } => To::PlayFinished { play: PlayNumber(id.0) },
        MediaEvent::PlayFailed { id, text } => To::PlayFailed { play: PlayNumber(id.0), text },
        MediaEvent::Closed { call, stats } => {
            To::Closed { call: number(call), stats: serde_json::to_string(&stats).unwrap_or_default() }
        }
        MediaEvent::RoomFailed { room, calls } => {
            To::RoomFailed { room: RoomNumber(room.0), calls: calls.into_iter().map(number).collect() }
        }
    })
}

/// The number of a call in the media plane.
pub(super) fn id(call: CallNumber) -> MediaCallId {
    MediaCallId(call.0)
}

fn number(call: MediaCallId) -> CallNumber {
    CallNumber(call.0)
}

fn call_kind(kind: calls::CallKind) -> CallKind {
    let calls::CallKind { codec, is_encrypted, noise_suppression } = kind;
    CallKind { codec: media_codec(codec), is_encrypted, noise_suppression }
}

fn media_codec(codec: Codec) -> plenary_media::Codec {
    match codec {
        Codec::Pcmu => plenary_media::Codec::Pcmu,
        Codec::Pcma => plenary_media::Codec::Pcma,
        Codec::G722 => plenary_media::Codec::G722,
        Codec::Opus => plenary_media::Codec::Opus,
    }
}

/// The address of ours by which another is reached. `None`: it is not known yet, and addresses that are for examples lead where
/// most do.
fn own_address(listening: &[IpAddr], remote: Option<IpAddr>) -> IpAddr {
    let has_ipv4 = listening.iter().any(IpAddr::is_ipv4)
        || listening.iter().any(|ip| ip.is_ipv6() && ip.is_unspecified());
    let towards = remote.unwrap_or(if has_ipv4 {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))
    } else {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))
    });
    let listening = listening.iter().find(|ip| !ip.is_unspecified() && ip.is_ipv4() == towards.is_ipv4());
    listening.copied().or_else(|| source_towards(towards)).unwrap_or(if towards.is_ipv4() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        IpAddr::V6(Ipv6Addr::LOCALHOST)
    })
}

/// The address of ours by which the system would reach another.
fn source_towards(ip: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    // Nothing is sent: the system only looks for a route.
    socket.connect((ip, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Where the RTP of a caller is received who reaches us at `local`: on the addresses that SIP listens on. All of them
/// where SIP listens on all, for then signalling and audio may come in by different ways.
fn media_address(listening: &[IpAddr], local: IpAddr) -> IpAddr {
    let local = local.to_canonical();
    let of_family = |ip: &&IpAddr| ip.is_ipv4() == local.is_ipv4();
    let any = |ip: &&IpAddr| ip.is_unspecified();
    let any_of_both = listening.iter().find(|ip| ip.is_ipv6() && ip.is_unspecified());
    listening
        .iter()
        .find(|ip| of_family(ip) && any(ip))
        .or(any_of_both)
        .or_else(|| listening.iter().find(|ip| **ip == local))
        .or_else(|| listening.iter().find(of_family))
        .copied()
        .unwrap_or(local)
}

fn stream_protection(protection: &sdp::Protection) -> Protection {
    match protection {
        sdp::Protection::None => Protection::None,
        sdp::Protection::Sdes { suite, send, receive, .. } => {
            let key = |key: &sdp::SdesKey| {
                let master = MasterKey::new(*suite, &key.bytes);
                master.expect("the negotiation gives keys of the suite's length").with_mki(&key.mki)
            };
            Protection::Srtp { send: key(send), receive: receive.iter().map(key).collect() }
        }
        sdp::Protection::Dtls { setup, fingerprint } => {
            Protection::Dtls { active: *setup == sdp::Setup::Active, fingerprint: *fingerprint }
        }
    }
}

fn stream_params(stream: &Stream, ice: Option<&IceCredentials>) -> StreamParams {
    StreamParams {
        remote_rtp: stream.remote_rtp,
        remote_rtcp: stream.remote_rtcp,
        rtcp_mux: stream.rtcp_mux,
        codec: media_codec(stream.codec),
        opus_bitrate_max: stream.opus_bitrate_max,
        send_payload_type: stream.payload_type,
        receive_payload_type: stream.receive_payload_type,
        dtmf_payload_type: stream.dtmf.as_ref().map(|dtmf| dtmf.receive),
        ptime_ms: stream.ptime_ms,
        send: matches!(stream.direction, Direction::SendRecv | Direction::SendOnly),
        receive: matches!(stream.direction, Direction::SendRecv | Direction::RecvOnly),
        level_id: stream.levels.map(|levels| levels.id),
        protection: stream_protection(&stream.protection),
        ice: stream
            .ice
            .as_ref()
            .and(ice)
            .map(|ours| Ice { local_ufrag: ours.ufrag.clone(), local_pwd: ours.pwd.clone() }),
    }
}
