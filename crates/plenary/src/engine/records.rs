//! The writer of the records of calls and conferences.

use crate::{clock::wall_now, metrics::meters::Meters};
use plenary_model::RecordEntry;
use plenary_store::{Journal, Store, StoreError, Writer, WriterBounds};
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::{debug, error};

const BOUNDS: WriterBounds = WriterBounds { waiting: 10_000, batch: 256, gathered: Duration::ZERO };
/// How often it is written down that the service runs: what a crash cuts off ends with it, to this accuracy.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// The writer of the records.
#[derive(Debug)]
pub(super) struct RecordWriter {
    writer: Writer<Records>,
    alive: JoinHandle<()>,
}

/// Where records are written.
#[derive(Debug)]
struct Records(Store);

impl Journal for Records {
    type Entry = RecordEntry;
    const ENTRIES: &'static str = "records of calls and conferences";

    // What is on record already is not written again, so that it does not matter whether an earlier try has succeeded.
    async fn write(&self, entries: &[RecordEntry], _again: bool) -> Result<(), StoreError> {
        self.0.write_records(entries).await
    }
}

impl RecordWriter {
    /// `owner`: as whom the service uses the database, where others may as well.
    pub(super) fn start(store: Store, owner: Option<String>, meters: &Meters) -> Self {
        let alive = tokio::spawn(note_alive(store.clone(), owner));
        Self { writer: Writer::start(Records(store), BOUNDS, meters.records.clone()), alive }
    }

    pub(super) fn write(&self, entry: RecordEntry) {
        self.writer.write(entry);
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        self.writer.finish().await;
        self.alive.abort();
    }
}

/// Writes down time and again that the service runs. That this fails is no news: what fails with it is.
async fn note_alive(store: Store, owner: Option<String>) {
    let mut ticks = tokio::time::interval(ALIVE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = store.note_alive(wall_now()).await {
            debug!(%error, "it could not be written down that the service runs");
        }
        if let Some(owner) = &owner
            && let Ok(false) = store.still_serves(owner, wall_now()).await
        {
            error!(
                "another service uses the database by now, for this one was not seen there for a while: stop one of them"
            );
        }
    }
}
