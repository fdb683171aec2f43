//! What was found a moment ago: a program that asks many things a second is not looked up for each of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// For so long something is believed without another look: it bounds how long a key still works that another process has
/// revoked.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// More are not kept.
const KEPT_MAX: usize = 4096;

/// Finds by the SHA-256 of what was asked. Clones share what they know.
#[derive(Debug)]
pub(crate) struct Known<T>(Arc<Mutex<Kept<T>>>);

#[derive(Debug)]
struct Kept<T> {
    found: HashMap<[u8; 32], (Instant, T)>,
    /// Grows when all is forgotten.
    generation: u64,
}

/// A look at the database that began before whatever is forgotten meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    generation: u64,
    at: Instant,
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Kept { found: HashMap::new(), generation: 0 })))
    }
}

impl<T: Clone> Known<T> {
    /// What was found for it a moment before `now`; else a look that the database has to answer.
    pub(crate) fn get(&self, asked: &[u8; 32], now: Instant) -> Result<T, Look> {
        let kept = self.kept();
        match kept.found.get(asked) {
            Some((at, found)) if now.saturating_duration_since(*at) < BELIEVED_FOR => Ok(found.clone()),
            _ => Err(Look { generation: kept.generation, at: now }),
        }
    }

    /// Keeps what a look has found, unless all was forgotten while it lasted.
    pub(crate) fn keep(&self, asked: [u8; 32], look: Look, found: T) {
        let mut kept = self.kept();
        if kept.generation != look.generation {
            return;
        }
        if kept.found.len() >= KEPT_MAX {
            kept.found.clear();
        }
        kept.found.insert(asked, (look.at, found));
    }

    /// Something has changed: nothing that was found before is believed any more.
    pub(crate) fn forget(&self) {
        let mut kept = self.kept();
        kept.generation += 1;
        kept.found.clear();
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept<T>> {
        // Each change is one step, so what a panic left behind is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_believed_for_a_second_and_not_once_it_is_forgotten() {
        let (known, start) = (Known::default(), Instant::now());
        let (one, two) = ([1; 32], [2; 32]);
        let look = known.get(&one, start).unwrap_err();
        known.keep(one, look, "found");
        assert_eq!(known.get(&one, start + Duration::from_millis(999)).unwrap(), "found");
        assert!(known.get(&two, start).is_err());
        assert!(known.get(&one, start + BELIEVED_FOR).is_err());

        let look = known.get(&two, start).unwrap_err();
        known.forget();
        assert!(known.get(&one, start).is_err());
        known.keep(two, look, "revoked while it was looked up");
        assert!(known.get(&two, start).is_err());
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let (known, start) = (Known::default(), Instant::now());
        for number in 0..=KEPT_MAX {
            let mut asked = [0; 32];
            asked[..8].copy_from_slice(&number.to_be_bytes());
            let look = known.get(&asked, start).unwrap_err();
            known.keep(asked, look, number);
        }
        assert_eq!(known.kept().found.len(), 1);
    }
}
