//! Mails to the guests of reservations: written in the transaction of the booking that they tell of, and sent until they are taken
//! or given up, across restarts.
//!
//! ```text
//! waiting ──taken by a process for a while──▶ sent
//!    ▲  └──not taken──▶ waits longer ──too often──▶ failed
//!    └── the process died: it is due again
//! ```
//!
//! A PIN that who invites gave is in the row of a mail until that is sent or given up, and in no other one.
//!
//! A mail that was sent, and whose sender died before that was written down, is sent again: twice rather than never.

use super::{
    ledger::LedgerChanges,
    request::{Booking, StoredReservation},
    series,
    statements::DOING,
};
use crate::{
    Store, StoreError,
    database::{Write, execute, now, postgres::Lock, read, within},
    named::at_most,
};
use plenary_conference::{Reservation, ReservationToken, Timestamp};
use plenary_model::{AccountId, Guest, MailKind, MailState, Pin, login_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Mails are kept so long.
pub const MAIL_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// Dates of a series that are booked, changed or removed together share a mail if they come within so long.
const GATHERED_MS: i64 = 5_000;
/// How long a process has for one that it has taken.
const TAKEN_MS: i64 = 300_000;

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailContent {
    /// A reservation, as it was or is, with this guest alone.
    Reservation(Box<Reservation>),
    /// All dates of a series, as they are when the mail is sent.
    Series(i64),
}

/// A mail that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its number.
    pub id: i64,
    /// Whose reservation it is.
    pub account: AccountId,
    /// What it says.
    pub kind: MailKind,
    /// The guest that it is sent to.
    pub guest: Guest,
    /// About what.
    pub content: MailContent,
    /// The PIN that it names.
    pub pin: Option<Pin>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
    /// Since when it is due; that it still is shows that nobody else has taken it.
    pub next_at: Timestamp,
}

/// What has become of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRecord {
    /// Its number.
    pub id: i64,
    /// The address that it goes to.
    pub to: String,
    /// What it says.
    pub kind: MailKind,
    /// How far it is.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

/// What is stored of the content.
#[derive(Serialize, Deserialize)]
struct Body {
    guest: Guest,
    content: MailContent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
}

/// Under which name mails of a whole series are found; no token looks like it.
fn series_name(series: i64) -> String {
    format!("series:{series}")
}

/// Writes the mails that tell of these changes, which were made by these requests.
pub(super) async fn queue(
    transaction: &mut Write,
    changes: &LedgerChanges<'_>,
    before: &BTreeMap<ReservationToken, StoredReservation>,
    requests: &[Booking],
) -> Result<(), StoreError> {
    let at = now();
    let pins = requests.iter().filter_map(|one| Some((one.request.token(), one.doing.pin.as_ref()?)));
    let pins: BTreeMap<&ReservationToken, &Pin> = pins.collect();
    let made = changes.made.iter().map(|(token, stored)| (*token, stored));
    for (token, stored) in made.chain(&changes.restored) {
        for guest in &stored.guests {
            write(transaction, token, stored, MailKind::Invitation, guest, pins.get(token).copied(), at)
                .await?;
        }
    }
    for (token, stored) in &changes.changed {
        let Some(before) = before.get(token) else { continue };
        // Of what is over nobody is told any more.
        if stored.ends_at() <= at {
            continue;
        }
        let among = |guests: &[Guest], one: &Guest| {
            guests.iter().any(|other| login_of(&other.mail) == login_of(&one.mail))
        };
        for guest in &stored.guests {
            let kind = match among(&before.guests, guest) {
                true => MailKind::Update,
                false => MailKind::Invitation,
            };
            if kind == MailKind::Update && is_same_to_guests(before, stored) {
                continue;
            }
            write(transaction, token, stored, kind, guest, pins.get(token).copied(), at).await?;
        }
        for guest in before.guests.iter().filter(|guest| !among(&stored.guests, guest)) {
            write(transaction, token, stored, MailKind::Cancellation, guest, None, at).await?;
        }
    }
    for token in &changes.removed {
        // What has begun took place.
        let Some(stored) = before.get(token).filter(|stored| stored.starts_at > at) else { continue };
        let last = StoredReservation { sequence: stored.sequence.saturating_add(1), ..stored.clone() };
        for guest in &stored.guests {
            write(transaction, token, &last, MailKind::Cancellation, guest, None, at).await?;
        }
    }
    Ok(())
}

