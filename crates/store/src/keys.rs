//! API Access Keys: made, listed, changed, revoked, and looked up for every request of the web services.

use crate::{
    ChangeError, Store, StoreError,
    access::{Access, AccountRow, Authenticated, CachedKey, KeyId, account, account_columns},
    change::decided,
    database::{Base, Write, execute, is_storable, now, random_bytes, read, within},
    links::link_end,
    lookup_cache::LookupTicket,
    named::at_most,
};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac};
use plenary_model::{AccountId, ConferenceName, KeySettings, Scopes, Timestamp, UnknownScope};
use sha2::{Digest, Sha256};
use std::{convert::Infallible, fmt, sync::Arc, time::Instant};
use subtle::ConstantTimeEq;
use tracing::debug;

/// How much of a key is kept readable: 30 of its 256 bits, enough to distinguish the keys of an account.
const PREFIX_CHARS: usize = 6;

/// How old `last_used_at` may get before a use is written again; every write is a sync of the disk.
const LAST_USED_RESOLUTION_MS: i64 = 60_000;

/// Keys of an account that are not revoked, at the most: a login is compared with all of them.
const KEYS_MAX: i64 = 1000;

/// The secret text of an API Access Key. It exists only in the moment in which the key is made.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// What may be shown of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its number.
    pub id: KeyId,
    /// The first characters of its text, by which people distinguish their keys.
    pub prefix: String,
    /// What people call it.
    pub label: Option<String>,
    /// What it may do.
    pub scopes: Scopes,
    /// The only conference that it is for; `None`: all of the account.
    pub conference: Option<ConferenceName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is not valid; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; accurate to a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl KeyInfo {
    /// What may be set of it, as it is set.
    #[must_use]
    pub fn settings(&self) -> KeySettings {
        KeySettings {
            label: self.label.clone(),
            scopes: self.scopes,
            conference: self.conference.clone(),
            expires_at: self.expires_at,
        }
    }
}

impl ApiKey {
    fn generate() -> Self {
        Self(random_text())
    }

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

/// 256 random bits: 52 lower-case letters and digits.
pub(crate) fn random_text() -> String {
    BASE32_NOPAD.encode(&random_bytes::<32>()).to_ascii_lowercase()
}

/// Keys have 256 random bits, so a fast hash is enough: there is nothing to guess from.
pub(crate) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// What only who has the key could have said.
pub(crate) fn mac(key: &[u8], said: &str) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(said.as_bytes());
    mac
}

/// The columns of a [`KeyRow`].
macro_rules! key_columns {
    () => {
        "id, prefix, label, scopes, conference, created_at, expires_at, last_used_at, revoked_at"
    };
}

/// [`key_columns`].
type KeyRow =
    (i64, String, Option<String>, String, Option<String>, i64, Option<i64>, Option<i64>, Option<i64>);

async fn reread(
    transaction: &mut Write,
    doing: &'static str,
    account: AccountId,
    key: KeyId,
) -> Result<Option<KeyInfo>, StoreError> {
    let row: Option<KeyRow> = within!(transaction, doing, |on| sqlx::query_as(concat!(
        "SELECT ",
        key_columns!(),
        " FROM api_keys WHERE account_id = $1 AND id = $2 AND NOT leader_link"
    ))
    .bind(account.0)
    .bind(key.0)
    .fetch_optional(on))?;
    row.map(info).transpose()
}

fn info(row: KeyRow) -> Result<KeyInfo, StoreError> {
    let (id, prefix, label, names, conference, created_at, expires_at, last_used_at, revoked_at) = row;
    Ok(KeyInfo {
        id: KeyId(id),
        prefix,
        label,
        scopes: scopes(id, &names)?,
        conference: conference.map(ConferenceName::new),
        created_at: Timestamp(created_at),
        expires_at: expires_at.map(Timestamp),
        last_used_at: last_used_at.map(Timestamp),
        revoked_at: revoked_at.map(Timestamp),
    })
}

pub(crate) fn scopes(key: i64, names: &str) -> Result<Scopes, StoreError> {
    let damaged = |error: UnknownScope| StoreError::Damaged { what: format!("key {key}: {error}") };
    names.parse().map_err(damaged)
}

