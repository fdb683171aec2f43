//! Conferences that are over, who was in them, and when the service was last known to run.

use crate::{
    Store, StoreError,
    database::{Write, execute, list, postgres::Lock, read, storable, within},
    named::at_most,
};
use plenary_model::{AccountId, HistoryEntry, HistoryReason, PastConference, PastParticipant, Timestamp};

const WRITING: &str = "writing the history";

/// Conferences that a question finds, the latest first. What is `None` is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of this name.
    pub conference: Option<String>,
    /// That began then or later.
    pub since: Option<Timestamp>,
    /// That began before then.
    pub until: Option<Timestamp>,
    /// That began before the one with this id.
    pub before: Option<String>,
    /// So many at the most.
    pub limit: usize,
}

macro_rules! select_history {
    ($rest:literal) => {
        concat!(
            "SELECT id, conference, CASE WHEN reservation IS NULL THEN 0 ELSE 1 END, seats, started_at, ended_at,
                 COALESCE(end_reason, ''), peak,
                 (SELECT CAST(COALESCE(SUM(left_at - entered_at), 0) AS BIGINT) FROM history_participants
                      WHERE history_id = id),
                 (SELECT COUNT(*) FROM history_participants WHERE history_id = id)
             FROM history WHERE account_id = $1 AND ended_at IS NOT NULL ",
            $rest
        )
    };
}

impl Store {
    /// Conferences of an account that are over, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn past_conferences(
        &self,
        account: AccountId,
        query: &HistoryQuery,
    ) -> Result<Vec<PastConference>, StoreError> {
        let rows: Vec<HistoryRow> =
            read!(self.base, "reading the history", |on| sqlx::query_as(select_history!(
                "AND ($2 IS NULL OR conference = $2) AND ($3 IS NULL OR started_at >= $3)
                 AND ($4 IS NULL OR started_at < $4) AND ($5 IS NULL OR id < $5) ORDER BY id DESC LIMIT $6"
            ))
            .bind(account.0)
            .bind(query.conference.as_deref().map(storable))
            .bind(query.since.map(|at| at.0))
            .bind(query.until.map(|at| at.0))
            .bind(query.before.as_deref().map(storable))
            .bind(at_most(query.limit))
            .fetch_all(on))?;
        Ok(rows.into_iter().map(past).collect())
    }

    /// A conference of an account that is over, with its participants in the order in which they entered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn past_conference(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Option<(PastConference, Vec<PastParticipant>)>, StoreError> {
        let doing = "reading a conference of the history";
        let row: Option<HistoryRow> =
            read!(self.base, doing, |on| sqlx::query_as(select_history!("AND id = $2"))
                .bind(account.0)
                .bind(storable(id))
                .fetch_optional(on))?;
        let Some(conference) = row.map(past) else { return Ok(None) };
        let rows: Vec<ParticipantRow> = read!(self.base, doing, |on| {
            sqlx::query_as(
            "SELECT p.participant, p.entered_at, COALESCE(p.left_at, p.entered_at), COALESCE(p.leave_reason, ''),
                 p.is_leader, c.caller, c.called, c.direction
             FROM history_participants p LEFT JOIN calls c ON c.id = p.participant AND c.account_id = $1
             WHERE p.history_id = $2 ORDER BY p.entered_at, p.participant"
        )
        .bind(account.0)
        .bind(&conference.id)
        .fetch_all(on)
        })?;
        let participant =
            |(participant, entered, left, reason, is_leader, from, to, direction): ParticipantRow| {
                PastParticipant {
                    participant,
                    entered_at: Timestamp(entered),
                    left_at: Timestamp(left),
                    leave_reason: reason_of(&reason),
                    is_leader,
                    from,
                    to,
                    is_outgoing: direction.map(|direction| direction == "out"),
                }
            };
        Ok(Some((conference, rows.into_iter().map(participant).collect())))
    }

    /// Closes what a crash left open of the history; returns how many conferences. As with
    /// [`Self::interrupt_open_calls`], for the process that serves calls, before its first one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn interrupt_open_conferences(&self, at: Timestamp) -> Result<u64, StoreError> {
        let doing = "closing interrupted conferences of the history";
        let mut transaction = self.write(doing).await?;
        let reason = HistoryReason::Interrupted.name();
        let update = "UPDATE history_participants SET leave_reason = $2,
                 left_at = CASE WHEN entered_at > $1 THEN entered_at ELSE $1 END WHERE left_at IS NULL";
        execute!(transaction, doing, sqlx::query(update).bind(at.0).bind(reason))?;
        let update = "UPDATE history SET end_reason = $2,
                 ended_at = CASE WHEN started_at > $1 THEN started_at ELSE $1 END WHERE ended_at IS NULL";
        let done = execute!(transaction, doing, sqlx::query(update).bind(at.0).bind(reason))?;
        transaction.commit(doing).await?;
        Ok(done)
    }

    /// Writes down that the service runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_alive(&self, at: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.base.write(WRITING, Lock::Nothing).await?;
        let insert = "INSERT INTO last_alive (one, at) VALUES (1, $1)
             ON CONFLICT (one) DO UPDATE SET at = excluded.at";
        execute!(transaction, WRITING, sqlx::query(insert).bind(at.0))?;
        transaction.commit(WRITING).await
    }

    /// When the service was last known to run; `None`: it never has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_alive(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            read!(self.base, "reading when the service last ran", |on| sqlx::query_scalar(
                "SELECT at FROM last_alive"
            )
            .fetch_optional(on))?;
        Ok(at.map(Timestamp))
    }

    /// Deletes call records and conferences that ended before this time, at most `limit` of each; returns how many of both
    /// together.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_history(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting old records";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let old = "SELECT id FROM history WHERE ended_at < $1 ORDER BY ended_at, id LIMIT $2";
        let ids: Vec<String> = within!(transaction, doing, |on| sqlx::query_scalar(old)
            .bind(before.0)
            .bind(at_most(limit))
            .fetch_all(on))?;
        let ids = list(ids.iter().map(String::as_str));
        let statements = [
            transaction.text(
                "DELETE FROM history_participants WHERE history_id IN (SELECT value FROM json_each($1))",
                "DELETE FROM history_participants WHERE history_id = ANY (ARRAY (SELECT
                     json_array_elements_text($1::json)))",
            ),
            transaction.text(
                "DELETE FROM history WHERE id IN (SELECT value FROM json_each($1))",
                "DELETE FROM history WHERE id = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
            ),
        ];
        let mut gone = 0;
        for statement in statements {
            // The count of the last one is that of the conferences.
            gone = execute!(transaction, doing, sqlx::query(statement).bind(&ids))?;
        }
        let calls = "DELETE FROM calls WHERE id IN
                 (SELECT id FROM calls WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)";
        gone += execute!(transaction, doing, sqlx::query(calls).bind(before.0).bind(at_most(limit)))?;
        transaction.commit(doing).await?;
        Ok(gone)
    }
}

