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
    /// What the operator allows it.
    pub settings: AccountSettings,
}

/// What the operator allows an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountSettings {
    /// How long its recordings are kept, in days; 0: for ever; `None`: as is configured.
    pub recording_days: Option<u32>,
    /// Its keys and people are refused, and its inbound services take no calls.
    pub is_disabled: bool,
    /// Seats of one of its conferences at the most; `None`: as is configured.
    pub max_participants: Option<u32>,
    /// Its requests per second; `None`: as is configured.
    pub requests_per_second: Option<u32>,
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

/// The number of the session of a leader's link, unique over the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderSessionId(pub i64);

/// By what a request has shown who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticated {
    /// An API Access Key.
    Key(KeyId),
    /// A browser that has opened a leader's link.
    Leader {
        /// The link, which is a key of one conference.
        link: KeyId,
        /// The session that began with it.
        session: LeaderSessionId,
    },
    /// A person who has signed in.
    Person {
        /// The person, by number.
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
            Self::Key(key) | Self::Leader { link: key, .. } => Some(*key),
            Self::Person { .. } => None,
        }
    }

    /// The person, where it is one.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Self::Key(_) | Self::Leader { .. } => None,
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

/// The columns of an [`AccountRow`].
macro_rules! account_columns {
    () => {
        "accounts.id, accounts.cloud_id, accounts.username, accounts.created_at, accounts.recording_days,
         accounts.is_disabled, accounts.max_participants, accounts.requests_per_second"
    };
}
pub(crate) use account_columns;

/// [`account_columns`].
pub(crate) type AccountRow = (i64, String, String, i64, Option<i64>, bool, Option<i64>, Option<i64>);

pub(crate) fn account(row: AccountRow) -> Account {
    let (id, cloud_id, username, created_at, days, is_disabled, participants, requests) = row;
    let limit = |column: Option<i64>| column.and_then(|column| u32::try_from(column).ok());
    let settings = AccountSettings {
        recording_days: limit(days),
        is_disabled,
        max_participants: limit(participants),
        requests_per_second: limit(requests),
    };
    Account { id: AccountId(id), cloud_id, username, created_at: Timestamp(created_at), settings }
}
