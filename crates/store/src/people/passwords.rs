//! Passwords as they are stored and compared: Argon2id with a salt of their own, at the cost that RFC 9106 recommends where
//! memory is limited: 64 MiB and about a quarter of a second each. One is hashed at a time, so that a flood of wrong ones takes one core and
//! 64 MiB, and leaves the PINs of callers alone.

use crate::{
    StoreError,
    database::random_bytes,
    hashing::{self, Cost, HASH_BYTES, Hashing, SALT_BYTES},
};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

/// RFC 9106, section 4, the second recommended option.
const COST: Cost = (65_536, 3, 4);
/// Hashes at a time.
const HASHES_MAX: usize = 1;
/// Passwords that wait to be hashed, or are. Those beyond are refused.
const WAITING_MAX: usize = 32;
/// Logins whose passwords are checked at the same time.
const TURNS: usize = 64;

/// What the stores of one process share about passwords.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Shared>);

struct Shared {
    hashing: Hashing,
    places: Semaphore,
    /// Passwords of one login are checked one after the other, so that many at once count like one behind the other.
    turns: [Mutex<()>; TURNS],
}

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Shared {
            hashing: Hashing::new(HASHES_MAX, "a password"),
            places: Semaphore::new(WAITING_MAX),
            turns: std::array::from_fn(|_| Mutex::new(())),
        }))
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords(…)")
    }
}

impl Passwords {
    /// A place among those who wait; `None`: too many do.
    pub(super) fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.0.places.try_acquire().ok()
    }

    /// Waits until no other password of the login is being checked.
    pub(super) async fn turn(&self, login: &str) -> MutexGuard<'_, ()> {
        let place = usize::from(Sha256::digest(login)[0]) % TURNS;
        self.0.turns[place].lock().await
    }

    /// The hash that is stored of a password: `$argon2id$v=19$m=65536,t=3,p=4$SALT$HASH`.
    pub(super) async fn hash(&self, password: &str) -> Result<String, StoreError> {
        let salt: [u8; SALT_BYTES] = random_bytes();
        let hash = self.0.hashing.run(password, &salt, COST).await?;
        Ok(hashing::written(COST, &[&salt, &hash]))
    }

    /// Whether a password is the one that was stored. `None`: there is none, and it takes as long to say so.
    pub(super) async fn is_right(&self, password: &str, stored: Option<&str>) -> Result<bool, StoreError> {
        let Some(stored) = stored else {
            self.0.hashing.run(password, &[0; SALT_BYTES], COST).await?;
            return Ok(false);
        };
        let parts = || {
            let (cost, parts) = hashing::parse(stored)?;
            let [salt, hash] = <[_; 2]>::try_from(parts).ok()?;
            Some((cost, salt, <[u8; HASH_BYTES]>::try_from(hash).ok()?))
        };
        let damaged = || StoreError::Damaged { what: "the hash of a person's password".to_owned() };
        let (cost, salt, expected) = parts().ok_or_else(damaged)?;
        let hash = self.0.hashing.run(password, &salt, cost).await?;
        Ok(hash.ct_eq(&expected).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_told_from_others_and_two_hashes_of_it_differ() {
        let passwords = Passwords::default();
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{stored}");
        assert!(passwords.is_right("correct horse", Some(&stored)).await.unwrap());
        for wrong in ["", "correct horse ", "Correct horse"] {
            assert!(!passwords.is_right(wrong, Some(&stored)).await.unwrap(), "{wrong:?}");
        }
        assert!(!passwords.is_right("correct horse", None).await.unwrap());
        assert_ne!(passwords.hash("correct horse").await.unwrap(), stored);
        let error = passwords.is_right("x", Some("$argon2id$v=19$m=1,t=1,p=1$AA")).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let passwords = Passwords::default();
        let waiting: Vec<_> = (0..WAITING_MAX).map(|_| passwords.place()).collect();
        assert!(waiting.iter().all(Option::is_some) && passwords.place().is_none());
        drop(waiting);
        assert!(passwords.place().is_some());
    }
}
