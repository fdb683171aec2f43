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

/// Who asks, and what for a valid key lets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The account whose key it is.
    pub account: Account,
    /// The key.
    pub key: KeyId,
    /// What it may do.
    pub scopes: Scopes,
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
