//! Where reservations are made, changed and removed: many that come at once in one transaction.
//!
//! A commit waits for the disk, however much it commits. So whoever comes while one is under way waits for the next one,
//! which takes all that have come meanwhile. Each is decided by itself, in the order of coming, and is answered when it is on
//! the disk.
//!
//! What is sold is kept in memory beside the number of the last change in the database, and read again where another
//! process has changed it: for the time that is asked about, not for all that is sold. Both are looked at inside the
//! transaction, behind its lock.

use super::{
    ReserveError, SETTLE_WITHIN,
    deciding::{Ledger, Names, Row},
    statements,
};
use crate::{
    StoreError,
    database::{Base, Write, postgres::Lock},
};
use plenary_conference::{Reservation, ReservationToken, Timestamp, calendar::SeatCalendar};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::{info, warn};

/// Orders that are carried out in one transaction.
const BATCH_MAX: usize = 256;
/// Orders that wait for their turn; who comes beyond that waits before they are taken in.
const WAITING_MAX: usize = 1024;
/// How often to try to take back what was answered with an error and may have been done.
const TAKE_BACK_EVERY: Duration = Duration::from_secs(1);
/// How far into the past the calendar in memory reaches at the most; as much of it is forgotten at once.
const MEMORY_MINUTES: u32 = 24 * 60;

pub(super) const DOING: &str = "selling seats";

/// Takes orders.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    orders: mpsc::Sender<Waiting>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Order {
    /// A reservation is to be made.
    Make {
        reservation: Reservation,
        names: Names,
        /// The time by which the name is judged.
        now: Timestamp,
        /// Seats that may be sold at any instant.
        capacity: u32,
    },
    /// One is to last so long in all, unless it does already.
    Extend { token: ReservationToken, duration_minutes: u32, capacity: u32 },
    /// One is to become this one.
    Change { reservation: Reservation, capacity: u32 },
    /// One is to go.
    Remove { token: ReservationToken },
}

impl Order {
    pub(super) fn token(&self) -> &ReservationToken {
        match self {
            Self::Make { reservation, .. } | Self::Change { reservation, .. } => &reservation.token,
            Self::Extend { token, .. } | Self::Remove { token } => token,
        }
    }

    /// Whose reservation has to be there.
    pub(super) fn is_about_one_that_is_there(&self) -> bool {
        match self {
            Self::Make { .. } => false,
            Self::Extend { .. } | Self::Change { .. } | Self::Remove { .. } => true,
        }
    }
}

/// An order, and who waits for it: whether there was something to do.
#[derive(Debug)]
struct Waiting {
    order: Order,
    reply: oneshot::Sender<Result<bool, ReserveError>>,
}

impl Counter {
    /// Opens the counter. It closes with its last clone.
    pub(crate) fn open(base: Base) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING_MAX);
        let desk = Desk { base, known: None, before: BTreeMap::new(), doubtful: Doubtful::default() };
        tokio::spawn(desk.serve(waiting));
        Self { orders }
    }

    pub(super) async fn carry_out(&self, order: Order) -> Result<bool, ReserveError> {
        let (reply, answer) = oneshot::channel();
        let closed = || StoreError::Unavailable { doing: DOING, source: sqlx::Error::PoolClosed };
        self.orders.send(Waiting { order, reply }).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// What is sold, as of one change of the database.
#[derive(Debug)]
struct Known {
    version: i64,
    /// The time that is known; outside of it nothing is.
    time: Range<Timestamp>,
    seats: SeatCalendar,
}

/// What was answered with an error and may have been done all the same.
#[derive(Debug, Default)]
struct Doubtful {
    made: Vec<ReservationToken>,
    /// As they were.
    changed: BTreeMap<ReservationToken, Row>,
}

impl Doubtful {
    fn is_empty(&self) -> bool {
        self.made.is_empty() && self.changed.is_empty()
    }
}

/// The one who serves.
struct Desk {
    base: Base,
    known: Option<Known>,
    /// What the last orders found of those that they were to change.
    before: BTreeMap<ReservationToken, Row>,
    doubtful: Doubtful,
}

impl Desk {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Waiting>) {
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
            let (orders, replies) = batch.drain(..).map(|waiting| (waiting.order, waiting.reply)).unzip();
            if let Some(error) = self.serve_batch(orders, replies).await {
                // Those who came meanwhile have waited as long as anybody should.
                while let Ok(late) = waiting.try_recv() {
                    let _ = late.reply.send(Err(error.again().into()));
                }
            }
        }
    }

    /// Carries the orders out and answers each. What comes back is why the database cannot be used.
    async fn serve_batch(
        &mut self,
        mut orders: Vec<Order>,
        mut replies: Vec<oneshot::Sender<Result<bool, ReserveError>>>,
    ) -> Option<StoreError> {
        let outcome = match self.attempt(&orders, false).await {
            Err(unconfirmed @ StoreError::Unconfirmed { .. }) => {
                // Whether it was done is seen by the tokens, which were drawn before.
                match timeout(SETTLE_WITHIN, self.attempt(&orders, true)).await {
                    Ok(Ok(decided)) => Ok(decided),
                    Ok(Err(_)) | Err(_) => {
                        self.doubt(&orders);
                        Err(unconfirmed)
                    }
                }
            }
            outcome => outcome,
        };
        match outcome {
            Ok(decided) => {
                for (reply, decided) in replies.into_iter().zip(decided) {
                    let _ = reply.send(decided);
                }
                None
            }
            // One of them does not fit: the others must not suffer from it.
            Err(error) if !error.is_unavailable() && orders.len() > 1 => {
                while let (Some(order), Some(reply)) = (orders.pop(), replies.pop()) {
                    if let Some(error) = Box::pin(self.serve_batch(vec![order], vec![reply])).await {
                        for reply in replies {
                            let _ = reply.send(Err(error.again().into()));
                        }
                        return Some(error);
                    }
                }
                None
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.again().into()));
                }
                error.is_unavailable().then_some(error)
            }
        }
    }

    /// Nobody knows whether these were carried out. They are answered with an error, so they are to be undone.
    fn doubt(&mut self, orders: &[Order]) {
        self.known = None;
        let before = std::mem::take(&mut self.before);
        for order in orders {
            match order {
                Order::Make { reservation, .. } => self.doubtful.made.push(reservation.token.clone()),
                Order::Extend { token, .. }
                | Order::Change { reservation: Reservation { token, .. }, .. } => {
                    if let Some(row) = before.get(token) {
                        self.doubtful.changed.entry(token.clone()).or_insert_with(|| row.clone());
                    }
                }
                // Whoever asks for it again finds it done.
                Order::Remove { .. } => {}
            }
        }
        warn!(orders = orders.len(), "the database did not say whether seats were sold; that is taken back");
    }

    /// One transaction: all that can be done is done. `again`: some of it may be done already.
    async fn attempt(
        &mut self,
        orders: &[Order],
        again: bool,
    ) -> Result<Vec<Result<bool, ReserveError>>, StoreError> {
        let mut transaction = self.base.write(DOING, Lock::Sales).await?;
        // Until it is known what is in the database, nothing is.
        let known = self.known.take();
        let is_taken_back = !self.doubtful.is_empty();
        if is_taken_back {
            statements::delete(&mut transaction, &self.doubtful.made).await?;
            statements::update(&mut transaction, &self.doubtful.changed).await?;
        }
        if orders.is_empty() {
            transaction.commit(DOING).await?;
            info!("what was answered with an error is taken back");
            self.doubtful = Doubtful::default();
            return Ok(Vec::new());
        }

        let rows = statements::rows(&mut transaction, orders).await?;
        if !again {
            self.before.clone_from(&rows);
        }
        let (version, held) = statements::look(&mut transaction, orders, &rows).await?;
        let mut known = up_to_date(&mut transaction, known, version, orders, &rows).await?;
        let made = match again {
            true => statements::tokens_made(&mut transaction, orders).await?,
            false => BTreeSet::new(),
        };
        let mut ledger = Ledger::new(&mut known.seats, rows, held);
        let decided = orders.iter().map(|order| ledger.decide(order, made.contains(order.token()), again));
        let decided: Vec<_> = decided.collect();
        let written = ledger.written();
        let statements = statements::write(&mut transaction, &written).await?;
        if statements > 0 {
            known.version = match &transaction {
                // A trigger counts rows; asking costs next to nothing.
                Write::Sqlite(_) => statements::version(&mut transaction).await?,
                // A trigger counts statements.
                Write::Postgres(..) => version + statements,
            };
        }
        if statements > 0 || is_taken_back {
            transaction.commit(DOING).await?;
            self.doubtful = Doubtful::default();
        }
        self.known = Some(known);
        Ok(decided)
    }
}

