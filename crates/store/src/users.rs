//! Those who may call by user name and password (digest authentication, RFC 7616). Passwords are not kept; what is kept
//! is what the authentication needs, and is as good as the password within its realm.

use crate::{
    Change, ChangeError, Changed, PutOutcome, Store, StoreError,
    change::{Kind, at_most, behind, changed_at},
    database::{Write, execute, is_storable, read, within},
};
use data_encoding::HEXLOWER;
use md5::Md5;
use plenary_model::{AccountId, FieldError, SipSecret, SipUser, Timestamp, check_user, check_user_name};
use sha2::{Digest, Sha256};
use std::fmt;
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

/// The password of a user, as it is put.
#[derive(Clone, PartialEq, Eq)]
pub enum SipPassword {
    /// The one that it has; for whoever has none yet, that is an error.
    Kept,
    /// This one, for this realm.
    Plain {
        /// The realm that a telephone is asked for.
        realm: String,
        /// What a person types.
        password: String,
    },
    /// One of which only the hashes are known.
    Hashed {
        /// The realm that both hashes are for.
        realm: String,
        /// MD5 of name, realm and password with colons between, in lower-case hexadecimal digits.
        ha1_md5: String,
        /// SHA-256 of the same.
        ha1_sha256: String,
    },
}

impl fmt::Debug for SipPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "SipPassword::Kept",
            Self::Plain { .. } => "SipPassword::Plain(…)",
            Self::Hashed { .. } => "SipPassword::Hashed(…)",
        })
    }
}

/// name, created_at, updated_at
type Row = (String, i64, i64);

fn stored((name, created_at, updated_at): Row) -> SipUser {
    SipUser { name, created_at: Timestamp(created_at), updated_at: Timestamp(updated_at) }
}

const SELECT_ONE: &str =
    "SELECT name, created_at, updated_at FROM sip_users WHERE account_id = $1 AND name = $2";

impl Store {
    /// An account's users, ordered by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sip_users(&self, account: AccountId) -> Result<Vec<SipUser>, StoreError> {
        self.sip_users_after(account, None, usize::MAX).await
    }

    /// So many of an account's users at the most, ordered by name, from the one behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sip_users_after(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SipUser>, StoreError> {
        let rows: Vec<Row> = read!(self.base, "listing SIP users", |on| sqlx::query_as(
            "SELECT name, created_at, updated_at FROM sip_users
             WHERE account_id = $1 AND name > $2 ORDER BY name LIMIT $3",
        )
        .bind(account.0)
        .bind(behind(after))
        .bind(at_most(limit))
        .fetch_all(on))?;
        Ok(rows.into_iter().map(stored).collect())
    }

    /// An account's user of that very name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sip_user(&self, account: AccountId, name: &str) -> Result<Option<SipUser>, StoreError> {
        if !is_storable(name) {
            return Ok(None);
        }
        let row: Option<Row> = read!(self.base, "reading a SIP user", |on| sqlx::query_as(SELECT_ONE)
            .bind(account.0)
            .bind(name)
            .fetch_optional(on))?;
        Ok(row.map(stored))
    }

    /// Changes the account's user `name` by a decision about what it is.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`UserError`] else.
    pub async fn change_sip_user<E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Option<&SipUser>) -> Result<Change<SipPassword>, E> + Send,
    ) -> Result<Changed<SipUser>, ChangeError<E, UserError>> {
        self.change_named::<Users, E>(account, name, decide).await
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
    ) -> Result<PutOutcome, UserError> {
        let (realm, password) = (realm.to_owned(), password.to_owned());
        self.put_named::<Users>(account, name, SipPassword::Plain { realm, password }).await
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

/// The two hashes of a password.
fn hashes(name: &str, realm: &str, password: &str) -> (String, String) {
    let text = format!("{name}:{realm}:{password}");
    (HEXLOWER.encode(&Md5::digest(text.as_bytes())), HEXLOWER.encode(&Sha256::digest(text.as_bytes())))
}

/// SIP users, as they are changed.
struct Users;

impl Kind for Users {
    type Stored = SipUser;
    type Body = SipPassword;
    type Error = UserError;
    const DOING: &str = "storing a SIP user";

    async fn read(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
    ) -> Result<Option<SipUser>, StoreError> {
        let row: Option<Row> = within!(transaction, Self::DOING, |on| sqlx::query_as(SELECT_ONE)
            .bind(account.0)
            .bind(name)
            .fetch_optional(on))?;
        Ok(row.map(stored))
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Option<&SipUser>,
        password: SipPassword,
    ) -> Result<SipUser, UserError> {
        let (realm, errors, hashes) = match (password, before) {
            (SipPassword::Kept, Some(before)) => return Ok(before.clone()),
            (SipPassword::Kept, None) => {
                let mut errors = check_user_name(name);
                errors.push(FieldError::new("/password", "is missing"));
                return Err(UserError::Invalid(errors));
            }
            (SipPassword::Plain { realm, password }, _) => {
                let hashes = hashes(name, &realm, &password);
                (realm, check_user(name, &password), hashes)
            }
            (SipPassword::Hashed { realm, ha1_md5, ha1_sha256 }, _) => {
                let mut errors = check_user_name(name);
                errors.extend(check_hash("/ha1_md5", &ha1_md5, 32));
                errors.extend(check_hash("/ha1_sha256", &ha1_sha256, 64));
                (realm, errors, (ha1_md5, ha1_sha256))
            }
        };
        if !errors.is_empty() {
            return Err(UserError::Invalid(errors));
        }
        let owner: Option<i64> = within!(transaction, Self::DOING, |on| sqlx::query_scalar(
            "SELECT account_id FROM sip_users WHERE name = $1"
        )
        .bind(name)
        .fetch_optional(on))?;
        if owner.is_some_and(|owner| owner != account.0) {
            return Err(UserError::NameTaken);
        }
        let updated_at = changed_at(before.map(|before| before.updated_at));
        execute!(
            transaction,
            Self::DOING,
            sqlx::query(
                "INSERT INTO sip_users (name, account_id, realm, ha1_md5, ha1_sha256, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)
                 ON CONFLICT (name) DO UPDATE SET realm = excluded.realm, ha1_md5 = excluded.ha1_md5,
                     ha1_sha256 = excluded.ha1_sha256, updated_at = excluded.updated_at",
            )
            .bind(name)
            .bind(account.0)
            .bind(realm.as_str())
            .bind(hashes.0.as_str())
            .bind(hashes.1.as_str())
            .bind(updated_at.0)
        )?;
        let created_at = before.map_or(updated_at, |before| before.created_at);
        Ok(SipUser { name: name.to_owned(), created_at, updated_at })
    }

    async fn delete(transaction: &mut Write, account: AccountId, name: &str) -> Result<bool, StoreError> {
        let delete = "DELETE FROM sip_users WHERE account_id = $1 AND name = $2";
        let deleted = execute!(transaction, Self::DOING, sqlx::query(delete).bind(account.0).bind(name))?;
        Ok(deleted == 1)
    }
}

/// What is wrong with a hash of so many lower-case hexadecimal digits.
fn check_hash(pointer: &str, hash: &str, digits: usize) -> Option<FieldError> {
    let is_hash = hash.len() == digits && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (!is_hash).then(|| FieldError::new(pointer, format!("has {digits} lower-case hexadecimal digits")))
}
