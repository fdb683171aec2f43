//! Reading RTCP reports (RFC 3550, 6.4) for people and capture servers.

use serde_json::{Value, json};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const GOODBYE: u8 = 203;
const BLOCK_BYTES: usize = 24;

/// A sender or receiver report of a compound packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The reporting stream.
    pub ssrc: u32,
    /// What it sent; `None`: a receiver report.
    pub sent: Option<Sent>,
    /// How it receives others.
    pub received: Vec<Received>,
    /// The same datagram says BYE.
    pub is_goodbye: bool,
}

/// What a stream sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The sender's clock: seconds since 1900.
    pub ntp_seconds: u32,
    /// Their fraction, in units of 2^-32.
    pub ntp_fraction: u32,
    /// The stream's clock at the same moment.
    pub rtp_timestamp: u32,
    /// Packets.
    pub packets: u32,
    /// Octets of payload.
    pub octets: u32,
}

/// How a stream is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The reported stream.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative where some came twice.
    pub lost: i32,
    /// The highest sequence number, extended by its wraps.
    pub highest: u32,
    /// Interarrival jitter, in units of the stream's clock.
    pub jitter: u32,
    /// The last sender report received: the middle of its NTP timestamp.
    pub last_report: u32,
    /// The time since, in 65 536ths of a second.
    pub delay: u32,
}

/// The first report of a compound packet; `None`: there is none.
#[must_use]
pub fn read(mut datagram: &[u8]) -> Option<Report> {
    let mut report = None;
    let mut is_goodbye = false;
    while let Some(&[first, kind, high, low]) = datagram.first_chunk::<4>() {
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        if first >> 6 != 2 {
            break;
        }
        // What was cut off at its end is read as far as it goes.
        let (packet, rest) = datagram.split_at(length.min(datagram.len()));
        datagram = rest;
        match kind {
            SENDER_REPORT | RECEIVER_REPORT if report.is_none() => {
                report = one(kind == SENDER_REPORT, usize::from(first & 31), packet);
            }
            GOODBYE => is_goodbye = true,
            _ => {}
        }
    }
    report.map(|report| Report { is_goodbye, ..report })
}

fn one(is_sender: bool, count: usize, packet: &[u8]) -> Option<Report> {
    let word = |at: usize| packet.get(at..at + 4)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word));
    let ssrc = word(4)?;
    let sent = match is_sender {
        true => Some(Sent {
            ntp_seconds: word(8)?,
            ntp_fraction: word(12)?,
            rtp_timestamp: word(16)?,
            packets: word(20)?,
            octets: word(24)?,
        }),
        false => None,
    };
    let first = if is_sender { 28 } else { 8 };
    let blocks = (0..count).map(|number| first + number * BLOCK_BYTES).map_while(|at| {
        let lost = word(at + 4)?;
        Some(Received {
            ssrc: word(at)?,
            fraction_lost: (lost >> 24) as u8,
            // 24 bits, signed.
            lost: (lost << 8) as i32 >> 8,
            highest: word(at + 8)?,
            jitter: word(at + 12)?,
            last_report: word(at + 16)?,
            delay: word(at + 20)?,
        })
    });
    Some(Report { ssrc, sent, received: blocks.collect(), is_goodbye: false })
}

impl Report {
    /// By the names that capture servers for HEP know.
    #[must_use]
    pub fn for_hep(&self) -> Value {
        let blocks: Vec<Value> = self.received.iter().map(Received::for_hep).collect();
        let mut value = json!({
            "type": if self.sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT },
            "ssrc": self.ssrc,
            "report_count": blocks.len(),
            "report_blocks": blocks,
        });
        if let Some(sent) = &self.sent {
            value["sender_information"] = json!({
                "ntp_timestamp_sec": sent.ntp_seconds,
                "ntp_timestamp_usec": (u64::from(sent.ntp_fraction) * 1_000_000) >> 32,
                "rtp_timestamp": sent.rtp_timestamp,
                "packets": sent.packets,
                "octets": sent.octets,
            });
        }
        value
    }
}

impl Received {
    fn for_hep(&self) -> Value {
        json!({
            "source_ssrc": self.ssrc,
            "fraction_lost": self.fraction_lost,
            "packets_lost": self.lost,
            "highest_seq_no": self.highest,
            "ia_jitter": self.jitter,
            "lsr": self.last_report,
            "dlsr": self.delay,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A sender report with one block, a description, and a BYE.
    pub(crate) const COMPOUND: [u8; 72] = [
        0x81, 200, 0, 12, 0, 0, 0, 7, 0, 0, 0, 9, 0x80, 0, 0, 0, 0, 0, 0, 160, 0, 0, 0, 3, 0, 0, 1,
        0xe0, //
        0, 0, 0x12, 0x34, 26, 0xff, 0xff, 0xfb, 0, 1, 0, 0x40, 0, 0, 0, 17, 0x56, 0x78, 0x9a, 0xbc, 0, 1, 0,
        0, //
        0x81, 202, 0, 2, 0, 0, 0, 7, 1, 1, b'a', 0, //
        0x81, 203, 0, 1, 0, 0, 0, 7,
    ];

    #[test]
    fn a_report_is_read_and_written_by_the_names_of_capture_servers() {
        let report = read(&COMPOUND).expect("a report");
        assert!(report.is_goodbye);
        let expected = json!({
            "type": 200, "ssrc": 7, "report_count": 1,
            "sender_information": {
                "ntp_timestamp_sec": 9, "ntp_timestamp_usec": 500_000, "rtp_timestamp": 160, "packets": 3, "octets": 480,
            },
            "report_blocks": [{
                "source_ssrc": 0x1234, "fraction_lost": 26, "packets_lost": -5, "highest_seq_no": 65_600,
                "ia_jitter": 17, "lsr": 0x5678_9abc_u32, "dlsr": 65_536,
            }],
        });
        assert_eq!(report.for_hep(), expected);
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        for length in 0..COMPOUND.len() {
            if let Some(report) = read(&COMPOUND[..length]) {
                assert_eq!((report.ssrc, report.received.len()), (7, usize::from(length >= 52)), "{length}");
            }
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x12, 200, 0, 1, 0, 0, 0, 0]), None);
    }
}
