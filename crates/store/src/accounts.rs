//! Accounts and their API Access Keys.

use crate::{Store, StoreError};
use plenary_conference::{AccountId, Timestamp};
use std::fmt;

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
}

/// A key's number, unique over the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub i64);

/// The secret text of an API Access Key. It exists only in the moment in which the key is made.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// What may be told about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its number.
    pub id: KeyId,
    /// The first characters of its text, by which people tell their keys apart.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used; accurate to a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ApiKey {
    /// The secret text: 52 lower-case letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[allow(missing_docs)]
impl Store {
    pub async fn create_account(&self, cloud_id: &str, username: &str) -> Result<(Account, ApiKey), StoreError> { todo!() }
    pub async fn create_account_login(&self, login: &str) -> Result<(Account, ApiKey), StoreError> { todo!() }
    pub async fn list_accounts(&self) -> Result<Vec<Account>, StoreError> { todo!() }
    pub async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> { todo!() }
    pub async fn key_new(&self, account: AccountId) -> Result<(KeyId, ApiKey), StoreError> { todo!() }
    pub async fn keys(&self, account: AccountId) -> Result<Vec<KeyInfo>, StoreError> { todo!() }
    pub async fn key_revoke(&self, account: AccountId, key: KeyId) -> Result<bool, StoreError> { todo!() }
    pub async fn authenticate(&self, login: &str, key: &str) -> Result<Option<Account>, StoreError> { todo!() }
}
