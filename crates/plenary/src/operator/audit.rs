//! What operators do on the machine, for the audit log.

use crate::clock::wall_now;
use anyhow::Context;
use plenary_model::{AUDIT_COMMAND, Actor, AuditEntry, remove_secrets};
use plenary_store::{Doing, Store};
use serde_json::Value;
use std::{os::unix::fs::MetadataExt, sync::Arc};

/// A command: what it is, and what there was before.
pub(crate) fn command(path: String, uid: Option<u32>, before: Option<Value>) -> AuditEntry {
    let mut id = [0; 8];
    // Without random numbers, which are always there, it has no id, and is written when it is done.
    let request_id = getrandom::fill(&mut id).is_ok().then(|| format!("{:016x}", u64::from_be_bytes(id)));
    AuditEntry {
        at: wall_now(),
        account: None,
        actor: uid.map_or_else(|| "unknown".to_owned(), |uid| format!("uid {uid}")),
        key: None,
        person: None,
        source: None,
        request_id,
        method: AUDIT_COMMAND.to_owned(),
        path,
        status: None,
        before: without_secrets(before),
        after: None,
        request: None,
    }
}

/// It was carried out, and this is there now.
pub(crate) fn done(entry: AuditEntry, after: Option<Value>) -> AuditEntry {
    AuditEntry { at: wall_now(), status: Some(200), after: without_secrets(after), ..entry }
}

fn without_secrets(value: Option<Value>) -> Option<Value> {
    let mut value = value?;
    remove_secrets(&mut value);
    Some(value)
}

/// A command that this process carries out: what it changes by the store is in the audit log with it.
pub(crate) struct AuditedCommand {
    pub(crate) store: Store,
    entry: Arc<AuditEntry>,
}

impl AuditedCommand {
    pub(crate) fn begin(store: &Store, path: String, before: Option<Value>) -> Self {
        let entry = Arc::new(command(path, own_uid(), before));
        let store = store.acting(Doing { entry: Some(entry.clone()), ..Doing::from(Actor::api()) });
        Self { store, entry }
    }

    /// It is carried out, and this is there now.
    pub(crate) async fn done(self, after: Option<Value>) -> anyhow::Result<()> {
        let entry = done(AuditEntry::clone(&self.entry), after);
        let written = self.store.write_audit(&[entry]).await;
        written.context("it is done, but the audit log could not be written")
    }
}

/// The user that this process runs as.
fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|process| process.uid())
}
