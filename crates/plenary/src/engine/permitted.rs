//! Where known callers were permitted of late: written down behind the engine's back, and brought back to the user agent at the start,
//! so that neighbours who fail cannot have their addresses banned after a restart either.

use crate::clock::wall_now;
use plenary_model::Timestamp;
use plenary_sip::{PERMITTED_FOR, SipHandle};
use plenary_store::{Journal, Store, StoreError, Writer, WriterBounds};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tracing::warn;

/// What comes within a second is written at once: after a start each address is news.
const BOUNDS: WriterBounds = WriterBounds { waiting: 10_000, batch: 500, gathered: Duration::from_secs(1) };

/// The writer.
#[derive(Debug)]
pub(super) struct PermittedWriter(Writer<Sources>);

#[derive(Debug)]
struct Sources(Store);

impl Journal for Sources {
    type Entry = (IpAddr, Timestamp);
    const ENTRIES: &'static str = "addresses of permitted callers";

    // Each replaces what was written before of the same address.
    async fn write(&self, entries: &[Self::Entry], _again: bool) -> Result<(), StoreError> {
        self.0.write_permitted(entries).await
    }
}

impl PermittedWriter {
    /// Brings back what is on record, and begins to write. Without it callers are as unknown as after the first start.
    pub(super) async fn start(store: Store, sip: &SipHandle) -> Self {
        let now = wall_now();
        match store.permitted_since(now.minus(PERMITTED_FOR)).await {
            Ok(permitted) => sip.remember_permitted(aged(permitted, now)),
            Err(error) => warn!(%error, "it cannot be read where callers were permitted before"),
        }
        Self(Writer::start(Sources(store), BOUNDS, Arc::default()))
    }

    pub(super) fn write(&self, source: IpAddr) {
        self.0.write((source, wall_now()));
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) {
        self.0.finish().await;
    }
}

/// How long ago each was. What was written before a clock was set back is of now.
fn aged(permitted: Vec<(IpAddr, Timestamp)>, now: Timestamp) -> Vec<(IpAddr, Duration)> {
    let age = |at: Timestamp| Duration::from_millis(now.0.saturating_sub(at.0).max(0).unsigned_abs());
    permitted.into_iter().map(|(source, at)| (source, age(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_calendar_become_ages() {
        let (now, source) = (Timestamp::from_seconds(1_700_000_000), IpAddr::from([192, 0, 2, 1]));
        let at = |seconds: i64| (source, Timestamp(now.0 + seconds * 1000));
        let ages = aged(vec![at(-7), at(0), at(5)], now);
        assert_eq!(ages, [7, 0, 0].map(|seconds| (source, Duration::from_secs(seconds))));
    }
}
