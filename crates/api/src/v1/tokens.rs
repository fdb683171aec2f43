//! Tokens: who has one may call one service for a while, without a password.

use super::{
    access::{Caller, Control},
    body::Body,
};
use crate::{
    answer::{Answer, to_the_end},
    error::ApiError,
    json::json,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{FieldError, SERVICE_NAME_CHARS_MAX, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

const VALID_S_DEFAULT: u32 = 300;
const VALID_S_MAX: u32 = 86_400;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(make))
}

/// What a new token allows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenBody {
    /// The name or number that may be dialled.
    #[schema(min_length = 1, max_length = 128, example = "conf-Board")]
    service: String,
    /// For how long.
    #[serde(default = "valid_s")]
    #[schema(minimum = 1, maximum = 86_400)]
    valid_s: u32,
}

fn valid_s() -> u32 {
    VALID_S_DEFAULT
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
struct Token {
    /// The password of a call: `sip:token:TOKEN@…`, or `Authorization: Bearer TOKEN` in INVITE.
    token: String,
    /// Until when it is valid.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Makes a token for calls
///
/// Anyone who has it may call the service without a user name and password, any number of times until it expires.
#[utoipa::path(post, path = "/v1/tokens", operation_id = "make_token", tag = "users",
    request_body(content = TokenBody),
    security(("bearer" = ["control"])),
    responses((status = 201, description = "The token.", body = Token)))]
async fn make(
    caller: Caller<Control>,
    State(state): State<App>,
    Body(TokenBody { service, valid_s }): Body<TokenBody>,
) -> Answer {
    let mut errors = Vec::new();
    if !(1..=SERVICE_NAME_CHARS_MAX).contains(&service.chars().count()) {
        let text = format!("has 1 to {SERVICE_NAME_CHARS_MAX} characters");
        errors.push(FieldError::new("/service", text));
    }
    if !(1..=VALID_S_MAX).contains(&valid_s) {
        errors.push(FieldError::new("/valid_s", format!("must be 1 to {VALID_S_MAX}")));
    }
    if !errors.is_empty() {
        return Err(ApiError::members(errors));
    }
    let expires = Timestamp(state.control.now().0 + i64::from(valid_s) * 1000);
    to_the_end(async move {
        let token = state.store.make_call_token(caller.account, &service, expires).await?;
        Ok(json(StatusCode::CREATED, &Token { token, expires_at: time::rfc3339(expires) }))
    })
    .await
}