/// Nothing has changed that guests are told.
fn is_same_to_guests(before: &StoredReservation, after: &StoredReservation) -> bool {
    before.starts_at == after.starts_at
        && before.duration_minutes == after.duration_minutes
        && before.title == after.title
}

async fn write(
    transaction: &mut Write,
    token: &ReservationToken,
    stored: &StoredReservation,
    kind: MailKind,
    guest: &Guest,
    pin: Option<&Pin>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (name, content, next_at) = match stored.series {
        Some(date) if kind == MailKind::Invitation => {
            (series_name(date.series), MailContent::Series(date.series), at.0.saturating_add(GATHERED_MS))
        }
        date => {
            let guests = vec![guest.clone()];
            // Calendars compare the version of a date with that of its series.
            let of_series = match date {
                Some(date) => series::sequence(transaction, date.series).await?,
                None => None,
            };
            let sequence = of_series.unwrap_or(stored.sequence);
            let stored = StoredReservation { guests, sequence, ..stored.clone() };
            let reservation = stored.into_reservation(token.clone());
            let wait = date.map_or(0, |_| GATHERED_MS);
            let content = MailContent::Reservation(Box::new(reservation));
            (token.as_str().to_owned(), content, at.0.saturating_add(wait))
        }
    };
    let pin = pin.map(|pin| pin.digits().to_owned());
    let body = written(&Body { guest: guest.clone(), content, pin });
    // The dates of a series that are booked one after the other are told together.
    let insert =
        "INSERT INTO mails (account_id, reservation, recipient, kind, body, state, attempts, created_at, next_at)
         SELECT $1, $2, $3, $4, $5, 'waiting', 0, $6, $7 WHERE $8 OR NOT EXISTS
             (SELECT 1 FROM mails WHERE account_id = $1 AND reservation = $2 AND recipient = $3 AND kind = $4
                  AND state = 'waiting' AND attempts = 0)";
    let is_of_one = !name.starts_with("series:");
    execute!(
        transaction,
        DOING,
        sqlx::query(insert)
            .bind(stored.account)
            .bind(&name)
            .bind(&guest.mail)
            .bind(kind.name())
            .bind(&body)
            .bind(at.0)
            .bind(next_at)
            .bind(is_of_one)
    )
    .map(drop)
}

fn written(body: &Body) -> String {
    serde_json::to_string(body).expect("plain data becomes JSON")
}

fn read_body(id: i64, body: &str) -> Result<Body, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Damaged { what: format!("mail {id}: {error}") })
}

/// The mail is sent or given up: nobody needs the PIN any more.
async fn forget_pin(transaction: &mut Write, doing: &'static str, mail: i64) -> Result<(), StoreError> {
    let body: Option<String> =
        within!(transaction, doing, |on| sqlx::query_scalar("SELECT body FROM mails WHERE id = $1")
            .bind(mail)
            .fetch_optional(on))?;
    let Some(body) = body.map(|body| read_body(mail, &body)).transpose()? else { return Ok(()) };
    if body.pin.is_none() {
        return Ok(());
    }
    let body = written(&Body { pin: None, ..body });
    let update = "UPDATE mails SET body = $2 WHERE id = $1";
    execute!(transaction, doing, sqlx::query(update).bind(mail).bind(&body)).map(drop)
}

/// id, `account_id`, kind, body, attempts, `created_at`, `next_at`
type DueRow = (i64, i64, String, String, i64, i64, i64);
/// id, recipient, kind, state, attempts, error, `created_at`, `next_at`, `sent_at`
type RecordRow = (i64, String, String, String, i64, Option<String>, i64, Option<i64>, Option<i64>);

fn kind(id: i64, name: &str) -> Result<MailKind, StoreError> {
    let found = MailKind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| StoreError::Damaged { what: format!("mail {id}: its kind is `{name}`") })
}

