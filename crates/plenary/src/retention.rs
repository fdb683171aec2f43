//! Deletes what is older than is kept, and takes numbers out of what stays.

use crate::{
    config::{AuditConfig, HistoryConfig},
    engine::wall_now,
};
use plenary_model::Timestamp;
use plenary_store::{Store, StoreError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// So much is done before the database has a rest.
const AT_ONCE: usize = 500;
/// The rest.
const REST: Duration = Duration::from_millis(200);
/// How long the messages of calls are kept that have failed, where numbers are kept as long.
const MESSAGES_DAYS: u32 = 7;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Runs until it is aborted.
pub(crate) fn start(store: Store, history: HistoryConfig, audit: AuditConfig) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            match once(&store, &history, &audit).await {
                Ok(true) => tokio::time::sleep(REST).await,
                Ok(false) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => {
                    warn!(%error, "records that are too old cannot be deleted; trying again later");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    })
}

/// Does a part of what is due. True: there may be more.
async fn once(store: &Store, history: &HistoryConfig, audit: &AuditConfig) -> Result<bool, StoreError> {
    let now = wall_now();
    let before = |days: u32| Timestamp(now.0.saturating_sub(i64::from(days) * DAY_MS));
    let (mut records, mut entries, mut numbers, mut has_more) = (0, 0, 0, false);
    let mut messages_days = MESSAGES_DAYS;
    if history.days > 0 {
        records = store.prune_history(before(history.days), AT_ONCE).await?;
    }
    if audit.days > 0 {
        entries = store.prune_audit(before(audit.days), AT_ONCE).await?;
    }
    if let Some(how) = history.redaction() {
        let before = before(history.numbers_days);
        numbers = store.redact_old(before, how, now, AT_ONCE).await?;
        for account in store.accounts_with_events().await? {
            has_more |= store.redact_old_events(account, before, how, AT_ONCE).await? >= AT_ONCE as u64;
        }
        messages_days = messages_days.min(history.numbers_days);
    }
    let messages = store.prune_messages(before(messages_days)).await?;
    if records + entries + numbers + messages > 0 {
        info!(
            records,
            audit = entries,
            numbers,
            messages,
            "old records are deleted, and numbers taken out of others"
        );
    }
    Ok(has_more || [records, entries, numbers].into_iter().any(|count| count >= AT_ONCE as u64))
}
