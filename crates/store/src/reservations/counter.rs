//! Where reservations are made: many that come at once in one transaction.
//!
//! A commit waits for the disk, however much it commits. So whoever comes while one is under way waits for the next one,
//! which takes all that have come meanwhile. Each is decided by itself, in the order of coming, and is answered when it is on
//! the disk.
//!
//! What is sold is kept in memory beside the number of the last change in the database, and read again where another
//! process has changed it. Both are looked at inside the transaction, behind its lock.

use super::{ReserveError, SETTLE_WITHIN, enough_seats};
use crate::{
    StoreError,
    database::{Base, Write, execute, list, postgres::Lock, within},
};
use plenary_conference::{Reservation, ReservationToken, ServiceName, Timestamp, calendar::SeatCalendar};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::{info, warn};

/// Reservations made in one transaction.
const BATCH_MAX: usize = 256;
/// Reservations that wait for their turn; who comes beyond that waits before they are taken in.
const WAITING_MAX: usize = 1024;
/// How often to try to take back what was answered with an error and may have been made.
const TAKE_BACK_EVERY: Duration = Duration::from_secs(1);
/// How far behind the first start the calendar in memory reaches.
const MEMORY_MINUTES: u32 = 24 * 60;

const DOING: &str = "making a reservation";

/// Takes orders.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    orders: mpsc::Sender<Order>,
}

/// A reservation to be made.
#[derive(Debug)]
struct Order {
    reservation: Reservation,
    /// Seats that may be sold at any instant.
    capacity: u32,
    /// Whose time ended before does not hold its name any more.
    names_free_before: Timestamp,
    now: Timestamp,
    reply: oneshot::Sender<Result<(), ReserveError>>,
}

impl Counter {
    /// Opens the counter. It closes with its last clone.
    pub(crate) fn open(base: Base) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(Desk { base, calendar: None, doubtful: Vec::new() }.serve(waiting));
        Self { orders }
    }

    pub(super) async fn reserve(
        &self,
        reservation: &Reservation,
        capacity: u32,
        completed_minutes: u32,
        now: Timestamp,
    ) -> Result<(), ReserveError> {
        let (reply, answer) = oneshot::channel();
        let order = Order {
            reservation: reservation.clone(),
            capacity,
            names_free_before: now.minus_minutes(completed_minutes),
            now,
            reply,
        };
        let closed = || StoreError::Unavailable { doing: DOING, source: sqlx::Error::PoolClosed };
        self.orders.send(order).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// What is sold, as of one change of the database.
#[derive(Debug)]
struct Known {
    version: i64,
    /// Everything that ends later is in it.
    from: Timestamp,
    seats: SeatCalendar,
}

/// The one who serves.
struct Desk {
    base: Base,
    calendar: Option<Known>,
    /// Reservations that were answered with an error and may have been made all the same.
    doubtful: Vec<ReservationToken>,
}

impl Desk {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Order>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let next = waiting.recv_many(&mut batch, BATCH_MAX);
            if self.doubtful.is_empty() {
                if next.await == 0 {
                    return;
                }
            } else {
                match timeout(TAKE_BACK_EVERY, next).await {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(_) => {
                        // Nobody comes: then only this.
                        let _ = self.attempt(&[], false).await;
                        continue;
                    }
                }
            }
            let orders = std::mem::take(&mut batch);
            if let Some(error) = self.sell(orders).await {
                // Those who came meanwhile have waited as long as anybody should.
                while let Ok(order) = waiting.try_recv() {
                    let _ = order.reply.send(Err(error.again().into()));
                }
            }
        }
    }

    /// Makes the reservations and answers each. What comes back is why the database cannot be used.
    async fn sell(&mut self, orders: Vec<Order>) -> Option<StoreError> {
        let outcome = match self.attempt(&orders, false).await {
            Err(unconfirmed @ StoreError::Unconfirmed { .. }) => {
                // Whether it was done is seen by the tokens, which were drawn before.
                match timeout(SETTLE_WITHIN, self.attempt(&orders, true)).await {
                    Ok(Ok(decided)) => Ok(decided),
                    Ok(Err(_)) | Err(_) => {
                        self.calendar = None;
                        let tokens = orders.iter().map(|order| order.reservation.token.clone());
                        self.doubtful.extend(tokens);
                        warn!(
                            reservations = orders.len(),
                            "the database did not say whether reservations were made; they are taken back"
                        );
                        Err(unconfirmed)
                    }
                }
            }
            outcome => outcome,
        };
        match outcome {
            Ok(decided) => {
                for (order, decided) in orders.into_iter().zip(decided) {
                    let _ = order.reply.send(decided);
                }
                None
            }
            Err(error) if error.is_unavailable() => {
                for order in orders {
                    let _ = order.reply.send(Err(error.again().into()));
                }
                Some(error)
            }
            // One of them does not fit: the others must not suffer from it.
            Err(_) if orders.len() > 1 => {
                for order in orders {
                    if let Some(error) = Box::pin(self.sell(vec![order])).await {
                        return Some(error);
                    }
                }
                None
            }
            Err(error) => {
                for order in orders {
                    let _ = order.reply.send(Err(error.again().into()));
                }
                None
            }
        }
    }

    /// One transaction: all that can be made is made. `again`: some of it may be there already.
    async fn attempt(
        &mut self,
        orders: &[Order],
        again: bool,
    ) -> Result<Vec<Result<(), ReserveError>>, StoreError> {
        let mut transaction = self.base.write(DOING, Lock::Sales).await?;
        // Until it is known what is in the database, nothing is.
        let known = self.calendar.take();
        let taken_back = match self.doubtful.is_empty() {
            true => false,
            false => {
                take_back(&mut transaction, &self.doubtful).await?;
                true
            }
        };
        if orders.is_empty() {
            transaction.commit(DOING).await?;
            info!("reservations that were answered with an error are taken back");
            self.doubtful.clear();
            return Ok(Vec::new());
        }

        let mut known = up_to_date(&mut transaction, known, orders).await?;
        let mut names = names_held(&mut transaction, orders).await?;
        let made = if again { tokens_made(&mut transaction, orders).await? } else { BTreeSet::new() };
        let mut decided = Vec::with_capacity(orders.len());
        let mut sold = Vec::new();
        for order in orders {
            let decision = if made.contains(order.reservation.token.as_str()) {
                Ok(())
            } else {
                let decision = decide(order, &mut known.seats, &mut names);
                if decision.is_ok() {
                    sold.push(order);
                }
                decision
            };
            decided.push(decision);
        }
        if !sold.is_empty() {
            insert(&mut transaction, &sold).await?;
            known.version = version(&mut transaction).await?;
        }
        if !sold.is_empty() || taken_back {
            transaction.commit(DOING).await?;
            self.doubtful.clear();
        }
        self.calendar = Some(known);
        Ok(decided)
    }
}

