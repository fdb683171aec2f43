//! Elements of header extensions (RFC 8285), and the audio level of a packet (RFC 6464).

use crate::packet::{Extension, HEADER_BYTES, Header};

/// The profile of one-byte elements (RFC 8285, 4.2).
const ONE_BYTE: u16 = 0xbede;
/// The profile of two-byte elements, whose last four bits are the application's own (RFC 8285, 4.3).
const TWO_BYTE: u16 = 0x1000;
const TWO_BYTE_MASK: u16 = 0xfff0;
/// In one-byte elements everything from this id on is ignored (RFC 8285, 4.2).
const ONE_BYTE_END: u8 = 15;
/// Octets of a header extension with a level only.
const LEVEL_BYTES: usize = 8;

impl<'a> Extension<'a> {
    /// The first element with this id, 1 to 255; one-byte elements have ids 1 to 14. `None` if there is none, the
    /// extension is of another kind, or it ends before the element does.
    #[must_use]
    pub fn element(&self, id: u8) -> Option<&'a [u8]> {
        let mut rest = self.data;
        while let Some((&first, behind)) = rest.split_first() {
            // Padding.
            if first == 0 {
                rest = behind;
                continue;
            }
            let (its, length, behind) = if self.profile == ONE_BYTE {
                // Id 0 with a length ends the extension too (RFC 8285, 4.1.2).
                if matches!(first >> 4, 0 | ONE_BYTE_END) {
                    return None;
                }
                (first >> 4, usize::from(first & 0x0f) + 1, behind)
            } else if self.profile & TWO_BYTE_MASK == TWO_BYTE {
                let (&length, behind) = behind.split_first()?;
                (first, usize::from(length), behind)
            } else {
                return None;
            };
            let (element, behind) = behind.split_at_checked(length)?;
            if its == id {
                return Some(element);
            }
            rest = behind;
        }
        None
    }
}

/// The audio level of a packet, as its sender states it (RFC 6464, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// 0 (maximum) to 127 (silence): the level in dBov without its sign.
    pub level: u8,
    /// The sender considers it speech. Meaningless if `vad=off` was agreed (RFC 6464, 4).
    pub voice: bool,
}

impl AudioLevel {
    /// Silence.
    pub const SILENCE_LEVEL: u8 = 127;

    /// Reads the element with this id. `None` if there is none, or it is not one octet long.
    #[must_use]
    pub fn read(extension: &Extension<'_>, id: u8) -> Option<Self> {
        match extension.element(id)? {
            [octet] => Some(Self { level: octet & 0x7f, voice: octet & 0x80 != 0 }),
            _ => None,
        }
    }

    /// The level in dBov, -127 to 0.
    #[must_use]
    pub fn dbov(self) -> f32 {
        -f32::from(self.level)
    }

    /// A header extension with this level under `id`, 1 to 255 and not 15: a one-byte element up to 14, otherwise a
    /// two-byte one.
    #[must_use]
    pub fn header_bytes(self, header: &Header, id: u8) -> [u8; HEADER_BYTES + LEVEL_BYTES] {
        let octet = u8::from(self.voice) << 7 | self.level & 0x7f;
        let (profile, element) = match id {
            1..ONE_BYTE_END => (ONE_BYTE, [id << 4, octet, 0, 0]),
            _ => (TWO_BYTE, [id, 1, octet, 0]),
        };
        let mut bytes = [0; HEADER_BYTES + LEVEL_BYTES];
        bytes[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
        bytes[0] |= 0x10;
        bytes[HEADER_BYTES..HEADER_BYTES + 2].copy_from_slice(&profile.to_be_bytes());
        // One word.
        bytes[HEADER_BYTES + 3] = 1;
        bytes[HEADER_BYTES + 4..].copy_from_slice(&element);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    fn one_byte(data: &[u8]) -> Extension<'_> {
        Extension { profile: 0xbede, data }
    }

    fn two_byte(data: &[u8]) -> Extension<'_> {
        Extension { profile: 0x1000, data }
    }