/// A key that is not revoked, as `credentials!` asks for it: an [`AccountRow`]; key id, hash, scopes, conference, its end,
/// `last_used_at`.
pub(crate) type CredentialRow = (
    i64,
    String,
    String,
    i64,
    Option<i64>,
    bool,
    Option<i64>,
    Option<i64>,
    i64,
    Vec<u8>,
    String,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

/// Keys that are not revoked, with their accounts that are not disabled, under a condition.
macro_rules! credentials {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            account_columns!(),
            ", api_keys.id, api_keys.hash, api_keys.scopes, api_keys.conference, ",
            link_end!("api_keys"),
            ", api_keys.last_used_at
             FROM accounts JOIN api_keys ON api_keys.account_id = accounts.id
             WHERE api_keys.revoked_at IS NULL AND NOT accounts.is_disabled AND ",
            $condition
        )
    };
}

impl Store {
    /// Makes a further key. The others keep working until they are revoked.
    ///
    /// # Errors
    /// [`StoreError::KeySettings`] where the settings are not allowed, [`StoreError::UnknownAccount`],
    /// [`StoreError::TooManyKeys`].
    pub async fn key_new(
        &self,
        account: AccountId,
        settings: &KeySettings,
    ) -> Result<(KeyInfo, ApiKey), StoreError> {
        let errors = settings.check_new(now());
        if !errors.is_empty() {
            return Err(StoreError::KeySettings(errors));
        }
        let doing = "making a key";
        let mut transaction = self.write(doing).await?;
        let (exists, keys): (bool, i64) = within!(transaction, doing, |on| {
            sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = $1),
                    (SELECT count(*) FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL AND NOT leader_link)"
        )
        .bind(account.0)
        .fetch_one(on)
        })?;
        if !exists {
            return Err(StoreError::UnknownAccount);
        }
        if keys >= KEYS_MAX {
            return Err(StoreError::TooManyKeys { most: KEYS_MAX });
        }
        let made = insert_key(&mut transaction, account, settings, now()).await?;
        transaction.commit(doing).await?;
        Ok(made)
    }

    /// An account's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self, account: AccountId) -> Result<Vec<KeyInfo>, StoreError> {
        self.keys_after(account, None, usize::MAX).await
    }

    /// So many of an account's keys at the most, oldest first, revoked ones included, from the one behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys_after(
        &self,
        account: AccountId,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyInfo>, StoreError> {
        let rows: Vec<KeyRow> = read!(self.base, "listing keys", |on| sqlx::query_as(concat!(
            "SELECT ",
            key_columns!(),
            " FROM api_keys WHERE account_id = $1 AND id > $2 AND NOT leader_link ORDER BY id LIMIT $3"
        ))
        .bind(account.0)
        .bind(after.map_or(i64::MIN, |key| key.0))
        .bind(at_most(limit))
        .fetch_all(on))?;
        rows.into_iter().map(info).collect()
    }

    /// An account's key, valid or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key(&self, account: AccountId, key: KeyId) -> Result<Option<KeyInfo>, StoreError> {
        let row: Option<KeyRow> = read!(self.base, "reading a key", |on| sqlx::query_as(concat!(
            "SELECT ",
            key_columns!(),
            " FROM api_keys WHERE account_id = $1 AND id = $2 AND NOT leader_link"
        ))
        .bind(account.0)
        .bind(key.0)
        .fetch_optional(on))?;
        row.map(info).transpose()
    }

    /// Changes what may be set of an account's key, by a decision about what it is. Takes effect in this process at once, in
    /// every other within a second. `None`: the account has no such key, and nothing was to be decided.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`StoreError::KeySettings`] where its outcome is not allowed.
    pub async fn change_key<E>(
        &self,
        account: AccountId,
        key: KeyId,
        decide: impl FnOnce(&KeyInfo) -> Result<KeySettings, E> + Send,
    ) -> Result<Option<KeyInfo>, ChangeError<E>> {
        let doing = "changing a key";
        let mut transaction = self.write(doing).await?;
        let Some(before) = reread(&mut transaction, doing, account, key).await? else { return Ok(None) };
        let settings = decide(&before).map_err(ChangeError::Refused)?;
        let errors = settings.check();
        if !errors.is_empty() {
            return Err(StoreError::KeySettings(errors).into());
        }
        execute!(transaction, doing, sqlx::query(
            "UPDATE api_keys SET label = $1, scopes = $2, conference = $3, expires_at = $4 WHERE id = $5 AND account_id = $6"
        )
        .bind(settings.label.as_deref())
        .bind(settings.scopes.to_string())
        .bind(settings.conference.as_ref().map(ConferenceName::as_str))
        .bind(settings.expires_at.map(|at| at.0))
        .bind(key.0)
        .bind(account.0))?;
        let committed = transaction.commit(doing).await;
        // Also where the answer to the commit did not come: it may be done.
        self.forget_keys();
        committed?;
        let KeySettings { label, scopes, conference, expires_at } = settings;
        Ok(Some(KeyInfo { label, scopes, conference, expires_at, ..before }))
    }

    /// Ends a key: in this process at once, in every other within a second. `false`: the account has no such key, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_revoke(&self, account: AccountId, key: KeyId) -> Result<bool, StoreError> {
        decided(self.key_revoke_if::<Infallible>(account, key, |_| Ok(())).await)
    }

    /// As [`Self::key_revoke`], if this decision about what the key is allows it.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision, and when the database fails.
    pub async fn key_revoke_if<E>(
        &self,
        account: AccountId,
        key: KeyId,
        decide: impl FnOnce(&KeyInfo) -> Result<(), E> + Send,
    ) -> Result<bool, ChangeError<E>> {
        let doing = "revoking a key";
        let mut transaction = self.write(doing).await?;
        let Some(before) = reread(&mut transaction, doing, account, key).await? else { return Ok(false) };
        if before.revoked_at.is_some() {
            return Ok(false);
        }
        decide(&before).map_err(ChangeError::Refused)?;
        execute!(
            transaction,
            doing,
            sqlx::query("UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND account_id = $3")
                .bind(now().0)
                .bind(key.0)
                .bind(account.0)
        )?;
        let committed = transaction.commit(doing).await;
        // Also where the answer to the commit did not come: it may be done.
        self.forget_keys();
        committed?;
        Ok(true)
    }

    /// What the key of this login lets do, if both are right and the key is valid. `None` does not show which of the two was
    /// wrong, nor does the time it takes: an unknown login is hashed and compared like a known one. What was right is believed for a
    /// second more, though not beyond the end of the key; what changes a key in this process, or in another that says so
    /// ([`Self::forget_keys`]), ends that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authenticate(&self, login: &str, key: &str) -> Result<Option<Arc<Access>>, StoreError> {
        let given = hash(key);
        // The hash of the key has a fixed length, so no two pairs are written alike.
        let cache_key = Sha256::new().chain_update(given).chain_update(login).finalize().into();
        let ticket = match self.key_cache.get(&cache_key, Instant::now()) {
            Ok(cached) => return Ok(cached.if_valid()),
            Err(ticket) => ticket,
        };
        let (cloud_id, username) = login.split_once('/').filter(|_| is_storable(login)).unwrap_or_default();
        let rows: Vec<CredentialRow> = read!(self.base, "checking a key", |on| sqlx::query_as(
            credentials!("accounts.cloud_id = $1 AND accounts.username = $2 AND NOT api_keys.leader_link")
        )
        .bind(cloud_id)
        .bind(username)
        .fetch_all(on))?;

        let mut found = None;
        if rows.is_empty() {
            let _ = given.ct_eq(&[0; 32]);
        }
        for row in rows {
            if bool::from(given.ct_eq(row.9.as_slice())) {
                found = Some(row);
            }
        }
        self.found(cache_key, ticket, found)
    }

    /// What this key lets a request do, for whichever account, if it is valid; the key alone says whose it is (Bearer, RFC 6750). It is looked
    /// for by its hash. How long that takes may depend on what the index holds beside it, which reveals nothing about keys: of the hash
    /// of a random key nothing follows. What was right is believed as by [`Self::authenticate`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authenticate_key(&self, key: &str) -> Result<Option<Arc<Access>>, StoreError> {
        let given = hash(key);
        // What comes before the hash distinguishes it from a pair of login and key, which begins with one.
        let cache_key = Sha256::new().chain_update("bearer").chain_update(given).finalize().into();
        let ticket = match self.key_cache.get(&cache_key, Instant::now()) {
            Ok(cached) => return Ok(cached.if_valid()),
            Err(ticket) => ticket,
        };
        let found: Option<CredentialRow> =
            read!(self.base, "checking a key", |on| sqlx::query_as(credentials!("api_keys.hash = $1"))
                .bind(&given[..])
                .fetch_optional(on))?;
        self.found(cache_key, ticket, found)
    }

    /// What a key lets a request do now, if it is valid; that it is asked is no use of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_access(&self, key: KeyId) -> Result<Option<Arc<Access>>, StoreError> {
        let found: Option<CredentialRow> =
            read!(self.base, "checking a key", |on| sqlx::query_as(credentials!("api_keys.id = $1"))
                .bind(key.0)
                .fetch_optional(on))?;
        let Some(row) = found else { return Ok(None) };
        Ok(credential(row)?.0.if_valid())
    }

    /// What a row that was found lets do; it is kept for requests with the same key.
    fn found(
        &self,
        cache_key: [u8; 32],
        ticket: LookupTicket,
        found: Option<CredentialRow>,
    ) -> Result<Option<Arc<Access>>, StoreError> {
        let Some(row) = found else { return Ok(None) };
        let (cached, key, last_used_at) = credential(row)?;
        let valid = cached.if_valid();
        if valid.is_some() {
            self.note_use(key, last_used_at);
            self.key_cache.keep(cache_key, ticket, cached);
        }
        Ok(valid)
    }

    /// Another process has changed keys: from now on each is looked up again.
    pub fn forget_keys(&self) {
        self.key_cache.forget();
    }

    /// Remembers that a key was used. It may be lost, and must never delay or fail a request: where the writing
    /// connection is busy, a later request will do.
    fn note_use(&self, key: KeyId, last_used_at: Option<Timestamp>) {
        let used_at = now();
        let is_recent = last_used_at
            .is_some_and(|last| (0..LAST_USED_RESOLUTION_MS).contains(&used_at.0.saturating_sub(last.0)));
        if is_recent {
            return;
        }
        self.note(
            "UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND coalesce(last_used_at, 0) < $1",
            used_at,
            key.0,
        );
    }

    /// Writes the time of a use into a row, with a statement that takes the time and the row's number, when the writing
    /// connection is free; else not.
    pub(crate) fn note(&self, statement: &'static str, used_at: Timestamp, row: i64) {
        let noted = move |noted: Result<(), sqlx::Error>| {
            if let Err(error) = noted {
                debug!(row, %error, "a use could not be noted: {statement}");
            }
        };
        match &self.base {
            Base::Sqlite(base) => {
                let Some(mut connection) = base.writer.try_acquire() else { return };
                tokio::spawn(async move {
                    let note = sqlx::query(statement).bind(used_at.0).bind(row);
                    noted(note.execute(&mut *connection).await.map(drop));
                });
            }
            Base::Postgres(base) => {
                let Some(mut connection) = base.writers.try_acquire() else { return };
                tokio::spawn(async move {
                    let note = sqlx::query(statement).bind(used_at.0).bind(row);
                    noted(note.execute(&mut *connection).await.map(drop));
                });
            }
        }
    }
}

