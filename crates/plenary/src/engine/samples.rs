//! How calls sound while they last: each is measured every ten seconds, a tenth of them each second. When a call is over, its
//! samples are written into the database, behind the engine's back.

use crate::clock::wall_now;
use plenary_media::{CallStats, MediaCallId, MediaHandle};
use plenary_model::{AccountId, CallEntry, CallSample, CallSamples, SAMPLE_INTERVAL_S, Timestamp};
use plenary_store::Store;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle, time::MissedTickBehavior};
use tracing::{debug, warn};

/// Calls whose samples wait for the database. Those beyond are not kept: they are worth less than memory.
const WAITING_MAX: usize = 1_000;
/// Calls that are written at once.
const BATCH_MAX: usize = 100;

type Ended = (String, AccountId, Timestamp, CallSamples);

/// The calls that go on, with their samples. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampler(Arc<Mutex<BTreeMap<String, Sampled>>>);

#[derive(Debug)]
struct Sampled {
    account: AccountId,
    call: MediaCallId,
    samples: CallSamples,
    /// Packets that were expected and that were lost, at the last sample.
    counted: (u64, u64),
}

/// The tasks that measure and write.
#[derive(Debug)]
pub(super) struct Sampling {
    sampler: Sampler,
    ended: mpsc::Sender<Ended>,
    measuring: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Sampler {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Sampled>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The samples of a call that goes on, and whose it is.
    pub(crate) fn samples(&self, id: &str) -> Option<(AccountId, CallSamples)> {
        self.with(|calls| calls.get(id).map(|call| (call.account, call.samples.clone())))
    }

    /// The calls whose turn it is.
    fn due(&self, second: u64) -> Vec<(String, MediaCallId)> {
        let is_due = |call: &Sampled| call.call.0 % u64::from(SAMPLE_INTERVAL_S) == second;
        self.with(|calls| {
            let due = calls.iter().filter(|(_, call)| is_due(call));
            due.map(|(id, call)| (id.clone(), call.call)).collect()
        })
    }

    fn add(&self, id: &str, stats: &CallStats, at: Timestamp) {
        self.with(|calls| {
            let Some(call) = calls.get_mut(id) else { return };
            let now = (stats.packets_received.saturating_add(stats.packets_lost), stats.packets_lost);
            let before = std::mem::replace(&mut call.counted, now);
            let (expected, lost) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
            let loss_percent = if expected == 0 { 0.0 } else { lost as f32 / expected as f32 * 100.0 };
            call.samples.push(CallSample {
                at,
                mos: (stats.mos > 0.0).then_some(stats.mos),
                level_dbov: (stats.level_dbov > -127.0).then_some(stats.level_dbov),
                loss_percent,
                jitter_ms: stats.jitter_ms,
                rtt_ms: stats.round_trip_ms,
            });
        });
    }
}

impl Sampling {
    pub(super) fn start(sampler: Sampler, media: MediaHandle, store: Store) -> Self {
        let (ended, waiting) = mpsc::channel(WAITING_MAX);
        let measuring = tokio::spawn(measure(sampler.clone(), media));
        let writer = tokio::spawn(write(store, waiting));
        Self { sampler, ended, measuring, writer }
    }

    /// A call has begun, or is over.
    pub(super) fn note(&self, entry: &CallEntry) {
        match entry {
            CallEntry::Started { call, .. } => {
                let number = call.id.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
                let Some(number) = number else { return };
                let sampled = Sampled {
                    account: call.account,
                    call: MediaCallId(number),
                    samples: CallSamples::default(),
                    counted: (0, 0),
                };
                self.sampler.with(|calls| drop(calls.insert(call.id.clone(), sampled)));
            }
            CallEntry::Ended { id, at, .. } => {
                let Some(call) = self.sampler.with(|calls| calls.remove(id)) else { return };
                if call.samples.items.is_empty() {
                    return;
                }
                if self.ended.try_send((id.clone(), call.account, *at, call.samples)).is_err() {
                    warn!(call = %id, "how a call sounded is not kept: too many wait for the database");
                }
            }
            CallEntry::Answered { .. } | CallEntry::Entered { .. } => {}
        }
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        self.measuring.abort();
        drop(self.ended);
        let _ = self.writer.await;
    }
}

async fn measure(sampler: Sampler, media: MediaHandle) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut second = 0;
    loop {
        seconds.tick().await;
        second = (second + 1) % u64::from(SAMPLE_INTERVAL_S);
        let at = wall_now();
        // All are asked before the first is waited for.
        let asked: Vec<_> =
            sampler.due(second).into_iter().map(|(id, call)| (id, media.ask_stats(call))).collect();
        for (id, stats) in asked {
            // A call that has no audio (yet, or any more) has none.
            if let Ok(stats) = stats.await
                && stats.codec.is_some()
            {
                sampler.add(&id, &stats, at);
            }
        }
    }
}

async fn write(store: Store, mut waiting: mpsc::Receiver<Ended>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if let Err(error) = store.write_call_samples(&batch).await {
            debug!(%error, calls = batch.len(), "how calls sounded could not be written down");
        }
        batch.clear();
    }
}
