//! Those who may call by user name and password (digest authentication, RFC 7616). Passwords are not kept; what is kept
//! is what the authentication needs, and is as good as the password within its realm.

use crate::{
    Store, StoreError,
    database::{execute, is_storable, now, read, within},
};
use data_encoding::HEXLOWER;
use md5::Md5;
use plenary_model::{AccountId, FieldError, SipSecret, SipUser, Timestamp, check_user};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Why a user was not stored.
#[derive(Debug, Error)]
pub enum UserError {
    /// The name or the password is not allowed.
    #[error("{}", crate::error::listed(.0))]
    Invalid(Vec<FieldError>),
    /// The name belongs to another account.
    #[error("the user name is taken: names are unique over the whole installation")]
    NameTaken,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// An account's users, ordered by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sip_users(&self, account: AccountId) -> Result<Vec<SipUser>, StoreError> {
        let rows: Vec<(String, i64, i64)> = read!(self.base, "listing SIP users", |on| sqlx::query_as(
            "SELECT name, created_at, updated_at FROM sip_users WHERE account_id = $1 ORDER BY name",
        )
        .bind(account.0)
        .fetch_all(on))?;
        let user = |(name, created_at, updated_at)| SipUser {
            name,
            created_at: Timestamp(created_at),
            updated_at: Timestamp(updated_at),
        };
        Ok(rows.into_iter().map(user).collect())
    }

    /// Makes the account's user `name`, or gives it another password.
    ///
    /// # Errors
    /// [`UserError`].
    pub async fn put_sip_user(
        &self,
        account: AccountId,
        name: &str,
        realm: &str,
        password: &str,
    ) -> Result<(), UserError> {
        let errors = check_user(name, password);
        if !errors.is_empty() {
            return Err(UserError::Invalid(errors));
        }
        let text = format!("{name}:{realm}:{password}");
        let doing = "storing a SIP user";
        let mut transaction = self.write(doing).await?;
        let owner: Option<i64> = within!(transaction, doing, |on| sqlx::query_scalar(
            "SELECT account_id FROM sip_users WHERE name = $1"
        )
        .bind(name)
        .fetch_optional(on))?;
        if owner.is_some_and(|owner| owner != account.0) {
            return Err(UserError::NameTaken);
        }
        execute!(
            transaction,
            doing,
            sqlx::query(
                "INSERT INTO sip_users (name, account_id, realm, ha1_md5, ha1_sha256, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6)
             ON CONFLICT (name) DO UPDATE SET realm = excluded.realm, ha1_md5 = excluded.ha1_md5,
                 ha1_sha256 = excluded.ha1_sha256, updated_at = excluded.updated_at",
            )
            .bind(name)
            .bind(account.0)
            .bind(realm)
            .bind(HEXLOWER.encode(&Md5::digest(text.as_bytes())))
            .bind(HEXLOWER.encode(&Sha256::digest(text.as_bytes())))
            .bind(now().0)
        )?;
        transaction.commit(doing).await?;
        Ok(())
    }

    /// Deletes the account's user. `false`: it has none of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_sip_user(&self, account: AccountId, name: &str) -> Result<bool, StoreError> {
        let statement = "DELETE FROM sip_users WHERE account_id = $1 AND name = $2";
        self.delete_named("deleting a SIP user", statement, account, name).await
    }

    /// What the answer of a user of whichever account is held against.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sip_secret(&self, name: &str) -> Result<Option<SipSecret>, StoreError> {
        if !is_storable(name) {
            return Ok(None);
        }
        let row: Option<(i64, String, String, String)> =
            read!(self.base, "reading a SIP user", |on| sqlx::query_as(
                "SELECT account_id, realm, ha1_md5, ha1_sha256 FROM sip_users WHERE name = $1"
            )
            .bind(name)
            .fetch_optional(on))?;
        Ok(row.map(|(account, realm, ha1_md5, ha1_sha256)| SipSecret {
            account: AccountId(account),
            realm,
            ha1_md5,
            ha1_sha256,
        }))
    }

    /// Somebody may call by user name and password.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_sip_users(&self) -> Result<bool, StoreError> {
        let found: bool = read!(self.base, "looking for SIP users", |on| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sip_users)"
        )
        .fetch_one(on))?;
        Ok(found)
    }
}
