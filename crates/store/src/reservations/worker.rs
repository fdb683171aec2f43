//! The queue of bookings: reservations are made, changed and removed by one worker, many in one transaction.
//!
//! A commit waits for the disk, however much it holds. Requests that arrive during a commit therefore share the next
//! transaction. Each is decided by itself, in the order of arrival, and is answered once it is on the disk.
//!
//! The worker caches the booked seats together with the version of the calendar in the database, and reads them again
//! when another process has changed it: for the time that the requests are about, not for the whole future. Both are
//! compared inside the transaction, behind its lock.
//!
//! ```text
//! commit ─▶ answered: replies
//!    └──▶ no answer ─▶ attempted once more ─▶ replies
//!                          └──▶ no answer ─▶ error replies; what may have been done is undone as soon as possible
//! ```

use super::{
    ledger::Ledger,
    mails,
    request::{Booking, BookingRequest, ReserveError, StoredReservation},
    series,
    statements::{self, DOING},
    told,
};
use crate::{
    StoreError,
    audit::Doing,
    database::{Base, Write, postgres::Lock},
    events::{EventNews, append},
};
use plenary_conference::{ReservationToken, Timestamp, calendar::SeatCalendar};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::{error, info, warn};

/// Requests in one transaction.
const BATCH_MAX: usize = 256;
/// Requests in the queue; further callers wait until there is room.
const QUEUE_MAX: usize = 1024;
/// How long to look for the outcome of a commit that was not answered.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an idle worker tries to undo changes whose commit stayed unconfirmed.
const UNDO_INTERVAL: Duration = Duration::from_secs(1);
/// How far the cache reaches into the past; it is trimmed in pieces of the same length.
const CACHE_PAST_MINUTES: u32 = 24 * 60;

/// Accepts requests for the worker.
#[derive(Debug, Clone)]
pub(crate) struct BookingQueue {
    requests: mpsc::Sender<QueuedRequest>,
}

/// A request with its reply channel. The reply says whether anything changed.
#[derive(Debug)]
struct QueuedRequest {
    request: BookingRequest,
    doing: Arc<Doing>,
    reply: oneshot::Sender<Result<bool, ReserveError>>,
}

