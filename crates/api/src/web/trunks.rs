//! Trunks: the providers through which an account's calls go out and from which they come in.

use super::json;
use crate::{
    control::TrunkState,
    error::{ApiError, BAD_TRUNK, UNKNOWN_TRUNK},
    server::ApiState,
};
use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use plenary_conference::AccountId;
use plenary_store::{PutOutcome, ServiceError, StoredTrunk};
use serde_json::{Value, json as value};
use std::collections::BTreeMap;

/// The JSON Schema of a trunk's body, written for people and held against the types by a test.
pub(crate) const SCHEMA: &str = include_str!("trunk.schema.json");

pub(crate) const COLLECTION: &str = "/service/v1/trunk";
pub(crate) const SCHEMA_PATH: &str = "/service/v1/schema/trunk";

/// The body with its name, and how it does. Never its password.
fn shown(trunk: StoredTrunk, states: &BTreeMap<String, TrunkState>) -> Value {
    let mut status = states.get(&trunk.name).map_or_else(
        || value!({ "calls": 0, "registration": "off" }),
        |state| serde_json::to_value(state).unwrap_or_default(),
    );
    status["has_password"] = trunk.has_password.into();
    let mut shown = value!({ "name": trunk.name });
    if let (Value::Object(shown), Value::Object(body)) = (&mut shown, trunk.body) {
        shown.extend(body);
        shown.insert("status".to_owned(), status);
    }
    shown
}

pub(crate) async fn list(state: &ApiState, account: AccountId) -> Result<Response<Body>, ApiError> {
    let states = state.control.trunk_states(account).await?;
    let trunks = state.store.trunks(account).await?;
    let trunks: Vec<Value> = trunks.into_iter().map(|trunk| shown(trunk, &states)).collect();
    Ok(json(StatusCode::OK, &trunks))
}

pub(crate) async fn one(
    state: &ApiState,
    account: AccountId,
    method: &Method,
    name: &str,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    let unknown = || ApiError::coded(UNKNOWN_TRUNK, "there is no trunk of this name");
    let mut status = StatusCode::OK;
    match *method {
        Method::PUT => {
            let outcome = state.store.put_trunk(account, name, object(body, name)?).await.map_err(error)?;
            if outcome == PutOutcome::Created {
                status = StatusCode::CREATED;
            }
            state.control.trunks_changed().await?;
        }
        Method::PATCH => {
            state.store.patch_trunk(account, name, object(body, name)?).await.map_err(error)?;
            state.control.trunks_changed().await?;
        }
        Method::DELETE => {
            if !state.store.delete_trunk(account, name).await? {
                return Err(unknown());
            }
            state.control.trunks_changed().await?;
            return Ok(json(StatusCode::OK, &value!({ "deleted": true })));
        }
        _ => {}
    }
    let states = state.control.trunk_states(account).await?;
    let trunk = state.store.trunk(account, name).await?.ok_or_else(unknown)?;
    Ok(json(status, &shown(trunk, &states)))
}

/// The body without what `GET` shows beside it: a `name` that repeats the path, and the `status`.
fn object(body: &[u8], name: &str) -> Result<Value, ApiError> {
    let mut object: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::coded(BAD_TRUNK, format!("body: must be JSON: {error}")))?;
    if let Value::Object(fields) = &mut object {
        fields.remove("status");
        if let Some(given) = fields.remove("name")
            && given != name
        {
            let text = format!("name: is `{name}` in the path and another in the body");
            return Err(ApiError::coded(BAD_TRUNK, text));
        }
    }
    Ok(object)
}

fn error(error: ServiceError) -> ApiError {
    match error {
        ServiceError::UnknownService => ApiError::coded(UNKNOWN_TRUNK, "there is no trunk of this name"),
        ServiceError::Invalid(_) | ServiceError::NameTaken => ApiError::coded(BAD_TRUNK, error.to_string()),
        ServiceError::Store(error) => error.into(),
    }
}
