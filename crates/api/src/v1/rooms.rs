//! Rooms: conferences that people reach by keypad, by a number and a PIN.

use super::{
    access::{Caller, Config},
    body::{Patch, Put},
    conditions::{Conditions, Tag, put_or_patched, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, gone, to_the_end},
    error::{ApiError, TOO_MANY, UNKNOWN_ROOM},
    extract::Segments,
    state::App,
    time,
};
use axum::extract::State;
use plenary_model::{AccountId, FieldError, GivenPins, Room as ModelRoom, RoomSettings, StoredRoom, merge};
use plenary_store::{Before, Change, ChangeError, Changed, RoomError};
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What GET shows beside what PUT takes; PUT and PATCH pass over it. Whether there are PINs PUT reads, see [`GivenPins`].
const READ_ONLY: &[&str] = &["created_at", "updated_at"];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one, put, change, delete))
}

/// A room as it is shown: its settings as they were put, and what is beside them.
#[derive(Debug, Serialize)]
struct Room {
    number: String,
    #[serde(flatten)]
    settings: Value,
    #[serde(flatten)]
    beside: Beside,
}

/// What is shown beside the settings.
#[derive(Debug, Serialize, ToSchema)]
struct Beside {
    /// A PIN of participants is stored. True in a PUT without `pin`: it stays.
    has_pin: bool,
    /// A PIN of leaders is stored. True in a PUT without `leader_pin`: it stays.
    has_leader_pin: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<StoredRoom> for Room {
    fn from(room: StoredRoom) -> Self {
        let StoredRoom { number, body, has_pin, has_leader_pin, created_at, updated_at } = room;
        let (created_at, updated_at) = (time::rfc3339(created_at), time::rfc3339(updated_at));
        Self { number, settings: body, beside: Beside { has_pin, has_leader_pin, created_at, updated_at } }
    }
}

/// The settings with what is beside them; of the settings only what was put is there.
impl PartialSchema for Room {
    fn schema() -> RefOr<Schema> {
        let mut shown = RoomSettings::schema();
        if let (RefOr::T(Schema::Object(shown)), RefOr::T(Schema::Object(beside))) =
            (&mut shown, Beside::schema())
        {
            shown.additional_properties = None;
            shown.properties.remove("pin");
            shown.properties.remove("leader_pin");
            shown.properties.insert("number".to_owned(), String::schema());
            shown.properties.extend(beside.properties);
            shown.required =
                beside.required.into_iter().chain(["number", "conference"].map(str::to_owned)).collect();
            shown.description = Some("A room. Of its settings those are there that were put.".to_owned());
        }
        shown
    }
}

impl ToSchema for Room {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        RoomSettings::schemas(schemas);
        Beside::schemas(schemas);
    }
}

fn tag(room: &StoredRoom) -> Tag {
    // PINs are not shown, but their change is one; each change has a time of its own.
    Tag::of(&(&room.body, room.has_pin, room.has_leader_pin, room.updated_at))
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_ROOM, "there is no room of this number")
}

impl From<ChangeError<ApiError, RoomError>> for ApiError {
    fn from(error: ChangeError<Self, RoomError>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Store(error) => match error {
                RoomError::Invalid(errors) => Self::members(errors),
                RoomError::TooMany => Self::coded(TOO_MANY, error.to_string()),
                RoomError::Store(error) => error.into(),
            },
        }
    }
}

/// Lists rooms
///
/// By number, digit by digit: 10 comes before 9.
#[utoipa::path(get, path = "/v1/rooms", operation_id = "list_rooms", tag = "rooms", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the rooms.", body = List<Room>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let found = state.store.rooms_after(caller.account, page.after(), page.to_fetch()).await?;
    page.answer(found, |room| room.number.clone(), Room::from)
}

/// Shows a room
#[utoipa::path(get, path = "/v1/rooms/{number}", operation_id = "get_room", tag = "rooms",
    params(("number" = String, Path, description = "The room's number.", example = "1001")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The room, without its PINs.", body = Room,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    conditions.show_found(state.store.stored_room(caller.account, &number).await?, unknown, tag, Room::from)
}

