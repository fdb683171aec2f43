//! Writes down what happens, behind the back of those to whom it happens: a slow disk delays an entry, never a call.
//!
//! ```text
//!   write ─▶ queue of fixed length ─▶ as many at a time as there are ─▶ database
//!     └─ full: given back, counted, said once       └─ away: tried again until it is there, or until the service stops
//! ```
//!
//! Entries are written in their order. One that the database refuses for good is lost alone, and not with those that came beside it.

use crate::StoreError;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tracing::{error, info, warn};

/// How long to wait after a write that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where entries of one kind are written.
pub trait Journal: Send + Sync + 'static {
    /// What is written.
    type Entry: Send + Sync + 'static;
    /// What the log of the service calls them.
    const ENTRIES: &'static str;

    /// Writes entries, all or none, in this order. `again`: the commit of an earlier try may have succeeded.
    ///
    /// # Errors
    /// When the database fails.
    fn write(
        &self,
        entries: &[Self::Entry],
        again: bool,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// These are lost for good: the database refuses them, or the service ends and it is away.
    fn lost(&self, _entries: &[Self::Entry]) {}

    /// What is to be written when nothing waits any more.
    fn left_over(&self) -> Vec<Self::Entry> {
        Vec::new()
    }
}

/// The bounds of a [`Writer`].
#[derive(Debug, Clone, Copy)]
pub struct WriterBounds {
    /// Entries that may wait. Those beyond are lost.
    pub waiting: usize,
    /// Entries that are written at once: each write waits for the disk.
    pub batch: usize,
    /// What comes within so long is written together.
    pub gathered: Duration,
}

/// What a [`Writer`] counts.
#[derive(Debug, Default)]
pub struct WriterCounts {
    waiting: AtomicU64,
    lost: AtomicU64,
}

impl WriterCounts {
    /// Entries that wait for the database.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// Entries that could not be written, ever.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// Writes entries to a journal. It never makes anybody wait.
#[derive(Debug)]
pub struct Writer<J: Journal> {
    entries: mpsc::Sender<Waiting<J::Entry>>,
    counts: Arc<WriterCounts>,
    /// Entries are being lost, and it has been said.
    is_full: Arc<AtomicBool>,
    stopping: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Waiting<E> {
    entry: E,
    /// Told when it is written, or lost.
    done: Option<oneshot::Sender<()>>,
}

impl<J: Journal> Writer<J> {
    /// Begins to write.
    pub fn start(journal: J, bounds: WriterBounds, counts: Arc<WriterCounts>) -> Self {
        let (entries, waiting) = mpsc::channel(bounds.waiting);
        let (stopping, stop) = watch::channel(false);
        let is_full = Arc::<AtomicBool>::default();
        let task = Task { journal, bounds, counts: counts.clone(), is_full: is_full.clone(), stop };
        let task = Mutex::new(Some(tokio::spawn(task.run(waiting))));
        Self { entries, counts, is_full, stopping, task }
    }

    /// Takes an entry. `false`: too many wait, and it is lost.
    pub fn write(&self, entry: J::Entry) -> bool {
        let is_taken = self.try_write(entry).is_ok();
        if !is_taken {
            self.lose();
        }
        is_taken
    }

    /// Takes an entry; what is returned ends when it is written, or lost for good.
    ///
    /// # Errors
    /// Too many wait, and it is lost: here it is.
    pub fn write_and_tell(&self, entry: J::Entry) -> Result<oneshot::Receiver<()>, J::Entry> {
        let (done, told) = oneshot::channel();
        self.queue(Waiting { entry, done: Some(done) }).inspect_err(|_| self.lose())?;
        Ok(told)
    }

    /// Takes an entry, or gives it back where too many wait.
    ///
    /// # Errors
    /// The entry.
    pub fn try_write(&self, entry: J::Entry) -> Result<(), J::Entry> {
        self.queue(Waiting { entry, done: None })
    }

    /// An entry is lost because too many wait.
    pub fn lose(&self) {
        self.counts.lost.fetch_add(1, Relaxed);
        if !self.is_full.swap(true, Relaxed) {
            let most = self.entries.max_capacity();
            warn!(waiting = most, "too many {} wait for the database: further ones are lost", J::ENTRIES);
        }
    }

