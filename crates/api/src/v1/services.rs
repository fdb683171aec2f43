//! Inbound services in the manners of `/v1`: what becomes of a call to a name. The platform's own paths are in [`crate::web::inbound`].

use super::{
    access::{Caller, Config},
    body::{Patch, Put},
    conditions::{Conditions, Tag, put_or_patched, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, gone, to_the_end},
    error::{ApiError, SERVICE_NAME_TAKEN, UNKNOWN_SERVICE},
    extract::Segments,
    state::App,
    time,
};
use axum::extract::State;
use plenary_model::{InboundService, ServiceBody, StoredService, merge};
use plenary_store::{Before, Change, ChangeError, Changed, ServiceError};
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What GET shows beside what PUT takes; PUT and PATCH pass over it.
const READ_ONLY: &[&str] = &["created_at", "updated_at"];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one, put, change, delete))
}

/// An inbound service as it is shown: its body as it was put, and what is beside it.
#[derive(Debug, Serialize)]
struct Service {
    name: String,
    #[serde(flatten)]
    body: Value,
    #[serde(flatten)]
    beside: Beside,
}

/// What is shown beside the body.
#[derive(Debug, Serialize, ToSchema)]
struct Beside {
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<StoredService> for Service {
    fn from(service: StoredService) -> Self {
        let StoredService { name, body, created_at, updated_at } = service;
        let (created_at, updated_at) = (time::rfc3339(created_at), time::rfc3339(updated_at));
        Self { name: name.to_string(), body, beside: Beside { created_at, updated_at } }
    }
}

/// The body with what is beside it; of the body only what was put is there.
impl PartialSchema for Service {
    fn schema() -> RefOr<Schema> {
        let mut shown = ServiceBody::schema();
        if let (RefOr::T(Schema::Object(shown)), RefOr::T(Schema::Object(beside))) =
            (&mut shown, Beside::schema())
        {
            shown.additional_properties = None;
            shown.properties.insert("name".to_owned(), String::schema());
            shown.properties.extend(beside.properties);
            shown.required = beside.required.into_iter().chain(["name".to_owned()]).collect();
            shown.description =
                Some("An inbound service. Of its members those are there that were put.".to_owned());
        }
        shown
    }
}

impl ToSchema for Service {
    fn name() -> std::borrow::Cow<'static, str> {
        "Service".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ServiceBody::schemas(schemas);
        Beside::schemas(schemas);
    }
}

fn tag(service: &StoredService) -> Tag {
    Tag::of(&(&service.body, service.updated_at))
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_SERVICE, "there is no inbound service of this name")
}

/// A refusal of the store, by the members of the body.
fn refused(error: ChangeError<ApiError, ServiceError>) -> ApiError {
    match error {
        ChangeError::Refused(error) => error,
        ChangeError::Store(ServiceError::Invalid(errors)) => ApiError::members(errors),
        ChangeError::Store(error @ ServiceError::NameTaken) => {
            ApiError::coded(SERVICE_NAME_TAKEN, error.to_string())
        }
        ChangeError::Store(error) => error.into(),
    }
}

fn shown(changed: Changed<StoredService>) -> Answer {
    let (status, service) = put_or_patched(changed).ok_or_else(unknown)?;
    Ok(tagged(status, &tag(&service), &Service::from(service)))
}

/// Lists inbound services
///
/// By name.
#[utoipa::path(get, path = "/v1/services", operation_id = "list_services", tag = "services", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the services.", body = List<Service>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let found = state.store.services_after(caller.account, page.after(), page.to_fetch()).await?;
    page.answer(found, |one| one.name.to_string(), Service::from)
}

/// Shows an inbound service
#[utoipa::path(get, path = "/v1/services/{name}", operation_id = "get_service", tag = "services",
    params(("name" = String, Path, description = "The service's name.", example = "conf-Board")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The service.", body = Service,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    conditions.show_found(state.store.service(caller.account, &name).await?, unknown, tag, Service::from)
}

/// Makes or replaces an inbound service
///
/// Calls that come after the answer find it so.
#[utoipa::path(put, path = "/v1/services/{name}", operation_id = "put_service", tag = "services",
    params(("name" = String, Path, description = "The service's name; a `*` at its end stands for anything.", example = "conf-Board")),
    request_body(content = ServiceBody, example = json!({"conference": {"name": "Board"}})),
    security(("bearer" = ["config"])),
    responses(
        (status = 200, description = "The service, replaced.", body = Service, headers(("ETag" = String, description = "Its version."))),
        (status = 201, description = "The service, made.", body = Service, headers(("ETag" = String, description = "Its version."))),
        (status = 409, description = "Another account has the name (1207).")))]
async fn put(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    body: Put,
) -> Answer {
    let state = caller.acting(state);
    let mut whole = Value::Null;
    // A member that is null is left out.
    merge(&mut whole, &body.without(READ_ONLY, ("name", &name))?);
    // Errors of a body are reported before those of a condition (RFC 9110, section 13.2.1).
    InboundService::new(caller.account, &name, &whole).map_err(ApiError::members)?;
    to_the_end(async move {
        let condition = |before: Before<'_, StoredService>| conditions.check_before(before, tag);
        let put = state.store.put_service_if(caller.account, &name, whole, condition).await;
        shown(put.map_err(refused)?)
    })
    .await
}

/// Changes an inbound service
#[utoipa::path(patch, path = "/v1/services/{name}", operation_id = "change_service", tag = "services",
    params(("name" = String, Path, description = "The service's name.", example = "conf-Board")),
    request_body(content = ServiceBody, content_type = "application/merge-patch+json", example = json!({"srtp": "required"})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The service as it is now.", body = Service,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    let patch = patch.without(READ_ONLY, ("name", &name))?;
    let (account, of) = (caller.account, name.clone());
    let decide = move |before: Option<&StoredService>| {
        let before = before.ok_or_else(unknown)?;
        let mut body = before.body.clone();
        merge(&mut body, &patch);
        InboundService::new(account, &of, &body).map_err(ApiError::members)?;
        conditions.check(Some(&tag(before)))?;
        Ok(Change::Put(body))
    };
    to_the_end(
        async move { shown(state.store.change_service(account, &name, decide).await.map_err(refused)?) },
    )
    .await
}

/// Deletes an inbound service
///
/// Calls to its name are refused from then on; calls that are up go on.
#[utoipa::path(delete, path = "/v1/services/{name}", operation_id = "delete_service", tag = "services",
    params(("name" = String, Path, description = "The service's name.", example = "conf-Board")),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "It is deleted."),
        (status = 412, description = "There is another version by now (1213).")))]
async fn delete(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let condition = |before: Before<'_, StoredService>| conditions.check_before(before, tag);
        gone(state.store.delete_service_if(caller.account, &name, condition).await?, unknown)
    })
    .await
}
