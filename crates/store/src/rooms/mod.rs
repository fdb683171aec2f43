//! Rooms, by number. Of their PINs only hashes are stored ([`pins`]); how often they may be wrong is [`checking`]'s business.

pub(crate) mod checking;
mod line;
pub(crate) mod pins;

pub use checking::{PinCaller, PinCheck, PinOutcome, PinSource};

use crate::{
    Change, ChangeError, Changed, Store, StoreError,
    change::changed_at,
    database::{Write, execute, is_storable, read, within},
    error::listed,
    named::{Before, Kind, Statements, statements},
};
use pins::{Door, PinHash};
use plenary_model::{
    AccountId, ConferenceName, FieldError, GivenPin, GivenPins, Room, StoredRoom, Timestamp, is_room_number,
    same_pins,
};
use serde_json::Value;
use thiserror::Error;

/// Rooms of an account at the most.
const ROOMS_MAX: i64 = 10_000;
/// The key of the installation that salts of PINs are made with.
const SECRET_NAME: &str = "room_pins";

/// Why a room was not stored.
#[derive(Debug, Error)]
pub enum RoomError {
    /// The number, the body or a PIN is not allowed.
    #[error("{}", listed(.0))]
    Invalid(Vec<FieldError>),
    /// The account has too many.
    #[error("an account has at most {ROOMS_MAX} rooms")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Vec<FieldError>> for RoomError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

/// number, body, pin_hash is there, leader_pin_hash is there, created_at, updated_at
type Row = (String, String, bool, bool, i64, i64);

fn stored(
    (number, body, has_pin, has_leader_pin, created_at, updated_at): Row,
) -> Result<StoredRoom, StoreError> {
    let body = serde_json::from_str(&body)
        .map_err(|error| StoreError::Damaged { what: format!("room {number}: {error}") })?;
    let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
    Ok(StoredRoom { number, body, has_pin, has_leader_pin, created_at, updated_at })
}

impl Store {
    /// The number of the first room by which callers reach a conference.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn room_of(
        &self,
        account: AccountId,
        conference: &ConferenceName,
    ) -> Result<Option<(String, bool)>, StoreError> {
        if !is_storable(conference.as_str()) {
            return Ok(None);
        }
        let select = self.base.text(
            "SELECT number, pin_hash IS NOT NULL FROM rooms WHERE account_id = $1 AND body ->> 'conference' = $2 ORDER BY number LIMIT 1",
            "SELECT number, pin_hash IS NOT NULL FROM rooms WHERE account_id = $1 AND body::json ->> 'conference' = $2 ORDER BY number LIMIT 1",
        );
        read!(self.base, "looking for a room", |on| sqlx::query_as(select)
            .bind(account.0)
            .bind(conference.as_str())
            .fetch_optional(on))
    }