    /// Waits until everything is written, or, where the database is away, until it was tried once more. What comes later is lost.
    pub async fn finish(&self) {
        let _ = self.stopping.send(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    fn queue(&self, waiting: Waiting<J::Entry>) -> Result<(), J::Entry> {
        // Counted first: it may be written before this goes on.
        self.counts.waiting.fetch_add(1, Relaxed);
        self.entries.try_send(waiting).map_err(|error| {
            self.counts.waiting.fetch_sub(1, Relaxed);
            match error {
                mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back) => back.entry,
            }
        })
    }
}

/// The task that writes.
struct Task<J> {
    journal: J,
    bounds: WriterBounds,
    counts: Arc<WriterCounts>,
    is_full: Arc<AtomicBool>,
    stop: watch::Receiver<bool>,
}

impl<J: Journal> Task<J> {
    async fn run(mut self, mut waiting: mpsc::Receiver<Waiting<J::Entry>>) {
        let WriterBounds { batch: batch_max, gathered, .. } = self.bounds;
        let mut batch = Vec::with_capacity(batch_max);
        loop {
            let stopping = async {
                let _ = self.stop.wait_for(|stop| *stop).await;
            };
            let count = tokio::select! {
                biased;
                count = waiting.recv_many(&mut batch, batch_max) => count,
                () = stopping => {
                    // What waits is still received.
                    waiting.close();
                    continue;
                }
            };
            if count == 0 {
                return;
            }
            if !gathered.is_zero() && count < batch_max && !*self.stop.borrow() {
                tokio::time::sleep(gathered).await;
            }
            while batch.len() < batch_max
                && let Ok(more) = waiting.try_recv()
            {
                batch.push(more);
            }
            let (entries, done): (Vec<_>, Vec<_>) = batch.drain(..).map(|one| (one.entry, one.done)).unzip();
            self.write(&entries).await;
            self.counts.waiting.fetch_sub(entries.len() as u64, Relaxed);
            for told in done.into_iter().flatten() {
                let _ = told.send(());
            }
            if waiting.is_empty() {
                let left_over = self.journal.left_over();
                if !left_over.is_empty() {
                    self.write(&left_over).await;
                }
            }
            if self.is_full.swap(false, Relaxed) {
                let lost = self.counts.lost();
                info!(lost, "there is room for {} again; so many are lost since the start", J::ENTRIES);
            }
        }
    }