/// Makes or replaces a room
///
/// Callers who enter after the answer find it so. A PIN that is not named goes, unless `has_pin` or `has_leader_pin` is true, as GET
/// shows it: then it stays.
#[utoipa::path(put, path = "/v1/rooms/{number}", operation_id = "put_room", tag = "rooms",
    params(("number" = String, Path, description = "The room's number: 1 to 12 digits.", example = "1001")),
    request_body(content = RoomSettings, example = json!({"conference": "Board", "pin": "482913", "leader_pin": "70215548",
        "wait_for_leader": true, "announce": "name"})),
    security(("bearer" = ["config"])),
    responses(
        (status = 200, description = "The room, replaced.", body = Room, headers(("ETag" = String, description = "Its version."))),
        (status = 201, description = "The room, made.", body = Room, headers(("ETag" = String, description = "Its version."))),
        (status = 409, description = "The account has too many rooms (1216).")))]
async fn put(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
    body: Put,
) -> Answer {
    let state = caller.acting(state);
    let mut body = body.without(READ_ONLY, ("number", &number))?;
    let pins = GivenPins::of_whole(&mut body);
    let mut whole = Value::Null;
    // A member that is null is left out.
    merge(&mut whole, &body);
    let pins = checked(caller.account, &number, &whole, pins)?;
    to_the_end(async move {
        let condition = |before: Before<'_, StoredRoom>| conditions.check_before(before, tag);
        shown(state.store.put_room_if(caller.account, &number, &pins, whole, condition).await?)
    })
    .await
}

/// Changes a room
///
/// A PIN that is not named stays; null removes it.
#[utoipa::path(patch, path = "/v1/rooms/{number}", operation_id = "change_room", tag = "rooms",
    params(("number" = String, Path, description = "The room's number.", example = "1001")),
    request_body(content = RoomSettings, content_type = "application/merge-patch+json", example = json!({"pin": "519204"})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The room as it is now.", body = Room,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    let mut patch = patch.without(READ_ONLY, ("number", &number))?;
    let pins = GivenPins::of_patch(&mut patch).map_err(ApiError::members)?;
    let (account, of) = (caller.account, number.clone());
    changed(state, account, number, pins, move |before| {
        let before = before.ok_or_else(unknown)?;
        let mut body = before.body.clone();
        merge(&mut body, &patch);
        ModelRoom::new(account, &of, &body, (false, false)).map_err(ApiError::members)?;
        conditions.check(Some(&tag(before)))?;
        Ok(Change::Put(body))
    })
    .await
}

/// Errors of a body are reported before those of a condition (RFC 9110, section 13.2.1), and all of it at once.
fn checked(
    account: AccountId,
    number: &str,
    body: &Value,
    pins: Result<GivenPins, Vec<FieldError>>,
) -> Result<GivenPins, ApiError> {
    let mut errors = ModelRoom::new(account, number, body, (false, false)).err().unwrap_or_default();
    match pins {
        Ok(pins) if errors.is_empty() => Ok(pins),
        Ok(_) => Err(ApiError::members(errors)),
        Err(of_pins) => {
            errors.extend(of_pins);
            Err(ApiError::members(errors))
        }
    }
}

async fn changed(
    state: App,
    account: AccountId,
    number: String,
    pins: GivenPins,
    decide: impl FnOnce(Option<&StoredRoom>) -> Result<Change<Value>, ApiError> + Send + 'static,
) -> Answer {
    to_the_end(async move { shown(state.store.change_room(account, &number, &pins, decide).await?) }).await
}

fn shown(changed: Changed<StoredRoom>) -> Answer {
    let (status, room) = put_or_patched(changed).ok_or_else(unknown)?;
    Ok(tagged(status, &tag(&room), &Room::from(room)))
}

/// Deletes a room
///
/// Its number is unknown from then on; participants of its conference stay there.
#[utoipa::path(delete, path = "/v1/rooms/{number}", operation_id = "delete_room", tag = "rooms",
    params(("number" = String, Path, description = "The room's number.", example = "1001")),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "It is deleted."),
        (status = 412, description = "There is another version by now (1213).")))]
async fn delete(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let condition = |before: Before<'_, StoredRoom>| conditions.check_before(before, tag);
        gone(state.store.delete_room_if(caller.account, &number, condition).await?, unknown)
    })
    .await
}