    /// So many of an account's rooms at the most, ordered by number as by a text, from the one behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms_after(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredRoom>, StoreError> {
        self.named_after::<Rooms>(account, after, limit).await
    }

    /// The numbers of an account's rooms, ordered as texts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn room_numbers(&self, account: AccountId) -> Result<Vec<String>, StoreError> {
        read!(self.base, "listing rooms", |on| sqlx::query_scalar(
            "SELECT number FROM rooms WHERE account_id = $1 ORDER BY number"
        )
        .bind(account.0)
        .fetch_all(on))
    }

    /// An account's room as its owner sees it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stored_room(
        &self,
        account: AccountId,
        number: &str,
    ) -> Result<Option<StoredRoom>, StoreError> {
        self.named::<Rooms>(account, number).await
    }

    /// An account's room as calls see it.
    ///
    /// # Errors
    /// When the database fails; [`StoreError::Damaged`] where another version stored a room that makes no sense here.
    pub async fn room(&self, account: AccountId, number: &str) -> Result<Option<Room>, StoreError> {
        let Some(room) = self.stored_room(account, number).await? else { return Ok(None) };
        let pins = (room.has_pin, room.has_leader_pin);
        let damaged = |errors: Vec<FieldError>| StoreError::Damaged {
            what: format!("room {number}: {}", listed(&errors)),
        };
        Room::new(account, number, &room.body, pins).map(Some).map_err(damaged)
    }

    /// Changes the account's room `number` by a decision about what it is. The body that is put is without PINs; `pins` says
    /// what becomes of them. With another PIN, callers who were right before are not known any more.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`RoomError`] else.
    pub async fn change_room<E>(
        &self,
        account: AccountId,
        number: &str,
        pins: &GivenPins,
        decide: impl FnOnce(Option<&StoredRoom>) -> Result<Change<Value>, E> + Send,
    ) -> Result<Changed<StoredRoom>, ChangeError<E, RoomError>> {
        // Before the transaction, for hashing takes long.
        let pin = self.hashed(account, number, &pins.pin).await?;
        let leader_pin = self.hashed(account, number, &pins.leader_pin).await?;
        self.change_named::<Rooms, E>(account, number, |before| {
            Ok(match decide(before)? {
                Change::Put(body) => Change::Put(RoomBody { body, pin, leader_pin }),
                Change::Delete => Change::Delete,
                Change::Keep => Change::Keep,
            })
        })
        .await
    }

    /// Makes the account's room `number`, or replaces it, even one that cannot be read. The body is without PINs; `pins` says
    /// what becomes of them.
    ///
    /// # Errors
    /// [`RoomError`].
    pub async fn put_room(
        &self,
        account: AccountId,
        number: &str,
        pins: &GivenPins,
        body: Value,
    ) -> Result<Changed<StoredRoom>, RoomError> {
        let pin = self.hashed(account, number, &pins.pin).await?;
        let leader_pin = self.hashed(account, number, &pins.leader_pin).await?;
        self.put_named::<Rooms>(account, number, RoomBody { body, pin, leader_pin }).await
    }

    /// [`Self::put_room`] on a condition about what has the number before.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; [`RoomError`] else.
    pub async fn put_room_if<E>(
        &self,
        account: AccountId,
        number: &str,
        pins: &GivenPins,
        body: Value,
        condition: impl FnOnce(Before<'_, StoredRoom>) -> Result<(), E> + Send,
    ) -> Result<Changed<StoredRoom>, ChangeError<E, RoomError>> {
        let pin = self.hashed(account, number, &pins.pin).await?;
        let leader_pin = self.hashed(account, number, &pins.leader_pin).await?;
        let body = RoomBody { body, pin, leader_pin };
        self.put_named_if::<Rooms, E>(account, number, body, condition).await
    }

    /// Deletes the account's room `number`, also one that cannot be read. `false`: it has none of this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_room(&self, account: AccountId, number: &str) -> Result<bool, StoreError> {
        self.delete_named::<Rooms>(account, number).await
    }

    /// [`Self::delete_room`] on a condition about the room.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else when the database fails.
    pub async fn delete_room_if<E>(
        &self,
        account: AccountId,
        number: &str,
        condition: impl FnOnce(Before<'_, StoredRoom>) -> Result<(), E> + Send,
    ) -> Result<bool, ChangeError<E>> {
        self.delete_named_if::<Rooms, E>(account, number, condition).await
    }

    async fn hashed(
        &self,
        account: AccountId,
        number: &str,
        given: &GivenPin,
    ) -> Result<HashedPin, StoreError> {
        Ok(match given {
            // No room has this number: it is refused in the transaction.
            GivenPin::Set(Some(_)) if !is_room_number(number) => HashedPin::Set(None),
            GivenPin::Set(Some(pin)) => {
                let door = Door { account, number: number.to_owned() };
                let secret = self.pin_secret().await?;
                HashedPin::Set(Some(self.pins.hash(secret, &door, pin.digits()).await?))
            }
            GivenPin::Set(None) => HashedPin::Set(None),
            GivenPin::Kept => HashedPin::Kept,
            GivenPin::Stored => HashedPin::Stored,
        })
    }

    async fn pin_secret(&self) -> Result<&[u8], StoreError> {
        let secret = self.pins.secret().get_or_try_init(|| self.secret(SECRET_NAME)).await?;
        Ok(secret)
    }
}

/// What is put in the place of a room.
struct RoomBody {
    /// Without the PINs.
    body: Value,
    pin: HashedPin,
    leader_pin: HashedPin,
}

/// A [`GivenPin`] as it is stored.
enum HashedPin {
    Kept,
    Stored,
    Set(Option<PinHash>),
}

