//! Call records: who called, when, and how it ended.

use crate::{
    Store, StoreError,
    database::{Write, execute, postgres::Lock, read, storable},
    named::at_most,
};
use plenary_model::{
    AccountId, CallEntry, CallRecord, CallRecordEntry, EndedBy, RecordEntry, Timestamp, spelled, without_tel,
};

const WRITING: &str = "writing call records";

/// What has become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// It goes on.
    InProgress,
    /// It was answered, and is over.
    Answered,
    /// It is over, and was never answered.
    NotAnswered,
}

impl CallOutcome {
    /// As it is asked for and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Answered => "answered",
            Self::NotAnswered => "not_answered",
        }
    }

    /// Of this call.
    #[must_use]
    pub const fn of(entry: &CallRecordEntry) -> Self {
        match (entry.ended_at, entry.call.answered_at) {
            (None, _) => Self::InProgress,
            (Some(_), Some(_)) => Self::Answered,
            (Some(_), None) => Self::NotAnswered,
        }
    }
}

/// Call records that a question finds, the latest first. What is `None` is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallsQuery {
    /// Of the conference of this name.
    pub conference: Option<String>,
    /// Of this caller; a number in any spelling.
    pub from: Option<String>,
    /// To this name or number; a number in any spelling, with `tel:` or without.
    pub to: Option<String>,
    /// That began then or later.
    pub since: Option<Timestamp>,
    /// That began before then.
    pub until: Option<Timestamp>,
    /// That we placed, or that came in.
    pub is_outgoing: Option<bool>,
    /// Of which this has become.
    pub outcome: Option<CallOutcome>,
    /// Before the one that began then and has this id.
    pub before: Option<(Timestamp, String)>,
    /// So many at the most.
    pub limit: usize,
}

macro_rules! select_calls {
    ($rest:literal) => {
        concat!(
            "SELECT id, service, conference, caller, called, started_at, answered_at, ended_at, cause, ended_by,
                 stats, direction, trunk, admitted_by FROM calls WHERE account_id = $1 ",
            $rest
        )
    };
}

impl Store {
    /// Writes down what happened to calls, all of it or nothing. What cannot be true is left out rather than keep the
    /// others from being written: a call of an account that is gone, an id that is on record already, the end of a call
    /// that is not. The first end of a call counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_calls(&self, entries: &[CallEntry]) -> Result<(), StoreError> {
        let mut transaction = self.base.write(WRITING, Lock::Nothing).await?;
        for entry in entries {
            write_call(&mut transaction, entry).await?;
        }
        transaction.commit(WRITING).await
    }

    /// The same of calls and conferences, in this order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_records(&self, entries: &[RecordEntry]) -> Result<(), StoreError> {
        let mut transaction = self.base.write(WRITING, Lock::Nothing).await?;
        for entry in entries {
            match entry {
                RecordEntry::Call(entry) => write_call(&mut transaction, entry).await?,
                RecordEntry::Conference(entry) => {
                    crate::history::write_entry(&mut transaction, entry).await?;
                }
            }
        }
        transaction.commit(WRITING).await
    }

    /// Writes that a call has begun.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_started(&self, call: &CallRecord) -> Result<(), StoreError> {
        self.write_calls(&[CallEntry::Started { call: call.clone(), dialog: None }]).await
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
        // The clock may have been set back meanwhile: no call ends before it was answered.
        let update = "UPDATE calls SET ended_at = CASE WHEN COALESCE(answered_at, started_at) > $1
                 THEN COALESCE(answered_at, started_at) ELSE $1 END, cause = $2, ended_by = $3, dialog = NULL
             WHERE ended_at IS NULL";
        let done = execute!(
            transaction,
            doing,
            sqlx::query(update).bind(at.0).bind(CallRecordEntry::INTERRUPTED).bind(EndedBy::Network.name())
        )?;
        transaction.commit(doing).await?;
        Ok(done)
    }

    /// Records of an account, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls(
        &self,
        account: AccountId,
        query: &CallsQuery,
    ) -> Result<Vec<CallRecordEntry>, StoreError> {
        let direction = query.is_outgoing.map(direction);
        let outcome = query.outcome.map(CallOutcome::name);
        let (before_at, before_id) =
            query.before.clone().map_or((None, None), |(at, id)| (Some(at.0), Some(id)));
        let (from, to) = (spellings(query.from.as_deref()), spellings(query.to.as_deref()));
        let rows: Vec<CallRow> = read!(self.base, "reading call records", |on| {
            sqlx::query_as(select_calls!(
                "AND ($2 IS NULL OR conference = $2) AND ($3 IS NULL OR caller IN ($3, $12, $13))
             AND ($4 IS NULL OR called IN ($4, $14, $15))
             AND ($5 IS NULL OR started_at >= $5) AND ($6 IS NULL OR started_at < $6)
             AND ($7 IS NULL OR direction = $7)
             AND ($8 IS NULL OR $8 = CASE WHEN ended_at IS NULL THEN 'in_progress'
                      WHEN answered_at IS NULL THEN 'not_answered' ELSE 'answered' END)
             AND ($9 IS NULL OR (started_at, id) < ($9, $10))
             ORDER BY started_at DESC, id DESC LIMIT $11"
            ))
            .bind(account.0)
            .bind(query.conference.as_deref().map(storable))
            .bind(&from[0])
            .bind(&to[0])
            .bind(query.since.map(|at| at.0))
            .bind(query.until.map(|at| at.0))
            .bind(direction)
            .bind(outcome)
            .bind(before_at)
            .bind(before_id.as_deref().map(storable))
            .bind(at_most(query.limit))
            .bind(&from[1])
            .bind(&from[2])
            .bind(&to[1])
            .bind(&to[2])
            .fetch_all(on)
        })?;
        Ok(rows.into_iter().map(|row| entry(account, row)).collect())
    }

    /// A record of an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call(&self, account: AccountId, id: &str) -> Result<Option<CallRecordEntry>, StoreError> {
        let row: Option<CallRow> =
            read!(self.base, "reading a call record", |on| sqlx::query_as(select_calls!("AND id = $2"))
                .bind(account.0)
                .bind(storable(id))
                .fetch_optional(on))?;
        Ok(row.map(|row| entry(account, row)))
    }
}