pub(crate) async fn write_entry(transaction: &mut Write, entry: &HistoryEntry) -> Result<(), StoreError> {
    match entry {
        HistoryEntry::Began { id, conference, at, reservation, seats } => {
            let insert =
                "INSERT INTO history (id, account_id, conference, reservation, seats, started_at, peak)
                 SELECT $1, $2, $3, $4, $5, $6, 0 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = $2)
                 ON CONFLICT (id) DO NOTHING";
            execute!(
                transaction,
                WRITING,
                sqlx::query(insert)
                    .bind(id)
                    .bind(conference.account.0)
                    .bind(storable(conference.name.as_str()))
                    .bind(reservation.as_ref().map(|token| storable(token.as_str())))
                    .bind(i64::from(*seats))
                    .bind(at.0)
            )?;
        }
        HistoryEntry::Entered { id, participant, at, is_leader, present } => {
            let insert = "INSERT INTO history_participants (history_id, participant, entered_at, is_leader)
                 SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM history WHERE id = $1)
                 ON CONFLICT (history_id, participant, entered_at) DO NOTHING";
            execute!(
                transaction,
                WRITING,
                sqlx::query(insert).bind(id).bind(participant.as_str()).bind(at.0).bind(is_leader)
            )?;
            let update = "UPDATE history SET peak = $1 WHERE id = $2 AND peak < $1";
            execute!(transaction, WRITING, sqlx::query(update).bind(i64::from(*present)).bind(id))?;
        }
        HistoryEntry::MadeLeader { id, participant } => {
            let update = "UPDATE history_participants SET is_leader = $1
                 WHERE history_id = $2 AND participant = $3 AND left_at IS NULL";
            execute!(
                transaction,
                WRITING,
                sqlx::query(update).bind(true).bind(id).bind(participant.as_str())
            )?;
        }
        HistoryEntry::Left { id, participant, at, reason } => {
            let update = "UPDATE history_participants SET leave_reason = $2,
                     left_at = CASE WHEN entered_at > $1 THEN entered_at ELSE $1 END
                 WHERE history_id = $3 AND participant = $4 AND left_at IS NULL";
            execute!(
                transaction,
                WRITING,
                sqlx::query(update).bind(at.0).bind(reason.name()).bind(id).bind(participant.as_str())
            )?;
        }
        HistoryEntry::Ended { id, at, reason } => {
            // Where a departure was not written, this is the latest it can have been.
            let update = "UPDATE history_participants SET leave_reason = $2,
                     left_at = CASE WHEN entered_at > $1 THEN entered_at ELSE $1 END
                 WHERE history_id = $3 AND left_at IS NULL";
            execute!(transaction, WRITING, sqlx::query(update).bind(at.0).bind(reason.name()).bind(id))?;
            let update = "UPDATE history SET end_reason = $2,
                     ended_at = CASE WHEN started_at > $1 THEN started_at ELSE $1 END
                 WHERE id = $3 AND ended_at IS NULL";
            execute!(transaction, WRITING, sqlx::query(update).bind(at.0).bind(reason.name()).bind(id))?;
        }
    }
    Ok(())
}

/// id, conference, was it reserved, seats, started_at, ended_at, end_reason, peak, milliseconds in, entries
type HistoryRow = (String, String, i32, i64, i64, i64, String, i64, i64, i64);

/// participant, entered_at, left_at, leave_reason, is_leader, caller, called, direction
type ParticipantRow = (String, i64, i64, String, bool, Option<String>, Option<String>, Option<String>);

fn past(row: HistoryRow) -> PastConference {
    let (id, conference, is_reserved, seats, started_at, ended_at, reason, peak, present_ms, entries) = row;
    let count = |number: i64| u32::try_from(number).unwrap_or_default();
    PastConference {
        id,
        conference,
        is_reserved: is_reserved != 0,
        seats: count(seats),
        started_at: Timestamp(started_at),
        ended_at: Timestamp(ended_at),
        end_reason: reason_of(&reason),
        peak: count(peak),
        present_ms,
        entries: count(entries),
    }
}

/// Whatever another version has written is something that cut it off, as far as this one knows.
fn reason_of(name: &str) -> HistoryReason {
    HistoryReason::named(name).unwrap_or(HistoryReason::Interrupted)
}
