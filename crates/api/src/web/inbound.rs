//! Inbound services: what becomes of a call to a name.

use crate::{
    answer::{Answer, to_the_end},
    error::{ApiError, BAD_SERVICE, SERVICE_NAME_TAKEN, UNKNOWN_SERVICE},
    extract::{Segments, Whole},
    json::{json, parse},
    methods::only,
    state::App,
    v1::{
        access::{Caller, Config},
        conditions::put_or_patched,
    },
};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use plenary_model::{InboundService, StoredService};
use plenary_store::ServiceError;
use serde_json::{Value, json as value};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/service/v1/inbound", only("GET, HEAD", get(list)))
        .route(
            "/service/v1/inbound/{name}",
            only("GET, HEAD, PUT, PATCH, DELETE", get(one).put(replace).patch(patch).delete(delete)),
        )
        .route("/service/v1/schema/inbound", only("GET, HEAD", get(schema)))
}

/// The body with the name before it.
fn shown(service: StoredService) -> Value {
    let mut shown = value!({ "name": service.name });
    if let (Value::Object(shown), Value::Object(body)) = (&mut shown, service.body) {
        shown.extend(body);
    }
    shown
}

/// The JSON Schema of a service's body.
async fn schema(_: Caller<Config>) -> Answer {
    Ok(json(StatusCode::OK, &InboundService::json_schema()))
}

async fn list(State(state): State<App>, Caller { account, .. }: Caller<Config>) -> Answer {
    let services: Vec<Value> = state.store.services(account).await?.into_iter().map(shown).collect();
    Ok(json(StatusCode::OK, &services))
}

async fn one(
    State(state): State<App>,
    Caller { account, .. }: Caller<Config>,
    Segments([name]): Segments<1>,
) -> Answer {
    let service = state.store.service(account, &name).await?.ok_or(ServiceError::UnknownService)?;
    Ok(json(StatusCode::OK, &shown(service)))
}

async fn replace(
    State(state): State<App>,
    caller: Caller<Config>,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let (state, account) = (caller.acting(state), caller.account);
    let body = object(&body, &name)?;
    to_the_end(async move {
        let put = state.store.put_service(account, &name, &body).await?;
        let (status, service) = put_or_patched(put).ok_or(ServiceError::UnknownService)?;
        Ok(json(status, &shown(service)))
    })
    .await
}

async fn patch(
    State(state): State<App>,
    caller: Caller<Config>,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let (state, account) = (caller.acting(state), caller.account);
    let body = object(&body, &name)?;
    to_the_end(async move {
        let patched = state.store.patch_service(account, &name, &body).await?;
        Ok(json(StatusCode::OK, &shown(patched)))
    })
    .await
}

async fn delete(State(state): State<App>, caller: Caller<Config>, Segments([name]): Segments<1>) -> Answer {
    let (state, account) = (caller.acting(state), caller.account);
    to_the_end(async move {
        match state.store.delete_service(account, &name).await? {
            true => Ok(json(StatusCode::OK, &value!({ "deleted": true }))),
            false => Err(ServiceError::UnknownService.into()),
        }
    })
    .await
}

/// The body without the name, which the path says.
fn object(body: &[u8], name: &str) -> Result<Value, ApiError> {
    let bad = |text| ApiError::coded(BAD_SERVICE, text);
    let mut object: Value = parse(body).map_err(|error| bad(format!("body: must be JSON: {error}")))?;
    if let Some(given) = object.as_object_mut().and_then(|members| members.remove("name"))
        && given != name
    {
        return Err(bad(format!("name: is `{name}` in the path and another in the body")));
    }
    Ok(object)
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
