//! Bodies of requests.

use crate::{error::ApiError, extract::Whole, state::App};
use axum::{
    extract::{FromRequest, Request},
    http::{Method, StatusCode, header},
};
use plenary_model::FieldError;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A body in JSON, read whole and without unknown members.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &App) -> Result<Self, ApiError> {
        let whole = json(request, state).await?;
        plenary_model::read(&whole).map(Self).map_err(ApiError::members)
    }
}

/// What a PATCH merges into what is stored (RFC 7396): an object.
#[derive(Debug)]
pub(crate) struct Patch(pub(crate) Value);

impl FromRequest<App> for Patch {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &App) -> Result<Self, ApiError> {
        let whole = json(request, state).await?;
        let value = plenary_model::json(&whole).map_err(ApiError::members)?;
        if !value.is_object() {
            let error = FieldError::new("", "must be an object");
            return Err(ApiError::members(vec![error]));
        }
        Ok(Self(value))
    }
}

impl Patch {
    /// The patch without what is read only, and without the name, which the path says.
    pub(crate) fn without(self, read_only: &[&str], name: (&str, &str)) -> Result<Value, ApiError> {
        without(self.0, read_only, name)
    }

    /// What becomes of `stored` by it.
    pub(crate) fn merge_into<T: DeserializeOwned>(&self, stored: &impl Serialize) -> Result<T, ApiError> {
        let mut value = serde_json::to_value(stored).expect("plain data becomes JSON");
        plenary_model::merge(&mut value, &self.0);
        plenary_model::read_value(value).map_err(ApiError::members)
    }
}

/// A whole thing of which the store knows the members: what GET shows, and a part of that is not for writing.
#[derive(Debug)]
pub(crate) struct Put(Value);

impl FromRequest<App> for Put {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &App) -> Result<Self, ApiError> {
        Patch::from_request(request, state).await.map(|Patch(value)| Self(value))
    }
}

impl Put {
    /// The body without what is read only, and without the name, which the path says.
    pub(crate) fn without(self, read_only: &[&str], name: (&str, &str)) -> Result<Value, ApiError> {
        without(self.0, read_only, name)
    }

    /// The same, read as a type that holds the rest.
    pub(crate) fn read<T: DeserializeOwned>(
        self,
        read_only: &[&str],
        name: (&str, &str),
    ) -> Result<T, ApiError> {
        plenary_model::read_value(self.without(read_only, name)?).map_err(ApiError::members)
    }
}

fn without(mut value: Value, read_only: &[&str], (member, name): (&str, &str)) -> Result<Value, ApiError> {
    if let Value::Object(members) = &mut value {
        read_only.iter().for_each(|member| drop(members.remove(*member)));
        if let Some(given) = members.remove(member)
            && given != name
        {
            let error = FieldError::new(
                format!("/{member}"),
                format!("is `{name}` in the path and another in the body"),
            );
            return Err(ApiError::members(vec![error]));
        }
    }
    Ok(value)
}

/// The bytes of a body that says it is JSON. What says nothing, or something else, is none: a form of another site could
/// send it.
async fn json(request: Request, state: &App) -> Result<axum::body::Bytes, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_patch = *request.method() == Method::PATCH;
    if kind != JSON && !(is_patch && kind == MERGE_PATCH) {
        let known = if is_patch { format!("{JSON} or {MERGE_PATCH}") } else { JSON.to_owned() };
        let text = format!("Content-Type must be {known} (with curl: --json)");
        return Err(ApiError::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let Whole(bytes) = Whole::from_request(request, state).await?;
    Ok(bytes)
}
