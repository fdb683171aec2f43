//! Addresses from which known callers were permitted of late.

use crate::{
    Store, StoreError,
    database::{execute, postgres::Lock, read},
    named::at_most,
};
use plenary_model::Timestamp;
use std::net::IpAddr;

impl Store {
    /// Writes down when known callers of these addresses were permitted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_permitted(&self, permitted: &[(IpAddr, Timestamp)]) -> Result<(), StoreError> {
        let doing = "writing down where callers were permitted";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        for (source, at) in permitted {
            let write = "INSERT INTO permitted_sources (source, permitted_at) VALUES ($1, $2)
                 ON CONFLICT (source) DO UPDATE SET permitted_at = excluded.permitted_at";
            execute!(transaction, doing, sqlx::query(write).bind(source.to_string()).bind(at.0))?;
        }
        transaction.commit(doing).await
    }

    /// The addresses where that was so after a time, each with the last time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn permitted_since(&self, since: Timestamp) -> Result<Vec<(IpAddr, Timestamp)>, StoreError> {
        let rows: Vec<(String, i64)> =
            read!(self.base, "reading where callers were permitted", |on| sqlx::query_as(
                "SELECT source, permitted_at FROM permitted_sources WHERE permitted_at > $1 ORDER BY source"
            )
            .bind(since.0)
            .fetch_all(on))?;
        let damaged = |source: &str| StoreError::Damaged { what: format!("the permitted address {source}") };
        let address = |(source, at): (String, i64)| {
            source.parse().map(|ip| (ip, Timestamp(at))).map_err(|_| damaged(&source))
        };
        rows.into_iter().map(address).collect()
    }

    /// Deletes those where it was last so before a time, at most `limit` of them; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_permitted(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting where callers were permitted long ago";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let delete = "DELETE FROM permitted_sources WHERE source IN
             (SELECT source FROM permitted_sources WHERE permitted_at < $1 LIMIT $2)";
        let gone = execute!(transaction, doing, sqlx::query(delete).bind(before.0).bind(at_most(limit)))?;
        transaction.commit(doing).await?;
        Ok(gone)
    }
}
