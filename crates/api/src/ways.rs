//! How guests reach a conference.

use plenary_model::{AccountId, ConferenceName};
use plenary_store::{Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// What guests are told of how they join.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invitations {
    /// The address that mails come from; `None`: mail is not configured.
    pub mail_from: Option<String>,
    /// The telephone number by which rooms are reached.
    pub number: Option<String>,
    /// The page by which browsers join; `{conference}` stands for the name, `{code}` for the code of a guest's link.
    pub join: Option<String>,
}

/// How guests reach a conference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct GuestWays {
    /// What a browser calls: a name of the inbound service that leads to the conference and admits callers with tokens; null: there
    /// is none, and the code of a guest's link leads nowhere.
    #[schema(example = "conf-Board")]
    pub(crate) service: Option<String>,
    /// Who calls it has keys: to mute, to raise a hand.
    pub(crate) keys: bool,
    /// The telephone number by which the room is reached; null: it has no room, or no number is configured.
    #[schema(example = "+44 1908 273800")]
    pub(crate) number: Option<String>,
    /// The number of the room that callers key in; null: it has none, or the entry leads to this room alone and asks for none.
    #[schema(example = "1001")]
    pub(crate) room: Option<String>,
    /// Callers are asked for a PIN. It is stored as a hash, so it cannot be shown.
    pub(crate) has_pin: bool,
}

/// How callers by telephone reach a conference.
#[derive(Debug, Default)]
pub(crate) struct RoomWay {
    /// The number that they call.
    pub(crate) number: Option<String>,
    /// The number of the room that they key in; `None`: the entry asks for none.
    pub(crate) room: Option<String>,
    /// They are asked for a PIN there.
    pub(crate) has_pin: bool,
}

impl RoomWay {
    pub(crate) async fn to(
        store: &Store,
        invitations: &Invitations,
        account: AccountId,
        conference: &ConferenceName,
    ) -> Result<Self, StoreError> {
        let Some((room, has_pin)) = store.room_of(account, conference).await? else {
            return Ok(Self::default());
        };
        let is_asked_for = store.asks_for_room(account, &room).await?;
        Ok(Self { number: invitations.number.clone(), room: is_asked_for.then_some(room), has_pin })
    }
}

impl GuestWays {
    pub(crate) async fn to(
        store: &Store,
        invitations: &Invitations,
        account: AccountId,
        conference: &ConferenceName,
    ) -> Result<Self, StoreError> {
        let service = store.service_for_guests(account, conference).await?;
        let RoomWay { number, room, has_pin } = RoomWay::to(store, invitations, account, conference).await?;
        Ok(Self {
            keys: service.as_ref().is_some_and(|(_, action)| action.menus().is_some()),
            service: service.map(|(dialled, _)| dialled),
            number,
            room,
            has_pin,
        })
    }
}
