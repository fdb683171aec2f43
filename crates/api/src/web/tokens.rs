//! Tokens: who has one may call for a while, without a password.

use crate::{
    answer::{Answer, to_the_end},
    error::{ApiError, BAD_TOKEN},
    extract::{Account, Whole},
    json::json,
    methods::only,
    params::Params,
    state::App,
};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use plenary_conference::Timestamp;
use plenary_model::{ClientToken, SERVICE_NAME_CHARS_MAX, is_user};
use serde::Deserialize;
use serde_json::json as value;

const CLIENT_ID: &str = "1 to 64 letters, digits and -_.+";
const CLIENT_TOKEN_SECONDS_DEFAULT: u32 = 3600;
const CLIENT_TOKEN_SECONDS_MAX: u32 = 87_600;
const CALL_CLIENT_BYTES_MAX: usize = 1024;
const TOKEN_SECONDS_DEFAULT: u32 = 300;
const TOKEN_SECONDS_MAX: u32 = 86_400;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/service/v1/token", only("POST", post(make)))
        // Of the platform, at the root like its seven services for conferences.
        .route("/webrtc_generate_token", only("GET, HEAD, POST", get(client_token).post(client_token)))
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

async fn make(State(state): State<App>, Account(account): Account, Whole(body): Whole) -> Answer {
    let body: TokenBody = crate::json::parse(&body).map_err(|error| {
        ApiError::coded(BAD_TOKEN, format!("body: must be {{\"service\": \"…\", \"seconds\": 300}}: {error}"))
    })?;
    if body.service.is_empty() || body.service.chars().count() > SERVICE_NAME_CHARS_MAX {
        let text =
            format!("service: must be the name that is dialled, 1 to {SERVICE_NAME_CHARS_MAX} characters");
        return Err(ApiError::coded(BAD_TOKEN, text));
    }
    if !(1..=TOKEN_SECONDS_MAX).contains(&body.seconds) {
        let text = format!("seconds: must be 1 to {TOKEN_SECONDS_MAX}");
        return Err(ApiError::coded(BAD_TOKEN, text));
    }
    let expires = Timestamp(state.control.now().0 + i64::from(body.seconds) * 1000);
    let token =
        to_the_end(async move { Ok(state.store.make_call_token(account, &body.service, expires).await?) })
            .await?;
    Ok(json(StatusCode::CREATED, &value!({ "token": token, "expires": expires.0.div_euclid(1000) })))
}

/// `webrtc_generate_token`: a token for a client in a browser.
async fn client_token(State(state): State<App>, Account(account): Account, mut params: Params) -> Answer {
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
    let token = to_the_end(async move { Ok(state.store.make_client_token(&token).await?) }).await?;
    Ok(json(StatusCode::OK, &value!({ "token": token, "expires": expires.0.div_euclid(1000) })))
}

/// Takes the body of a request apart.
#[cfg(fuzzing)]
pub(crate) fn read_body(body: &[u8]) {
    let _ = crate::json::parse::<TokenBody>(body);
}
