//! Who waits in the lobby, and who is notified of it.

use super::{EntryOrder, LiveConference, guest::Guest, lobby::Waiting};
use crate::{
    command::News,
    conferences::turn::Turn,
    effect::{Notice, WaitEnd},
    id::ParticipantId,
    refused::Refused,
    room::AdmitAnswer,
};
use plenary_model::EventKind;

impl LiveConference {
    /// A caller waits from now on; a leader who is in is notified.
    pub(in crate::conferences) fn wait(&mut self, id: &ParticipantId, guest: &Guest, turn: &mut Turn<'_>) {
        let name = guest.via.as_ref().and_then(|via| via.name.clone());
        self.lobby.push(Waiting { id: id.clone(), name: name.clone() });
        turn.notify(|conference| Notice::WaitingBegan { conference, participant: id.clone() });
        turn.publish_of(id, EventKind::ParticipantWaiting(guest.who.clone()), None);
        self.tell_leaders(&News::Waiting { name }, None, turn);
        turn.answer(id, AdmitAnswer::Waiting { is_leader_told: self.has_leader() });
    }

    /// One who waits is given a seat, which there has to be.
    pub(in crate::conferences) fn admit_waiting(
        &mut self,
        id: &ParticipantId,
        guest: &Guest,
        turn: &mut Turn<'_>,
    ) {
        self.stop_waiting(id, WaitEnd::Admitted, turn);
        self.admit(id, guest, turn);
    }

    /// One who waits is turned away.
    pub(in crate::conferences) fn turn_away(&mut self, id: &ParticipantId, turn: &mut Turn<'_>) {
        self.stop_waiting(id, WaitEnd::Denied, turn);
        turn.answer(id, AdmitAnswer::Refused(Refused::Denied));
    }

    pub(in crate::conferences) fn stop_waiting(
        &mut self,
        id: &ParticipantId,
        end: WaitEnd,
        turn: &mut Turn<'_>,
    ) {
        if self.lobby.remove(id) {
            Self::say_not_waiting(id, end, turn);
        }
    }

    pub(super) fn say_not_waiting(id: &ParticipantId, end: WaitEnd, turn: &mut Turn<'_>) {
        turn.notify(|conference| Notice::WaitingEnded { conference, participant: id.clone(), end });
        let (kind, reason) = match end {
            WaitEnd::Admitted => (EventKind::ParticipantAdmitted {}, None),
            WaitEnd::Denied => (EventKind::ParticipantRefused {}, Some("denied")),
            WaitEnd::HungUp => (EventKind::ParticipantRefused {}, Some("hung_up")),
            WaitEnd::Over => (EventKind::ParticipantRefused {}, Some("over")),
        };
        turn.publish_of(id, kind, reason);
    }

    /// A new leader hears who waits: of one caller the name, of several how many, for a list of names would take as long as
    /// admitting them.
    pub(super) fn tell_who_waits(&self, order: EntryOrder, turn: &mut Turn<'_>) {
        let (Some(member), Some(first)) = (self.members.get(&order), self.lobby.first()) else { return };
        let news = match self.lobby.len() {
            1 => News::Waiting { name: first.name.clone() },
            several => News::SeveralWait { count: u32::try_from(several).unwrap_or(u32::MAX) },
        };
        turn.tell(&member.id, news);
    }

    /// Callers who wait hear when the first leader has come and when the last one has left.
    pub(super) fn settle_lobby(&mut self, turn: &mut Turn<'_>) {
        let is_leader_told = self.has_leader();
        if self.lobby.set_leader_told(is_leader_told) {
            for id in self.lobby.ids() {
                turn.answer(id, AdmitAnswer::Waiting { is_leader_told });
            }
        }
    }
}
