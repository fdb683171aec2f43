//! Telephone keys as RTP events (RFC 4733, 2).
//!
//! A key press is a run of packets that all carry the timestamp of its beginning and the duration so far; the last
//! one, with the end bit, is sent three times. Any of them may be lost, duplicated or reordered, so a press is
//! identified by its timestamp, and by sequence numbers and durations if a sender uses a timestamp twice.

use crate::packet::Header;

/// Bytes of an event's payload.
pub const EVENT_BYTES: usize = 4;
/// Without a packet for this long a key is released, even if its end was lost (RFC 4733, 2.5.1.2, leaves the time to
/// the receiver; senders repeat every 20 or 50 ms).
const SILENCE_NS: u64 = 200_000_000;
/// A packet this many sequence numbers behind the newest, and this long after it, is a reordered or repeated one of
/// an earlier press.
const STRAGGLERS: i16 = 100;
const STRAGGLER_NS: u64 = 2_000_000_000;
/// The duration ends at 0xFFFF. A longer press continues as another segment or, with senders that do not support
/// segments, from zero. It may fall short of the end by this much: packets lost within `SILENCE_NS` at a clock of 48
/// 000 Hz.
const SEGMENT_MIN: u16 = u16::MAX - 0x2800;
/// The last packet of an event is sent this often (RFC 4733, 2.5.1.4).
pub const END_PACKETS: u8 = 3;
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// The payload of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Event code: 0 to 15 are keys.
    pub code: u8,
    /// The key has been released.
    pub end: bool,
    /// Volume in dB below the overload point, 0 to 63.
    pub volume: u8,
    /// How long the key has been down, in units of the RTP clock.
    pub duration: u16,
}

impl Event {
    /// Reads a payload; bytes after the first four are ignored. `None` if it is shorter.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[code, second, high, low] = payload.first_chunk::<EVENT_BYTES>()?;
        Some(Self {
            code,
            end: second & 0x80 != 0,
            volume: second & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The payload.
    #[must_use]
    pub fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }

    /// The key: `0` to `9`, `*`, `#`, `A` to `D`. `None` for flash and other events.
    #[must_use]
    pub fn key(self) -> Option<char> {
        KEYS.get(usize::from(self.code)).map(|&key| char::from(key))
    }
}

/// The event code of a key, in upper or lower case.
#[must_use]
pub fn code_of(key: char) -> Option<u8> {
    let key = u8::try_from(key).ok()?.to_ascii_uppercase();
    KEYS.iter().position(|&known| known == key).map(|place| place as u8)
}

/// Turns each run of event packets into one key press.
#[derive(Debug, Clone, Default)]
pub struct DtmfReceiver {
    current: Option<Current>,
}

/// The press to which the latest packets belonged.
#[derive(Debug, Clone, Copy)]
struct Current {
    ssrc: u32,
    code: u8,
    timestamp: u32,
    /// The highest sequence number of its packets.
    sequence: u16,
    /// The longest duration in its current segment.
    duration: u16,
    down: bool,
    last_ns: u64,
}

/// How a packet relates to the current press.
enum Belongs {
    /// It belongs to the press.
    Same,
    /// A reordered or repeated packet of an earlier press.
    Before,
    /// The first packet of the next press to arrive.
    Next,
}

impl Current {
    fn new(header: &Header, event: Event, now_ns: u64) -> Self {
        Self {
            ssrc: header.ssrc,
            code: event.code,
            timestamp: header.timestamp,
            sequence: header.sequence,
            duration: event.duration,
            down: !event.end,
            last_ns: now_ns,
        }
    }

    fn judge(&self, header: &Header, event: Event, now_ns: u64) -> Belongs {
        if header.ssrc != self.ssrc {
            return Belongs::Next;
        }
        let later = header.timestamp.wrapping_sub(self.timestamp) as i32;
        let ahead = header.sequence.wrapping_sub(self.sequence) as i16;
        let silence_ns = now_ns.saturating_sub(self.last_ns);
        let is_fresh = silence_ns < SILENCE_NS;
        let is_same_key = event.code == self.code;
        if is_same_key && later == 0 {
            // Some senders do not advance the timestamp between presses. A packet newer than an end that is not an
            // end itself belongs to another press, and so does one whose duration starts again.
            let is_shorter = event.duration < self.duration;
            let begins_anew = match self.down {
                false => header.marker || is_shorter,
                true => is_shorter && (header.marker || !is_fresh && self.duration < SEGMENT_MIN),
            };
            return if begins_anew && !event.end && ahead > 0 { Belongs::Next } else { Belongs::Same };
        }
        if is_same_key && is_fresh && !header.marker && self.goes_on_as(event, later) {
            return Belongs::Same;
        }
        let is_overtaken = (-STRAGGLERS..=0).contains(&ahead) && silence_ns < STRAGGLER_NS;
        // Repeated ends of the previous press may be sent after the next one has begun.
        let is_repeated = later < 0 && is_fresh && !header.marker;
        if is_overtaken || is_repeated { Belongs::Before } else { Belongs::Next }
    }

