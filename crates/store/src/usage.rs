//! What accounts have used, row by row; `plenary_model::UsageTable` adds it up.
//!
//! Rows are found by when they began, through an index. Those that began before the time and reach into it are at most as far back as
//! the longest one lasted, which an index knows too; those that still go on are few.

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
        let accounts = match query.account {
            Some(account) => vec![account],
            None => self.list_accounts().await?.into_iter().map(|account| account.id).collect(),
        };
        for account in accounts {
            self.add_calls(&mut table, query, account).await?;
            self.add_conferences(&mut table, query, account).await?;
        }
        self.add_seats(&mut table, query).await?;
        Ok(table.finish())
    }

    async fn add_calls(
        &self,
        table: &mut UsageTable,
        query: UsageQuery,
        account: AccountId,
    ) -> Result<(), StoreError> {
        let doing = "reading the usage of calls";
        let mut add = |(conference, trunk, direction, from, to, _): CallRow| {
            table.add_call(&UsedCall {
                account,
                conference,
                trunk,
                is_outgoing: direction == "out",
                from: Timestamp(from),
                to: to.map_or(query.now, Timestamp),
            });
        };
        let open: Vec<CallRow> = read!(self.base, doing, |on| sqlx::query_as(
            "SELECT conference, trunk, direction, answered_at, ended_at, id FROM calls
             WHERE account_id = $1 AND ended_at IS NULL AND answered_at < $2"
        )
        .bind(account.0)
        .bind(query.to.0)
        .fetch_all(on))?;
        open.into_iter().for_each(&mut add);
        let longest: Option<i64> = read!(self.base, doing, |on| {
            sqlx::query_scalar(
            "SELECT ended_at - answered_at FROM calls WHERE account_id = $1 AND ended_at - answered_at >= 0
             ORDER BY ended_at - answered_at DESC LIMIT 1"
        )
        .bind(account.0)
        .fetch_optional(on)
        })?;
        let (mut after, mut after_id) =
            (query.from.0.saturating_sub(longest.unwrap_or_default()), String::new());
        loop {
            let rows: Vec<CallRow> = read!(self.base, doing, |on| {
                sqlx::query_as(
                "SELECT conference, trunk, direction, answered_at, ended_at, id FROM calls
                 WHERE account_id = $1 AND (answered_at, id) > ($2, $3) AND answered_at < $4 AND ended_at >= $5
                 ORDER BY answered_at, id LIMIT $6"
            )
            .bind(account.0)
            .bind(after)
            .bind(after_id.as_str())
            .bind(query.to.0)
            .bind(query.from.0)
            .bind(PAGE)
            .fetch_all(on)
            })?;
            let is_last = (rows.len() as i64) < PAGE;
            if let Some((.., at, _, id)) = rows.last() {
                (after, after_id) = (*at, id.clone());
            }
            rows.into_iter().for_each(&mut add);
            if is_last {
                return Ok(());
            }
        }
    }

    async fn add_conferences(
        &self,
        table: &mut UsageTable,
        query: UsageQuery,
        account: AccountId,
    ) -> Result<(), StoreError> {
        let doing = "reading the usage of conferences";
        let mut add = |(conference, from, to, reservation, seats, _): ConferenceRow| {
            table.add_conference(&UsedConference {
                account,
                conference,
                from: Timestamp(from),
                to: to.map_or(query.now, Timestamp),
                reserved_seats: reservation.and_then(|_| u32::try_from(seats).ok()),
            });
        };
        let open: Vec<ConferenceRow> = read!(self.base, doing, |on| sqlx::query_as(
            "SELECT conference, started_at, ended_at, reservation, seats, id FROM history
             WHERE account_id = $1 AND ended_at IS NULL AND started_at < $2"
        )
        .bind(account.0)
        .bind(query.to.0)
        .fetch_all(on))?;
        open.into_iter().for_each(&mut add);
        let longest: Option<i64> = read!(self.base, doing, |on| {
            sqlx::query_scalar(
            "SELECT ended_at - started_at FROM history WHERE account_id = $1 AND ended_at - started_at >= 0
             ORDER BY ended_at - started_at DESC LIMIT 1"
        )
        .bind(account.0)
        .fetch_optional(on)
        })?;
        let (mut after, mut after_id) =
            (query.from.0.saturating_sub(longest.unwrap_or_default()), String::new());
        loop {
            let rows: Vec<ConferenceRow> = read!(self.base, doing, |on| sqlx::query_as(
                "SELECT conference, started_at, ended_at, reservation, seats, id FROM history
                 WHERE account_id = $1 AND (started_at, id) > ($2, $3) AND started_at < $4 AND ended_at >= $5
                 ORDER BY started_at, id LIMIT $6"
            )
            .bind(account.0)
            .bind(after)
            .bind(after_id.as_str())
            .bind(query.to.0)
            .bind(query.from.0)
            .bind(PAGE)
            .fetch_all(on))?;
            let is_last = (rows.len() as i64) < PAGE;
            if let Some((_, at, .., id)) = rows.last() {
                (after, after_id) = (*at, id.clone());
            }
            rows.into_iter().for_each(&mut add);
            if is_last {
                return Ok(());
            }
        }
    }

    /// In the order in which they began, over all accounts that are asked for.
    async fn add_seats(&self, table: &mut UsageTable, query: UsageQuery) -> Result<(), StoreError> {
        let doing = "reading the usage of seats";
        let account = query.account.map(|account| account.0);
        let mut add = |(account, conference, from, to, ..): SeatRow| {
            let (from, to) = (Timestamp(from), to.map_or(query.now, Timestamp));
            table.add_seat(&UsedSeat { account: AccountId(account), conference, from, to });
        };
        let longest: Option<i64> = read!(self.base, doing, |on| sqlx::query_scalar(
            "SELECT left_at - entered_at FROM history_participants WHERE left_at - entered_at >= 0
             ORDER BY left_at - entered_at DESC LIMIT 1"
        )
        .fetch_optional(on))?;
        let begin = query.from.0.saturating_sub(longest.unwrap_or_default());
        let open: Vec<SeatRow> = read!(self.base, doing, |on| sqlx::query_as(
            "SELECT h.account_id, h.conference, p.entered_at, p.left_at, p.participant, h.id
             FROM history_participants p JOIN history h ON h.id = p.history_id
             WHERE p.left_at IS NULL AND p.entered_at < $1 AND ($2 IS NULL OR h.account_id = $2)
             ORDER BY p.entered_at, p.participant, h.id"
        )
        .bind(begin.min(query.to.0))
        .bind(account)
        .fetch_all(on))?;
        open.into_iter().for_each(&mut add);
        let (mut after, mut after_participant, mut after_id) = (begin, String::new(), String::new());
        loop {
            let rows: Vec<SeatRow> = read!(self.base, doing, |on| sqlx::query_as(
                "SELECT h.account_id, h.conference, p.entered_at, p.left_at, p.participant, h.id
                 FROM history_participants p JOIN history h ON h.id = p.history_id
                 WHERE (p.entered_at, p.participant, p.history_id) > ($1, $2, $3) AND p.entered_at < $4
                     AND (p.left_at IS NULL OR p.left_at > $5) AND ($6 IS NULL OR h.account_id = $6)
                 ORDER BY p.entered_at, p.participant, p.history_id LIMIT $7"
            )
            .bind(after)
            .bind(after_participant.as_str())
            .bind(after_id.as_str())
            .bind(query.to.0)
            .bind(query.from.0)
            .bind(account)
            .bind(PAGE)
            .fetch_all(on))?;
            let is_last = (rows.len() as i64) < PAGE;
            if let Some((.., at, _, participant, id)) = rows.last() {
                (after, after_participant, after_id) = (*at, participant.clone(), id.clone());
            }
            rows.into_iter().for_each(&mut add);
            if is_last {
                return Ok(());
            }
        }
    }
}

/// conference, trunk, direction, answered_at, ended_at, id
type CallRow = (Option<String>, Option<String>, String, i64, Option<i64>, String);
/// conference, started_at, ended_at, reservation, seats, id
type ConferenceRow = (String, i64, Option<i64>, Option<String>, i64, String);
/// account_id, conference, entered_at, left_at, participant, history_id
type SeatRow = (i64, String, i64, Option<i64>, String, String);