impl HashedPin {
    /// What is stored from now on, beside what was.
    fn over(self, before: Option<&PinHash>, member: &str) -> Result<Option<PinHash>, FieldError> {
        match self {
            Self::Set(pin) => Ok(pin),
            Self::Kept => Ok(before.cloned()),
            Self::Stored => before.cloned().map(Some).ok_or_else(|| {
                let text = format!("is missing: `has_{member}` is true, but no PIN is stored");
                FieldError::new(format!("/{member}"), text)
            }),
        }
    }
}

/// Rooms, as they are changed.
struct Rooms;

impl Kind for Rooms {
    type Row = Row;
    type Stored = StoredRoom;
    type Body = RoomBody;
    type Error = RoomError;
    const STATEMENTS: Statements = statements!(
        "a room", "rooms",
        "number, body, pin_hash IS NOT NULL, leader_pin_hash IS NOT NULL, created_at, updated_at" of rooms by number
    );

    fn stored(row: Row) -> Result<StoredRoom, StoreError> {
        stored(row)
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        number: &str,
        before: Before<'_, StoredRoom>,
        RoomBody { body, pin, leader_pin }: RoomBody,
    ) -> Result<StoredRoom, RoomError> {
        // The number too is checked here, before it is looked for.
        Room::new(account, number, &body, (false, false))?;
        let kept: Option<(Option<String>, Option<String>)> =
            within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_as(
                "SELECT pin_hash, leader_pin_hash FROM rooms WHERE account_id = $1 AND number = $2"
            )
            .bind(account.0)
            .bind(number)
            .fetch_optional(on))?;
        let (pin_before, leader_pin_before) = kept.unwrap_or_default();
        let pin_before = pin_before.map(PinHash::stored);
        let leader_pin_before = leader_pin_before.map(PinHash::stored);
        let (pin, leader_pin) = match (
            pin.over(pin_before.as_ref(), "pin"),
            leader_pin.over(leader_pin_before.as_ref(), "leader_pin"),
        ) {
            (Ok(pin), Ok(leader_pin)) => (pin, leader_pin),
            (pin, leader_pin) => {
                return Err(RoomError::Invalid(
                    [pin.err(), leader_pin.err()].into_iter().flatten().collect(),
                ));
            }
        };
        // The same digits have the same hash, for both have one salt.
        if pin.is_some() && pin == leader_pin {
            return Err(RoomError::Invalid(vec![same_pins()]));
        }
        if before.is_nothing() {
            let count: i64 = within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_scalar(
                "SELECT count(*) FROM rooms WHERE account_id = $1"
            )
            .bind(account.0)
            .fetch_one(on))?;
            if count >= ROOMS_MAX {
                return Err(RoomError::TooMany);
            }
        }
        let updated_at = changed_at(before.stored().map(|before| before.updated_at));
        let created_at: i64 = within!(transaction, Self::STATEMENTS.storing, |on| {
            sqlx::query_scalar(
                "INSERT INTO rooms (account_id, number, body, pin_hash, leader_pin_hash, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)
                 ON CONFLICT (account_id, number) DO UPDATE SET body = excluded.body, pin_hash = excluded.pin_hash,
                     leader_pin_hash = excluded.leader_pin_hash, updated_at = excluded.updated_at
                 RETURNING created_at",
            )
            .bind(account.0)
            .bind(number)
            .bind(body.to_string())
            .bind(pin.as_ref().map(PinHash::as_str))
            .bind(leader_pin.as_ref().map(PinHash::as_str))
            .bind(updated_at.0)
            .fetch_one(on)
        })?;
        if pin != pin_before || leader_pin != leader_pin_before {
            checking::forget_tries(transaction, account, number).await?;
        }
        Ok(StoredRoom {
            number: number.to_owned(),
            body,
            has_pin: pin.is_some(),
            has_leader_pin: leader_pin.is_some(),
            created_at: Timestamp(created_at),
            updated_at,
        })
    }

    async fn delete(transaction: &mut Write, account: AccountId, number: &str) -> Result<bool, StoreError> {
        let Statements { delete, storing, .. } = Self::STATEMENTS;
        let deleted = execute!(transaction, storing, sqlx::query(delete).bind(account.0).bind(number))?;
        checking::forget_tries(transaction, account, number).await?;
        Ok(deleted == 1)
    }
}
