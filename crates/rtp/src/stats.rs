//! Reception statistics of a stream: sequence numbers, losses, jitter (RFC 3550, A.1, A.3, A.8).

use crate::packet::Header;

/// Sequence numbers this far ahead or behind belong to a restarted stream (RFC 3550, A.1).
const DROPOUT_MAX: u16 = 3000;
const MISORDER_MAX: u16 = 100;

/// The reception of one stream, as receiver reports state it.
#[derive(Debug, Clone)]
pub struct Reception {
    clock_rate: u32,
    stream: Option<Stream>,
    /// Totals of streams that ended before this one.
    received_before: u64,
    lost_before: u64,
    duplicates: u64,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Stream {
    ssrc: u32,
    base: u64,
    /// The highest sequence number, with the count of its wraps above the low 16 bits.
    highest: u64,
    /// The sequence number that would prove a restart.
    suspect: Option<u16>,
    received: u64,
    /// Which of the last 128 sequence numbers have come: bit 0 is the highest.
    come: u128,
    /// How many came again.
    duplicates: u64,
    /// Arrival minus timestamp of the last packet, in RTP clock units.
    transit: i64,
    /// 16 times the jitter, in RTP clock units.
    jitter_q4: u32,
    expected_prior: u64,
    received_prior: u64,
}

/// The content of a report block (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceptionReport {
    /// The reported stream.
    pub ssrc: u32,
    /// Share lost of those expected since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Expected minus received since the stream began; duplicates reduce it, even below zero. 24 bits, signed.
    pub cumulative_lost: i32,
    /// The highest sequence number, extended by the count of its wraps.
    pub extended_highest_sequence: u32,
    /// Interarrival jitter, in RTP clock units.
    pub jitter: u32,
}

