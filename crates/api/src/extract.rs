//! What handlers ask of a request. Extractors run in the order of a handler's arguments: the account first, so that
//! strangers have no body read.

use crate::{
    audit::{self, Audited},
    auth,
    error::{ApiError, OTHER_CONFERENCE},
    origin,
    params::{Params, percent_decode},
    state::App,
};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, MatchedPath, Request},
    http::{StatusCode, request::Parts},
};
use http_body_util::{BodyExt, Limited};
use plenary_model::{AccountId, Scope};
use plenary_store::Access;
use std::{convert::Infallible, sync::Arc};

/// The account whose key the request carries, for what is not below `/v1`. What the key allows is asked with
/// [`Self::needs`].
#[derive(Debug, Clone)]
pub(crate) struct Account(Arc<Access>, Option<Audited>);

impl Account {
    pub(crate) fn access(&self) -> &Access {
        &self.0
    }

    /// The account, if its key has the scope and is for all conferences.
    pub(crate) fn needs(&self, scope: Scope) -> Result<AccountId, ApiError> {
        if !self.0.scopes.includes(scope) {
            return Err(ApiError::lacks(scope));
        }
        if let Some(bound) = &self.0.conference {
            return Err(ApiError::coded(
                OTHER_CONFERENCE,
                format!("the key is for the conference {bound} alone"),
            ));
        }
        Ok(self.0.account.id)
    }
}

impl Account {
    /// What is changed by this state is told by events as the key's doing, and its entry of the audit log is written with it.
    pub(crate) fn acting(&self, state: &App) -> App {
        audit::acting(state, &self.0, self.1.as_ref())
    }
}

impl FromRequestParts<App> for Account {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        let access = auth::authenticate(state, parts).await?;
        Ok(Self(access, parts.extensions.get::<Audited>().cloned()))
    }
}

/// The request changes something although its method is safe: no page of another site sent it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnPage;

impl FromRequestParts<App> for OwnPage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        origin::check_page(parts, state.origins()).map(|()| Self)
    }
}

/// The id of the request, as the answer and the log name it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestId(pub(crate) String);

impl FromRequestParts<App> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The variable segments of a path, decoded: percent-encoded UTF-8, in which `%2F` is part of a name.
#[derive(Debug)]
pub(crate) struct Segments<const N: usize>(pub(crate) [String; N]);

impl<const N: usize> FromRequestParts<App> for Segments<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let pattern = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let variable = pattern.split('/').zip(parts.uri.path().split('/'));
        let variable = variable.filter(|(pattern, _)| pattern.starts_with('{'));
        let mut decoded = Vec::with_capacity(N);
        for (name, segment) in variable {
            let segment = percent_decode(segment.as_bytes()).ok_or_else(ApiError::nothing_here)?;
            // No database holds it, and no name has it.
            if segment.contains('\0') {
                let name = name.trim_matches(['{', '}']).to_owned();
                return Err(ApiError::parameter(name, plenary_model::HAS_NUL));
            }
            decoded.push(segment);
        }
        decoded.try_into().map(Self).map_err(|_| ApiError::nothing_here())
    }
}

/// The body, if it is not too large.
#[derive(Debug)]
pub(crate) struct Whole(pub(crate) Bytes);

impl FromRequest<App> for Whole {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &App) -> Result<Self, ApiError> {
        let audited = request.extensions().get::<Audited>().cloned();
        let body = read(state.max_body_bytes, request.into_body()).await?;
        if let Some(audited) = audited {
            audited.note_body(&body);
        }
        Ok(Self(body))
    }
}

impl FromRequest<App> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &App) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let body = read(state.max_body_bytes, body).await?;
        Self::collect(&parts, &body).await
    }
}

pub(crate) async fn read(most: usize, body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ApiError::plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body may have at most {most} bytes"),
        )),
        Err(_) => Err(ApiError::plain(StatusCode::BAD_REQUEST, "the body did not arrive whole")),
    }
}
