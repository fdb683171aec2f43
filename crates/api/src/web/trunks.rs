//! Trunks: the providers through which an account's calls go out and from which they come in.

use super::named::{self, Named};
use crate::{
    answer::Answer,
    control::TrunkState,
    error::{ApiError, BAD_TRUNK, Code, UNKNOWN_TRUNK},
    extract::Account,
    json::json,
    methods::only,
    state::{ApiState, App},
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use plenary_conference::AccountId;
use plenary_model::{StoredTrunk, TrunkSettings};
use plenary_store::{PutOutcome, ServiceError};
use serde_json::{Value, json as value};
use std::collections::BTreeMap;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/service/v1/trunk", only("GET, HEAD", get(list)))
        .route("/service/v1/trunk/{name}", named::methods::<Trunks>())
        .route("/service/v1/schema/trunk", only("GET, HEAD", get(schema)))
}

/// Under this name stands how a trunk does.
const STATUS: &str = "status";

/// The body with its name, and how it does. Never its password.
fn shown(trunk: StoredTrunk, states: &BTreeMap<String, TrunkState>) -> Value {
    let mut status = states.get(&trunk.name).map_or_else(
        || value!({ "calls": 0, "registration": "off" }),
        |state| serde_json::to_value(state).unwrap_or_default(),
    );
    status["has_password"] = trunk.has_password.into();
    let mut shown = named::shown(trunk.name, trunk.body);
    shown[STATUS] = status;
    shown
}

/// The JSON Schema of a trunk's body.
async fn schema(_: Account) -> Answer {
    Ok(json(StatusCode::OK, &TrunkSettings::json_schema()))
}

async fn list(State(state): State<App>, Account(account): Account) -> Answer {
    let states = state.control.trunk_states(account).await?;
    let trunks = state.store.trunks(account).await?;
    let trunks: Vec<Value> = trunks.into_iter().map(|trunk| shown(trunk, &states)).collect();
    Ok(json(StatusCode::OK, &trunks))
}

/// An account's trunks by their names.
struct Trunks;

impl Named for Trunks {
    const BAD: Code = BAD_TRUNK;
    const SHOWN_BESIDE: &[&str] = &[STATUS];

    fn unknown() -> ApiError {
        ApiError::coded(UNKNOWN_TRUNK, "there is no trunk of this name")
    }

    async fn put(
        state: &ApiState,
        account: AccountId,
        name: &str,
        body: Value,
    ) -> Result<PutOutcome, ApiError> {
        let outcome = state.store.put_trunk(account, name, body).await.map_err(error)?;
        state.control.trunks_changed().await?;
        Ok(outcome)
    }

    async fn patch(state: &ApiState, account: AccountId, name: &str, patch: Value) -> Result<(), ApiError> {
        state.store.patch_trunk(account, name, patch).await.map_err(error)?;
        Ok(state.control.trunks_changed().await?)
    }

    async fn delete(state: &ApiState, account: AccountId, name: &str) -> Result<bool, ApiError> {
        let is_deleted = state.store.delete_trunk(account, name).await?;
        if is_deleted {
            state.control.trunks_changed().await?;
        }
        Ok(is_deleted)
    }

    async fn read(state: &ApiState, account: AccountId, name: &str) -> Result<Option<Value>, ApiError> {
        let states = state.control.trunk_states(account).await?;
        Ok(state.store.trunk(account, name).await?.map(|trunk| shown(trunk, &states)))
    }
}

fn error(error: ServiceError) -> ApiError {
    match error {
        ServiceError::UnknownService => Trunks::unknown(),
        ServiceError::Invalid(_) | ServiceError::NameTaken => ApiError::coded(BAD_TRUNK, error.to_string()),
        ServiceError::Store(error) => error.into(),
    }
}