impl Reception {
    /// Nothing received yet. `clock_rate` in Hz is that of the payload.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        let clock_rate = clock_rate.max(1);
        Self { clock_rate, stream: None, received_before: 0, lost_before: 0, duplicates: 0, bytes: 0 }
    }

    /// Packets from now on have another clock: it is another stream, and the totals stay.
    #[must_use]
    pub fn with_clock_rate(mut self, clock_rate: u32) -> Self {
        self.end();
        self.clock_rate = clock_rate.max(1);
        self
    }

    /// Counts a valid packet. `timed`: its timestamp says when it was created, so it counts for the jitter; telephone
    /// events repeat the time of their beginning and do not. False: its number is far off, so it does not count; the next packet
    /// shows whether a stream was restarted there.
    pub fn handle_packet(
        &mut self,
        header: &Header,
        payload_bytes: usize,
        arrival_ns: u64,
        timed: bool,
    ) -> bool {
        // Whole seconds separately: the product of all would overflow.
        let (seconds, rest_ns) = (arrival_ns / 1_000_000_000, arrival_ns % 1_000_000_000);
        let clock_rate = u64::from(self.clock_rate);
        let arrival =
            seconds.wrapping_mul(clock_rate).wrapping_add(rest_ns * clock_rate / 1_000_000_000) as i64;
        let transit = arrival.wrapping_sub(i64::from(header.timestamp));
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == header.ssrc) else {
            self.begin(header, payload_bytes, transit);
            return true;
        };
        let ahead = header.sequence.wrapping_sub(stream.highest as u16);
        if ahead < DROPOUT_MAX {
            stream.suspect = None;
        } else if ahead <= u16::MAX - MISORDER_MAX {
            if stream.suspect == Some(header.sequence) {
                self.begin(header, payload_bytes, transit);
                return true;
            }
            stream.suspect = Some(header.sequence.wrapping_add(1));
            return false;
        }
        self.bytes += payload_bytes as u64;
        stream.received += 1;
        if ahead > 0 && ahead < DROPOUT_MAX {
            stream.highest += u64::from(ahead);
            stream.come = stream.come.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        } else {
            let bit = 1 << ahead.wrapping_neg();
            stream.duplicates += u64::from(stream.come & bit != 0);
            stream.come |= bit;
        }
        if timed {
            // The timestamp wraps at 32 bits; so must the difference.
            let change = (transit.wrapping_sub(stream.transit) as i32).unsigned_abs();
            stream.transit = transit;
            // A timestamp that jumped is a new epoch, not jitter.
            if change < self.clock_rate * 2 {
                let fade = (stream.jitter_q4 + 8) >> 4;
                stream.jitter_q4 = (stream.jitter_q4 + change).saturating_sub(fade);
            }
        }
        true
    }

    /// Counts `packets` with `payload_bytes` in all that followed the last one in order, and whose jitter was not
    /// measured.
    pub fn pass(&mut self, packets: u32, payload_bytes: u64) {
        if let Some(stream) = &mut self.stream {
            stream.highest += u64::from(packets);
            stream.received += u64::from(packets);
            // All of them came, so what is behind the highest came as well, or is told as lost.
            stream.come = match 1_u128.checked_shl(packets) {
                Some(next) => stream.come << packets | (next - 1),
                None => u128::MAX,
            };
            self.bytes += payload_bytes;
        }
    }

    /// What was counted of the stream stays.
    fn end(&mut self) {
        self.lost_before = self.lost();
        self.duplicates = self.duplicates();
        if let Some(old) = self.stream.take() {
            self.received_before += old.received;
        }
    }

    fn begin(&mut self, header: &Header, payload_bytes: usize, transit: i64) {
        self.end();
        self.bytes += payload_bytes as u64;
        let first = u64::from(header.sequence);
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            base: first,
            highest: first,
            suspect: None,
            received: 1,
            come: 1,
            duplicates: 0,
            transit,
            jitter_q4: 0,
            expected_prior: 0,
            received_prior: 0,
        });
    }

    /// Packets received, of all streams.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.received_before + self.stream.as_ref().map_or(0, |stream| stream.received)
    }

    /// Bytes of payload received, of all streams.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets expected and not received, of all streams. Others that came twice do not make up for them, as they do in reports.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let of_stream = |stream: &Stream| (stream.lost() + stream.duplicates as i64).max(0) as u64;
        self.lost_before + self.stream.as_ref().map_or(0, of_stream)
    }

    /// Packets that came more than once, of all streams: each time but the first.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates + self.stream.as_ref().map_or(0, |stream| stream.duplicates)
    }

    /// Interarrival jitter of the current stream, in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> f32 {
        let jitter = self.stream.as_ref().map_or(0, |stream| stream.jitter_q4);
        jitter as f32 / 16.0 * 1000.0 / self.clock_rate as f32
    }

    /// The SSRC of the current stream.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.ssrc)
    }

    /// The next report; begins a new interval. `None` if nothing has been received.
    pub fn poll_report(&mut self) -> Option<ReceptionReport> {
        let stream = self.stream.as_mut()?;
        let expected = stream.expected();
        let expected_now = expected - stream.expected_prior;
        let received_now = stream.received - stream.received_prior;
        (stream.expected_prior, stream.received_prior) = (expected, stream.received);
        let lost_now = expected_now.saturating_sub(received_now);
        Some(ReceptionReport {
            ssrc: stream.ssrc,
            fraction_lost: (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8,
            cumulative_lost: stream.lost().clamp(-(1 << 23), (1 << 23) - 1) as i32,
            extended_highest_sequence: stream.highest as u32,
            jitter: stream.jitter_q4 >> 4,
        })
    }
}