impl Store {
    /// Mails that are due, the longest due first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_mails(&self, now: Timestamp, limit: usize) -> Result<Vec<QueuedMail>, StoreError> {
        let rows: Vec<DueRow> = read!(self.base, "looking for mails to send", |on| sqlx::query_as(
            "SELECT id, account_id, kind, body, attempts, created_at, next_at FROM mails
             WHERE next_at IS NOT NULL AND next_at <= $1 ORDER BY next_at, id LIMIT $2"
        )
        .bind(now.0)
        .bind(at_most(limit))
        .fetch_all(on))?;
        let mail = |(id, account, name, body, attempts, created_at, next_at): DueRow| {
            let Body { guest, content, pin } = read_body(id, &body)?;
            Ok(QueuedMail {
                id,
                account: AccountId(account),
                kind: kind(id, &name)?,
                guest,
                content,
                pin: pin.and_then(|pin| Pin::new(&pin)),
                attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                created_at: Timestamp(created_at),
                next_at: Timestamp(next_at),
            })
        };
        rows.into_iter().map(mail).collect()
    }

    /// Takes a mail to send it: nobody else does for a while. `false`: another process has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_mail(&self, mail: &QueuedMail, now: Timestamp) -> Result<bool, StoreError> {
        let doing = "taking a mail";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let take = "UPDATE mails SET next_at = $3, attempts = attempts + 1 WHERE id = $1 AND next_at = $2";
        let taken = execute!(
            transaction,
            doing,
            sqlx::query(take).bind(mail.id).bind(mail.next_at.0).bind(now.0.saturating_add(TAKEN_MS))
        )?;
        transaction.commit(doing).await?;
        Ok(taken == 1)
    }

    /// Writes down what has become of mails: they were sent (`Ok`), or not, and are tried again then or given up (`None`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_tried(
        &self,
        mails: &[i64],
        outcome: Result<(), (&str, Option<Timestamp>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let doing = "writing down what has become of a mail";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let (state, error, next_at, sent_at) = match outcome {
            Ok(()) => (MailState::Sent, None, None, Some(now.0)),
            Err((error, Some(next))) => (MailState::Waiting, Some(error), Some(next.0), None),
            Err((error, None)) => (MailState::Failed, Some(error), None, None),
        };
        for mail in mails {
            let update = "UPDATE mails SET state = $2, error = $3, next_at = $4, sent_at = $5 WHERE id = $1";
            execute!(
                transaction,
                doing,
                sqlx::query(update)
                    .bind(*mail)
                    .bind(state.name())
                    .bind(error.map(crate::database::storable))
                    .bind(next_at)
                    .bind(sent_at)
            )?;
            if next_at.is_none() {
                forget_pin(&mut transaction, doing, *mail).await?;
            }
        }
        transaction.commit(doing).await
    }

    /// What has become of the mails of a reservation, and of the series that it is a date of, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_after(
        &self,
        account: AccountId,
        of: &ReservationToken,
        series: Option<i64>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<MailRecord>, StoreError> {
        let rows: Vec<RecordRow> = read!(self.base, "listing mails", |on| sqlx::query_as(
            "SELECT id, recipient, kind, state, attempts, error, created_at, next_at, sent_at FROM mails
             WHERE account_id = $1 AND reservation IN ($2, $3) AND id > $4 ORDER BY id LIMIT $5"
        )
        .bind(account.0)
        .bind(of.as_str())
        .bind(series.map_or_else(|| of.as_str().to_owned(), series_name))
        .bind(after.unwrap_or(i64::MIN))
        .bind(at_most(limit))
        .fetch_all(on))?;
        let record = |(id, to, name, state, attempts, error, created_at, next_at, sent_at): RecordRow| {
            let found = MailState::ALL.into_iter().find(|known| known.name() == state);
            Ok(MailRecord {
                id,
                to,
                kind: kind(id, &name)?,
                state: found
                    .ok_or_else(|| StoreError::Damaged { what: format!("mail {id}: state {state}") })?,
                attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                error,
                created_at: Timestamp(created_at),
                next_at: next_at.map(Timestamp),
                sent_at: sent_at.map(Timestamp),
            })
        };
        rows.into_iter().map(record).collect()
    }

    /// Deletes mails that were written before a time, at most `limit` of them; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_mails(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting old mails";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let delete =
            "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE created_at < $1 ORDER BY id LIMIT $2)";
        let gone = execute!(transaction, doing, sqlx::query(delete).bind(before.0).bind(at_most(limit)))?;
        transaction.commit(doing).await?;
        Ok(gone)
    }
}
