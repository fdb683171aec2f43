//! Changes of stored things in one step: what is there is read, the caller decides, and the outcome is written, all in one
//! transaction beside which nothing else changes. So what was decided about is still what is there, over all processes.

use crate::StoreError;
use thiserror::Error;

/// What is to become of a stored thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<T> {
    /// This takes its place, or is the first of its name.
    Put(T),
    /// It goes.
    Delete,
    /// It stays as it is, or there is still none.
    Keep,
}

/// What became of a stored thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<T> {
    /// There was none; this is it.
    Created(T),
    /// There was one; this has taken its place.
    Replaced(T),
    /// There was one, and now there is none.
    Deleted,
    /// Nothing was written; this is there, if anything is.
    Kept(Option<T>),
}

impl<T> Changed<T> {
    /// What is there now.
    #[must_use]
    pub fn into_stored(self) -> Option<T> {
        match self {
            Self::Created(stored) | Self::Replaced(stored) => Some(stored),
            Self::Deleted => None,
            Self::Kept(stored) => stored,
        }
    }
}

/// Why a change was not made. Nothing was written, unless the store says that it cannot know
/// ([`StoreError::Unconfirmed`]).
#[derive(Debug, Error)]
pub enum ChangeError<E, S = StoreError> {
    /// Whoever decided refused.
    #[error(transparent)]
    Refused(E),
    /// What was decided is not allowed, or the database failed.
    #[error(transparent)]
    Store(S),
}

impl<E, S: From<StoreError>> From<StoreError> for ChangeError<E, S> {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}
