//! Argon2id (RFC 9106), by threads that may take long, so many at a time.

use crate::StoreError;
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64_NOPAD;
use std::sync::Arc;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub(crate) const HASH_BYTES: usize = 32;
pub(crate) const SALT_BYTES: usize = 16;

/// Memory in KiB, passes, lanes.
pub(crate) type Cost = (u32, u32, u32);

/// The threads that hash.
#[derive(Debug, Clone)]
pub(crate) struct Hashing {
    threads: Arc<Semaphore>,
    /// What is hashed, for errors.
    what: &'static str,
}

impl Hashing {
    pub(crate) fn new(at_once: usize, what: &'static str) -> Self {
        Self { threads: Arc::new(Semaphore::new(at_once)), what }
    }

    pub(crate) async fn run(
        &self,
        secret: &str,
        salt: &[u8],
        (memory, passes, lanes): Cost,
    ) -> Result<[u8; HASH_BYTES], StoreError> {
        let what = self.what;
        let damaged =
            |error: argon2::Error| StoreError::Damaged { what: format!("how {what} is hashed: {error}") };
        let params = Params::new(memory, passes, lanes, Some(HASH_BYTES)).map_err(damaged)?;
        let (secret, salt) = (Zeroizing::new(secret.to_owned()), salt.to_vec());
        let permit = self.threads.clone().acquire_owned().await.expect("the semaphore is never closed");
        let hashed = tokio::task::spawn_blocking(move || {
            // Held by the thread: the task that waits for it may be dropped.
            let _permit = permit;
            let mut hash = [0; HASH_BYTES];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(secret.as_bytes(), &salt, &mut hash)
                .map(|()| hash)
        });
        match hashed.await {
            Ok(hash) => hash.map_err(damaged),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// A hash with how it was made, as it is stored: `$argon2id$v=19$m=19456,t=2,p=1$…`, and after it what `parts` are, each in
/// base64.
pub(crate) fn written((memory, passes, lanes): Cost, parts: &[&[u8]]) -> String {
    let mut text = format!("$argon2id$v=19$m={memory},t={passes},p={lanes}");
    for part in parts {
        text.push('$');
        text.push_str(&BASE64_NOPAD.encode(part));
    }
    text
}

/// Reads what [`written`] wrote.
pub(crate) fn parse(text: &str) -> Option<(Cost, Vec<Vec<u8>>)> {
    let (cost, parts) = text.strip_prefix("$argon2id$v=19$m=")?.split_once('$')?;
    let (memory, cost) = cost.split_once(",t=")?;
    let (passes, lanes) = cost.split_once(",p=")?;
    let cost = (memory.parse().ok()?, passes.parse().ok()?, lanes.parse().ok()?);
    let parts: Option<Vec<_>> =
        parts.split('$').map(|part| BASE64_NOPAD.decode(part.as_bytes()).ok()).collect();
    Some((cost, parts?))
}
