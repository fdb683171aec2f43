//! The peer address of a stream (symmetric RTP, RFC 4961; latching, RFC 7362).

use plenary_rtp::packet::Header;
use std::net::SocketAddr;

/// After this time the address is settled until the next session description.
const SETTLING_NS: u64 = 5_000_000_000;
/// Before that, this many consecutive packets from elsewhere, with none from the old address, move it.
const PACKETS_TO_MOVE: u32 = 5;
/// After this long without a packet the stream may continue from another port.
pub(super) const SILENT_NS: u64 = 1_000_000_000;
/// Upper bound of packets per second of a stream that continues: 10 ms each. More than [`SEQUENCE_MAX`] ahead is
/// another stream.
const PACKETS_PER_SECOND: u64 = 100;
const SEQUENCE_MAX: u64 = 3000;

/// Tracks where a call's packets come from, and accepts them from there only.
///
/// The first valid packet defines the address, wherever it is from, because the address that a telephone behind a NAT
/// announces is not the one on its packets. In the first seconds it may change, for telephones that move their media
/// during call set-up: at once to a better match of the announced address, and to an equal match after a run of
/// packets that nothing from the old address interrupts; never to a worse match. After that it may not, so a stranger
/// cannot divert a call's audio.
///
/// At any time the same stream may continue from elsewhere, as when a NAT gives it another port. With SRTP the first
/// newer authentic packet proves it. Without, the old port has to be silent for a second; then the same host may
/// continue with the same SSRC and the next sequence numbers and timestamps, which are unknown to anyone who does not
/// see the packets.
#[derive(Debug, Clone)]
pub(crate) struct Latch {
    agreed: SocketAddr,
    held: Option<Held>,
    candidate: Option<Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    from: SocketAddr,
    first_ns: u64,
    /// Arrival of the last packet from there, or the time at which ICE nominated it.
    last_ns: u64,
    newest: Option<Newest>,
}

/// The newest packet of the stream.
#[derive(Debug, Clone, Copy)]
struct Newest {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

/// A valid packet and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'h> {
    pub(super) from: SocketAddr,
    pub(super) header: &'h Header,
    /// It is protected with the call's key, and is not a replay.
    pub(super) is_authentic: bool,
    /// Of its timestamps, in Hz.
    pub(super) clock_rate: u32,
    pub(super) at_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    next_sequence: u16,
    packets: u32,
}

impl Latch {
    /// Before the first packet. `agreed` is the address in the session description.
    pub(crate) fn new(agreed: SocketAddr) -> Self {
        Self { agreed, held: None, candidate: None }
    }

    /// The address to send to.
    pub(crate) fn destination(&self) -> SocketAddr {
        self.held.map_or(self.agreed, |held| held.from)
    }

    /// The address can no longer change by packets alone.
    pub(crate) fn is_settled(&self, now_ns: u64) -> bool {
        self.held.is_some_and(|held| now_ns.saturating_sub(held.first_ns) >= SETTLING_NS)
    }

    /// An ICE check of the other side nominated this address.
    pub(crate) fn nominate(&mut self, from: SocketAddr, now_ns: u64) {
        self.held = Some(Held { from, first_ns: now_ns, last_ns: now_ns, newest: None });
        self.candidate = None;
    }

    /// The address is known, from packets or from ICE.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Nothing has arrived for so long that the stream may continue from another port.
    pub(super) fn is_silent(&self, now_ns: u64) -> bool {
        self.held.is_some_and(|held| now_ns.saturating_sub(held.last_ns) >= SILENT_NS)
    }

    /// Accounts for `packets` more packets of `units` each from the present address, the last one at `last_ns`.
    pub(super) fn pass(&mut self, packets: u32, units: u32, last_ns: u64) {
        if let Some(Held { last_ns: last, newest: Some(newest), .. }) = &mut self.held {
            *last = last_ns.max(*last);
            newest.sequence = newest.sequence.wrapping_add(packets as u16);
            newest.timestamp = newest.timestamp.wrapping_add(packets.wrapping_mul(units));
        }
    }

    /// The address in the session description.
    pub(crate) fn agreed(&self) -> SocketAddr {
        self.agreed
    }

