//! Call records, written behind the engine's back: a slow disk may delay a record, never a call.

use super::call::Call;
use plenary_conference::{ConferenceKey, ParticipantId, Timestamp};
use plenary_media::CallStats;
use plenary_store::{CallRecord, Store};
use std::collections::HashMap;
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::warn;

/// How many records may wait for the disk. Beyond that records are dropped with a warning rather than memory.
const WAITING_MAX: usize = 10_000;

enum Entry {
    Started(Box<CallRecord>),
    Ended { id: String, at: Timestamp, cause: String, stats: Option<String> },
}

/// The writer of the records.
#[derive(Debug)]
pub(super) struct Records {
    entries: mpsc::Sender<Entry>,
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
        let (entries, mut waiting) = mpsc::channel(WAITING_MAX);
        let writer = tokio::spawn(async move {
            while let Some(entry) = waiting.recv().await {
                let written = match entry {
                    Entry::Started(record) => store.call_started(&record).await,
                    Entry::Ended { id, at, cause, stats } => {
                        store.call_ended(&id, at, &cause, stats.as_deref()).await
                    }
                };
                if let Err(error) = written {
                    warn!(%error, "a call record could not be written");
                }
            }
        });
        Self { entries, writer, stats: HashMap::new(), ending: HashMap::new() }
    }

    fn write(&self, entry: Entry) {
        if self.entries.try_send(entry).is_err() {
            warn!("too many call records are waiting for the database: one is dropped");
        }
    }

    pub(super) fn call_started(&mut self, call: &Call, conference: Option<&ConferenceKey>) {
        let Some(account) = call.account else { return };
        self.write(Entry::Started(Box::new(CallRecord {
            id: call.participant.to_string(),
            account,
            service: call.service.as_ref().map(ToString::to_string).unwrap_or_default(),
            conference: conference.map(|key| key.name.to_string()),
            from: call.from.clone(),
            to: call.dialled.clone(),
            started_at: call.began_at,
        })));
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
        self.write(Entry::Ended { id, at, cause, stats });
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
        drop(self.entries);
        let _ = self.writer.await;
    }
}