    /// What cannot be written (the disk is full, the database is away) is tried again until it can, or until the service stops.
    async fn write(&self, entries: &[J::Entry]) {
        let (mut failed, mut again) = (0, false);
        loop {
            match self.journal.write(entries, again).await {
                Ok(()) => break,
                Err(error) if error.is_unavailable() => {
                    failed += 1;
                    again |= matches!(error, StoreError::Unconfirmed { .. });
                    if *self.stop.borrow() && failed > 1 {
                        warn!(%error, count = entries.len(), "{} could not be written and are lost", J::ENTRIES);
                        self.counts.lost.fetch_add(entries.len() as u64, Relaxed);
                        self.journal.lost(entries);
                        return;
                    }
                    warn!(%error, count = entries.len(), "{} cannot be written; trying again", J::ENTRIES);
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                Err(error) if entries.len() == 1 => {
                    error!(%error, "one of the {} is refused by the database and lost", J::ENTRIES);
                    self.counts.lost.fetch_add(1, Relaxed);
                    self.journal.lost(entries);
                    return;
                }
                Err(_) => {
                    // One of them is what the database refuses.
                    for entry in entries {
                        Box::pin(self.write(std::slice::from_ref(entry))).await;
                    }
                    return;
                }
            }
        }
        if failed > 0 {
            info!(count = entries.len(), "{} are being written again", J::ENTRIES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Entries that were written at once, and whether that was another try.
    type Batch = (Vec<u32>, bool);

    /// What a journal says to the next tries; then it takes everything.
    #[derive(Clone, Default)]
    struct Scripted {
        answers: Arc<Mutex<VecDeque<StoreError>>>,
        written: Arc<Mutex<Vec<Batch>>>,
        left_over: Arc<Mutex<Vec<u32>>>,
    }

    impl Journal for Scripted {
        type Entry = u32;
        const ENTRIES: &'static str = "numbers";

        async fn write(&self, entries: &[u32], again: bool) -> Result<(), StoreError> {
            // Refused for good.
            if entries.contains(&13) {
                return Err(StoreError::Damaged { what: "13".to_owned() });
            }
            if let Some(error) = self.answers.lock().unwrap().pop_front() {
                return Err(error);
            }
            self.written.lock().unwrap().push((entries.to_vec(), again));
            Ok(())
        }

        fn left_over(&self) -> Vec<u32> {
            std::mem::take(&mut *self.left_over.lock().unwrap())
        }
    }

    impl Scripted {
        fn start(&self, waiting: usize, batch: usize) -> (Writer<Self>, Arc<WriterCounts>) {
            let counts = Arc::<WriterCounts>::default();
            let bounds = WriterBounds { waiting, batch, gathered: Duration::from_millis(20) };
            (Writer::start(self.clone(), bounds, counts.clone()), counts)
        }

        fn written(&self) -> Vec<(Vec<u32>, bool)> {
            self.written.lock().unwrap().clone()
        }
    }

    fn away() -> StoreError {
        StoreError::Unavailable { doing: "counting", source: sqlx::Error::PoolClosed }
    }

    #[tokio::test(start_paused = true)]
    async fn entries_are_written_together_and_in_their_order() {
        let journal = Scripted::default();
        let (writer, counts) = journal.start(100, 4);
        (0..6).for_each(|n| assert!(writer.write(n)));
        assert_eq!(counts.waiting(), 6);
        writer.finish().await;
        assert_eq!(journal.written(), [(vec![0, 1, 2, 3], false), (vec![4, 5], false)]);
        assert_eq!((counts.waiting(), counts.lost()), (0, 0));
        assert!(!writer.write(6), "it has finished");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_within_a_moment_is_written_with_it() {
        let journal = Scripted::default();
        let (writer, _) = journal.start(100, 4);
        writer.write(0);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let told = writer.write_and_tell(1).unwrap();
        told.await.unwrap();
        assert_eq!(journal.written(), [(vec![0, 1], false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_given_back_and_counted() {
        let journal = Scripted::default();
        let (writer, counts) = journal.start(2, 4);
        // The task that writes has not run yet.
        assert_eq!(writer.try_write(0), Ok(()));
        assert!(writer.write(1));
        assert_eq!(writer.try_write(2), Err(2));
        assert!(!writer.write(3));
        assert_eq!(writer.write_and_tell(4).unwrap_err(), 4);
        assert_eq!((counts.waiting(), counts.lost()), (2, 2));
        writer.finish().await;
        assert_eq!(journal.written(), [(vec![0, 1], false)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_waited_for_and_nothing_is_written_twice() {
        let journal = Scripted::default();
        let unconfirmed = StoreError::Unconfirmed { doing: "counting", source: sqlx::Error::PoolClosed };
        journal.answers.lock().unwrap().extend([away(), unconfirmed, away()]);
        let (writer, counts) = journal.start(100, 4);
        let told = writer.write_and_tell(7).unwrap();
        told.await.unwrap();
        assert_eq!(journal.written(), [(vec![7], true)]);
        assert_eq!((counts.waiting(), counts.lost()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_one_more_try() {
        let journal = Scripted::default();
        journal.answers.lock().unwrap().extend((0..5).map(|_| away()));
        let (writer, counts) = journal.start(100, 4);
        writer.write(7);
        writer.finish().await;
        assert_eq!((journal.written(), counts.lost()), (Vec::new(), 1));
        assert_eq!(journal.answers.lock().unwrap().len(), 3, "it was tried twice");
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_that_is_refused_for_good_is_lost_alone() {
        let journal = Scripted::default();
        let (writer, counts) = journal.start(100, 4);
        [1, 13, 2].into_iter().for_each(|n| assert!(writer.write(n)));
        writer.finish().await;
        assert_eq!(journal.written(), [(vec![1], false), (vec![2], false)]);
        assert_eq!(counts.lost(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_over_is_written_when_nothing_waits() {
        let journal = Scripted::default();
        journal.left_over.lock().unwrap().push(99);
        let (writer, _) = journal.start(100, 2);
        (0..3).for_each(|n| assert!(writer.write(n)));
        writer.finish().await;
        assert_eq!(journal.written(), [(vec![0, 1], false), (vec![2], false), (vec![99], false)]);
    }
}