/// What a row lets do, its key, and when that was last used.
fn credential(row: CredentialRow) -> Result<(CachedKey, KeyId, Option<Timestamp>), StoreError> {
    let (id, cloud, user, made, days, off, seats, rate, key, _, names, conference, expires_at, last_used_at) =
        row;
    let row: AccountRow = (id, cloud, user, made, days, off, seats, rate);
    let access = Access {
        account: account(row),
        by: Authenticated::Key(KeyId(key)),
        scopes: scopes(key, &names)?,
        only_reads: false,
        conference: conference.map(ConferenceName::new),
    };
    let cached = CachedKey { access: Arc::new(access), expires_at: expires_at.map(Timestamp) };
    Ok((cached, KeyId(key), last_used_at.map(Timestamp)))
}

impl CachedKey {
    /// What it lets do, unless it has expired. The clock is asked only where the key has an end.
    fn if_valid(&self) -> Option<Arc<Access>> {
        self.expires_at.is_none_or(|end| now() < end).then(|| self.access.clone())
    }
}

pub(crate) async fn insert_key(
    transaction: &mut Write,
    account: AccountId,
    settings: &KeySettings,
    created_at: Timestamp,
) -> Result<(KeyInfo, ApiKey), StoreError> {
    let key = ApiKey::generate();
    let hashed = hash(&key.0);
    let prefix = &key.0[..PREFIX_CHARS];
    let KeySettings { label, scopes, conference, expires_at } = settings.clone();
    let id = within!(transaction, "storing a key", |on| {
        sqlx::query_scalar(
        "INSERT INTO api_keys (account_id, prefix, hash, created_at, label, scopes, conference, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(account.0)
    .bind(prefix)
    .bind(&hashed[..])
    .bind(created_at.0)
    .bind(label.as_deref())
    .bind(scopes.to_string())
    .bind(conference.as_ref().map(ConferenceName::as_str))
    .bind(expires_at.map(|at| at.0))
    .fetch_one(on)
    })?;
    let info = KeyInfo {
        id: KeyId(id),
        prefix: prefix.to_owned(),
        label,
        scopes,
        conference,
        created_at,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    Ok((info, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_different_and_never_shown_by_accident() {
        let (one, other) = (ApiKey::generate(), ApiKey::generate());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 52);
        assert!(one.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(format!("{one:?}"), "ApiKey(…)");
    }
}
