//! SRTP and SRTCP (RFC 3711; AES-GCM: RFC 7714): packets are protected and opened in place, without allocation.
//!
//! A [`Sender`] and a [`Receiver`] each have one master key; a [`KeyRing`] opens with several. Keys come from SDP
//! (RFC 4568) or from a DTLS handshake (RFC 5764). A key may have an identifier (MKI, RFC 3711, 3.1) that each of its
//! packets carries.

mod cipher;
mod key_ring;
mod window;

pub use key_ring::KeyRing;

use cipher::{Cipher, Direction};
use std::fmt;
use window::{Replay, Rollover};

/// The most octets that protection adds to a packet: a tag of 16, and the index of RTCP. An MKI is additional.
pub const OVERHEAD_MAX: usize = 20;
/// SSRCs tracked per sender; a telephone that changes its SSRC at each hold needs few.
const SOURCES_MAX: usize = 8;
/// Octets of an RTCP packet that are never encrypted.
const RTCP_CLEAR: usize = 8;
const RTCP_ENCRYPTED: u32 = 1 << 31;

/// A cipher with its authentication: an SRTP crypto suite (RFC 4568, 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES in counter mode, HMAC-SHA1 of 80 bits (RFC 4568, 6.2.1). Supported by all implementations.
    AesCm128HmacSha1_80,
    /// The same with 32 bits for RTP (RFC 4568, 6.2.2).
    AesCm128HmacSha1_32,
    /// AES-GCM with 128 bits (RFC 7714, 12).
    AeadAes128Gcm,
    /// AES-GCM with 256 bits.
    AeadAes256Gcm,
}

impl Suite {
    /// Every suite, the strongest first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// The name in `a=crypto` (RFC 4568, 6.2; RFC 7714, 14.2).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of the master key.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of the master salt.
    #[must_use]
    pub const fn salt_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Octets of master key and salt together, as SDP and DTLS carry them.
    #[must_use]
    pub const fn key_and_salt_bytes(self) -> usize {
        self.key_bytes() + self.salt_bytes()
    }

    const fn rtp_tag_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    const fn rtcp_tag_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}

/// A master key and its salt. `Debug` does not show it, and it is erased from memory with the call.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: [u8; 46],
    mki: Vec<u8>,
}

impl MasterKey {
    /// Key and salt, concatenated, as SDP and DTLS provide them. `None` if the length is not that of the suite.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let mut bytes = [0; 46];
        let length = suite.key_and_salt_bytes();
        if key_and_salt.len() != length {
            return None;
        }
        bytes[..length].copy_from_slice(key_and_salt);
        Some(Self { suite, bytes, mki: Vec::new() })
    }

    /// Its packets carry this MKI (RFC 3711, 3.1); none if it is empty.
    #[must_use]
    pub fn with_mki(mut self, mki: &[u8]) -> Self {
        self.mki = mki.to_vec();
        self
    }

    /// The MKI in its packets; empty if there is none.
    #[must_use]
    pub fn mki(&self) -> &[u8] {
        &self.mki
    }

    /// Equal key and salt, whatever the MKI.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        (self.suite, self.bytes) == (other.suite, other.bytes)
    }

    /// The suite of the key.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt, concatenated.
    #[must_use]
    pub fn key_and_salt(&self) -> &[u8] {
        &self.bytes[..self.suite.key_and_salt_bytes()]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.bytes.fill(0);
        std::hint::black_box(&mut self.bytes);
    }
}

/// Why a packet was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    /// Not a packet, or too short to contain a tag.
    #[error("it is not a protected packet")]
    Malformed,
    /// The tag does not match the key: the packet is not from the peer, or was modified in transit.
    #[error("its authentication tag is wrong")]
    NotAuthentic,
    /// A replay, or too old for the window to know.
    #[error("it is a replay")]
    Replay,
}

/// Protects what is sent.
#[derive(Debug)]
pub struct Sender {
    suite: Suite,
    mki: Vec<u8>,
    rtp: Cipher,
    rtcp: Cipher,
    sources: Vec<(u32, Rollover)>,
    rtcp_index: u32,
}

