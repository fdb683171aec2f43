//! Who asks: an API Access Key as the password of basic authentication (RFC 7617), whose user name is `cloudID/username`, or as
//! a bearer token (RFC 6750); below `/v1` also a person who has signed in, by the cookie of the session.
//!
//! A browser sends the cookie whichever page makes it ask. So a change with it counts only where the browser says that a page
//! of ours sends it.

use crate::{
    audit::{self, Audit, Audited, Doer},
    cookie,
    error::{ApiError, NOT_OUR_PAGE, OTHER_CONFERENCE, ROLE_FORBIDS},
    limits::Door,
    origin,
    peer::Peer,
    state::{ApiState, App},
};
use axum::{
    extract::FromRequestParts,
    http::{Method, StatusCode, header, request::Parts},
};
use data_encoding::BASE64;
use plenary_model::{Actor, ConferenceName};
use plenary_store::{Access, LEADER_SECRET_PREFIX, LeaderSession, Person, Session};
use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

/// The account that a request comes from, and what its key or its person may do. A request is authenticated once, however many
/// extractors ask.
pub(crate) async fn authenticate(state: &App, parts: &mut Parts) -> Result<Arc<Access>, ApiError> {
    if let Some(access) = parts.extensions.get::<Arc<Access>>() {
        return Ok(access.clone());
    }
    let access = match has_cookie(parts, state) {
        true => by_session(state, parts).await?,
        false => by_key(state, parts).await?,
    };
    let mut limits = state.limits;
    if let Some(most) = access.account.settings.requests_per_second {
        limits.requests_per_second = most;
    }
    if !state.counters.admit(access.account.id, limits, Instant::now()) {
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

fn too_many(text: &str) -> ApiError {
    ApiError::plain(StatusCode::TOO_MANY_REQUESTS, text)
}

/// Where a request comes from, as wrong credentials are counted.
pub(crate) fn source(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Peer>().map(|peer| peer.remote.ip())
}

/// The source has tried to sign in at the provider with too many wrong codes of late.
pub(crate) fn is_held_off_from_provider(state: &ApiState, source: Option<IpAddr>) -> bool {
    let now = Instant::now();
    source.is_some_and(|source| state.counters.is_held_off(source, Door::Provider, state.limits, now))
}

/// Credentials were wrong.
pub(crate) fn note_failure(state: &ApiState, source: Option<IpAddr>, door: Door) {
    if let Some(source) = source
        && state.counters.failed(source, door, state.limits, Instant::now())
    {
        tracing::warn!(target: "audit", %source, ?door, "held off: too many requests with wrong credentials");
    }
}

/// Credentials were wrong: the answer, which is another one where too many from this address were wrong of late. Only wrong ones
/// are held off, for others at the address have right ones. Keys and codes are of 160 random bits or more, which no number of attempts
/// finds; those who guess passwords wait longer and longer (see the store).
pub(crate) fn refusal(state: &ApiState, source: Option<IpAddr>, wrong: ApiError) -> ApiError {
    let now = Instant::now();
    let is_held_off =
        source.is_some_and(|source| state.counters.is_held_off(source, Door::Here, state.limits, now));
    note_failure(state, source, Door::Here);
    match is_held_off {
        true => too_many("too many requests with wrong credentials came from your address; wait a minute"),
        false => wrong,
    }
}

async fn by_key(state: &ApiState, parts: &Parts) -> Result<Arc<Access>, ApiError> {
    let found = match credentials(parts) {
        Some(Credentials::Basic { login, key }) => state.store.authenticate(&login, &key).await?,
        Some(Credentials::Bearer { key }) => state.store.authenticate_key(&key).await?,
        None => None,
    };
    found.ok_or_else(|| {
        let text = "an API Access Key is needed: as the password of basic authentication, with cloudID/username as the user name, \
             or as a bearer token";
        refusal(state, source(parts), ApiError::plain(StatusCode::UNAUTHORIZED, text))
    })
}

/// Whether the request is to be authenticated by the cookie of a session: below `/v1`, and without a key.
fn has_cookie(parts: &Parts, state: &App) -> bool {
    parts.uri.path().starts_with("/v1/")
        && !parts.headers.contains_key(header::AUTHORIZATION)
        && cookie::secret(parts, state).is_some()
}

async fn by_session(state: &App, parts: &mut Parts) -> Result<Arc<Access>, ApiError> {
    let SignedIn { session, person } = match Browser::of(state, parts).await? {
        Browser::Leader(_, access) => return Ok(access),
        Browser::Person(signed_in) => signed_in,
    };
    let Some(account) = state.store.account_of(&session, &person).await? else {
        let text = "there is no account yet that you could work in: `plenary account create` makes one";
        return Err(ApiError::coded(ROLE_FORBIDS, text));
    };
    let access = session.access(&person, account);
    if access.only_reads && is_change(&parts.method) {
        return Err(ApiError::coded(ROLE_FORBIDS, "the role `auditor` reads, and changes nothing"));
    }
    Ok(Arc::new(access))
}

fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A person who has signed in, whichever account they work in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) session: Arc<Session>,
    pub(crate) person: Arc<Person>,
}

