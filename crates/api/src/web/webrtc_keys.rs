//! Access keys of browsers: which account a page calls, and what it may call there. They are no secret.

use super::named::{self, Named};
use crate::{
    answer::{Answer, to_the_end},
    error::{ApiError, BAD_WEBRTC_KEY, Code, UNKNOWN_WEBRTC_KEY, WEBRTC_KEY_TAKEN},
    extract::{Account, Whole},
    json::json,
    methods::only,
    state::{ApiState, App},
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use plenary_conference::{AccountId, Timestamp};
use plenary_model::WebRtcKey;
use plenary_store::{PutOutcome, WebRtcKeyError};
use serde_json::{Value, json as value};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/service/v1/webrtc_key", only("GET, HEAD, POST", get(list).post(make)))
        .route("/service/v1/webrtc_key/{key}", named::methods::<Keys>())
}

fn shown(key: WebRtcKey) -> Value {
    value!({
        "key": key.key,
        "services": key.services,
        "created_at": key.created_at.seconds(),
        "revoked_at": key.revoked_at.map(Timestamp::seconds),
    })
}

async fn list(State(state): State<App>, Account(account): Account) -> Answer {
    let keys: Vec<Value> = state.store.webrtc_keys(account).await?.into_iter().map(shown).collect();
    Ok(json(StatusCode::OK, &keys))
}

/// Makes a key with a text of ours. Without a body it may call every service that admits browsers.
async fn make(State(state): State<App>, Account(account): Account, Whole(body): Whole) -> Answer {
    let body = match &body[..] {
        [] => value!({}),
        body => serde_json::from_slice(body).map_err(|error| bad(format!("body: must be JSON: {error}")))?,
    };
    let services = services(&body)?;
    to_the_end(async move {
        let made = state.store.make_webrtc_key(account, services).await?;
        Ok(json(StatusCode::CREATED, &shown(made)))
    })
    .await
}

/// An account's access keys by their texts.
struct Keys;

impl Named for Keys {
    const BAD: Code = BAD_WEBRTC_KEY;
    /// It is revoked rather than deleted, and can still be read afterwards.
    const DELETED: &str = "revoked";
    const SHOWN_BESIDE: &[&str] = &["created_at", "revoked_at"];

    fn unknown() -> ApiError {
        ApiError::coded(UNKNOWN_WEBRTC_KEY, "the account has no such access key, or it was revoked")
    }

    async fn put(
        state: &ApiState,
        account: AccountId,
        key: &str,
        body: Value,
    ) -> Result<PutOutcome, ApiError> {
        let services = services(&without_key(body, key)?)?;
        Ok(state.store.put_webrtc_key(account, key, services.as_deref()).await?)
    }

    async fn patch(state: &ApiState, account: AccountId, key: &str, patch: Value) -> Result<(), ApiError> {
        let patch = without_key(patch, key)?;
        let services = services(&patch)?;
        let known = state.store.webrtc_key(account, key).await?;
        if known.is_none_or(|key| key.revoked_at.is_some()) {
            return Err(Self::unknown());
        }
        if patch.get("services").is_some() {
            state.store.put_webrtc_key(account, key, services.as_deref()).await?;
        }
        Ok(())
    }

    async fn delete(state: &ApiState, account: AccountId, key: &str) -> Result<bool, ApiError> {
        Ok(state.store.revoke_webrtc_key(account, key).await?)
    }

    async fn read(state: &ApiState, account: AccountId, key: &str) -> Result<Option<Value>, ApiError> {
        Ok(state.store.webrtc_key(account, key).await?.map(shown))
    }
}

fn bad(text: impl Into<String>) -> ApiError {
    ApiError::coded(BAD_WEBRTC_KEY, text)
}

/// The body without the key, which `GET` shows and the path says.
fn without_key(mut body: Value, key: &str) -> Result<Value, ApiError> {
    match body.as_object_mut().and_then(|fields| fields.remove("key")) {
        Some(given) if given != key => {
            Err(bad(format!("key: is `{key}` in the path and another in the body")))
        }
        _ => Ok(body),
    }
}

/// What a body says that the key may call; `None`: every service that admits browsers.
fn services(body: &Value) -> Result<Option<Vec<String>>, ApiError> {
    let fields =
        body.as_object().ok_or_else(|| bad("body: must be an object, as in {\"services\": [\"conf-*\"]}"))?;
    if let Some(unknown) = fields.keys().find(|name| *name != "services") {
        return Err(bad(format!("{unknown}: is not known here; an access key has `services`")));
    }
    match fields.get("services") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|_| bad(WebRtcKeyError::Services.to_string())),
    }
}

/// Takes the body of a request apart.
#[cfg(fuzzing)]
pub(crate) fn read_body(body: &[u8]) {
    if let Ok(body) = serde_json::from_slice(body) {
        let _ = without_key(body, "key").and_then(|body| services(&body));
    }
}

impl From<WebRtcKeyError> for ApiError {
    fn from(error: WebRtcKeyError) -> Self {
        match error {
            WebRtcKeyError::Key | WebRtcKeyError::Services | WebRtcKeyError::TooMany => {
                bad(error.to_string())
            }
            WebRtcKeyError::Taken => Self::coded(WEBRTC_KEY_TAKEN, error.to_string()),
            WebRtcKeyError::Unknown => Self::coded(UNKNOWN_WEBRTC_KEY, error.to_string()),
            WebRtcKeyError::Store(error) => error.into(),
        }
    }
}
