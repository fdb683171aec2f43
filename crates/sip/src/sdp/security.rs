//! Protection of a stream: keys in the description (SDES, RFC 4568) or from a DTLS handshake (RFC 5763), as each
//! service requires.

use super::SdpError;
use data_encoding::{BASE64, BASE64_NOPAD};
pub use plenary_rtp::srtp::Suite;
use sdp_types::{Media, Session};
use std::fmt::{self, Write};

/// Octets of the longest master key with its salt.
const KEY_BYTES_MAX: usize = 44;
/// Octets of the longest MKI (RFC 4568, 6.1), and those of them that may be non-zero here.
const MKI_BYTES_MAX: usize = 128;
const MKI_VALUE_BYTES: usize = 16;
/// Keys per line.
const KEYS_MAX: usize = 16;
/// The smallest replay window that may be asked for (RFC 4568, 6.3.7). Ours is 128.
const WINDOW_MIN: u32 = 64;

/// Whether audio has to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Only calls that offer SRTP.
    Required,
    /// SRTP if it is offered.
    #[default]
    Preferred,
    /// Never SRTP.
    Off,
}

/// Local protection of a call: random once, and the same in all its descriptions.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalSecurity {
    /// What the service requires.
    pub policy: Policy,
    /// Random octets for the local master keys, a part for each suite.
    pub seed: [u8; KEY_BYTES_MAX * 4],
    /// SHA-256 of our certificate for DTLS; `None`: no DTLS.
    pub fingerprint: Option<[u8; 32]>,
    /// Whether SRTP is offered if it is preferred: only over encrypted signalling, because the keys are in it.
    pub offers_keys: bool,
    /// The other side is a browser: it is offered DTLS and ICE only.
    pub offers_dtls: bool,
}

impl fmt::Debug for LocalSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSecurity").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl LocalSecurity {
    /// No SRTP at all.
    #[must_use]
    pub fn off() -> Self {
        Self {
            policy: Policy::Off,
            seed: [0; KEY_BYTES_MAX * 4],
            fingerprint: None,
            offers_keys: false,
            offers_dtls: false,
        }
    }

    /// The local master key and salt for a suite.
    fn key(&self, suite: Suite) -> Vec<u8> {
        let place = Suite::ALL.iter().position(|other| *other == suite).unwrap_or(0) * KEY_BYTES_MAX;
        self.seed[place..place + suite.key_and_salt_bytes()].to_vec()
    }

    /// The profile of an offer.
    pub(super) fn profile(&self) -> &'static str {
        match (self.is_for_browser(), self.offers_srtp()) {
            (true, _) => "UDP/TLS/RTP/SAVPF",
            (false, true) => "RTP/SAVP",
            (false, false) => "RTP/AVP",
        }
    }

    pub(super) fn is_for_browser(&self) -> bool {
        self.offers_dtls && self.policy != Policy::Off && self.fingerprint.is_some()
    }

    fn offers_srtp(&self) -> bool {
        match self.policy {
            Policy::Required => true,
            Policy::Preferred => self.offers_keys,
            Policy::Off => false,
        }
    }
}

/// Who begins the handshake (RFC 4145, 4; RFC 5763, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// This side.
    Active,
    /// The other side.
    Passive,
}

/// A master key with its salt. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SdesKey {
    /// Key and salt, concatenated.
    pub bytes: Vec<u8>,
    /// The MKI in each packet under the key; empty if there is none.
    pub mki: Vec<u8>,
}

impl fmt::Debug for SdesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdesKey").field("mki", &self.mki).finish_non_exhaustive()
    }
}

/// The parts of an `a=crypto` line beside key and MKI.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// How many packets the key is valid for, as written (RFC 4568, 6.1).
    lifetime: Option<String>,
    /// `KDR=0`: session keys are derived once. Both sides have to state the same (RFC 4568, 6.3.1).
    kdr: bool,
}

/// The protection of a stream.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Protection {
    /// None.
    #[default]
    None,
    /// Keys from the descriptions: master key and salt of each direction.
    Sdes {
        /// The cipher.
        suite: Suite,
        /// The tag of the chosen line.
        tag: u32,
        /// Of sent packets.
        send: SdesKey,
        /// Of received packets: any of these, each with an MKI if there are several.
        receive: Vec<SdesKey>,
        /// The parts of the local line beside the key, which repeat those of the other side's.
        terms: Terms,
    },
    /// Keys from a handshake whose certificate has this fingerprint.
    Dtls {
        /// The local role in it.
        setup: Setup,
        /// SHA-256 of the other side's certificate.
        fingerprint: [u8; 32],
    },
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Sdes { suite, tag, .. } => {
                f.debug_struct("Sdes").field("suite", suite).field("tag", tag).finish_non_exhaustive()
            }
            Self::Dtls { setup, .. } => f.debug_struct("Dtls").field("setup", setup).finish_non_exhaustive(),
        }
    }
}