    /// Judges a valid packet. False if it is from a stranger.
    pub(super) fn is_ours(&mut self, seen: Seen<'_>) -> bool {
        let Seen { from, header, at_ns, .. } = seen;
        let newest = Some(Newest::of(header));
        let Some(held) = &mut self.held else {
            self.held = Some(Held { from, first_ns: at_ns, last_ns: at_ns, newest });
            return true;
        };
        if from == held.from {
            held.note(header, at_ns);
            self.candidate = None;
            return true;
        }
        if held.goes_on_with(seen) {
            self.held = Some(Held { from, last_ns: at_ns, newest, ..*held });
            self.candidate = None;
            return true;
        }
        let held = *held;
        if self.is_settled(at_ns) {
            return false;
        }
        let packets = match self.candidate {
            Some(other)
                if other.from == from
                    && other.ssrc == header.ssrc
                    && other.next_sequence == header.sequence =>
            {
                other.packets + 1
            }
            _ => 1,
        };
        let next_sequence = header.sequence.wrapping_add(1);
        self.candidate = Some(Candidate { from, ssrc: header.ssrc, next_sequence, packets });
        let (new, old) = (self.fit(from), self.fit(held.from));
        if new < old || new == old && packets < PACKETS_TO_MOVE {
            return false;
        }
        self.held = Some(Held { from, last_ns: at_ns, newest, ..held });
        self.candidate = None;
        true
    }

    /// How well an address matches the announced one.
    fn fit(&self, from: SocketAddr) -> u8 {
        match from {
            _ if from == self.agreed => 2,
            _ if from.ip() == self.agreed.ip() => 1,
            _ => 0,
        }
    }
}

impl Newest {
    fn of(header: &Header) -> Self {
        Self { ssrc: header.ssrc, sequence: header.sequence, timestamp: header.timestamp }
    }
}

impl Held {
    /// Records a packet from the present address.
    fn note(&mut self, header: &Header, at_ns: u64) {
        self.last_ns = at_ns.max(self.last_ns);
        let is_older = self.newest.is_some_and(|newest| {
            newest.ssrc == header.ssrc && header.sequence.wrapping_sub(newest.sequence) as i16 <= 0
        });
        if !is_older {
            self.newest = Some(Newest::of(header));
        }
    }

    /// A packet from elsewhere continues the stream from here.
    fn goes_on_with(&self, seen: Seen<'_>) -> bool {
        let Seen { from, header, is_authentic, clock_rate, at_ns } = seen;
        let Some(newest) = self.newest else { return false };
        let ahead = header.sequence.wrapping_sub(newest.sequence);
        if is_authentic {
            return newest.ssrc != header.ssrc || (1..=u16::MAX / 2).contains(&ahead);
        }
        let silent_ns = at_ns.saturating_sub(self.last_ns);
        if from.ip() != self.from.ip() || silent_ns < SILENT_NS || newest.ssrc != header.ssrc {
            return false;
        }
        let most = (silent_ns.saturating_mul(PACKETS_PER_SECOND) / 1_000_000_000 + PACKETS_PER_SECOND)
            .min(SEQUENCE_MAX);
        // The clock of some senders stops while they send nothing, and all packets of a key carry the time of its
        // beginning: then the timestamp is behind. It is never ahead, except by the drift of the two clocks.
        let clock_rate = i64::from(clock_rate);
        let passed = i64::from(header.timestamp.wrapping_sub(newest.timestamp) as i32);
        let expected = (i128::from(silent_ns) * i128::from(clock_rate) / 1_000_000_000) as i64;
        (1..=most).contains(&u64::from(ahead)) && (-clock_rate..=expected + clock_rate).contains(&passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn header(sequence: u16) -> Header {
        Header { sequence, ssrc: 5, ..Header::default() }
    }

    impl Latch {
        /// Judges an unprotected packet.
        fn takes(&mut self, from: SocketAddr, header: &Header, at_ns: u64) -> bool {
            self.is_ours(Seen { from, header, is_authentic: false, clock_rate: 8000, at_ns })
        }
    }

    #[test]
    fn packets_go_where_they_come_from_and_before_that_where_was_agreed() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert_eq!(latch.destination(), at("10.0.0.1:4000"));
        assert!(latch.takes(at("198.51.100.7:61000"), &header(1), 0));
        assert_eq!(latch.destination(), at("198.51.100.7:61000"));
    }

    #[test]
    fn one_packet_of_a_stranger_moves_nothing_and_five_in_a_row_do_while_it_settles() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        let (first, second) = (at("198.51.100.7:1"), at("203.0.113.9:1"));
        assert!(latch.takes(first, &header(1), 0));
        for sequence in 0..4 {
            assert!(!latch.takes(second, &header(100 + sequence), SECOND));
        }
        assert!(latch.takes(first, &header(2), SECOND), "the first one goes on: the run is broken");
        for sequence in 4..8 {
            assert!(!latch.takes(second, &header(100 + sequence), SECOND));
        }
        assert!(latch.takes(second, &header(108), SECOND));
        assert_eq!(latch.destination(), second);
        assert!(!latch.takes(first, &header(3), SECOND));
    }

