//! The writer of the records of calls and conferences, behind the engine's back: a slow disk may delay a record, never a
//! call.

use super::wall_now;
use crate::metrics::Meters;
use plenary_model::RecordEntry;
use plenary_store::Store;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::{debug, info, warn};

/// How many records may wait for the disk. Beyond that records are dropped with a warning rather than memory.
const WAITING_MAX: usize = 10_000;

/// Records written at once: each write waits for the disk.
const BATCH_MAX: usize = 256;
/// How often it is written down that the service runs: what a crash cuts off ends with it, to this accuracy.
const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// How long to wait after a write that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The writer of the records.
#[derive(Debug)]
pub(super) struct RecordWriter {
    entries: mpsc::Sender<RecordEntry>,
    meters: Arc<Meters>,
    stopping: watch::Sender<bool>,
    writer: JoinHandle<()>,
    alive: JoinHandle<()>,
}

impl RecordWriter {
    pub(super) fn start(store: Store, meters: Arc<Meters>) -> Self {
        let (entries, waiting) = mpsc::channel(WAITING_MAX);
        let (stopping, stop) = watch::channel(false);
        let alive = tokio::spawn(note_alive(store.clone()));
        let writer = tokio::spawn(write(store, waiting, stop, meters.clone()));
        Self { entries, meters, stopping, writer, alive }
    }

    pub(super) fn write(&self, entry: RecordEntry) {
        self.meters.records_waiting.fetch_add(1, Relaxed);
        if self.entries.try_send(entry).is_err() {
            self.meters.records_waiting.fetch_sub(1, Relaxed);
            self.meters.records_dropped.fetch_add(1, Relaxed);
            warn!("too many records are waiting for the database: one is dropped");
        }
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        let _ = self.stopping.send(true);
        drop(self.entries);
        let _ = self.writer.await;
        self.alive.abort();
    }
}

/// Writes what comes, as much at a time as there is. What cannot be written (the disk is full, another process holds the
/// database) is tried again until it can, or until the service stops.
async fn write(
    store: Store,
    mut waiting: mpsc::Receiver<RecordEntry>,
    stop: watch::Receiver<bool>,
    meters: Arc<Meters>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut failed = 0;
        while let Err(error) = store.write_records(&batch).await {
            failed += 1;
            if *stop.borrow() && failed > 1 {
                warn!(%error, records = batch.len(), "records of calls and conferences could not be written and are lost");
                meters.records_dropped.fetch_add(batch.len() as u64, Relaxed);
                break;
            }
            warn!(%error, records = batch.len(), "records of calls and conferences cannot be written; trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        if failed > 0 {
            info!(records = batch.len(), "records of calls and conferences are being written again");
        }
        meters.records_waiting.fetch_sub(batch.len() as u64, Relaxed);
        batch.clear();
    }
}

/// Writes down time and again that the service runs. That this fails is no news: what fails with it is.
async fn note_alive(store: Store) {
    let mut ticks = tokio::time::interval(ALIVE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = store.note_alive(wall_now()).await {
            debug!(%error, "it could not be written down that the service runs");
        }
    }
}
