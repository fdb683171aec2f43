//! POST with `Idempotency-Key`: a request that is sent again, because its answer did not arrive, does nothing again and gets the
//! first answer, for 24 hours and across restarts.
//!
//! Only answers of success are kept: what was refused has changed nothing and may be tried again. A kept answer may hold a
//! secret (a new key), so it is encrypted with what only the client has, its API key or cookie, and its idempotency key.

use super::session;
use crate::{
    answer::{IDEMPOTENCY_REPLAYED, to_the_end},
    auth,
    error::{ApiError, IDEMPOTENCY_KEY_IN_USE, IDEMPOTENCY_KEY_REUSED},
    extract,
    json::parse,
    state::App,
};
use aes_gcm::{Aes256Gcm, KeyInit, aead::Aead};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts},
    middleware::Next,
    response::IntoResponse,
};
use data_encoding::BASE64;
use http_body_util::BodyExt;
use plenary_store::{Authenticated, Begun};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(super) const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
pub(super) const CHARS_MAX: usize = 255;
const NONCE_BYTES: usize = 12;
/// Headers of an answer that are kept with it.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

pub(super) async fn around(State(state): State<App>, request: Request, next: Next) -> Response<Body> {
    let is_sign_in = session::SIGN_IN.contains(&request.uri().path());
    if *request.method() != Method::POST || is_sign_in || !request.headers().contains_key(&HEADER) {
        return next.run(request).await;
    }
    once(state, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn once(state: App, request: Request, next: Next) -> Result<Response<Body>, ApiError> {
    let (mut parts, body) = request.into_parts();
    let key = key(&parts)?;
    let access = auth::authenticate(&state, &mut parts).await?;
    let secret = auth::secret(&parts, &state);
    let body = extract::read(state.max_body_bytes, body).await?;
    // Of a body that holds a PIN a plain hash would give it away: few are possible.
    let asked = digest(&[
        secret.as_bytes(),
        parts.uri.path_and_query().map_or("", |path| path.as_str()).as_bytes(),
        parts.headers.get(header::CONTENT_TYPE).map_or(b"", |value| value.as_bytes()),
        &body,
    ]);
    // Two keys of an account do not get each other's answers, nor do two sessions.
    let name = match &access.by {
        Authenticated::Key(number) => digest(&[&number.0.to_be_bytes(), key.as_bytes()]),
        Authenticated::Leader { session, .. } => {
            digest(&[b"leader", &session.0.to_be_bytes(), key.as_bytes()])
        }
        Authenticated::Person { session, .. } => {
            digest(&[b"session", &session.0.to_be_bytes(), key.as_bytes()])
        }
    };
    let cipher = Aes256Gcm::new(&digest(&[b"kept answer", secret.as_bytes(), key.as_bytes()]).into());
    let account = access.account.id;
    match state.store.idempotent_begin(account, &name, &asked).await? {
        Begun::First => {}
        Begun::UnderWay => {
            let text = "the first request with this Idempotency-Key is under way; ask again in a moment";
            return Err(ApiError::coded(IDEMPOTENCY_KEY_IN_USE, text));
        }
        Begun::OtherRequest => {
            let text = "this Idempotency-Key was used for another path or body; take a new one";
            return Err(ApiError::coded(IDEMPOTENCY_KEY_REUSED, text));
        }
        Begun::Answered(kept) => return replay(&cipher, &kept),
    }
    // Also if the client disconnects: the answer has to be kept, or the next try would do it again.
    to_the_end(async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        if !response.status().is_success() {
            state.store.idempotent_end(account, &name, None).await?;
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let kept = keep(&cipher, &parts, &body);
        // It is done, whether or not that can be remembered.
        if let Err(error) = state.store.idempotent_end(account, &name, kept.as_deref()).await {
            tracing::warn!(%error, "the answer to a request with an Idempotency-Key could not be kept");
        }
        Ok(Response::from_parts(parts, Body::from(body)))
    })
    .await
}

fn key(parts: &Parts) -> Result<String, ApiError> {
    let mut values = parts.headers.get_all(&HEADER).iter();
    let key = values.next().and_then(|value| value.to_str().ok()).map(|key| key.trim().trim_matches('"'));
    let key = key.filter(|key| {
        (1..=CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match (key, values.next()) {
        (Some(key), None) => Ok(key.to_owned()),
        _ => {
            let text = format!("must be given once, 1 to {CHARS_MAX} visible characters of ASCII");
            Err(ApiError::parameter("Idempotency-Key", text))
        }
    }
}

/// The hash of several parts, none of which can be taken for a piece of another.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn keep(cipher: &Aes256Gcm, parts: &axum::http::response::Parts, body: &[u8]) -> Option<Vec<u8>> {
    let headers = KEPT.into_iter().filter_map(|name| {
        let value = parts.headers.get(&name)?.to_str().ok()?.to_owned();
        Some((name.to_string(), value))
    });
    let kept = Kept { status: parts.status.as_u16(), headers: headers.collect(), body: BASE64.encode(body) };
    let text = serde_json::to_vec(&kept).ok()?;
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).ok()?;
    let sealed = cipher.encrypt(&nonce.into(), &text[..]).ok()?;
    Some([&nonce[..], &sealed].concat())
}

fn replay(cipher: &Aes256Gcm, kept: &[u8]) -> Result<Response<Body>, ApiError> {
    let opened = kept.split_first_chunk::<NONCE_BYTES>().and_then(|(nonce, sealed)| {
        let text = cipher.decrypt(&(*nonce).into(), sealed).ok()?;
        let kept: Kept = parse(&text).ok()?;
        let mut response = Response::new(Body::from(BASE64.decode(kept.body.as_bytes()).ok()?));
        *response.status_mut() = StatusCode::from_u16(kept.status).ok()?;
        for (name, value) in kept.headers {
            let (name, value) = (name.parse::<HeaderName>().ok()?, HeaderValue::from_str(&value).ok()?);
            response.headers_mut().insert(name, value);
        }
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        Some(response)
    });
    opened.ok_or_else(|| {
        let text = "the kept answer cannot be read";
        ApiError::from(crate::ControlError::Internal(text.into()))
    })
}
