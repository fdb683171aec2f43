//! Dialogs over WebSockets that are over: a page that is loaded again, or comes back from a lost network, may still name its own
//! (RFC 3891).

use crate::ua::{CallId, Flow, Replaces, Transport, dialog::Dialog};
use std::{collections::VecDeque, time::Duration};

/// A dialog can be named for this long after its end.
pub const DIALOG_KEPT_FOR: Duration = Duration::from_secs(30);
/// Such dialogs at a time. Beyond that the oldest are forgotten.
const DIALOGS_MAX: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct OverDialogs {
    /// The oldest first.
    dialogs: VecDeque<OverDialog>,
}

#[derive(Debug)]
struct OverDialog {
    call: CallId,
    call_id: String,
    local_tag: String,
    remote_tag: String,
    flow: Flow,
    until: Duration,
}

impl OverDialogs {
    pub(super) fn add(&mut self, call: CallId, dialog: &Dialog, now: Duration) {
        if !is_websocket(dialog.flow) {
            return;
        }
        let is_past = |oldest: &OverDialog| oldest.until <= now;
        while self.dialogs.len() >= DIALOGS_MAX || self.dialogs.front().is_some_and(is_past) {
            self.dialogs.pop_front();
        }
        self.dialogs.push_back(OverDialog {
            call,
            call_id: dialog.call_id.clone(),
            local_tag: dialog.local_tag.clone(),
            remote_tag: dialog.remote_tag.clone(),
            flow: dialog.flow,
            until: now + DIALOG_KEPT_FOR,
        });
    }

    /// The call that had this dialog, and where its other side was.
    pub(super) fn find(&self, replaces: &Replaces, now: Duration) -> Option<(CallId, Flow)> {
        let is_named = |over: &&OverDialog| {
            now < over.until
                && over.call_id == replaces.call_id
                && over.local_tag == replaces.to_tag
                && over.remote_tag == replaces.from_tag
        };
        self.dialogs.iter().find(is_named).map(|over| (over.call, over.flow))
    }
}

pub(super) fn is_websocket(flow: Flow) -> bool {
    matches!(flow.transport, Transport::Ws | Transport::Wss)
}
