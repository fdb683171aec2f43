//! Links by which a person's calendar reads the reservations of an account. Of the secret in a link only a hash is stored.

use crate::{
    PersonId, Store, StoreError,
    database::{execute, read},
    keys::{hash, random_text},
};
use plenary_model::{AccountId, Timestamp};

/// How old `last_used_at` may get before a use is written again.
const USED_RESOLUTION_MS: i64 = 3_600_000;

/// A person's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarFeed {
    /// Whose it is.
    pub person: PersonId,
    /// The account whose reservations it shows.
    pub account: AccountId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last read; accurate to an hour.
    pub last_used_at: Option<Timestamp>,
}

/// `person_id`, `account_id`, `created_at`, `last_used_at`
type Row = (i64, i64, i64, Option<i64>);

fn feed((person, account, created_at, last_used_at): Row) -> CalendarFeed {
    CalendarFeed {
        person: PersonId(person),
        account: AccountId(account),
        created_at: Timestamp(created_at),
        last_used_at: last_used_at.map(Timestamp),
    }
}

impl Store {
    /// Makes a person's link; an earlier one does not count any more. Returns the secret.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calendar_feed_new(
        &self,
        person: PersonId,
        account: AccountId,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let doing = "making the link of a calendar";
        let secret = random_text();
        let mut transaction = self.write(doing).await?;
        execute!(
            transaction,
            doing,
            sqlx::query(
                "INSERT INTO calendar_feeds (person_id, account_id, hash, created_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (person_id) DO UPDATE SET account_id = excluded.account_id, hash = excluded.hash,
                     created_at = excluded.created_at, last_used_at = NULL"
            )
            .bind(person.0)
            .bind(account.0)
            .bind(&hash(&secret)[..])
            .bind(now.0)
        )?;
        transaction.commit(doing).await?;
        Ok(secret)
    }

    /// A person's link.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calendar_feed(&self, person: PersonId) -> Result<Option<CalendarFeed>, StoreError> {
        let row: Option<Row> = read!(self.base, "reading the link of a calendar", |on| {
            sqlx::query_as(
            "SELECT person_id, account_id, created_at, last_used_at FROM calendar_feeds WHERE person_id = $1"
        )
        .bind(person.0)
        .fetch_optional(on)
        })?;
        Ok(row.map(feed))
    }

    /// Whose link a secret is of, if it counts: the person may still read the reservations of that account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_calendar_feed(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<CalendarFeed>, StoreError> {
        let given = hash(secret);
        let row: Option<Row> = read!(self.base, "reading the link of a calendar", |on| sqlx::query_as(
            "SELECT person_id, account_id, created_at, last_used_at FROM calendar_feeds WHERE hash = $1"
        )
        .bind(&given[..])
        .fetch_optional(on))?;
        let Some(found) = row.map(feed) else { return Ok(None) };
        let Some(person) = self.person(found.person).await?.filter(|person| !person.is_disabled) else {
            return Ok(None);
        };
        let account = self.account(found.account).await?;
        let is_open = account.is_some_and(|account| !account.settings.is_disabled);
        if !is_open || !person.is_operator && person.role_in(found.account).is_none() {
            return Ok(None);
        }
        let age = found.last_used_at.map_or(i64::MAX, |last| now.0.saturating_sub(last.0));
        if !(0..USED_RESOLUTION_MS).contains(&age) {
            let note = "UPDATE calendar_feeds SET last_used_at = $1 WHERE person_id = $2";
            self.note(note, now, found.person.0);
        }
        Ok(Some(found))
    }

    /// Ends a person's link. `false`: they have none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_calendar_feed(&self, person: PersonId) -> Result<bool, StoreError> {
        let doing = "ending the link of a calendar";
        let mut transaction = self.write(doing).await?;
        let delete = "DELETE FROM calendar_feeds WHERE person_id = $1";
        let ended = execute!(transaction, doing, sqlx::query(delete).bind(person.0))?;
        transaction.commit(doing).await?;
        Ok(ended == 1)
    }
}
