//! PINs as they are stored and compared.
//!
//! A PIN is hashed with Argon2id (RFC 9106), by threads that may take long, two at a time at the most: 19 MiB and about 20 ms
//! each. The salt is made of the account, the room's number and a key of the installation, so that both PINs of a room are
//! compared by one hash. PINs are short: with the whole database all of them can be tried, and the hash makes that slow, not
//! impossible. What keeps guessers out is [`crate::guessing`].
//!
//! That a PIN was right is remembered under a hash with a key of this process, so that of hundreds who call at the full hour
//! only the first costs a hash.

use super::line::Line;
use crate::{
    StoreError,
    database::random_bytes,
    hashing::{self, Cost, HASH_BYTES, Hashing, SALT_BYTES},
};
use hmac::{Hmac, Mac};
use plenary_model::AccountId;
use sha2::Sha256;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::{MutexGuard, OnceCell};

/// Memory in KiB, passes, lanes: the least that OWASP's Password Storage Cheat Sheet names for Argon2id. More would not make a
/// four-digit PIN safe, and would cost the callers of a large conference seconds.
const COST: Cost = (19_456, 2, 1);
/// Hashes at a time.
const HASHES_MAX: usize = 2;
/// PINs that were right and are remembered.
const REMEMBERED_MAX: usize = 4096;
/// Accounts whose PINs are checked at the same time.
const TURNS: usize = 64;

/// The hash of a PIN with how it was made: `$argon2id$v=19$m=19456,t=2,p=1$…`. The salt is not in it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PinHash(String);

impl fmt::Debug for PinHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinHash(…)")
    }
}

impl PinHash {
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn new(hash: &[u8; HASH_BYTES], cost: Cost) -> Self {
        Self(hashing::written(cost, &[hash]))
    }

    fn parts(&self) -> Result<(Cost, [u8; HASH_BYTES]), StoreError> {
        let parts = || {
            let (cost, parts) = hashing::parse(&self.0)?;
            let [hash] = <[_; 1]>::try_from(parts).ok()?;
            Some((cost, hash.try_into().ok()?))
        };
        parts().ok_or_else(|| StoreError::Damaged { what: "the hash of a room's PIN".to_owned() })
    }
}

/// Which room a PIN is for.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) account: AccountId,
    pub(super) number: String,
}

/// What the stores of one process share about PINs.
#[derive(Clone)]
pub(crate) struct Pins(Arc<Shared>);

struct Shared {
    /// The key of the installation that salts are made with.
    secret: OnceCell<Vec<u8>>,
    hashing: Hashing,
    /// Callers of one account are checked one after the other, so that many at once count like one behind the other.
    turns: [tokio::sync::Mutex<()>; TURNS],
    key: [u8; 32],
    remembered: Mutex<HashMap<[u8; 32], bool>>,
    /// Callers whose PINs are kept.
    lines: Mutex<HashMap<AccountId, Line>>,
}

impl Default for Pins {
    fn default() -> Self {
        Self(Arc::new(Shared {
            secret: OnceCell::new(),
            hashing: Hashing::new(HASHES_MAX, "a PIN"),
            turns: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
            key: random_bytes(),
            remembered: Mutex::default(),
            lines: Mutex::default(),
        }))
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pins(…)")
    }
}

impl Pins {
    pub(super) fn secret(&self) -> &OnceCell<Vec<u8>> {
        &self.0.secret
    }

