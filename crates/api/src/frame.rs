//! What surrounds every request, whichever path it is for: where it comes from, what may not even be asked, its time limit,
//! the form of a refusal, the headers of every answer, the audit log.

use crate::{
    answer::to_the_end,
    audit::{Audited, AuditedRequest, Auditor, Doer, Outcome},
    auth::AuthenticatedAs,
    caller::{Contradiction, caller, is_secure},
    cookie::ThroughProxy,
    error::{ApiError, platform::About},
    extract::RequestId,
    media, oidc, origin,
    peer::{ConnectionSlot, Peer, Sources},
    state::{ApiState, App},
    web::seven::table,
};
use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::IntoResponse,
};
use plenary_conference::Timestamp;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tracing::Instrument;

/// How long an upload may take in all.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What surrounds requests with what.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) state: App,
    pub(crate) auditor: Arc<Auditor>,
}

pub(crate) async fn around(State(frame): State<Frame>, request: Request, next: Next) -> Response<Body> {
    let Frame { state, auditor } = frame;
    if !is_change(request.method(), request.uri().path()) {
        return answer(state, request, next, None).await;
    }
    // Also when the client disconnects: what was changed has to be in the audit log.
    let answered =
        to_the_end(async move { Ok::<_, ApiError>(answer(state, request, next, Some(auditor)).await) });
    answered.await.unwrap_or_else(IntoResponse::into_response)
}

/// Whether a request changes something, or tries to.
fn is_change(method: &Method, path: &str) -> bool {
    match table::at(path) {
        Some(service) => service.changes,
        // A browser comes back from the provider by GET, and is signed in.
        None => !matches!(*method, Method::GET | Method::HEAD) || path == oidc::CALLBACK,
    }
}

async fn answer(state: App, request: Request, next: Next, auditor: Option<Arc<Auditor>>) -> Response<Body> {
    let asked_at = state.control.now();
    let id = new_request_id();
    let span = tracing::info_span!("request", request_id = id, account = tracing::field::Empty);
    let who = AuthenticatedAs::default();
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(who.clone());
    parts.extensions.insert(RequestId(id.clone()));
    let head = RequestHead::new(&state, &parts);
    let audited = auditor.map(|auditor| Audited::new(auditor, head.asked(&id, asked_at)));
    if let Some(audited) = &audited {
        parts.extensions.insert(audited.clone());
    }
    let route = parts.extensions.get::<MatchedPath>().cloned();
    let outcome = async {
        let _slot = head.enter(&state, &mut parts)?;
        let answer = next.run(Request::from_parts(parts, body));
        // An upload may take longer, as long as data arrives: that is checked where it is read, after the key.
        let within = match media::is_upload(&head.method, head.uri.path()) {
            true => state.request_timeout.max(UPLOAD_TIMEOUT),
            false => state.request_timeout,
        };
        let timely = tokio::time::timeout(within, answer).await;
        timely
            .map_err(|_| ApiError::plain(StatusCode::REQUEST_TIMEOUT, "the request took too long; try again"))
    };
    let outcome = outcome.instrument(span.clone()).await;
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        let (path, base) = (head.uri.path(), &head.base(&state));
        response = if path == "/v1" || path.starts_with("/v1/") {
            error.problem(&id, base, head.is_of_page)
        } else {
            error.platform(&About { path, asked_at, now: state.control.now(), base })
        };
    }
    harden(&mut response);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    state.counters.answered(route.as_ref().map(MatchedPath::as_str), response.status().as_u16());
    let access = who.0.get().map(|access| &**access);
    if let Some(audited) = audited
        && let Some(doer) = audited.doer(access)
    {
        span.in_scope(|| head.log_change(&doer, response.status()));
        let outcome = Outcome::of(&response);
        audited.finish(access, doer, outcome, state.control.now()).await;
    }
    response
}

/// What is still known of a request when it is answered.
struct RequestHead {
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    peer: Option<Peer>,
    /// The client uses TLS, with us or with a proxy of ours.
    is_secure: bool,
    /// A page of ours sends it, as far as the browser says.
    is_of_page: bool,
    /// The peer, or whom it passes on.
    remote: Result<Option<SocketAddr>, Contradiction>,
}

