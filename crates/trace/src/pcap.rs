//! Packet captures that Wireshark, sngrep and tcpdump read (the classic format, with microseconds).
//!
//! What is kept of a message is its text and its addresses. The headers below are made up: each message is an Ethernet frame
//! with a UDP datagram, also where it came by a connection or encrypted.

use crate::ladder::Message;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.tcpdump.pcap";

const MAGIC: u32 = 0xa1b2_c3d4;
const SNAPLEN: u32 = 262_144;
const ETHERNET: u32 = 1;
const UDP: u8 = 17;
/// What a datagram of IPv4 carries.
const PAYLOAD_MAX: usize = 65_507;
/// Locally administered addresses, of the two ends.
const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The messages, in their order.
#[must_use]
pub fn pcap<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_le_bytes());
    file.extend([2_u16, 4].into_iter().flat_map(u16::to_le_bytes));
    file.extend([0, 0, SNAPLEN, ETHERNET].into_iter().flat_map(u32::to_le_bytes));
    for message in messages {
        let frame = frame(message);
        let (seconds, micros) = (message.at_us.div_euclid(1_000_000), message.at_us.rem_euclid(1_000_000));
        let length = frame.len() as u32;
        file.extend([seconds as u32, micros as u32, length, length].into_iter().flat_map(u32::to_le_bytes));
        file.extend(frame);
    }
    file
}

fn frame(message: &Message) -> Vec<u8> {
    let payload = &message.bytes[..message.bytes.len().min(PAYLOAD_MAX)];
    let (from, to) = message.from_to();
    let (source, destination) = if message.is_sent { (OURS, THEIRS) } else { (THEIRS, OURS) };
    let mut frame = Vec::with_capacity(62 + payload.len());
    frame.extend(destination);
    frame.extend(source);
    match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from_ip), IpAddr::V4(to_ip)) => {
            frame.extend(0x0800_u16.to_be_bytes());
            let length = (20 + 8 + payload.len()) as u16;
            let mut header = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            header[2..4].copy_from_slice(&length.to_be_bytes());
            header[12..16].copy_from_slice(&from_ip.octets());
            header[16..20].copy_from_slice(&to_ip.octets());
            let checksum = checksum(&[&header]);
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
            frame.extend(header);
            frame.extend(datagram(&header[12..20], from, to, payload));
        }
        (from_ip, to_ip) => {
            frame.extend(0x86dd_u16.to_be_bytes());
            let mut header = [0; 40];
            header[0] = 0x60;
            header[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
            (header[6], header[7]) = (UDP, 64);
            header[8..24].copy_from_slice(&v6(from_ip).octets());
            header[24..40].copy_from_slice(&v6(to_ip).octets());
            frame.extend(header);
            frame.extend(datagram(&header[8..40], from, to, payload));
        }
    }
    frame
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// The header of UDP, with its checksum, and the payload.
fn datagram(addresses: &[u8], from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut datagram = Vec::with_capacity(usize::from(length));
    datagram.extend([from.port(), to.port(), length, 0].into_iter().flat_map(u16::to_be_bytes));
    datagram.extend(payload);
    let pseudo = [&[0, UDP], &length.to_be_bytes()[..]].concat();
    // Zero would mean that there is none.
    let checksum = match checksum(&[addresses, &pseudo, &datagram]) {
        0 => u16::MAX,
        checksum => checksum,
    };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    datagram
}

/// The checksum of the internet (RFC 1071). All parts but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 =
        words.map(|word| u32::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::Kind;

    fn message(local: &str, remote: &str, bytes: &[u8]) -> Message {
        Message {
            at_us: 1_700_000_000_250_001,
            kind: Kind::Sip,
            is_sent: false,
            transport: "udp",
            local: local.parse().expect("an address"),
            remote: remote.parse().expect("an address"),
            bytes: bytes.into(),
        }
    }

    /// Sums to zero with its checksum.
    fn is_whole(parts: &[&[u8]]) -> bool {
        checksum(parts) == 0
    }

    #[test]
    fn a_message_of_ipv4_is_a_whole_datagram() {
        let file = pcap([&message("192.0.2.1:5060", "198.51.100.9:6000", b"OPTIONS")]);
        assert_eq!(file[..4], MAGIC.to_le_bytes());
        assert_eq!(file[20..24], 1_u32.to_le_bytes());
        assert_eq!(file[24..32], [1_700_000_000_u32.to_le_bytes(), 250_001_u32.to_le_bytes()].concat()[..]);
        let frame = &file[40..];
        assert_eq!(file[32..36], (frame.len() as u32).to_le_bytes());
        assert_eq!(frame[..14], [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        let (ip, udp) = frame[14..].split_at(20);
        assert!(is_whole(&[ip]));
        assert_eq!(ip[12..20], [198, 51, 100, 9, 192, 0, 2, 1]);
        assert_eq!(
            udp[..6],
            [6000_u16.to_be_bytes(), 5060_u16.to_be_bytes(), 15_u16.to_be_bytes()].concat()[..]
        );
        assert!(is_whole(&[&ip[12..20], &[0, UDP, 0, 15], udp]));
        assert_eq!(&udp[8..], b"OPTIONS");
    }

    #[test]
    fn a_message_of_ipv6_is_one_too_and_long_ones_are_cut() {
        let long = vec![b'x'; 70_000];
        let file = pcap([&message("[2001:db8::1]:5060", "192.0.2.7:5060", &long)]);
        let frame = &file[40..];
        assert_eq!(frame[12..14], [0x86, 0xdd]);
        let (ip, udp) = frame[14..].split_at(40);
        assert_eq!(udp.len(), 8 + PAYLOAD_MAX);
        assert_eq!(ip[8..24], "::ffff:192.0.2.7".parse::<Ipv6Addr>().expect("an address").octets());
        let pseudo = [&[0, UDP], &udp[4..6]].concat();
        assert!(is_whole(&[&ip[8..40], &pseudo, udp]));
    }
}
