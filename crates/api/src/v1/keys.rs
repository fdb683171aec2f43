//! The account's API keys. A secret is shown once, when its key is made.

use super::{
    access::{Caller, Config},
    body::{Body, Patch},
    conditions::{Conditions, Tag, created, tagged},
    list::{List, Page, Query},
    moment::Moment,
};
use crate::{
    answer::{Answer, gone, to_the_end},
    error::{ApiError, UNKNOWN_KEY},
    extract::Segments,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{ConferenceName, FieldError, KeySettings, Scopes};
use plenary_store::{Access, KeyId, KeyInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(one, change, revoke))
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
struct Key {
    /// Its number.
    #[schema(example = 7)]
    id: i64,
    /// The first characters of its secret, by which people distinguish their keys.
    #[schema(example = "k3v9qa")]
    prefix: String,
    #[serde(flatten)]
    set: Set,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last used, to a minute; null: never.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// When it was revoked; null: it was not.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

/// What can be set of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeySettings)]
struct Set {
    /// What people call it; null: nothing.
    #[schema(min_length = 1, max_length = 100, example = "Booking page")]
    label: Option<String>,
    /// What it may do.
    scopes: Scopes,
    /// The only conference that it is for; null: all of the account.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9]{1,47}$")]
    conference: Option<ConferenceName>,
    /// Until when it is valid; null: without end.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl Set {
    fn of(key: &KeyInfo) -> Self {
        Self {
            label: key.label.clone(),
            scopes: key.scopes,
            conference: key.conference.clone(),
            expires_at: key.expires_at.map(time::rfc3339),
        }
    }
}

fn tag(key: &KeyInfo) -> Tag {
    Tag::of(&Set::of(key))
}

impl From<KeyInfo> for Key {
    fn from(key: KeyInfo) -> Self {
        Self {
            id: key.id.0,
            set: Set::of(&key),
            prefix: key.prefix,
            created_at: time::rfc3339(key.created_at),
            last_used_at: key.last_used_at.map(time::rfc3339),
            revoked_at: key.revoked_at.map(time::rfc3339),
        }
    }
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
struct NewKey {
    /// The secret. It is shown this once.
    #[schema(pattern = "^[a-z2-7]{52}$")]
    secret: String,
    #[serde(flatten)]
    key: Key,
}

/// A new key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100, example = "Booking page")]
    label: Option<String>,
    /// What it may do: at most what the key may that asks. `operator` is given by the command line alone.
    scopes: Scopes,
    /// The only conference that it is for; such a key may have `read` and `control`.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9]{1,47}$")]
    conference: Option<ConferenceName>,
    /// Until when it is valid.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Moment>,
}

impl KeyBody {
    /// The settings, if the calling key may give them: a key gives no more than it has.
    fn settings(self, by: &Access) -> Result<KeySettings, ApiError> {
        let Self { label, scopes, conference, expires_at } = self;
        if !scopes.is_subset(by.scopes) {
            let detail = format!("a key can give only the scopes that it has itself: {}", by.scopes);
            return Err(ApiError::members(vec![FieldError::new("/scopes", detail)]));
        }
        let expires_at = expires_at.map(|Moment(at)| at);
        Ok(KeySettings { label, scopes, conference, expires_at })
    }
}

/// Lists the account's API keys
///
/// Oldest first, revoked ones included.
#[utoipa::path(get, path = "/v1/keys", operation_id = "list_keys", tag = "keys", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the keys.", body = List<Key>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let after = page.after_as(|key| key.parse().ok().map(KeyId))?;
    let found = state.store.keys_after(caller.account, after, page.to_fetch()).await?;
    page.answer(found, |key| key.id.to_string(), Key::from)
}

/// Makes an API key
///
/// The secret is in this answer alone.
#[utoipa::path(post, path = "/v1/keys", operation_id = "make_key", tag = "keys",
    request_body(content = KeyBody, example = json!({"label": "Booking page", "scopes": ["read", "book"]})),
    security(("bearer" = ["config"])),
    responses((status = 201, description = "The key, with its secret.", body = NewKey,
        headers(("Location" = String, description = "Its path."), ("ETag" = String, description = "Its version.")))))]
async fn make(caller: Caller<Config>, State(state): State<App>, Body(body): Body<KeyBody>) -> Answer {
    let state = caller.acting(state);
    let settings = body.settings(&caller.access)?;
    to_the_end(async move {
        let (key, secret) = state.store.key_new(caller.account, &settings).await?;
        let (tag, location) = (tag(&key), format!("/v1/keys/{}", key.id));
        let shown = NewKey { secret: secret.to_string(), key: key.into() };
        Ok(created(&tag, &shown, &location))
    })
    .await
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_KEY, "the account has no such key")
}

fn id(text: &str) -> Result<KeyId, ApiError> {
    text.parse().map(KeyId).map_err(|_| unknown())
}

/// Shows an API key
#[utoipa::path(get, path = "/v1/keys/{id}", operation_id = "get_key", tag = "keys",
    params(("id" = i64, Path, description = "The key's number.", example = 7)),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The key.", body = Key,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    conditions.show_found(state.store.key(caller.account, id(&number)?).await?, unknown, tag, Key::from)
}

/// Changes an API key
///
/// Its name, what it may do, or until when. It counts within a second.
#[utoipa::path(patch, path = "/v1/keys/{id}", operation_id = "change_key", tag = "keys",
    params(("id" = i64, Path, description = "The key's number.", example = 7)),
    request_body(content = KeyBody, content_type = "application/merge-patch+json", example = json!({"label": "Old booking page"})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The key as it is now.", body = Key,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    let number = id(&number)?;
    to_the_end(async move {
        let decide = |key: &KeyInfo| {
            let body: KeyBody = patch.merge_into(&Set::of(key))?;
            let settings = body.settings(&caller.access)?;
            let errors = settings.check();
            if !errors.is_empty() {
                return Err(ApiError::members(errors));
            }
            conditions.check(Some(&tag(key)))?;
            Ok(settings)
        };
        let changed = state.store.change_key(caller.account, number, decide).await?.ok_or_else(unknown)?;
        Ok(tagged(StatusCode::OK, &tag(&changed), &Key::from(changed)))
    })
    .await
}

/// Revokes an API key
///
/// It counts within a second, and can not be undone. The key can still be read.
#[utoipa::path(delete, path = "/v1/keys/{id}", operation_id = "revoke_key", tag = "keys",
    params(("id" = i64, Path, description = "The key's number.", example = 7)),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "It is revoked.")))]
async fn revoke(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    let number = id(&number)?;
    to_the_end(async move {
        let decide = |key: &KeyInfo| conditions.check(Some(&tag(key)));
        gone(state.store.key_revoke_if(caller.account, number, decide).await?, unknown)
    })
    .await
}
