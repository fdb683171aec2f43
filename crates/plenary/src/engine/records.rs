//! Call records, written behind the engine's back: a slow disk may delay a record, never a call.

use super::call::Call;
use plenary_conference::{ConferenceKey, ParticipantId, Timestamp};
use plenary_media::CallStats;
use plenary_store::{CallEntry, CallRecord, Store};
use std::{collections::HashMap, time::Duration};
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
pub(super) struct Records {
    entries: mpsc::Sender<CallEntry>,
    stopping: watch::Sender<bool>,
    writer: JoinHandle<()>,
    /// What the media plane said of calls whose signalling has not ended yet.
    stats: HashMap<u64, String>,
    /// Calls that are over and whose media has not reported yet.
    ending: HashMap<u64, Ending>,
}

#[derive(Debug)]
struct Ending {
    id: String,
    at: Timestamp,
    cause: String,
}

impl Records {
    pub(super) fn start(store: Store) -> Self {
        let (entries, waiting) = mpsc::channel(WAITING_MAX);
        let (stopping, stop) = watch::channel(false);
        let writer = tokio::spawn(write(store, waiting, stop));
        Self { entries, stopping, writer, stats: HashMap::new(), ending: HashMap::new() }
    }

    fn write(&self, entry: CallEntry) {
        if self.entries.try_send(entry).is_err() {
            warn!("too many call records are waiting for the database: one is dropped");
        }
    }

    pub(super) fn call_started(
        &mut self,
        call: &Call,
        conference: Option<&ConferenceKey>,
        dialog: Option<String>,
    ) {
        let Some(account) = call.account else { return };
        let call = CallRecord {
            id: call.participant.to_string(),
            account,
            service: call.service.as_ref().map(ToString::to_string).unwrap_or_default(),
            conference: conference.map(|key| key.name.to_string()),
            from: call.shown_from().to_owned(),
            to: call.outgoing.as_ref().map_or(&call.dialled, |outgoing| &outgoing.to).clone(),
            started_at: call.began_at,
            is_outgoing: call.outgoing.is_some(),
            trunk: call.trunk.clone(),
            admitted_by: call.admitted_by.map(|by| by.name().to_owned()),
        };
        self.write(CallEntry::Started { call, dialog });
    }

    /// A call of ours was answered.
    pub(super) fn call_answered(&mut self, call: &Call, dialog: String) {
        let (id, trunk) = (call.participant.to_string(), call.trunk.clone());
        self.write(CallEntry::Answered { id, trunk, dialog });
    }

    /// The media of a call is closed. `is_known`: its signalling has not ended.
    pub(super) fn media_ended(&mut self, number: u64, stats: &CallStats, is_known: bool) {
        let stats = serde_json::to_string(stats).unwrap_or_default();
        if let Some(ending) = self.ending.remove(&number) {
            self.write_end(ending, Some(stats));
        } else if is_known {
            self.stats.insert(number, stats);
        }
    }

    /// A recorded call is over; its record is completed as soon as its media has reported, whichever comes first.
    pub(super) fn call_ended(
        &mut self,
        number: u64,
        participant: &ParticipantId,
        at: Timestamp,
        cause: &str,
    ) {
        let ending = Ending { id: participant.to_string(), at, cause: cause.to_owned() };
        match self.stats.remove(&number) {
            Some(stats) => self.write_end(ending, Some(stats)),
            None => {
                self.ending.insert(number, ending);
            }
        }
    }

    /// A call without a record is over.
    pub(super) fn forget(&mut self, number: u64) {
        self.stats.remove(&number);
    }

    fn write_end(&self, Ending { id, at, cause }: Ending, stats: Option<String>) {
        self.write(CallEntry::Ended { id, at, cause, stats });
    }

    /// No record waits for anything.
    pub(super) fn is_settled(&self) -> bool {
        self.ending.is_empty()
    }

    /// Waits until everything is written.
    pub(super) async fn finish(mut self) {
        for (_, ending) in std::mem::take(&mut self.ending) {
            self.write_end(ending, None);
        }
        let _ = self.stopping.send(true);
        drop(self.entries);
        let _ = self.writer.await;
    }
}

/// Writes what comes, as much at a time as there is. What cannot be written (the disk is full, another process holds the
/// database) is tried again until it can, or until the service stops.
async fn write(store: Store, mut waiting: mpsc::Receiver<CallEntry>, stop: watch::Receiver<bool>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut failed = 0;
        while let Err(error) = store.write_calls(&batch).await {
            failed += 1;
            if *stop.borrow() && failed > 1 {
                warn!(%error, records = batch.len(), "call records could not be written and are lost");
                break;
            }
            warn!(%error, records = batch.len(), "call records cannot be written; trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        if failed > 0 {
            info!(records = batch.len(), "call records are being written again");
        }
        batch.clear();
    }
}
