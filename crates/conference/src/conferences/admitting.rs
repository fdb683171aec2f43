//! How calls get a seat, enter and leave.

use super::{Conference, Conferences, EntryOrder, Guest, LiveConference, Member, Seat};
use crate::{
    controls::Controls,
    effect::{EndReason, Notice, WaitEnd},
    id::{ConferenceKey, ParticipantId},
    refused::Refused,
    time::Now,
};
use plenary_model::{EventKind, HistoryReason};

/// Why one who is called has not come: it was not waited for.
const GIVEN_UP: &str = "given_up";

/// Which callers in the lobby.
#[derive(Debug, Clone, Copy)]
pub(super) enum FromLobby<'a> {
    /// The one who has waited longest.
    First,
    One(&'a ParticipantId),
}

impl Conferences {
    pub(super) fn on_admit(
        &mut self,
        participant: ParticipantId,
        key: ConferenceKey,
        guest: Guest,
        is_called: bool,
        now: Now,
    ) -> Result<(), Refused> {
        if self.seats.contains_key(&participant) {
            return Err(Refused::AlreadyAdmitted);
        }
        let has_place = guest.in_place_of.is_some();
        // Who is called was asked for, and has no PIN.
        let waits =
            guest.rules().is_some_and(|rules| rules.lobby) && !guest.is_leader() && !is_called && !has_place;
        // Who has the leader's PIN could unlock it.
        let may_pass_lock = has_place || is_called || guest.via.as_ref().is_some_and(|via| via.is_leader);
        self.check_room_for(&key, may_pass_lock, has_place || waits)?;
        if waits && self.live(&key).is_some_and(|live| live.lobby.is_full()) {
            return Err(Refused::LobbyFull);
        }
        self.create_if_missing(&key, now);
        let Some((live, mut turn)) = self.open(&key, now) else { return Err(Refused::UnknownConference) };
        if let Some(rules) = guest.rules() {
            live.adopt_rules(rules, &mut turn);
        }
        let guest = Box::new(guest);
        let seat = if waits {
            live.wait(&participant, &guest, &mut turn);
            Seat::Waiting { conference: key, guest }
        } else {
            live.admit(&participant, &guest, &mut turn);
            Seat::Admitted { conference: key, guest }
        };
        self.seats.insert(participant, seat);
        Ok(())
    }

    /// Whether a conference takes one more now; also one that does not exist yet.
    pub(super) fn check_room_for(
        &self,
        key: &ConferenceKey,
        may_pass_lock: bool,
        needs_no_seat: bool,
    ) -> Result<(), Refused> {
        let (is_locked, is_full) = match self.conferences.get(key) {
            None if self.claims.contains_key(key) => {
                return Err(Refused::Early { divert: None, starts_at: None });
            }
            None => (false, self.conference_limits.unreserved_max_participants == 0),
            Some(conference) => match (conference.closed(), conference.live()) {
                (Some(refused), _) => return Err(refused),
                (None, Some(live)) => (live.controls.locked, live.is_full()),
                (None, None) => return Err(Refused::UnknownConference),
            },
        };
        if is_locked && !may_pass_lock {
            return Err(Refused::Locked);
        }
        if is_full && !needs_no_seat {
            return Err(Refused::Full);
        }
        Ok(())
    }

    pub(super) fn create_if_missing(&mut self, key: &ConferenceKey, now: Now) {
        if self.conferences.contains_key(key) {
            return;
        }
        let seats = self.conference_limits.unreserved_max_participants;
        let live = LiveConference::new(seats);
        self.conferences.insert(key.clone(), Conference::unreserved(live));
        if let Some((_, mut turn)) = self.open(key, now) {
            turn.notify(|conference| Notice::ConferenceCreated { conference });
            turn.publish(EventKind::ConferenceCreated { reserved: false, max_participants: seats });
        }
    }

    fn live(&self, key: &ConferenceKey) -> Option<&LiveConference> {
        self.conferences.get(key)?.live()
    }

    /// It is in this conference, and no other call is on the way to its seat.
    pub(super) fn may_be_replaced(&self, participant: &ParticipantId, key: &ConferenceKey) -> bool {
        let is_in = matches!(self.seats.get(participant), Some(Seat::Entered { conference, .. }) if conference == key);
        is_in && !self.is_followed(participant)
    }

    /// Another call is on the way to its place.
    fn is_followed(&self, participant: &ParticipantId) -> bool {
        let follows = |seat: &Seat| matches!(seat, Seat::Admitted { guest, .. } if guest.in_place_of.as_ref() == Some(participant));
        self.seats.values().any(follows)
    }

