//! RTP headers (RFC 3550, 5.1), and telling the kinds of packets on a port apart (RFC 7983).

use std::fmt;

/// The RTP version.
const VERSION: u8 = 2;
/// Bytes of a header without contributing sources and extension.
pub const HEADER_BYTES: usize = 12;

/// Why bytes are not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than its header says.
    #[error("{length} bytes are too few: the header alone says at least {needed}")]
    TooShort {
        /// Bytes present.
        length: usize,
        /// Bytes required.
        needed: usize,
    },
    /// Not version 2.
    #[error("RTP version {0}: only version 2 is known")]
    Version(u8),
    /// The padding count is zero or exceeds the payload.
    #[error(
        "{padding} bytes of padding in {available} bytes of payload: at least 1 and no more than are there"
    )]
    Padding {
        /// Value of the last byte.
        padding: u8,
        /// Bytes after the header.
        available: usize,
    },
}

/// The fixed part of an RTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// For audio: the first packet of a talk spurt (RFC 3551, 4.1).
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Increases by one with each packet and wraps.
    pub sequence: u16,
    /// Time of the first sample, in units of the payload's clock; wraps.
    pub timestamp: u32,
    /// Identifies the stream.
    pub ssrc: u32,
}

impl Header {
    /// The header as bytes. The highest bit of a payload type beyond 127 is dropped, as it does not exist on the
    /// wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = VERSION << 6;
        bytes[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// An RTP packet, borrowed from its datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed part of the header.
    pub header: Header,
    /// The contributing sources, four bytes each.
    csrcs: &'a [u8],
    /// The header extension, if there is one.
    pub extension: Option<Extension<'a>>,
    /// The payload without padding.
    pub payload: &'a [u8],
}

/// A header extension (RFC 3550, 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Its profile: `0xBEDE` for one-byte elements, `0x100` and four bits for two-byte ones (RFC 8285).
    pub profile: u16,
    /// A whole number of four-byte words.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Copies nothing.
    ///
    /// # Errors
    ///
    /// If the bytes are shorter than the header says, or the version is not 2.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let too_short = |needed| PacketError::TooShort { length: bytes.len(), needed };
        let (fixed, mut rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(too_short(HEADER_BYTES))?;
        let &[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = fixed;
        if first >> 6 != VERSION {
            return Err(PacketError::Version(first >> 6));
        }
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
        };

        let csrc_bytes = usize::from(first & 0x0f) * 4;
        let (csrcs, behind) =
            rest.split_at_checked(csrc_bytes).ok_or(too_short(HEADER_BYTES + csrc_bytes))?;
        rest = behind;

        let mut extension = None;
        if first & 0x10 != 0 {
            let start = bytes.len() - rest.len();
            let (&[p0, p1, l0, l1], behind) = rest.split_first_chunk::<4>().ok_or(too_short(start + 4))?;
            let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
            let (data, behind) = behind.split_at_checked(length).ok_or(too_short(start + 4 + length))?;
            extension = Some(Extension { profile: u16::from_be_bytes([p0, p1]), data });
            rest = behind;
        }

        if first & 0x20 != 0 {
            let padding = rest.last().copied().unwrap_or(0);
            let wrong = PacketError::Padding { padding, available: rest.len() };
            let end = rest.len().checked_sub(usize::from(padding)).ok_or(wrong)?;
            if padding == 0 {
                return Err(wrong);
            }
            rest = &rest[..end];
        }
        Ok(Self { header, csrcs, extension, payload: rest })
    }

    /// The contributing sources, in order.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + '_ {
        self.csrcs.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word))
    }
}

impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("header", &self.header)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// The kinds of datagrams on a media port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A STUN message (ICE).
    Stun,
    /// A DTLS record.
    Dtls,
    /// A TURN channel message.
    TurnChannel,
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
}

