//! Trunks, by name. The password of a trunk is kept as it is, for answers to challenges are made of it; no method of the
//! web services shows it.

use crate::{
    Change, ChangeError, Changed, ServiceError, Store, StoreError,
    change::changed_at,
    database::{Write, read, within},
    error::listed,
    named::{Before, Kind, Statements, statements},
};
use plenary_model::{AccountId, FieldError, GivenPassword, StoredTrunk, Timestamp, Trunk, merge};
use serde_json::Value;
use tracing::warn;

/// Trunks of an account at the most.
const TRUNKS_MAX: i64 = 100;

/// What is put in the place of a trunk.
#[derive(Clone, PartialEq)]
pub struct TrunkBody {
    /// Its body without the password.
    pub body: Value,
    /// Its password. [`GivenPassword::Kept`]: the one that it has.
    pub password: GivenPassword,
}

impl std::fmt::Debug for TrunkBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrunkBody").field("body", &self.body).finish_non_exhaustive()
    }
}

impl TrunkBody {
    /// What replaces whatever there is: where the body names no password, there is none.
    ///
    /// # Errors
    /// The password is no text.
    pub fn replacing(mut body: Value) -> Result<Self, Vec<FieldError>> {
        let password = match Trunk::take_password(&mut body)? {
            GivenPassword::Kept => GivenPassword::Set(None),
            given @ GivenPassword::Set(_) => given,
        };
        Ok(Self { body, password })
    }

    /// What there is with a patch merged into it (RFC 7396). A password that the patch does not name stays.
    ///
    /// # Errors
    /// The password is no text.
    pub fn merged(before: &StoredTrunk, mut patch: Value) -> Result<Self, Vec<FieldError>> {
        let password = Trunk::take_password(&mut patch)?;
        let mut body = before.body.clone();
        merge(&mut body, &patch);
        Ok(Self { body, password })
    }
}

/// name, body, password, created_at, updated_at
type Row = (String, String, Option<String>, i64, i64);

impl Store {
    /// An account's trunks, ordered by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunks(&self, account: AccountId) -> Result<Vec<StoredTrunk>, StoreError> {
        self.trunks_after(account, None, usize::MAX).await
    }

    /// So many of an account's trunks at the most, ordered by name, from the one behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunks_after(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredTrunk>, StoreError> {
        self.named_after::<Trunks>(account, after, limit).await
    }

    /// An account's trunk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunk(&self, account: AccountId, name: &str) -> Result<Option<StoredTrunk>, StoreError> {
        self.named::<Trunks>(account, name).await
    }

    /// The trunks of every account, as calls see them. One that makes no sense is left out and said in the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_trunks(&self) -> Result<Vec<Trunk>, StoreError> {
        let rows: Vec<(i64, String, String, Option<String>)> = read!(
            self.base,
            "reading the trunks",
            |on| {
                sqlx::query_as(
                "SELECT account_id, name, body, password FROM trunks
                 WHERE NOT (SELECT is_disabled FROM accounts WHERE accounts.id = account_id) ORDER BY account_id, name"
            )
            .fetch_all(on)
            }
        )?;
        let trunk = |(account, name, body, password): (i64, String, String, Option<String>)| {
            let body = body_of(&name, &body)?;
            Trunk::new(AccountId(account), &name, &body, password.as_deref())
                .map_err(|errors| StoreError::Damaged { what: format!("trunk {name}: {}", listed(&errors)) })
        };
        // One that another version stored under other rules does not keep the others from working.
        let usable = rows.into_iter().filter_map(|row| {
            let account = row.0;
            trunk(row).inspect_err(|error| warn!(account, %error, "a trunk is left out")).ok()
        });
        Ok(usable.collect())
    }

    /// Changes the account's trunk `name` by a decision about what it is.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`ServiceError::Invalid`] naming the member, [`ServiceError::Store`] when the
    /// database fails.
    pub async fn change_trunk<E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Option<&StoredTrunk>) -> Result<Change<TrunkBody>, E> + Send,
    ) -> Result<Changed<StoredTrunk>, ChangeError<E, ServiceError>> {
        self.change_named::<Trunks, E>(account, name, decide).await
    }

    /// Makes the account's trunk `name`, or replaces it, even one that cannot be read.
    ///
    /// # Errors
    /// As [`Self::change_trunk`].
    pub async fn put_trunk(
        &self,
        account: AccountId,
        name: &str,
        body: TrunkBody,
    ) -> Result<Changed<StoredTrunk>, ServiceError> {
        self.put_named::<Trunks>(account, name, body).await
    }

    /// [`Self::put_trunk`] on a condition about what has the name before.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else as [`Self::put_trunk`].
    pub async fn put_trunk_if<E>(
        &self,
        account: AccountId,
        name: &str,
        body: TrunkBody,
        condition: impl FnOnce(Before<'_, StoredTrunk>) -> Result<(), E> + Send,
    ) -> Result<Changed<StoredTrunk>, ChangeError<E, ServiceError>> {
        self.put_named_if::<Trunks, E>(account, name, body, condition).await
    }

    /// Deletes the account's trunk `name`, also one that cannot be read. `false`: it has none of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_trunk(&self, account: AccountId, name: &str) -> Result<bool, StoreError> {
        self.delete_named::<Trunks>(account, name).await
    }

    /// [`Self::delete_trunk`] on a condition about the trunk.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else when the database fails.
    pub async fn delete_trunk_if<E>(
        &self,
        account: AccountId,
        name: &str,
        condition: impl FnOnce(Before<'_, StoredTrunk>) -> Result<(), E> + Send,
    ) -> Result<bool, ChangeError<E>> {
        self.delete_named_if::<Trunks, E>(account, name, condition).await
    }
}

