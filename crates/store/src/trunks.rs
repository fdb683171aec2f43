//! Trunks, by name. The password of a trunk is kept as it is, for answers to challenges are made of it; no method of the
//! web services shows it.

use crate::{
    PutOutcome, ServiceError, Store, StoreError,
    database::{Write, execute, is_storable, now, read, within},
    error::listed,
    services::merge,
};
use plenary_model::{AccountId, FieldError, GivenPassword, StoredTrunk, Trunk};
use serde_json::Value;
use tracing::warn;

/// Trunks of an account at the most.
const TRUNKS_MAX: i64 = 100;

type Row = (String, String, Option<String>);

impl Store {
    /// An account's trunks, ordered by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunks(&self, account: AccountId) -> Result<Vec<StoredTrunk>, StoreError> {
        let rows: Vec<Row> = read!(self.base, "listing trunks", |on| sqlx::query_as(
            "SELECT name, body, password FROM trunks WHERE account_id = $1 ORDER BY name"
        )
        .bind(account.0)
        .fetch_all(on))?;
        rows.into_iter().map(|row| stored(row).map(|(trunk, _)| trunk)).collect()
    }

    /// An account's trunk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunk(&self, account: AccountId, name: &str) -> Result<Option<StoredTrunk>, StoreError> {
        if !is_storable(name) {
            return Ok(None);
        }
        let row: Option<Row> = read!(self.base, "reading a trunk", |on| sqlx::query_as(
            "SELECT name, body, password FROM trunks WHERE account_id = $1 AND name = $2"
        )
        .bind(account.0)
        .bind(name)
        .fetch_optional(on))?;
        row.map(|row| stored(row).map(|(trunk, _)| trunk)).transpose()
    }

    /// The trunks of every account, as calls see them. One that makes no sense is left out and said in the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_trunks(&self) -> Result<Vec<Trunk>, StoreError> {
        let rows: Vec<(i64, String, String, Option<String>)> =
            read!(self.base, "reading the trunks", |on| sqlx::query_as(
                "SELECT account_id, name, body, password FROM trunks ORDER BY account_id, name"
            )
            .fetch_all(on))?;
        let trunk = |(account, name, body, password)| {
            let (trunk, password) = stored((name, body, password))?;
            Trunk::new(AccountId(account), &trunk.name, &trunk.body, password.as_deref()).map_err(|errors| {
                StoreError::Damaged { what: format!("trunk {}: {}", trunk.name, listed(&errors)) }
            })
        };
        // One that another version stored under other rules does not keep the others from working.
        let usable = rows.into_iter().filter_map(|row| {
            let account = row.0;
            trunk(row).inspect_err(|error| warn!(account, %error, "a trunk is left out")).ok()
        });
        Ok(usable.collect())
    }

    /// Makes the account's trunk `name`, or replaces it. `body` may hold the password; it is taken out of it.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] naming the field, [`ServiceError::Store`] when the database fails.
    pub async fn put_trunk(
        &self,
        account: AccountId,
        name: &str,
        mut body: Value,
    ) -> Result<PutOutcome, ServiceError> {
        let password = match Trunk::take_password(&mut body)? {
            GivenPassword::Set(password) => password,
            GivenPassword::Kept => None,
        };
        Trunk::new(account, name, &body, password.as_deref())?;
        let doing = "storing a trunk";
        let mut transaction = self.write(doing).await?;
        let (count, known): (i64, i64) = within!(transaction, doing, |on| sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE name = $2) FROM trunks WHERE account_id = $1"
        )
        .bind(account.0)
        .bind(name)
        .fetch_one(on))?;
        if known == 0 && count >= TRUNKS_MAX {
            let text = format!("an account has at most {TRUNKS_MAX} trunks");
            return Err(vec![FieldError::new("/name", text)].into());
        }
        write(&mut transaction, account, name, &body, password.as_deref()).await?;
        transaction.commit(doing).await?;
        Ok(if known == 0 { PutOutcome::Created } else { PutOutcome::Replaced })
    }

    /// Merges `patch` into the body of the account's trunk `name` (RFC 7396) and stores the outcome, if it is valid. A
    /// password that is not named stays.
    ///
    /// # Errors
    /// [`ServiceError::UnknownService`] where there is none, [`ServiceError::Invalid`] naming the field of the merged
    /// body, [`ServiceError::Store`] when the database fails.
    pub async fn patch_trunk(
        &self,
        account: AccountId,
        name: &str,
        mut patch: Value,
    ) -> Result<(), ServiceError> {
        let doing = "changing a trunk";
        let given = Trunk::take_password(&mut patch)?;
        let mut transaction = self.write(doing).await?;
        let row: Option<Row> = within!(transaction, doing, |on| sqlx::query_as(
            "SELECT name, body, password FROM trunks WHERE account_id = $1 AND name = $2"
        )
        .bind(account.0)
        .bind(name)
        .fetch_optional(on))?;
        let Some(row) = row else { return Err(ServiceError::UnknownService) };
        let (mut trunk, old_password) = stored(row)?;
        merge(&mut trunk.body, &patch);
        let password = match given {
            GivenPassword::Set(password) => password,
            GivenPassword::Kept => old_password,
        };
        Trunk::new(account, name, &trunk.body, password.as_deref())?;
        write(&mut transaction, account, name, &trunk.body, password.as_deref()).await?;
        transaction.commit(doing).await?;
        Ok(())
    }

    /// Deletes the account's trunk `name`. `false`: it has none of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_trunk(&self, account: AccountId, name: &str) -> Result<bool, StoreError> {
        let statement = "DELETE FROM trunks WHERE account_id = $1 AND name = $2";
        self.delete_named("deleting a trunk", statement, account, name).await
    }
}

fn stored((name, body, password): Row) -> Result<(StoredTrunk, Option<String>), StoreError> {
    let body = serde_json::from_str(&body)
        .map_err(|error| StoreError::Damaged { what: format!("trunk {name}: {error}") })?;
    Ok((StoredTrunk { name, body, has_password: password.is_some() }, password))
}

async fn write(
    transaction: &mut Write,
    account: AccountId,
    name: &str,
    body: &Value,
    password: Option<&str>,
) -> Result<(), StoreError> {
    execute!(
        transaction,
        "storing a trunk",
        sqlx::query(
            "INSERT INTO trunks (account_id, name, body, password, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (account_id, name) DO UPDATE SET body = excluded.body, password = excluded.password,
             updated_at = excluded.updated_at",
        )
        .bind(account.0)
        .bind(name)
        .bind(body.to_string())
        .bind(password)
        .bind(now().0)
    )?;
    Ok(())
}