/// Who holds which name until when: account and name.
type Names = BTreeMap<(i64, String), Timestamp>;

/// The rules of a sale: the name is free, and enough seats are over the whole of the time. What is sold is taken.
fn decide(order: &Order, seats: &mut SeatCalendar, names: &mut Names) -> Result<(), ReserveError> {
    let reservation = &order.reservation;
    let (starts_at, ends_at) = (reservation.starts_at, reservation.ends_at());
    let name = (reservation.account.0, reservation.name.as_str().to_owned());
    if names.get(&name).is_some_and(|held_until| *held_until > order.names_free_before) {
        return Err(ReserveError::NameTaken);
    }
    enough_seats(reservation.max_participants, seats.peak(starts_at, ends_at), order.capacity)?;
    seats.book(starts_at, ends_at, u64::from(reservation.max_participants));
    let held_until = names.entry(name).or_insert(ends_at);
    *held_until = ends_at.max(*held_until);
    Ok(())
}

async fn version(transaction: &mut Write) -> Result<i64, StoreError> {
    within!(transaction, DOING, |on| sqlx::query_scalar("SELECT version FROM calendar").fetch_one(on))
}

/// What is sold, as it is behind the lock.
async fn up_to_date(
    transaction: &mut Write,
    known: Option<Known>,
    orders: &[Order],
) -> Result<Known, StoreError> {
    let version = version(transaction).await?;
    let first = orders.iter().map(|order| order.reservation.starts_at).min().unwrap_or(Timestamp(0));
    if let Some(mut known) = known.filter(|known| known.version == version && known.from <= first) {
        let from = first.minus_minutes(MEMORY_MINUTES);
        // Not at every sale: it costs as much as the calendar is long.
        if known.from < from.minus_minutes(MEMORY_MINUTES) {
            known.seats.forget_before(from);
            known.from = from;
        }
        return Ok(known);
    }
    let from = first.minus_minutes(MEMORY_MINUTES);
    let rows: Vec<(i64, i64, i64)> = within!(transaction, DOING, |on| sqlx::query_as(
        "SELECT starts_at, ends_at, CAST(sum(max_participants) AS BIGINT) FROM reservations
         WHERE ends_at > $1 GROUP BY starts_at, ends_at"
    )
    .bind(from.0)
    .fetch_all(on))?;
    let mut seats = SeatCalendar::default();
    for (starts_at, ends_at, sold) in rows {
        seats.book(Timestamp(starts_at), Timestamp(ends_at), u64::try_from(sold).unwrap_or(0));
    }
    Ok(Known { version, from, seats })
}

