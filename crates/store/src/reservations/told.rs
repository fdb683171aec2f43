//! The events that tell of bookings: of each that a transaction writes, in the same transaction.

use super::{
    ledger::LedgerChanges,
    request::{Booking, StoredReservation},
    statements,
};
use crate::{
    StoreError,
    database::{Write, now},
};
use plenary_conference::ReservationToken;
use plenary_model::{
    AccountEvent, AccountId, Actor, ConferenceName, EventKind, EventRecord, ReservationData,
};
use std::collections::BTreeMap;

/// What is to be told of these reservations, as far as they exist.
pub(crate) async fn current(
    transaction: &mut Write,
    tokens: &[ReservationToken],
) -> Result<BTreeMap<ReservationToken, ReservationData>, StoreError> {
    let stored = statements::of_tokens(transaction, tokens.iter()).await?;
    let data = |(token, stored): (ReservationToken, StoredReservation)| {
        let data = stored.into_reservation(token.clone()).data();
        (token, data)
    };
    Ok(stored.into_iter().map(data).collect())
}

/// What is told of these changes. `before`: the reservations as they were read.
pub(super) fn events(
    changes: &LedgerChanges<'_>,
    before: &BTreeMap<ReservationToken, StoredReservation>,
    requests: &[Booking],
) -> Vec<AccountEvent> {
    let at = now();
    // What nobody has asked for is undone.
    let actor = |token: &ReservationToken| {
        let asked = requests.iter().find(|booking| booking.request.token() == token);
        asked.map_or_else(Actor::system, |booking| booking.doing.actor.clone())
    };
    let event = |token: &ReservationToken, stored: &StoredReservation, kind: fn(_) -> EventKind| {
        let reservation = stored.clone().into_reservation(token.clone());
        AccountEvent {
            account: AccountId(stored.account),
            event: EventRecord {
                at,
                conference: Some(ConferenceName::new(&stored.name)),
                participant_id: None,
                actor: actor(token),
                reason: None,
                kind: kind(reservation.data()),
            },
        }
    };
    let made = changes.made.iter().map(|(token, stored)| event(token, stored, EventKind::ReservationCreated));
    let restored =
        changes.restored.iter().map(|(token, stored)| event(token, stored, EventKind::ReservationCreated));
    let changed = changes.changed.iter().map(|(token, stored)| {
        let is_only_longer = before.get(token).is_some_and(|before| {
            let same = StoredReservation {
                duration_minutes: before.duration_minutes,
                sequence: before.sequence,
                ..stored.clone()
            };
            same == *before && stored.duration_minutes > before.duration_minutes
        });
        let kind = match is_only_longer {
            true => EventKind::ReservationExtended,
            false => EventKind::ReservationChanged,
        };
        event(token, stored, kind)
    });
    let removed = changes.removed.iter().filter_map(|token| {
        let stored = before.get(token)?;
        Some(event(token, stored, EventKind::ReservationRemoved))
    });
    made.chain(restored).chain(changed).chain(removed).collect()
}
