//! Participants who go from one conference to another.

use super::{Conferences, Seat};
use crate::{
    effect::Effect,
    id::{ConferenceKey, ParticipantId},
    refused::Refused,
    time::Now,
};
use plenary_model::HistoryReason;

impl Conferences {
    pub(super) fn on_move(
        &mut self,
        from: &ConferenceKey,
        participant: &ParticipantId,
        to: &ConferenceKey,
        now: Now,
    ) -> Result<(), Refused> {
        self.check_known(from)?;
        let order = match self.seats.get(participant).filter(|seat| seat.conference() == from) {
            Some(Seat::Entered { order, .. }) => *order,
            Some(Seat::Waiting { .. } | Seat::Admitted { .. }) => return Err(Refused::NotIn),
            None => return Err(Refused::UnknownParticipant),
        };
        // It is where it is wanted, as after a request that is sent again.
        if to == from {
            return Ok(());
        }
        if to.account != from.account {
            return Err(Refused::UnknownConference);
        }
        self.check_room_for(to, false, false)?;
        let Some((live, mut turn)) = self.open(from, now) else { return Err(Refused::UnknownConference) };
        let Some((guest, ends_for_all)) = live.move_out(order, &mut turn) else {
            return Err(Refused::UnknownParticipant);
        };
        self.history.left(from, participant, HistoryReason::Moved, now.wall);
        self.seats.remove(participant);
        self.after_one_left(from, ends_for_all, now);
        self.create_if_missing(to, now);
        let Some((live, mut turn)) = self.open(to, now) else { return Err(Refused::UnknownConference) };
        if let Some(rules) = guest.rules().filter(|_| !live.has_rules()) {
            live.adopt_rules(rules, &mut turn);
        }
        turn.effect(Effect::MoveIn {
            conference: to.clone(),
            participant: participant.clone(),
            from: from.clone(),
        });
        let order = live.enter(participant, guest, Some(&from.name), &mut turn);
        self.note_entered(to, participant, order, now);
        self.seats.insert(participant.clone(), Seat::Entered { conference: to.clone(), order });
        Ok(())
    }
}