/// What is sold in the time that the orders are about, as it is behind the lock.
async fn up_to_date(
    transaction: &mut Write,
    known: Option<Known>,
    version: i64,
    orders: &[Order],
    rows: &BTreeMap<ReservationToken, Row>,
) -> Result<Known, StoreError> {
    let (mut from, mut to) = (None::<Timestamp>, None::<Timestamp>);
    let mut now = None::<Timestamp>;
    for order in orders {
        let after = match order {
            Order::Make { reservation, now: at, .. } => {
                now = Some(now.map_or(*at, |now| now.min(*at)));
                Some(reservation.starts_at..reservation.ends_at())
            }
            Order::Change { reservation, .. } => Some(reservation.starts_at..reservation.ends_at()),
            Order::Extend { token, duration_minutes, .. } => {
                rows.get(token).map(|row| row.starts_at..row.starts_at.plus_minutes(*duration_minutes))
            }
            Order::Remove { .. } => None,
        };
        let before = rows.get(order.token()).map(|row| row.starts_at..row.ends_at());
        for time in [before, after].into_iter().flatten() {
            from = Some(from.map_or(time.start, |from| from.min(time.start)));
            to = Some(to.map_or(time.end, |to| to.max(time.end)));
        }
    }
    let (Some(from), Some(to)) = (from, to) else {
        // Of nothing that there is; then nothing is asked of it.
        let nothing = Timestamp(0)..Timestamp(0);
        let known = known.filter(|known| known.version == version);
        return Ok(known.unwrap_or(Known { version, time: nothing, seats: SeatCalendar::default() }));
    };
    let Some(mut known) = known.filter(|known| known.version == version && !known.time.is_empty()) else {
        let mut seats = SeatCalendar::default();
        statements::read_sold(transaction, from..to, &mut seats).await?;
        return Ok(Known { version, time: from..to, seats });
    };
    if from < known.time.start {
        statements::read_sold(transaction, from..known.time.start, &mut known.seats).await?;
        known.time.start = from;
    }
    if to > known.time.end {
        // Twice as far as before, so that those who come for later and later do not each ask for a little more.
        let further = known.time.end.0.saturating_sub(known.time.start.0).saturating_add(known.time.end.0);
        let to = to.max(Timestamp(further));
        statements::read_sold(transaction, known.time.end..to, &mut known.seats).await?;
        known.time.end = to;
    }
    // Not at every sale: it costs as much as the calendar is long.
    let past = now.map(|now| now.minus_minutes(MEMORY_MINUTES)).filter(|past| *past <= from);
    if let Some(past) = past.filter(|past| known.time.start < past.minus_minutes(MEMORY_MINUTES)) {
        known.seats.forget_before(past);
        known.time.start = past;
    }
    Ok(known)
}
