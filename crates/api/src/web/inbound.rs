//! Inbound services: what becomes of a call to a name.

use super::named::{self, Named};
use crate::{
    answer::Answer,
    error::{ApiError, BAD_SERVICE, Code, SERVICE_NAME_TAKEN, UNKNOWN_SERVICE},
    json::json,
    methods::only,
    state::{ApiState, App},
    v1::access::{Caller, Config},
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use plenary_conference::AccountId;
use plenary_model::{InboundService, StoredService};
use plenary_store::{PutOutcome, ServiceError};
use serde_json::Value;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/service/v1/inbound", only("GET, HEAD", get(list)))
        .route("/service/v1/inbound/{name}", named::methods::<Services>())
        .route("/service/v1/schema/inbound", only("GET, HEAD", get(schema)))
}

fn shown(service: StoredService) -> Value {
    named::shown(service.name, service.body)
}

/// The JSON Schema of a service's body.
async fn schema(_: Caller<Config>) -> Answer {
    Ok(json(StatusCode::OK, &InboundService::json_schema()))
}

async fn list(State(state): State<App>, Caller { account, .. }: Caller<Config>) -> Answer {
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
            ServiceError::Invalid(_) => Self::coded(BAD_SERVICE, error.to_string()),
            ServiceError::Store(error) => error.into(),
        }
    }
}
