//! Two kinds of time, never mixed: monotonic for timers, the calendar for reservations.

pub use plenary_model::Timestamp;

/// Monotonic time in milliseconds since an arbitrary start. Never goes back, says nothing about the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// This moment plus `ms` milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// One reading of both clocks. Every `handle_*` takes one; nothing in this crate reads a clock itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic reading.
    pub mono: Mono,
    /// Calendar reading, taken at the same moment.
    pub wall: Timestamp,
}
