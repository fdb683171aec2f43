//! The cookie of a session: how it is named, set, read and taken back.
//!
//! Under TLS it is `__Host-plenary`: a browser takes it from this host alone, sends it to this host alone, and never without
//! TLS (RFC 6265bis, section 4.1.3.2). On loopback there may be no TLS, and browsers refuse such a cookie then; there it is
//! `plenary`. It is read by the name that it would be set by, so that no other page of the machine can put one under the other.

use crate::{error::ApiError, oidc::PENDING_SECONDS, origin, peer::Peer, state::App};
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderValue, Response, StatusCode, header, request::Parts},
};
use plenary_store::SESSION_MS;

pub(crate) const NAME: &str = "__Host-plenary";
const LOOPBACK_NAME: &str = "plenary";
/// The same for a person who is at a provider to sign in ([`crate::oidc`]).
const PENDING_NAME: &str = "__Host-plenary-oidc";
const LOOPBACK_PENDING_NAME: &str = "plenary-oidc";

/// How a trusted proxy was reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThroughProxy {
    /// Under TLS; `None`: it does not say.
    pub(crate) is_secure: Option<bool>,
}

/// By what a browser reaches us, where a password and a cookie may travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// TLS, all the way to us or to a proxy of ours.
    Tls,
    /// Within the machine.
    Loopback,
}

impl Channel {
    /// `None`: over a network without TLS, where a password could be read.
    pub(crate) fn of(parts: &Parts, state: &App) -> Option<Self> {
        let policy = state.origins();
        let peer = parts.extensions.get::<Peer>();
        let is_public = || origin::is_public_https(parts, policy);
        let through = parts.extensions.get::<ThroughProxy>();
        let is_secure = peer.is_some_and(|peer| peer.is_secure)
            || through.is_some_and(|proxy| proxy.is_secure.unwrap_or_else(|| origin::has_https(policy)))
            || is_public();
        if is_secure {
            return Some(Self::Tls);
        }
        let is_local = peer.is_none_or(|peer| peer.local.ip().to_canonical().is_loopback());
        (is_local && origin::is_for_loopback(parts)).then_some(Self::Loopback)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tls => NAME,
            Self::Loopback => LOOPBACK_NAME,
        }
    }

    fn attributes(self) -> &'static str {
        match self {
            Self::Tls => "Path=/; Secure; HttpOnly; SameSite=Lax",
            Self::Loopback => "Path=/; HttpOnly; SameSite=Lax",
        }
    }

    fn pending_name(self) -> &'static str {
        match self {
            Self::Tls => PENDING_NAME,
            Self::Loopback => LOOPBACK_PENDING_NAME,
        }
    }

    /// Has the browser keep the cookie.
    pub(crate) fn set(self, response: &mut Response<Body>, secret: &str) {
        self.answer(response, self.name(), secret, SESSION_MS / 1000);
    }

    /// Has the browser forget it.
    pub(crate) fn clear(self, response: &mut Response<Body>) {
        self.answer(response, self.name(), "", 0);
    }

    /// Has the browser keep the cookie of a sign-in that is under way.
    pub(crate) fn set_pending(self, response: &mut Response<Body>, sealed: &str) {
        self.answer(response, self.pending_name(), sealed, PENDING_SECONDS);
    }

    /// Has the browser forget it.
    pub(crate) fn clear_pending(self, response: &mut Response<Body>) {
        self.answer(response, self.pending_name(), "", 0);
    }

    /// What the cookie of a sign-in that is under way holds.
    pub(crate) fn pending(self, parts: &Parts) -> Option<String> {
        value(parts, self.pending_name())
    }

    fn answer(self, response: &mut Response<Body>, name: &str, value: &str, seconds: i64) {
        let text = format!("{name}={value}; Max-Age={seconds}; {}", self.attributes());
        // Of letters, digits, `-` and `_`.
        if let Ok(cookie) = HeaderValue::from_str(&text) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

impl FromRequestParts<App> for Channel {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        Self::of(parts, state).ok_or_else(|| {
            let text = "a password could be read on its way here: sign in over https, or on this machine at \
                        http://localhost (docs/console.md says how)";
            ApiError::plain(StatusCode::FORBIDDEN, text)
        })
    }
}

/// What the session's cookie holds; `None`: there is none, or more than one.
pub(crate) fn secret(parts: &Parts, state: &App) -> Option<String> {
    value(parts, Channel::of(parts, state)?.name())
}

/// What the cookie of this name holds; `None`: there is none, or more than one.
fn value(parts: &Parts, name: &str) -> Option<String> {
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value.to_owned()),
        _ => None,
    }
}
