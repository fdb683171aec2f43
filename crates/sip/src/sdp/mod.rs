//! Offer and answer (RFC 3264) over session descriptions (RFC 8866), as pure functions.
//!
//! One audio stream of a call is negotiated; all others are declined in their place, as RFC 3264, section 6,
//! requires.

mod error;
mod ice;
mod levels;
mod security;

pub use error::SdpError;
pub use ice::IceCredentials;
pub use levels::LevelExtension;
pub use security::{LocalSecurity, Policy, Protection, SdesKey, Setup, Suite, Terms};

use sdp_types::{Media, Session};
use security::Role;
use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// An audio codec that can be negotiated.
///
/// A type apart from the one that encodes (`plenary_audio::codec::Codec`), so that signalling does not link libopus: here a
/// codec is its names and payload types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.711 A-law, payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s, payload type 9.
    G722,
    /// Opus (RFC 7587), with a dynamic payload type.
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The payload type in offers: the static one (RFC 3551, table 4) if there is one.
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Clock rate and channels as in `a=rtpmap`: G.722's clock is 8000 (RFC 3551, 4.5.2), Opus always has two
    /// channels (RFC 7587, 7).
    #[must_use]
    pub const fn clock(self) -> &'static str {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => "8000",
            Self::Opus => "48000/2",
        }
    }

    /// The RTP clock, which telephone events of a stream share (RFC 4733, 2.1).
    const fn clock_rate(self) -> &'static str {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => "8000",
            Self::Opus => "48000",
        }
    }

    /// `a=fmtp` parameters of what is received.
    const fn format(self) -> Option<&'static str> {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => None,
            Self::Opus => Some("minptime=10;useinbandfec=1;stereo=0"),
        }
    }

    fn is_static(self, payload_type: u8) -> bool {
        payload_type < 96 && payload_type == self.payload_type()
    }
}

/// Whose order of codecs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preference {
    /// The offer's: the other side's favourite that is supported (RFC 3264, 6.1).
    #[default]
    Theirs,
    /// Ours: the local favourite that the other side supports.
    Ours,
}

/// Direction of audio, as seen from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both directions.
    SendRecv,
    /// This side only sends.
    SendOnly,
    /// This side only receives.
    RecvOnly,
    /// Neither direction.
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

    /// This side may send.
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

/// The use of the audio level in packets (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Levels {
    /// None: it is neither offered nor accepted.
    #[default]
    Off,
    /// Read, and not sent.
    Read,
    /// Sent, and not read.
    Send,
}

/// This side of the negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMedia {
    /// Local RTP address; RTCP is on the next port.
    pub rtp: SocketAddr,
    /// Session id of the `o=` line; constant for the whole call.
    pub session_id: u64,
    /// Version of the `o=` line; increases with every new description.
    pub version: u64,
    /// Supported codecs, best first.
    pub codecs: Vec<Codec>,
    /// Whose order decides in an answer.
    pub preference: Preference,
    /// Whether telephone events are accepted (RFC 4733).
    pub dtmf: bool,
    /// The desired direction.
    pub direction: Direction,
    /// The permitted protection.
    pub security: LocalSecurity,
    /// ICE credentials, for peers that offer it; `None`: ICE is ignored.
    pub ice: Option<IceCredentials>,
    /// The use of audio levels.
    pub levels: Levels,
}

/// The payload types of telephone events, in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfPayload {
    /// In sent packets.
    pub send: u8,
    /// In received packets.
    pub receive: u8,
}

/// The negotiated stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Destination of RTP.
    pub remote_rtp: SocketAddr,
    /// Destination of RTCP; the RTP address if both share it.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec.
    pub codec: Codec,
    /// Its payload type in sent packets.
    pub payload_type: u8,
    /// Its payload type in received packets.
    pub receive_payload_type: u8,
    /// The upper bound of Opus in bits per second that the other side wants.
    pub opus_bitrate_max: Option<u32>,
    /// Telephone events, if both sides support them.
    pub dtmf: Option<DtmfPayload>,
    /// Duration of a packet that the other side wants, in milliseconds: 10, 20, 30, 40 or 60.
    pub ptime_ms: u32,
    /// Direction of audio, as seen from this side.
    pub direction: Direction,
    /// Its protection.
    pub protection: Protection,
    /// The other side's ICE credentials, if it offers ICE.
    pub ice: Option<IceCredentials>,
    /// The audio level in the packets of the side that sends it.
    pub levels: Option<LevelExtension>,
}

