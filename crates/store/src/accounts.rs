//! Accounts and their API Access Keys.

use crate::{
    Store, StoreError,
    database::{Base, Write, execute, is_storable, now, random_bytes, read, within},
};
use data_encoding::BASE32_NOPAD;
use plenary_conference::{AccountId, Timestamp};
use sha2::{Digest, Sha256};
use std::{fmt, time::Instant};
use subtle::ConstantTimeEq;
use tracing::debug;

/// Longest username, in characters.
const USERNAME_CHARS_MAX: usize = 128;

/// How much of a key is kept readable: 30 of its 256 bits, enough to tell a person's keys apart.
const PREFIX_CHARS: usize = 6;

/// How old `last_used_at` may get before a use is written again; every write is a sync of the disk.
const LAST_USED_ACCURACY_MS: i64 = 60_000;

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

/// `CLOUDID/USERNAME`, taken apart at the first slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Login<'a> {
    cloud_id: &'a str,
    username: &'a str,
}

impl<'a> Login<'a> {
    fn parse(login: &'a str) -> Result<Self, StoreError> {
        login
            .split_once('/')
            .map(|(cloud_id, username)| Self { cloud_id, username })
            .filter(|login| is_cloud_id(login.cloud_id) && is_username(login.username))
            .ok_or_else(|| StoreError::Login { login: login.to_owned() })
    }
}