    /// Whether a packet of this key without marker, with a timestamp that is `later`, continues the press.
    fn goes_on_as(&self, event: Event, later: i32) -> bool {
        // A key held for longer than the duration can express continues as another segment from the end of the full
        // one (RFC 4733, 2.5.1.3).
        let next_segment = self.down
            && self.duration >= SEGMENT_MIN
            && later > i32::from(SEGMENT_MIN)
            && later <= 0x1_0000
            && event.duration <= u16::MAX - SEGMENT_MIN;
        // Some senders stamp each packet with its own time. Then the durations still grow until the end, and the end
        // is still repeated. A separate press cannot begin before the duration of the previous one is over.
        let grows = match self.down {
            true => event.duration > self.duration,
            false => event.end && event.duration == self.duration,
        };
        next_segment || grows && later.unsigned_abs() < u32::from(event.duration)
    }

    fn take(&mut self, header: &Header, event: Event, now_ns: u64) {
        let wraps = self.down && self.duration >= SEGMENT_MIN && event.duration <= u16::MAX - SEGMENT_MIN;
        if header.sequence.wrapping_sub(self.sequence) as i16 > 0 {
            self.sequence = header.sequence;
            (self.timestamp, self.duration) = match wraps {
                true => (header.timestamp, event.duration),
                false => (header.timestamp, event.duration.max(self.duration)),
            };
        }
        self.last_ns = now_ns;
        // Once released it stays released: packets may overtake the end.
        self.down &= !event.end;
    }
}

impl DtmfReceiver {
    /// No key is pressed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event packet. Returns the key if this is the first packet seen of its press, be it the beginning, the
    /// middle or the end.
    pub fn handle_packet(&mut self, header: &Header, payload: &[u8], now_ns: u64) -> Option<char> {
        let event = Event::parse(payload)?;
        match self.current.as_ref().map_or(Belongs::Next, |current| current.judge(header, event, now_ns)) {
            Belongs::Same => {
                if let Some(current) = &mut self.current {
                    current.take(header, event, now_ns);
                }
                None
            }
            Belongs::Before => None,
            Belongs::Next => {
                self.current = Some(Current::new(header, event, now_ns));
                event.key()
            }
        }
    }

    /// Whether a key is pressed: its end has not arrived, and a packet of it arrived within the last 200 ms.
    #[must_use]
    pub fn is_key_down(&self, now_ns: u64) -> bool {
        self.current
            .is_some_and(|current| current.down && now_ns.saturating_sub(current.last_ns) < SILENCE_NS)
    }
}

/// A key press being sent: one payload for each tick, the last one three times.
///
/// All its packets carry the timestamp of its beginning, and the first one the marker; see
/// [`Source::event_header`](crate::source::Source::event_header). No audio is sent meanwhile.
#[derive(Debug, Clone)]
pub struct DtmfSender {
    code: u8,
    volume: u8,
    step: u16,
    duration: u16,
    total: u16,
    started: bool,
    ends: u8,
}

/// A payload to send, and whether its packet has the marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// What the packet carries.
    pub payload: [u8; EVENT_BYTES],
    /// It is the first packet of the press.
    pub marker: bool,
}

impl DtmfSender {
    /// A press of `key` that lasts `total_samples` RTP clock units (at most 65 535) in steps of `step_samples`.
    /// `None` if there is no such key.
    #[must_use]
    pub fn new(key: char, total_samples: u16, step_samples: u16) -> Option<Self> {
        let code = code_of(key)?;
        Some(Self {
            code,
            volume: 10,
            step: step_samples.max(1),
            duration: 0,
            total: total_samples.max(1),
            started: false,
            ends: 0,
        })
    }

