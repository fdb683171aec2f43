//! Trunks: providers that calls go out to and come in from.

use super::{
    access::{Caller, Config},
    body::{Patch, Put},
    conditions::{Conditions, Tag, put_or_patched, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::TrunkState,
    error::{ApiError, UNKNOWN_TRUNK},
    extract::Segments,
    state::{ApiState, App},
    time,
};
use axum::extract::State;
use plenary_model::{
    AccountId, GivenPassword, StoredTrunk, Timestamp, TrunkRegistration, TrunkSettings, merge,
};
use plenary_store::{Before, Change, ChangeError, Changed, ServiceError, TrunkBody};
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What GET shows beside what PUT takes; PUT and PATCH pass over it.
const READ_ONLY: &[&str] = &["has_password", "status", "created_at", "updated_at"];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one, put, change, delete))
}

/// A trunk as it is shown: its settings as they were put, and what is beside them.
#[derive(Debug, Serialize)]
struct Trunk {
    name: String,
    #[serde(flatten)]
    settings: Value,
    #[serde(flatten)]
    beside: Beside,
}

/// What is shown beside the settings.
#[derive(Debug, Serialize, ToSchema)]
struct Beside {
    /// A password is stored.
    has_password: bool,
    /// Its state.
    status: Status,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// The state of a trunk.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrunkStatus)]
struct Status {
    /// Calls that are up or being placed, both ways.
    calls: u32,
    /// How we are registered with the provider.
    registration: TrunkRegistration,
    /// Until when it is registered; null: it is not.
    #[schema(format = DateTime)]
    registered_until: Option<String>,
    /// What went wrong last, in registering or in calling: a SIP status and a phrase.
    last_error: Option<String>,
    /// When that was.
    #[schema(format = DateTime)]
    last_error_at: Option<String>,
}

impl From<Option<TrunkState>> for Status {
    fn from(state: Option<TrunkState>) -> Self {
        let at = |seconds| time::rfc3339(Timestamp::from_seconds(seconds));
        match state {
            None => Self {
                calls: 0,
                registration: TrunkRegistration::Off,
                registered_until: None,
                last_error: None,
                last_error_at: None,
            },
            Some(TrunkState { calls, registration, registered_until, last_error, last_error_at }) => Self {
                calls,
                registration,
                registered_until: registered_until.map(at),
                last_error,
                last_error_at: last_error_at.map(at),
            },
        }
    }
}

impl Trunk {
    fn new(trunk: StoredTrunk, state: Option<TrunkState>) -> Self {
        let StoredTrunk { name, body, has_password, created_at, updated_at } = trunk;
        let (created_at, updated_at) = (time::rfc3339(created_at), time::rfc3339(updated_at));
        let beside = Beside { has_password, status: state.into(), created_at, updated_at };
        Self { name, settings: body, beside }
    }
}

/// The settings with what is beside them; of the settings only what was put is there.
impl PartialSchema for Trunk {
    fn schema() -> RefOr<Schema> {
        let mut shown = TrunkSettings::schema();
        if let (RefOr::T(Schema::Object(shown)), RefOr::T(Schema::Object(beside))) =
            (&mut shown, Beside::schema())
        {
            shown.additional_properties = None;
            shown.properties.remove("password");
            shown.properties.insert("name".to_owned(), String::schema());
            shown.properties.extend(beside.properties);
            shown.required =
                beside.required.into_iter().chain(["name".to_owned(), "uri".to_owned()]).collect();
            shown.description = Some("A trunk. Of its settings those are there that were put.".to_owned());
        }
        shown
    }
}

impl ToSchema for Trunk {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        TrunkSettings::schemas(schemas);
        schemas.push((Status::name().into_owned(), Status::schema()));
        Beside::schemas(schemas);
    }
}

fn tag(trunk: &StoredTrunk) -> Tag {
    // The password is not shown, but its change is one; each change has a time of its own.
    Tag::of(&(&trunk.body, trunk.has_password, trunk.updated_at))
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_TRUNK, "there is no trunk of this name")
}

/// Errors of the store that speak of inbound services and trunks alike: here of a trunk, by its members.
fn refused(error: ChangeError<ApiError, ServiceError>) -> ApiError {
    match error {
        ChangeError::Refused(error) => error,
        ChangeError::Store(ServiceError::Invalid(errors)) => ApiError::members(errors),
        ChangeError::Store(error) => error.into(),
    }
}

async fn show(state: &ApiState, account: AccountId, trunk: StoredTrunk) -> Result<Trunk, ApiError> {
    let status = state.control.trunk_states(account).await?.remove(&trunk.name);
    Ok(Trunk::new(trunk, status))
}

/// Lists trunks
///
/// By name.
#[utoipa::path(get, path = "/v1/trunks", operation_id = "list_trunks", tag = "trunks", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the trunks.", body = List<Trunk>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let found = state.store.trunks_after(caller.account, page.after(), page.to_fetch()).await?;
    let states = state.control.trunk_states(caller.account).await?;
    let show = |trunk: StoredTrunk| {
        let status = states.get(&trunk.name).cloned();
        Trunk::new(trunk, status)
    };
    page.answer(found, |trunk| trunk.name.clone(), show)
}

