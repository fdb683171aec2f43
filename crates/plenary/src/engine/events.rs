//! The writer of the event log, behind the engine's back: a slow disk may delay an event, never a call.
//!
//! Events wait in a queue of fixed length while the database is away. What does not fit any more is counted, and the log says where
//! and how many are missing (`events.lost`).

use plenary_api::Followers;
use plenary_conference::{Conferences, Reservation, ReservationToken, Timestamp};
use plenary_model::{AccountEvent, AccountId, Actor, EventKind, EventRecord, OngoingKind};
use plenary_store::{Store, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::{error, info, warn};

/// How many events may wait for the database: some 50 MB, ten seconds of ten thousand events each.
const WAITING_MAX: usize = 100_000;
/// Events written at once: each write waits for the disk.
const BATCH_MAX: usize = 2000;
/// What comes within so long is written together.
const GATHERED: Duration = Duration::from_millis(20);
/// How long to wait after a write that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How many events of which accounts could not be kept.
type Lost = Arc<Mutex<BTreeMap<AccountId, u64>>>;

/// The writer of the event log.
#[derive(Debug)]
pub(super) struct EventWriter {
    events: mpsc::Sender<AccountEvent>,
    lost: Lost,
    followers: Followers,
    stopping: watch::Sender<bool>,
    writer: JoinHandle<()>,
}

impl EventWriter {
    pub(super) fn start(store: Store, followers: Followers) -> Self {
        Self::start_with(store, followers, WAITING_MAX)
    }

    fn start_with(store: Store, followers: Followers, waiting_max: usize) -> Self {
        let (events, waiting) = mpsc::channel(waiting_max);
        let (stopping, stop) = watch::channel(false);
        let lost = Lost::default();
        let writer = tokio::spawn(write(store, waiting, lost.clone(), stop));
        Self { events, lost, followers, stopping, writer }
    }

    /// Takes an event; never waits.
    pub(super) fn write(&self, event: AccountEvent) {
        if event.event.kind.is_live_only() {
            return self.followers.send_live(event);
        }
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        // The gap is told of before what comes after it.
        if let Some(count) = lost.get(&event.account).copied()
            && self.events.try_send(lost_events(event.account, count, event.event.at)).is_ok()
        {
            lost.remove(&event.account);
        }
        if lost.contains_key(&event.account) || self.events.try_send(event.clone()).is_err() {
            if lost.is_empty() {
                warn!("too many events are waiting for the database: some are lost");
            }
            *lost.entry(event.account).or_default() += 1;
        }
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        let _ = self.stopping.send(true);
        drop(self.events);
        let _ = self.writer.await;
    }
}

fn lost_events(account: AccountId, count: u64, at: Timestamp) -> AccountEvent {
    let event = EventRecord {
        at,
        conference: None,
        participant_id: None,
        actor: Actor::system(),
        reason: Some("queue_full".to_owned()),
        kind: EventKind::EventsLost { count },
    };
    AccountEvent { account, event }
}

/// Writes what comes, as much at a time as there is.
async fn write(
    store: Store,
    mut waiting: mpsc::Receiver<AccountEvent>,
    lost: Lost,
    stop: watch::Receiver<bool>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if batch.len() < BATCH_MAX && !*stop.borrow() {
            tokio::time::sleep(GATHERED).await;
        }
        while batch.len() < BATCH_MAX
            && let Ok(event) = waiting.try_recv()
        {
            batch.push(event);
        }
        write_batch(&store, &batch, &stop).await;
        batch.clear();
        // Where nothing more comes, the gap is told of all the same.
        if waiting.is_empty() {
            let at = super::wall_now();
            let lost = std::mem::take(&mut *lost.lock().unwrap_or_else(PoisonError::into_inner));
            batch.extend(lost.into_iter().map(|(account, count)| lost_events(account, count, at)));
            if !batch.is_empty() {
                write_batch(&store, &batch, &stop).await;
                batch.clear();
            }
        }
    }
}

