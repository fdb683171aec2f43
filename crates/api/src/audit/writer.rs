//! Writes the audit log.

use plenary_model::AuditEntry;
use plenary_store::{Journal, Store, StoreError, Writer, WriterBounds, WriterCounts};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tracing::warn;

/// Entries beyond that are in the log of the service only.
const BOUNDS: WriterBounds = WriterBounds { waiting: 10_000, batch: 256, gathered: Duration::ZERO };
/// How long a request waits for its entry to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where entries are written.
#[derive(Debug)]
struct AuditLog(Store);

impl Journal for AuditLog {
    type Entry = AuditEntry;
    const ENTRIES: &'static str = "entries of the audit log";

    // By its request an entry is known again: it does not matter whether an earlier try has succeeded.
    async fn write(&self, entries: &[AuditEntry], _again: bool) -> Result<(), StoreError> {
        self.0.write_audit(entries).await
    }
}

/// Writes the audit log for the web services. Clones write the same one.
#[derive(Clone)]
pub struct AuditWriter(Arc<(Store, OnceLock<Writer<AuditLog>>)>);

impl fmt::Debug for AuditWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditWriter").finish_non_exhaustive()
    }
}

impl AuditWriter {
    /// Into this store. It begins with the first entry, for it needs a runtime.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self(Arc::new((store, OnceLock::new())))
    }

    /// Returns when it is written, or after a while.
    pub(super) async fn write(&self, entry: AuditEntry) {
        let (store, writer) = &*self.0;
        let start = || Writer::start(AuditLog(store.clone()), BOUNDS, Arc::<WriterCounts>::default());
        match writer.get_or_init(start).write_and_tell(entry) {
            Ok(written) => {
                let _ = tokio::time::timeout(PATIENCE, written).await;
            }
            Err(entry) => warn!(?entry, "an entry of the audit log is in this log alone"),
        }
    }

    /// Waits until everything is written.
    pub async fn finish(&self) {
        if let Some(writer) = self.0.1.get() {
            writer.finish().await;
        }
    }
}
