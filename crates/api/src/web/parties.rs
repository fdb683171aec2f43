//! Parties of conferences one by one: calling somebody in, seeing how the call is doing, ending it, sending it elsewhere.

use super::json;
use crate::{
    control::Invitation,
    error::{ApiError, BAD_TARGET},
    server::ApiState,
};
use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use plenary_conference::{
    AccountId, ConferenceName, ParticipantId, ParticipantOptions, reservation::is_conference_name,
};
use plenary_store::inbound;
use serde::Deserialize;
use serde_json::{Value, json as value};
use std::ops::RangeInclusive;

const RING_SECONDS: RangeInclusive<u32> = 5..=180;
const RING_SECONDS_DEFAULT: u32 = 45;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InviteBody {
    to: String,
    #[serde(default)]
    trunk: Option<String>,
    #[serde(default)]
    participant: Option<Value>,
    #[serde(default)]
    ring_seconds: Option<u32>,
    #[serde(default)]
    from: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferBody {
    to: String,
}

fn wrong(text: impl Into<String>) -> ApiError {
    ApiError::coded(BAD_TARGET, text)
}

pub(crate) async fn invite(
    state: &ApiState,
    account: AccountId,
    name: String,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    let body: InviteBody = super::parse(body).map_err(|error| {
        wrong(format!(
            "body: must be {{\"to\": \"tel:+…\"}}, with trunk, participant, ring_seconds and from where wanted: {error}"
        ))
    })?;
    if !is_conference_name(&name) {
        return Err(wrong("conference: its name has 1 to 47 letters and digits"));
    }
    let options = match &body.participant {
        None => ParticipantOptions::default(),
        Some(options) => {
            inbound::participant("participant", options).map_err(|error| wrong(error.to_string()))?
        }
    };
    let ring_seconds = body.ring_seconds.unwrap_or(RING_SECONDS_DEFAULT);
    if !RING_SECONDS.contains(&ring_seconds) {
        return Err(wrong(format!(
            "ring_seconds: must be {} to {}",
            RING_SECONDS.start(),
            RING_SECONDS.end()
        )));
    }
    if body.from.as_deref().is_some_and(|from| !plenary_store::trunks::is_user(from)) {
        return Err(wrong("from: has 1 to 64 letters, digits and -_.+"));
    }
    let InviteBody { to, trunk, from, .. } = body;
    let invitation = Invitation { to, trunk, options, ring_seconds, from };
    let party = state.control.invite(account, ConferenceName::new(name), invitation).await?;
    Ok(json(StatusCode::ACCEPTED, &party))
}

pub(crate) async fn one(
    state: &ApiState,
    account: AccountId,
    method: &Method,
    name: String,
    id: String,
) -> Result<Response<Body>, ApiError> {
    let (name, id) = (ConferenceName::new(name), ParticipantId::new(id));
    if *method == Method::DELETE {
        state.control.end_party(account, name, id).await?;
        return Ok(json(StatusCode::OK, &value!({ "ended": true })));
    }
    let party = state.control.party(account, name, id).await?;
    Ok(json(StatusCode::OK, &party))
}

pub(crate) async fn transfer(
    state: &ApiState,
    account: AccountId,
    name: String,
    id: String,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    let body: TransferBody =
        super::parse(body).map_err(|error| wrong(format!("body: must be {{\"to\": \"sip:…\"}}: {error}")))?;
    let party =
        state.control.transfer(account, ConferenceName::new(name), ParticipantId::new(id), body.to).await?;
    Ok(json(StatusCode::ACCEPTED, &party))
}