impl BookingQueue {
    /// Starts the worker, which ends with the last clone of the queue.
    pub(crate) fn open(base: Base, news: EventNews) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let worker = BookingWorker {
            base,
            news,
            cache: None,
            before: BTreeMap::new(),
            unconfirmed: UnconfirmedChanges::default(),
        };
        tokio::spawn(worker.run(queue));
        Self { requests }
    }

    pub(super) async fn carry_out(
        &self,
        request: BookingRequest,
        doing: &Arc<Doing>,
    ) -> Result<bool, ReserveError> {
        let (reply, answer) = oneshot::channel();
        let closed = || StoreError::Unavailable { doing: DOING, source: sqlx::Error::PoolClosed };
        let doing = doing.clone();
        self.requests.send(QueuedRequest { request, doing, reply }).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// Booked seats as of one version of the calendar.
#[derive(Debug)]
struct SeatCache {
    version: i64,
    /// The time that the cache covers.
    time: Range<Timestamp>,
    seats: SeatCalendar,
}

/// Changes that were answered with an error although their commit may have succeeded.
#[derive(Debug, Default)]
struct UnconfirmedChanges {
    made: BTreeSet<ReservationToken>,
    /// Changed or removed ones as they were before, with the capacity that bounds their restoration.
    before: BTreeMap<ReservationToken, (StoredReservation, u32)>,
}

impl UnconfirmedChanges {
    fn is_empty(&self) -> bool {
        self.made.is_empty() && self.before.is_empty()
    }

    /// The requests that undo them.
    fn undo(&self) -> Vec<BookingRequest> {
        let withdrawn = self.made.iter().map(|token| BookingRequest::Withdraw { token: token.clone() });
        let restored = self.before.iter().map(|(token, (stored, capacity))| BookingRequest::Restore {
            token: token.clone(),
            stored: stored.clone(),
            capacity: *capacity,
        });
        withdrawn.chain(restored).collect()
    }
}

struct BookingWorker {
    base: Base,
    news: EventNews,
    cache: Option<SeatCache>,
    /// The reservations that the last batch was to change or remove, as they were before it.
    before: BTreeMap<ReservationToken, StoredReservation>,
    unconfirmed: UnconfirmedChanges,
}

impl BookingWorker {
    async fn run(mut self, mut queue: mpsc::Receiver<QueuedRequest>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let next = queue.recv_many(&mut batch, BATCH_MAX);
            if self.unconfirmed.is_empty() {
                if next.await == 0 {
                    return;
                }
            } else {
                match timeout(UNDO_INTERVAL, next).await {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(_) => {
                        self.undo().await;
                        continue;
                    }
                }
            }
            let (requests, replies) = batch
                .drain(..)
                .map(|QueuedRequest { request, doing, reply }| (Booking { request, doing }, reply))
                .unzip();
            if let Some(error) = self.serve_batch(requests, replies).await {
                // Requests that arrived meanwhile have waited as long as the documented limit allows.
                while let Ok(late) = queue.try_recv() {
                    let _ = late.reply.send(Err(error.again().into()));
                }
            }
        }
    }

    /// Carries out the requests and replies to each. Returns the error if the database is unavailable.
    async fn serve_batch(
        &mut self,
        mut requests: Vec<Booking>,
        mut replies: Vec<oneshot::Sender<Result<bool, ReserveError>>>,
    ) -> Option<StoreError> {
        let outcome = match self.attempt(&requests, false).await {
            Err(unconfirmed @ StoreError::Unconfirmed { .. }) => {
                // The tokens, drawn before the first attempt, show whether it was done.
                match timeout(CONFIRM_TIMEOUT, self.attempt(&requests, true)).await {
                    Ok(Ok(decided)) => Ok(decided),
                    Ok(Err(_)) | Err(_) => {
                        self.note_unconfirmed(&requests);
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
            Err(error) if !error.is_unavailable() => {
                // The undo may be what the database refuses.
                if !self.unconfirmed.is_empty() {
                    self.undo().await;
                }
                if requests.len() == 1 {
                    for reply in replies {
                        let _ = reply.send(Err(error.again().into()));
                    }
                    return None;
                }
                // Or one of the requests: the others must not fail with it.
                while let (Some(request), Some(reply)) = (requests.pop(), replies.pop()) {
                    if let Some(error) = Box::pin(self.serve_batch(vec![request], vec![reply])).await {
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
                Some(error)
            }
        }
    }

    /// Notes requests whose commit was never confirmed. They are answered with an error, so they have to be undone.
    fn note_unconfirmed(&mut self, requests: &[Booking]) {
        self.cache = None;
        let before = std::mem::take(&mut self.before);
        for Booking { request, .. } in requests {
            if let BookingRequest::Make { reservation, .. } = request {
                self.unconfirmed.made.insert(reservation.token.clone());
            } else if let (Some(capacity), Some(stored)) =
                (request.restoring_capacity(), before.get(request.token()))
            {
                let oldest = self.unconfirmed.before.entry(request.token().clone());
                oldest.or_insert_with(|| (stored.clone(), capacity));
            }
        }
        warn!(requests = requests.len(), "the database did not confirm bookings; they are undone");
    }

    /// Undoes what stayed unconfirmed, if the database is available.
    async fn undo(&mut self) {
        match self.attempt(&[], false).await {
            Err(error) if !error.is_unavailable() => {
                error!(%error, "unconfirmed bookings cannot be undone");
                self.unconfirmed = UnconfirmedChanges::default();
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Carries out, in one transaction, every request that the rules allow. `again`: some may be done already.
    async fn attempt(
        &mut self,
        requests: &[Booking],
        again: bool,
    ) -> Result<Vec<Result<bool, ReserveError>>, StoreError> {
        let mut transaction = self.base.write(DOING, Lock::Bookings).await?;
        // Put back once the database has confirmed what it says.
        let cache = self.cache.take();
        let undo = self.unconfirmed.undo();
        let all: Vec<&BookingRequest> =
            undo.iter().chain(requests.iter().map(|booking| &booking.request)).collect();
        let stored = statements::stored(&mut transaction, &all).await?;
        if !again {
            self.before.clone_from(&stored);
        }
        let before = stored.clone();
        let (version, holders) = statements::look_up(&mut transaction, &all, &stored).await?;
        let mut cache = up_to_date(&mut transaction, cache, version, &all, &stored).await?;
        let made = match again {
            true => statements::tokens_made(&mut transaction, &all).await?,
            false => BTreeSet::new(),
        };
        let mut ledger = Ledger::new(&mut cache.seats, stored, holders);
        let undone: Vec<_> =
            undo.iter().map(|request| (request.token(), ledger.decide(request, false, again))).collect();
        let decided = requests.iter().map(|Booking { request, .. }| {
            let is_made = made.contains(request.token());
            ledger.decide(request, is_made, again)
        });
        let decided: Vec<_> = decided.collect();
        let changes = ledger.into_changes();
        let statements = statements::write(&mut transaction, &changes).await?;
        if statements > 0 {
            let events = told::events(&changes, &before, requests);
            let written = append(&mut transaction, &events, false).await?.unwrap_or_default();
            for (booking, _) in
                requests.iter().zip(&decided).filter(|(_, outcome)| matches!(outcome, Ok(true)))
            {
                booking.doing.note(&mut transaction).await?;
            }
            series::count_changes(&mut transaction, &changes, &before).await?;
            mails::queue(&mut transaction, &changes, &before, requests).await?;
            cache.version = match &transaction {
                // Its trigger counts rows; reading the version costs next to nothing.
                Write::Sqlite(_) => statements::version(&mut transaction).await?,
                // Its trigger counts statements.
                Write::Postgres(..) => version + statements,
            };
            transaction.commit(DOING).await?;
            self.news.tell(&written);
        }
        if !undone.is_empty() {
            self.unconfirmed = UnconfirmedChanges::default();
            report_undone(&undone);
        }
        self.cache = Some(cache);
        Ok(decided)
    }
}

fn report_undone(undone: &[(&ReservationToken, Result<bool, ReserveError>)]) {
    for (token, outcome) in undone {
        if let Err(error) = outcome {
            // Another process has booked in between. Nothing is booked twice: the change stands.
            warn!(%token, %error, "a booking that was answered with an error stays changed");
        }
    }
    info!(requests = undone.len(), "unconfirmed bookings are undone");
}

/// The booked seats of the time that the requests are about, as they are behind the lock.
async fn up_to_date(
    transaction: &mut Write,
    cache: Option<SeatCache>,
    version: i64,
    requests: &[&BookingRequest],
    stored: &BTreeMap<ReservationToken, StoredReservation>,
) -> Result<SeatCache, StoreError> {
    let (mut from, mut to) = (None::<Timestamp>, None::<Timestamp>);
    let mut now = None::<Timestamp>;
    for request in requests {
        let before = stored.get(request.token());
        let after = match request {
            BookingRequest::Make { reservation, now: at, .. } => {
                now = Some(now.map_or(*at, |now| now.min(*at)));
                Some(reservation.starts_at..reservation.ends_at())
            }
            BookingRequest::Change { reservation, .. } => Some(reservation.starts_at..reservation.ends_at()),
            BookingRequest::Extend { duration_minutes, .. } => {
                before.map(|before| before.starts_at..before.starts_at.plus_minutes(*duration_minutes))
            }
            BookingRequest::Restore { stored, .. } => Some(stored.time()),
            BookingRequest::Remove { .. } | BookingRequest::Withdraw { .. } => None,
        };
        for time in [before.map(StoredReservation::time), after].into_iter().flatten() {
            from = Some(from.map_or(time.start, |from| from.min(time.start)));
            to = Some(to.map_or(time.end, |to| to.max(time.end)));
        }
    }
    let (Some(from), Some(to)) = (from, to) else {
        // Every request names an unknown token: no seats are looked at.
        let nothing = Timestamp(0)..Timestamp(0);
        let cache = cache.filter(|cache| cache.version == version);
        return Ok(cache.unwrap_or(SeatCache { version, time: nothing, seats: SeatCalendar::default() }));
    };
    let Some(mut cache) = cache.filter(|cache| cache.version == version && !cache.time.is_empty()) else {
        let mut seats = SeatCalendar::default();
        statements::read_booked(transaction, from..to, &mut seats).await?;
        return Ok(SeatCache { version, time: from..to, seats });
    };
    if from < cache.time.start {
        statements::read_booked(transaction, from..cache.time.start, &mut cache.seats).await?;
        cache.time.start = from;
    }
    if to > cache.time.end {
        // Twice as far as before, so that ever later requests do not each read a little more.
        let further = cache.time.end.0.saturating_sub(cache.time.start.0).saturating_add(cache.time.end.0);
        let to = to.max(Timestamp(further));
        statements::read_booked(transaction, cache.time.end..to, &mut cache.seats).await?;
        cache.time.end = to;
    }
    // Not for every request: trimming costs as much as the calendar is long.
    let past = now.map(|now| now.minus_minutes(CACHE_PAST_MINUTES)).filter(|past| *past <= from);
    if let Some(past) = past.filter(|past| cache.time.start < past.minus_minutes(CACHE_PAST_MINUTES)) {
        cache.seats.forget_before(past);
        cache.time.start = past;
    }
    Ok(cache)
}