/// Which of the names that are asked for somebody holds, and until when.
async fn names_held(transaction: &mut Write, orders: &[Order]) -> Result<Names, StoreError> {
    let statement = transaction.text(
        "SELECT name, max(ends_at) FROM reservations WHERE account_id = $1 AND ends_at > $2
         AND name IN (SELECT value FROM json_each($3)) GROUP BY name",
        "SELECT name, max(ends_at) FROM reservations WHERE account_id = $1 AND ends_at > $2
         AND name = ANY (ARRAY (SELECT json_array_elements_text($3::json))) GROUP BY name",
    );
    let mut of_accounts: BTreeMap<i64, Vec<&Order>> = BTreeMap::new();
    for order in orders {
        of_accounts.entry(order.reservation.account.0).or_default().push(order);
    }
    let mut held = Names::new();
    for (account, orders) in of_accounts {
        let names = list(orders.iter().map(|order| order.reservation.name.as_str()));
        let since = orders.iter().map(|order| order.names_free_before.0).min().unwrap_or(0);
        let rows: Vec<(String, i64)> = within!(transaction, DOING, |on| sqlx::query_as(statement)
            .bind(account)
            .bind(since)
            .bind(&names)
            .fetch_all(on))?;
        held.extend(rows.into_iter().map(|(name, until)| ((account, name), Timestamp(until))));
    }
    Ok(held)
}

/// Which of the reservations are there already.
async fn tokens_made(transaction: &mut Write, orders: &[Order]) -> Result<BTreeSet<String>, StoreError> {
    let statement = transaction.text(
        "SELECT token FROM reservations WHERE token IN (SELECT value FROM json_each($1))",
        "SELECT token FROM reservations WHERE token = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
    );
    let tokens = list(orders.iter().map(|order| order.reservation.token.as_str()));
    let rows: Vec<String> =
        within!(transaction, DOING, |on| sqlx::query_scalar(statement).bind(&tokens).fetch_all(on))?;
    Ok(rows.into_iter().collect())
}

async fn take_back(transaction: &mut Write, tokens: &[ReservationToken]) -> Result<(), StoreError> {
    let statement = transaction.text(
        "DELETE FROM reservations WHERE token IN (SELECT value FROM json_each($1))",
        "DELETE FROM reservations WHERE token = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
    );
    let tokens = list(tokens.iter().map(ReservationToken::as_str));
    execute!(transaction, DOING, sqlx::query(statement).bind(&tokens)).map(drop)
}

async fn insert(transaction: &mut Write, sold: &[&Order]) -> Result<(), StoreError> {
    let statement = transaction.text(
        "INSERT INTO reservations
             (token, account_id, name, max_participants, starts_at, duration_minutes, divert, created_at)
         SELECT value ->> 'token', value ->> 'account_id', value ->> 'name', value ->> 'max_participants',
             value ->> 'starts_at', value ->> 'duration_minutes', value ->> 'divert', value ->> 'created_at'
         FROM json_each($1)",
        "INSERT INTO reservations
             (token, account_id, name, max_participants, starts_at, duration_minutes, divert, created_at)
         SELECT * FROM json_to_recordset($1::json) AS sold (token TEXT, account_id BIGINT, name TEXT,
             max_participants BIGINT, starts_at BIGINT, duration_minutes BIGINT, divert TEXT, created_at BIGINT)",
    );
    let row = |order: &&Order| {
        let reservation = &order.reservation;
        json!({
            "token": reservation.token.as_str(),
            "account_id": reservation.account.0,
            "name": reservation.name.as_str(),
            "max_participants": reservation.max_participants,
            "starts_at": reservation.starts_at.0,
            "duration_minutes": reservation.duration_minutes,
            "divert": reservation.divert.as_ref().map(ServiceName::as_str),
            "created_at": order.now.0,
        })
    };
    let rows = sold.iter().map(row).collect::<serde_json::Value>().to_string();
    execute!(transaction, DOING, sqlx::query(statement).bind(&rows)).map(drop)
}
