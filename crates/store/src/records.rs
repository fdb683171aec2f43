//! Call records: who called, when, and how it ended.

use crate::{Store, StoreError};
use plenary_conference::{AccountId, Timestamp};

/// A call that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Its id, which is its participant id: `01234567a1b1c1c2.234`.
    pub id: String,
    /// Whose inbound service was called.
    pub account: AccountId,
    /// The inbound service.
    pub service: String,
    /// The conference it was connected to, if it was.
    pub conference: Option<String>,
    /// Who called.
    pub from: String,
    /// The name or number that was called.
    pub to: String,
    /// When it began.
    pub started_at: Timestamp,
}

/// A call as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecordEntry {
    /// How it began.
    pub call: CallRecord,
    /// When it ended; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub cause: Option<String>,
    /// Statistics of its media, as given when it ended.
    pub stats: Option<String>,
}

#[allow(missing_docs)]
impl Store {
    pub async fn call_started(&self, call: &CallRecord) -> Result<(), StoreError> { todo!() }
    pub async fn call_ended(&self, id: &str, ended_at: Timestamp, cause: &str, stats: Option<&str>) -> Result<(), StoreError> { todo!() }
    /// Closes the records that a crash left open. For the serving process at its start, before its first call.
    pub async fn interrupt_open_calls(&self, at: Timestamp) -> Result<u64, StoreError> { todo!() }
    /// The latest records of an account, newest first.
    pub async fn calls(&self, account: AccountId, limit: u32) -> Result<Vec<CallRecordEntry>, StoreError> { todo!() }
}