/// An answer and its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The session description to send.
    pub sdp: String,
    /// The stream that it accepts.
    pub stream: Stream,
}

/// Payload types of telephone events in offers, by their clock rate.
const EVENTS: [(&str, u8); 2] = [("8000", 101), ("48000", 110)];
/// The longest packet wanted, in milliseconds.
const MAXPTIME_MS: u32 = 60;
const PTIMES_MS: [u32; 5] = [10, 20, 30, 40, 60];

/// Answers an offer.
///
/// # Errors
///
/// The offer is not a session description (400), or contains nothing that is supported (488).
pub fn answer(offer: &str, local: &LocalMedia) -> Result<Answer, SdpError> {
    let session = parse(offer)?;
    if session.medias.is_empty() {
        return Err(SdpError::Malformed("it describes no media"));
    }
    let mut declined = SdpError::NotAcceptable { code: 304, text: "Only audio is available" };
    let mut chosen: Option<(usize, Stream)> = None;
    for (index, media) in session.medias.iter().enumerate() {
        match negotiate(&session, media, local, Role::Answerer) {
            // The same stream may be offered twice, plain and protected (RFC 4568, 5.1): then the protected one is
            // used.
            Ok(stream) => {
                let is_better = chosen
                    .as_ref()
                    .is_none_or(|(_, other)| !other.protection.is_on() && stream.protection.is_on());
                if is_better {
                    chosen = Some((index, stream));
                }
            }
            // An error in the audio says more than the absence of video.
            Err(error) if media.media == "audio" => declined = error,
            Err(_) => {}
        }
    }
    let Some((chosen, stream)) = chosen else { return Err(declined) };
    let mut sdp = session_part(local);
    if stream.ice.is_some() {
        sdp.push_str("a=ice-lite\r\n");
    }
    if let Some(mid) = bundled(&session, &session.medias[chosen]) {
        let _ = write!(sdp, "a=group:BUNDLE {mid}\r\n");
    }
    for (index, media) in session.medias.iter().enumerate() {
        if index == chosen {
            media_part(&mut sdp, media, &stream, local);
        } else {
            declined_part(&mut sdp, media);
        }
    }
    Ok(Answer { sdp, stream })
}

/// The name of a stream in an offered bundle.
fn bundled<'a>(session: &'a Session, media: &'a Media) -> Option<&'a str> {
    let mid = media.get_first_attribute_value("mid").flatten()?;
    let is_bundled = session.get_attribute_values("group").flatten().any(|group| {
        let mut words = group.split_ascii_whitespace();
        words.next().is_some_and(|semantics| semantics == "BUNDLE") && words.any(|word| word == mid)
    });
    is_bundled.then_some(mid)
}

/// The answer to an offer that removes the audio of an established session: every audio stream has port 0, and so
/// does its answer (RFC 3264, sections 6 and 8.2). `None` if it is not such an offer.
#[must_use]
pub fn without_audio(offer: &str, local: &LocalMedia) -> Option<String> {
    let session = parse(offer).ok().filter(is_without_audio)?;
    let mut sdp = session_part(local);
    session.medias.iter().for_each(|media| declined_part(&mut sdp, media));
    Some(sdp)
}

/// A description removes the audio: it has audio streams, and all of them have port 0.
#[must_use]
pub fn has_no_audio(sdp: &str) -> bool {
    parse(sdp).is_ok_and(|session| is_without_audio(&session))
}

fn is_without_audio(session: &Session) -> bool {
    let mut audio = session.medias.iter().filter(|media| media.media == "audio").peekable();
    audio.peek().is_some() && audio.all(|media| media.port == 0 && !is_bundle_only(session, media))
}

/// A stream after another one of the same bundle has no port of its own (RFC 9143, 6).
fn is_bundle_only(session: &Session, media: &Media) -> bool {
    media.has_attribute("bundle-only") && bundled(session, media).is_some()
}

