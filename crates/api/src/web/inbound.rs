//! Inbound services: what becomes of a call to a name.

use super::{
    Answer, json,
    named::{self, Named},
    schema,
};
use crate::{
    error::{ApiError, BAD_SERVICE, Code, SERVICE_NAME_TAKEN, UNKNOWN_SERVICE},
    extract::Account,
    router::only,
    state::{ApiState, App},
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use plenary_conference::AccountId;
use plenary_store::{PutOutcome, ServiceError, StoredService};
use serde_json::Value;

/// The JSON Schema of a service's body, written for people and held against the types by a test.
const SCHEMA: &str = include_str!("inbound.schema.json");

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/service/v1/inbound", only("GET, HEAD", get(list)))
        .route("/service/v1/inbound/{name}", named::methods::<Services>())
        .route("/service/v1/schema/inbound", only("GET, HEAD", get(|_: Account| async { schema(SCHEMA) })))
}

fn shown(service: StoredService) -> Value {
    named::shown(service.name, service.body)
}

async fn list(State(state): State<App>, Account(account): Account) -> Answer {
    let services: Vec<Value> = state.store.services(account).await?.into_iter().map(shown).collect();
    Ok(json(StatusCode::OK, &services))
}

/// An account's inbound services by their names.
struct Services;

impl Named for Services {
    const BAD: Code = BAD_SERVICE;
    const SHOWN_BESIDE: &[&str] = &[];

    fn unknown() -> ApiError {
        ApiError::coded(UNKNOWN_SERVICE, "there is no inbound service of this name")
    }

    async fn put(
        state: &ApiState,
        account: AccountId,
        name: &str,
        body: Value,
    ) -> Result<PutOutcome, ApiError> {
        Ok(state.store.put_service(account, name, &body).await?)
    }

    async fn patch(state: &ApiState, account: AccountId, name: &str, patch: Value) -> Result<(), ApiError> {
        state.store.patch_service(account, name, &patch).await?;
        Ok(())
    }

    async fn delete(state: &ApiState, account: AccountId, name: &str) -> Result<bool, ApiError> {
        Ok(state.store.delete_service(account, name).await?)
    }

    async fn read(state: &ApiState, account: AccountId, name: &str) -> Result<Option<Value>, ApiError> {
        Ok(state.store.service(account, name).await?.map(shown))
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NameTaken => Self::coded(SERVICE_NAME_TAKEN, error.to_string()),
            ServiceError::UnknownService => Self::coded(UNKNOWN_SERVICE, error.to_string()),
            ServiceError::Invalid(invalid) => Self::coded(BAD_SERVICE, invalid.to_string()),
            ServiceError::Store(error) => error.into(),
        }
    }
}