impl SignedIn {
    /// What is stored by this state has its entry in the audit log.
    pub(crate) fn acting(&self, state: &App, Audit(audited): &Audit) -> App {
        let doer = || Doer::of_person(&self.person);
        audit::acting_as(
            state,
            Actor::person(self.person.id.0),
            audited.as_ref().map(|one| one.begun(doer())),
        )
    }
}

/// Whose cookie a request carries.
#[derive(Debug, Clone)]
pub(crate) enum Browser {
    /// A person who has signed in.
    Person(SignedIn),
    /// A leader's link was opened here; what it allows.
    Leader(Arc<LeaderSession>, Arc<Access>),
}

impl Browser {
    /// What is stored by this state has its entry in the audit log.
    pub(crate) fn acting(&self, state: &App, audit: &Audit) -> App {
        match self {
            Self::Person(signed_in) => signed_in.acting(state, audit),
            Self::Leader(_, access) => audit::acting(state, access, audit.0.as_ref()),
        }
    }

    /// A wrong cookie is no guess: there is nothing to guess of 256 random bits, and the browser of a person who was signed
    /// out for a while would hold off all others at its address.
    async fn of(state: &App, parts: &mut Parts) -> Result<Self, ApiError> {
        let not_signed_in = || {
            ApiError::plain(StatusCode::UNAUTHORIZED, "you are not signed in, or not any more: sign in again")
        };
        let secret = cookie::secret(parts, state).ok_or_else(not_signed_in)?;
        if is_change(&parts.method) && !origin::is_own_page(parts, state.origins()) {
            let text = "the cookie of a session counts for changes that a page of this host sends; a program uses an API key";
            return Err(ApiError::coded(NOT_OUR_PAGE, text));
        }
        let audited = parts.extensions.get::<Audited>();
        if secret.starts_with(LEADER_SECRET_PREFIX) {
            let found = state.store.leader_session(&secret, state.control.now()).await?;
            let (session, access) = found.ok_or_else(not_signed_in)?;
            if let Some(audited) = audited {
                audited.done_by(Doer::of(&access));
            }
            return Ok(Self::Leader(Arc::new(session), Arc::new(access)));
        }
        let found = state.store.session(&secret, state.control.now()).await?;
        let (session, person) = found.ok_or_else(not_signed_in)?;
        if let Some(audited) = audited {
            audited.done_by(Doer::of_person(&person));
        }
        Ok(Self::Person(SignedIn { session: Arc::new(session), person: Arc::new(person) }))
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        Self::of(state, parts).await
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        match Browser::of(state, parts).await? {
            Browser::Person(signed_in) => Ok(signed_in),
            Browser::Leader(session, _) => Err(bound_to(&session.link.conference)),
        }
    }
}

/// The key or link is of one conference, and something else is asked for.
pub(crate) fn bound_to(conference: &ConferenceName) -> ApiError {
    ApiError::coded(OTHER_CONFERENCE, format!("it is for the conference {conference} alone"))
}

/// Whose request it turned out to be, for the audit log.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuthenticatedAs(pub(crate) Arc<OnceLock<Arc<Access>>>);

/// The secret by which a request was authenticated.
pub(crate) fn secret(parts: &Parts, state: &App) -> String {
    let key = credentials(parts).map(|credentials| match credentials {
        Credentials::Basic { key, .. } | Credentials::Bearer { key } => key,
    });
    key.or_else(|| cookie::secret(parts, state)).unwrap_or_default()
}

/// What the header `Authorization` says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Basic { login: String, key: String },
    Bearer { key: String },
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