    /// A participant leaves to another call, which is in already or is still on its way. `by`: calls to others that are on their way.
    pub(super) fn on_taken_over(&mut self, participant: &ParticipantId, by: &[ParticipantId], now: Now) {
        if let Some((key, order)) = self.place_of(participant) {
            let successor = self.seats.values_mut().find_map(|seat| match seat {
                Seat::Admitted { guest, .. } if guest.in_place_of.as_ref() == Some(participant) => {
                    Some(guest)
                }
                Seat::Admitted { .. } | Seat::Waiting { .. } | Seat::Entered { .. } => None,
            });
            if let Some(live) = self.conferences.get_mut(&key).and_then(Conference::live_mut) {
                if let Some(guest) = successor {
                    live.hand_over(order, guest);
                }
                live.mark_replaced(order);
            }
            // Others come as themselves, with nothing of this one's standing; but with the last of them that fails, it has left.
            for id in by {
                if let Some(Seat::Admitted { conference, guest }) = self.seats.get_mut(id)
                    && *conference == key
                {
                    guest.in_place_of.get_or_insert_with(|| participant.clone());
                }
            }
        }
        self.remove_participant(participant, None, now);
    }

    pub(super) fn on_connected(&mut self, participant: &ParticipantId, now: Now) -> Result<(), Refused> {
        let (key, guest) = match self.seats.remove(participant) {
            Some(Seat::Admitted { conference, guest }) => (conference, guest),
            Some(seat) => {
                let refused = match seat {
                    // It has not been admitted.
                    Seat::Waiting { .. } => Refused::UnknownParticipant,
                    Seat::Entered { .. } | Seat::Admitted { .. } => Refused::AlreadyAdmitted,
                };
                self.seats.insert(participant.clone(), seat);
                return Err(refused);
            }
            None => return Err(Refused::UnknownParticipant),
        };
        let Some((live, mut turn)) = self.open(&key, now) else { return Err(Refused::UnknownConference) };
        let order = live.enter(participant, *guest, None, &mut turn);
        self.note_entered(&key, participant, order, now);
        if self.member(&key, order).is_some_and(Member::is_leader) {
            self.tell_leader_of_guessing(&key, participant, now);
        }
        self.seats.insert(participant.clone(), Seat::Entered { conference: key, order });
        Ok(())
    }

    /// A participant is in, for the history.
    pub(super) fn note_entered(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        order: EntryOrder,
        now: Now,
    ) {
        let Some(conference) = self.conferences.get(key) else { return };
        let reservation = conference.reservation().map(|reservation| &reservation.token);
        self.history.began(key, reservation, conference.max_participants(), now.wall);
        let is_leader = self.member(key, order).is_some_and(Member::is_leader);
        self.history.entered(key, participant, is_leader, now.wall);
    }

    /// Takes a call out, with everything that follows from it. Nothing happens for one that has no place.
    pub(super) fn remove_participant(
        &mut self,
        participant: &ParticipantId,
        hang_up: Option<EndReason>,
        now: Now,
    ) {
        let Some(seat) = self.seats.remove(participant) else { return };
        let key = seat.conference().clone();
        let is_followed = self.is_followed(participant);
        // It was the last call on the way to that one's place.
        let abandoned = match &seat {
            Seat::Admitted { guest, .. } => guest.in_place_of.as_ref().filter(|of| !self.is_followed(of)),
            Seat::Waiting { .. } | Seat::Entered { .. } => None,
        };
        let Some((live, mut turn)) = self.open(&key, now) else { return };
        let ends_for_all = match &seat {
            Seat::Waiting { .. } => {
                live.stop_waiting(participant, WaitEnd::HungUp, &mut turn);
                false
            }
            Seat::Admitted { guest, .. } => {
                live.withdraw(participant);
                let ends_for_all = abandoned.is_some_and(|of| live.has_left_for_good(of, &mut turn));
                self.publish_not_reached(&key, participant, guest, GIVEN_UP, now);
                ends_for_all
            }
            Seat::Entered { order, .. } => {
                let ends_for_all = live.leave(*order, hang_up, is_followed, &mut turn);
                let reason = hang_up.map_or(HistoryReason::HungUp, HistoryReason::from);
                self.history.left(&key, participant, reason, now.wall);
                ends_for_all
            }
        };
        if !matches!(seat, Seat::Waiting { .. }) {
            self.after_one_left(&key, ends_for_all, now);
        }
    }

