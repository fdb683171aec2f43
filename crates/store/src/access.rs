//! Accounts, and what their keys let a request do.

use plenary_model::{AccountId, ConferenceName, Scopes, Timestamp};
use std::{fmt, sync::Arc};

/// An account: whose conferences, services and keys they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its database key.
    pub id: AccountId,
    /// The cloud id: three decimal numbers, `1-2-0`.
    pub cloud_id: String,
    /// The username: `bob@example.com`.
    pub username: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How long its recordings are kept, in days; 0: for ever; `None`: as is configured.
    pub recording_days: Option<u32>,
}

/// A key's number, unique over the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub i64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A person's number, unique over the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub i64);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A session's number, unique over the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// By what a request has shown who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticated {
    /// An API Access Key.
    Key(KeyId),
    /// A person who has signed in.
    Person {
        /// Who.
        person: PersonId,
        /// Their mail address.
        mail: String,
        /// The browser they signed in with.
        session: SessionId,
    },
}

impl Authenticated {
    /// The key, where it is one.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        match self {
            Self::Key(key) => Some(*key),
            Self::Person { .. } => None,
        }
    }

    /// The person, where it is one.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Self::Key(_) => None,
            Self::Person { person, .. } => Some(*person),
        }
    }
}

/// Who asks, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The account that is asked about: that of the key, or the one that a person works in.
    pub account: Account,
    /// A key, or a person.
    pub by: Authenticated,
    /// What it may do.
    pub scopes: Scopes,
    /// It may change nothing, whatever the scopes are.
    pub only_reads: bool,
    /// The only conference that it is for; `None`: all of the account.
    pub conference: Option<ConferenceName>,
}

/// A key that was found valid, until when it is.
#[derive(Debug, Clone)]
pub(crate) struct CachedKey {
    pub(crate) access: Arc<Access>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// Id, cloud id, user name, when it was made, days for which recordings are kept.
pub(crate) type AccountRow = (i64, String, String, i64, Option<i64>);

pub(crate) fn account((id, cloud_id, username, created_at, recording_days): AccountRow) -> Account {
    let recording_days = recording_days.and_then(|days| u32::try_from(days).ok());
    Account { id: AccountId(id), cloud_id, username, created_at: Timestamp(created_at), recording_days }
}
