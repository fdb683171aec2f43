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
        Self { entries, writer, stats: HashMap::new() }
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

    pub(super) fn media_ended(&mut self, number: u64, stats: &CallStats) {
        if let Ok(text) = serde_json::to_string(stats) {
            self.stats.insert(number, text);
        }
    }

    pub(super) fn call_ended(
        &mut self,
        number: u64,
        participant: &ParticipantId,
        at: Timestamp,
        cause: &str,
    ) {
        let stats = self.stats.remove(&number);
        self.write(Entry::Ended { id: participant.to_string(), at, cause: cause.to_owned(), stats });
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        drop(self.entries);
        let _ = self.writer.await;
    }
}