/// Shows a trunk
#[utoipa::path(get, path = "/v1/trunks/{name}", operation_id = "get_trunk", tag = "trunks",
    params(("name" = String, Path, description = "The trunk's name.", example = "office")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The trunk.", body = Trunk,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let trunk = state.store.trunk(caller.account, &name).await?.ok_or_else(unknown)?;
    let tag = tag(&trunk);
    Ok(conditions.show(&tag, &show(&state, caller.account, trunk).await?))
}

/// Makes or replaces a trunk
///
/// It is registered, and takes and places calls, from the answer on.
#[utoipa::path(put, path = "/v1/trunks/{name}", operation_id = "put_trunk", tag = "trunks",
    params(("name" = String, Path, description = "The trunk's name: 1 to 64 letters, digits and `-_.+`.", example = "office")),
    request_body(content = TrunkSettings, example = json!({"uri": "sip:provider.example;transport=tls", "user": "441908000000",
        "password": "correct horse", "register": true, "prefixes": ["+44"]})),
    security(("bearer" = ["config"])),
    responses(
        (status = 200, description = "The trunk, replaced.", body = Trunk, headers(("ETag" = String, description = "Its version."))),
        (status = 201, description = "The trunk, made.", body = Trunk, headers(("ETag" = String, description = "Its version.")))))]
async fn put(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    body: Put,
) -> Answer {
    let state = caller.acting(state);
    let mut whole = Value::Null;
    // A member that is null is left out.
    merge(&mut whole, &body.without(READ_ONLY, ("name", &name))?);
    let body = TrunkBody::replacing(whole).map_err(ApiError::members)?;
    let account = caller.account;
    check(account, &name, &body)?;
    to_the_end(async move {
        let put =
            state.store.put_trunk_if(account, &name, body, |before| conditions.check_before(before, tag));
        let put = put.await;
        stored(&state, account, put).await
    })
    .await
}

/// Changes a trunk
///
/// A password that is not named stays.
#[utoipa::path(patch, path = "/v1/trunks/{name}", operation_id = "change_trunk", tag = "trunks",
    params(("name" = String, Path, description = "The trunk's name.", example = "office")),
    request_body(content = TrunkSettings, content_type = "application/merge-patch+json", example = json!({"calls_max": 30})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The trunk as it is now.", body = Trunk,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    let patch = patch.without(READ_ONLY, ("name", &name))?;
    let (account, of) = (caller.account, name.clone());
    changed(state, account, name, move |before| {
        let before = before.ok_or_else(unknown)?;
        let body = TrunkBody::merged(before, patch).map_err(ApiError::members)?;
        check(account, &of, &body)?;
        conditions.check(Some(&tag(before)))?;
        Ok(Change::Put(body))
    })
    .await
}

/// Errors of a body are reported before those of a condition (RFC 9110, section 13.2.1).
fn check(account: AccountId, name: &str, body: &TrunkBody) -> Result<(), ApiError> {
    let password = match &body.password {
        GivenPassword::Set(password) => password.as_deref(),
        GivenPassword::Kept => None,
    };
    plenary_model::Trunk::new(account, name, &body.body, password).map_err(ApiError::members)?;
    Ok(())
}

/// Stores a change and makes it effective, also if the client disconnects in between.
async fn changed(
    state: App,
    account: AccountId,
    name: String,
    decide: impl FnOnce(Option<&StoredTrunk>) -> Result<Change<TrunkBody>, ApiError> + Send + 'static,
) -> Answer {
    to_the_end(async move {
        let changed = state.store.change_trunk(account, &name, decide).await;
        stored(&state, account, changed).await
    })
    .await
}

/// Makes a stored change effective and shows the trunk.
async fn stored(
    state: &ApiState,
    account: AccountId,
    changed: Result<Changed<StoredTrunk>, ChangeError<ApiError, ServiceError>>,
) -> Answer {
    let (status, trunk) = put_or_patched(changed.map_err(refused)?).ok_or_else(unknown)?;
    state.control.trunks_changed().await?;
    let tag = tag(&trunk);
    Ok(tagged(status, &tag, &show(state, account, trunk).await?))
}

/// Deletes a trunk
///
/// Calls that are up go on.
#[utoipa::path(delete, path = "/v1/trunks/{name}", operation_id = "delete_trunk", tag = "trunks",
    params(("name" = String, Path, description = "The trunk's name.", example = "office")),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "It is deleted."),
        (status = 412, description = "There is another version by now (1213).")))]
async fn delete(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let condition = |before: Before<'_, StoredTrunk>| conditions.check_before(before, tag);
        if !state.store.delete_trunk_if(caller.account, &name, condition).await? {
            return Err(unknown());
        }
        state.control.trunks_changed().await?;
        Ok(no_content())
    })
    .await
}
