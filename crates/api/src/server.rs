//! The router, and the server that runs it.

use crate::{
    ConferenceControl, SoundOf,
    auth::{Who, authenticate},
    door::{self, AllowedOrigins},
    error::ApiError,
    limits::{Counters, WebLimits},
    pages,
    params::{Params, percent_decode},
    peer::{BoxedStream, Peer, Placed, Sources},
    web::{
        callers,
        conferences::Service,
        inbound, named, parties, schema,
        sound::{self, Resource},
        trunks, webrtc_keys,
        websocket::{self, OnWebSocket},
    },
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts},
};
use http_body_util::{BodyExt, Limited};
use hyper::upgrade::OnUpgrade;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use plenary_store::Store;
use std::{fmt, future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// How long a client may take to send the head of a request: slower ones are holding a connection on purpose.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Connections at a time.
const CONNECTIONS_MAX: usize = 4096;
/// How long requests that are under way may take when the server stops.
const FINISH_WITHIN: Duration = Duration::from_secs(10);
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 64;

/// What the web services work with.
#[derive(Clone)]
pub struct ApiState {
    /// Accounts and inbound services.
    pub store: Store,
    /// The conferences.
    pub control: Arc<dyn ConferenceControl>,
    /// How the outside reaches the web services, without a slash at the end; `None`: by each request's Host header.
    pub public_url: Option<String>,
    /// Pages of which other sites may open a WebSocket.
    pub allowed_origins: AllowedOrigins,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// A request that is not answered by then is answered 408.
    pub request_timeout: Duration,
    /// What accounts may ask and sources may guess, and what has been counted.
    pub limits: WebLimits,
    /// Begins empty.
    pub counters: Arc<Counters>,
    /// The realm of digest authentication: part of what is kept of users' passwords.
    pub realm: String,
    /// What becomes of a WebSocket for SIP; `None`: there are none.
    pub on_websocket: Option<OnWebSocket>,
}

impl ApiState {
    /// What is known of origins.
    pub(crate) fn origins(&self) -> door::Known<'_> {
        door::Known { public_url: self.public_url.as_deref(), allowed: &self.allowed_origins }
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// All paths. They are told apart in one place, so that every refusal, down to an unknown path, has the same form.
pub fn router(state: ApiState) -> Router {
    Router::new().fallback(answer).with_state(state)
}

async fn answer(State(state): State<ApiState>, mut request: Request<Body>) -> Response<Body> {
    let asked_at = state.control.now();
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let who = Who::default();
    request.extensions_mut().insert(who.clone());
    let (parts, body) = request.into_parts();
    let base = base(&state, &parts);
    let outcome = match tokio::time::timeout(state.request_timeout, route(&state, &parts, body, upgrade))
        .await
    {
        Ok(outcome) => outcome,
        Err(_) => Err(ApiError::plain(StatusCode::REQUEST_TIMEOUT, "the request took too long; try again")),
    };
    let mut response = outcome
        .unwrap_or_else(|error| error.response(parts.uri.path(), asked_at, state.control.now(), &base));
    harden(&mut response);
    audit(&who, &parts, response.status());
    response
}

/// Says who changed something, or tried to. Parameters are left out: there are secrets among them.
fn audit(who: &Who, parts: &Parts, status: StatusCode) {
    let path = parts.uri.path();
    let changes = match Service::at(path) {
        Some(service) => service.changes(),
        None => !matches!(parts.method, Method::GET | Method::HEAD),
    };
    if let Some(account) = who.0.get().filter(|_| changes) {
        let source = parts.extensions.get::<Peer>().map(|peer| peer.remote.ip().to_string());
        let source = source.unwrap_or_default();
        tracing::info!(target: "audit", account, source, method = %parts.method, path, status = status.as_u16());
    }
}

/// Where our pages are, as the client reaches them.
fn base(state: &ApiState, parts: &Parts) -> String {
    if let Some(url) = &state.public_url {
        return url.clone();
    }
    let host = door::authority(&parts.uri, &parts.headers).unwrap_or("localhost");
    // What is no host name does not become a link.
    let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    let scheme =
        if parts.extensions.get::<Peer>().is_some_and(|peer| peer.is_secure) { "https" } else { "http" };
    if is_host { format!("{scheme}://{host}") } else { format!("{scheme}://localhost") }
}

async fn route(
    state: &ApiState,
    parts: &Parts,
    body: Body,
    upgrade: Option<OnUpgrade>,
) -> Result<Response<Body>, ApiError> {
    door::check_host(parts)?;
    let (path, method) = (parts.uri.path(), &parts.method);
    if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        door::check_page(parts, state.origins())?;
    }
    if let Some(service) = Service::at(path) {
        if service.changes() {
            // HEAD is safe (RFC 9110, 9.2.1), which these are not by any method.
            allow(method, &[Method::GET, Method::POST], "GET, POST")?;
            door::check_page(parts, state.origins())?;
        } else {
            allow(method, &[Method::GET, Method::HEAD, Method::POST], "GET, HEAD, POST")?;
        }
        let account = authenticate(state, parts).await?;
        let body = read(state, body).await?;
        let params = Params::collect(parts, &body).await?;
        return service.run(state.control.as_ref(), account.id, params).await;
    }
    match path {
        inbound::COLLECTION => {
            allow(method, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            let account = authenticate(state, parts).await?;
            return inbound::list(state, account.id).await;
        }
        websocket::PATH => {
            allow(method, &[Method::GET], "GET")?;
            return websocket::upgrade(state, parts, upgrade);
        }
        inbound::SCHEMA_PATH => {
            allow(method, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            authenticate(state, parts).await?;
            return Ok(schema(inbound::SCHEMA));
        }
        trunks::COLLECTION => {
            allow(method, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            let account = authenticate(state, parts).await?;
            return trunks::list(state, account.id).await;
        }
        trunks::SCHEMA_PATH => {
            allow(method, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            authenticate(state, parts).await?;
            return Ok(schema(trunks::SCHEMA));
        }
        callers::USERS => {
            allow(method, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            let account = authenticate(state, parts).await?;
            return callers::list(state, account.id).await;
        }
        callers::TOKENS => {
            allow(method, &[Method::POST], "POST")?;
            let account = authenticate(state, parts).await?;
            let body = read(state, body).await?;
            return callers::token(state, account.id, &body).await;
        }
        webrtc_keys::COLLECTION => {
            allow(method, &[Method::GET, Method::HEAD, Method::POST], "GET, HEAD, POST")?;
            let account = authenticate(state, parts).await?;
            if *method != Method::POST {
                return webrtc_keys::list(state, account.id).await;
            }
            let body = read(state, body).await?;
            return webrtc_keys::make(state, account.id, &body).await;
        }
        callers::CLIENT_TOKENS => {
            allow(method, &[Method::GET, Method::HEAD, Method::POST], "GET, HEAD, POST")?;
            let account = authenticate(state, parts).await?;
            let body = read(state, body).await?;
            let params = Params::collect(parts, &body).await?;
            return callers::client_token(state, account.id, params).await;
        }
        sound::OF_ACCOUNT => {
            allow(method, &[Method::GET, Method::HEAD, Method::PATCH], "GET, HEAD, PATCH")?;
            let account = authenticate(state, parts).await?;
            let body = read(state, body).await?;
            return sound::settings(state, account.id, method, SoundOf::Account, &body).await;
        }
        "/healthz" => {
            allow(method, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            if state.control.is_draining() {
                let mut response = Response::new(Body::from("draining\n"));
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Ok(response);
            }
            return Ok(Response::new(Body::from("ok\n")));
        }
        _ => {}
    }
    if let Some(encoded) = path.strip_prefix(inbound::COLLECTION).and_then(|rest| rest.strip_prefix('/')) {
        let methods = [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE];
        allow(method, &methods, "GET, HEAD, PUT, PATCH, DELETE")?;
        let account = authenticate(state, parts).await?;
        let name = path_segment(encoded)?;
        let body = read(state, body).await?;
        return named::one::<inbound::Services>(state, account.id, method, &name, &body).await;
    }
    if let Some(encoded) = path.strip_prefix(trunks::COLLECTION).and_then(|rest| rest.strip_prefix('/')) {
        let methods = [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE];
        allow(method, &methods, "GET, HEAD, PUT, PATCH, DELETE")?;
        let account = authenticate(state, parts).await?;
        let name = path_segment(encoded)?;
        let body = read(state, body).await?;
        return named::one::<trunks::Trunks>(state, account.id, method, &name, &body).await;
    }
    if let Some(encoded) = path.strip_prefix(webrtc_keys::COLLECTION).and_then(|rest| rest.strip_prefix('/'))
    {
        let methods = [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE];
        allow(method, &methods, "GET, HEAD, PUT, PATCH, DELETE")?;
        let account = authenticate(state, parts).await?;
        let key = path_segment(encoded)?;
        let body = read(state, body).await?;
        return webrtc_keys::one(state, account.id, method, &key, &body).await;
    }
    if let Some(encoded) = path.strip_prefix(callers::USERS).and_then(|rest| rest.strip_prefix('/')) {
        allow(method, &[Method::PUT, Method::DELETE], "PUT, DELETE")?;
        let account = authenticate(state, parts).await?;
        let name = path_segment(encoded)?;
        let body = read(state, body).await?;
        return callers::one(state, account.id, method, &name, &body).await;
    }
    if let Some(rest) = path.strip_prefix(sound::COLLECTION) {
        let segments: Option<Vec<String>> =
            rest.split('/').map(|segment| path_segment(segment).ok()).collect();
        if let Some(resource) = segments.and_then(|segments| Resource::of(&segments)) {
            let (methods, text) = resource.methods();
            allow(method, methods, text)?;
            let account = authenticate(state, parts).await?;
            let body = read(state, body).await?;
            return match resource {
                Resource::Participants(name) if *method == Method::POST => {
                    parties::invite(state, account.id, name, &body).await
                }
                Resource::Participant(name, id) => parties::one(state, account.id, method, name, id).await,
                Resource::Transfer(name, id) => parties::transfer(state, account.id, name, id, &body).await,
                resource => sound::answer(state, account.id, method, resource, &body).await,
            };
        }
    }
    if let Some(page) = pages::page(path) {
        allow(method, &[Method::GET, Method::HEAD], "GET, HEAD")?;
        return Ok(page);
    }
    Err(ApiError::plain(StatusCode::NOT_FOUND, "there is nothing at this path"))
}

fn allow(method: &Method, allowed: &[Method], text: &'static str) -> Result<(), ApiError> {
    if allowed.contains(method) { Ok(()) } else { Err(ApiError::method_not_allowed(text)) }
}

/// The body, if it is not too large.
async fn read(state: &ApiState, body: Body) -> Result<Bytes, ApiError> {
    let most = state.max_body_bytes;
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ApiError::plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body may have at most {most} bytes"),
        )),
        Err(_) => Err(ApiError::plain(StatusCode::BAD_REQUEST, "the body did not arrive whole")),
    }
}

/// A service's name in a path: percent-encoded UTF-8, one segment.
fn path_segment(encoded: &str) -> Result<String, ApiError> {
    let unknown = || ApiError::plain(StatusCode::NOT_FOUND, "there is nothing at this path");
    if encoded.is_empty() || encoded.contains('/') {
        return Err(unknown());
    }
    percent_decode(encoded.as_bytes()).ok_or_else(unknown)
}

/// What every answer says about how it may be used.
fn harden(response: &mut Response<Body>) {
    const HEADERS: [(HeaderName, &str); 6] = [
        // Pages of other sites do not embed what we answer.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Whatever a page of ours would hold: nothing is loaded from anywhere else, and nobody frames it.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Serves `router` on `listener`, under TLS where it is given, until `shutdown` is ready and the requests under way are
/// answered. A source may have so many connections open at a time, WebSockets among them; 0: no limit.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    connections_per_source: usize,
    shutdown: impl Future<Output = ()>,
) {
    let sources = Sources::new(connections_per_source);
    let (stop, stopping) = watch::channel(());
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut shutdown = pin!(shutdown);
    loop {
        let permit = tokio::select! {
            () = &mut shutdown => break,
            permit = room.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        let (stream, remote) = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: waiting helps, spinning does not.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let Some(place) = sources.place(remote.ip()) else {
            tracing::debug!(%remote, "too many connections from one source: this one is closed");
            continue;
        };
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { continue };
        let peer = Peer { local, remote, is_secure: tls.is_some(), is_foreign_page: false };
        let (router, tls, mut stopping) = (router.clone(), tls.clone(), stopping.clone());
        tokio::spawn(async move {
            let stream: BoxedStream = match tls {
                None => Box::new(stream),
                Some(config) => {
                    match tokio::time::timeout(HEAD_WITHIN, TlsAcceptor::from(config).accept(stream)).await {
                        Ok(Ok(stream)) => Box::new(stream),
                        Ok(Err(error)) => return tracing::debug!(%remote, %error, "a TLS handshake failed"),
                        Err(_) => return tracing::debug!(%remote, "a TLS handshake took too long"),
                    }
                }
            };
            // The place is taken for as long as the connection is there, also as a WebSocket.
            let stream: BoxedStream = Box::new(Placed { stream, _place: place });
            let service = router.layer(axum::Extension(peer));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WITHIN)
                .max_buf_size(MAX_HEAD_BYTES)
                .max_headers(MAX_HEADERS)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .with_upgrades();
            let mut connection = pin!(connection);
            let outcome = tokio::select! {
                outcome = connection.as_mut() => outcome,
                _ = stopping.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    drop(stop);
    // All permits are back when the last connection has ended.
    let _ = tokio::time::timeout(FINISH_WITHIN, room.acquire_many(CONNECTIONS_MAX as u32)).await;
}
