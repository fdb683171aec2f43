//! RTCP: sender and receiver reports, and BYE (RFC 3550, 6).
//!
//! Reading uses `rtcp-types`. Writing does not: its builders allocate, and a media thread must not.

use crate::{packet::Kind, stats::ReceptionReport};
use rtcp_types::{Bye, ReceiverReport, ReportBlock, RtcpPacketParser, SenderReport};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// Description item: the canonical name.
const CNAME: u8 = 1;

/// The most bytes that [`Report::write`] writes: a sender report with one block, a description with the longest name,
/// a BYE.
pub const REPORT_BYTES_MAX: usize = 28 + 24 + (4 + 4 + 2 + 255 + 3) + 8;

/// The content of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    /// The reporting stream, which this side sends.
    pub ssrc: u32,
    /// What was sent; `None` if nothing was since the last two reports, which makes a receiver report.
    pub sent: Option<SenderInfo>,
    /// What was received, and when the other side's last sender report arrived.
    pub received: Option<(ReceptionReport, LastReport)>,
    /// This side's canonical name; cut at 255 bytes.
    pub cname: &'a str,
    /// The stream ends (BYE).
    pub goodbye: bool,
}

/// What a sender report says of the sent stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock as an NTP timestamp: seconds since 1900 in the upper 32 bits, their fraction in the lower.
    pub ntp: u64,
    /// The stream's clock at the same moment.
    pub rtp_timestamp: u32,
    /// Packets sent; wraps.
    pub packets: u32,
    /// Bytes of payload sent; wraps.
    pub bytes: u32,
}

/// The other side's last sender report, as report blocks state it (LSR and DLSR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastReport {
    /// The middle 32 bits of its NTP timestamp; 0 if none has arrived.
    pub middle_ntp: u32,
    /// Time since its arrival, in 65 536ths of a second.
    pub delay: u32,
}

impl Report<'_> {
    /// Writes the compound packet to the front of `out`. Returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`REPORT_BYTES_MAX`].
    #[must_use]
    pub fn write(&self, out: &mut [u8]) -> usize {
        assert!(out.len() >= REPORT_BYTES_MAX, "a report takes up to {REPORT_BYTES_MAX} bytes");
        let mut out = Writer { out, length: 0 };
        let blocks = u8::from(self.received.is_some());
        let start = out.begin(blocks, if self.sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT });
        out.put(&self.ssrc.to_be_bytes());
        if let Some(sent) = &self.sent {
            out.put(&sent.ntp.to_be_bytes());
            out.put(&sent.rtp_timestamp.to_be_bytes());
            out.put(&sent.packets.to_be_bytes());
            out.put(&sent.bytes.to_be_bytes());
        }
        if let Some((block, last)) = &self.received {
            out.put(&block.ssrc.to_be_bytes());
            let [_, lost @ ..] = block.cumulative_lost.to_be_bytes();
            out.put(&[block.fraction_lost]);
            out.put(&lost);
            out.put(&block.extended_highest_sequence.to_be_bytes());
            out.put(&block.jitter.to_be_bytes());
            out.put(&last.middle_ntp.to_be_bytes());
            out.put(&last.delay.to_be_bytes());
        }
        out.finish(start);

        let start = out.begin(1, DESCRIPTION);
        out.put(&self.ssrc.to_be_bytes());
        let name = &self.cname.as_bytes()[..self.cname.floor_char_boundary(255)];
        out.put(&[CNAME, name.len() as u8]);
        out.put(name);
        // The list of items ends with a zero, and with the next full word (RFC 3550, 6.5).
        out.put(&[0]);
        while !out.length.is_multiple_of(4) {
            out.put(&[0]);
        }
        out.finish(start);

        if self.goodbye {
            let start = out.begin(1, GOODBYE);
            out.put(&self.ssrc.to_be_bytes());
            out.finish(start);
        }
        out.length
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn begin(&mut self, count: u8, packet_type: u8) -> usize {
        let start = self.length;
        self.put(&[2 << 6 | count, packet_type, 0, 0]);
        start
    }

    fn finish(&mut self, start: usize) {
        let words = (self.length - start) / 4 - 1;
        self.out[start + 2..start + 4].copy_from_slice(&(words as u16).to_be_bytes());
    }
}

