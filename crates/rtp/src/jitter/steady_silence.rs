//! A stream of silence that arrives as expected: its effect on the buffer is known in advance.

use super::{JitterBuffer, MARGIN_NS, Mode, playout::PULLS_AFTER_START};
use crate::packet::Header;

/// A stream that holds more packets than this, or whose packets arrive less evenly, is not on the fast path: its
/// delays have to be measured.
const HELD_MAX: usize = 1;
const UNEVEN_NS_MAX: i64 = 5_000_000;

impl JitterBuffer {
    /// If the stream is only silence, in packets of exactly one frame, in its steady state, and a pull at
    /// `play_at_ns` would find it so: the number of packets held, and the header of the next one.
    #[must_use]
    pub fn steady_silence(&self, play_at_ns: u64) -> Option<(usize, Header)> {
        let cursor =
            self.cursor.filter(|_| self.mode == Mode::Playing && self.packet_samples == self.frame)?;
        let is_calm = self.owed == 0 && !self.joins && self.quiet && self.pulls_too_long == 0;
        let held = usize::try_from(self.highest_sequence + 1 - self.next_sequence).ok()?;
        let uneven_ns = self.delays.needed_ns() - self.delays.earliest_ns();
        if !is_calm
            || uneven_ns > UNEVEN_NS_MAX
            || self.suspect.is_some()
            || self.pulls_since_start <= PULLS_AFTER_START
            || held > HELD_MAX
        {
            return None;
        }
        let next_timestamp = self.stamps.newest + self.frame;
        let is_silent = |sequence| {
            self.slots.of(sequence).is_some_and(|index| {
                let slot = self.slots.slot(index);
                slot.bytes == 0 && slot.samples == self.frame
            })
        };
        if cursor + held as i64 * self.frame != next_timestamp
            || !(self.next_sequence..=self.highest_sequence).all(is_silent)
        {
            return None;
        }
        let spare_ns = play_at_ns as i64 - self.timeline.time_of(cursor) - self.needed_ns();
        let is_kept = (-MARGIN_NS..self.frame_ns()).contains(&spare_ns);
        let header = Header {
            marker: false,
            payload_type: 0,
            sequence: self.highest_sequence.wrapping_add(1) as u16,
            timestamp: self.stamps.wire_after(self.frame),
            ssrc: self.ssrc?,
        };
        is_kept.then_some((held, header))
    }

    /// When the packet with this header would have arrived had it been as fast as the fastest before it; `None` if
    /// that is not known.
    #[must_use]
    pub fn expected_ns(&self, header: &Header) -> Option<u64> {
        if self.ssrc != Some(header.ssrc) || self.delays.is_empty() {
            return None;
        }
        let ahead = i64::from(header.timestamp.wrapping_sub(self.stamps.wire_after(0)) as i32);
        let expected_ns = self.timeline.time_of(self.stamps.newest + ahead) + self.delays.earliest_ns();
        u64::try_from(expected_ns).ok()
    }

    /// On the fast path: has the effect of `received` more packets of silence in order, and of `played` pulls in
    /// order, except for measuring delays. No more are played than were held and received.
    pub fn pass_silence(&mut self, received: u32, played: u32) {
        for _ in 0..received {
            let (sequence, timestamp) = (self.highest_sequence + 1, self.stamps.newest + self.frame);
            let arrival_ns = self.timeline.time_of(timestamp) + self.delays.needed_ns();
            self.note(sequence);
            // So that earlier measurements expire in time.
            self.delays.add(self.delays.recent_earliest_ns(), true);
            self.stamps.advance(timestamp, self.stamps.wire_after(self.frame));
            self.timeline.follow(timestamp);
            self.newest_arrival_ns = arrival_ns;
            self.store(sequence, timestamp, &[], self.frame, arrival_ns);
        }
        for _ in 0..played {
            if !self.play_head() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, JitterConfig, Pushed};
    use super::*;

    const FRAME_NS: u64 = 20_000_000;

    fn header(number: u64) -> Header {
        let sequence = (65_530 + number) as u16;
        Header { sequence, timestamp: (160 * number) as u32, ssrc: 9, ..Header::default() }
    }

    /// Arrival time of packet `number`.
    fn arrival(number: u64, late: bool) -> u64 {
        // So late that every seventh misses its pull, and a packet is held because of that.
        1_000_000_000
            + number * FRAME_NS
            + if late && number.is_multiple_of(7) { 4_500_000 } else { 1_000_000 }
    }

    #[test]
    fn silence_that_is_passed_by_leaves_the_buffer_as_silence_that_went_through_it() {
        for late in [false, true] {
            let mut through = JitterBuffer::new(JitterConfig::G711);
            let (mut passing, mut passed) = (None::<(JitterBuffer, u32)>, 0);
            let mut next = 0;
            for tick in 0..600 {
                let now_ns = 1_000_000_000 + tick * FRAME_NS + 3_000_000;
                let mut received = 0;
                while arrival(next, late) <= now_ns {
                    assert_ne!(through.push_silence(&header(next), 160, arrival(next, late)), Pushed::Late);
                    next += 1;
                    received += 1;
                }
                let is_played = matches!(through.pull(now_ns), Frame::Packet { payload: [], .. });
                if let Some((buffer, ticks)) = &mut passing {
                    buffer.pass_silence(received, u32::from(is_played));
                    *ticks += 1;
                    if !is_played || *ticks == 7 {
                        // Except for the measurements the two are the same: both continue identically from here.
                        assert_eq!(buffer.cursor, through.cursor);
                        assert_eq!(
                            (buffer.next_sequence, buffer.highest_sequence, buffer.stamps.newest),
                            (through.next_sequence, through.highest_sequence, through.stamps.newest)
                        );
                        assert_eq!(buffer.packets_held(), through.packets_held());
                        assert_eq!(buffer.pulls_since_start, through.pulls_since_start);
                        passing = None;
                        passed += 1;
                    }
                } else if let Some((held, expected)) = through.steady_silence(now_ns + FRAME_NS) {
                    assert_eq!(held, through.packets_held());
                    assert_eq!(expected, header(next));
                    passing = Some((through.clone(), 0));
                }
            }
            assert!(passed > 30, "{passed} times with late packets: {late}");
        }
    }

    #[test]
    fn only_steady_silence_is_reported_as_such() {
        let mut buffer = JitterBuffer::new(JitterConfig::G711);
        let tick = |buffer: &mut JitterBuffer, number: u64, payload: &[u8]| {
            let now_ns = arrival(number, false);
            match payload {
                [] => buffer.push_silence(&header(number), 160, now_ns),
                _ => buffer.push(&header(number), payload, 160, now_ns),
            };
            buffer.pull(now_ns + 1_500_000);
            buffer.steady_silence(now_ns + 1_500_000 + FRAME_NS).is_some()
        };
        assert!((0..11).all(|number| !tick(&mut buffer, number, &[])), "it has hardly begun");
        assert!((11..20).all(|number| tick(&mut buffer, number, &[])));
        // The next one has arrived already, and it is not silence.
        buffer.push(&header(21), &[1; 160], 160, arrival(20, false));
        assert!(!tick(&mut buffer, 20, &[]));
        buffer.set_quiet(false);
        assert!(!tick(&mut buffer, 22, &[]));
    }
}
