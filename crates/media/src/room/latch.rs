//! Where a stream comes from, and so where ours goes (symmetric RTP, RFC 4961; latching, RFC 7362).

use plenary_rtp::packet::Header;
use std::net::SocketAddr;

/// After this long where a stream comes from is settled until the other side agrees on something else.
const SETTLING_NS: u64 = 5_000_000_000;
/// While it settles, this many packets in a row from elsewhere, and none from where it came before, move it.
const PACKETS_TO_MOVE: u32 = 5;

/// Knows where a call's packets come from and takes them from there only.
///
/// The first valid packet says it, wherever it is from, for the address that a phone behind a NAT names is
/// not the one that its packets bear. In the first seconds it may change, for phones that move their media
/// while a call is set up: at once to an address that fits better to what was agreed, and to one that
/// fits as well by a run of packets that nothing from the old one interrupts; never to one that fits less. After
/// that it may not, so nobody can draw a call's audio to himself.
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
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    next_sequence: u16,
    packets: u32,
}

impl Latch {
    /// Nothing came yet. `agreed` is what the other side said it would use.
    pub(crate) fn new(agreed: SocketAddr) -> Self {
        Self { agreed, held: None, candidate: None }
    }

    /// Where to send to.
    pub(crate) fn destination(&self) -> SocketAddr {
        self.held.map_or(self.agreed, |held| held.from)
    }

    /// Where the stream comes from can no longer change by packets that come.
    pub(crate) fn is_settled(&self, now_ns: u64) -> bool {
        self.held.is_some_and(|held| now_ns.saturating_sub(held.first_ns) >= SETTLING_NS)
    }

    /// The other side has shown by a check of ICE that it is there, and wants to be sent to there.
    pub(crate) fn nominate(&mut self, from: SocketAddr, now_ns: u64) {
        self.held = Some(Held { from, first_ns: now_ns });
        self.candidate = None;
    }

    /// What was agreed on.
    pub(crate) fn agreed(&self) -> SocketAddr {
        self.agreed
    }

    /// Judges a valid packet. False: it is a stranger's.
    pub(crate) fn is_ours(&mut self, from: SocketAddr, header: &Header, now_ns: u64) -> bool {
        let Some(held) = self.held else {
            self.held = Some(Held { from, first_ns: now_ns });
            return true;
        };
        if from == held.from {
            self.candidate = None;
            return true;
        }
        if self.is_settled(now_ns) {
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
        self.held = Some(Held { from, ..held });
        self.candidate = None;
        true
    }

    /// How well an address fits to what was agreed.
    fn fit(&self, from: SocketAddr) -> u8 {
        match from {
            _ if from == self.agreed => 2,
            _ if from.ip() == self.agreed.ip() => 1,
            _ => 0,
        }
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

    #[test]
    fn packets_go_where_they_come_from_and_before_that_where_was_agreed() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert_eq!(latch.destination(), at("10.0.0.1:4000"));
        assert!(latch.is_ours(at("198.51.100.7:61000"), &header(1), 0));
        assert_eq!(latch.destination(), at("198.51.100.7:61000"));
    }

    #[test]
    fn one_packet_of_a_stranger_moves_nothing_and_five_in_a_row_do_while_it_settles() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        let (first, second) = (at("198.51.100.7:1"), at("203.0.113.9:1"));
        assert!(latch.is_ours(first, &header(1), 0));
        for sequence in 0..4 {
            assert!(!latch.is_ours(second, &header(100 + sequence), SECOND));
        }
        assert!(latch.is_ours(first, &header(2), SECOND), "the first one goes on: the run is broken");
        for sequence in 4..8 {
            assert!(!latch.is_ours(second, &header(100 + sequence), SECOND));
        }
        assert!(latch.is_ours(second, &header(108), SECOND));
        assert_eq!(latch.destination(), second);
        assert!(!latch.is_ours(first, &header(3), SECOND));
    }

    #[test]
    fn a_run_that_does_not_hang_together_moves_nothing() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert!(!latch.is_settled(9 * SECOND), "nothing came");
        assert!(latch.is_ours(at("198.51.100.7:1"), &header(1), 0));
        assert!(!latch.is_settled(5 * SECOND - 1) && latch.is_settled(5 * SECOND));
        for sequence in (0..40).step_by(2) {
            assert!(!latch.is_ours(at("203.0.113.9:1"), &header(sequence), SECOND));
        }
    }

    #[test]
    fn once_settled_nothing_moves_it() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert!(latch.is_ours(at("198.51.100.7:1"), &header(1), 0));
        for sequence in 0..100 {
            assert!(!latch.is_ours(at("10.0.0.1:4000"), &header(sequence), 5 * SECOND));
        }
        assert_eq!(latch.destination(), at("198.51.100.7:1"));
    }

    /// What RFC 7362, section 5, warns of: who guesses the port and is faster than the caller, who is behind a NAT.
    #[test]
    fn a_faster_stranger_has_the_stream_of_a_caller_behind_a_nat_until_he_pauses() {
        let agreed = at("10.0.0.1:4000");
        let (stranger, caller) = (at("203.0.113.9:1"), at("198.51.100.7:61000"));
        let mut latch = Latch::new(agreed);
        assert!(latch.is_ours(stranger, &header(1), 0));
        for n in 0..50 {
            assert!(!latch.is_ours(caller, &header(1000 + n), u64::from(n) * SECOND / 50));
            assert!(latch.is_ours(stranger, &header(2 + n), u64::from(n) * SECOND / 50));
        }
        for n in 50..54 {
            assert!(!latch.is_ours(caller, &header(1000 + n), SECOND));
        }
        assert!(latch.is_ours(caller, &header(1054), SECOND), "five in a row while the stranger paused");
        assert!(!latch.is_ours(stranger, &header(60), SECOND));
        assert_eq!(latch.destination(), caller);
    }

    #[test]
    fn a_faster_stranger_is_out_with_the_first_packet_of_a_caller_who_is_where_he_said() {
        let mut latch = Latch::new(at("198.51.100.7:4000"));
        for n in 0..100 {
            assert!(latch.is_ours(at("203.0.113.9:1"), &header(n), u64::from(n) * SECOND / 50));
        }
        assert!(latch.is_ours(at("198.51.100.7:4000"), &header(1000), 2 * SECOND));
        for n in 100..200 {
            assert!(!latch.is_ours(at("203.0.113.9:1"), &header(n), u64::from(n) * SECOND / 50));
        }
        assert_eq!(latch.destination(), at("198.51.100.7:4000"));
    }

    #[test]
    fn whoever_was_agreed_on_displaces_whoever_came_first() {
        let mut latch = Latch::new(at("10.0.0.1:4000"));
        assert!(latch.is_ours(at("203.0.113.9:1"), &header(1), 0));
        assert!(latch.is_ours(at("10.0.0.1:4711"), &header(900), 1), "the agreed host from another port");
        assert!(latch.is_ours(at("10.0.0.1:4000"), &header(901), 2), "the very address");
        assert!(!latch.is_ours(at("203.0.113.9:1"), &header(2), 3));
    }
}