/// The place of a declined stream (RFC 3264, section 6).
fn declined_part(sdp: &mut String, media: &Media) {
    let _ = write!(sdp, "m={} 0 {} {}\r\n", media.media, media.proto, media.fmt);
    // With bundling, declined streams are identified by their names too (RFC 9143, 7.3).
    if let Some(Some(mid)) = media.get_first_attribute_value("mid") {
        let _ = write!(sdp, "a=mid:{mid}\r\n");
    }
}

/// Makes an offer.
#[must_use]
pub fn offer(local: &LocalMedia) -> String {
    let mut sdp = session_part(local);
    let is_for_browser = local.security.is_for_browser();
    if is_for_browser && local.ice.is_some() {
        sdp.push_str("a=ice-lite\r\n");
    }
    let _ = write!(sdp, "m=audio {} {}", local.rtp.port(), local.security.profile());
    for codec in &local.codecs {
        let _ = write!(sdp, " {}", codec.payload_type());
    }
    let events = EVENTS
        .iter()
        .filter(|(clock, _)| local.dtmf && local.codecs.iter().any(|codec| codec.clock_rate() == *clock));
    for (_, payload_type) in events.clone() {
        let _ = write!(sdp, " {payload_type}");
    }
    sdp.push_str("\r\n");
    for codec in &local.codecs {
        codec_part(&mut sdp, *codec, codec.payload_type());
    }
    for (clock, payload_type) in events {
        dtmf_part(&mut sdp, *payload_type, clock);
    }
    // Only a test caller goes without ICE, and without this too.
    if local.ice.is_some() {
        sdp.push_str("a=rtcp-mux\r\n");
    }
    security::write_offer(&mut sdp, &local.security);
    if let (true, Some(ours)) = (is_for_browser, &local.ice) {
        ice::write_media(&mut sdp, ours, local.rtp, true);
    }
    levels::write_offer(&mut sdp, &local.codecs, local.levels);
    let _ = write!(sdp, "a=ptime:20\r\na=maxptime:{MAXPTIME_MS}\r\na={}\r\n", local.direction.name());
    sdp
}

/// Takes the answer to [`offer`].
///
/// # Errors
///
/// The answer is not a session description, or accepts nothing that was offered.
pub fn accept(ours: &LocalMedia, answer: &str) -> Result<Stream, SdpError> {
    let session = parse(answer)?;
    let media = session.medias.first().ok_or(SdpError::Malformed("it describes no media"))?;
    let mut stream = negotiate(&session, media, ours, Role::Offerer)?;
    if !ours.security.is_for_browser() {
        stream.ice = None;
    }
    // Received packets use the payload types of our offer, whatever types the answer has for its own (RFC 3264, 5.1
    // and 6.1).
    stream.receive_payload_type = stream.codec.payload_type();
    if let Some(dtmf) = &mut stream.dtmf {
        let clock = event_clock(media, dtmf.send).unwrap_or(stream.codec.clock_rate());
        if let Some((_, ours)) = EVENTS.iter().find(|(offered, _)| *offered == clock) {
            dtmf.receive = *ours;
        }
    }
    Ok(stream)
}

fn parse(sdp: &str) -> Result<Session, SdpError> {
    Session::parse(read_lines(sdp).as_bytes())
        .map_err(|_| SdpError::Malformed("its lines do not follow RFC 8866"))
}

/// The lines that are used: version, connection, media and attributes, without stray spaces. Errors in any of the
/// others (a user name of two words and a version of -1 in `o=`, odd numbers in `t=` and `b=`) do no harm.
fn read_lines(sdp: &str) -> String {
    let mut read = String::with_capacity(sdp.len());
    for line in sdp.trim_start().lines() {
        match line.get(..2) {
            Some("o=" | "s=" | "i=" | "u=" | "e=" | "p=" | "b=" | "t=" | "r=" | "z=" | "k=") => continue,
            Some("v=" | "c=" | "m=") => {
                let mut words = line.split_ascii_whitespace();
                read.push_str(words.next().unwrap_or_default());
                words.for_each(|word| read.extend([" ", word]));
            }
            Some("a=") => {
                let (name, value) =
                    line[2..].split_once(':').map_or((&line[2..], None), |(n, v)| (n, Some(v)));
                read.extend(["a=", name.trim()]);
                value.into_iter().for_each(|value| read.extend([":", value.trim()]));
            }
            Some(_) | None => read.push_str(line.trim_end()),
        }
        read.push_str("\r\n");
    }
    read
}

