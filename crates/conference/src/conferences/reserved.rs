//! Reservations: several of one name that do not overlap, one after the other in one conference.
//!
//! A conference shows the reservation whose turn it is: the one that is on, else the next one, else the last one that is over. A
//! reservation that begins at the instant at which another ends finds an empty room: the participants of the other one are hung up
//! first.

use super::{
    Conferences,
    conference::{Conference, Deadline, Due, Reserved, deadline},
    listing::{ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery},
    live::LiveConference,
};
use crate::{
    effect::{EndReason, Notice},
    id::{AccountId, ConferenceKey, ConferenceName, ReservationToken},
    refused::Refused,
    reservation::Reservation,
    state::State,
    time::{Now, Timestamp},
};
use plenary_model::{AccountEvent, EventKind, EventRecord};

impl Conferences {
    /// Keeps a name from being used while its reservation is on its way to the database; callers are refused
    /// meanwhile. [`crate::Event::ReservationAdded`] ends the claim, or [`Self::release_name`]. The name must be free of other
    /// reservations.
    ///
    /// # Errors
    /// [`Refused::NameTaken`].
    pub fn claim_name(&mut self, key: &ConferenceKey, now: Now) -> Result<(), Refused> {
        self.handle_timeout(now);
        if self.conferences.contains_key(key) || self.claims.contains_key(key) {
            return Err(Refused::NameTaken);
        }
        self.claims.insert(key.clone(), 1);
        Ok(())
    }

    /// The same for a reservation that may have others of its name beside it, where they do not overlap.
    ///
    /// # Errors
    /// [`Refused::NameTaken`]: by a reservation that overlaps, or by participants of an unreserved conference.
    pub fn claim_time(
        &mut self,
        key: &ConferenceKey,
        (from, to): (Timestamp, Timestamp),
        now: Now,
    ) -> Result<(), Refused> {
        self.handle_timeout(now);
        let conference = self.conferences.get(key);
        if conference.is_some_and(|one| one.reservations.is_empty() || one.is_taken(from, to, None)) {
            return Err(Refused::NameTaken);
        }
        *self.claims.entry(key.clone()).or_default() += 1;
        Ok(())
    }

    /// Gives a claimed name back: the reservation came to nothing.
    pub fn release_name(&mut self, key: &ConferenceKey) {
        if let Some(claims) = self.claims.get_mut(key) {
            *claims -= 1;
            if *claims == 0 {
                self.claims.remove(key);
            }
        }
    }

    /// Which conference of `account` is meant.
    ///
    /// # Errors
    /// Unknown; or name and token belong to different conferences; or it is not the turn of the reservation with this token, whose
    /// state is told.
    pub fn resolve(&self, account: AccountId, which: &ConferenceRef) -> Result<ConferenceKey, Refused> {
        let key = self.meant(account, which)?;
        match self.state_elsewhere(&key, which) {
            Some(state) => Err(Refused::WrongState { state }),
            None => Ok(key),
        }
    }

    /// State and connected participants of the conference that is meant. A reservation that is named by its token, and whose turn
    /// it is not, has none.
    ///
    /// # Errors
    /// Unknown, or name and token belong to different conferences.
    pub fn participants_of(
        &self,
        account: AccountId,
        which: &ConferenceRef,
    ) -> Result<(State, Vec<ParticipantSummary>), Refused> {
        let key = self.meant(account, which)?;
        match self.state_elsewhere(&key, which) {
            Some(state) => Ok((state, Vec::new())),
            None => self.participants(&key),
        }
    }

    fn meant(&self, account: AccountId, which: &ConferenceRef) -> Result<ConferenceKey, Refused> {
        let by_token = |token| {
            let (reservation, _) = self.reservation(account, token).ok_or(Refused::UnknownReservation)?;
            Ok(ConferenceKey { account, name: reservation.name.clone() })
        };
        match which {
            ConferenceRef::Name(name) => {
                let key = ConferenceKey { account, name: name.clone() };
                self.state(&key).map(|_| key).ok_or(Refused::UnknownConference)
            }
            ConferenceRef::Token(token) => by_token(token),
            ConferenceRef::Both(name, token) => {
                let key = by_token(token)?;
                if key.name == *name { Ok(key) } else { Err(Refused::NameTokenMismatch) }
            }
        }
    }

