//! Deadlines by what they are for.

use plenary_conference::Mono;
use std::collections::BTreeMap;

/// One deadline at the most for each reason.
#[derive(Debug)]
pub(crate) struct Timers<T>(BTreeMap<T, Mono>);

impl<T: Ord + Copy> Timers<T> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn set(&mut self, timer: T, at: Mono) {
        self.0.insert(timer, at);
    }

    pub(crate) fn cancel(&mut self, timer: T) {
        self.0.remove(&timer);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn next(&self) -> Option<Mono> {
        self.0.values().min().copied()
    }

    /// Takes out the earliest that is due, the first reason first where two are due at once.
    pub(crate) fn take_due(&mut self, now: Mono) -> Option<T> {
        let (timer, _) =
            self.0.iter().filter(|(_, at)| **at <= now).min_by_key(|(timer, at)| (**at, **timer))?;
        let timer = *timer;
        self.0.remove(&timer);
        Some(timer)
    }
}

/// So many seconds later.
pub(crate) fn after_s(now: Mono, seconds: u32) -> Mono {
    now.plus_ms(u64::from(seconds) * 1000)
}
