//! The event log: what has happened in the conferences of an account, numbered without gaps.
//!
//! The number is drawn in the transaction that writes the event, behind the lock on the row of the account's log. So one who has
//! read up to a number has read all up to it, whichever process wrote them.

use crate::{
    Store, StoreError,
    database::{Write, execute, postgres::Lock, read, storable, within},
    named::at_most,
    reservations::current,
};
use plenary_model::{
    AccountEvent, AccountId, EventKind, EventRecord, Ongoing, OngoingKind, ParticipantId, ReservationData,
    Timestamp,
};
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

const WRITING: &str = "writing events";

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number, counted within the account from 1.
    pub seq: i64,
    /// The rest of it, an object in JSON.
    pub body: String,
}

impl StoredEvent {
    /// All of it, in JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let rest = self.body.strip_prefix('{').unwrap_or_default();
        format!("{{\"seq\":{},{rest}", self.seq)
    }

    /// What it says.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]: it is none that this version knows.
    pub fn record(&self) -> Result<EventRecord, StoreError> {
        let damaged = |error| StoreError::Damaged { what: format!("event {}: {error}", self.seq) };
        serde_json::from_str(&self.body).map_err(damaged)
    }
}

/// Which events an account's log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventBounds {
    /// The number of the oldest that is kept; of the next one where none is.
    pub first: i64,
    /// The number of the last; 0: there was none.
    pub last: i64,
}

impl EventBounds {
    /// The log can be read on from behind this number: nothing that came after it is gone.
    #[must_use]
    pub fn continue_after(&self, seq: i64) -> bool {
        (self.first - 1..=self.last).contains(&seq)
    }
}

/// Who waits for events of an account that this process writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventNews(Arc<Mutex<HashMap<AccountId, watch::Sender<i64>>>>);

impl EventNews {
    fn follow(&self, account: AccountId) -> watch::Receiver<i64> {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followed.entry(account).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Events up to these numbers are committed.
    pub(crate) fn tell(&self, written: &[(AccountId, i64)]) {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (account, seq) in written {
            if let Some(news) = followed.get(account) {
                news.send_replace(*seq);
            }
        }
        followed.retain(|_, news| news.receiver_count() > 0);
    }
}

/// Text in which LIKE finds nothing but itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

impl Store {
    /// Writes events, all or none, in this order. Those of an account that is gone are left out. `again`: the commit of an earlier
    /// try may have succeeded; then nothing is written twice.
    ///
    /// # Errors
    /// When the database fails. After [`StoreError::Unconfirmed`] they have to be written `again`.
    pub async fn write_events(&self, events: &[AccountEvent], again: bool) -> Result<(), StoreError> {
        let mut transaction = self.base.write(WRITING, Lock::Nothing).await?;
        let Some(written) = append(&mut transaction, events, again).await? else {
            // An earlier try has succeeded, and nobody was told.
            drop(transaction);
            let accounts: BTreeSet<AccountId> = events.iter().map(|event| event.account).collect();
            for account in accounts {
                let last = self.event_bounds(account).await?.last;
                self.news.tell(&[(account, last)]);
            }
            return Ok(());
        };
        transaction.commit(WRITING).await?;
        self.news.tell(&written);
        Ok(())
    }

    /// Events of an account that come after this number, `limit` at the most, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_after(
        &self,
        account: AccountId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows: Vec<(i64, String)> = read!(self.base, "reading events", |on| sqlx::query_as(
            "SELECT seq, body FROM events WHERE account_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
        )
        .bind(account.0)
        .bind(after)
        .bind(at_most(limit))
        .fetch_all(on))?;
        Ok(rows.into_iter().map(|(seq, body)| StoredEvent { seq, body }).collect())
    }