    #[test]
    fn a_run_that_does_not_hang_together_moves_nothing() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert!(!latch.is_settled(9 * SECOND), "nothing came");
        assert!(latch.takes(at("198.51.100.7:1"), &header(1), 0));
        assert!(!latch.is_settled(5 * SECOND - 1) && latch.is_settled(5 * SECOND));
        for sequence in (0..40).step_by(2) {
            assert!(!latch.takes(at("203.0.113.9:1"), &header(sequence), SECOND));
        }
    }

    #[test]
    fn once_settled_nothing_moves_it() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert!(latch.takes(at("198.51.100.7:1"), &header(1), 0));
        for sequence in 0..100 {
            assert!(!latch.takes(at("10.0.0.1:4000"), &header(sequence), 5 * SECOND));
        }
        assert_eq!(latch.destination(), at("198.51.100.7:1"));
    }

    /// What RFC 7362, section 5, warns of: an attacker who guesses the port and is faster than the caller behind a
    /// NAT.
    #[test]
    fn a_faster_stranger_has_the_stream_of_a_caller_behind_a_nat_until_the_stranger_pauses() {
        let agreed = at("10.0.0.1:4000");
        let (stranger, caller) = (at("203.0.113.9:1"), at("198.51.100.7:61000"));
        let mut latch = Latch::new(agreed);
        assert!(latch.takes(stranger, &header(1), 0));
        for n in 0..50 {
            assert!(!latch.takes(caller, &header(1000 + n), u64::from(n) * SECOND / 50));
            assert!(latch.takes(stranger, &header(2 + n), u64::from(n) * SECOND / 50));
        }
        for n in 50..54 {
            assert!(!latch.takes(caller, &header(1000 + n), SECOND));
        }
        assert!(latch.takes(caller, &header(1054), SECOND), "five in a row while the stranger paused");
        assert!(!latch.takes(stranger, &header(60), SECOND));
        assert_eq!(latch.destination(), caller);
    }

    #[test]
    fn a_faster_stranger_is_out_with_the_first_packet_of_a_caller_who_is_where_the_caller_said() {
        let mut latch = Latch::new(at("198.51.100.7:4000"));
        for n in 0..100 {
            assert!(latch.takes(at("203.0.113.9:1"), &header(n), u64::from(n) * SECOND / 50));
        }
        assert!(latch.takes(at("198.51.100.7:4000"), &header(1000), 2 * SECOND));
        for n in 100..200 {
            assert!(!latch.takes(at("203.0.113.9:1"), &header(n), u64::from(n) * SECOND / 50));
        }
        assert_eq!(latch.destination(), at("198.51.100.7:4000"));
    }

    #[test]
    fn the_address_agreed_on_displaces_the_one_that_came_first() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert!(latch.takes(at("203.0.113.9:1"), &header(1), 0));
        assert!(latch.takes(at("10.0.0.1:4711"), &header(900), 1), "the agreed host from another port");
        assert!(latch.takes(at("10.0.0.1:4000"), &header(901), 2), "the very address");
        assert!(!latch.takes(at("203.0.113.9:1"), &header(2), 3));
    }

    const OLD: &str = "198.51.100.7:40000";
    const NEW: &str = "198.51.100.7:50000";

    /// A stream of ten seconds, of which this is the last packet, at its own time.
    fn went_on() -> (Latch, Header, u64) {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        let mut last = (Header::default(), 0);
        for number in 0..500_u16 {
            let header =
                Header { timestamp: u32::from(number) * 160, ..header(65_300_u16.wrapping_add(number)) };
            last = (header, u64::from(number) * SECOND / 50);
            assert!(latch.takes(at(OLD), &header, last.1));
        }
        (latch, last.0, last.1)
    }

    /// The header `packets` of 20 ms later.
    fn later(header: &Header, packets: u16) -> Header {
        Header {
            sequence: header.sequence.wrapping_add(packets),
            timestamp: header.timestamp.wrapping_add(u32::from(packets) * 160),
            ..*header
        }
    }

    #[test]
    fn the_same_stream_goes_on_from_another_port_once_the_old_one_is_silent_for_a_second() {
        let (mut latch, last, at_ns) = went_on();
        for packets in 1..50 {
            let at_ns = at_ns + u64::from(packets) * SECOND / 50;
            assert!(!latch.takes(at(NEW), &later(&last, packets), at_ns), "{packets}");
        }
        assert!(latch.takes(at(NEW), &later(&last, 50), at_ns + SECOND));
        assert_eq!(latch.destination(), at(NEW));
        assert!(!latch.takes(at(OLD), &later(&last, 51), at_ns + SECOND), "it was the one that moved");
        // And again, from yet another.
        assert!(latch.takes(at(OLD), &later(&last, 101), at_ns + 2 * SECOND + SECOND / 50));
    }

    #[test]
    fn nothing_else_moves_a_silent_stream() {
        let (latch, last, at_ns) = went_on();
        let next = later(&last, 150);
        let others = [
            ("198.51.100.8:40000", next, "another host"),
            (NEW, Header { ssrc: 6, ..next }, "another source"),
            (NEW, Header { sequence: last.sequence, ..next }, "no newer number"),
            (NEW, Header { sequence: last.sequence.wrapping_sub(1), ..next }, "an older number"),
            (NEW, later(&last, 450), "more packets than three seconds hold"),
            (NEW, Header { timestamp: last.timestamp + 5 * 8000, ..next }, "later than it is"),
            (NEW, Header { timestamp: last.timestamp.wrapping_sub(9000), ..next }, "sooner than it was"),
        ];
        for (from, header, what) in others {
            assert!(!latch.clone().takes(at(from), &header, at_ns + 3 * SECOND), "{what}");
        }
        for (header, what) in [
            (next, "all went on"),
            (later(&last, 1), "sent nothing, and its clock stood still"),
            (
                Header { sequence: last.sequence.wrapping_add(1), ..next },
                "sent nothing, and its clock went on",
            ),
        ] {
            assert!(latch.clone().takes(at(NEW), &header, at_ns + 3 * SECOND), "{what}");
        }
    }

    #[test]
    fn packets_that_were_only_counted_are_part_of_the_stream() {
        let (mut latch, last, at_ns) = went_on();
        latch.pass(100, 160, at_ns + 2 * SECOND);
        assert!(!latch.is_silent(at_ns + 3 * SECOND - 1) && latch.is_silent(at_ns + 3 * SECOND));
        assert!(!latch.clone().takes(at(NEW), &later(&last, 100), at_ns + 3 * SECOND), "it came before");
        assert!(latch.takes(at(NEW), &later(&last, 150), at_ns + 3 * SECOND));
    }

    #[test]
    fn an_authentic_packet_that_is_newer_moves_a_stream_at_once() {
        let (mut latch, last, at_ns) = went_on();
        let mut authentic = |from: &str, header: &Header| {
            latch.is_ours(Seen { from: at(from), header, is_authentic: true, clock_rate: 8000, at_ns })
        };
        assert!(!authentic("203.0.113.9:1", &Header { sequence: last.sequence.wrapping_sub(2), ..last }));
        assert!(authentic("203.0.113.9:1", &later(&last, 1)));
        assert!(authentic("203.0.113.9:2", &Header { ssrc: 77, ..header(3) }));
        assert_eq!(latch.destination(), at("203.0.113.9:2"));
    }
}
