//! Access keys of browsers: which account a page calls, and what it may call there. They are no secret.

use super::{
    access::{Caller, Config},
    body::{Body, Patch, Put},
    conditions::{Conditions, Tag, created, put_or_patched, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    error::{ApiError, TOO_MANY, UNKNOWN_WEBRTC_KEY, WEBRTC_KEY_TAKEN},
    extract::Segments,
    state::App,
    time,
};
use axum::extract::State;
use plenary_model::{AccountId, FieldError, WebRtcKey, are_webrtc_key_services};
use plenary_store::{Before, Change, ChangeError, Changed, WebRtcKeyError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What GET shows beside what PUT takes; PUT passes over it.
const READ_ONLY: &[&str] = &["created_at", "updated_at", "revoked_at"];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(one, put, change, revoke))
}

/// An access key of browsers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebRtcKey)]
struct Key {
    /// Its text: the first label of the host that a client names.
    #[schema(example = "k7pq2m4xw3znc5ah")]
    key: String,
    /// The inbound services that it may call, by their names; null: each that admits browsers.
    #[schema(example = json!(["conf-*"]))]
    services: Option<Vec<String>>,
    /// When it was made, or last made valid.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// When it was revoked; null: it was not.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl From<WebRtcKey> for Key {
    fn from(key: WebRtcKey) -> Self {
        let WebRtcKey { key, account: _, services, created_at, updated_at, revoked_at } = key;
        Self {
            key,
            services,
            created_at: time::rfc3339(created_at),
            updated_at: time::rfc3339(updated_at),
            revoked_at: revoked_at.map(time::rfc3339),
        }
    }
}

/// What can be set of a key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebRtcKeyBody)]
struct Settings {
    /// The inbound services that it may call, by their names; null: each that admits browsers.
    #[schema(min_items = 1, max_items = 256, example = json!(["conf-*"]))]
    services: Option<Vec<String>>,
}

fn tag(key: &WebRtcKey) -> Tag {
    Tag::of(&(&key.key, key.updated_at))
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_WEBRTC_KEY, "the account has no such access key, or it was revoked")
}

impl From<WebRtcKeyError> for ApiError {
    fn from(error: WebRtcKeyError) -> Self {
        let text = error.to_string();
        let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail).to_owned();
        match error {
            WebRtcKeyError::Key => Self::parameter("key", detail),
            WebRtcKeyError::Services => Self::members(vec![FieldError::new("/services", detail)]),
            WebRtcKeyError::TooMany => Self::coded(TOO_MANY, detail),
            WebRtcKeyError::Taken => Self::coded(WEBRTC_KEY_TAKEN, text),
            WebRtcKeyError::Unknown => unknown(),
            WebRtcKeyError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeError<ApiError, WebRtcKeyError>> for ApiError {
    fn from(error: ChangeError<Self, WebRtcKeyError>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Store(error) => error.into(),
        }
    }
}

/// Lists access keys of browsers
///
/// By their texts, revoked ones included.
#[utoipa::path(get, path = "/v1/webrtc_keys", operation_id = "list_webrtc_keys", tag = "users", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the keys.", body = List<Key>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let found = state.store.webrtc_keys_after(caller.account, page.after(), page.to_fetch()).await?;
    page.answer(found, |key| key.key.clone(), Key::from)
}

/// Makes an access key for browsers
///
/// With a text of ours. It is no secret: it names the account that a page calls.
#[utoipa::path(post, path = "/v1/webrtc_keys", operation_id = "make_webrtc_key", tag = "users",
    request_body(content = Settings, example = json!({"services": ["conf-*"]})),
    security(("bearer" = ["config"])),
    responses((status = 201, description = "The key.", body = Key,
        headers(("Location" = String, description = "Its path."), ("ETag" = String, description = "Its version.")))))]
async fn make(
    caller: Caller<Config>,
    State(state): State<App>,
    Body(Settings { services }): Body<Settings>,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let key = state.store.make_webrtc_key(caller.account, services).await?;
        let location = format!("/v1/webrtc_keys/{}", key.key);
        Ok(created(&tag(&key), &Key::from(key), &location))
    })
    .await
}

