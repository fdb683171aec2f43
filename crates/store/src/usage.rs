//! What accounts have used, row by row in the order of their beginnings; `plenary_model::UsageTable` adds it up.

use crate::{Store, StoreError, database::read};
use plenary_model::{
    AccountId, Timestamp, Usage, UsageBy, UsageKey, UsageTable, UsedCall, UsedConference, UsedSeat,
};

/// Rows that are read at once.
const PAGE: i64 = 5000;

/// Whose usage is asked for, of which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQuery {
    /// Of one account, or of all.
    pub account: Option<AccountId>,
    /// From then on,
    pub from: Timestamp,
    /// and before then.
    pub to: Timestamp,
    /// What goes on ends here, as far as it counts.
    pub now: Timestamp,
    /// What each line is about.
    pub by: UsageBy,
}

impl Store {
    /// What was used within a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage(&self, query: UsageQuery) -> Result<Vec<(UsageKey, Usage)>, StoreError> {
        let mut table = UsageTable::new(query.by, query.from, query.to.min(query.now.max(query.from)));
        self.add_calls(&mut table, query).await?;
        self.add_conferences(&mut table, query).await?;
        self.add_seats(&mut table, query).await?;
        Ok(table.finish())
    }

    async fn add_calls(&self, table: &mut UsageTable, query: UsageQuery) -> Result<(), StoreError> {
        let (account, now) = (query.account.map(|account| account.0), query.now.0);
        let (mut after, mut after_id) = (i64::MIN, String::new());
        loop {
            let rows: Vec<CallRow> = read!(self.base, "reading the usage of calls", |on| {
                sqlx::query_as(
                "SELECT account_id, conference, trunk, direction, answered_at, COALESCE(ended_at, $1), id FROM calls
                 WHERE ($2 IS NULL OR account_id = $2) AND answered_at < $3 AND (ended_at IS NULL OR ended_at >= $4)
                     AND (answered_at, id) > ($5, $6) ORDER BY answered_at, id LIMIT $7"
            )
            .bind(now)
            .bind(account)
            .bind(query.to.0)
            .bind(query.from.0)
            .bind(after)
            .bind(after_id.as_str())
            .bind(PAGE)
            .fetch_all(on)
            })?;
            let is_last = (rows.len() as i64) < PAGE;
            for (account, conference, trunk, direction, from, to, id) in rows {
                let (from, to) = (Timestamp(from), Timestamp(to));
                table.add_call(&UsedCall {
                    account: AccountId(account),
                    conference,
                    trunk,
                    is_outgoing: direction == "out",
                    from,
                    to,
                });
                (after, after_id) = (from.0, id);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn add_conferences(&self, table: &mut UsageTable, query: UsageQuery) -> Result<(), StoreError> {
        let (account, now) = (query.account.map(|account| account.0), query.now.0);
        let mut after = String::new();
        loop {
            let rows: Vec<ConferenceRow> = read!(self.base, "reading the usage of conferences", |on| {
                sqlx::query_as(
                    "SELECT account_id, conference, started_at, COALESCE(ended_at, $1), reservation, seats, id
                     FROM history WHERE ($2 IS NULL OR account_id = $2) AND started_at < $3
                         AND (ended_at IS NULL OR ended_at >= $4) AND id > $5 ORDER BY id LIMIT $6"
                )
                .bind(now)
                .bind(account)
                .bind(query.to.0)
                .bind(query.from.0)
                .bind(after.as_str())
                .bind(PAGE)
                .fetch_all(on)
            })?;
            let is_last = (rows.len() as i64) < PAGE;
            for (account, conference, from, to, reservation, seats, id) in rows {
                table.add_conference(&UsedConference {
                    account: AccountId(account),
                    conference,
                    from: Timestamp(from),
                    to: Timestamp(to),
                    reserved_seats: reservation.and_then(|_| u32::try_from(seats).ok()),
                });
                after = id;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn add_seats(&self, table: &mut UsageTable, query: UsageQuery) -> Result<(), StoreError> {
        let (account, now) = (query.account.map(|account| account.0), query.now.0);
        let (mut after, mut after_participant, mut after_id) = (i64::MIN, String::new(), String::new());
        loop {
            let rows: Vec<SeatRow> = read!(self.base, "reading the usage of seats", |on| {
                sqlx::query_as(
                "SELECT h.account_id, h.conference, p.entered_at, COALESCE(p.left_at, $1), p.participant, h.id
                 FROM history_participants p JOIN history h ON h.id = p.history_id
                 WHERE ($2 IS NULL OR h.account_id = $2) AND p.entered_at < $3
                     AND (p.left_at IS NULL OR p.left_at > $4)
                     AND (p.entered_at, p.participant, h.id) > ($5, $6, $7)
                 ORDER BY p.entered_at, p.participant, h.id LIMIT $8"
            )
            .bind(now)
            .bind(account)
            .bind(query.to.0)
            .bind(query.from.0)
            .bind(after)
            .bind(after_participant.as_str())
            .bind(after_id.as_str())
            .bind(PAGE)
            .fetch_all(on)
            })?;
            let is_last = (rows.len() as i64) < PAGE;
            for (account, conference, from, to, participant, id) in rows {
                let (from, to) = (Timestamp(from), Timestamp(to));
                table.add_seat(&UsedSeat { account: AccountId(account), conference, from, to });
                (after, after_participant, after_id) = (from.0, participant, id);
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

/// account_id, conference, trunk, direction, answered_at, ended_at, id
type CallRow = (i64, Option<String>, Option<String>, String, i64, i64, String);
/// account_id, conference, started_at, ended_at, reservation, seats, id
type ConferenceRow = (i64, String, i64, i64, Option<String>, i64, String);
/// account_id, conference, entered_at, left_at, participant, id
type SeatRow = (i64, String, i64, i64, String, String);