impl Protection {
    /// The stream is protected.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::None
    }
}

/// The secure profiles of `m=` lines.
fn is_secure_profile(proto: &str) -> bool {
    matches!(proto, "RTP/SAVP" | "RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF")
}

/// The protection of an offered or answered stream.
///
/// # Errors
///
/// No protection that both sides support and this side permits.
pub(super) fn negotiate(
    session: &Session,
    media: &Media,
    local: &LocalSecurity,
    ours: Role,
) -> Result<Protection, SdpError> {
    let not_acceptable = |text| Err(SdpError::NotAcceptable { code: 302, text });
    let is_secure = is_secure_profile(&media.proto);
    if !is_secure && !matches!(media.proto.as_str(), "RTP/AVP" | "RTP/AVPF") {
        return not_acceptable("Only RTP/AVP, RTP/SAVP and UDP/TLS/RTP/SAVPF are available");
    }
    if local.policy == Policy::Off {
        return if is_secure { not_acceptable("SRTP is not available here") } else { Ok(Protection::None) };
    }
    if local.fingerprint.is_some()
        && let Some(protection) = dtls(session, media, ours)
    {
        return Ok(protection);
    }
    if let Some(protection) = sdes(media, local, ours) {
        return Ok(protection);
    }
    if is_secure {
        return not_acceptable("None of the ways to protect the stream is available");
    }
    if local.policy == Policy::Required {
        return not_acceptable("SRTP is required here");
    }
    Ok(Protection::None)
}

/// Whose description is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The other side's is the offer.
    Answerer,
    /// The other side's is the answer.
    Offerer,
}

/// The first `a=crypto` that is supported (RFC 4568, 7.1.2).
fn sdes(media: &Media, local: &LocalSecurity, ours: Role) -> Option<Protection> {
    media.get_attribute_values("crypto").flatten().find_map(|value| {
        let mut words = value.split_ascii_whitespace();
        let tag: u32 = words.next()?.parse().ok()?;
        let name = words.next()?;
        let suite = Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))?;
        let keys = words.next()?;
        let mut terms = Terms { kdr: session_parameters(words)?, lifetime: None };
        if ours == Role::Offerer && Suite::ALL.get(tag.checked_sub(1)? as usize) != Some(&suite) {
            return None;
        }
        let keys: Vec<_> = keys.split(';').map(|key| sdes_key(key, suite)).collect::<Option<_>>()?;
        let lifetime = keys.first()?.1;
        let receive: Vec<SdesKey> = keys.into_iter().map(|(key, _)| key).collect();
        // With several keys each packet says which one it uses: all MKIs are present, differ and have one length.
        let mki_bytes = receive[0].mki.len();
        let are_told_apart = receive.iter().enumerate().all(|(place, key)| {
            key.mki.len() == mki_bytes && receive[..place].iter().all(|other| other.mki != key.mki)
        });
        if receive.len() > KEYS_MAX || !are_told_apart {
            return None;
        }
        // The local MKI is this side's choice. A peer that uses MKIs expects one, so it is that of its first key. Our
        // offers have none.
        let mki = match ours {
            Role::Answerer => receive[0].mki.clone(),
            Role::Offerer => Vec::new(),
        };
        terms.lifetime = lifetime.filter(|_| !mki.is_empty()).map(str::to_owned);
        let send = SdesKey { bytes: local.key(suite), mki };
        Some(Protection::Sdes { suite, tag, send, receive, terms })
    })
}

/// Reads what follows the keys (RFC 4568, 6.3); returns whether it includes `KDR=0`. `None`: something unsupported,
/// such as packets that are not encrypted; a peer that insists on that has other lines too.
fn session_parameters<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<bool> {
    words.try_fold(false, |kdr, word| match word.split_once('=') {
        // Parameters that begin like this may be ignored.
        _ if word.starts_with('-') => Some(kdr),
        Some((name, "0")) if name.eq_ignore_ascii_case("KDR") => Some(true),
        Some((name, size)) if name.eq_ignore_ascii_case("WSH") => {
            (size.parse::<u32>().ok()? >= WINDOW_MIN).then_some(kdr)
        }
        Some(_) | None => None,
    })
}

