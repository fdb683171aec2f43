//! Storage of packets until they are played: slots of one size, allocated with the buffer.

use super::{JitterConfig, NUMBERS};

pub(super) const NO_SLOT: u8 = u8::MAX;

/// A held packet, without its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) sequence: i64,
    pub(super) timestamp: i64,
    pub(super) arrival_ns: i64,
    /// Length in RTP clock units; 0: it carries no audio.
    pub(super) samples: i64,
    /// Octets of the payload; 0: it is silence.
    pub(super) bytes: usize,
    /// The slot with the rest of the payload.
    more: u8,
}

impl Slot {
    pub(super) fn new(sequence: i64, timestamp: i64, arrival_ns: i64, samples: i64) -> Self {
        Self { sequence, timestamp, arrival_ns, samples, bytes: 0, more: NO_SLOT }
    }
}

/// Free slots, a bit for each. The lowest is used first, so a stream without jitter stays in one slot, which stays in
/// cache.
#[derive(Debug, Clone, Copy)]
struct Free(u64);

impl Free {
    /// `slots` is 64 at the most.
    fn all(slots: usize) -> Self {
        Self(u64::MAX >> (64 - slots))
    }

    fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    fn pop(&mut self) -> Option<u8> {
        let lowest = u8::try_from(self.0.trailing_zeros()).ok().filter(|lowest| *lowest < 64)?;
        self.0 &= self.0 - 1;
        Some(lowest)
    }

    fn push(&mut self, slot: u8) {
        self.0 |= 1 << slot;
    }
}

/// The held packets, by number.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    slot_bytes: usize,
    slots: Box<[Slot]>,
    payloads: Box<[u8]>,
    /// A payload of several slots, reassembled.
    whole: Box<[u8]>,
    free: Free,
    by_number: [u8; NUMBERS],
    held: u8,
}

impl Slots {
    pub(super) fn new(config: &JitterConfig) -> Self {
        Self {
            slot_bytes: config.slot_bytes,
            slots: vec![Slot::new(0, 0, 0, 0); config.slots].into(),
            payloads: vec![0; config.slots * config.slot_bytes].into(),
            whole: vec![0; config.payload_bytes_max].into(),
            free: Free::all(config.slots),
            by_number: [NO_SLOT; NUMBERS],
            held: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.free = Free::all(self.slots.len());
        self.by_number = [NO_SLOT; NUMBERS];
        self.held = 0;
    }

    /// Number of held packets.
    pub(super) fn held(&self) -> usize {
        usize::from(self.held)
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.free.len() >= bytes.div_ceil(self.slot_bytes).max(1)
    }

    pub(super) fn slot(&self, index: u8) -> Slot {
        self.slots[usize::from(index)]
    }

    pub(super) fn of(&self, sequence: i64) -> Option<u8> {
        let index = self.by_number[number(sequence)];
        (index != NO_SLOT && self.slots[usize::from(index)].sequence == sequence).then_some(index)
    }

    /// Stores a packet. False if there is no room.
    pub(super) fn put(&mut self, slot: Slot, payload: &[u8]) -> bool {
        if !self.has_room(payload.len()) {
            return false;
        }
        let Some(index) = self.free.pop() else { return false };
        self.slots[usize::from(index)] = Slot { bytes: payload.len(), more: NO_SLOT, ..slot };
        let mut into = index;
        for (number, part) in payload.chunks(self.slot_bytes).enumerate() {
            if number > 0 {
                let Some(more) = self.free.pop() else { break };
                self.slots[usize::from(into)].more = more;
                into = more;
                // Nothing is looked up here.
                self.slots[usize::from(into)].sequence = i64::MIN;
                self.slots[usize::from(into)].more = NO_SLOT;
            }
            let start = usize::from(into) * self.slot_bytes;
            self.payloads[start..start + part.len()].copy_from_slice(part);
        }
        self.by_number[number(slot.sequence)] = index;
        self.held += 1;
        true
    }

    /// Releases a packet. Its payload can be read until the next one is stored.
    pub(super) fn take(&mut self, index: u8) {
        self.by_number[number(self.slots[usize::from(index)].sequence)] = NO_SLOT;
        self.held -= 1;
        let mut freed = index;
        while freed != NO_SLOT {
            self.free.push(freed);
            freed = self.slots[usize::from(freed)].more;
        }
    }

    pub(super) fn payload(&mut self, index: u8) -> &[u8] {
        let size = self.slot_bytes;
        let bytes = self.slots[usize::from(index)].bytes;
        let start = usize::from(index) * size;
        if bytes <= size {
            return &self.payloads[start..start + bytes];
        }
        let mut from = index;
        for part in self.whole[..bytes].chunks_mut(size) {
            let start = usize::from(from) * size;
            part.copy_from_slice(&self.payloads[start..start + part.len()]);
            from = self.slots[usize::from(from)].more;
        }
        &self.whole[..bytes]
    }
}

fn number(sequence: i64) -> usize {
    sequence.rem_euclid(NUMBERS as i64) as usize
}
