//! Basic authentication (RFC 7617): user name `cloudID/username`, password an API Access Key.

use crate::{error::ApiError, server::ApiState};
use axum::http::{StatusCode, header, request::Parts};
use data_encoding::BASE64;
use plenary_store::Account;

/// Whose request it is.
pub(crate) async fn authenticate(state: &ApiState, parts: &Parts) -> Result<Account, ApiError> {
    let refused = || {
        ApiError::plain(
            StatusCode::UNAUTHORIZED,
            "basic authentication is needed: the user name is cloudID/username, the password an API Access Key",
        )
    };
    let (login, key) = credentials(parts).ok_or_else(refused)?;
    state.store.authenticate(&login, &key).await?.ok_or_else(refused)
}

fn credentials(parts: &Parts) -> Option<(String, String)> {
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
