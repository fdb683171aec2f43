//! Telephone keys as RTP events (RFC 4733, 2).
//!
//! A key is a run of packets that all bear the timestamp of its beginning and tell how long it has been
//! down; the last is repeated three times with the end bit. Any of them may be lost or come twice, so a key
//! is known by its timestamp.

/// Bytes of an event's payload.
pub const EVENT_BYTES: usize = 4;
/// Without a packet for this long a key is up, though its end was lost (RFC 4733, 2.5.1.2 leaves the time
/// to the receiver; senders repeat each 20 or 50 ms).
const SILENCE_NS: u64 = 200_000_000;
/// The last packet of an event is sent this often (RFC 4733, 2.5.1.4).
pub const END_PACKETS: u8 = 3;
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// One packet's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What: 0 to 15 are keys.
    pub code: u8,
    /// The key has gone up.
    pub end: bool,
    /// Loudness in dB below the overload point, 0 to 63.
    pub volume: u8,
    /// How long the key has been down, in units of the RTP clock.
    pub duration: u16,
}

impl Event {
    /// Reads a payload; what follows the first four bytes is not looked at. `None`: it is shorter.
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

    /// The key: `0` to `9`, `*`, `#`, `A` to `D`. `None` for flash and whatever else events are used for.
    #[must_use]
    pub fn key(self) -> Option<char> {
        KEYS.get(usize::from(self.code)).map(|&key| char::from(key))
    }
}

/// The event's code of a key, in either case.
#[must_use]
pub fn code_of(key: char) -> Option<u8> {
    let key = u8::try_from(key).ok()?.to_ascii_uppercase();
    KEYS.iter().position(|&known| known == key).map(|place| place as u8)
}

/// Makes one key press of each run of event packets.
#[derive(Debug, Clone, Default)]
pub struct DtmfReceiver {
    current: Option<Current>,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    code: u8,
    timestamp: u32,
    duration: u16,
    down: bool,
    last_ns: u64,
}

impl DtmfReceiver {
    /// No key is down.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event packet. Returns the key when this is the first that is seen of its press, be it the
    /// beginning, the middle or the end.
    pub fn handle_packet(
        &mut self,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
        now_ns: u64,
    ) -> Option<char> {
        let event = Event::parse(payload)?;
        if let Some(current) = &mut self.current {
            let newer = timestamp.wrapping_sub(current.timestamp) as i32;
            let fresh = now_ns.saturating_sub(current.last_ns) < SILENCE_NS;
            if newer < 0 && fresh {
                // A straggler of the press before.
                return None;
            }
            let same_press = newer == 0 && event.code == current.code;
            // A key held for longer than a duration can say goes on as another segment, without the marker,
            // from where the full one ended (RFC 4733, 2.5.1.3).
            let next_segment = event.code == current.code
                && current.down
                && fresh
                && !marker
                && current.duration >= 0xff00
                && newer.unsigned_abs().abs_diff(u32::from(current.duration)) < 0x200;
            // Some senders stamp each packet with its own time: then the durations still grow until the
            // end, and the end is still repeated. A press of its own cannot begin before the last one's
            // duration is over.
            let goes_on = match current.down {
                true => event.duration > current.duration,
                false => event.end && event.duration == current.duration,
            };
            let stamped_anew = event.code == current.code
                && fresh
                && !marker
                && goes_on
                && newer.unsigned_abs() < u32::from(event.duration);
            if same_press || next_segment || stamped_anew {
                current.timestamp = timestamp;
                current.duration =
                    if next_segment { event.duration } else { event.duration.max(current.duration) };
                current.last_ns = now_ns;
                // Once up it stays up: packets may overtake the end.
                current.down &= !event.end;
                return None;
            }
        }
        self.current = Some(Current {
            code: event.code,
            timestamp,
            duration: event.duration,
            down: !event.end,
            last_ns: now_ns,
        });
        event.key()
    }

    /// Whether a key is down: its end has not come, and something of it came in the last 200 ms.
    #[must_use]
    pub fn is_key_down(&self, now_ns: u64) -> bool {
        self.current
            .is_some_and(|current| current.down && now_ns.saturating_sub(current.last_ns) < SILENCE_NS)
    }
}

/// A key press that is being sent: one payload for each tick, the last one three times.
///
/// All its packets bear the timestamp at which it began and the first one the marker; see
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

/// A payload to be sent, and whether its packet has the marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// What the packet carries.
    pub payload: [u8; EVENT_BYTES],
    /// It is the first of its press.
    pub marker: bool,
}

impl DtmfSender {
    /// A press of `key` that lasts `total_samples` units of the RTP clock (at most 65 535) in steps of
    /// `step_samples`. `None`: there is no such key.
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

    /// The next packet, to be sent one step after the one before. `None`: the press is over and was told
    /// three times.
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

    /// Sends the packets at 20 ms each, those in `lost` not at all; returns the keys reported.
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
                receiver.handle_packet(
                    timestamp,
                    packet.marker,
                    &packet.payload,
                    (from_ms + place as u64 * 20) * MS,
                )
            })
            .collect()
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
        assert_eq!(receiver.handle_packet(8000, false, &one[6].payload, 180 * MS), None);
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
        assert_eq!(receiver.handle_packet(16_000, false, &packets[3].payload, 1125 * MS), None);
        assert!(!receiver.is_key_down(1126 * MS), "overtaken by its end");
    }

    #[test]
    fn a_key_held_for_minutes_is_one_press() {
        const SEGMENT: u32 = 409 * 160;
        let mut receiver = DtmfReceiver::new();
        let mut keys = 0;
        for step in 0..6000_u32 {
            let (segment, within) = (step * 160 / SEGMENT, step * 160 % SEGMENT);
            let event = Event { code: 3, end: false, volume: 10, duration: within as u16 + 160 };
            let timestamp = 5000 + segment * SEGMENT;
            keys += u32::from(
                receiver
                    .handle_packet(timestamp, step == 0, &event.to_bytes(), u64::from(step) * 20 * MS)
                    .is_some(),
            );
        }
        assert_eq!(keys, 1);
    }

    #[test]
    fn a_sender_that_stamps_every_packet_anew_still_presses_once() {
        let mut receiver = DtmfReceiver::new();
        let mut keys = String::new();
        for (place, packet) in press(sender('7')).iter().enumerate() {
            let timestamp = 8000 + 160 * place as u32;
            keys.extend(receiver.handle_packet(
                timestamp,
                packet.marker,
                &packet.payload,
                place as u64 * 20 * MS,
            ));
        }
        assert_eq!(keys, "7", "ends included: they come with the full duration");
    }

    #[test]
    fn flash_and_cut_off_payloads_are_no_keys() {
        let mut receiver = DtmfReceiver::new();
        assert_eq!(receiver.handle_packet(0, true, &[16, 0x0a, 0, 160], 0), None);
        assert_eq!(receiver.handle_packet(900, true, &[1, 0x0a, 0], 0), None);
    }
}
