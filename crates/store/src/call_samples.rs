//! How calls that are over sounded while they lasted.

use crate::{
    Store, StoreError,
    database::{execute, is_storable, postgres::Lock, read},
    named::at_most,
};
use plenary_model::{AccountId, CallSamples, Timestamp};

impl Store {
    /// Writes down how calls sounded that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_call_samples(
        &self,
        ended: &[(String, AccountId, Timestamp, CallSamples)],
    ) -> Result<(), StoreError> {
        let doing = "writing down how calls sounded";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        for (id, account, at, samples) in ended {
            let text = serde_json::to_string(samples).expect("plain data becomes JSON");
            let insert =
                "INSERT INTO call_samples (id, account_id, ended_at, samples) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (id) DO NOTHING";
            execute!(
                transaction,
                doing,
                sqlx::query(insert).bind(id.as_str()).bind(account.0).bind(at.0).bind(&text)
            )?;
        }
        transaction.commit(doing).await
    }

    /// How a call of an account sounded that is over; `None`: it is not known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_samples(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Option<CallSamples>, StoreError> {
        if !is_storable(id) {
            return Ok(None);
        }
        let text: Option<String> = read!(self.base, "reading how a call sounded", |on| sqlx::query_scalar(
            "SELECT samples FROM call_samples WHERE id = $1 AND account_id = $2"
        )
        .bind(id)
        .bind(account.0)
        .fetch_optional(on))?;
        let damaged = |error| StoreError::Damaged { what: format!("samples of the call {id}: {error}") };
        text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
    }

    /// Deletes samples of calls that ended before a time, at most `limit` of them; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_call_samples(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting how old calls sounded";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let delete = "DELETE FROM call_samples WHERE id IN
             (SELECT id FROM call_samples WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)";
        let gone = execute!(transaction, doing, sqlx::query(delete).bind(before.0).bind(at_most(limit)))?;
        transaction.commit(doing).await?;
        Ok(gone)
    }
}
