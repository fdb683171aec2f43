//! Access keys of browsers: `webRtcAccessKey` of the client library, the first label of the host in From.
//!
//! A key says which account a browser calls, and what it may call there. It is in the source of a web page, so it is no
//! secret and proves nothing: it is shown in lists, and what it opens has limits of its own.

use crate::{
    PutOutcome, Store, StoreError,
    database::{execute, is_storable, now, random_bytes, read, within},
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

type Row = (String, i64, Option<String>, i64, Option<i64>);

fn read((key, account, services, created_at, revoked_at): Row) -> Result<WebRtcKey, StoreError> {
    let services = services
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| StoreError::Damaged { what: format!("access key {key}: {error}") })?;
    Ok(WebRtcKey {
        key,
        account: AccountId(account),
        services,
        created_at: Timestamp(created_at),
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
        self.put_webrtc_key(account, &key, services.as_deref()).await?;
        self.webrtc_key(account, &key).await?.ok_or(WebRtcKeyError::Unknown)
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
    ) -> Result<PutOutcome, WebRtcKeyError> {
        if !is_webrtc_key(key) {
            return Err(WebRtcKeyError::Key);
        }
        if services.is_some_and(|names| !are_webrtc_key_services(names)) {
            return Err(WebRtcKeyError::Services);
        }
        let doing = "storing an access key";
        let mut transaction = self.write(doing).await?;
        let known: Option<(i64, Option<i64>)> = within!(transaction, doing, |on| sqlx::query_as(
            "SELECT account_id, revoked_at FROM webrtc_keys WHERE key = $1"
        )
        .bind(key)
        .fetch_optional(on))?;
        let outcome = match known {
            Some((owner, _)) if owner != account.0 => return Err(WebRtcKeyError::Taken),
            Some((_, None)) => PutOutcome::Replaced,
            Some((_, Some(_))) => PutOutcome::Created,
            None => {
                let count: i64 = within!(transaction, doing, |on| sqlx::query_scalar(
                    "SELECT count(*) FROM webrtc_keys WHERE account_id = $1"
                )
                .bind(account.0)
                .fetch_one(on))?;
                if count >= KEYS_MAX {
                    return Err(WebRtcKeyError::TooMany);
                }
                PutOutcome::Created
            }
        };
        execute!(transaction, doing, sqlx::query(
            "INSERT INTO webrtc_keys (key, account_id, services, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (key) DO UPDATE SET services = excluded.services, revoked_at = NULL,
                 created_at = CASE WHEN webrtc_keys.revoked_at IS NULL THEN webrtc_keys.created_at ELSE excluded.created_at END",
        )
        .bind(key)
        .bind(account.0)
        .bind(services.map(|names| serde_json::json!(names).to_string()))
        .bind(now().0))?;
        transaction.commit(doing).await?;
        Ok(outcome)
    }

    /// An account's keys, oldest first, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webrtc_keys(&self, account: AccountId) -> Result<Vec<WebRtcKey>, StoreError> {
        let rows: Vec<Row> = read!(self.base, "listing access keys", |on| sqlx::query_as(
            "SELECT key, account_id, services, created_at, revoked_at FROM webrtc_keys
             WHERE account_id = $1 ORDER BY created_at, key",
        )
        .bind(account.0)
        .fetch_all(on))?;
        rows.into_iter().map(read).collect()
    }

    /// An account's key, valid or revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webrtc_key(&self, account: AccountId, key: &str) -> Result<Option<WebRtcKey>, StoreError> {
        if !is_storable(key) {
            return Ok(None);
        }
        let row: Option<Row> = read!(self.base, "reading an access key", |on| sqlx::query_as(
            "SELECT key, account_id, services, created_at, revoked_at FROM webrtc_keys
             WHERE account_id = $1 AND key = $2",
        )
        .bind(account.0)
        .bind(key)
        .fetch_optional(on))?;
        row.map(read).transpose()
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
            "SELECT webrtc_keys.key, account_id, services, webrtc_keys.created_at, revoked_at
             FROM webrtc_keys JOIN accounts ON accounts.id = account_id
             WHERE webrtc_keys.key = $1 AND accounts.cloud_id = $2",
        )
        .bind(key)
        .bind(cloud_id)
        .fetch_optional(on))?;
        row.map(read).transpose()
    }

    /// Ends a key: calls that come from then on are refused, those that are up go on. `false`: the account has no such
    /// key, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_webrtc_key(&self, account: AccountId, key: &str) -> Result<bool, StoreError> {
        if !is_storable(key) {
            return Ok(false);
        }
        let doing = "revoking an access key";
        let mut transaction = self.write(doing).await?;
        let done = execute!(transaction, doing, sqlx::query(
            "UPDATE webrtc_keys SET revoked_at = $1 WHERE account_id = $2 AND key = $3 AND revoked_at IS NULL",
        )
        .bind(now().0)
        .bind(account.0)
        .bind(key))?;
        transaction.commit(doing).await?;
        Ok(done == 1)
    }
}