fn negotiate(session: &Session, media: &Media, local: &LocalMedia, role: Role) -> Result<Stream, SdpError> {
    if media.media != "audio" {
        return Err(SdpError::NotAcceptable { code: 304, text: "Only audio is available" });
    }
    if media.port == 0 && !is_bundle_only(session, media) {
        return Err(SdpError::NotAcceptable { code: 304, text: "The audio stream has port 0" });
    }
    let protection = security::negotiate(session, media, &local.security, role)?;
    let ice = local.ice.as_ref().and_then(|_| ice::remote(session, media));
    // While the address is unknown, nothing is sent before something has arrived (symmetric RTP, RFC 4961).
    let nowhere = match local.rtp {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let (address, is_on_hold) = match announced(session, media) {
        // ICE checks show where the other side is, so a name that only it knows (mDNS) or an address of the other
        // family does no harm.
        Ok(Announced::At(address)) if ice.is_some() => (address, false),
        Err(SdpError::NotAcceptable { .. }) if ice.is_some() => (nowhere, false),
        // Hold as in RFC 2543: an address of zeros means "do not send".
        Ok(Announced::At(address)) if address.is_unspecified() => (address, true),
        Ok(Announced::At(address)) => {
            if address.to_canonical().is_ipv4() != local.rtp.ip().to_canonical().is_ipv4() {
                let text = "Only the family of addresses of the signalling is available";
                return Err(SdpError::NotAcceptable { code: 300, text });
            }
            (address, false)
        }
        Ok(Announced::ByName) => (nowhere, false),
        Err(error) => return Err(error),
    };
    let payload_types: Vec<u8> =
        media.fmt.split_ascii_whitespace().filter_map(|fmt| fmt.parse().ok()).collect();
    let known = || {
        payload_types.iter().filter_map(|payload_type| Some((*payload_type, codec(media, *payload_type)?)))
    };
    let chosen = match local.preference {
        Preference::Theirs => known().find(|(_, codec)| local.codecs.contains(codec)),
        Preference::Ours => local.codecs.iter().find_map(|ours| known().find(|(_, codec)| codec == ours)),
    };
    let (payload_type, codec) = chosen
        .ok_or(SdpError::NotAcceptable { code: 305, text: "None of the codecs offered is available" })?;
    let event = |clock: &str| {
        let has_clock = |payload_type: &&u8| event_clock(media, **payload_type) == Some(clock);
        payload_types.iter().find(has_clock).copied()
    };
    let dtmf = event(codec.clock_rate())
        // Some state only the clock of telephony, whatever the codec, and some only another one; the key is the same.
        .or_else(|| event("8000"))
        .or_else(|| payload_types.iter().copied().find(|number| event_clock(media, *number).is_some()))
        .filter(|_| local.dtmf)
        .map(|payload_type| DtmfPayload { send: payload_type, receive: payload_type });

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
        opus_bitrate_max: (codec == Codec::Opus).then(|| opus_bitrate_max(media, payload_type)).flatten(),
        dtmf,
        ptime_ms: ptime_ms(media),
        direction: Direction::new(sends, receives),
        protection,
        ice,
        levels: levels::negotiate(session, media, codec, local.levels, role),
    })
}

/// The receive address of a `c=` line.
enum Announced {
    At(IpAddr),
    /// A host name (RFC 8866, section 5.7). It is not resolved: audio goes to where it comes from.
    ByName,
}

