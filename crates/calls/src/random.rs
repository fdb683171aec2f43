//! Random bytes for keys and passwords from a seed that the loop gives once, so that the machine is the same in every run of a
//! test and asks the system for nothing.
//!
//! Each draw replaces the key that it is made with (fast key erasure): who reads the memory learns nothing of what was drawn
//! before.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// Bytes that cannot be guessed without the seed.
pub(crate) struct Random {
    key: [u8; 32],
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Random").finish_non_exhaustive()
    }
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { key: seed }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for (number, chunk) in bytes.chunks_mut(32).enumerate() {
            chunk.copy_from_slice(&self.block(number as u64 + 1)[..chunk.len()]);
        }
        self.key = self.block(0);
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn block(&self, number: u64) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(&number.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_draw_is_like_another_and_the_same_seed_draws_the_same() {
        let (mut one, mut other) = (Random::new([7; 32]), Random::new([7; 32]));
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            let drawn: [u8; 48] = one.bytes();
            assert_eq!(drawn, other.bytes());
            assert!(seen.insert(drawn[..32].to_vec()) && seen.insert(drawn[16..].to_vec()));
        }
        assert_ne!(Random::new([8; 32]).bytes::<16>(), Random::new([7; 32]).bytes::<16>());
    }
}
