//! What is kept of calls, conferences and changes, and for how long.

use anyhow::bail;
use plenary_model::Redaction;
use serde::{Deserialize, Serialize};

/// The most days that something can be kept: ten years.
const DAYS_MAX: u32 = 3660;

/// `[history]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HistoryConfig {
    /// Records of calls and conferences are deleted so many days after their end; 0: never.
    pub(crate) days: u32,
    /// What becomes of numbers and names of people in records of calls.
    pub(crate) numbers: Numbers,
    /// So many days after the call; 0: as soon as it is over.
    pub(crate) numbers_days: u32,
}

/// What becomes of numbers in records of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Numbers {
    /// They stay as long as the record.
    Keep,
    /// Their last four digits are replaced by `*`.
    Mask,
    /// They are removed.
    Drop,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        // Thirteen months: what was used in a month can be compared with the same month of the year before.
        Self { days: 400, numbers: Numbers::Keep, numbers_days: 30 }
    }
}

impl HistoryConfig {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for (name, days) in [("days", self.days), ("numbers_days", self.numbers_days)] {
            if days > DAYS_MAX {
                bail!("[history] {name} is {days}: 0 to {DAYS_MAX} are allowed");
            }
        }
        Ok(())
    }

    /// What becomes of numbers; `None`: nothing.
    pub(crate) fn redaction(&self) -> Option<Redaction> {
        match self.numbers {
            Numbers::Keep => None,
            Numbers::Mask => Some(Redaction::Mask),
            Numbers::Drop => Some(Redaction::Drop),
        }
    }
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuditConfig {
    /// Entries of the audit log are deleted after so many days; 0: never.
    pub(crate) days: u32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { days: 400 }
    }
}

impl AuditConfig {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.days > DAYS_MAX {
            bail!("[audit] days is {}: 0 to {DAYS_MAX} are allowed", self.days);
        }
        Ok(())
    }
}