    /// Events about one participant that happened within a time, after this number, `limit` at the most, oldest first. The ends of the time
    /// may be seconds off, as clocks are. No index leads to participants, since writing events has to be quick: what the log has of that time is
    /// looked through.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_of_participant(
        &self,
        account: AccountId,
        participant: &ParticipantId,
        within: Range<Timestamp>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let EventBounds { first, last } = self.event_bounds(account).await?;
        let since = self.first_event_at(account, first..last + 1, within.start).await?;
        let until = self.first_event_at(account, since..last + 1, within.end).await?;
        let rows: Vec<(i64, String)> = read!(self.base, "reading the events of a participant", |on| {
            sqlx::query_as(
                "SELECT seq, body FROM events WHERE account_id = $1 AND seq > $2 AND seq < $3 AND body LIKE $4 ESCAPE '\\'
                 ORDER BY seq LIMIT $5",
            )
            .bind(account.0)
            .bind(after.max(since - 1))
            .bind(until)
            .bind(format!("%\"participant_id\":\"{}\"%", escaped(participant.as_str())))
            .bind(at_most(limit))
            .fetch_all(on)
        })?;
        Ok(rows.into_iter().map(|(seq, body)| StoredEvent { seq, body }).collect())
    }

    /// When the first event of an account happened that is not before this time; `None`: none is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_event_at(
        &self,
        account: AccountId,
        at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let EventBounds { first, last } = self.event_bounds(account).await?;
        let seq = self.first_event_at(account, first..last + 1, at).await?;
        let found: Option<i64> = read!(self.base, "finding an event by its time", |on| sqlx::query_scalar(
            "SELECT at FROM events WHERE account_id = $1 AND seq >= $2 ORDER BY seq LIMIT 1"
        )
        .bind(account.0)
        .bind(seq)
        .fetch_optional(on))?;
        Ok(found.map(Timestamp))
    }

    /// The number of the first event that happened at this time or later; the end of `seqs` where none did. By halves: events are numbered in
    /// the order of time.
    async fn first_event_at(
        &self,
        account: AccountId,
        seqs: Range<i64>,
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        let Range { start: mut low, end: mut high } = seqs;
        while low < high {
            let middle = low + (high - low) / 2;
            let found: Option<i64> = read!(self.base, "finding an event by its time", |on| {
                sqlx::query_scalar(
                    "SELECT at FROM events WHERE account_id = $1 AND seq >= $2 ORDER BY seq LIMIT 1",
                )
                .bind(account.0)
                .bind(middle)
                .fetch_optional(on)
            })?;
            match found {
                // Those before may be deleted in this moment.
                Some(found) if found < at.0 => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Which events the log of an account holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn event_bounds(&self, account: AccountId) -> Result<EventBounds, StoreError> {
        let row: Option<(i64, Option<i64>)> =
            read!(self.base, "reading the event log", |on| sqlx::query_as(
                "SELECT last_seq, (SELECT min(seq) FROM events WHERE account_id = $1)
             FROM event_logs WHERE account_id = $1"
            )
            .bind(account.0)
            .fetch_optional(on))?;
        let (last, first) = row.unwrap_or_default();
        Ok(EventBounds { first: first.unwrap_or(last + 1), last })
    }

    /// Changes whenever this process has written events of an account: the number of the last one.
    #[must_use]
    pub fn event_news(&self, account: AccountId) -> watch::Receiver<i64> {
        self.news.follow(account)
    }

    /// What has begun by the logs and not ended, in the order in which it is to be closed; of reservations what their events told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ongoing(&self) -> Result<Vec<(AccountId, Ongoing, Option<ReservationData>)>, StoreError> {
        let rows: Vec<(i64, String, String, String, Option<String>)> = read!(
            self.base,
            "reading what was going on",
            |on| sqlx::query_as("SELECT account_id, conference, kind, id, data FROM ongoing").fetch_all(on)
        )?;
        let mut found = Vec::with_capacity(rows.len());
        for (account, conference, kind, id, data) in rows {
            let Some(kind) = OngoingKind::of_name(&kind) else { continue };
            let data = data.and_then(|data| serde_json::from_str(&data).ok());
            found.push((AccountId(account), Ongoing { kind, conference, id }, data));
        }
        found.sort_by(|(one, a, _), (other, b, _)| {
            (one, &a.conference, a.kind, &a.id).cmp(&(other, &b.conference, b.kind, &b.id))
        });
        Ok(found)
    }

    /// Deletes the oldest events of an account that are older than `before`, or beyond the last `rows`: `limit` at the most. How many
    /// it were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_events(
        &self,
        account: AccountId,
        before: Timestamp,
        rows: u64,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let doing = "deleting old events";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let delete = "DELETE FROM events WHERE account_id = $1
             AND seq IN (SELECT seq FROM events WHERE account_id = $1 ORDER BY seq LIMIT $4)
             AND (at < $2 OR seq <= (SELECT last_seq FROM event_logs WHERE account_id = $1) - $3)";
        let gone = execute!(
            transaction,
            doing,
            sqlx::query(delete)
                .bind(account.0)
                .bind(before.0)
                .bind(i64::try_from(rows).unwrap_or(i64::MAX))
                .bind(at_most(limit))
        )?;
        transaction.commit(doing).await?;
        Ok(gone)
    }

    /// The accounts that have events.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts_with_events(&self) -> Result<Vec<AccountId>, StoreError> {
        let ids: Vec<i64> = read!(self.base, "listing event logs", |on| sqlx::query_scalar(
            "SELECT account_id FROM event_logs ORDER BY account_id"
        )
        .fetch_all(on))?;
        Ok(ids.into_iter().map(AccountId).collect())
    }
}

