//! The event log.

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// The most days that events can be kept: ten years.
const DAYS_MAX: u32 = 3660;

/// `[events]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EventConfig {
    /// Events are deleted after so many days; 0: never.
    pub(crate) days: u32,
    /// So many events of each account are kept, the last ones; 0: all.
    pub(crate) rows: u64,
    /// Connections that follow the events of an account at a time.
    pub(crate) followers_per_account: usize,
}

impl Default for EventConfig {
    fn default() -> Self {
        Self { days: 30, rows: 1_000_000, followers_per_account: 1000 }
    }
}

impl EventConfig {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.days > DAYS_MAX {
            bail!("[events] days is {}: 0 to {DAYS_MAX} are allowed", self.days);
        }
        if !(1..=100_000).contains(&self.followers_per_account) {
            bail!(
                "[events] followers_per_account is {}: 1 to 100000 are allowed",
                self.followers_per_account
            );
        }
        Ok(())
    }
}