    /// The state of a reservation that is named by its token while it is another one's turn.
    fn state_elsewhere(&self, key: &ConferenceKey, which: &ConferenceRef) -> Option<State> {
        let (ConferenceRef::Token(token) | ConferenceRef::Both(_, token)) = which else { return None };
        let current = self.reservation_of(key)?;
        if current.token == *token {
            return None;
        }
        self.reservation(key.account, token).map(|(_, state)| state)
    }

    /// The reservation with this token, if it is this account's and not forgotten, and its state.
    #[must_use]
    pub fn reservation(&self, account: AccountId, token: &ReservationToken) -> Option<(&Reservation, State)> {
        let (key, starts_at) = self.tokens.get(token).filter(|(key, _)| key.account == account)?;
        let conference = self.conferences.get(key)?;
        let reserved = conference.at(*starts_at)?;
        Some((&reserved.reservation, conference.state_of(reserved)))
    }

    /// The conference that a reservation is for, if it is not forgotten.
    #[must_use]
    pub fn key_of(&self, token: &ReservationToken) -> Option<&ConferenceKey> {
        self.tokens.get(token).map(|(key, _)| key)
    }

    /// The reservation of a conference whose turn it is; `None`: it has none.
    #[must_use]
    pub fn reservation_of(&self, key: &ConferenceKey) -> Option<&Reservation> {
        self.conferences.get(key)?.reservation()
    }

    /// The state of a conference that exists.
    #[must_use]
    pub fn state(&self, key: &ConferenceKey) -> Option<State> {
        self.conferences.get(key)?.state()
    }

    /// All of an account's conferences, ordered by name, each with the reservation whose turn it is.
    #[must_use]
    pub fn list(&self, account: AccountId) -> Vec<ConferenceSummary> {
        let first = ConferenceKey { account, name: ConferenceName::new("") };
        self.conferences
            .range(first..)
            .take_while(|(key, _)| key.account == account)
            .filter_map(|(key, conference)| {
                let state = conference.state()?;
                let reservation = conference.reservation().cloned();
                let max_participants = conference.max_participants();
                Some(ConferenceSummary { name: key.name.clone(), state, max_participants, reservation })
            })
            .collect()
    }

    /// Reservations of an account that are not forgotten, with their states, ordered by start, then by token.
    #[must_use]
    pub fn reservations(&self, account: AccountId, query: &ReservationsQuery) -> Vec<(Reservation, State)> {
        let is_meant = |reservation: &Reservation, state: State| {
            query.from.is_none_or(|from| reservation.ends_at() > from)
                && query.to.is_none_or(|to| reservation.starts_at < to)
                && query.state.is_none_or(|wanted| wanted == state)
                && query
                    .after
                    .as_ref()
                    .is_none_or(|(at, token)| (reservation.starts_at, &reservation.token) > (*at, token))
        };
        let listed = |(reservation, state): (&Reservation, State)| {
            is_meant(reservation, state).then(|| (reservation.clone(), state))
        };
        if let Some(name) = &query.conference {
            let key = ConferenceKey { account, name: name.clone() };
            let Some(conference) = self.conferences.get(&key) else { return Vec::new() };
            let all = conference.reservations.iter().map(|one| (&one.reservation, conference.state_of(one)));
            return all.filter_map(listed).take(query.limit).collect();
        }
        let earliest = Timestamp(i64::MIN);
        let from = query.from.map_or(earliest, |from| from.minus_minutes(self.longest_minutes));
        let from = query.after.as_ref().map_or(from, |(at, _)| from.max(*at));
        // What is not to come has begun.
        let begun = query.state.is_some_and(|state| state != State::Reserved);
        let to = query.to.unwrap_or(Timestamp(i64::MAX));
        let to = if begun { to.min(Timestamp(self.latest.0.saturating_add(1))) } else { to };
        if from > to {
            return Vec::new();
        }
        let bound = |at| (account, at, ReservationToken::new(""));
        self.by_start
            .range(bound(from)..bound(to))
            .filter_map(|(_, _, token)| self.reservation(account, token))
            .filter_map(listed)
            .take(query.limit)
            .collect()
    }

