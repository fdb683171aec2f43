//! Inbound services: what becomes of a call to a name.

use super::json;
use crate::{
    error::{ApiError, BAD_SERVICE, SERVICE_NAME_TAKEN, UNKNOWN_SERVICE},
    server::ApiState,
};
use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use plenary_conference::AccountId;
use plenary_store::{PutOutcome, ServiceError, StoredService};
use serde_json::{Value, json as value};

/// The JSON Schema of a service's body, written for people and held against the types by a test.
pub(crate) const SCHEMA: &str = include_str!("inbound.schema.json");

pub(crate) const COLLECTION: &str = "/service/v1/inbound";
pub(crate) const SCHEMA_PATH: &str = "/service/v1/schema/inbound";

fn shown(service: StoredService) -> Value {
    // The body with the name beside it: what PUT takes, and where.
    let mut shown = value!({ "name": service.name });
    if let (Value::Object(shown), Value::Object(body)) = (&mut shown, service.body) {
        shown.extend(body);
    }
    shown
}

pub(crate) async fn list(state: &ApiState, account: AccountId) -> Result<Response<Body>, ApiError> {
    let services: Vec<Value> = state.store.services(account).await?.into_iter().map(shown).collect();
    Ok(json(StatusCode::OK, &services))
}

pub(crate) async fn one(
    state: &ApiState,
    account: AccountId,
    method: &Method,
    name: &str,
    body: &[u8],
) -> Result<Response<Body>, ApiError> {
    let unknown = || ApiError::coded(UNKNOWN_SERVICE, "there is no inbound service of this name");
    match *method {
        Method::PUT => {
            let body = object(body, name)?;
            let outcome = state.store.put_service(account, name, &body).await?;
            let status = match outcome {
                PutOutcome::Created => StatusCode::CREATED,
                PutOutcome::Replaced => StatusCode::OK,
            };
            let service = state.store.service(account, name).await?.ok_or_else(unknown)?;
            Ok(json(status, &shown(service)))
        }
        Method::PATCH => {
            let patch = object(body, name)?;
            let service = state.store.patch_service(account, name, &patch).await?;
            Ok(json(StatusCode::OK, &shown(service)))
        }
        Method::DELETE => {
            if state.store.delete_service(account, name).await? {
                Ok(json(StatusCode::OK, &value!({ "deleted": true })))
            } else {
                Err(unknown())
            }
        }
        _ => {
            let service = state.store.service(account, name).await?.ok_or_else(unknown)?;
            Ok(json(StatusCode::OK, &shown(service)))
        }
    }
}

/// The body without a `name` that repeats the path, as `GET` shows it.
fn object(body: &[u8], name: &str) -> Result<Value, ApiError> {
    let mut object: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::coded(BAD_SERVICE, format!("body: must be JSON: {error}")))?;
    if let Value::Object(fields) = &mut object
        && let Some(given) = fields.remove("name")
        && given != name
    {
        return Err(ApiError::coded(
            BAD_SERVICE,
            format!("name: is `{name}` in the path and another in the body"),
        ));
    }
    Ok(object)
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