/// Shows an access key of browsers
#[utoipa::path(get, path = "/v1/webrtc_keys/{key}", operation_id = "get_webrtc_key", tag = "users",
    params(("key" = String, Path, description = "The key's text.", example = "k7pq2m4xw3znc5ah")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The key.", body = Key,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([key]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    conditions.show_found(state.store.webrtc_key(caller.account, &key).await?, unknown, tag, Key::from)
}

/// Makes an access key of this text, or replaces what it may call
///
/// One that was revoked is valid again.
#[utoipa::path(put, path = "/v1/webrtc_keys/{key}", operation_id = "put_webrtc_key", tag = "users",
    params(("key" = String, Path, description = "The key's text: 1 to 63 of the letters a-z and the digits.", example = "k7pq2m4xw3znc5ah")),
    request_body(content = Settings, example = json!({"services": ["conf-*"]})),
    security(("bearer" = ["config"])),
    responses(
        (status = 200, description = "The key, replaced.", body = Key, headers(("ETag" = String, description = "Its version."))),
        (status = 201, description = "The key, made.", body = Key, headers(("ETag" = String, description = "Its version."))),
        (status = 409, description = "The key is taken (1212), or the account has too many (1216).")))]
async fn put(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([key]): Segments<1>,
    conditions: Conditions,
    body: Put,
) -> Answer {
    let state = caller.acting(state);
    let Settings { services } = body.read(READ_ONLY, ("key", &key))?;
    check(services.as_deref())?;
    to_the_end(async move {
        let condition = |before: Before<'_, WebRtcKey>| conditions.check_before(before, tag);
        shown(state.store.put_webrtc_key_if(caller.account, &key, services, condition).await?)
    })
    .await
}

/// Changes what an access key may call
#[utoipa::path(patch, path = "/v1/webrtc_keys/{key}", operation_id = "change_webrtc_key", tag = "users",
    params(("key" = String, Path, description = "The key's text.", example = "k7pq2m4xw3znc5ah")),
    request_body(content = Settings, content_type = "application/merge-patch+json", example = json!({"services": null})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The key as it is now.", body = Key,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([key]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    changed(state, caller.account, key, move |before| {
        let before = before.filter(|key| key.revoked_at.is_none()).ok_or_else(unknown)?;
        let Settings { services } = patch.merge_into(&Settings { services: before.services.clone() })?;
        check(services.as_deref())?;
        conditions.check(Some(&tag(before)))?;
        Ok(Change::Put(services))
    })
    .await
}

/// Errors of a body are reported before those of a condition (RFC 9110, section 13.2.1).
fn check(services: Option<&[String]>) -> Result<(), ApiError> {
    match services.is_none_or(are_webrtc_key_services) {
        true => Ok(()),
        false => Err(WebRtcKeyError::Services.into()),
    }
}

async fn changed(
    state: App,
    account: AccountId,
    key: String,
    decide: impl FnOnce(Option<&WebRtcKey>) -> Result<Change<Option<Vec<String>>>, ApiError> + Send + 'static,
) -> Answer {
    to_the_end(async move { shown(state.store.change_webrtc_key(account, &key, decide).await?) }).await
}

fn shown(changed: Changed<WebRtcKey>) -> Answer {
    let (status, key) = put_or_patched(changed).ok_or_else(unknown)?;
    Ok(tagged(status, &tag(&key), &Key::from(key)))
}

/// Revokes an access key of browsers
///
/// Calls that come from then on are refused; those that are up go on. The key can still be read.
#[utoipa::path(delete, path = "/v1/webrtc_keys/{key}", operation_id = "revoke_webrtc_key", tag = "users",
    params(("key" = String, Path, description = "The key's text.", example = "k7pq2m4xw3znc5ah")),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "It is revoked."),
        (status = 412, description = "There is another version by now (1213).")))]
async fn revoke(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([key]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let condition = |before: Before<'_, WebRtcKey>| conditions.check_before(before, tag);
        if !state.store.revoke_webrtc_key_if(caller.account, &key, condition).await? {
            return Err(unknown());
        }
        Ok(no_content())
    })
    .await
}
