//! Basic authentication (RFC 7617): user name `cloudID/username`, password an API Access Key.

use crate::{error::ApiError, peer::Peer, state::ApiState};
use axum::http::{StatusCode, header, request::Parts};
use data_encoding::BASE64;
use plenary_model::Scopes;
use plenary_store::Account;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// Whose request it is.
pub(crate) async fn authenticate(state: &ApiState, parts: &Parts) -> Result<Account, ApiError> {
    let refused = || {
        ApiError::plain(
            StatusCode::UNAUTHORIZED,
            "basic authentication is needed: the user name is cloudID/username, the password an API Access Key",
        )
    };
    let (limits, now) = (state.limits, Instant::now());
    let source = parts.extensions.get::<Peer>().map(|peer| peer.remote.ip());
    let too_many = |text: &str| ApiError::plain(StatusCode::TOO_MANY_REQUESTS, text);
    if source.is_some_and(|source| state.counters.is_held_off(source, limits, now)) {
        return Err(too_many(
            "too many requests with wrong credentials came from your address; wait a minute",
        ));
    }
    let found = match credentials(parts) {
        Some((login, key)) => state.store.authenticate(&login, &key).await?.map(|access| (login, access)),
        None => None,
    };
    let Some((login, access)) = found else {
        if let Some(source) = source
            && state.counters.failed(source, limits, now)
        {
            tracing::warn!(target: "audit", %source, "held off: too many requests with wrong credentials");
        }
        return Err(refused());
    };
    if !state.counters.admit(access.account.id, limits, now) {
        return Err(too_many("the account sends more requests than it may; slow down"));
    }
    if access.conference.is_some() || !Scopes::account().is_subset(access.scopes) {
        let text = format!(
            "the key may not do this: it has the scopes `{}`, and what is asked for takes a key of the whole account (`{}`)",
            access.scopes,
            Scopes::account()
        );
        return Err(ApiError::plain(StatusCode::FORBIDDEN, text));
    }
    if let Some(who) = parts.extensions.get::<Who>() {
        let _ = who.0.set(login);
    }
    Ok(access.account.clone())
}

/// Whose request it turned out to be, for the audit log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who(pub(crate) Arc<OnceLock<String>>);

pub(crate) fn credentials(parts: &Parts) -> Option<(String, String)> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    // A user name holds no colon, a password may.
    let (login, key) = text.split_once(':')?;
    Some((login.to_owned(), key.to_owned()))
}
