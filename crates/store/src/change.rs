//! Changes of stored things in one step: what is there is read, the caller decides, and the outcome is written, all in one
//! transaction beside which nothing else changes. So what was decided about is still what is there, over all processes.

use crate::{
    Store, StoreError,
    database::{Write, is_storable, now},
};
use plenary_model::{AccountId, Timestamp};
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

/// A kind of things that accounts have by name, as [`Store::change_named`] reads and writes them.
pub(crate) trait Kind {
    /// As its owner sees one.
    type Stored: Send;
    /// What is put in its place.
    type Body: Send;
    /// Why one is not stored.
    type Error: From<StoreError>;
    /// What is being done where the database fails.
    const DOING: &'static str;

    /// What the account has under this name, which the database can hold.
    fn read(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
    ) -> impl Future<Output = Result<Option<Self::Stored>, StoreError>> + Send;

    /// Checks the name and the body, and writes them.
    fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Option<&Self::Stored>,
        body: Self::Body,
    ) -> impl Future<Output = Result<Self::Stored, Self::Error>> + Send;

    /// Deletes what is there. `false`: there is nothing.
    fn delete(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// What was read counts as there: it can be deleted, and what is put replaces it.
    fn is_there(_: &Self::Stored) -> bool {
        true
    }
}

impl Store {
    /// Reads what an account has under a name, lets it be decided about, and writes the outcome, in one transaction.
    pub(crate) async fn change_named<K: Kind, E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Option<&K::Stored>) -> Result<Change<K::Body>, E> + Send,
    ) -> Result<Changed<K::Stored>, ChangeError<E, K::Error>> {
        let mut transaction = self.write(K::DOING).await?;
        let before = match is_storable(name) {
            true => K::read(&mut transaction, account, name).await?,
            false => None,
        };
        let change = decide(before.as_ref()).map_err(ChangeError::Refused)?;
        let is_there = before.as_ref().is_some_and(K::is_there);
        let changed = match change {
            Change::Put(body) => {
                let put = K::put(&mut transaction, account, name, before.as_ref(), body).await;
                let stored = put.map_err(ChangeError::Store)?;
                if is_there { Changed::Replaced(stored) } else { Changed::Created(stored) }
            }
            Change::Delete if is_there => {
                K::delete(&mut transaction, account, name).await?;
                Changed::Deleted
            }
            Change::Delete | Change::Keep => return Ok(Changed::Kept(before)),
        };
        transaction.commit(K::DOING).await?;
        Ok(changed)
    }

    /// Puts something under a name, whatever is there.
    pub(crate) async fn put_named<K: Kind>(
        &self,
        account: AccountId,
        name: &str,
        body: K::Body,
    ) -> Result<PutOutcome, K::Error> {
        match decided(self.change_named::<K, _>(account, name, |_| Ok(Change::Put(body))).await)? {
            Changed::Created(_) => Ok(PutOutcome::Created),
            Changed::Replaced(_) | Changed::Deleted | Changed::Kept(_) => Ok(PutOutcome::Replaced),
        }
    }

    /// Deletes what is there under a name, even where it cannot be read. `false`: there is nothing.
    pub(crate) async fn delete_named<K: Kind>(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<bool, StoreError> {
        if !is_storable(name) {
            return Ok(false);
        }
        let mut transaction = self.write(K::DOING).await?;
        let is_deleted = K::delete(&mut transaction, account, name).await?;
        transaction.commit(K::DOING).await?;
        Ok(is_deleted)
    }
}

/// The outcome of a decision that refuses nothing.
pub(crate) fn decided<T, S>(changed: Result<T, ChangeError<std::convert::Infallible, S>>) -> Result<T, S> {
    changed.map_err(|error| match error {
        ChangeError::Refused(never) => match never {},
        ChangeError::Store(error) => error,
    })
}

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// There was nothing of this name.
    Created,
    /// There was something, and it is replaced.
    Replaced,
}

/// When a thing is changed that was last changed at `before`: now, or a bit later where the clock does not say so, so that each
/// change is to be told from the one before.
pub(crate) fn changed_at(before: Option<Timestamp>) -> Timestamp {
    let now = now();
    before.map_or(now, |before| now.max(Timestamp(before.0.saturating_add(1))))
}

/// Where a list by name goes on: behind this name, which may be anything that somebody sent. What the database cannot hold stands
/// right behind what comes before its first NUL.
pub(crate) fn behind(after: Option<&str>) -> &str {
    after.unwrap_or_default().split('\0').next().unwrap_or_default()
}

/// How many rows a statement is asked for.
pub(crate) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_to_be_told_from_the_one_before() {
        let before = now();
        assert!(changed_at(None) >= before);
        assert!(changed_at(Some(before)) > before);
        // The clock was set back.
        let later = before.plus_minutes(60);
        assert_eq!(changed_at(Some(later)), Timestamp(later.0 + 1));
    }

    #[test]
    fn a_list_goes_on_behind_any_text() {
        for (after, name) in [(None, ""), (Some("b"), "b"), (Some("b\0c"), "b"), (Some("\0"), "")] {
            assert_eq!(behind(after), name);
        }
    }
}