/// How records may have a name or a number that is looked for: as it is, as a number in its one spelling, and as a `tel:` URI, for
/// that is what a call of ours to a number is to.
fn spellings(text: Option<&str>) -> [Option<String>; 3] {
    let Some(text) = text else { return [None, None, None] };
    let number = spelled(without_tel(text));
    let uri = format!("tel:{number}");
    [text, &number, &uri].map(|text| Some(storable(text).to_string()))
}

const fn direction(is_outgoing: bool) -> &'static str {
    if is_outgoing { "out" } else { "in" }
}

async fn write_call(transaction: &mut Write, entry: &CallEntry) -> Result<(), StoreError> {
    match entry {
        CallEntry::Started { call, dialog } => {
            let insert = "INSERT INTO calls (id, account_id, service, conference, caller, called, started_at,
                     answered_at, dialog, direction, trunk, admitted_by)
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
                 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = $2)
                 ON CONFLICT (id) DO NOTHING";
            execute!(
                transaction,
                WRITING,
                sqlx::query(insert)
                    .bind(&call.id)
                    .bind(call.account.0)
                    .bind(storable(&call.service))
                    .bind(call.conference.as_deref().map(storable))
                    .bind(storable(&call.from))
                    .bind(storable(&call.to))
                    .bind(call.started_at.0)
                    .bind(call.answered_at.map(|at| at.0))
                    .bind(dialog.as_deref().map(storable))
                    .bind(direction(call.is_outgoing))
                    .bind(&call.trunk)
                    .bind(&call.admitted_by)
            )?;
        }
        CallEntry::Answered { id, at, trunk, dialog } => {
            let update = "UPDATE calls SET trunk = $1, dialog = $2, answered_at = $3
                 WHERE id = $4 AND ended_at IS NULL";
            execute!(
                transaction,
                WRITING,
                sqlx::query(update).bind(trunk).bind(storable(dialog)).bind(at.0).bind(id)
            )?;
        }
        CallEntry::Entered { id, conference } => {
            let update = "UPDATE calls SET conference = $1 WHERE id = $2 AND ended_at IS NULL";
            execute!(transaction, WRITING, sqlx::query(update).bind(storable(conference)).bind(id))?;
        }
        CallEntry::Ended { id, at, cause, ended_by, stats } => {
            let update =
                "UPDATE calls SET ended_at = $1, cause = $2, ended_by = $3, stats = $4, dialog = NULL
                 WHERE id = $5 AND ended_at IS NULL";
            execute!(
                transaction,
                WRITING,
                sqlx::query(update)
                    .bind(at.0)
                    .bind(storable(cause))
                    .bind(ended_by.name())
                    .bind(stats)
                    .bind(id)
            )?;
        }
    }
    Ok(())
}

/// id, service, conference, caller, called, started_at, answered_at, ended_at, cause, ended_by, stats, direction, trunk,
/// admitted_by
type CallRow = (
    String,
    String,
    Option<String>,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
);

fn entry(account: AccountId, row: CallRow) -> CallRecordEntry {
    let (
        id,
        service,
        conference,
        from,
        to,
        started,
        answered,
        ended,
        cause,
        by,
        stats,
        direction,
        trunk,
        admitted,
    ) = row;
    let call = CallRecord {
        id,
        account,
        service,
        conference,
        from,
        to,
        started_at: Timestamp(started),
        answered_at: answered.map(Timestamp),
        is_outgoing: direction == "out",
        trunk,
        admitted_by: admitted,
    };
    let ended_by = by.as_deref().and_then(EndedBy::named);
    CallRecordEntry { call, ended_at: ended.map(Timestamp), cause, ended_by, stats }
}