/// What cannot be written (the disk is full, the database is away) is tried again until it can, or until the service stops.
async fn write_batch(store: &Store, batch: &[AccountEvent], stop: &watch::Receiver<bool>) {
    let (mut failed, mut again) = (0, false);
    loop {
        match store.write_events(batch, again).await {
            Ok(()) => break,
            Err(error) if error.is_unavailable() => {
                failed += 1;
                again |= matches!(error, StoreError::Unconfirmed { .. });
                if *stop.borrow() && failed > 1 {
                    warn!(%error, events = batch.len(), "events could not be written and are lost");
                    return;
                }
                warn!(%error, events = batch.len(), "events cannot be written; trying again");
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) if batch.len() == 1 => {
                error!(%error, kind = batch[0].event.kind.name(), "an event cannot be written and is lost");
                return;
            }
            Err(_) => {
                // One of them is what the database refuses.
                for event in batch {
                    Box::pin(write_batch(store, std::slice::from_ref(event), stop)).await;
                }
                return;
            }
        }
    }
    if failed > 0 {
        info!(events = batch.len(), "events are being written again");
    }
}

/// Closes in the logs what had been going on when the last run was cut off. The reservations whose time goes on are returned: that
/// they have begun is in the log.
pub(super) async fn close_last_run(
    store: &Store,
    open: &[Reservation],
    now: Timestamp,
) -> anyhow::Result<BTreeSet<ReservationToken>> {
    let is_on = |one: &&Reservation| one.starts_at <= now && now < one.ends_at();
    let on: BTreeSet<&ReservationToken> = open.iter().filter(is_on).map(|one| &one.token).collect();
    let (mut begun, mut closing) = (BTreeSet::new(), Vec::new());
    for (account, what, data) in store.ongoing().await? {
        let token = ReservationToken::new(&what.id);
        if what.kind == OngoingKind::Reservation && on.contains(&token) {
            begun.insert(token);
        } else if let Some(event) = what.closing(now, data) {
            closing.push(AccountEvent { account, event });
        }
    }
    if !closing.is_empty() {
        info!(events = closing.len(), "what a run that was cut off has left open is closed in the event log");
    }
    for batch in closing.chunks(BATCH_MAX) {
        store.write_events(batch, false).await?;
    }
    Ok(begun)
}

/// The events of reading reservations back, without those that the log has.
pub(super) fn events_of_start(
    conferences: &mut Conferences,
    begun: &BTreeSet<ReservationToken>,
) -> Vec<AccountEvent> {
    let is_new = |event: &AccountEvent| match &event.event.kind {
        EventKind::ReservationStarted(data) => !begun.contains(&data.token),
        _ => true,
    };
    std::iter::from_fn(|| conferences.poll_event()).filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_model::ConferenceName;

    fn event(account: AccountId, name: &str) -> AccountEvent {
        let event = EventRecord {
            at: Timestamp(1000),
            conference: Some(ConferenceName::new(name)),
            participant_id: None,
            actor: Actor::system(),
            reason: None,
            kind: EventKind::ConferenceStarted {},
        };
        AccountEvent { account, event }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted_where_it_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let followers = Followers::new(store.clone(), 10);
        let writer = EventWriter::start_with(store.clone(), followers, 3);
        // The task that writes has not run yet: three fit.
        (0..5).for_each(|n| writer.write(event(account, &format!("C{n}"))));
        while store.event_bounds(account).await.unwrap().last < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        writer.write(event(account, "C5"));
        writer.finish().await;
        let log = store.events_after(account, 0, 100).await.unwrap();
        let told = log.iter().map(|event| event.record().unwrap()).map(|record| match record.kind {
            EventKind::EventsLost { count } => format!("lost {count}"),
            _ => record.conference.unwrap().to_string(),
        });
        assert_eq!(told.collect::<Vec<_>>(), ["C0", "C1", "C2", "lost 2", "C5"]);
        assert_eq!(log.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    }
}