/// Writes events inside a transaction: the last number of each account. `None`: an earlier try has written them.
pub(crate) async fn append(
    transaction: &mut Write,
    events: &[AccountEvent],
    again: bool,
) -> Result<Option<Vec<(AccountId, i64)>>, StoreError> {
    // By account: rows of logs are locked in one order by all who write.
    let mut by_account: BTreeMap<AccountId, Vec<&EventRecord>> = BTreeMap::new();
    for AccountEvent { account, event } in events {
        by_account.entry(*account).or_default().push(event);
    }
    let draw = "INSERT INTO event_logs (account_id, last_seq)
         SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = $1)
         ON CONFLICT (account_id) DO UPDATE SET last_seq = event_logs.last_seq + excluded.last_seq
         RETURNING last_seq";
    let (mut rows, mut written) = (Vec::with_capacity(events.len()), Vec::new());
    let mut ongoing = BTreeMap::new();
    for (account, records) in by_account {
        let drawn = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let last: Option<i64> = within!(transaction, WRITING, |on| sqlx::query_scalar(draw)
            .bind(account.0)
            .bind(drawn)
            .fetch_optional(on))?;
        let Some(last) = last else { continue };
        let records = as_booked(transaction, records).await?;
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let (first, last) = (last - drawn + 1, last - drawn + count);
        if count < drawn {
            let give_back = "UPDATE event_logs SET last_seq = $2 WHERE account_id = $1";
            execute!(transaction, WRITING, sqlx::query(give_back).bind(account.0).bind(last))?;
        }
        if again
            && let Some(record) = records.first()
            && is_written(transaction, account, record).await?
        {
            return Ok(None);
        }
        for (seq, record) in (first..).zip(&records) {
            let record = &**record;
            rows.push(
                json!({ "account": account.0, "seq": seq, "at": record.at.0, "body": text_of(record)? }),
            );
            let data = match &record.kind {
                EventKind::ReservationStarted(data) => serde_json::to_string(data).ok(),
                _ => None,
            };
            for (what, begins) in record.changes() {
                ongoing.insert((account, what), begins.then(|| data.clone()));
            }
        }
        written.push((account, last));
    }
    insert(transaction, rows).await?;
    change_ongoing(transaction, ongoing).await?;
    Ok(Some(written))
}

/// Bookings are written at once, and that a reservation has begun a moment later: behind a change of the reservation it says what holds
/// by now, and behind its removal nothing. Behind the lock of the account's log nothing comes in between.
async fn as_booked<'a>(
    transaction: &mut Write,
    records: Vec<&'a EventRecord>,
) -> Result<Vec<Cow<'a, EventRecord>>, StoreError> {
    let begun = |record: &&EventRecord| match &record.kind {
        EventKind::ReservationStarted(data) => Some(data.token.clone()),
        _ => None,
    };
    let tokens: Vec<_> = records.iter().filter_map(begun).collect();
    if tokens.is_empty() {
        return Ok(records.into_iter().map(Cow::Borrowed).collect());
    }
    let booked = current(transaction, &tokens).await?;
    let as_booked = records.into_iter().filter_map(|record| match &record.kind {
        EventKind::ReservationStarted(data) => {
            let now = booked.get(&data.token)?.clone();
            let kind = EventKind::ReservationStarted(now);
            Some(Cow::Owned(EventRecord { kind, ..record.clone() }))
        }
        _ => Some(Cow::Borrowed(record)),
    });
    Ok(as_booked.collect())
}