/// An item of a received compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpItem {
    /// The other side sends, and this was its clock.
    SenderReport {
        /// Its stream.
        ssrc: u32,
        /// The middle 32 bits of its NTP timestamp, for [`LastReport`].
        middle_ntp: u32,
    },
    /// The other side reports; [`RtcpItem::ReportBlock`] follows for each stream that it receives.
    Report {
        /// The reporting stream.
        ssrc: u32,
    },
    /// How it receives a stream.
    ReportBlock {
        /// The reported stream.
        ssrc: u32,
        /// The highest sequence number that it received, extended by the count of wraps.
        highest: u32,
        /// Lost since its last report, in 256ths.
        fraction_lost: u8,
        /// Expected minus received since the stream began.
        cumulative_lost: i32,
        /// Interarrival jitter, in units of the stream's clock.
        jitter: u32,
        /// The last report of this side that it received.
        last: LastReport,
    },
    /// One of its streams has ended.
    Goodbye {
        /// That stream.
        ssrc: u32,
    },
}

/// Reads a compound packet and calls `item` for each item of interest. A malformed item ends the reading; items
/// before it count.
///
/// Returns whether it was RTCP at all: a compound packet begins with a report (RFC 3550, A.2), or with any RTCP
/// packet in reduced-size RTCP (RFC 5506).
pub fn read(mut bytes: &[u8], mut item: impl FnMut(RtcpItem)) -> bool {
    let mut any = false;
    while let Some(&[first, packet_type, high, low]) = bytes.first_chunk::<4>() {
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let is_rtcp = first >> 6 == 2 && Kind::of(bytes) == Some(Kind::Rtcp);
        let Some((packet, rest)) = bytes.split_at_checked(length).filter(|_| is_rtcp) else { return any };
        any = true;
        bytes = rest;
        match packet_type {
            SENDER_REPORT => {
                let Ok(report) = SenderReport::parse(packet) else { continue };
                item(RtcpItem::SenderReport {
                    ssrc: report.ssrc(),
                    middle_ntp: (report.ntp_timestamp() >> 16) as u32,
                });
                item(RtcpItem::Report { ssrc: report.ssrc() });
                report.report_blocks().for_each(|block| item(receives(&block)));
            }
            RECEIVER_REPORT => {
                let Ok(report) = ReceiverReport::parse(packet) else { continue };
                item(RtcpItem::Report { ssrc: report.ssrc() });
                report.report_blocks().for_each(|block| item(receives(&block)));
            }
            GOODBYE => {
                let Ok(goodbye) = Bye::parse(packet) else { continue };
                goodbye.ssrcs().for_each(|ssrc| item(RtcpItem::Goodbye { ssrc }));
            }
            _ => {}
        }
    }
    any
}

fn receives(block: &ReportBlock<'_>) -> RtcpItem {
    RtcpItem::ReportBlock {
        ssrc: block.ssrc(),
        highest: block.extended_sequence_number(),
        fraction_lost: block.fraction_lost(),
        // 24 bits, signed.
        cumulative_lost: (block.cumulative_lost() << 8) as i32 >> 8,
        jitter: block.interarrival_jitter(),
        last: LastReport {
            middle_ntp: block.last_sender_report_timestamp(),
            delay: block.delay_since_last_sender_report_timestamp(),
        },
    }
}

/// The round-trip time by a report that arrived at `now_middle_ntp` (RFC 3550, 6.4.1), in 65 536ths of a second.
/// `None`: the other side has not received a report yet, or its times make no sense.
///
/// ```text
///   we    ──SR(n)────────────────────────── now ──▶
///              ╲                          ╱
///   they  ──────▶ lsr = n … dlsr … ─RR──╱          round trip = now - lsr - dlsr
/// ```
#[must_use]
pub fn round_trip(now_middle_ntp: u32, last: LastReport) -> Option<u32> {
    if last.middle_ntp == 0 {
        return None;
    }
    let since = now_middle_ntp.wrapping_sub(last.middle_ntp);
    // Half a minute or more means that a clock was set.
    since.checked_sub(last.delay).filter(|round_trip| *round_trip < 30 << 16)
}