/// Three decimal numbers: `1-2-0`.
fn is_cloud_id(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('-').collect();
    numbers.len() == 3
        && numbers
            .iter()
            .all(|number| (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A colon would end the user name of basic authentication (RFC 7617 section 2).
fn is_username(text: &str) -> bool {
    (1..=USERNAME_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(|c| c == ':' || c.is_whitespace() || c.is_control())
}

/// Keys have 256 random bits, so a fast hash is enough: there is nothing to guess from.
fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

impl ApiKey {
    fn generate() -> Self {
        Self(BASE32_NOPAD.encode(&random_bytes::<32>()).to_ascii_lowercase())
    }
}

type AccountRow = (i64, String, String, i64);

fn account((id, cloud_id, username, created_at): AccountRow) -> Account {
    Account { id: AccountId(id), cloud_id, username, created_at: Timestamp(created_at) }
}

impl Store {
    /// Makes an account and its first key. Takes effect at once, also in other processes.
    ///
    /// # Errors
    /// [`StoreError::Login`] unless `cloud_id` is three numbers (`1-2-0`) and `username` has 1 to 128 characters
    /// without spaces and colons; [`StoreError::AccountExists`].
    pub async fn create_account(
        &self,
        cloud_id: &str,
        username: &str,
    ) -> Result<(Account, ApiKey), StoreError> {
        self.create_account_login(&format!("{cloud_id}/{username}")).await
    }

    /// [`Self::create_account`] with the login in one piece: `1-2-0/bob@example.com`.
    ///
    /// # Errors
    /// As [`Self::create_account`].
    pub async fn create_account_login(&self, login: &str) -> Result<(Account, ApiKey), StoreError> {
        let Login { cloud_id, username } = Login::parse(login)?;
        let doing = "creating an account";
        let created_at = now();
        let mut transaction = self.write(doing).await?;
        let id: Option<i64> = within!(transaction, doing, |on| sqlx::query_scalar(
            "INSERT INTO accounts (cloud_id, username, created_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(cloud_id)
        .bind(username)
        .bind(created_at.0)
        .fetch_optional(on))?;
        let id = id.ok_or_else(|| StoreError::AccountExists { login: login.to_owned() })?;
        let (_, key) = insert_key(&mut transaction, AccountId(id), created_at).await?;
        transaction.commit(doing).await?;
        Ok((account((id, cloud_id.to_owned(), username.to_owned(), created_at.0)), key))
    }

    /// Every account, ordered by login.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<AccountRow> = read!(self.base, "listing the accounts", |on| sqlx::query_as(
            "SELECT id, cloud_id, username, created_at FROM accounts ORDER BY cloud_id, username",
        )
        .fetch_all(on))?;
        Ok(rows.into_iter().map(account).collect())
    }

    /// The account of a login.
    ///
    /// # Errors
    /// [`StoreError::Login`] when `login` can't be one.
    pub async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        let Login { cloud_id, username } = Login::parse(login)?;
        let row: Option<AccountRow> = read!(self.base, "looking up an account", |on| {
            sqlx::query_as(
            "SELECT id, cloud_id, username, created_at FROM accounts WHERE cloud_id = $1 AND username = $2",
        )
        .bind(cloud_id)
        .bind(username).fetch_optional(on)
        })?;
        Ok(row.map(account))
    }

    /// Makes a further key. The others keep working until they are revoked.
    ///
    /// # Errors
    /// [`StoreError::UnknownAccount`].
    pub async fn key_new(&self, account: AccountId) -> Result<(KeyId, ApiKey), StoreError> {
        let doing = "making a key";
        let mut transaction = self.write(doing).await?;
        let exists: Option<i64> =
            within!(transaction, doing, |on| sqlx::query_scalar("SELECT id FROM accounts WHERE id = $1")
                .bind(account.0)
                .fetch_optional(on))?;
        if exists.is_none() {
            return Err(StoreError::UnknownAccount);
        }
        let made = insert_key(&mut transaction, account, now()).await?;
        transaction.commit(doing).await?;
        Ok(made)
    }

    /// An account's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self, account: AccountId) -> Result<Vec<KeyInfo>, StoreError> {
        let rows: Vec<KeyRow> = read!(self.base, "listing keys", |on| {
            sqlx::query_as(
            "SELECT id, prefix, created_at, last_used_at, revoked_at FROM api_keys WHERE account_id = $1 ORDER BY id",
        )
        .bind(account.0).fetch_all(on)
        })?;
        Ok(rows
            .into_iter()
            .map(|(id, prefix, created_at, last_used_at, revoked_at)| KeyInfo {
                id: KeyId(id),
                prefix,
                created_at: Timestamp(created_at),
                last_used_at: last_used_at.map(Timestamp),
                revoked_at: revoked_at.map(Timestamp),
            })
            .collect())
    }

    /// Ends a key: in this process at once, in every other within a second. `false`: the account has no such key, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_revoke(&self, account: AccountId, key: KeyId) -> Result<bool, StoreError> {
        let doing = "revoking a key";
        let mut transaction = self.write(doing).await?;
        let done = execute!(transaction, doing, sqlx::query(
            "UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND account_id = $3 AND revoked_at IS NULL",
        )
        .bind(now().0)
        .bind(key.0)
        .bind(account.0))?;
        transaction.commit(doing).await?;
        self.forget_keys();
        Ok(done == 1)
    }

    /// The account whose login and valid key these are. `None` does not tell which of the two was wrong, nor
    /// does the time it takes: an unknown login is hashed and compared like a known one. What was right is believed for a
    /// second more; what revokes a key in this process, or in another that says so ([`Self::forget_keys`]), ends that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authenticate(&self, login: &str, key: &str) -> Result<Option<Account>, StoreError> {
        let given = hash(key);
        // The hash of the key has a fixed length, so no two pairs are written alike.
        let asked = Sha256::new().chain_update(given).chain_update(login).finalize().into();
        let look = match self.known_keys.get(&asked, Instant::now()) {
            Ok(account) => return Ok(Some(account)),
            Err(look) => look,
        };
        let (cloud_id, username) = login.split_once('/').filter(|_| is_storable(login)).unwrap_or_default();
        let rows: Vec<CredentialRow> = read!(self.base, "checking a key", |on| sqlx::query_as(
            "SELECT accounts.id, accounts.created_at, api_keys.id, api_keys.hash, api_keys.last_used_at
             FROM accounts JOIN api_keys ON api_keys.account_id = accounts.id
             WHERE accounts.cloud_id = $1 AND accounts.username = $2 AND api_keys.revoked_at IS NULL",
        )
        .bind(cloud_id)
        .bind(username)
        .fetch_all(on))?;

        let mut found = None;
        if rows.is_empty() {
            let _ = given.ct_eq(&[0; 32]);
        }
        for (id, created_at, key, hash, last_used_at) in rows {
            if bool::from(given.ct_eq(hash.as_slice())) {
                found = Some((id, created_at, KeyId(key), last_used_at.map(Timestamp)));
            }
        }
        Ok(found.map(|(id, created_at, key, last_used_at)| {
            self.note_use(key, last_used_at);
            let account = account((id, cloud_id.to_owned(), username.to_owned(), created_at));
            self.known_keys.keep(asked, look, account.clone());
            account
        }))
    }

    /// Another process has changed keys: from now on each is looked up again.
    pub fn forget_keys(&self) {
        self.known_keys.forget();
    }

    /// Remembers that a key was used. It may be lost, and must never delay or fail a request: where the writing
    /// connection is busy, a later request will do.
    fn note_use(&self, key: KeyId, last_used_at: Option<Timestamp>) {
        let used_at = now();
        let is_recent = last_used_at
            .is_some_and(|last| (0..LAST_USED_ACCURACY_MS).contains(&used_at.0.saturating_sub(last.0)));
        if is_recent {
            return;
        }
        let statement = "UPDATE api_keys SET last_used_at = $1 WHERE id = $2";
        let noted = move |noted: Result<(), sqlx::Error>| {
            if let Err(error) = noted {
                debug!(key = key.0, %error, "the use of a key could not be noted");
            }
        };
        match &self.base {
            Base::Sqlite(base) => {
                let Some(mut connection) = base.writer.try_acquire() else { return };
                tokio::spawn(async move {
                    let note = sqlx::query(statement).bind(used_at.0).bind(key.0);
                    noted(note.execute(&mut *connection).await.map(drop));
                });
            }
            Base::Postgres(base) => {
                let Some(mut connection) = base.writers.try_acquire() else { return };
                tokio::spawn(async move {
                    let note = sqlx::query(statement).bind(used_at.0).bind(key.0);
                    noted(note.execute(&mut *connection).await.map(drop));
                });
            }
        }
    }
}