impl Stream {
    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16) -> Header {
        Header { sequence, timestamp: u32::from(sequence).wrapping_mul(160), ssrc: 1, ..Header::default() }
    }

    fn receive(reception: &mut Reception, sequence: u16, at_ms: u64) -> bool {
        reception.handle_packet(&header(sequence), 160, at_ms * 1_000_000, true)
    }

    #[test]
    fn losses_are_expected_less_received_and_reports_tell_the_interval() {
        let mut reception = Reception::new(8000);
        for sequence in (0..100).filter(|sequence| sequence % 4 != 3) {
            receive(&mut reception, sequence, u64::from(sequence) * 20);
        }
        receive(&mut reception, 99, 1980);
        assert_eq!((reception.packets(), reception.lost()), (76, 24));
        let first = reception.poll_report().expect("something was received");
        assert_eq!((first.fraction_lost, first.cumulative_lost), (61, 24));
        assert_eq!(first.extended_highest_sequence, 99);
        let second = reception.poll_report().expect("something was received");
        assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 24));
    }

    #[test]
    fn numbers_count_on_through_their_wrap() {
        let mut reception = Reception::new(8000);
        for (sequence, at) in [(65_534, 0), (65_535, 20), (1, 60), (0, 61), (2, 80)] {
            reception.handle_packet(&header(sequence), 160, at * 1_000_000, true);
        }
        let report = reception.poll_report().expect("something was received");
        assert_eq!(report.extended_highest_sequence, 65_538);
        assert_eq!(report.cumulative_lost, 0);
    }

    #[test]
    fn one_wild_number_is_left_out_and_two_in_a_row_are_a_new_stream() {
        let mut reception = Reception::new(8000);
        let counts = |numbers: &[(u16, u64)], reception: &mut Reception| -> Vec<bool> {
            numbers.iter().map(|(sequence, at_ms)| receive(reception, *sequence, *at_ms)).collect()
        };
        assert_eq!(counts(&[(10, 0), (40_000, 20), (11, 20)], &mut reception), [true, false, true]);
        assert_eq!((reception.packets(), reception.lost(), reception.bytes()), (2, 0, 320));
        assert_eq!(counts(&[(50_000, 40), (50_001, 60)], &mut reception), [false, true]);
        assert_eq!((reception.packets(), reception.lost()), (3, 0));
        assert_eq!(reception.poll_report().expect("received").extended_highest_sequence, 50_001);
    }

    /// A report subtracts what came twice (RFC 3550, 6.4.1); what is told of a call does not.
    #[test]
    fn packets_that_come_twice_are_counted_and_hide_no_loss() {
        let mut reception = Reception::new(8000);
        for sequence in [0, 1, 1, 3, 2, 2, 4, 6, 6, 6, 70, 69, 70, 5, 5] {
            receive(&mut reception, sequence, 20);
        }
        assert_eq!((reception.packets(), reception.duplicates()), (15, 6));
        // 7 to 68 never came.
        assert_eq!(reception.lost(), 62);
        assert_eq!(reception.poll_report().expect("received").cumulative_lost, 56);
        // So do those of a number long before them all, which belongs to no stream.
        receive(&mut reception, 40_000, 20);
        assert_eq!(reception.duplicates(), 6);
        reception.pass(200, 32_000);
        receive(&mut reception, 200, 20);
        receive(&mut reception, 271, 20);
        assert_eq!((reception.duplicates(), reception.lost()), (7, 62));
        let reception = reception.with_clock_rate(48_000);
        assert_eq!((reception.packets(), reception.duplicates(), reception.lost()), (217, 7, 62));
    }

    #[test]
    fn jitter_is_zero_for_an_even_stream_and_nears_the_mean_change_for_an_uneven_one() {
        let mut even = Reception::new(8000);
        let mut uneven = Reception::new(8000);
        for sequence in 0..500 {
            receive(&mut even, sequence, u64::from(sequence) * 20);
            // Every other packet is 10 ms late: each changes the transit by 10 ms.
            receive(&mut uneven, sequence, u64::from(sequence) * 20 + u64::from(sequence % 2) * 10);
        }
        assert!(even.jitter_ms() < 0.01, "{}", even.jitter_ms());
        assert!((uneven.jitter_ms() - 10.0).abs() < 0.2, "{}", uneven.jitter_ms());
    }

    #[test]
    fn another_source_starts_anew_and_keeps_the_totals() {
        let mut reception = Reception::new(8000);
        receive(&mut reception, 1, 0);
        receive(&mut reception, 4, 60);
        reception.handle_packet(&Header { ssrc: 2, ..header(900) }, 160, 80_000_000, true);
        assert_eq!((reception.packets(), reception.lost(), reception.bytes()), (3, 2, 480));
        assert_eq!(reception.ssrc(), Some(2));
    }
}