/// The wall clock, given as time since 1970, as an NTP timestamp.
#[must_use]
pub fn ntp(since_1970_ns: u64) -> u64 {
    const SECONDS_1900_TO_1970: u64 = 2_208_988_800;
    let seconds = since_1970_ns / 1_000_000_000 + SECONDS_1900_TO_1970;
    let fraction = ((since_1970_ns % 1_000_000_000) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtcp_types::{Compound, Packet as Rtcp};

    const BLOCK: ReceptionReport = ReceptionReport {
        ssrc: 0x1234,
        fraction_lost: 26,
        cumulative_lost: -5,
        extended_highest_sequence: 65_600,
        jitter: 17,
    };
    const LAST: LastReport = LastReport { middle_ntp: 0x5678_9abc, delay: 65_536 };

    fn full() -> Report<'static> {
        Report {
            ssrc: 0xfeed,
            sent: Some(SenderInfo { ntp: 0x1111_2222_3333_4444, rtp_timestamp: 160, packets: 3, bytes: 480 }),
            received: Some((BLOCK, LAST)),
            cname: "call@plenary",
            goodbye: true,
        }
    }

    fn written(report: &Report<'_>) -> Vec<u8> {
        let mut out = [0; REPORT_BYTES_MAX];
        let length = report.write(&mut out);
        out[..length].to_vec()
    }

    #[test]
    fn what_we_write_is_read_by_others_as_meant() {
        let bytes = written(&full());
        let packets: Vec<_> =
            Compound::parse(&bytes).expect("a compound packet").collect::<Result<_, _>>().expect("each");
        let [Rtcp::Sr(report), Rtcp::Sdes(description), Rtcp::Bye(goodbye)] = packets.as_slice() else {
            panic!("{packets:?}")
        };
        assert_eq!((report.ssrc(), report.ntp_timestamp()), (0xfeed, 0x1111_2222_3333_4444));
        assert_eq!((report.rtp_timestamp(), report.packet_count(), report.octet_count()), (160, 3, 480));
        let block = report.report_blocks().next().expect("one block");
        assert_eq!((block.ssrc(), block.fraction_lost(), block.cumulative_lost()), (0x1234, 26, 0xff_fffb));
        assert_eq!((block.extended_sequence_number(), block.interarrival_jitter()), (65_600, 17));
        let chunk = description.chunks().next().expect("one chunk");
        let item = chunk.items().next().expect("one item");
        assert_eq!((item.type_(), item.value()), (CNAME, b"call@plenary".as_slice()));
        assert_eq!(goodbye.ssrcs().collect::<Vec<_>>(), [0xfeed]);
    }

    #[test]
    fn what_we_write_is_what_we_read() {
        let mut seen = Vec::new();
        assert!(read(&written(&full()), |item| seen.push(item)));
        let receives = RtcpItem::ReportBlock {
            ssrc: 0x1234,
            highest: 65_600,
            fraction_lost: 26,
            cumulative_lost: -5,
            jitter: 17,
            last: LAST,
        };
        let (sends, reports) = (
            RtcpItem::SenderReport { ssrc: 0xfeed, middle_ntp: 0x2222_3333 },
            RtcpItem::Report { ssrc: 0xfeed },
        );
        assert_eq!(seen, [sends, reports, receives, RtcpItem::Goodbye { ssrc: 0xfeed }]);
        seen.clear();
        assert!(read(&written(&Report { sent: None, goodbye: false, ..full() }), |item| seen.push(item)));
        assert_eq!(seen, [reports, receives]);
    }

    #[test]
    fn every_length_of_name_gives_whole_words() {
        for length in 0..300 {
            let cname = "x".repeat(length);
            let bytes = written(&Report { cname: &cname, ..full() });
            assert_eq!(bytes.len() % 4, 0);
            assert!(Compound::parse(&bytes).expect("compound").all(|packet| packet.is_ok()), "{length}");
        }
    }

    #[test]
    fn what_is_not_rtcp_is_not_read() {
        assert!(!read(&[], |_| unreachable!()));
        assert!(!read(&[0x80, 0, 0, 0, 0, 0, 0, 0], |_| unreachable!()));
        let mut cut = written(&full());
        cut.truncate(40);
        assert!(!read(&cut, |_| unreachable!()));
    }

    #[test]
    fn the_round_trip_is_what_the_other_side_did_not_hold() {
        let sent = 0x0001_0000;
        let held = LastReport { middle_ntp: sent, delay: 3 << 16 };
        assert_eq!(round_trip(sent + (3 << 16) + 6554, held), Some(6554));
        assert_eq!(round_trip(sent, held), None, "longer held than gone");
        assert_eq!(round_trip(sent, LastReport::default()), None);
    }

    #[test]
    fn ntp_counts_from_1900() {
        assert_eq!(ntp(0), 2_208_988_800 << 32);
        assert_eq!(ntp(1_500_000_000), (2_208_988_801 << 32) | 1 << 31);
    }
}