fn stored((name, body, password, created_at, updated_at): Row) -> Result<StoredTrunk, StoreError> {
    Ok(StoredTrunk {
        body: body_of(&name, &body)?,
        name,
        has_password: password.is_some(),
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
    })
}

fn body_of(name: &str, body: &str) -> Result<Value, StoreError> {
    let damaged = |error| StoreError::Damaged { what: format!("trunk {name}: {error}") };
    serde_json::from_str(body).map_err(damaged)
}

/// Trunks, as they are changed.
struct Trunks;

impl Kind for Trunks {
    type Row = Row;
    type Stored = StoredTrunk;
    type Body = TrunkBody;
    type Error = ServiceError;
    const STATEMENTS: Statements =
        statements!("a trunk", "trunks", "name, body, password, created_at, updated_at" of trunks by name);

    fn stored(row: Row) -> Result<StoredTrunk, StoreError> {
        stored(row)
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Before<'_, StoredTrunk>,
        TrunkBody { body, password }: TrunkBody,
    ) -> Result<StoredTrunk, ServiceError> {
        let password = match (password, &before) {
            (GivenPassword::Set(password), _) => password,
            (GivenPassword::Kept, Before::Nothing) => None,
            (GivenPassword::Kept, Before::Stored(_) | Before::Unreadable) => {
                within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_scalar(
                    "SELECT password FROM trunks WHERE account_id = $1 AND name = $2"
                )
                .bind(account.0)
                .bind(name)
                .fetch_one(on))?
            }
        };
        Trunk::new(account, name, &body, password.as_deref())?;
        if before.is_nothing() {
            let count: i64 = within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_scalar(
                "SELECT count(*) FROM trunks WHERE account_id = $1"
            )
            .bind(account.0)
            .fetch_one(on))?;
            if count >= TRUNKS_MAX {
                let text = format!("an account has at most {TRUNKS_MAX} trunks");
                return Err(vec![FieldError::new("/name", text)].into());
            }
        }
        let updated_at = changed_at(before.stored().map(|before| before.updated_at));
        let created_at: i64 = within!(transaction, Self::STATEMENTS.storing, |on| {
            sqlx::query_scalar(
                "INSERT INTO trunks (account_id, name, body, password, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $5)
                 ON CONFLICT (account_id, name) DO UPDATE SET body = excluded.body, password = excluded.password,
                     updated_at = excluded.updated_at
                 RETURNING created_at",
            )
            .bind(account.0)
            .bind(name)
            .bind(body.to_string())
            .bind(password.as_deref())
            .bind(updated_at.0)
            .fetch_one(on)
        })?;
        Ok(StoredTrunk {
            name: name.to_owned(),
            body,
            has_password: password.is_some(),
            created_at: Timestamp(created_at),
            updated_at,
        })
    }
}