    /// The next packet, to be sent one step after the previous one. `None` once the end has been sent three times.
    pub fn poll_packet(&mut self) -> Option<EventPacket> {
        if self.ends == END_PACKETS {
            return None;
        }
        self.duration = self.duration.saturating_add(self.step).min(self.total);
        let end = self.duration == self.total && self.started;
        self.ends += u8::from(end);
        let event = Event { code: self.code, end, volume: self.volume, duration: self.duration };
        let marker = !std::mem::replace(&mut self.started, true);
        Some(EventPacket { payload: event.to_bytes(), marker })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn press(sender: DtmfSender) -> Vec<EventPacket> {
        let mut sender = sender;
        std::iter::from_fn(move || sender.poll_packet()).collect()
    }

    fn header(sequence: u16, timestamp: u32, marker: bool) -> Header {
        Header { marker, payload_type: 101, sequence, timestamp, ssrc: 9 }
    }

    /// Sends the packets at 20 ms each, except those in `lost`; returns the keys reported. Sequence numbers advance
    /// with time, as they do with audio packets in between.
    fn receive(
        receiver: &mut DtmfReceiver,
        from_ms: u64,
        timestamp: u32,
        packets: &[EventPacket],
        lost: &[usize],
    ) -> String {
        let arrived = packets.iter().enumerate().filter(|(place, _)| !lost.contains(place));
        arrived
            .filter_map(|(place, packet)| {
                let at_ms = from_ms + place as u64 * 20;
                let header = header((at_ms / 20) as u16, timestamp, packet.marker);
                receiver.handle_packet(&header, &packet.payload, at_ms * MS)
            })
            .collect()
    }

    /// Payloads with these durations, in steps of 20 ms, the first one marked; `ends` ends follow with the last one.
    fn payloads(code: u8, durations: impl IntoIterator<Item = u16>, ends: usize) -> Vec<EventPacket> {
        let mut events: Vec<_> =
            durations.into_iter().map(|duration| Event { code, end: false, volume: 10, duration }).collect();
        let end = Event { end: true, ..*events.last().expect("a duration") };
        events.extend(std::iter::repeat_n(end, ends));
        let packet =
            |(place, event): (usize, Event)| EventPacket { payload: event.to_bytes(), marker: place == 0 };
        events.into_iter().enumerate().map(packet).collect()
    }

    fn sender(key: char) -> DtmfSender {
        DtmfSender::new(key, 800, 160).expect("a key")
    }

    #[test]
    fn a_press_is_sent_with_a_marker_growing_durations_and_three_ends() {
        let packets = press(sender('#'));
        let events: Vec<_> =
            packets.iter().map(|packet| Event::parse(&packet.payload).expect("whole")).collect();
        assert_eq!(
            events.iter().map(|event| event.duration).collect::<Vec<_>>(),
            [160, 320, 480, 640, 800, 800, 800]
        );
        assert_eq!(
            events.iter().map(|event| event.end).collect::<Vec<_>>(),
            [false, false, false, false, true, true, true]
        );
        assert_eq!(packets.iter().map(|packet| packet.marker).filter(|marker| *marker).count(), 1);
        assert!(packets[0].marker);
        assert!(events.iter().all(|event| event.key() == Some('#')));
    }

    #[test]
    fn every_key_survives_the_way() {
        let mut receiver = DtmfReceiver::new();
        for (place, key) in "0123456789*#ABCD".chars().enumerate() {
            let at = place as u64 * 400;
            assert_eq!(receive(&mut receiver, at, at as u32 * 8, &press(sender(key)), &[]), key.to_string());
        }
        assert_eq!(code_of('b'), Some(13));
        assert_eq!(code_of('x'), None);
        assert_eq!(code_of('é'), None);
    }

    #[test]
    fn any_one_packet_that_arrives_is_one_press() {
        let packets = press(sender('5'));
        for kept in 0..packets.len() {
            let lost: Vec<_> = (0..packets.len()).filter(|place| *place != kept).collect();
            assert_eq!(
                receive(&mut DtmfReceiver::new(), 0, 8000, &packets, &lost),
                "5",
                "only packet {kept} arrived"
            );
        }
    }

    #[test]
    fn the_same_key_twice_is_two_presses_even_with_no_end_between() {
        let mut receiver = DtmfReceiver::new();
        assert_eq!(receive(&mut receiver, 0, 8000, &press(sender('1')), &[4, 5, 6]), "1");
        assert_eq!(receive(&mut receiver, 140, 9120, &press(sender('1')), &[]), "1");
    }

    #[test]
    fn stragglers_of_the_press_before_are_left_out() {
        let mut receiver = DtmfReceiver::new();
        let (one, two) = (press(sender('1')), press(sender('2')));
        assert_eq!(receive(&mut receiver, 0, 8000, &one, &[]), "1");
        assert_eq!(receive(&mut receiver, 140, 9120, &two[..2], &[]), "2");
        assert_eq!(receiver.handle_packet(&header(6, 8000, false), &one[6].payload, 180 * MS), None);
        assert_eq!(
            receiver.handle_packet(&header(9, 8000, false), &one[6].payload, 180 * MS),
            None,
            "an end that its sender repeats though it has begun the next"
        );
        assert_eq!(receive(&mut receiver, 200, 9120, &two[2..], &[]), "");
    }

    #[test]
    fn a_key_is_down_until_its_end_or_until_nothing_more_comes() {
        let mut receiver = DtmfReceiver::new();
        let packets = press(sender('9'));
        receive(&mut receiver, 0, 8000, &packets[..3], &[]);
        assert!(receiver.is_key_down(50 * MS));
        assert!(!receiver.is_key_down(300 * MS), "its end was lost");
        receive(&mut receiver, 1000, 16_000, &packets, &[]);
        assert!(!receiver.is_key_down(1121 * MS));
        assert_eq!(receiver.handle_packet(&header(53, 16_000, false), &packets[3].payload, 1125 * MS), None);
        assert!(!receiver.is_key_down(1126 * MS), "overtaken by its end");
    }

    #[test]
    fn a_key_held_for_minutes_is_one_press() {
        // Steps of 20 ms at 8000 Hz and of 50 ms at 48 000 Hz, and every so many packets lost.
        for (step, lost_each) in [(160_u16, 0_u32), (160, 7), (2400, 0), (2400, 3)] {
            let segment = u32::from(u16::MAX / step * step);
            let mut receiver = DtmfReceiver::new();
            let mut keys = 0;
            for number in (0..6000_u32).filter(|number| lost_each == 0 || number % lost_each != 1) {
                let (began, within) =
                    (number * u32::from(step) / segment, number * u32::from(step) % segment);
                let event = Event { code: 3, end: false, volume: 10, duration: within as u16 + step };
                let header = header(number as u16, 5000 + began * segment, number == 0);
                let at_ns = u64::from(number) * 20 * MS;
                keys += u32::from(receiver.handle_packet(&header, &event.to_bytes(), at_ns).is_some());
                assert!(receiver.is_key_down(at_ns));
            }
            assert_eq!(keys, 1, "steps of {step}, each {lost_each}th lost");
        }
    }

    #[test]
    fn a_key_held_for_minutes_by_a_sender_without_segments_is_one_press() {
        // Its duration wraps, or stays the same, under the timestamp of the beginning.
        for turns_over in [true, false] {
            let durations = (1..2000_u32).map(|step| match turns_over {
                true => (step * 160) as u16,
                false => (step * 160).min(0xffff) as u16,
            });
            let packets = payloads(3, durations, 3);
            assert_eq!(receive(&mut DtmfReceiver::new(), 0, 5000, &packets, &[]), "3");
        }
    }

    #[test]
    fn a_sender_that_stamps_every_packet_anew_still_presses_once() {
        let mut receiver = DtmfReceiver::new();
        let mut keys = String::new();
        for (place, packet) in press(sender('7')).iter().enumerate() {
            let timestamp = 8000 + 160 * place as u32;
            let header = header(place as u16, timestamp, packet.marker);
            keys.extend(receiver.handle_packet(&header, &packet.payload, place as u64 * 20 * MS));
        }
        assert_eq!(keys, "7", "ends included: they come with the full duration");
    }

    #[test]
    fn flash_and_cut_off_payloads_are_no_keys() {
        let mut receiver = DtmfReceiver::new();
        assert_eq!(receiver.handle_packet(&header(0, 0, true), &[16, 0x0a, 0, 160], 0), None);
        assert_eq!(receiver.handle_packet(&header(1, 900, true), &[1, 0x0a, 0], 0), None);
    }

    #[test]
    fn the_same_key_twice_under_one_timestamp_is_two_presses() {
        let packets = press(sender('1'));
        // What is lost of the first press and of the second.
        for (first, second) in [
            (&[][..], &[][..]),
            (&[0], &[]),
            (&[4, 5, 6], &[]),
            (&[4, 5, 6], &[1, 2]),
            (&[], &[0]),
            (&[], &[0, 1, 2]),
            (&[0, 1, 2, 3, 4, 5], &[0]),
        ] {
            let mut receiver = DtmfReceiver::new();
            let lost = format!("{first:?} and {second:?} are lost");
            assert_eq!(receive(&mut receiver, 0, 8000, &packets, first), "1", "{lost}");
            assert_eq!(receive(&mut receiver, 340, 8000, &packets, second), "1", "{lost}");
        }
        // Its end and its beginning are lost: it starts anew after a silence.
        let mut receiver = DtmfReceiver::new();
        assert_eq!(receive(&mut receiver, 0, 8000, &packets, &[4, 5, 6]), "1");
        assert_eq!(receive(&mut receiver, 1000, 8000, &packets, &[0]), "1");
        // Directly, so that there is no audio packet in between.
        let mut receiver = DtmfReceiver::new();
        for from_ms in [0, 140, 280] {
            assert_eq!(receive(&mut receiver, from_ms, 8000, &packets, &[]), "1");
        }
    }

    #[test]
    fn another_key_under_the_same_timestamp_is_another_press() {
        let (one, two) = (press(sender('1')), press(sender('2')));
        let mut receiver = DtmfReceiver::new();
        assert_eq!(receive(&mut receiver, 0, 8000, &one, &[]), "1");
        assert_eq!(receive(&mut receiver, 140, 8000, &two[..3], &[]), "2");
        assert_eq!(
            receiver.handle_packet(&header(6, 8000, false), &one[6].payload, 200 * MS),
            None,
            "overtaken"
        );
        assert_eq!(receive(&mut receiver, 200, 8000, &two[3..], &[]), "");
        assert_eq!(receive(&mut receiver, 340, 8000, &one, &[0]), "1");
    }

    #[test]
    fn packets_that_come_twice_or_late_are_no_press_of_their_own() {
        let packets = press(sender('8'));
        // Each packet is duplicated after all others, at once and after a second.
        for again_ms in [140, 1140] {
            let mut receiver = DtmfReceiver::new();
            assert_eq!(receive(&mut receiver, 0, 8000, &packets, &[]), "8");
            for (place, packet) in packets.iter().enumerate() {
                let header = header(place as u16, 8000, packet.marker);
                assert_eq!(receiver.handle_packet(&header, &packet.payload, again_ms * MS), None, "{place}");
            }
            assert!(!receiver.is_key_down(again_ms * MS));
        }
        // Any two are swapped.
        for (a, b) in (0..packets.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let mut order: Vec<_> = (0..packets.len()).collect();
            order.swap(a, b);
            let mut receiver = DtmfReceiver::new();
            let keys: String = order
                .iter()
                .zip(0_u64..)
                .filter_map(|(place, turn)| {
                    let packet = &packets[*place];
                    receiver.handle_packet(
                        &header(*place as u16, 8000, packet.marker),
                        &packet.payload,
                        turn * 20 * MS,
                    )
                })
                .collect();
            assert_eq!(keys, "8", "{a} and {b} changed places");
        }
    }

    #[test]
    fn a_sender_that_marks_every_packet_still_presses_once() {
        let mut packets = press(sender('4'));
        packets.iter_mut().for_each(|packet| packet.marker = true);
        assert_eq!(receive(&mut DtmfReceiver::new(), 0, 8000, &packets, &[]), "4");
    }

    #[test]
    fn a_burst_after_a_standstill_of_the_network_is_one_press() {
        let packets = press(sender('6'));
        let mut receiver = DtmfReceiver::new();
        assert_eq!(receive(&mut receiver, 0, 8000, &packets[..2], &[]), "6");
        for (place, packet) in packets.iter().enumerate().skip(2) {
            let header = header(place as u16, 8000, packet.marker);
            assert_eq!(receiver.handle_packet(&header, &packet.payload, 900 * MS), None);
        }
    }

    #[test]
    fn another_source_counts_its_numbers_and_stamps_anew() {
        let packets = press(sender('0'));
        let mut receiver = DtmfReceiver::new();
        assert_eq!(receive(&mut receiver, 2000, 8000, &packets, &[]), "0");
        let other = Header { ssrc: 10, ..header(90, 8000, true) };
        assert_eq!(receiver.handle_packet(&other, &packets[0].payload, 2150 * MS), Some('0'));
    }
}
