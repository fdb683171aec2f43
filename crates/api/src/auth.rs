//! Who asks: an API Access Key as the password of basic authentication (RFC 7617), whose user name is `cloudID/username`, or as
//! a bearer token (RFC 6750).

use crate::{audit::Audited, error::ApiError, peer::Peer, state::ApiState};
use axum::http::{StatusCode, header, request::Parts};
use data_encoding::BASE64;
use plenary_store::Access;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// The account that a request comes from, and what its key allows. A request is authenticated once, however many extractors ask.
pub(crate) async fn authenticate(state: &ApiState, parts: &mut Parts) -> Result<Arc<Access>, ApiError> {
    if let Some(access) = parts.extensions.get::<Arc<Access>>() {
        return Ok(access.clone());
    }
    let (limits, now) = (state.limits, Instant::now());
    let source = parts.extensions.get::<Peer>().map(|peer| peer.remote.ip());
    let too_many = |text: &str| ApiError::plain(StatusCode::TOO_MANY_REQUESTS, text);
    if source.is_some_and(|source| state.counters.is_held_off(source, limits, now)) {
        return Err(too_many(
            "too many requests with wrong credentials came from your address; wait a minute",
        ));
    }
    let found = match credentials(parts) {
        Some(Credentials::Basic { login, key }) => state.store.authenticate(&login, &key).await?,
        Some(Credentials::Bearer { key }) => state.store.authenticate_key(&key).await?,
        None => None,
    };
    let Some(access) = found else {
        if let Some(source) = source
            && state.counters.failed(source, limits, now)
        {
            tracing::warn!(target: "audit", %source, "held off: too many requests with wrong credentials");
        }
        return Err(ApiError::plain(
            StatusCode::UNAUTHORIZED,
            "an API Access Key is needed: as the password of basic authentication, with cloudID/username as the user name, \
             or as a bearer token",
        ));
    };
    if !state.counters.admit(access.account.id, limits, now) {
        return Err(too_many("the account sends more requests than it may; slow down"));
    }
    if let Some(who) = parts.extensions.get::<AuthenticatedAs>() {
        let _ = who.0.set(access.clone());
        tracing::Span::current().record("account", access.account.id.0);
    }
    parts.extensions.insert(access.clone());
    if let Some(audited) = parts.extensions.get::<Audited>().cloned() {
        audited.begin(&access).await;
    }
    Ok(access)
}

/// Whose request it turned out to be, for the audit log.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuthenticatedAs(pub(crate) Arc<OnceLock<Arc<Access>>>);

/// What the header `Authorization` says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Basic { login: String, key: String },
    Bearer { key: String },
}

impl Credentials {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Basic { key, .. } | Self::Bearer { key } => key,
        }
    }
}

pub(crate) fn credentials(parts: &Parts) -> Option<Credentials> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer { key: rest.to_owned() });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(rest.as_bytes()).ok()?).ok()?;
    // A user name holds no colon, a password may.
    let (login, key) = text.split_once(':')?;
    Some(Credentials::Basic { login: login.to_owned(), key: key.to_owned() })
}
