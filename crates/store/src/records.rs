//! Call records: who called, when, and how it ended.

use crate::{
    Store, StoreError,
    database::{execute, postgres::Lock, read, storable},
};
use plenary_model::{AccountId, CallEntry, CallRecord, CallRecordEntry, Timestamp};

/// The cause of a call that was open when its process died.
const INTERRUPTED: &str = "interrupted";

impl Store {
    /// Writes down what happened to calls, all of it or nothing. What cannot be true is left out rather than keep the
    /// others from being written: a call of an account that is gone, an id that is on record already, the end of a call
    /// that is not. The first end of a call counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_calls(&self, entries: &[CallEntry]) -> Result<(), StoreError> {
        let doing = "writing call records";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        for entry in entries {
            match entry {
                CallEntry::Started { call, dialog } => {
                    let insert =
                        "INSERT INTO calls (id, account_id, service, conference, caller, called, started_at,
                             dialog, direction, trunk, admitted_by)
                         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
                         WHERE EXISTS (SELECT 1 FROM accounts WHERE id = $2)
                         ON CONFLICT (id) DO NOTHING";
                    execute!(
                        transaction,
                        doing,
                        sqlx::query(insert)
                            .bind(&call.id)
                            .bind(call.account.0)
                            .bind(storable(&call.service))
                            .bind(call.conference.as_deref().map(storable))
                            .bind(storable(&call.from))
                            .bind(storable(&call.to))
                            .bind(call.started_at.0)
                            .bind(dialog.as_deref().map(storable))
                            .bind(if call.is_outgoing { "out" } else { "in" })
                            .bind(&call.trunk)
                            .bind(&call.admitted_by)
                    )?;
                }
                CallEntry::Answered { id, trunk, dialog } => {
                    let update =
                        "UPDATE calls SET trunk = $1, dialog = $2 WHERE id = $3 AND ended_at IS NULL";
                    execute!(
                        transaction,
                        doing,
                        sqlx::query(update).bind(trunk).bind(storable(dialog)).bind(id)
                    )?;
                }
                CallEntry::Entered { id, conference } => {
                    let update = "UPDATE calls SET conference = $1 WHERE id = $2 AND ended_at IS NULL";
                    execute!(transaction, doing, sqlx::query(update).bind(storable(conference)).bind(id))?;
                }
                CallEntry::Ended { id, at, cause, stats } => {
                    let update = "UPDATE calls SET ended_at = $1, cause = $2, stats = $3, dialog = NULL
                         WHERE id = $4 AND ended_at IS NULL";
                    execute!(
                        transaction,
                        doing,
                        sqlx::query(update).bind(at.0).bind(storable(cause)).bind(stats).bind(id)
                    )?;
                }
            }
        }
        transaction.commit(doing).await
    }

    /// Writes that a call has begun.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_started(&self, call: &CallRecord) -> Result<(), StoreError> {
        self.write_calls(&[CallEntry::Started { call: call.clone(), dialog: None }]).await
    }

    /// Writes how a call ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_ended(
        &self,
        id: &str,
        ended_at: Timestamp,
        cause: &str,
        stats: Option<&str>,
    ) -> Result<(), StoreError> {
        let (id, cause) = (id.to_owned(), cause.to_owned());
        self.write_calls(&[CallEntry::Ended { id, at: ended_at, cause, stats: stats.map(str::to_owned) }])
            .await
    }

    /// The dialogs of calls that a crash left open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_dialogs(&self) -> Result<Vec<String>, StoreError> {
        read!(self.base, "reading the calls that were cut off", |on| sqlx::query_scalar(
            "SELECT dialog FROM calls WHERE ended_at IS NULL AND dialog IS NOT NULL"
        )
        .fetch_all(on))
    }

    /// Closes the records that a crash left open, with the cause `interrupted`; returns how many. For the process
    /// that serves calls, at its start, before its first one. Opening the store does not do it by itself: other
    /// processes open it while calls are up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn interrupt_open_calls(&self, at: Timestamp) -> Result<u64, StoreError> {
        let doing = "closing interrupted call records";
        let mut transaction = self.write(doing).await?;
        // The clock may have been set back meanwhile: no call ends before it began.
        let done = execute!(transaction, doing, sqlx::query(
            "UPDATE calls SET ended_at = CASE WHEN started_at > $1 THEN started_at ELSE $1 END, cause = $2, dialog = NULL WHERE ended_at IS NULL",
        )
        .bind(at.0)
        .bind(INTERRUPTED))?;
        transaction.commit(doing).await?;
        Ok(done)
    }

    /// The latest records of an account, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls(&self, account: AccountId, limit: u32) -> Result<Vec<CallRecordEntry>, StoreError> {
        let rows: Vec<CallRow> = read!(self.base, "reading call records", |on| sqlx::query_as(
            "SELECT id, service, conference, caller, called, started_at, ended_at, cause, stats,
                    direction, trunk, admitted_by
             FROM calls WHERE account_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2",
        )
        .bind(account.0)
        .bind(i64::from(limit))
        .fetch_all(on))?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let (id, service, conference, from, to, started, ended, cause, stats, direction, trunk, by) =
                    row;
                let (started_at, ended_at) = (Timestamp(started), ended.map(Timestamp));
                let is_outgoing = direction == "out";
                let call = CallRecord {
                    id,
                    account,
                    service,
                    conference,
                    from,
                    to,
                    started_at,
                    is_outgoing,
                    trunk,
                    admitted_by: by,
                };
                CallRecordEntry { call, ended_at, cause, stats }
            })
            .collect())
    }
}

/// id, service, conference, caller, called, started_at, ended_at, cause, stats, direction, trunk, admitted_by
type CallRow = (
    String,
    String,
    Option<String>,
    String,
    String,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
);
