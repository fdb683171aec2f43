//! What operators do on the machine, for the audit log.

use crate::engine::wall_now;
use anyhow::Context;
use plenary_model::{AUDIT_COMMAND, AuditEntry, remove_secrets};
use plenary_store::Store;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;

/// A command that was carried out: what it was, what there was before, and what there is now.
pub(crate) fn command(
    path: String,
    uid: Option<u32>,
    before: Option<Value>,
    after: Option<Value>,
) -> AuditEntry {
    let without_secrets = |value: Option<Value>| {
        let mut value = value?;
        remove_secrets(&mut value);
        Some(value)
    };
    AuditEntry {
        at: wall_now(),
        account: None,
        actor: uid.map_or_else(|| "unknown".to_owned(), |uid| format!("uid {uid}")),
        key: None,
        person: None,
        source: None,
        request_id: None,
        method: AUDIT_COMMAND.to_owned(),
        path,
        status: 200,
        before: without_secrets(before),
        after: without_secrets(after),
        request: None,
    }
}

/// Writes down a command that this process has carried out.
pub(crate) async fn note(
    store: &Store,
    path: String,
    before: Option<Value>,
    after: Option<Value>,
) -> anyhow::Result<()> {
    let entry = command(path, own_uid(), before, after);
    store.write_audit(&[entry]).await.context("it is done, but the audit log could not be written")
}

/// The user that this process runs as.
fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|process| process.uid())
}