async fn insert(transaction: &mut Write, rows: Vec<Value>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = transaction.text(
        "INSERT INTO events (account_id, seq, at, body)
         SELECT value ->> 'account', value ->> 'seq', value ->> 'at', value ->> 'body' FROM json_each($1)",
        "INSERT INTO events (account_id, seq, at, body)
         SELECT account, seq, at, body
         FROM json_to_recordset($1::json) AS inserted (account BIGINT, seq BIGINT, at BIGINT, body TEXT)",
    );
    let rows = Value::Array(rows).to_string();
    execute!(transaction, WRITING, sqlx::query(statement).bind(rows)).map(drop)
}

/// `None`: it has ended.
async fn change_ongoing(
    transaction: &mut Write,
    changes: BTreeMap<(AccountId, Ongoing), Option<Option<String>>>,
) -> Result<(), StoreError> {
    let row = |account: AccountId, what: &Ongoing, data: Option<String>| {
        let Ongoing { conference, kind, id } = what;
        json!({
            "account": account.0,
            "conference": storable(conference),
            "kind": kind.name(),
            "id": storable(id),
            "data": data,
        })
    };
    let (mut begun, mut ended) = (Vec::new(), Vec::new());
    for ((account, what), change) in changes {
        match change {
            Some(data) => begun.push(row(account, &what, data)),
            None => ended.push(row(account, &what, None)),
        }
    }
    if !ended.is_empty() {
        let statement = transaction.text(
            "DELETE FROM ongoing WHERE (account_id, conference, kind, id) IN (
                 SELECT value ->> 'account', value ->> 'conference', value ->> 'kind', value ->> 'id'
                 FROM json_each($1))",
            "DELETE FROM ongoing USING json_to_recordset($1::json)
                 AS ended (account BIGINT, conference TEXT, kind TEXT, id TEXT)
             WHERE ongoing.account_id = ended.account AND ongoing.conference = ended.conference
                 AND ongoing.kind = ended.kind AND ongoing.id = ended.id",
        );
        execute!(transaction, WRITING, sqlx::query(statement).bind(Value::Array(ended).to_string()))?;
    }
    if !begun.is_empty() {
        let statement = transaction.text(
            "INSERT INTO ongoing (account_id, conference, kind, id, data)
             SELECT value ->> 'account', value ->> 'conference', value ->> 'kind', value ->> 'id', value ->> 'data'
             FROM json_each($1) WHERE true
             ON CONFLICT (account_id, conference, kind, id) DO UPDATE SET data = excluded.data",
            "INSERT INTO ongoing (account_id, conference, kind, id, data)
             SELECT account, conference, kind, id, data
             FROM json_to_recordset($1::json) AS begun (account BIGINT, conference TEXT, kind TEXT, id TEXT, data TEXT)
             ON CONFLICT (account_id, conference, kind, id) DO UPDATE SET data = excluded.data",
        );
        execute!(transaction, WRITING, sqlx::query(statement).bind(Value::Array(begun).to_string()))?;
    }
    Ok(())
}

/// An earlier try has written this event. Behind the lock of the account's log: an earlier try is over by now.
async fn is_written(
    transaction: &mut Write,
    account: AccountId,
    event: &EventRecord,
) -> Result<bool, StoreError> {
    let (select, text) = match &event.kind {
        // It was told of as it was by then, and may have been changed since.
        EventKind::ReservationStarted(data) => (
            "SELECT seq FROM events WHERE account_id = $1 AND at = $2 AND body LIKE $3 ESCAPE '\\' LIMIT 1",
            format!("%\"type\":\"{}\"%\"token\":\"{}\"%", event.kind.name(), escaped(data.token.as_str())),
        ),
        _ => (
            "SELECT seq FROM events WHERE account_id = $1 AND at = $2 AND body = $3 LIMIT 1",
            text_of(event)?,
        ),
    };
    let found: Option<i64> = within!(transaction, WRITING, |on| sqlx::query_scalar(select)
        .bind(account.0)
        .bind(event.at.0)
        .bind(&text)
        .fetch_optional(on))?;
    Ok(found.is_some())
}

pub(crate) fn text_of(event: &EventRecord) -> Result<String, StoreError> {
    let text = serde_json::to_string(event);
    text.map_err(|error| StoreError::Damaged {
        what: format!("an event of type {}: {error}", event.kind.name()),
    })
}
