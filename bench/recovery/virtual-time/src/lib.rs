//! A clock that shows the time it was set to, with the names that `neteq` uses. Each thread has its own.

use std::{cell::Cell, ops::Sub};

pub use std::time::Duration;

thread_local! {
    static NOW_NS: Cell<u64> = const { Cell::new(0) };
}

/// Sets the clock of this thread.
pub fn set_ns(now_ns: u64) {
    NOW_NS.set(now_ns);
}

/// A moment of virtual time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The time of this thread's clock.
    pub fn now() -> Self {
        Self(NOW_NS.get())
    }

    /// Zero if `earlier` is later, as in the standard library.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time since this moment.
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    /// `None` on overflow.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(u64::try_from(duration.as_nanos()).ok()?).map(Self)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}