impl Kind {
    /// Decides by the first bytes (RFC 7983, 7; RFC 5761, 4). `None` for anything else.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match *bytes.first()? {
            0..=3 => Some(Self::Stun),
            20..=63 => Some(Self::Dtls),
            64..=79 => Some(Self::TurnChannel),
            // 192 to 223 are RTCP packet types; with the marker bit they would be RTP payload types 64 to 95, which
            // are therefore not used (RFC 5761, 4).
            128..=191 => match *bytes.get(1)? {
                192..=223 => Some(Self::Rtcp),
                _ => Some(Self::Rtp),
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { marker: true, payload_type: 8, sequence: 0xfffe, timestamp: 0x0102_0304, ssrc: 0xdead_beef };

    fn packet(first: u8, behind: &[u8]) -> Vec<u8> {
        let mut bytes = HEADER.to_bytes().to_vec();
        bytes[0] |= first;
        bytes.extend_from_slice(behind);
        bytes
    }

    #[test]
    fn a_header_survives_writing_and_reading() {
        let bytes = packet(0, &[1, 2, 3]);
        let read = Packet::parse(&bytes).expect("well formed");
        assert_eq!(read.header, HEADER);
        assert_eq!(read.payload, [1, 2, 3]);
        assert_eq!(bytes[..4], [0x80, 0x88, 0xff, 0xfe]);
    }

    #[test]
    fn sources_extension_and_padding_are_taken_off() {
        // Two sources, an extension of one word, three bytes of payload, two of padding.
        let bytes = packet(
            0x20 | 0x10 | 2,
            &[0, 0, 0, 7, 0, 0, 0, 9, 0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0, b'a', b'b', b'c', 0, 2],
        );
        let read = Packet::parse(&bytes).expect("well formed");
        assert_eq!(read.csrcs().collect::<Vec<_>>(), [7, 9]);
        assert_eq!(read.extension, Some(Extension { profile: 0xbede, data: &[0x10, 0x55, 0, 0] }));
        assert_eq!(read.payload, b"abc");
    }

    #[test]
    fn a_packet_may_be_nothing_but_padding() {
        assert!(Packet::parse(&packet(0x20, &[0, 0, 0, 4])).expect("well formed").payload.is_empty());
    }

    #[test]
    fn what_the_header_promises_must_be_there() {
        let short = |length, needed| Err(PacketError::TooShort { length, needed });
        assert_eq!(Packet::parse(&[]), short(0, 12));
        assert_eq!(Packet::parse(&packet(15, &[0; 59])), short(71, 72));
        assert_eq!(Packet::parse(&packet(0x10, &[0xbe, 0xde, 0])), short(15, 16));
        assert_eq!(Packet::parse(&packet(0x10, &[0xbe, 0xde, 0, 2, 0, 0, 0, 0])), short(20, 24));
        let padding = |padding, available| Err(PacketError::Padding { padding, available });
        assert_eq!(Packet::parse(&packet(0x20, &[])), padding(0, 0));
        assert_eq!(Packet::parse(&packet(0x20, &[1, 0])), padding(0, 2));
        assert_eq!(Packet::parse(&packet(0x20, &[1, 3])), padding(3, 2));
        let mut old = packet(0, &[]);
        old[0] = 0x40;
        assert_eq!(Packet::parse(&old), Err(PacketError::Version(1)));
    }

    #[test]
    fn kinds_are_told_apart_by_their_first_bytes() {
        assert_eq!(Kind::of(&[]), None);
        assert_eq!(Kind::of(&[0, 1]), Some(Kind::Stun));
        assert_eq!(Kind::of(&[22, 254]), Some(Kind::Dtls));
        assert_eq!(Kind::of(&[0x40, 0]), Some(Kind::TurnChannel));
        assert_eq!(Kind::of(&[0x80, 0]), Some(Kind::Rtp));
        assert_eq!(Kind::of(&[0x80, 0x80 | 8]), Some(Kind::Rtp));
        assert_eq!(Kind::of(&[0x81, 201]), Some(Kind::Rtcp));
        assert_eq!(Kind::of(&[0x80]), None);
        assert_eq!(Kind::of(b"~noise"), None);
    }
}
