//! What the management API shows of a participant after its call: kept for participants that were called or transferred.

use crate::control::TransferState;
use plenary_conference::{ConferenceKey, Mono, ParticipantId};
use std::collections::{BTreeMap, VecDeque};

/// How long an ended participant can be read, in milliseconds.
const KEPT_MS: u64 = 10 * 60 * 1000;
/// Ended participants that can be read at a time; beyond that the oldest is dropped.
const KEPT_MAX: usize = 5000;

/// A participant's call as it is shown once the call is gone.
#[derive(Debug, Clone)]
pub(crate) struct PastCall {
    /// The participant was called.
    pub(crate) is_outgoing: bool,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) display_name: Option<String>,
    /// The called side refused or was not reached.
    pub(crate) has_failed: bool,
    /// The SIP status of a failed call.
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<String>,
    pub(crate) trunk: Option<String>,
    pub(crate) transfer: Option<TransferState>,
}

/// Participants that were called or transferred, by id. The entry of a call that is up is kept as long as the call.
#[derive(Debug, Default)]
pub(crate) struct ParticipantHistory {
    calls: BTreeMap<ParticipantId, (ConferenceKey, PastCall)>,
    /// Oldest first.
    ended: VecDeque<(Mono, ParticipantId)>,
}

impl ParticipantHistory {
    pub(crate) fn insert(&mut self, key: ConferenceKey, id: ParticipantId, call: PastCall) {
        self.calls.insert(id, (key, call));
    }

    pub(crate) fn get(&self, id: &ParticipantId) -> Option<&PastCall> {
        self.calls.get(id).map(|(_, call)| call)
    }

    /// `None` also for a participant of another conference.
    pub(crate) fn get_in(&self, key: &ConferenceKey, id: &ParticipantId) -> Option<&PastCall> {
        self.calls.get(id).filter(|(of, _)| of == key).map(|(_, call)| call)
    }

    pub(crate) fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut PastCall)) {
        if let Some((_, call)) = self.calls.get_mut(id) {
            change(call);
        }
    }

    /// The call is over. `cause` is its reason unless it failed or another reason was set before.
    pub(crate) fn end(&mut self, id: &ParticipantId, cause: &str, now: Mono) {
        let Some((_, call)) = self.calls.get_mut(id) else { return };
        if !call.has_failed {
            call.reason.get_or_insert_with(|| cause.to_owned());
        }
        self.ended.push_back((now, id.clone()));
        while let Some((at, _)) = self.ended.front()
            && (self.ended.len() > KEPT_MAX || now.0.saturating_sub(at.0) > KEPT_MS)
        {
            if let Some((_, id)) = self.ended.pop_front() {
                self.calls.remove(&id);
            }
        }
    }
}
