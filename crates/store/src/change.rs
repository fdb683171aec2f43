//! Changes of what is stored: the store reads, the caller decides, and the store writes the outcome, all in one transaction.
//! No other change runs meanwhile, in any process, so the decision is about what is still there.

use crate::{StoreError, database::now};
use plenary_model::Timestamp;
use thiserror::Error;

/// A decision about what is stored under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<T> {
    /// Create or replace it.
    Put(T),
    /// Delete it.
    Delete,
    /// Write nothing.
    Keep,
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<T> {
    /// It did not exist before.
    Created(T),
    /// It replaces an earlier one.
    Replaced(T),
    /// It existed, and is deleted.
    Deleted,
    /// Nothing was written; this is what exists.
    Kept(Option<T>),
}

impl<T> Changed<T> {
    /// Whether it did not exist before.
    #[must_use]
    pub fn is_created(&self) -> bool {
        matches!(self, Self::Created(_))
    }

    /// What exists now.
    #[must_use]
    pub fn into_stored(self) -> Option<T> {
        match self {
            Self::Created(stored) | Self::Replaced(stored) => Some(stored),
            Self::Deleted => None,
            Self::Kept(stored) => stored,
        }
    }
}

/// Why a change was not made. Nothing was written, unless the commit is [`StoreError::Unconfirmed`].
#[derive(Debug, Error)]
pub enum ChangeError<E, S = StoreError> {
    /// The decision was a refusal.
    #[error(transparent)]
    Refused(E),
    /// The decided change is not allowed, or the database failed.
    #[error(transparent)]
    Store(S),
}

impl<E, S: From<StoreError>> From<StoreError> for ChangeError<E, S> {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

/// The outcome of a decision that refuses nothing.
pub(crate) fn decided<T, S>(changed: Result<T, ChangeError<std::convert::Infallible, S>>) -> Result<T, S> {
    changed.map_err(|error| match error {
        ChangeError::Refused(never) => match never {},
        ChangeError::Store(error) => error,
    })
}

/// The time of a change: now, but later than the change `before`, also when the clock was set back or has not moved. So
/// each version has a time of its own.
pub(crate) fn changed_at(before: Option<Timestamp>) -> Timestamp {
    let now = now();
    before.map_or(now, |before| now.max(Timestamp(before.0.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_a_later_time() {
        let before = now();
        assert!(changed_at(None) >= before);
        assert!(changed_at(Some(before)) > before);
        // The clock was set back.
        let later = before.plus_minutes(60);
        assert_eq!(changed_at(Some(later)), Timestamp(later.0 + 1));
    }
}