    /// What follows for a conference that one has left.
    pub(super) fn after_one_left(&mut self, key: &ConferenceKey, ends_for_all: bool, now: Now) {
        if ends_for_all {
            self.hang_up_on_all(key, EndReason::LeaderLeft, now);
        }
        let is_reserved = self.reservation_of(key).is_some();
        if let Some((live, mut turn)) = self.open(key, now)
            && live.is_vacant()
            && !live.lobby.is_empty()
            && !is_reserved
        {
            live.begin_anew(&mut turn);
            self.history.ended(key, None, now.wall);
        }
        self.unlock_if_deserted(key, now);
    }

    /// A reserved conference that all have left is unlocked: nobody is in who could do it, and all may have lost their network.
    pub(super) fn unlock_if_deserted(&mut self, key: &ConferenceKey, now: Now) {
        let is_reserved = self.reservation_of(key).is_some();
        if let Some((live, mut turn)) = self.open(key, now)
            && is_reserved
            && live.is_vacant()
        {
            live.set_controls(Controls { locked: false, ..live.controls }, &mut turn);
        }
    }

    pub(super) fn on_admit_waiting(
        &mut self,
        key: &ConferenceKey,
        participant: Option<&ParticipantId>,
        now: Now,
    ) -> Result<(), Refused> {
        self.check_known(key)?;
        match participant {
            // A leader may have been quicker by a key.
            Some(id) if self.has_seat(key, id) => Ok(()),
            Some(id) => self.admit_from_lobby(key, FromLobby::One(id), now),
            None => match self.admit_all_from_lobby(key, now) {
                (0, left) if left > 0 => Err(Refused::Full),
                _ => Ok(()),
            },
        }
    }

    /// Whether a participant is in the conference, or on the way in.
    fn has_seat(&self, key: &ConferenceKey, participant: &ParticipantId) -> bool {
        match self.seats.get(participant) {
            Some(Seat::Admitted { conference, .. } | Seat::Entered { conference, .. }) => conference == key,
            Some(Seat::Waiting { .. }) | None => false,
        }
    }

    /// How many were admitted, and how many still wait because there is no seat.
    pub(super) fn admit_all_from_lobby(&mut self, key: &ConferenceKey, now: Now) -> (usize, usize) {
        let mut admitted = 0;
        while self.admit_from_lobby(key, FromLobby::First, now).is_ok() {
            admitted += 1;
        }
        (admitted, self.live(key).map_or(0, |live| live.lobby.len()))
    }

    /// Gives a seat to one who waits.
    ///
    /// # Errors
    /// [`Refused::UnknownParticipant`]: there is no such one; [`Refused::Full`]: it still waits.
    pub(super) fn admit_from_lobby(
        &mut self,
        key: &ConferenceKey,
        which: FromLobby<'_>,
        now: Now,
    ) -> Result<(), Refused> {
        let id = self.find_in_lobby(key, which)?;
        if self.live(key).is_none_or(LiveConference::is_full) {
            return Err(Refused::Full);
        }
        let Some(Seat::Waiting { guest, .. }) = self.seats.remove(&id) else {
            return Err(Refused::UnknownParticipant);
        };
        if let Some((live, mut turn)) = self.open(key, now) {
            live.admit_waiting(&id, &guest, &mut turn);
        }
        self.seats.insert(id, Seat::Admitted { conference: key.clone(), guest });
        Ok(())
    }

    /// Turns one away who waits.
    ///
    /// # Errors
    /// [`Refused::UnknownParticipant`]: there is no such one.
    pub(super) fn turn_away(
        &mut self,
        key: &ConferenceKey,
        which: FromLobby<'_>,
        now: Now,
    ) -> Result<(), Refused> {
        let id = self.find_in_lobby(key, which)?;
        self.seats.remove(&id);
        if let Some((live, mut turn)) = self.open(key, now) {
            live.turn_away(&id, &mut turn);
        }
        Ok(())
    }

    /// How many were turned away.
    pub(super) fn turn_all_away(&mut self, key: &ConferenceKey, now: Now) -> usize {
        let mut turned_away = 0;
        while self.turn_away(key, FromLobby::First, now).is_ok() {
            turned_away += 1;
        }
        turned_away
    }

    pub(super) fn on_refuse_all_waiting(&mut self, key: &ConferenceKey, now: Now) -> Result<(), Refused> {
        self.check_known(key)?;
        self.turn_all_away(key, now);
        Ok(())
    }

    fn find_in_lobby(&self, key: &ConferenceKey, which: FromLobby<'_>) -> Result<ParticipantId, Refused> {
        let found = self.live(key).and_then(|live| match which {
            FromLobby::First => live.lobby.first().map(|first| first.id.clone()),
            FromLobby::One(id) => live.lobby.has(id).then(|| id.clone()),
        });
        found.ok_or(Refused::UnknownParticipant)
    }
}
