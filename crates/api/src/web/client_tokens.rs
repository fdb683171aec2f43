//! `webrtc_generate_token`: tokens of clients in browsers.

use crate::{
    answer::{Answer, to_the_end},
    error::ApiError,
    json::json,
    methods::only,
    params::Params,
    state::App,
    v1::access::{Caller, Config},
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use plenary_conference::Timestamp;
use plenary_model::{ClientToken, is_user};
use serde_json::json as value;

const CLIENT_ID: &str = "1 to 64 letters, digits and -_.+";
const CLIENT_TOKEN_SECONDS_DEFAULT: u32 = 3600;
const CLIENT_TOKEN_SECONDS_MAX: u32 = 87_600;
const CALL_CLIENT_BYTES_MAX: usize = 1024;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        // Of the platform, at the root like its seven services for conferences.
        .route("/webrtc_generate_token", only("GET, HEAD, POST", get(client_token).post(client_token)))
}

/// `webrtc_generate_token`: a token for a client in a browser.
async fn client_token(
    State(state): State<App>,
    Caller { account, .. }: Caller<Config>,
    mut params: Params,
) -> Answer {
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
    let token =
        to_the_end(async move { Ok::<_, ApiError>(state.store.make_client_token(&token).await?) }).await?;
    Ok(json(StatusCode::OK, &value!({ "token": token, "expires": expires.0.div_euclid(1000) })))
}
