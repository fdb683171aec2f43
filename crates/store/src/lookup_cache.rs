//! A cache of lookups, so that a client with many requests a second is not looked up for each of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a result is reused without another lookup. It bounds how long a key still works that another process has
/// revoked.
const CACHE_TTL: Duration = Duration::from_secs(1);
/// Entries at the most; a full cache is emptied.
const ENTRIES_MAX: usize = 4096;

/// Results by the SHA-256 of what was looked up. Clones share their entries.
#[derive(Debug)]
pub(crate) struct LookupCache<T>(Arc<Mutex<Entries<T>>>);

#[derive(Debug)]
struct Entries<T> {
    found: HashMap<[u8; 32], (Instant, T)>,
    /// Grows when all is forgotten.
    generation: u64,
}

/// Permission to store the result of a lookup that began before the cache was emptied, if it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LookupTicket {
    generation: u64,
    at: Instant,
}

impl<T> Clone for LookupCache<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for LookupCache<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Entries { found: HashMap::new(), generation: 0 })))
    }
}

impl<T: Clone> LookupCache<T> {
    /// What was found for it a moment before `now`; else a look that the database has to answer.
    pub(crate) fn get(&self, key: &[u8; 32], now: Instant) -> Result<T, LookupTicket> {
        let entries = self.entries();
        match entries.found.get(key) {
            Some((at, found)) if now.saturating_duration_since(*at) < CACHE_TTL => Ok(found.clone()),
            _ => Err(LookupTicket { generation: entries.generation, at: now }),
        }
    }

    /// Keeps what a look has found, unless all was forgotten while it lasted.
    pub(crate) fn keep(&self, key: [u8; 32], ticket: LookupTicket, found: T) {
        let mut entries = self.entries();
        if entries.generation != ticket.generation {
            return;
        }
        if entries.found.len() >= ENTRIES_MAX {
            entries.found.clear();
        }
        entries.found.insert(key, (ticket.at, found));
    }

    /// Something has changed: nothing that was found before is believed any more.
    pub(crate) fn forget(&self) {
        let mut entries = self.entries();
        entries.generation += 1;
        entries.found.clear();
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries<T>> {
        // Each change is one step, so what a panic left behind is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_believed_for_a_second_and_not_once_it_is_forgotten() {
        let (cache, start) = (LookupCache::default(), Instant::now());
        let (one, two) = ([1; 32], [2; 32]);
        let ticket = cache.get(&one, start).unwrap_err();
        cache.keep(one, ticket, "found");
        assert_eq!(cache.get(&one, start + Duration::from_millis(999)).unwrap(), "found");
        assert!(cache.get(&two, start).is_err());
        assert!(cache.get(&one, start + CACHE_TTL).is_err());

        let ticket = cache.get(&two, start).unwrap_err();
        cache.forget();
        assert!(cache.get(&one, start).is_err());
        cache.keep(two, ticket, "revoked while it was looked up");
        assert!(cache.get(&two, start).is_err());
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let (cache, start) = (LookupCache::default(), Instant::now());
        for number in 0..=ENTRIES_MAX {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            let ticket = cache.get(&key, start).unwrap_err();
            cache.keep(key, ticket, number);
        }
        assert_eq!(cache.entries().found.len(), 1);
    }
}