    pub(super) fn on_reservation_added(&mut self, reservation: Reservation, now: Now) -> Result<(), Refused> {
        let key = ConferenceKey { account: reservation.account, name: reservation.name.clone() };
        self.release_name(&key);
        let (starts_at, ends_at) = (reservation.starts_at, reservation.ends_at());
        let conference = self.conferences.get(&key);
        let is_nobodys = conference.is_some_and(|conference| conference.reservations.is_empty());
        let is_taken = conference.is_some_and(|conference| conference.is_taken(starts_at, ends_at, None));
        if is_nobodys || is_taken || self.tokens.contains_key(&reservation.token) {
            return Err(Refused::NameTaken);
        }
        // At a restart, time has passed: what is over stays over, what is on goes on.
        if now.wall >= ends_at.plus_minutes(self.reservation_limits.completed_minutes) {
            return Ok(());
        }
        self.put(key, Reserved { reservation, is_over: now.wall >= ends_at });
        self.handle_timeout(now);
        Ok(())
    }

    /// Enters a reservation everywhere.
    fn put(&mut self, key: ConferenceKey, reserved: Reserved) {
        let reservation = &reserved.reservation;
        self.longest_minutes = self.longest_minutes.max(reservation.duration_minutes);
        self.tokens.insert(reservation.token.clone(), (key.clone(), reservation.starts_at));
        self.by_start.insert((key.account, reservation.starts_at, reservation.token.clone()));
        let conference = self.conferences.entry(key.clone()).or_default();
        let deadline = deadline(&key, conference, &reserved, self.reservation_limits.completed_minutes);
        self.deadlines.insert(deadline);
        conference.insert(reserved);
    }

    /// Strikes a reservation out everywhere. Its room, if it has one, stays.
    fn strike(&mut self, token: &ReservationToken) -> Option<(ConferenceKey, Reserved)> {
        let (key, starts_at) = self.tokens.remove(token)?;
        let conference = self.conferences.get_mut(&key)?;
        let reserved = conference.remove(starts_at)?;
        self.by_start.remove(&(key.account, starts_at, token.clone()));
        let deadline = deadline(&key, conference, &reserved, self.reservation_limits.completed_minutes);
        self.deadlines.remove(&deadline);
        Some((key, reserved))
    }

    pub(super) fn on_reservation_extended(
        &mut self,
        token: &ReservationToken,
        duration_minutes: u32,
        now: Now,
    ) -> Result<(), Refused> {
        let (key, starts_at) = self.tokens.get(token).ok_or(Refused::UnknownReservation)?;
        let reserved = self.conferences.get(key).and_then(|conference| conference.at(*starts_at));
        let reservation = &reserved.ok_or(Refused::UnknownReservation)?.reservation;
        let longer = Reservation { duration_minutes, ..reservation.clone() };
        let longer = if longer == *reservation { longer } else { longer.next_version() };
        self.on_reservation_changed(longer, now)
    }

    pub(super) fn on_reservation_changed(&mut self, changed: Reservation, now: Now) -> Result<(), Refused> {
        let (key, starts_at) = self.tokens.get(&changed.token).cloned().ok_or(Refused::UnknownReservation)?;
        let conference = self.conferences.get(&key).ok_or(Refused::UnknownReservation)?;
        let reserved = conference.at(starts_at).ok_or(Refused::UnknownReservation)?;
        if reserved.is_over {
            return Err(Refused::WrongState { state: State::Completed });
        }
        if (changed.account, &changed.name) != (key.account, &key.name) {
            return Err(Refused::UnknownReservation);
        }
        if conference.is_taken(changed.starts_at, changed.ends_at(), Some(starts_at)) {
            return Err(Refused::NameTaken);
        }
        let grows_by_ms = changed.ends_at().0.saturating_sub(reserved.reservation.ends_at().0);
        self.strike(&changed.token);
        let conference = self.conferences.entry(key.clone()).or_default();
        if conference.open == Some(starts_at) {
            if changed.starts_at <= now.wall {
                conference.open = Some(changed.starts_at);
            } else {
                // It began while its start was being moved.
                self.close_live(&key, EndReason::Ended, now);
            }
            if let Some((live, mut turn)) = self.open(&key, now) {
                live.max_participants = changed.max_participants;
                live.announce_extension(grows_by_ms, &mut turn);
            }
        }
        self.put(key, Reserved { reservation: changed, is_over: false });
        self.handle_timeout(now);
        Ok(())
    }