    #[test]
    fn one_byte_elements_are_found_among_others_and_padding() {
        // 3: one octet; padding; 14: two; 1: sixteen, the longest.
        let mut data = vec![0x30, 0xaa, 0, 0, 0xe1, 1, 2, 0x1f];
        data.extend(1..=16);
        data.extend([0, 0, 0, 0]);
        let extension = one_byte(&data);
        assert_eq!(extension.element(3), Some(&[0xaa][..]));
        assert_eq!(extension.element(14), Some(&[1, 2][..]));
        assert_eq!(extension.element(1).map(<[u8]>::len), Some(16));
        for id in [0, 2, 15, 16, 255] {
            assert_eq!(extension.element(id), None, "{id}");
        }
    }

    #[test]
    fn two_byte_elements_may_be_empty_and_have_any_number() {
        let data = [200, 0, 0, 7, 1, 0x55, 15, 2, 1, 2, 0, 0];
        let extension = two_byte(&data);
        assert_eq!(extension.element(200), Some(&[][..]));
        assert_eq!(extension.element(7), Some(&[0x55][..]));
        assert_eq!(extension.element(15), Some(&[1, 2][..]));
        assert_eq!(extension.element(0), None);
        // The application bits change nothing.
        assert_eq!(Extension { profile: 0x100f, data: &data }.element(7), Some(&[0x55][..]));
        assert_eq!(Extension { profile: 0x1010, data: &data }.element(7), None);
    }

    #[test]
    fn what_ends_too_soon_holds_nothing() {
        assert_eq!(one_byte(&[]).element(1), None);
        assert_eq!(one_byte(&[0x10]).element(1), None);
        assert_eq!(one_byte(&[0x23, 1, 2, 3]).element(2), None);
        assert_eq!(two_byte(&[9]).element(9), None);
        assert_eq!(two_byte(&[9, 3, 1, 2]).element(9), None);
        // After 15, and after 0 with a length, nothing counts.
        assert_eq!(one_byte(&[0xf0, 1, 0x10, 2]).element(1), None);
        assert_eq!(one_byte(&[0x01, 0x10, 2, 0]).element(1), None);
        assert_eq!(one_byte(&[0x10, 2, 0xf0, 1]).element(1), Some(&[2][..]));
    }

    #[test]
    fn a_level_is_one_octet_with_the_voice_in_its_first_bit() {
        let level = |level, voice| Some(AudioLevel { level, voice });
        assert_eq!(AudioLevel::read(&one_byte(&[0x10, 0x80 | 30, 0, 0]), 1), level(30, true));
        assert_eq!(AudioLevel::read(&one_byte(&[0x10, 127, 0, 0]), 1), level(127, false));
        assert_eq!(AudioLevel::read(&two_byte(&[16, 1, 0x80, 0]), 16), level(0, true));
        assert_eq!(AudioLevel::read(&one_byte(&[0x11, 1, 2, 0]), 1), None, "two octets are something else");
        assert_eq!(AudioLevel::read(&two_byte(&[16, 0, 0, 0]), 16), None);
        assert_eq!(AudioLevel { level: 42, voice: true }.dbov(), -42.0);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let header = Header { marker: true, payload_type: 111, sequence: 7, timestamp: 960, ssrc: 5 };
        for id in (1..=255).filter(|id| *id != 15) {
            for (level, voice) in [(0, true), (61, false), (127, true)] {
                let written = AudioLevel { level, voice };
                let bytes = [written.header_bytes(&header, id).as_slice(), b"opus"].concat();
                let packet = Packet::parse(&bytes).expect("well formed");
                assert_eq!((packet.header, packet.payload), (header, &b"opus"[..]));
                let extension = packet.extension.expect("there is one");
                assert_eq!(extension.profile == 0xbede, id < 15);
                assert_eq!(AudioLevel::read(&extension, id), Some(written), "{id}");
            }
        }
    }
}
