//! The sale of seats. Each change of a reservation is in the database before the conferences get it, and runs to its end also
//! if the client disconnects: half a sale would be in the database and not in the conferences.

use super::{AskHome, HomeClient};
use crate::{
    answer::to_the_end,
    control::{ControlError, store_error},
};
use plenary_calls::question::HomeQuestion;
use plenary_conference::{
    AccountId, ConferenceKey, Event, Refused, Reservation, ReservationLimits, ReservationToken, State,
    Timestamp,
    calendar::Availability,
    reservation::{
        ReservationChange, ReservationRequest, check_booking, check_change, check_extend, check_new,
        check_remove,
    },
};
use plenary_store::{NameRule, ReserveError};
use std::ops::Range;

impl<H: AskHome> HomeClient<H> {
    /// Makes a reservation by the rules of the seven web services: one of a name at a time.
    ///
    /// # Errors
    /// A rule forbids it, or seats are missing, or it cannot be stored.
    pub async fn reserve(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<ReservationToken, ControlError> {
        let this = self.clone();
        to_the_end(async move {
            let now = this.now();
            let starts_at = check_new(&request, &this.limits_of(account).await?, now)?;
            let names = NameRule::Exclusive { completed_minutes: this.limits.completed_minutes };
            Ok(this.sell(account, request, starts_at, names, now).await?.token)
        })
        .await
    }

    /// Makes a reservation by the rules of the management API: several of a name that do not overlap.
    ///
    /// # Errors
    /// A rule forbids it, or seats are missing, or it cannot be stored.
    pub async fn book(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<(Reservation, State), ControlError> {
        let this = self.clone();
        to_the_end(async move {
            let now = this.now();
            let starts_at = check_booking(&request, &this.limits_of(account).await?, now)?;
            let reservation = this.sell(account, request, starts_at, NameRule::NonOverlapping, now).await?;
            // Without notice it may be on already.
            this.as_it_is(account, reservation, State::Reserved).await
        })
        .await
    }

    /// The rules for an account: those of the configuration, with fewer seats where the operator says so.
    async fn limits_of(&self, account: AccountId) -> Result<ReservationLimits, ControlError> {
        let mut limits = ReservationLimits::clone(&self.limits);
        let account = self.store.account(account).await.map_err(store_error)?;
        if let Some(most) = account.and_then(|account| account.settings.max_participants) {
            limits.max_participants = limits.max_participants.min(most);
        }
        Ok(limits)
    }

    async fn sell(
        &self,
        account: AccountId,
        request: ReservationRequest,
        starts_at: Timestamp,
        names: NameRule,
        now: Timestamp,
    ) -> Result<Reservation, ControlError> {
        // Without a turn: the name is claimed, and the store makes those that come at once together.
        let key = ConferenceKey { account, name: request.name.clone() };
        let time = match names {
            NameRule::Exclusive { .. } => None,
            NameRule::NonOverlapping => Some((starts_at, starts_at.plus_minutes(request.duration_minutes))),
        };
        self.have_done(HomeQuestion::Claim { conference: key.clone(), time }).await?;
        let reservation = Reservation {
            token: plenary_store::new_reservation_token(),
            account,
            name: request.name,
            max_participants: request.max_participants,
            starts_at,
            duration_minutes: request.duration_minutes,
            divert: request.divert,
            title: request.title,
            guests: request.guests,
            sequence: 0,
            series: request.series,
        };
        match self.store.reserve_by(&reservation, names, self.limits.capacity, now).await {
            Ok(()) => {
                self.apply(Event::ReservationAdded(reservation.clone())).await?;
                Ok(reservation)
            }
            Err(error) => {
                self.have_done(HomeQuestion::Release(key)).await?;
                Err(reserve_error(error))
            }
        }
    }

    /// Adds `minutes` to the duration of a reservation.
    ///
    /// # Errors
    /// A rule forbids it, or seats are missing, or it cannot be stored.
    pub async fn extend(
        &self,
        account: AccountId,
        token: ReservationToken,
        minutes: u32,
    ) -> Result<(), ControlError> {
        let this = self.clone();
        to_the_end(async move {
            let _turn = this.turn().await;
            let (reservation, state) = this.reservation(account, token.clone()).await?;
            let duration_minutes = check_extend(&reservation, state, minutes, &this.limits, this.now())?;
            let extended = this.store.extend(&token, duration_minutes, this.limits.capacity).await;
            extended.map_err(reserve_error)?;
            this.apply(Event::ReservationExtended { token, duration_minutes }).await
        })
        .await
    }

    /// Makes the reserved conference that is in progress longer.
    ///
    /// # Errors
    /// As for [`Self::extend`]; or it is not reserved.
    pub async fn extend_running(&self, key: ConferenceKey, minutes: u32) -> Result<(), ControlError> {
        let account = key.account;
        let overview = self.conference(key).await?;
        let token = overview.reservation.ok_or(Refused::NoEnd)?.token;
        if overview.state == State::Reserved {
            return Err(Refused::WrongState { state: State::Reserved }.into());
        }
        self.extend(account, token, minutes).await
    }

    /// Changes a reservation that is not over; what it is then. If `expected` is given, it must not have been changed since.
    ///
    /// # Errors
    /// A rule forbids it, or seats are missing, or it cannot be stored, or it has changed.
    pub async fn change_reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
        change: ReservationChange,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError> {
        let this = self.clone();
        to_the_end(async move {
            let _turn = this.turn().await;
            let (before, state) = this.expect(account, token, expected).await?;
            let after = check_change(&before, state, &change, &this.limits_of(account).await?, this.now())?;
            if after != before {
                let changed = this.store.change_reservation(&after, this.limits.capacity).await;
                changed.map_err(reserve_error)?;
                this.apply(Event::ReservationChanged(after.clone())).await?;
            }
            this.as_it_is(account, after, state).await
        })
        .await
    }

    /// Removes a reservation that has not started. If `expected` is given, it must not have been changed since.
    ///
    /// # Errors
    /// A rule forbids it, or it cannot be stored, or it has changed.
    pub async fn remove(
        &self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(), ControlError> {
        let this = self.clone();
        to_the_end(async move {
            let _turn = this.turn().await;
            let (reservation, state) = this.expect(account, token.clone(), expected).await?;
            check_remove(&reservation, state, &this.limits, this.now())?;
            this.remove_now(token).await
        })
        .await
    }

    /// Ends a conference for all participants, in every state, and removes the reservation of a reserved one.
    ///
    /// # Errors
    /// There is no such conference, or its reservation cannot be removed from the store.
    pub async fn end_conference(&self, key: ConferenceKey) -> Result<(), ControlError> {
        let this = self.clone();
        to_the_end(async move {
            let _turn = this.turn().await;
            match this.conference(key.clone()).await?.reservation {
                Some(reservation) => this.remove_now(reservation.token).await,
                None => this.control(Event::End { conference: key }).await,
            }
        })
        .await
    }

    /// How many seats are left in a time: `limit` steps from `start` on, and the fewest in all of it.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn availability(
        &self,
        time: Range<Timestamp>,
        start: Timestamp,
        limit: usize,
    ) -> Result<Availability, ControlError> {
        // Of the database: other processes may sell seats of it as well.
        let sold = self.store.booked_seats(time.clone()).await.map_err(store_error)?;
        let capacity = self.limits.capacity;
        let least = capacity.saturating_sub(sold.peak(time.start, time.end));
        Ok(Availability { least, ..sold.availability(start, time.end, capacity, limit) })
    }

    async fn remove_now(&self, token: ReservationToken) -> Result<(), ControlError> {
        self.store.remove(&token, self.limits.capacity).await.map_err(store_error)?;
        self.apply(Event::ReservationRemoved { token }).await
    }

    async fn apply(&self, event: Event) -> Result<(), ControlError> {
        self.have_done(HomeQuestion::Reservation(event)).await
    }

    /// A reservation that has not been changed since it was `expected`, if that is given.
    async fn expect(
        &self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError> {
        let (reservation, state) = self.reservation(account, token).await?;
        if expected.is_some_and(|expected| expected != reservation) {
            return Err(ControlError::Changed);
        }
        Ok((reservation, state))
    }

    /// The reservation as its home has it; as it was stored if the home has forgotten it meanwhile.
    async fn as_it_is(
        &self,
        account: AccountId,
        stored: Reservation,
        state: State,
    ) -> Result<(Reservation, State), ControlError> {
        match self.reservation(account, stored.token.clone()).await {
            Err(ControlError::Refused(_)) => Ok((stored, state)),
            found => found,
        }
    }
}

fn reserve_error(error: ReserveError) -> ControlError {
    match error {
        ReserveError::NameTaken => Refused::NameTaken.into(),
        ReserveError::NoSeats { available, from, to } => Refused::NoSeats { available, from, to }.into(),
        ReserveError::UnknownReservation => Refused::UnknownReservation.into(),
        ReserveError::Store(error) => store_error(error),
    }
}
