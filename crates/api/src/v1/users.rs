//! Users: telephones that register, and callers with a password (digest authentication, RFC 7616).

use super::{
    access::{Caller, Config},
    body::{Body, Put},
    conditions::{Conditions, Tag, put_or_patched, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    error::{ApiError, UNKNOWN_USER, USER_NAME_TAKEN},
    extract::Segments,
    json::{json, present},
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{AccountId, SipUser, check_user};
use plenary_store::{Change, ChangeError, SipPassword, UserError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What GET shows beside what PUT takes; PUT passes over it.
const READ_ONLY: &[&str] = &["realm", "created_at", "updated_at"];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one, put, change, delete))
}

/// A user, without the password.
#[derive(Debug, Serialize, ToSchema)]
struct User {
    /// The name, unique over the installation.
    #[schema(example = "alice")]
    name: String,
    /// The realm that the password is for.
    realm: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its password was last set.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl User {
    fn new(user: SipUser, realm: &str) -> Self {
        let SipUser { name, created_at, updated_at } = user;
        let (created_at, updated_at) = (time::rfc3339(created_at), time::rfc3339(updated_at));
        Self { name, realm: realm.to_owned(), created_at, updated_at }
    }
}

fn tag(user: &SipUser) -> Tag {
    Tag::of(&(&user.name, user.updated_at))
}

/// A new user, or another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserBody {
    /// The password that the telephone has.
    #[schema(write_only, min_length = 8, max_length = 128, example = "correct horse battery")]
    password: String,
}

/// A change of a user; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserPatch {
    /// Another password.
    #[serde(default, deserialize_with = "present")]
    #[schema(write_only, nullable = false, min_length = 8, max_length = 128)]
    password: Option<String>,
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_USER, "there is no user of this name")
}

impl From<ChangeError<ApiError, UserError>> for ApiError {
    fn from(error: ChangeError<Self, UserError>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Store(error) => match error {
                UserError::Invalid(errors) => Self::members(errors),
                UserError::NameTaken => Self::coded(USER_NAME_TAKEN, error.to_string()),
                UserError::Store(error) => error.into(),
            },
        }
    }
}

/// Lists users
///
/// By name.
#[utoipa::path(get, path = "/v1/users", operation_id = "list_users", tag = "users", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the users.", body = List<User>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let found = state.store.sip_users_after(caller.account, page.after(), page.to_fetch()).await?;
    let list = page.of(found, |user| user.name.clone(), |user| User::new(user, &state.realm));
    Ok(json(StatusCode::OK, &list))
}

/// Shows a user
#[utoipa::path(get, path = "/v1/users/{name}", operation_id = "get_user", tag = "users",
    params(("name" = String, Path, description = "The user's name.", example = "alice")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The user.", body = User,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let user = state.store.sip_user(caller.account, &name).await?.ok_or_else(unknown)?;
    Ok(conditions.show(&tag(&user), &User::new(user, &state.realm)))
}

/// Makes a user, or gives it another password
#[utoipa::path(put, path = "/v1/users/{name}", operation_id = "put_user", tag = "users",
    params(("name" = String, Path, description = "The user's name: 1 to 64 letters, digits and `-_.+`.", example = "alice")),
    request_body(content = UserBody),
    security(("bearer" = ["config"])),
    responses(
        (status = 200, description = "The user, with another password.", body = User, headers(("ETag" = String, description = "Its version."))),
        (status = 201, description = "The user, made.", body = User, headers(("ETag" = String, description = "Its version."))),
        (status = 409, description = "The name is taken (1208).")))]
async fn put(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    body: Put,
) -> Answer {
    let state = caller.acting(state);
    let UserBody { password } = body.read(READ_ONLY, ("name", &name))?;
    check(&name, Some(&password))?;
    let realm = state.realm.clone();
    changed(state, caller.account, name, move |before| {
        conditions.check(before.map(tag).as_ref())?;
        Ok(Change::Put(SipPassword::Plain { realm, password }))
    })
    .await
}

/// Changes a user
#[utoipa::path(patch, path = "/v1/users/{name}", operation_id = "change_user", tag = "users",
    params(("name" = String, Path, description = "The user's name.", example = "alice")),
    request_body(content = UserPatch, example = json!({"password": "another horse battery"})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The user as it is now.", body = User,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    Body(UserPatch { password }): Body<UserPatch>,
) -> Answer {
    let state = caller.acting(state);
    check(&name, password.as_deref())?;
    let realm = state.realm.clone();
    changed(state, caller.account, name, move |before| {
        conditions.check(Some(&tag(before.ok_or_else(unknown)?)))?;
        Ok(match password {
            Some(password) => Change::Put(SipPassword::Plain { realm, password }),
            None => Change::Keep,
        })
    })
    .await
}

/// Errors of a body are reported before those of a condition (RFC 9110, section 13.2.1).
fn check(name: &str, password: Option<&str>) -> Result<(), ApiError> {
    let errors = password.map(|password| check_user(name, password)).unwrap_or_default();
    if errors.is_empty() { Ok(()) } else { Err(ApiError::members(errors)) }
}

async fn changed(
    state: App,
    account: AccountId,
    name: String,
    decide: impl FnOnce(Option<&SipUser>) -> Result<Change<SipPassword>, ApiError> + Send + 'static,
) -> Answer {
    to_the_end(async move {
        let changed = state.store.change_sip_user(account, &name, decide).await?;
        let (status, user) = put_or_patched(changed).ok_or_else(unknown)?;
        Ok(tagged(status, &tag(&user), &User::new(user, &state.realm)))
    })
    .await
}

/// Deletes a user
///
/// Its telephone can neither register nor call any more; calls that are up go on.
#[utoipa::path(delete, path = "/v1/users/{name}", operation_id = "delete_user", tag = "users",
    params(("name" = String, Path, description = "The user's name.", example = "alice")),
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
        let decide = |before: Option<&SipUser>| {
            conditions.check(Some(&tag(before.ok_or_else(unknown)?)))?;
            Ok(Change::Delete)
        };
        state.store.change_sip_user(caller.account, &name, decide).await?;
        Ok(no_content())
    })
    .await
}
