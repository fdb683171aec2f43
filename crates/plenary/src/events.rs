//! Events that are too old, or too many, go.

use crate::{clock::wall_now, config::EventConfig};
use plenary_model::Timestamp;
use plenary_store::{Store, StoreError};
use std::time::Duration;
use tracing::{info, warn};

/// How often old events are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Of those so many are deleted before the database has a rest.
const DELETED_AT_ONCE: usize = 1000;
const REST: Duration = Duration::from_millis(50);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Deletes what the configuration does not keep, for as long as the service runs.
pub(crate) async fn prune(store: Store, config: EventConfig) {
    loop {
        if let Err(error) = prune_once(&store, &config).await {
            warn!(%error, "old events cannot be deleted; trying again later");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn prune_once(store: &Store, config: &EventConfig) -> Result<(), StoreError> {
    let before = match config.days {
        0 => Timestamp(i64::MIN),
        days => Timestamp(wall_now().0.saturating_sub(i64::from(days) * DAY_MS)),
    };
    let rows = if config.rows == 0 { i64::MAX.unsigned_abs() } else { config.rows };
    for account in store.accounts_with_events().await? {
        let mut gone = 0;
        loop {
            let deleted = store.prune_events(account, before, rows, DELETED_AT_ONCE).await?;
            gone += deleted;
            if deleted < DELETED_AT_ONCE as u64 {
                break;
            }
            tokio::time::sleep(REST).await;
        }
        if gone > 0 {
            info!(account = account.0, events = gone, "old events are deleted");
        }
    }
    Ok(())
}