/// Reads a key with its parameters, and its lifetime: `inline:KEY|LIFETIME|MKI:LENGTH`, of which the latter two are
/// optional (RFC 4568, 9.2).
fn sdes_key(text: &str, suite: Suite) -> Option<(SdesKey, Option<&str>)> {
    let (method, info) = text.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") {
        return None;
    }
    let mut parts = info.split('|');
    let bytes = BASE64_NOPAD.decode(parts.next()?.trim_end_matches('=').as_bytes()).ok()?;
    if bytes.len() != suite.key_and_salt_bytes() {
        return None;
    }
    let (lifetime, identifier) = match (parts.next(), parts.next(), parts.next()) {
        (Some(lifetime), Some(identifier), None) => (Some(lifetime), Some(identifier)),
        (Some(identifier), None, None) if identifier.contains(':') => (None, Some(identifier)),
        (lifetime, None, None) => (lifetime, None),
        _ => return None,
    };
    // No call is as long as a usual lifetime, and its sender has to change the key before it ends.
    let is_number = |digits: &str| {
        digits.bytes().all(|digit| digit.is_ascii_digit()) && digits.bytes().any(|digit| digit != b'0')
    };
    if !lifetime.is_none_or(|lifetime| is_number(lifetime.strip_prefix("2^").unwrap_or(lifetime))) {
        return None;
    }
    let mki = match identifier {
        None => Vec::new(),
        Some(identifier) => {
            let (value, length) = identifier.split_once(':')?;
            let (value, length): (u128, usize) = (value.parse().ok()?, length.parse().ok()?);
            if !(1..=MKI_BYTES_MAX).contains(&length) {
                return None;
            }
            let mut mki = vec![0; MKI_BYTES_MAX - MKI_VALUE_BYTES];
            mki.extend(value.to_be_bytes());
            let mki = mki.split_off(MKI_BYTES_MAX - length);
            // An MKI that exceeds its length is invalid.
            if mki_value(&mki) != value {
                return None;
            }
            mki
        }
    };
    Some((SdesKey { bytes, mki }, lifetime))
}

fn mki_value(mki: &[u8]) -> u128 {
    mki.iter().fold(0, |value, octet| value << 8 | u128::from(*octet))
}

/// A fingerprint and the role in the handshake (RFC 8122, 5; RFC 5763, 5).
fn dtls(session: &Session, media: &Media, ours: Role) -> Option<Protection> {
    let of_media = media.get_attribute_values("fingerprint").flatten();
    let of_session = session.get_attribute_values("fingerprint").flatten();
    let fingerprint = of_media.chain(of_session).find_map(|value| {
        let (hash, digits) = value.trim().split_once(char::is_whitespace)?;
        if !hash.eq_ignore_ascii_case("sha-256") {
            return None;
        }
        let bytes: Vec<u8> = digits
            .trim()
            .split(':')
            .map(|pair| u8::from_str_radix(pair, 16))
            .collect::<Result<_, _>>()
            .ok()?;
        <[u8; 32]>::try_from(bytes).ok()
    })?;
    let setup = media
        .get_first_attribute_value("setup")
        .or_else(|| session.get_first_attribute_value("setup"))
        .flatten()
        .unwrap_or("actpass");
    let setup = match (setup, ours) {
        ("passive", _) => Setup::Active,
        ("active" | "actpass", _) => Setup::Passive,
        _ => return None,
    };
    Some(Protection::Dtls { setup, fingerprint })
}

/// The lines of an answer with `protection`.
pub(super) fn write_answer(sdp: &mut String, protection: &Protection, local: &LocalSecurity) {
    match protection {
        Protection::None => {}
        Protection::Sdes { suite, tag, send, terms, .. } => write_crypto(sdp, *tag, *suite, send, terms),
        Protection::Dtls { setup, .. } => {
            let setup = match setup {
                Setup::Active => "active",
                Setup::Passive => "passive",
            };
            write_fingerprint(sdp, local, setup);
        }
    }
}

/// The lines of an offer.
pub(super) fn write_offer(sdp: &mut String, local: &LocalSecurity) {
    if local.is_for_browser() {
        return write_fingerprint(sdp, local, "actpass");
    }
    if !local.offers_srtp() {
        return;
    }
    for (suite, tag) in Suite::ALL.into_iter().zip(1..) {
        let key = SdesKey { bytes: local.key(suite), mki: Vec::new() };
        write_crypto(sdp, tag, suite, &key, &Terms::default());
    }
}

fn write_crypto(sdp: &mut String, tag: u32, suite: Suite, key: &SdesKey, terms: &Terms) {
    let _ = write!(sdp, "a=crypto:{tag} {} inline:{}", suite.name(), BASE64.encode(&key.bytes));
    if let Some(lifetime) = &terms.lifetime {
        let _ = write!(sdp, "|{lifetime}");
    }
    if !key.mki.is_empty() {
        let _ = write!(sdp, "|{}:{}", mki_value(&key.mki), key.mki.len());
    }
    sdp.push_str(if terms.kdr { " KDR=0\r\n" } else { "\r\n" });
}

fn write_fingerprint(sdp: &mut String, local: &LocalSecurity, setup: &str) {
    let Some(fingerprint) = &local.fingerprint else { return };
    let digits: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    let _ = write!(sdp, "a=fingerprint:sha-256 {}\r\na=setup:{setup}\r\n", digits.join(":"));
}
