//! Who may call: users with passwords, and tokens for a while.

use super::json;
use crate::{
    error::{ApiError, BAD_TOKEN, BAD_USER, UNKNOWN_USER, USER_NAME_TAKEN},
    params::Params,
    server::ApiState,
};
use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use plenary_conference::{AccountId, Timestamp};
use plenary_store::{ClientToken, UserError, inbound::NAME_CHARS_MAX, trunks::is_user};
use serde::Deserialize;
use serde_json::{Value, json as value};

pub(crate) const USERS: &str = "/service/v1/user";
pub(crate) const TOKENS: &str = "/service/v1/token";

/// Of the platform, at the root like its seven services for conferences.
pub(crate) const CLIENT_TOKENS: &str = "/webrtc_generate_token";

const CLIENT_ID: &str = "1 to 64 letters, digits and -_.+";
const CLIENT_TOKEN_SECONDS_DEFAULT: u32 = 3600;
const CLIENT_TOKEN_SECONDS_MAX: u32 = 87_600;
const CALL_CLIENT_BYTES_MAX: usize = 1024;
const TOKEN_SECONDS_DEFAULT: u32 = 300;
const TOKEN_SECONDS_MAX: u32 = 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserBody {
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    service: String,
    #[serde(default = "default_seconds")]
    seconds: u32,
}

fn default_seconds() -> u32 {
    TOKEN_SECONDS_DEFAULT
}

pub(crate) async fn list(state: &ApiState, account: AccountId) -> Result<Response<Body>, ApiError> {
    let users = state.store.sip_users(account).await?;
    let shown: Vec<Value> = users
        .into_iter()
        .map(|user| {
            value!({
                "name": user.name,
                "created_at": user.created_at.0 / 1000,
                "updated_at": user.updated_at.0 / 1000,
            })
        })
        .collect();
    Ok(json(StatusCode::OK, &shown))
}

pub(crate) async fn one(
    state: &ApiState,
    account: AccountId,
    method: &Method,
    name: &str,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    if *method == Method::PUT {
        let body: UserBody = super::parse(body).map_err(|error| {
            ApiError::coded(BAD_USER, format!("body: must be {{\"password\": \"…\"}}: {error}"))
        })?;
        state.store.put_sip_user(account, name, &state.realm, &body.password).await?;
        return Ok(json(StatusCode::OK, &value!({ "name": name, "realm": state.realm })));
    }
    if state.store.delete_sip_user(account, name).await? {
        Ok(json(StatusCode::OK, &value!({ "deleted": true })))
    } else {
        Err(ApiError::coded(UNKNOWN_USER, "there is no user of this name"))
    }
}

pub(crate) async fn token(
    state: &ApiState,
    account: AccountId,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    let body: TokenBody = super::parse(body).map_err(|error| {
        ApiError::coded(BAD_TOKEN, format!("body: must be {{\"service\": \"…\", \"seconds\": 300}}: {error}"))
    })?;
    if body.service.is_empty() || body.service.chars().count() > NAME_CHARS_MAX {
        let text = format!("service: must be the name that is dialled, 1 to {NAME_CHARS_MAX} characters");
        return Err(ApiError::coded(BAD_TOKEN, text));
    }
    if !(1..=TOKEN_SECONDS_MAX).contains(&body.seconds) {
        let text = format!("seconds: must be 1 to {TOKEN_SECONDS_MAX}");
        return Err(ApiError::coded(BAD_TOKEN, text));
    }
    let expires = Timestamp(state.control.now().0 + i64::from(body.seconds) * 1000);
    let token = state.store.make_call_token(account, &body.service, expires).await?;
    Ok(json(StatusCode::CREATED, &value!({ "token": token, "expires": expires.0.div_euclid(1000) })))
}

/// `webrtc_generate_token`: a token for a client in a browser.
pub(crate) async fn client_token(
    state: &ApiState,
    account: AccountId,
    mut params: Params,
) -> Result<Response<Body>, ApiError> {
    let client = params.required("client_id");
    if client.as_ref().is_some_and(|client| !is_user(client)) {
        params.malformed(format!("client_id must be {CLIENT_ID}"));
    }
    let seconds = params.optional_number("ttl").unwrap_or(CLIENT_TOKEN_SECONDS_DEFAULT);
    if !(1..=CLIENT_TOKEN_SECONDS_MAX).contains(&seconds) {
        params.out_of_range(format!("ttl must be 1 to {CLIENT_TOKEN_SECONDS_MAX} seconds"));
    }
    let incoming = params.optional_truth("enable_incoming").unwrap_or(false);
    let call_client = params.optional("call_client");
    if let Some(list) = &call_client
        && (list.len() > CALL_CLIENT_BYTES_MAX
            || !list.split(',').map(str::trim).all(|id| id == "*" || is_user(id)))
    {
        params.malformed(format!(
            "call_client must be * or client ids separated by commas, {CALL_CLIENT_BYTES_MAX} bytes at the most; each is {CLIENT_ID}"
        ));
    }
    params.finish()?;
    let expires = Timestamp(state.control.now().0 + i64::from(seconds) * 1000);
    let client = client.unwrap_or_default();
    let token = ClientToken { account, client, incoming, call_client, expires };
    let token = state.store.make_client_token(&token).await?;
    Ok(json(StatusCode::OK, &value!({ "token": token, "expires": expires.0.div_euclid(1000) })))
}

/// Takes the bodies of both services apart.
#[cfg(fuzzing)]
pub(crate) fn read_bodies(body: &[u8]) {
    let _ = super::parse::<UserBody>(body);
    let _ = super::parse::<TokenBody>(body);
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Name | UserError::Password => Self::coded(BAD_USER, error.to_string()),
            UserError::NameTaken => Self::coded(USER_NAME_TAKEN, error.to_string()),
            UserError::Store(error) => error.into(),
        }
    }
}