impl RequestHead {
    fn new(state: &ApiState, parts: &Parts) -> Self {
        let peer = parts.extensions.get::<Peer>().copied();
        let remote = peer.map(|peer| caller(peer.remote, &parts.headers, &state.trusted_proxies)).transpose();
        let by_proxy = |peer: &Peer| {
            state.trusted_proxies.include(peer.remote.ip()) && is_secure(&parts.headers) == Some(true)
        };
        Self {
            is_secure: peer.is_some_and(|peer| peer.is_secure || by_proxy(&peer)),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            host: parts.headers.get(header::HOST).cloned(),
            peer,
            is_of_page: origin::is_same_origin(&parts.headers),
            remote,
        }
    }

    /// Refuses what no handler should see. A caller behind a proxy has so many requests and WebSockets open at a time as
    /// others have connections; the place is one of them.
    fn enter(&self, state: &ApiState, parts: &mut Parts) -> Result<Option<Arc<ConnectionSlot>>, ApiError> {
        origin::check_host(parts)?;
        let remote = self.remote.map_err(|Contradiction| {
            let text =
                "X-Forwarded-For and Forwarded name different callers: the proxy must set both or remove one";
            ApiError::plain(StatusCode::BAD_REQUEST, text)
        })?;
        if self.peer.is_some_and(|peer| state.trusted_proxies.include(peer.remote.ip())) {
            parts.extensions.insert(ThroughProxy { is_secure: is_secure(&parts.headers) });
        }
        let mut slot = None;
        if let (Some(peer), Some(remote)) = (self.peer, remote)
            && peer.remote != remote
        {
            parts.extensions.insert(Peer { remote, ..peer });
            if let Some(sources) = parts.extensions.get::<Sources>() {
                let too_many = || {
                    let text = "your address has too many requests and WebSockets open; close some";
                    ApiError::plain(StatusCode::TOO_MANY_REQUESTS, text)
                };
                let taken = Arc::new(sources.take_slot(remote.ip()).ok_or_else(too_many)?);
                parts.extensions.insert(taken.clone());
                slot = Some(taken);
            }
        }
        if !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            origin::check_page(parts, state.origins())?;
        }
        Ok(slot)
    }

    /// Where our pages are, as the client reaches them.
    fn base(&self, state: &ApiState) -> String {
        if let Some(url) = &state.public_url {
            return url.clone();
        }
        let host = origin::authority(&self.uri, self.host.as_ref()).unwrap_or("localhost");
        // What is no host name does not become a link.
        let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        let scheme = if self.is_secure { "https" } else { "http" };
        if is_host { format!("{scheme}://{host}") } else { format!("{scheme}://localhost") }
    }

    /// What the audit log tells of it in any case.
    fn asked(&self, id: &str, at: Timestamp) -> AuditedRequest {
        AuditedRequest {
            method: self.method.clone(),
            path: self.uri.path().to_owned(),
            source: self.source(),
            request_id: id.to_owned(),
            at,
        }
    }

    /// The address that it comes from.
    fn source(&self) -> Option<String> {
        self.remote.ok().flatten().map(|remote| remote.ip().to_string())
    }

    /// Says who changed something, or tried to. Parameters are left out: there are secrets among them.
    fn log_change(&self, doer: &Doer, status: StatusCode) {
        let Doer { account, actor, key, person } = doer;
        let account = account.map(|account| account.0);
        let (path, source, status) = (self.uri.path(), self.source().unwrap_or_default(), status.as_u16());
        match person {
            None => {
                tracing::info!(target: "audit", account, login = actor, key, source, method = %self.method, path, status);
            }
            Some(_) => {
                tracing::info!(target: "audit", account, person = actor, source, method = %self.method, path, status)
            }
        }
    }
}

/// 16 hexadecimal digits: which run of the server, which request of it.
fn new_request_id() -> String {
    static RUN: LazyLock<u32> = LazyLock::new(|| RandomState::new().build_hasher().finish() as u32);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:08x}{:08x}", *RUN, NEXT.fetch_add(1, Relaxed) as u32)
}

/// What every answer says about how it may be used.
fn harden(response: &mut Response<Body>) {
    const HEADERS: [(HeaderName, &str); 6] = [
        // Pages of other sites do not embed what we answer.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Whatever a page of ours would hold: nothing is loaded from other hosts, and no other page frames it.
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
