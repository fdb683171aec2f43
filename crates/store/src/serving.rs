//! Which service serves calls with this database. There is one at a time: at its start a service closes what the one before has left open.

use crate::{
    Store, StoreError,
    database::{execute, postgres::Lock, storable, within},
};
use plenary_model::Timestamp;

/// A service that was not seen for so long is gone.
const GONE_MS: u64 = 30_000;

impl Store {
    /// From now on this service serves calls with the database. Under the same name it may do so at once after a crash, another one when
    /// it has ended, or was not seen for half a minute.
    ///
    /// # Errors
    /// [`StoreError::Served`] by another one; else when the database fails.
    pub async fn serve_as(&self, owner: &str, now: Timestamp) -> Result<(), StoreError> {
        let doing = "looking whether another service uses the database";
        let mut transaction = self.base.write(doing, Lock::Settings).await?;
        let row: Option<(Option<String>, i64)> =
            within!(transaction, doing, |on| sqlx::query_as("SELECT owner, seen_at FROM serving")
                .fetch_optional(on))?;
        if let Some((Some(other), seen_at)) = row
            && other != storable(owner)
        {
            let ago_ms = now.0.saturating_sub(seen_at);
            // A clock that is ahead by a few seconds is no reason to believe that it is gone.
            if ago_ms.unsigned_abs() < GONE_MS {
                let seconds = ago_ms.max(0).unsigned_abs() / 1000;
                return Err(StoreError::Served { by: other, seconds, gone_after: GONE_MS / 1000 });
            }
        }
        let claim = "INSERT INTO serving (one, owner, seen_at) VALUES (1, $1, $2)
             ON CONFLICT (one) DO UPDATE SET owner = excluded.owner, seen_at = excluded.seen_at";
        execute!(transaction, doing, sqlx::query(claim).bind(storable(owner)).bind(now.0))?;
        transaction.commit(doing).await
    }

    /// This service still serves calls. `false`: another one does by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn still_serves(&self, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        let doing = "noting that the service runs";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let note = "UPDATE serving SET seen_at = $2 WHERE owner = $1";
        let is_ours = execute!(transaction, doing, sqlx::query(note).bind(storable(owner)).bind(now.0))?;
        transaction.commit(doing).await?;
        Ok(is_ours == 1)
    }

    /// This service has ended, and another one may begin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_serving(&self, owner: &str) -> Result<(), StoreError> {
        let doing = "noting that the service has ended";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let end = "UPDATE serving SET owner = NULL WHERE owner = $1";
        execute!(transaction, doing, sqlx::query(end).bind(storable(owner)))?;
        transaction.commit(doing).await
    }
}
