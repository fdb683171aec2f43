//! HEP3, by which capture servers (Homer, sngrep) are sent what was captured: a header, then chunks of vendor, type, length
//! and value, all big-endian.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A SIP message.
    Sip,
    /// An RTCP report, as JSON.
    RtcpJson,
    /// A line of the log.
    Log,
}

/// Something captured.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// What it is.
    pub protocol: Protocol,
    /// Where it came from.
    pub from: SocketAddr,
    /// Where it went.
    pub to: SocketAddr,
    /// It went by a connection.
    pub is_stream: bool,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// Which of the agents of the capture server this is.
    pub agent: u32,
    /// What belongs together: the Call-ID.
    pub correlation: Option<&'a str>,
    /// It. What is longer than a datagram can carry is cut.
    pub payload: &'a [u8],
}

const PAYLOAD_MAX: usize = 60_000;
const CORRELATION_MAX: usize = 1000;
const INET: u8 = 2;
const INET6: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The datagram for the capture server.
#[must_use]
pub fn encode(packet: &Packet<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(160 + packet.payload.len());
    out.extend(b"HEP3\0\0");
    let mut chunk = |kind: u16, value: &[u8]| {
        out.extend([0, kind, 6 + value.len() as u16].into_iter().flat_map(u16::to_be_bytes));
        out.extend(value);
    };
    let transport = if packet.is_stream { TCP } else { UDP };
    match (packet.from.ip().to_canonical(), packet.to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            chunk(1, &[INET]);
            chunk(2, &[transport]);
            chunk(3, &from.octets());
            chunk(4, &to.octets());
        }
        (from, to) => {
            chunk(1, &[INET6]);
            chunk(2, &[transport]);
            chunk(5, &v6(from).octets());
            chunk(6, &v6(to).octets());
        }
    }
    chunk(7, &packet.from.port().to_be_bytes());
    chunk(8, &packet.to.port().to_be_bytes());
    chunk(9, &(packet.at_us.div_euclid(1_000_000) as u32).to_be_bytes());
    chunk(10, &(packet.at_us.rem_euclid(1_000_000) as u32).to_be_bytes());
    let protocol = match packet.protocol {
        Protocol::Sip => 1,
        Protocol::RtcpJson => 5,
        Protocol::Log => 100,
    };
    chunk(11, &[protocol]);
    chunk(12, &packet.agent.to_be_bytes());
    chunk(15, &packet.payload[..packet.payload.len().min(PAYLOAD_MAX)]);
    if let Some(correlation) = packet.correlation {
        chunk(17, &correlation.as_bytes()[..correlation.len().min(CORRELATION_MAX)]);
    }
    let length = out.len() as u16;
    out[4..6].copy_from_slice(&length.to_be_bytes());
    out
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The chunks of a packet, by type.
    fn decode(bytes: &[u8]) -> BTreeMap<u16, Vec<u8>> {
        assert_eq!(&bytes[..4], b"HEP3");
        let number = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(usize::from(number(4)), bytes.len());
        let (mut at, mut chunks) = (6, BTreeMap::new());
        while at < bytes.len() {
            assert_eq!(number(at), 0, "the vendor of general chunks");
            let length = usize::from(number(at + 4));
            assert!(chunks.insert(number(at + 2), bytes[at + 6..at + length].to_vec()).is_none());
            at += length;
        }
        assert_eq!(at, bytes.len());
        chunks
    }

    fn packet<'a>(from: &str, to: &str, payload: &'a [u8]) -> Packet<'a> {
        Packet {
            protocol: Protocol::Sip,
            from: from.parse().expect("an address"),
            to: to.parse().expect("an address"),
            is_stream: false,
            at_us: 1_700_000_000_000_007,
            agent: 2001,
            correlation: Some("1@h"),
            payload,
        }
    }

    #[test]
    fn a_packet_of_ipv4_has_its_chunks() {
        let chunks = decode(&encode(&packet("192.0.2.1:5060", "198.51.100.9:6000", b"OPTIONS")));
        let expected: BTreeMap<u16, Vec<u8>> = [
            (1, vec![2]),
            (2, vec![17]),
            (3, vec![192, 0, 2, 1]),
            (4, vec![198, 51, 100, 9]),
            (7, 5060_u16.to_be_bytes().to_vec()),
            (8, 6000_u16.to_be_bytes().to_vec()),
            (9, 1_700_000_000_u32.to_be_bytes().to_vec()),
            (10, 7_u32.to_be_bytes().to_vec()),
            (11, vec![1]),
            (12, 2001_u32.to_be_bytes().to_vec()),
            (15, b"OPTIONS".to_vec()),
            (17, b"1@h".to_vec()),
        ]
        .into();
        assert_eq!(chunks, expected);
    }

    #[test]
    fn other_addresses_protocols_and_long_messages_fit() {
        let long = vec![b'x'; 100_000];
        let packet = Packet {
            protocol: Protocol::RtcpJson,
            is_stream: true,
            correlation: None,
            ..packet("[2001:db8::1]:5060", "192.0.2.1:1", &long)
        };
        let chunks = decode(&encode(&packet));
        assert_eq!((&chunks[&1][..], &chunks[&2][..], &chunks[&11][..]), (&[10][..], &[6][..], &[5][..]));
        assert_eq!(chunks[&6], "::ffff:192.0.2.1".parse::<Ipv6Addr>().expect("an address").octets());
        assert_eq!(chunks[&15].len(), PAYLOAD_MAX);
        assert!(!chunks.contains_key(&17));
    }
}