/// id, prefix, created_at, last_used_at, revoked_at
type KeyRow = (i64, String, i64, Option<i64>, Option<i64>);
/// account id, account created_at, key id, hash, last_used_at
type CredentialRow = (i64, i64, i64, Vec<u8>, Option<i64>);

async fn insert_key(
    transaction: &mut Write,
    account: AccountId,
    created_at: Timestamp,
) -> Result<(KeyId, ApiKey), StoreError> {
    let key = ApiKey::generate();
    let hashed = hash(&key.0);
    let id = within!(transaction, "storing a key", |on| {
        sqlx::query_scalar(
        "INSERT INTO api_keys (account_id, prefix, hash, created_at) VALUES ($1, $2, $3, $4) RETURNING id",
    )
    .bind(account.0)
    .bind(&key.0[..PREFIX_CHARS])
    .bind(&hashed[..])
    .bind(created_at.0).fetch_one(on)
    })?;
    Ok((KeyId(id), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_split_at_its_first_slash() {
        let login = Login::parse("1-2-0/team/bob@example.com").unwrap();
        assert_eq!(login, Login { cloud_id: "1-2-0", username: "team/bob@example.com" });
    }

    #[test]
    fn what_cannot_be_a_login_is_refused() {
        for login in [
            "",
            "/",
            "bob",
            "1-2-0",
            "1-2-0/",
            "1-2/bob",
            "1-2-0-4/bob",
            "a-b-c/bob",
            "1--0/bob",
            "1-2-0/b b",
            "1-2-0/b:b",
            "-1-2-0/b",
        ] {
            assert!(matches!(Login::parse(login), Err(StoreError::Login { .. })), "{login:?}");
        }
        assert!(Login::parse(&format!("1-2-0/{}", "b".repeat(129))).is_err());
    }

    #[test]
    fn keys_are_long_different_and_never_shown_by_accident() {
        let (one, other) = (ApiKey::generate(), ApiKey::generate());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 52);
        assert!(one.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(format!("{one:?}"), "ApiKey(…)");
    }
}
