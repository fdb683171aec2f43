//! Call records: who called, when, and how it ended.

use crate::{Store, StoreError};
use plenary_conference::{AccountId, Timestamp};

/// A call that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Its id, which is its participant id: `01234567a1b1c1c2.234`.
    pub id: String,
    /// Whose inbound service was called.
    pub account: AccountId,
    /// The inbound service.
    pub service: String,
    /// The conference it was connected to, if it was.
    pub conference: Option<String>,
    /// Who called.
    pub from: String,
    /// The name or number that was called.
    pub to: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Whether we called.
    pub is_outgoing: bool,
    /// The trunk that it came or went through.
    pub trunk: Option<String>,
    /// What admitted the caller: `network`, `trunk`, `user`, `token`, `webrtc`; `None`: we called.
    pub admitted_by: Option<String>,
}

/// A call as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecordEntry {
    /// How it began.
    pub call: CallRecord,
    /// When it ended; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub cause: Option<String>,
    /// Statistics of its media, as given when it ended.
    pub stats: Option<String>,
}

/// Something to write down of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEntry {
    /// It has begun.
    Started {
        /// Who, whom, when.
        call: CallRecord,
        /// What it takes to end it after a crash.
        dialog: Option<String>,
    },
    /// A call of ours was answered.
    Answered {
        /// Which.
        id: String,
        /// The trunk that it went through in the end.
        trunk: Option<String>,
        /// What it takes to end it after a crash.
        dialog: String,
    },
    /// It is over.
    Ended {
        /// Which.
        id: String,
        /// When.
        at: Timestamp,
        /// How.
        cause: String,
        /// Statistics of its media.
        stats: Option<String>,
    },
}

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
        let mut transaction = self.write(doing).await?;
        for entry in entries {
            let query = match entry {
                CallEntry::Started { call, dialog } => sqlx::query(
                    "INSERT INTO calls (id, account_id, service, conference, caller, called, started_at, dialog, direction, trunk, admitted_by)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = ?2)
                     ON CONFLICT (id) DO NOTHING",
                )
                .bind(&call.id)
                .bind(call.account.0)
                .bind(&call.service)
                .bind(&call.conference)
                .bind(&call.from)
                .bind(&call.to)
                .bind(call.started_at.0)
                .bind(dialog)
                .bind(if call.is_outgoing { "out" } else { "in" })
                .bind(&call.trunk)
                .bind(&call.admitted_by),
                CallEntry::Answered { id, trunk, dialog } => {
                    sqlx::query("UPDATE calls SET trunk = ?, dialog = ? WHERE id = ? AND ended_at IS NULL")
                        .bind(trunk)
                        .bind(dialog)
                        .bind(id)
                }
                CallEntry::Ended { id, at, cause, stats } => sqlx::query(
                    "UPDATE calls SET ended_at = ?, cause = ?, stats = ?, dialog = NULL
                     WHERE id = ? AND ended_at IS NULL",
                )
                .bind(at.0)
                .bind(cause)
                .bind(stats)
                .bind(id),
            };
            query.execute(&mut *transaction).await.map_err(StoreError::when(doing))?;
        }
        transaction.commit().await.map_err(StoreError::when(doing))
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
        sqlx::query_scalar("SELECT dialog FROM calls WHERE ended_at IS NULL AND dialog IS NOT NULL")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::when("reading the calls that were cut off"))
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
        let done = sqlx::query(
            "UPDATE calls SET ended_at = max(?, started_at), cause = ?, dialog = NULL WHERE ended_at IS NULL",
        )
        .bind(at.0)
        .bind(INTERRUPTED)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::when(doing))?;
        transaction.commit().await.map_err(StoreError::when(doing))?;
        Ok(done.rows_affected())
    }

    /// The latest records of an account, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls(&self, account: AccountId, limit: u32) -> Result<Vec<CallRecordEntry>, StoreError> {
        let rows: Vec<CallRow> = sqlx::query_as(
            "SELECT id, service, conference, caller, called, started_at, ended_at, cause, stats,
                    direction, trunk, admitted_by
             FROM calls WHERE account_id = ? ORDER BY started_at DESC, id DESC LIMIT ?",
        )
        .bind(account.0)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::when("reading call records"))?;
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
