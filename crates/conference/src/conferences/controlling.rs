//! What may be done to a conference and its participants: in every state for the management API, and with the refusals of the seven web
//! services for those.

use super::{Conference, Conferences, EntryOrder, LiveConference, Seat, admitting::FromLobby, turn::Turn};
use crate::{
    controls::ControlsChange,
    effect::{Announcement, EndReason},
    event::ParticipantChange,
    id::{ConferenceKey, ParticipantId},
    refused::{NotAsked, Refused},
    state::State,
    time::{Now, Timestamp},
};

impl Conferences {
    pub(super) fn on_set_options(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
        now: Now,
    ) -> Result<(), Refused> {
        let order = self.active_place(key, participant)?;
        let (live, mut turn) = self.open_live(key, now)?;
        live.set_options(order, muted, dtmf_enabled, None, &mut turn);
        Ok(())
    }

    pub(super) fn on_eject(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        now: Now,
    ) -> Result<(), Refused> {
        self.active_place(key, participant)?;
        self.remove_participant(participant, Some(EndReason::Ejected), now);
        Ok(())
    }

    /// Where one is in a conference that is active.
    fn active_place(&self, key: &ConferenceKey, participant: &ParticipantId) -> Result<EntryOrder, Refused> {
        match self.state(key).ok_or(Refused::UnknownConference)? {
            State::Active => {}
            state @ (State::Reserved | State::Holding | State::Completed) => {
                return Err(Refused::WrongState { state });
            }
        }
        let place = self.place_of(participant).filter(|(conference, _)| conference == key);
        place.map(|(_, order)| order).ok_or(Refused::UnknownParticipant)
    }

    pub(super) fn on_change_participant(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        change: ParticipantChange,
        now: Now,
    ) -> Result<(), Refused> {
        self.check_known(key)?;
        let Some(seat) = self.seats.get(participant).filter(|seat| seat.conference() == key) else {
            return Err(Refused::UnknownParticipant);
        };
        let enters = change.leader == Some(true) && matches!(seat, Seat::Waiting { .. });
        if let Some(live) = self.conferences.get(key).and_then(Conference::live) {
            live.check_change(&change)?;
            if enters && live.is_full() {
                return Err(Refused::Full);
            }
        }
        if let Seat::Entered { order, .. } = *seat {
            let is_made_leader = change.leader == Some(true);
            let (live, mut turn) = self.open_live(key, now)?;
            live.change(order, change, &mut turn);
            if is_made_leader {
                self.history.made_leader(key, participant);
            }
        } else {
            let before = self.shown_guest(key, participant);
            if let Some(Seat::Waiting { guest, .. } | Seat::Admitted { guest, .. }) =
                self.seats.get_mut(participant)
            {
                guest.preset.change(change);
            }
            if let Some(before) = before {
                self.publish_guest(key, before, now);
            }
        }
        // Leaders do not wait in a lobby.
        if enters {
            self.admit_from_lobby(key, FromLobby::One(participant), now)?;
        }
        Ok(())
    }

    pub(super) fn on_remove_participant(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        now: Now,
    ) -> Result<(), Refused> {
        self.check_known(key)?;
        let reason = EndReason::Ejected;
        match self.seats.get(participant).filter(|seat| seat.conference() == key) {
            Some(Seat::Entered { .. }) => self.remove_participant(participant, Some(reason), now),
            Some(Seat::Admitted { .. }) => {
                if let Some((_, mut turn)) = self.open(key, now) {
                    turn.hang_up(participant, reason);
                }
                self.remove_participant(participant, None, now);
            }
            Some(Seat::Waiting { .. }) => return self.turn_away(key, FromLobby::One(participant), now),
            None => return Err(Refused::UnknownParticipant),
        }
        Ok(())
    }

    pub(super) fn check_known(&self, key: &ConferenceKey) -> Result<(), Refused> {
        self.conferences.contains_key(key).then_some(()).ok_or(Refused::UnknownConference)
    }

    pub(super) fn on_mute_all(
        &mut self,
        key: &ConferenceKey,
        muted: bool,
        except_leaders: bool,
        self_unmute: Option<bool>,
        now: Now,
    ) -> Result<(), Refused> {
        let (live, mut turn) = self.open_live(key, now)?;
        let change = ControlsChange { self_unmute, ..ControlsChange::default() };
        live.change_controls(change, None, &mut turn);
        live.mute_all(muted, except_leaders, &mut turn);
        Ok(())
    }

    pub(super) fn on_ask_to_unmute(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        now: Now,
    ) -> Result<(), Refused> {
        self.check_known(key)?;
        let order = match self.seats.get(participant).filter(|seat| seat.conference() == key) {
            Some(Seat::Entered { order, .. }) => *order,
            Some(Seat::Waiting { .. } | Seat::Admitted { .. }) => {
                return Err(Refused::NotAsked(NotAsked::NotIn));
            }
            None => return Err(Refused::UnknownParticipant),
        };
        let (live, mut turn) = self.open_live(key, now)?;
        live.ask_to_unmute(order, &mut turn)
    }

    pub(super) fn on_warn_of_end(
        &mut self,
        key: &ConferenceKey,
        seconds: Option<u32>,
        now: Now,
    ) -> Result<(), Refused> {
        let conference = self.conferences.get(key).ok_or(Refused::UnknownConference)?;
        let (ends_at, refused) = (conference.open_until(), wrong_state(conference));
        let (live, mut turn) = self.open_live(key, now)?;
        // There is none who would hear it.
        if !live.has_members() {
            return Err(refused);
        }
        let left =
            |ends_at: Timestamp| ends_at.0.saturating_sub(now.wall.0).max(0).unsigned_abs().div_ceil(1000);
        let seconds = match (seconds, ends_at) {
            (Some(seconds), _) => seconds,
            (None, Some(ends_at)) => u32::try_from(left(ends_at)).unwrap_or(u32::MAX),
            (None, None) => return Err(Refused::NoEnd),
        };
        turn.announce(Announcement::EndsIn { seconds });
        Ok(())
    }

    pub(super) fn on_change_controls(
        &mut self,
        key: &ConferenceKey,
        change: ControlsChange,
        now: Now,
    ) -> Result<(), Refused> {
        let (live, mut turn) = self.open_live(key, now)?;
        live.change_controls(change, None, &mut turn);
        Ok(())
    }

    pub(super) fn on_end(&mut self, key: &ConferenceKey, now: Now) -> Result<(), Refused> {
        let conference = self.conferences.get(key).ok_or(Refused::UnknownConference)?;
        if conference.reservation().is_some() {
            return Err(wrong_state(conference));
        }
        self.hang_up_on_all(key, EndReason::Ended, now);
        Ok(())
    }

    /// The room of a conference that people may be in; also of one whose first caller is on the way in.
    pub(super) fn open_live<'a>(
        &'a mut self,
        key: &'a ConferenceKey,
        now: Now,
    ) -> Result<(&'a mut LiveConference, Turn<'a>), Refused> {
        let conference = self.conferences.get(key).ok_or(Refused::UnknownConference)?;
        let refused = wrong_state(conference);
        self.open(key, now).ok_or(refused)
    }
}

fn wrong_state(conference: &Conference) -> Refused {
    conference.state().map_or(Refused::UnknownConference, |state| Refused::WrongState { state })
}