impl Sender {
    /// Nothing has been sent with this key.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        Self {
            suite: key.suite,
            mki: key.mki.clone(),
            rtp: Cipher::derive(key, Direction::Rtp),
            rtcp: Cipher::derive(key, Direction::Rtcp),
            sources: Vec::with_capacity(SOURCES_MAX),
            rtcp_index: 0,
        }
    }

    /// Changes the MKI of the key. Its packet counts continue.
    pub fn set_mki(&mut self, mki: &[u8]) {
        self.mki = mki.to_vec();
    }

    /// The suite of the key.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Protects the RTP packet that starts at `start` of `packet`, which grows by the tag. Anything but RTP is
    /// removed.
    pub fn protect_rtp(&mut self, packet: &mut Vec<u8>, start: usize) {
        let Some(head) = packet.get(start..).and_then(Head::of) else { return packet.truncate(start) };
        let rollover = of_source(&mut self.sources, head.ssrc, Rollover::new);
        let index = rollover.index_of(head.sequence);
        rollover.advance(index);
        let tag = self.suite.rtp_tag_bytes();
        self.rtp.protect(packet, start, head.bytes, head.ssrc, index, None, tag);
        insert_mki(packet, start, &self.mki, self.rtp.behind_mki(tag));
    }

    /// Protects the RTCP packet that starts at `start` of `packet`, which grows by index and tag. Anything but RTCP
    /// is removed.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>, start: usize) {
        let Some(ssrc) = packet.get(start..).and_then(rtcp_ssrc) else { return packet.truncate(start) };
        let index = self.rtcp_index & !RTCP_ENCRYPTED;
        self.rtcp_index = (index + 1) & !RTCP_ENCRYPTED;
        let trailer = Some(index | RTCP_ENCRYPTED);
        let tag = self.suite.rtcp_tag_bytes();
        self.rtcp.protect(packet, start, RTCP_CLEAR, ssrc, u64::from(index), trailer, tag);
        insert_mki(packet, start, &self.mki, self.rtcp.behind_mki(tag));
    }
}

/// Opens what is received under one key.
#[derive(Debug)]
pub struct Receiver {
    suite: Suite,
    mki: Vec<u8>,
    rtp: Cipher,
    rtcp: Cipher,
    sources: Vec<(u32, (Rollover, Replay))>,
    control: Vec<(u32, Replay)>,
    /// The progress of SSRCs under the previous key.
    before: Vec<(u32, Rollover)>,
}

impl Receiver {
    /// Nothing has been received with this key.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        Self {
            suite: key.suite,
            mki: key.mki.clone(),
            rtp: Cipher::derive(key, Direction::Rtp),
            rtcp: Cipher::derive(key, Direction::Rtcp),
            sources: Vec::with_capacity(SOURCES_MAX),
            control: Vec::with_capacity(SOURCES_MAX),
            before: Vec::new(),
        }
    }

    /// The key follows another one. The rollover counter of an SSRC then continues (RFC 3711, 3.3.1), but some
    /// senders start it again; the first packet of an SSRC shows which.
    fn follow(&mut self, before: &Self) {
        for (ssrc, (rollover, _)) in &before.sources {
            if !self.before.iter().any(|(known, _)| known == ssrc) && self.before.len() < SOURCES_MAX {
                self.before.push((*ssrc, *rollover));
            }
        }
    }

    /// Opens an RTP packet in place; returns its length without tag and MKI.
    ///
    /// # Errors
    ///
    /// If it is not authentic, or is a replay. Then no state changes, and the bytes are as they were.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let behind = self.rtp.behind_mki(self.suite.rtp_tag_bytes());
        self.without_mki(packet, behind, Self::open_rtp_without_mki)
    }

    /// Calls `open` with the packet without its MKI, which is put back if that fails.
    fn without_mki(
        &mut self,
        packet: &mut [u8],
        behind: usize,
        open: impl FnOnce(&mut Self, &mut [u8]) -> Result<usize, SrtpError>,
    ) -> Result<usize, SrtpError> {
        let length = remove_mki(packet, &self.mki, behind)?;
        let opened = open(self, &mut packet[..length]);
        if opened.is_err() {
            put_back_mki(packet, self.mki.len(), behind);
        }
        opened
    }

    fn open_rtp_without_mki(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let head = Head::of(packet).ok_or(SrtpError::Malformed)?;
        let known = self.sources.iter().find(|(ssrc, _)| *ssrc == head.ssrc).map(|(_, state)| state);
        let mut index =
            known.map_or(u64::from(head.sequence), |(rollover, _)| rollover.index_of(head.sequence));
        if known.is_some_and(|(_, replay)| replay.has_come(index)) {
            return Err(SrtpError::Replay);
        }
        let tag = self.suite.rtp_tag_bytes();
        let went_on = self.before.iter().find(|(ssrc, _)| known.is_none() && *ssrc == head.ssrc);
        let went_on = went_on.map(|(_, rollover)| rollover.index_of(head.sequence));
        let mut opened = self.rtp.open(packet, head.bytes, head.ssrc, index, None, tag);
        if let (Err(_), Some(other)) = (opened, went_on.filter(|other| *other != index)) {
            index = other;
            opened = self.rtp.open(packet, head.bytes, head.ssrc, index, None, tag);
        }
        let length = opened?;
        let (rollover, replay) =
            of_source(&mut self.sources, head.ssrc, || (Rollover::new(), Replay::default()));
        rollover.advance(index);
        replay.remember(index);
        Ok(length)
    }

    /// Opens an RTCP packet in place; returns its length without index, tag and MKI.
    ///
    /// # Errors
    ///
    /// As [`Self::open_rtp`]; also for an unencrypted one, which is never negotiated here.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let behind = self.rtcp.behind_mki(self.suite.rtcp_tag_bytes());
        self.without_mki(packet, behind, Self::open_rtcp_without_mki)
    }

    fn open_rtcp_without_mki(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let tag = self.suite.rtcp_tag_bytes();
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let trailer = self.rtcp.trailer(packet, tag).ok_or(SrtpError::Malformed)?;
        if trailer & RTCP_ENCRYPTED == 0 {
            return Err(SrtpError::Malformed);
        }
        let index = u64::from(trailer & !RTCP_ENCRYPTED);
        if self.control.iter().any(|(of, replay)| *of == ssrc && replay.has_come(index)) {
            return Err(SrtpError::Replay);
        }
        let length = self.rtcp.open(packet, RTCP_CLEAR, ssrc, index, Some(trailer), tag)?;
        of_source(&mut self.control, ssrc, Replay::default).remember(index);
        Ok(length)
    }
}

