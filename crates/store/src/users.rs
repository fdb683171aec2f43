//! SIP users: callers that authenticate by user name and password (digest authentication, RFC 7616). Passwords are not
//! stored, but the hashes that authentication needs, which are as good as the password within their realm.

use crate::{
    Change, ChangeError, Changed, Store, StoreError,
    change::changed_at,
    database::{Write, execute, is_storable, read, within},
    named::{Before, Kind, Statements, statements},
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
    /// The one that is stored; an error for a user that does not exist yet.
    Kept,
    /// This one, for this realm.
    Plain {
        /// The realm of the challenges.
        realm: String,
        /// The plain text.
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
        self.named_after::<Users>(account, after, limit).await
    }

    /// An account's user of that very name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sip_user(&self, account: AccountId, name: &str) -> Result<Option<SipUser>, StoreError> {
        self.named::<Users>(account, name).await
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

    /// What the answer of a user to a challenge is compared with, whichever account the user belongs to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sip_secret(&self, name: &str) -> Result<Option<SipSecret>, StoreError> {
        if !is_storable(name) {
            return Ok(None);
        }
        let row: Option<(i64, String, String, String)> =
            read!(self.base, "reading a SIP user", |on| sqlx::query_as(
                "SELECT account_id, realm, ha1_md5, ha1_sha256 FROM sip_users WHERE name = $1
                 AND NOT (SELECT is_disabled FROM accounts WHERE accounts.id = account_id)"
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

    /// Whether any account has a user.
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
    type Row = Row;
    type Stored = SipUser;
    type Body = SipPassword;
    type Error = UserError;
    const STATEMENTS: Statements =
        statements!("a SIP user", "SIP users", "name, created_at, updated_at" of sip_users by name);

    fn stored(row: Row) -> Result<SipUser, StoreError> {
        Ok(stored(row))
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Before<'_, SipUser>,
        password: SipPassword,
    ) -> Result<SipUser, UserError> {
        let (realm, errors, hashes) = match (password, &before) {
            (SipPassword::Kept, Before::Stored(before)) => return Ok((*before).clone()),
            (SipPassword::Kept, Before::Nothing | Before::Unreadable) => {
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
        let owner: Option<i64> = within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_scalar(
            "SELECT account_id FROM sip_users WHERE name = $1"
        )
        .bind(name)
        .fetch_optional(on))?;
        if owner.is_some_and(|owner| owner != account.0) {
            return Err(UserError::NameTaken);
        }
        let updated_at = changed_at(before.stored().map(|before| before.updated_at));
        execute!(
            transaction,
            Self::STATEMENTS.storing,
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
        let created_at = before.stored().map_or(updated_at, |before| before.created_at);
        Ok(SipUser { name: name.to_owned(), created_at, updated_at })
    }
}

/// What is wrong with a hash of so many lower-case hexadecimal digits.
fn check_hash(pointer: &str, hash: &str, digits: usize) -> Option<FieldError> {
    let is_hash = hash.len() == digits && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (!is_hash).then(|| FieldError::new(pointer, format!("has {digits} lower-case hexadecimal digits")))
}
