//! Access keys of browsers: `webRtcAccessKey` of the client library, the first label of the host in From.
//!
//! A key says which account a browser calls, and what it may call there. It is in the source of a web page, so it is no
//! secret and proves nothing: it is shown in lists, and what it opens has limits of its own.

use crate::{
    Change, ChangeError, Changed, Store, StoreError,
    change::{changed_at, decided},
    database::{Write, execute, is_storable, now, random_bytes, read, within},
    named::{Before, Kind, Statements, statements},
};
use data_encoding::BASE32_NOPAD;
use plenary_model::{
    AccountId, Timestamp, WEBRTC_KEY_SERVICES_MAX, WebRtcKey, are_webrtc_key_services, is_webrtc_key,
};
use thiserror::Error;

/// Random bytes of a key that we make: 16 characters.
const KEY_BYTES: usize = 10;
/// Keys of an account at the most, revoked ones among them.
const KEYS_MAX: i64 = 1000;

/// Why a key was not stored.
#[derive(Debug, Error)]
pub enum WebRtcKeyError {
    /// The text of the key is not allowed.
    #[error("key: an access key has 1 to 63 of the letters a-z and the digits 0-9")]
    Key,
    /// The list of services is not allowed.
    #[error(
        "services: must be a list of 1 to {WEBRTC_KEY_SERVICES_MAX} names of inbound services, as in [\"conf-*\"], or null for every one that admits browsers"
    )]
    Services,
    /// The key belongs to another account.
    #[error("the access key is taken: keys are unique over the whole installation")]
    Taken,
    /// The account has too many.
    #[error("key: an account has at most {KEYS_MAX} access keys, revoked ones among them")]
    TooMany,
    /// The account has no such key.
    #[error("the account has no such access key")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// key, account_id, services, created_at, updated_at, revoked_at
type Row = (String, i64, Option<String>, i64, i64, Option<i64>);

fn stored(row: Row) -> Result<WebRtcKey, StoreError> {
    let (key, account, services, created_at, updated_at, revoked_at) = row;
    let services = services
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| StoreError::Damaged { what: format!("access key {key}: {error}") })?;
    Ok(WebRtcKey {
        key,
        account: AccountId(account),
        services,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        revoked_at: revoked_at.map(Timestamp),
    })
}

impl Store {
    /// Makes a key with a text of ours.
    ///
    /// # Errors
    /// [`WebRtcKeyError::Services`], [`WebRtcKeyError::TooMany`], [`WebRtcKeyError::Store`].
    pub async fn make_webrtc_key(
        &self,
        account: AccountId,
        services: Option<Vec<String>>,
    ) -> Result<WebRtcKey, WebRtcKeyError> {
        let key = BASE32_NOPAD.encode(&random_bytes::<KEY_BYTES>()).to_ascii_lowercase();
        let changed = self.change_webrtc_key(account, &key, |_| Ok(Change::Put(services))).await;
        decided(changed)?.into_stored().ok_or(WebRtcKeyError::Unknown)
    }

    /// Changes the account's key of this text by a decision about what it is; a key that was revoked is shown to it as such. What
    /// is put is the list of services that it may call, `None` for every one that admits browsers; a revoked key becomes valid again
    /// by it, which counts as [`Changed::Created`]. To delete a key is to revoke it: calls that come from then on are refused,
    /// those that are up go on, and it can still be read.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`WebRtcKeyError`] else.
    pub async fn change_webrtc_key<E>(
        &self,
        account: AccountId,
        key: &str,
        decide: impl FnOnce(Option<&WebRtcKey>) -> Result<Change<Option<Vec<String>>>, E> + Send,
    ) -> Result<Changed<WebRtcKey>, ChangeError<E, WebRtcKeyError>> {
        self.change_named::<Keys, E>(account, key, decide).await
    }

    /// Makes the account's key of this text, or gives it another list of services. One that was revoked is valid again.
    ///
    /// # Errors
    /// [`WebRtcKeyError`].
    pub async fn put_webrtc_key(
        &self,
        account: AccountId,
        key: &str,
        services: Option<&[String]>,
    ) -> Result<Changed<WebRtcKey>, WebRtcKeyError> {
        self.put_named::<Keys>(account, key, services.map(<[String]>::to_vec)).await
    }

    /// [`Self::put_webrtc_key`] on a condition about what has the text before.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; [`WebRtcKeyError`] else.
    pub async fn put_webrtc_key_if<E>(
        &self,
        account: AccountId,
        key: &str,
        services: Option<Vec<String>>,
        condition: impl FnOnce(Before<'_, WebRtcKey>) -> Result<(), E> + Send,
    ) -> Result<Changed<WebRtcKey>, ChangeError<E, WebRtcKeyError>> {
        self.put_named_if::<Keys, E>(account, key, services, condition).await
    }

    /// An account's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webrtc_keys(&self, account: AccountId) -> Result<Vec<WebRtcKey>, StoreError> {
        let rows: Vec<Row> = read!(self.base, "listing access keys", |on| sqlx::query_as(
            "SELECT key, account_id, services, created_at, updated_at, revoked_at FROM webrtc_keys
             WHERE account_id = $1 ORDER BY created_at, key",
        )
        .bind(account.0)
        .fetch_all(on))?;
        rows.into_iter().map(stored).collect()
    }

