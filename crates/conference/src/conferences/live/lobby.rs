//! Callers who wait until a leader admits them. They hold no seat.

use crate::id::ParticipantId;
use plenary_model::NameId;

/// So many callers wait at the most: leaders need not listen to a longer list, and one caller with many lines cannot fill the node.
const WAITING_MAX: usize = 40;

/// In order of arrival.
#[derive(Debug, Default)]
pub(in crate::conferences) struct Lobby {
    waiting: Vec<Waiting>,
    /// What they last heard about leaders: one is in.
    is_leader_told: bool,
}

#[derive(Debug, Clone)]
pub(in crate::conferences) struct Waiting {
    pub(in crate::conferences) id: ParticipantId,
    /// Their recorded name.
    pub(in crate::conferences) name: Option<NameId>,
}

impl Lobby {
    pub(in crate::conferences) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    pub(in crate::conferences) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(in crate::conferences) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(in crate::conferences) fn first(&self) -> Option<&Waiting> {
        self.waiting.first()
    }

    pub(in crate::conferences) fn has(&self, id: &ParticipantId) -> bool {
        self.waiting.iter().any(|one| one.id == *id)
    }

    pub(in crate::conferences) fn ids(&self) -> impl Iterator<Item = &ParticipantId> {
        self.waiting.iter().map(|one| &one.id)
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    /// One waits no more; `false`: it did not wait.
    pub(super) fn remove(&mut self, id: &ParticipantId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|one| one.id != *id);
        self.waiting.len() < before
    }

    pub(super) fn take_all(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    /// Whether callers who wait have to hear that a leader has come, or that the last one has left.
    pub(super) fn set_leader_told(&mut self, has_leader: bool) -> bool {
        std::mem::replace(&mut self.is_leader_told, has_leader) != has_leader && !self.is_empty()
    }
}
