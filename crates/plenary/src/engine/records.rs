//! The writer of call records, behind the engine's back: a slow disk may delay a record, never a call.

use crate::metrics::Meters;
use plenary_model::CallEntry;
use plenary_store::Store;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::{info, warn};

/// How many records may wait for the disk. Beyond that records are dropped with a warning rather than memory.
const WAITING_MAX: usize = 10_000;

/// Records written at once: each write waits for the disk.
const BATCH_MAX: usize = 256;
/// How long to wait after a write that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The writer of the records.
#[derive(Debug)]
pub(super) struct RecordWriter {
    entries: mpsc::Sender<CallEntry>,
    meters: Arc<Meters>,
    stopping: watch::Sender<bool>,
    writer: JoinHandle<()>,
}

impl RecordWriter {
    pub(super) fn start(store: Store, meters: Arc<Meters>) -> Self {
        let (entries, waiting) = mpsc::channel(WAITING_MAX);
        let (stopping, stop) = watch::channel(false);
        let writer = tokio::spawn(write(store, waiting, stop, meters.clone()));
        Self { entries, meters, stopping, writer }
    }

    pub(super) fn write(&self, entry: CallEntry) {
        self.meters.records_waiting.fetch_add(1, Relaxed);
        if self.entries.try_send(entry).is_err() {
            self.meters.records_waiting.fetch_sub(1, Relaxed);
            self.meters.records_dropped.fetch_add(1, Relaxed);
            warn!("too many call records are waiting for the database: one is dropped");
        }
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        let _ = self.stopping.send(true);
        drop(self.entries);
        let _ = self.writer.await;
    }
}

/// Writes what comes, as much at a time as there is. What cannot be written (the disk is full, another process holds the
/// database) is tried again until it can, or until the service stops.
async fn write(
    store: Store,
    mut waiting: mpsc::Receiver<CallEntry>,
    stop: watch::Receiver<bool>,
    meters: Arc<Meters>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut failed = 0;
        while let Err(error) = store.write_calls(&batch).await {
            failed += 1;
            if *stop.borrow() && failed > 1 {
                warn!(%error, records = batch.len(), "call records could not be written and are lost");
                meters.records_dropped.fetch_add(batch.len() as u64, Relaxed);
                break;
            }
            warn!(%error, records = batch.len(), "call records cannot be written; trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        if failed > 0 {
            info!(records = batch.len(), "call records are being written again");
        }
        meters.records_waiting.fetch_sub(batch.len() as u64, Relaxed);
        batch.clear();
    }
}