/// Inserts the MKI before the last `behind` octets (RFC 3711, 3.1 and 3.4; RFC 7714, 7 and 9).
fn insert_mki(packet: &mut Vec<u8>, start: usize, mki: &[u8], behind: usize) {
    // Nothing remains of what must not be sent.
    if packet.len() > start && !mki.is_empty() {
        packet.extend_from_slice(mki);
        let from = packet.len() - mki.len() - behind;
        packet[from..].rotate_right(mki.len());
    }
}

/// Moves the MKI to the end of the packet if it is the right one; returns the length of the packet without it.
fn remove_mki(packet: &mut [u8], mki: &[u8], behind: usize) -> Result<usize, SrtpError> {
    if mki.is_empty() {
        return Ok(packet.len());
    }
    let from = packet.len().checked_sub(behind + mki.len()).ok_or(SrtpError::Malformed)?;
    if packet[from..from + mki.len()] != *mki {
        return Err(SrtpError::NotAuthentic);
    }
    packet[from..].rotate_left(mki.len());
    Ok(packet.len() - mki.len())
}

/// Reverses [`remove_mki`].
fn put_back_mki(packet: &mut [u8], mki_bytes: usize, behind: usize) {
    // If there was one, the packet was long enough for it.
    if mki_bytes > 0 {
        let from = packet.len() - behind - mki_bytes;
        packet[from..].rotate_right(mki_bytes);
    }
}

/// The state of an SSRC. If there are too many, the oldest one is dropped.
fn of_source<T>(sources: &mut Vec<(u32, T)>, ssrc: u32, new: impl FnOnce() -> T) -> &mut T {
    let place = sources.iter().position(|(known, _)| *known == ssrc).unwrap_or_else(|| {
        if sources.len() >= SOURCES_MAX {
            sources.remove(0);
        }
        sources.push((ssrc, new()));
        sources.len() - 1
    });
    &mut sources[place].1
}

/// The fields of an RTP header that matter for its protection.
struct Head {
    /// Length of the header with contributing sources and extension.
    bytes: usize,
    sequence: u16,
    ssrc: u32,
}

impl Head {
    fn of(packet: &[u8]) -> Option<Self> {
        let &[first, _, s0, s1, _, _, _, _, i0, i1, i2, i3] = packet.first_chunk::<12>()?;
        if first >> 6 != 2 {
            return None;
        }
        let mut bytes = 12 + usize::from(first & 0x0f) * 4;
        if first & 0x10 != 0 {
            let words = packet.get(bytes + 2..bytes + 4)?;
            bytes += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
        }
        let sequence = u16::from_be_bytes([s0, s1]);
        let ssrc = u32::from_be_bytes([i0, i1, i2, i3]);
        (bytes <= packet.len()).then_some(Self { bytes, sequence, ssrc })
    }
}

fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let &[first, _, _, _, i0, i1, i2, i3] = packet.first_chunk::<RTCP_CLEAR>()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes([i0, i1, i2, i3]))
}
