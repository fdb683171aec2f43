//! Tokens that let somebody call one service for a while: signed, not stored.
//!
//! A token is `SERVICE.ACCOUNT.EXPIRES.SIGNATURE`, the service in base64url, the times in seconds since the epoch, the
//! signature HMAC-SHA256 in base64url with a key that the installation makes for itself.

use crate::{Store, StoreError, database::random_bytes};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use plenary_conference::{AccountId, Timestamp};
use sha2::Sha256;

const KEY_NAME: &str = "call_tokens";

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallToken {
    /// Whose service may be called.
    pub account: AccountId,
    /// The name that may be dialled.
    pub service: String,
}

impl Store {
    /// Makes a token for calls to `service`, as it is dialled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_call_token(
        &self,
        account: AccountId,
        service: &str,
        expires: Timestamp,
    ) -> Result<String, StoreError> {
        let key = self.secret(KEY_NAME).await?;
        let said = format!(
            "{}.{}.{}",
            BASE64URL_NOPAD.encode(service.as_bytes()),
            account.0,
            expires.0.div_euclid(1000)
        );
        let signature = BASE64URL_NOPAD.encode(&mac(&key, &said).finalize().into_bytes());
        Ok(format!("{said}.{signature}"))
    }

    /// What a token says, if it is one of ours and not over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_call_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<CallToken>, StoreError> {
        let key = self.secret(KEY_NAME).await?;
        Ok(check(&key, token, now))
    }

    /// A key of the installation, made when it is first needed.
    async fn secret(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let doing = "reading a key of the installation";
        let known: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM secrets WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::when(doing))?;
        if let Some(known) = known {
            return Ok(known);
        }
        let mut transaction = self.write(doing).await?;
        sqlx::query("INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(&random_bytes::<32>()[..])
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::when(doing))?;
        let key: Vec<u8> = sqlx::query_scalar("SELECT value FROM secrets WHERE name = ?")
            .bind(name)
            .fetch_one(&mut *transaction)
            .await
            .map_err(StoreError::when(doing))?;
        transaction.commit().await.map_err(StoreError::when(doing))?;
        Ok(key)
    }
}

fn mac(key: &[u8], said: &str) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(said.as_bytes());
    mac
}

fn check(key: &[u8], token: &str, now: Timestamp) -> Option<CallToken> {
    let (said, signature) = token.rsplit_once('.')?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    // Compares in constant time.
    mac(key, said).verify_slice(&signature).ok()?;
    let mut parts = said.split('.');
    let service = String::from_utf8(BASE64URL_NOPAD.decode(parts.next()?.as_bytes()).ok()?).ok()?;
    let account = AccountId(parts.next()?.parse().ok()?);
    let expires: i64 = parts.next()?.parse().ok()?;
    (now.0.div_euclid(1000) < expires).then_some(CallToken { account, service })
}
