//! One conference name: the reservations of it, and the participants who are there.

use super::live::LiveConference;
use crate::{id::ConferenceKey, refused::Refused, reservation::Reservation, state::State, time::Timestamp};

/// What goes by one name.
#[derive(Debug, Default)]
pub(super) struct Conference {
    /// Where participants are: there during a reservation, and without one while a participant is in, on the way in or in the lobby.
    /// Most conferences are yet to come, and have none.
    pub(super) live: Option<Box<LiveConference>>,
    /// The start of the reservation that the room is of; `None`: nobody's.
    pub(super) open: Option<Timestamp>,
    /// By start. Nearly always there is one: a map would take the memory of eleven.
    pub(super) reservations: Vec<Reserved>,
}

#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) reservation: Reservation,
    /// Its time is up; it is kept for a while.
    pub(super) is_over: bool,
}

/// What the calendar does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline {
    pub(super) at: Timestamp,
    pub(super) due: Due,
    pub(super) conference: ConferenceKey,
    /// Which reservation of it.
    pub(super) starts_at: Timestamp,
}

/// In the order in which it happens at one instant: the room is empty before the next ones come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    End,
    Start,
    Forget,
}

impl Conference {
    pub(super) fn unreserved(live: LiveConference) -> Self {
        Self { live: Some(Box::new(live)), ..Self::default() }
    }

    pub(super) fn live(&self) -> Option<&LiveConference> {
        self.live.as_deref()
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut LiveConference> {
        self.live.as_deref_mut()
    }

    /// It is not reserved, and no call is in, on the way in or in the lobby.
    pub(super) fn is_deserted(&self) -> bool {
        self.reservations.is_empty() && self.live().is_none_or(LiveConference::is_deserted)
    }

    /// The reservation whose turn it is; `None`: it has none.
    pub(super) fn reservation(&self) -> Option<&Reservation> {
        self.current().map(|current| &current.reservation)
    }

    fn current(&self) -> Option<&Reserved> {
        match self.open {
            Some(starts_at) => self.index_of(starts_at).ok().map(|index| &self.reservations[index]),
            None => self.reservations.iter().find(|one| !one.is_over).or(self.reservations.last()),
        }
    }

    /// Why a caller is refused who comes now; `None`: there is a room.
    pub(super) fn closed(&self) -> Option<Refused> {
        match self.current() {
            None => None,
            Some(_) if self.live.is_some() => None,
            Some(current) if current.is_over => Some(Refused::Over),
            Some(next) => Some(Refused::Early {
                divert: next.reservation.divert.clone(),
                starts_at: Some(next.reservation.starts_at),
            }),
        }
    }

    /// When the reservation is over that the room is of.
    pub(super) fn open_until(&self) -> Option<Timestamp> {
        self.open.and_then(|starts_at| self.at(starts_at)).map(|open| open.reservation.ends_at())
    }

    /// `None`: an unreserved conference whose first caller is still on the way in does not exist yet.
    pub(super) fn state(&self) -> Option<State> {
        match (self.current(), &self.live) {
            (Some(current), _) => Some(self.state_of(current)),
            (None, Some(live)) => live.has_members().then(|| live_state(live)),
            (None, None) => None,
        }
    }

    pub(super) fn state_of(&self, reserved: &Reserved) -> State {
        match &self.live {
            Some(live) if self.open == Some(reserved.reservation.starts_at) => live_state(live),
            _ if reserved.is_over => State::Completed,
            _ => State::Reserved,
        }
    }

    pub(super) fn index_of(&self, starts_at: Timestamp) -> Result<usize, usize> {
        self.reservations.binary_search_by_key(&starts_at, |one| one.reservation.starts_at)
    }

    pub(super) fn at(&self, starts_at: Timestamp) -> Option<&Reserved> {
        self.index_of(starts_at).ok().map(|index| &self.reservations[index])
    }

    /// Whether another reservation than the one with this start has a part of this time.
    pub(super) fn is_taken(&self, from: Timestamp, to: Timestamp, but: Option<Timestamp>) -> bool {
        // They do not overlap, so their ends are in the order of their starts.
        let first = self.reservations.partition_point(|one| one.reservation.ends_at() <= from);
        self.reservations[first..]
            .iter()
            .map(|one| one.reservation.starts_at)
            .take_while(|starts_at| *starts_at < to)
            .any(|starts_at| but != Some(starts_at))
    }

    pub(super) fn insert(&mut self, reserved: Reserved) {
        let (Ok(index) | Err(index)) = self.index_of(reserved.reservation.starts_at);
        if self.reservations.is_empty() {
            self.reservations.reserve_exact(1);
        }
        self.reservations.insert(index, reserved);
    }

    pub(super) fn remove(&mut self, starts_at: Timestamp) -> Option<Reserved> {
        self.index_of(starts_at).ok().map(|index| self.reservations.remove(index))
    }
}

fn live_state(live: &LiveConference) -> State {
    if live.is_started() { State::Active } else { State::Holding }
}

impl Conference {
    /// Its seats: of the reservation whose turn it is, or of the unreserved conference.
    pub(super) fn max_participants(&self) -> u32 {
        match (self.reservation(), &self.live) {
            (Some(reservation), _) => reservation.max_participants,
            (None, Some(live)) => live.max_participants,
            (None, None) => 0,
        }
    }
}

/// What the calendar does next for a reservation.
pub(super) fn deadline(
    key: &ConferenceKey,
    conference: &Conference,
    reserved: &Reserved,
    completed_minutes: u32,
) -> Deadline {
    let Reservation { starts_at, .. } = reserved.reservation;
    let ends_at = reserved.reservation.ends_at();
    let (at, due) = match reserved.is_over {
        true => (ends_at.plus_minutes(completed_minutes), Due::Forget),
        false if conference.open == Some(starts_at) => (ends_at, Due::End),
        false => (starts_at, Due::Start),
    };
    Deadline { at, due, conference: key.clone(), starts_at }
}
