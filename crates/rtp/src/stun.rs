//! The connectivity checks of ICE (RFC 8445, 7.3), from the side that makes none itself: Binding requests of STUN
//! with short-term credentials (RFC 8489), and their responses.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::net::{IpAddr, SocketAddr};

const MAGIC: u32 = 0x2112_a442;
const HEADER_BYTES: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// The longest response: header, mapped address of IPv6, integrity, fingerprint.
pub const RESPONSE_BYTES_MAX: usize = HEADER_BYTES + 24 + 24 + 8;

/// A received and authentic check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    transaction: [u8; 12],
    /// The other side nominates this candidate pair (RFC 8445, 8.1.1).
    pub nominates: bool,
}

/// Reads a Binding request for `ufrag` that was made with this side's `pwd`. `None` for anything else.
#[must_use]
pub fn check(bytes: &[u8], ufrag: &str, pwd: &str) -> Option<Check> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let magic = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    if kind != BINDING_REQUEST || magic != MAGIC || bytes.len() != HEADER_BYTES + length {
        return None;
    }
    let transaction = header[8..].try_into().ok()?;
    let (mut at, mut named, mut nominates) = (HEADER_BYTES, false, false);
    while let Some(head) = bytes.get(at..at + 4) {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let size = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = bytes.get(at + 4..at + 4 + size)?;
        match kind {
            // `ours:theirs` (RFC 8445, 7.2.2).
            USERNAME => {
                let (ours, _) = std::str::from_utf8(value).ok()?.split_once(':')?;
                named = ours == ufrag;
            }
            USE_CANDIDATE => nominates = true,
            MESSAGE_INTEGRITY => {
                let is_authentic = named && integrity(bytes.get(..at)?, pwd).verify_slice(value).is_ok();
                return is_authentic.then_some(Check { transaction, nominates });
            }
            _ => {}
        }
        at += 4 + size.next_multiple_of(4);
    }
    // Without integrity anyone could have sent it.
    None
}

/// HMAC of everything before the attribute, with a length that includes the attribute (RFC 8489, 14.5).
fn integrity(before: &[u8], pwd: &str) -> Hmac<Sha1> {
    let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(pwd.as_bytes()).expect("HMAC takes keys of any length");
    let length = (before.len() - HEADER_BYTES + 24) as u16;
    mac.update(&before[..2]);
    mac.update(&length.to_be_bytes());
    mac.update(&before[4..]);
    mac
}

impl Check {
    /// Writes the response with the source address of the check; returns its length.
    pub fn respond(&self, from: SocketAddr, pwd: &str, out: &mut [u8; RESPONSE_BYTES_MAX]) -> usize {
        let ip = from.ip().to_canonical();
        out[..2].copy_from_slice(&BINDING_SUCCESS.to_be_bytes());
        out[4..8].copy_from_slice(&MAGIC.to_be_bytes());
        out[8..20].copy_from_slice(&self.transaction);
        let mut mask = [0; 16];
        mask.copy_from_slice(&out[4..20]);
        let mut end = HEADER_BYTES;
        let mut attribute = |out: &mut [u8; RESPONSE_BYTES_MAX], kind: u16, value: &[u8]| {
            out[end..end + 2].copy_from_slice(&kind.to_be_bytes());
            out[end + 2..end + 4].copy_from_slice(&(value.len() as u16).to_be_bytes());
            out[end + 4..end + 4 + value.len()].copy_from_slice(value);
            end += 4 + value.len();
            end
        };
        let set_length = |out: &mut [u8; RESPONSE_BYTES_MAX], end: usize| {
            out[2..4].copy_from_slice(&((end - HEADER_BYTES) as u16).to_be_bytes());
        };
        let port = (from.port() ^ (MAGIC >> 16) as u16).to_be_bytes();
        let mut value = [0, 1, port[0], port[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let size = match ip {
            IpAddr::V4(ip) => {
                value[4..8].copy_from_slice(&ip.octets());
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                value[4..].copy_from_slice(&ip.octets());
                20
            }
        };
        value[4..].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        let end_of_address = attribute(out, XOR_MAPPED_ADDRESS, &value[..size]);
        let proof: [u8; 20] = integrity(&out[..end_of_address], pwd).finalize().into_bytes().into();
        let end_of_proof = attribute(out, MESSAGE_INTEGRITY, &proof);
        set_length(out, end_of_proof + 8);
        let fingerprint = crc32(&out[..end_of_proof]) ^ FINGERPRINT_XOR;
        attribute(out, FINGERPRINT, &fingerprint.to_be_bytes())
    }
}

/// CRC-32 as of Ethernet (ITU-T V.42), of a few dozen octets.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769, 2.1: a request with its password, and a username that the text gives.
    const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae80220010\
        5354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36\
        000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2\
        80280004e57a3bcf";
    const PWD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn the_request_of_the_rfc_is_authentic_for_whom_it_is_meant() {
        let request = hex(REQUEST);
        let found = check(&request, "evtj", PWD).expect("authentic");
        assert!(!found.nominates);
        assert_eq!(check(&request, "other", PWD), None);
        assert_eq!(check(&request, "evtj", "another password, longer"), None);
        for at in 0..request.len() - 8 {
            let mut changed = request.clone();
            changed[at] ^= 1;
            // The padding of the user name is authenticated too.
            assert_eq!(check(&changed, "evtj", PWD), None, "octet {at}");
        }
    }

    /// RFC 5769, 2.2 without its SOFTWARE attribute: the mapped address is the same.
    #[test]
    fn a_response_tells_where_the_request_came_from() {
        let found = check(&hex(REQUEST), "evtj", PWD).unwrap();
        let mut out = [0; RESPONSE_BYTES_MAX];
        let length = found.respond("192.0.2.1:32853".parse().unwrap(), PWD, &mut out);
        assert_eq!(out[..8], hex("0101 002c 2112a442"));
        assert_eq!(out[20..32], hex("002000080001a147e112a643"));
        assert_eq!(length, 20 + 12 + 24 + 8);
        let mapped: SocketAddr = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let length = found.respond(mapped, PWD, &mut out);
        assert_eq!(out[20..44], hex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"));
        assert_eq!(length, RESPONSE_BYTES_MAX);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