    /// Waits until no other PIN of the account is being checked. As many wait as there are callers in a dialogue.
    pub(super) async fn turn(&self, account: AccountId) -> MutexGuard<'_, ()> {
        let place = account.0.unsigned_abs() % TURNS as u64;
        self.0.turns[usize::try_from(place).unwrap_or(0)].lock().await
    }

    /// Does something with the line of an account.
    pub(super) fn in_line<T>(&self, account: AccountId, act: impl FnOnce(&mut Line) -> T) -> T {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(account).or_default();
        let done = act(line);
        if line.is_empty() {
            lines.remove(&account);
        }
        done
    }

    /// The hash that is stored of a PIN.
    pub(super) async fn hash(&self, secret: &[u8], door: &Door, pin: &str) -> Result<PinHash, StoreError> {
        Ok(PinHash::new(&self.run(secret, door, pin, COST).await?, COST))
    }

    /// Of which of these the PIN is: that of leaders (`Some(true)`), that of participants, or neither.
    pub(super) async fn compare(
        &self,
        secret: &[u8],
        door: &Door,
        pin: &str,
        (of_participants, of_leaders): (Option<&PinHash>, Option<&PinHash>),
    ) -> Result<Option<bool>, StoreError> {
        let text = |hash: Option<&PinHash>| hash.map(|hash| hash.0.clone()).unwrap_or_default();
        let (participants, leaders) = (text(of_participants), text(of_leaders));
        let account = door.account.0.to_be_bytes();
        let asked: [&[u8]; 5] =
            [&account, door.number.as_bytes(), participants.as_bytes(), leaders.as_bytes(), pin.as_bytes()];
        let asked = mac(&self.0.key, &asked);
        if let Some(is_leader) = self.remembered().get(&asked) {
            return Ok(Some(*is_leader));
        }
        // Both are made in one way, unless one of them was set by another version.
        let mut made: Option<(Cost, [u8; HASH_BYTES])> = None;
        let mut is_same = [Choice::from(0); 2];
        for (place, stored) in [of_participants, of_leaders].into_iter().enumerate() {
            let Some(stored) = stored else { continue };
            let (cost, stored) = stored.parts()?;
            let hash = match made {
                Some((of, hash)) if of == cost => hash,
                _ => self.run(secret, door, pin, cost).await?,
            };
            made = Some((cost, hash));
            is_same[place] = hash.ct_eq(&stored);
        }
        let found = match is_same.map(bool::from) {
            [_, true] => Some(true),
            [true, false] => Some(false),
            [false, false] => None,
        };
        if let Some(is_leader) = found {
            let mut remembered = self.remembered();
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(asked, is_leader);
        }
        Ok(found)
    }

    async fn run(
        &self,
        secret: &[u8],
        door: &Door,
        pin: &str,
        cost: Cost,
    ) -> Result<[u8; HASH_BYTES], StoreError> {
        let salt = mac(secret, &[&door.account.0.to_be_bytes(), door.number.as_bytes()]);
        self.0.hashing.run(pin, &salt[..SALT_BYTES], cost).await
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], bool>> {
        // Each change is one step, so what a panic left behind is whole.
        self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// HMAC-SHA256 of several parts, none of which can be taken for a piece of another.
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = &[7; 32];

    fn door(number: &str) -> Door {
        Door { account: AccountId(1), number: number.to_owned() }
    }

    #[tokio::test]
    async fn a_pin_is_compared_with_both_of_its_room() {
        let (pins, door) = (Pins::default(), door("1001"));
        let participants = pins.hash(SECRET, &door, "4711").await.unwrap();
        let leaders = pins.hash(SECRET, &door, "081508").await.unwrap();
        assert!(
            participants.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            participants.as_str()
        );
        assert_eq!(format!("{participants:?}"), "PinHash(…)");
        let both = (Some(&participants), Some(&leaders));
        for _ in 0..2 {
            assert_eq!(pins.compare(SECRET, &door, "4711", both).await.unwrap(), Some(false));
            assert_eq!(pins.compare(SECRET, &door, "081508", both).await.unwrap(), Some(true));
            assert_eq!(pins.compare(SECRET, &door, "4712", both).await.unwrap(), None);
        }
        assert_eq!(pins.compare(SECRET, &door, "4711", (None, Some(&leaders))).await.unwrap(), None);
        assert_eq!(pins.remembered().len(), 2, "what was wrong is not");
        // Neither in another room nor in another installation is it the same.
        for (secret, number) in [(SECRET, "1002"), (&[8; 32][..], "1001")] {
            let other = Door { account: AccountId(1), number: number.to_owned() };
            assert_ne!(pins.hash(secret, &other, "4711").await.unwrap(), participants);
        }
    }

    #[tokio::test]
    async fn pins_that_another_version_hashed_in_another_way_are_compared_too() {
        let (pins, door) = (Pins::default(), door("1001"));
        let cost = (8192, 1, 1);
        let older = PinHash::new(&pins.run(SECRET, &door, "4711", cost).await.unwrap(), cost);
        let leaders = pins.hash(SECRET, &door, "081508").await.unwrap();
        let both = (Some(&older), Some(&leaders));
        assert_eq!(pins.compare(SECRET, &door, "4711", both).await.unwrap(), Some(false));
        assert_eq!(pins.compare(SECRET, &door, "081508", both).await.unwrap(), Some(true));
        let damaged = PinHash::stored("$argon2id$v=19$m=1".to_owned());
        let error = pins.compare(SECRET, &door, "4711", (Some(&damaged), None)).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    }
}
