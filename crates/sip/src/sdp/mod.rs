//! Offer and answer (RFC 3264) over session descriptions (RFC 8866), as pure functions.
//!
//! One audio stream of a call is negotiated; whatever else is offered is declined in its place, as RFC 3264,
//! section 6, wants it.

mod error;

pub use error::SdpError;

use sdp_types::{Media, Session};
use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
};

/// An audio codec that can be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
}

impl Codec {
    const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// The static payload type (RFC 3551, table 4).
    #[must_use]
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
}

/// Which way audio flows, seen from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We send and do not listen.
    SendOnly,
    /// We listen and do not send.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// We may send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// The other side may send.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// Our side of the negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where we receive RTP; RTCP is on the next port.
    pub rtp: SocketAddr,
    /// Session id of the `o=` line; stays for the whole call.
    pub session_id: u64,
    /// Version of the `o=` line; grows with every new description.
    pub version: u64,
    /// What we can do, best first.
    pub codecs: Vec<Codec>,
    /// Whether telephone keys are taken as events (RFC 4733).
    pub dtmf: bool,
    /// What we want.
    pub direction: Direction,
}

/// The payload type under which telephone events travel, each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfPayload {
    /// In what we send.
    pub send: u8,
    /// In what we receive.
    pub receive: u8,
}

/// What was agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Where RTP goes to.
    pub remote_rtp: SocketAddr,
    /// Where RTCP goes to; the RTP address when both share it.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec.
    pub codec: Codec,
    /// Its payload type in what we send.
    pub payload_type: u8,
    /// Its payload type in what we receive.
    pub receive_payload_type: u8,
    /// Telephone events, where both sides know them.
    pub dtmf: Option<DtmfPayload>,
    /// How much audio the other side wants in a packet, in milliseconds: 10, 20, 30, 40 or 60.
    pub ptime_ms: u32,
    /// Which way audio flows, from our side.
    pub direction: Direction,
}

/// An answer and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The session description to send.
    pub sdp: String,
    /// What it agrees to.
    pub stream: Stream,
}

/// Our payload type for telephone events when the offer is ours.
const DTMF_PAYLOAD_TYPE: u8 = 101;
const PTIMES_MS: [u32; 5] = [10, 20, 30, 40, 60];

/// Answers an offer.
///
/// # Errors
/// The offer is not a session description (400), or holds nothing we can do (488).
pub fn answer(offer: &str, local: &LocalMedia) -> Result<Answer, SdpError> {
    let session = parse(offer)?;
    if session.medias.is_empty() {
        return Err(SdpError::Malformed("it describes no media"));
    }
    let mut declined = SdpError::NotAcceptable { code: 304, text: "Only audio is available" };
    let mut chosen = None;
    for (index, media) in session.medias.iter().enumerate() {
        match negotiate(&session, media, local) {
            Ok(stream) => {
                chosen = Some((index, stream));
                break;
            }
            // What is wrong with the audio is more telling than that there is no video.
            Err(error) if media.media == "audio" => declined = error,
            Err(_) => {}
        }
    }
    let Some((chosen, stream)) = chosen else { return Err(declined) };
    let mut sdp = session_part(local);
    for (index, media) in session.medias.iter().enumerate() {
        if index == chosen {
            media_part(&mut sdp, media, &stream, local);
        } else {
            let _ = write!(sdp, "m={} 0 {} {}\r\n", media.media, media.proto, media.fmt);
        }
    }
    Ok(Answer { sdp, stream })
}

/// Makes an offer.
#[must_use]
pub fn offer(local: &LocalMedia) -> String {
    let mut sdp = session_part(local);
    let _ = write!(sdp, "m=audio {} RTP/AVP", local.rtp.port());
    for codec in &local.codecs {
        let _ = write!(sdp, " {}", codec.static_payload_type());
    }
    if local.dtmf {
        let _ = write!(sdp, " {DTMF_PAYLOAD_TYPE}");
    }
    sdp.push_str("\r\n");
    for codec in &local.codecs {
        let _ = write!(sdp, "a=rtpmap:{} {}/8000\r\n", codec.static_payload_type(), codec.name());
    }
    if local.dtmf {
        dtmf_part(&mut sdp, DTMF_PAYLOAD_TYPE);
    }
    let _ = write!(sdp, "a=ptime:20\r\na={}\r\n", local.direction.name());
    sdp
}

/// Takes the answer to [`offer`].
///
/// # Errors
/// The answer is not a session description, or agrees to nothing that was offered.
pub fn accept(ours: &LocalMedia, answer: &str) -> Result<Stream, SdpError> {
    let session = parse(answer)?;
    let media = session.medias.first().ok_or(SdpError::Malformed("it describes no media"))?;
    negotiate(&session, media, ours)
}

fn parse(sdp: &str) -> Result<Session, SdpError> {
    Session::parse(sdp.as_bytes()).map_err(|_| SdpError::Malformed("its lines do not follow RFC 8866"))
}