    /// So many of an account's keys at the most, ordered by their texts, from the one behind `after` on, revoked ones
    /// included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webrtc_keys_after(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<WebRtcKey>, StoreError> {
        self.named_after::<Keys>(account, after, limit).await
    }

    /// An account's key, valid or revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webrtc_key(&self, account: AccountId, key: &str) -> Result<Option<WebRtcKey>, StoreError> {
        self.named::<Keys>(account, key).await
    }

    /// The key that a caller names, valid or revoked, where it belongs to an account of this cloud id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_webrtc_key(&self, cloud_id: &str, key: &str) -> Result<Option<WebRtcKey>, StoreError> {
        if !is_storable(key) || !is_storable(cloud_id) {
            return Ok(None);
        }
        let row: Option<Row> = read!(self.base, "looking up an access key", |on| sqlx::query_as(
            "SELECT webrtc_keys.key, account_id, services, webrtc_keys.created_at, updated_at, revoked_at
             FROM webrtc_keys JOIN accounts ON accounts.id = account_id
             WHERE webrtc_keys.key = $1 AND accounts.cloud_id = $2",
        )
        .bind(key)
        .bind(cloud_id)
        .fetch_optional(on))?;
        row.map(stored).transpose()
    }

    /// Ends a key: calls that come from then on are refused, those that are up go on. `false`: the account has no such
    /// key, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_webrtc_key(&self, account: AccountId, key: &str) -> Result<bool, StoreError> {
        self.delete_named::<Keys>(account, key).await
    }

    /// [`Self::revoke_webrtc_key`] on a condition about the key.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else when the database fails.
    pub async fn revoke_webrtc_key_if<E>(
        &self,
        account: AccountId,
        key: &str,
        condition: impl FnOnce(Before<'_, WebRtcKey>) -> Result<(), E> + Send,
    ) -> Result<bool, ChangeError<E>> {
        self.delete_named_if::<Keys, E>(account, key, condition).await
    }
}

/// Access keys of browsers, as they are changed.
struct Keys;

impl Kind for Keys {
    type Row = Row;
    type Stored = WebRtcKey;
    type Body = Option<Vec<String>>;
    type Error = WebRtcKeyError;
    const STATEMENTS: Statements = statements!("an access key", "access keys", "key, account_id, services, created_at, updated_at, revoked_at" of webrtc_keys by key);

    fn stored(row: Row) -> Result<WebRtcKey, StoreError> {
        stored(row)
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        key: &str,
        before: Before<'_, WebRtcKey>,
        services: Option<Vec<String>>,
    ) -> Result<WebRtcKey, WebRtcKeyError> {
        if !is_webrtc_key(key) {
            return Err(WebRtcKeyError::Key);
        }
        if services.as_ref().is_some_and(|names| !are_webrtc_key_services(names)) {
            return Err(WebRtcKeyError::Services);
        }
        if before.is_nothing() {
            let (is_taken, count): (bool, i64) =
                within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM webrtc_keys WHERE key = $1),
                        (SELECT count(*) FROM webrtc_keys WHERE account_id = $2)"
                )
                .bind(key)
                .bind(account.0)
                .fetch_one(on))?;
            if is_taken {
                return Err(WebRtcKeyError::Taken);
            }
            if count >= KEYS_MAX {
                return Err(WebRtcKeyError::TooMany);
            }
        }
        let updated_at = changed_at(before.stored().map(|before| before.updated_at));
        let created_at = before
            .stored()
            .filter(|before| Self::is_there(before))
            .map_or(updated_at, |before| before.created_at);
        execute!(
            transaction,
            Self::STATEMENTS.storing,
            sqlx::query(
                "INSERT INTO webrtc_keys (key, account_id, services, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (key) DO UPDATE SET services = excluded.services, revoked_at = NULL,
                     created_at = excluded.created_at, updated_at = excluded.updated_at",
            )
            .bind(key)
            .bind(account.0)
            .bind(services.as_ref().map(|names| serde_json::json!(names).to_string()))
            .bind(created_at.0)
            .bind(updated_at.0)
        )?;
        let key = key.to_owned();
        Ok(WebRtcKey { key, account, services, created_at, updated_at, revoked_at: None })
    }

    async fn delete(transaction: &mut Write, account: AccountId, key: &str) -> Result<bool, StoreError> {
        let revoked = execute!(
            transaction,
            Self::STATEMENTS.storing,
            sqlx::query(
                "UPDATE webrtc_keys SET revoked_at = $1, updated_at = CASE WHEN updated_at < $1 THEN $1 ELSE updated_at + 1 END
                 WHERE account_id = $2 AND key = $3 AND revoked_at IS NULL",
            )
            .bind(now().0)
            .bind(account.0)
            .bind(key)
        )?;
        Ok(revoked == 1)
    }

    fn is_there(stored: &WebRtcKey) -> bool {
        stored.revoked_at.is_none()
    }
}