fn announced(session: &Session, media: &Media) -> Result<Announced, SdpError> {
    let connection = media
        .connections
        .first()
        .or(session.connection.as_ref())
        .ok_or(SdpError::Malformed("there is no c= line for the audio"))?;
    let text = connection.connection_address.split('/').next().unwrap_or_default();
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_multicast() => {
            Err(SdpError::NotAcceptable { code: 301, text: "Multicast is not available" })
        }
        Ok(address) => Ok(Announced::At(address)),
        Err(_) if is_host_name(text) => Ok(Announced::ByName),
        Err(_) => {
            let text = "The c= line must hold an IP address or a host name";
            Err(SdpError::NotAcceptable { code: 301, text })
        }
    }
}

/// A DNS name (RFC 1123, section 2.1). Its last label is not a number; otherwise it is a malformed address.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253
        && name.split('.').all(is_label)
        && name.rsplit('.').next().is_some_and(|last| !is_number(last))
}

/// Destination of RTCP (RFC 3605), by default the port after RTP's.
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
            let (name, clock) = encoding.split_once('/')?;
            let codec = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))?;
            let (rate, channels) = clock.split_once('/').unwrap_or((clock, "1"));
            let is_channels = match codec {
                Codec::Pcmu | Codec::Pcma | Codec::G722 => channels == "1",
                // Always two by RFC 7587, section 7, but some implementations omit them or state one. The stream is the same: every
                // decoder takes one channel or two, whatever the session description says.
                Codec::Opus => channels == "1" || channels == "2",
            };
            (rate == codec.clock_rate() && is_channels).then_some(codec)
        }
        // Static types need no rtpmap.
        None => Codec::ALL.into_iter().find(|codec| codec.is_static(payload_type)),
    }
}

/// The clock rate of a payload type of telephone events.
fn event_clock(media: &Media, payload_type: u8) -> Option<&str> {
    let (name, clock) = rtpmap(media, payload_type)?.split_once('/')?;
    name.eq_ignore_ascii_case("telephone-event").then_some(clock)
}

/// `maxaveragebitrate` of Opus (RFC 7587, 6.1): 6000 to 510 000 bits per second.
fn opus_bitrate_max(media: &Media, payload_type: u8) -> Option<u32> {
    let format = media.get_attribute_values("fmtp").flatten().find_map(|value| {
        let (number, format) = value.trim_start().split_once(char::is_whitespace)?;
        (number.parse() == Ok(payload_type)).then_some(format)
    })?;
    let value = format.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("maxaveragebitrate").then(|| value.trim())
    })?;
    value.parse().ok().filter(|bitrate| (6000..=510_000).contains(bitrate))
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
    sdp.push_str("\r\n");
    codec_part(sdp, stream.codec, stream.receive_payload_type);
    if let Some(dtmf) = &stream.dtmf {
        let clock = event_clock(media, dtmf.receive).unwrap_or(stream.codec.clock_rate());
        dtmf_part(sdp, dtmf.receive, clock);
    }
    if let Some(Some(mid)) = media.get_first_attribute_value("mid") {
        let _ = write!(sdp, "a=mid:{mid}\r\n");
    }
    if stream.rtcp_mux {
        sdp.push_str("a=rtcp-mux\r\n");
    }
    security::write_answer(sdp, &stream.protection, &local.security);
    if let (Some(ours), Some(_)) = (&local.ice, &stream.ice) {
        ice::write_media(sdp, ours, local.rtp, stream.rtcp_mux);
    }
    if let Some(agreed) = &stream.levels {
        levels::write_answer(sdp, agreed, local.levels);
    }
    let _ = write!(
        sdp,
        "a=ptime:{}\r\na=maxptime:{MAXPTIME_MS}\r\na={}\r\n",
        stream.ptime_ms,
        stream.direction.name()
    );
}

fn codec_part(sdp: &mut String, codec: Codec, payload_type: u8) {
    let _ = write!(sdp, "a=rtpmap:{payload_type} {}/{}\r\n", codec.name(), codec.clock());
    if let Some(format) = codec.format() {
        let _ = write!(sdp, "a=fmtp:{payload_type} {format}\r\n");
    }
}

fn dtmf_part(sdp: &mut String, payload_type: u8, clock: &str) {
    let _ = write!(sdp, "a=rtpmap:{payload_type} telephone-event/{clock}\r\na=fmtp:{payload_type} 0-15\r\n");
}
