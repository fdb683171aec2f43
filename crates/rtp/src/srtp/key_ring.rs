//! Several keys of one sender at a time: those of one `a=crypto` line, each with its MKI (RFC 4568, 6.1), and the
//! previous ones.

use super::{MasterKey, Receiver, SrtpError};

/// Packets under an old key are accepted for this long after the first packet under a new one.
const AFTER_NEW_NS: u64 = 3_000_000_000;
/// Packets under an old key are accepted for this long at most, even without a packet under a new one.
const OLD_NS: u64 = 30_000_000_000;
/// Old keys kept at a time.
const OLD_MAX: usize = 4;

/// Opens packets under any of the announced keys, and for a while under the previous ones.
///
/// Each key has its own replay windows and rollover counters.
#[derive(Debug)]
pub struct KeyRing {
    current: Vec<Slot>,
    old: Vec<Old>,
}

#[derive(Debug)]
struct Slot {
    key: MasterKey,
    receiver: Receiver,
    /// A packet under this key has arrived since it was announced.
    is_used: bool,
}

#[derive(Debug)]
struct Old {
    key: MasterKey,
    receiver: Receiver,
    until_ns: u64,
}

impl KeyRing {
    /// With these keys, without previous ones.
    #[must_use]
    pub fn new(keys: &[MasterKey]) -> Self {
        let mut ring = Self { current: Vec::new(), old: Vec::new() };
        ring.set_keys(keys, 0);
        ring
    }

    /// These keys are announced from now on. A key that remains keeps its windows; one that does not may still
    /// protect packets in flight.
    pub fn set_keys(&mut self, keys: &[MasterKey], now_ns: u64) {
        self.old.retain(|old| old.until_ns > now_ns);
        let mut before = std::mem::take(&mut self.current);
        for key in keys {
            let is_it = |other: &MasterKey| other.is_same_key(key);
            let stays = before.iter().position(|slot| is_it(&slot.key)).map(|place| {
                let Slot { receiver, is_used, .. } = before.remove(place);
                (receiver, is_used)
            });
            // A key that returns must not accept replays of what it accepted.
            let comes_back = || {
                let place = self.old.iter().position(|old| is_it(&old.key))?;
                Some((self.old.remove(place).receiver, false))
            };
            let (mut receiver, is_used) =
                stays.or_else(comes_back).unwrap_or_else(|| (Receiver::new(key), false));
            receiver.mki.clone_from(&key.mki);
            self.current.push(Slot { key: key.clone(), receiver, is_used });
        }
        for Slot { key, receiver, .. } in before {
            self.current.iter_mut().for_each(|slot| slot.receiver.follow(&receiver));
            self.old.push(Old { key, receiver, until_ns: now_ns.saturating_add(OLD_NS) });
        }
        let surplus = self.old.len().saturating_sub(OLD_MAX);
        self.old.drain(..surplus);
    }

    /// Opens an RTP packet in place; returns its length without tag and MKI.
    ///
    /// # Errors
    ///
    /// As [`Receiver::open_rtp`]; a replay if one of the keys recognises it.
    pub fn open_rtp(&mut self, packet: &mut [u8], now_ns: u64) -> Result<usize, SrtpError> {
        self.open(packet, now_ns, Receiver::open_rtp)
    }

    /// Opens an RTCP packet in place; returns its length without index, tag and MKI.
    ///
    /// # Errors
    ///
    /// As [`Receiver::open_rtcp`]; a replay if one of the keys recognises it.
    pub fn open_rtcp(&mut self, packet: &mut [u8], now_ns: u64) -> Result<usize, SrtpError> {
        self.open(packet, now_ns, Receiver::open_rtcp)
    }

    fn open(
        &mut self,
        packet: &mut [u8],
        now_ns: u64,
        open: impl Fn(&mut Receiver, &mut [u8]) -> Result<usize, SrtpError>,
    ) -> Result<usize, SrtpError> {
        let mut error = SrtpError::NotAuthentic;
        for slot in &mut self.current {
            match open(&mut slot.receiver, packet) {
                Ok(length) => {
                    if !std::mem::replace(&mut slot.is_used, true) {
                        let until_ns = now_ns.saturating_add(AFTER_NEW_NS);
                        self.old.iter_mut().for_each(|old| old.until_ns = old.until_ns.min(until_ns));
                    }
                    return Ok(length);
                }
                Err(other) => error = worse(error, other),
            }
        }
        if !self.old.is_empty() {
            self.old.retain(|old| old.until_ns > now_ns);
        }
        for old in &mut self.old {
            match open(&mut old.receiver, packet) {
                Ok(length) => return Ok(length),
                Err(other) => error = worse(error, other),
            }
        }
        Err(error)
    }
}

/// The error for a packet that no key opens: a replay, if one key recognises it.
fn worse(error: SrtpError, other: SrtpError) -> SrtpError {
    if error == SrtpError::Replay { error } else { other }
}