    pub(super) fn on_reservation_removed(
        &mut self,
        token: &ReservationToken,
        now: Now,
    ) -> Result<(), Refused> {
        let (key, reserved) = self.strike(token).ok_or(Refused::UnknownReservation)?;
        let conference = self.conferences.get(&key);
        if conference.is_some_and(|conference| conference.open == Some(reserved.reservation.starts_at)) {
            self.close_live(&key, EndReason::Ended, now);
        }
        self.drop_deserted(&key);
        Ok(())
    }

    /// All participants of a reservation's room leave, and the room is removed.
    fn close_live(&mut self, key: &ConferenceKey, reason: EndReason, now: Now) {
        self.hang_up_on_all(key, reason, now);
        self.history.ended(key, Some(reason), now.wall);
        if let Some((_, mut turn)) = self.open(key, now) {
            turn.publish_because(EventKind::ConferenceEnded {}, reason.name());
        }
        if let Some(conference) = self.conferences.get_mut(key) {
            (conference.open, conference.live) = (None, None);
        }
    }

    /// An event of a conference that has no room.
    fn publish(&mut self, key: &ConferenceKey, kind: EventKind, now: Now) {
        let event = EventRecord {
            at: now.wall,
            conference: Some(key.name.clone()),
            participant_id: None,
            actor: self.actor.clone(),
            reason: Some(EndReason::TimeIsUp.name().to_owned()),
            kind,
        };
        self.events.push_back(AccountEvent { account: key.account, event });
    }

    fn drop_deserted(&mut self, key: &ConferenceKey) {
        if self.conferences.get(key).is_some_and(Conference::is_deserted) {
            self.conferences.remove(key);
        }
    }

    /// The calendar has something to do for a reservation.
    pub(super) fn on_due(&mut self, due: Deadline, now: Now) {
        let Deadline { due, conference: key, starts_at, .. } = due;
        let Some(conference) = self.conferences.get_mut(&key) else { return };
        let Ok(index) = conference.index_of(starts_at) else { return };
        let (token, ends_at, data) = {
            let reservation = &conference.reservations[index].reservation;
            (reservation.token.clone(), reservation.ends_at(), reservation.data())
        };
        let completed_minutes = self.reservation_limits.completed_minutes;
        match due {
            Due::Start => {
                let seats = conference.reservations[index].reservation.max_participants;
                conference.live = Some(Box::new(LiveConference::new(seats)));
                conference.open = Some(starts_at);
                self.history.began(&key, Some(&token), seats, now.wall);
                self.deadlines.insert(Deadline {
                    at: ends_at,
                    due: Due::End,
                    conference: key.clone(),
                    starts_at,
                });
                if let Some((_, mut turn)) = self.open(&key, now) {
                    turn.publish(EventKind::ReservationStarted(data));
                    turn.publish(EventKind::ConferenceCreated { reserved: true, max_participants: seats });
                }
                self.notify(Notice::ReservationOpened { conference: key, token });
            }
            Due::End => {
                conference.reservations[index].is_over = true;
                self.close_live(&key, EndReason::TimeIsUp, now);
                let at = ends_at.plus_minutes(completed_minutes);
                self.deadlines.insert(Deadline { at, due: Due::Forget, conference: key.clone(), starts_at });
                self.publish(&key, EventKind::ReservationCompleted(data), now);
                self.notify(Notice::ReservationCompleted { conference: key, token });
            }
            Due::Forget => {
                conference.reservations.remove(index);
                self.tokens.remove(&token);
                self.by_start.remove(&(key.account, starts_at, token.clone()));
                self.drop_deserted(&key);
                self.notify(Notice::ReservationForgotten { conference: key, token });
            }
        }
    }
}
