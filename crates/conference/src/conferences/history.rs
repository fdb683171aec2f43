//! What is written down of conferences: who was in, from when to when, and why it ended.
//!
//! It follows what happens, and decides nothing. An unreserved conference is in it from its first participant to its last, a
//! reserved one from the start of its reservation to the end.

use crate::{
    effect::EndReason,
    id::{ConferenceKey, ParticipantId, ReservationToken},
    time::Timestamp,
};
use plenary_model::{HistoryEntry, HistoryReason};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Conferences that are going on, and what is to be written down.
#[derive(Debug, Default)]
pub(super) struct History {
    open: BTreeMap<ConferenceKey, OpenEntry>,
    /// How many there have been.
    count: u32,
    entries: VecDeque<HistoryEntry>,
}

#[derive(Debug)]
struct OpenEntry {
    id: String,
    present: BTreeSet<ParticipantId>,
    /// All were hung up on, for this.
    closed: Option<EndReason>,
}

impl History {
    pub(super) fn poll(&mut self) -> Option<HistoryEntry> {
        self.entries.pop_front()
    }

    /// A conference begins. One that is on already goes on.
    pub(super) fn began(
        &mut self,
        key: &ConferenceKey,
        reservation: Option<&ReservationToken>,
        seats: u32,
        at: Timestamp,
    ) {
        if self.open.contains_key(key) {
            return;
        }
        self.count = self.count.wrapping_add(1);
        // Sorts by time, and differs from those of other accounts and of other runs.
        let id = format!("{:012x}{:08x}{:08x}", at.0.max(0), key.account.0, self.count);
        self.entries.push_back(HistoryEntry::Began {
            id: id.clone(),
            conference: key.clone(),
            at,
            reservation: reservation.cloned(),
            seats,
        });
        self.open.insert(key.clone(), OpenEntry { id, present: BTreeSet::new(), closed: None });
    }

    pub(super) fn entered(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        is_leader: bool,
        at: Timestamp,
    ) {
        let Some(open) = self.open.get_mut(key) else { return };
        open.present.insert(participant.clone());
        open.closed = None;
        self.entries.push_back(HistoryEntry::Entered {
            id: open.id.clone(),
            participant: participant.clone(),
            at,
            is_leader,
            present: u32::try_from(open.present.len()).unwrap_or(u32::MAX),
        });
    }

    pub(super) fn made_leader(&mut self, key: &ConferenceKey, participant: &ParticipantId) {
        let Some(open) = self.open.get(key).filter(|open| open.present.contains(participant)) else { return };
        let (id, participant) = (open.id.clone(), participant.clone());
        self.entries.push_back(HistoryEntry::MadeLeader { id, participant });
    }

    /// Nothing is written of one who was not in.
    pub(super) fn left(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        reason: HistoryReason,
        at: Timestamp,
    ) {
        let Some(open) = self.open.get_mut(key) else { return };
        if open.present.remove(participant) {
            let (id, participant) = (open.id.clone(), participant.clone());
            self.entries.push_back(HistoryEntry::Left { id, participant, at, reason });
        }
    }

    /// All were hung up on.
    pub(super) fn closed(
        &mut self,
        key: &ConferenceKey,
        participants: &[ParticipantId],
        reason: EndReason,
        at: Timestamp,
    ) {
        for participant in participants {
            self.left(key, participant, reason.into(), at);
        }
        if let Some(open) = self.open.get_mut(key) {
            open.closed = Some(reason);
        }
    }

    /// A conference is over. `reason`: of a reserved one; others end when the last one has left, for whatever reason.
    pub(super) fn ended(&mut self, key: &ConferenceKey, reason: Option<EndReason>, at: Timestamp) {
        let Some(OpenEntry { id, closed, .. }) = self.open.remove(key) else { return };
        let reason = reason.or(closed).map_or(HistoryReason::AllLeft, HistoryReason::from);
        self.entries.push_back(HistoryEntry::Ended { id, at, reason });
    }

    /// The service ends: so do all conferences.
    pub(super) fn stop(&mut self, at: Timestamp) {
        let reason = HistoryReason::Stopped;
        for OpenEntry { id, present, .. } in std::mem::take(&mut self.open).into_values() {
            for participant in present {
                self.entries.push_back(HistoryEntry::Left { id: id.clone(), participant, at, reason });
            }
            self.entries.push_back(HistoryEntry::Ended { id, at, reason });
        }
    }
}

impl From<EndReason> for HistoryReason {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::TimeIsUp => Self::TimeIsUp,
            EndReason::LeaderLeft => Self::LeaderLeft,
            EndReason::Ejected => Self::Ejected,
            EndReason::ExitKey => Self::ExitKey,
            EndReason::Ended => Self::Ended,
            EndReason::EndedByLeader => Self::EndedByLeader,
            EndReason::RemovedByLeader => Self::RemovedByLeader,
            EndReason::Alone => Self::Alone,
        }
    }
}