fn negotiate(session: &Session, media: &Media, local: &LocalMedia) -> Result<Stream, SdpError> {
    if media.media != "audio" {
        return Err(SdpError::NotAcceptable { code: 304, text: "Only audio is available" });
    }
    if media.port == 0 {
        return Err(SdpError::NotAcceptable { code: 304, text: "The audio stream has port 0" });
    }
    if !matches!(media.proto.as_str(), "RTP/AVP" | "RTP/AVPF") {
        return Err(SdpError::NotAcceptable { code: 302, text: "Only RTP/AVP is available" });
    }
    let address = address(session, media)?;
    let payload_types: Vec<u8> =
        media.fmt.split_ascii_whitespace().filter_map(|fmt| fmt.parse().ok()).collect();
    // In the order of the offer, which is the other side's preference (RFC 3264, section 6.1).
    let (payload_type, codec) = payload_types
        .iter()
        .find_map(|payload_type| {
            let codec = codec(media, *payload_type)?;
            local.codecs.contains(&codec).then_some((*payload_type, codec))
        })
        .ok_or(SdpError::NotAcceptable { code: 305, text: "None of the codecs offered is available" })?;
    let dtmf = payload_types
        .iter()
        .find(|payload_type| {
            local.dtmf
                && rtpmap(media, **payload_type)
                    .is_some_and(|encoding| encoding.eq_ignore_ascii_case("telephone-event/8000"))
        })
        .map(|payload_type| DtmfPayload { send: *payload_type, receive: *payload_type });

    // Hold in the manner of RFC 2543: an address of zeros means "do not send".
    let is_on_hold = address.is_unspecified();
    let theirs = direction(session, media);
    let sends = theirs.receives() && !is_on_hold && local.direction.sends();
    let receives = theirs.sends() && local.direction.receives();

    let remote_rtp = SocketAddr::new(address, media.port);
    let rtcp_mux = media.has_attribute("rtcp-mux");
    Ok(Stream {
        remote_rtp,
        remote_rtcp: rtcp_address(media, remote_rtp, rtcp_mux),
        rtcp_mux,
        codec,
        payload_type,
        receive_payload_type: payload_type,
        dtmf,
        ptime_ms: ptime_ms(media),
        direction: Direction::new(sends, receives),
    })
}

fn address(session: &Session, media: &Media) -> Result<IpAddr, SdpError> {
    let connection = media
        .connections
        .first()
        .or(session.connection.as_ref())
        .ok_or(SdpError::Malformed("there is no c= line for the audio"))?;
    let text = connection.connection_address.split('/').next().unwrap_or_default();
    let address: IpAddr = text
        .parse()
        .map_err(|_| SdpError::NotAcceptable { code: 301, text: "The c= line must hold an IP address" })?;
    if address.is_multicast() {
        return Err(SdpError::NotAcceptable { code: 301, text: "Multicast is not available" });
    }
    Ok(address)
}

/// Where RTCP goes (RFC 3605), by default to the port after RTP's.
fn rtcp_address(media: &Media, rtp: SocketAddr, rtcp_mux: bool) -> Option<SocketAddr> {
    if rtcp_mux {
        return Some(rtp);
    }
    let Some(Some(value)) = media.get_first_attribute_value("rtcp") else {
        return Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?));
    };
    let mut words = value.split_ascii_whitespace();
    let port: u16 = words.next()?.parse().ok()?;
    // `IN IP4 192.0.2.1` may follow.
    let ip = words.nth(2).and_then(|address| address.parse().ok()).unwrap_or(rtp.ip());
    (port != 0).then(|| SocketAddr::new(ip, port))
}

fn codec(media: &Media, payload_type: u8) -> Option<Codec> {
    match rtpmap(media, payload_type) {
        Some(encoding) => {
            let (name, parameters) = encoding.split_once('/')?;
            let codec = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))?;
            matches!(parameters, "8000" | "8000/1").then_some(codec)
        }
        // Static types need no rtpmap.
        None => Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == payload_type),
    }
}

fn rtpmap(media: &Media, payload_type: u8) -> Option<&str> {
    media.get_attribute_values("rtpmap").flatten().find_map(|value| {
        let (number, encoding) = value.trim_start().split_once(char::is_whitespace)?;
        (number.parse() == Ok(payload_type)).then(|| encoding.trim())
    })
}

fn direction(session: &Session, media: &Media) -> Direction {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let of_media = all.into_iter().find(|direction| media.has_attribute(direction.name()));
    let of_session = || all.into_iter().find(|direction| session.has_attribute(direction.name()));
    of_media.or_else(of_session).unwrap_or(Direction::SendRecv)
}

fn ptime_ms(media: &Media) -> u32 {
    let number = |name| {
        let value = media.get_first_attribute_value(name)??;
        value.trim().parse::<f32>().ok().filter(|ms| ms.is_finite() && *ms >= 1.0)
    };
    let most = number("maxptime").unwrap_or(60.0);
    let wanted = number("ptime").unwrap_or(20.0).min(most);
    PTIMES_MS.into_iter().rev().find(|ms| *ms as f32 <= wanted).unwrap_or(10)
}

fn session_part(local: &LocalMedia) -> String {
    let ip = local.rtp.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n",
        local.session_id, local.version
    )
}

fn media_part(sdp: &mut String, media: &Media, stream: &Stream, local: &LocalMedia) {
    let _ = write!(sdp, "m=audio {} {} {}", local.rtp.port(), media.proto, stream.receive_payload_type);
    if let Some(dtmf) = &stream.dtmf {
        let _ = write!(sdp, " {}", dtmf.receive);
    }
    let _ = write!(sdp, "\r\na=rtpmap:{} {}/8000\r\n", stream.receive_payload_type, stream.codec.name());
    if let Some(dtmf) = &stream.dtmf {
        dtmf_part(sdp, dtmf.receive);
    }
    if let Some(Some(mid)) = media.get_first_attribute_value("mid") {
        let _ = write!(sdp, "a=mid:{mid}\r\n");
    }
    if stream.rtcp_mux {
        sdp.push_str("a=rtcp-mux\r\n");
    }
    let _ = write!(sdp, "a=ptime:{}\r\na={}\r\n", stream.ptime_ms, stream.direction.name());
}

fn dtmf_part(sdp: &mut String, payload_type: u8) {
    let _ = write!(sdp, "a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n");
}
