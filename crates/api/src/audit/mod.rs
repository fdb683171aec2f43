//! The audit log: who changed what, from where, and what was there before and after.
//!
//! What was there is what GET answers at the same path. Secrets are write-only, so a new one is left out without being named
//! here; what looks like one by its name is taken out on top of that. The entry of what is stored is written in the transaction of the
//! change ([`acting`]), and completed when the request is answered; all others are written then. That is done by one task, in their order,
//! and a request is answered when its own is on the disk, or after a second where the database does not answer: a leader who
//! mutes a participant does not wait for it longer.

pub(crate) mod writer;

use crate::{
    answer::IDEMPOTENCY_REPLAYED,
    media,
    state::{ApiState, App},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequestParts, Request},
    http::{Method, Response, StatusCode, header, request::Parts},
};
use http_body_util::{BodyExt, Limited};
use plenary_model::{AccountId, Actor, AuditEntry, Pin, Scope, Timestamp, remove_secrets};
use plenary_store::{Access, Account, Authenticated, Doing, KeyId, Person, Store, Visitor, VisitorEntry};
use serde_json::Value;
use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tower::ServiceExt;

/// What is larger is left out.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// What is changed by this state is told by events as that actor's doing, and the entry of the audit log is written with it.
pub(crate) fn acting(state: &App, access: &Access, audited: Option<&Audited>) -> App {
    inviting(state, access, audited, None)
}

/// The same; mails to guests that are written by it name this PIN.
pub(crate) fn inviting(state: &App, access: &Access, audited: Option<&Audited>, pin: Option<Pin>) -> App {
    let entry = audited.map(|audited| Arc::new(audited.begun(Doer::of(access))));
    doing(state, Doing { entry, pin, ..Doing::from(actor(access)) })
}

/// The same of an actor who may have no account.
pub(crate) fn acting_as(state: &App, actor: Actor, entry: Option<AuditEntry>) -> App {
    doing(state, Doing { entry: entry.map(Arc::new), ..Doing::from(actor) })
}

fn doing(state: &App, doing: Doing) -> App {
    let (control, store) = (state.control.acting(doing.clone()), state.store.acting(doing));
    Arc::new(ApiState { control, store, ..ApiState::clone(state) })
}

/// The actor that events name.
fn actor(access: &Access) -> Actor {
    match &access.by {
        Authenticated::Key(key) | Authenticated::Leader { link: key, .. } => Actor::key(key.0),
        Authenticated::Person { person, .. } => Actor::person(person.0),
    }
}

/// The store for a visitor who signs in: once it is known who they are, their entry of the audit log is written with it.
pub(crate) fn visited(state: &App, Audit(audited): &Audit) -> Store {
    let entry = |audited: Audited| {
        VisitorEntry::new(move |visitor| {
            let doer = Doer::of_visitor(visitor);
            audited.done_by(doer.clone());
            audited.begun(doer)
        })
    };
    state.store.acting(Doing { visitor: audited.clone().map(entry), ..Doing::from(Actor::api()) })
}

/// What all requests need to be audited.
pub(crate) struct Auditor {
    state: App,
    /// The resources, for what they show.
    resources: Router,
}

impl Auditor {
    pub(crate) fn new(state: App, resources: Router) -> Self {
        Self { state, resources }
    }

    /// What is shown at a path to a key that may see all of the account; `None`: nothing, or no JSON.
    async fn view(&self, access: &Access, path: &str) -> Option<Value> {
        // There, GET answers the audio.
        if let Some(name) = path.strip_prefix("/v1/media/") {
            return media::shown(&self.state, access.account.id, name).await;
        }
        let access = Access { scopes: Scope::ALL.into_iter().collect(), conference: None, ..access.clone() };
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().ok()?;
        request.extensions_mut().insert(Arc::new(access));
        let Ok(response) = self.resources.clone().oneshot(request).await;
        let kind = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
        if response.status() != StatusCode::OK || !kind.starts_with("application/json") {
            return None;
        }
        let body = Limited::new(response.into_body(), VALUE_BYTES_MAX).collect().await.ok()?.to_bytes();
        let mut value: Value = serde_json::from_slice(&body).ok()?;
        // Of a participant: it differs at each look.
        if let Some(members) = value.as_object_mut() {
            members.remove("statistics");
        }
        remove_secrets(&mut value);
        Some(value)
    }
}

/// What of an answer matters here.
pub(crate) struct Outcome {
    status: StatusCode,
    location: Option<String>,
    is_replayed: bool,
}

impl Outcome {
    pub(crate) fn of(response: &Response<Body>) -> Self {
        let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
        Self {
            status: response.status(),
            location: location.map(str::to_owned),
            is_replayed: response.headers().contains_key(IDEMPOTENCY_REPLAYED),
        }
    }
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doer {
    pub(crate) account: Option<AccountId>,
    /// The account's login, or a person's mail address.
    pub(crate) actor: String,
    pub(crate) key: Option<i64>,
    pub(crate) person: Option<i64>,
}

impl Doer {
    pub(crate) fn of(access: &Access) -> Self {
        let account = &access.account;
        match &access.by {
            Authenticated::Key(key) | Authenticated::Leader { link: key, .. } => Self::of_key(account, *key),
            Authenticated::Person { person, mail, .. } => {
                let (actor, person) = (mail.clone(), Some(person.0));
                Self { account: Some(account.id), actor, key: None, person }
            }
        }
    }

    fn of_key(account: &Account, key: KeyId) -> Self {
        let actor = format!("{}/{}", account.cloud_id, account.username);
        Self { account: Some(account.id), actor, key: Some(key.0), person: None }
    }

    fn of_visitor(visitor: Visitor<'_>) -> Self {
        match visitor {
            Visitor::Person(person) => Self::of_person(person),
            Visitor::Leader(account, link) => Self::of_key(account, link),
        }
    }

    /// A person whose account does not matter.
    pub(crate) fn of_person(person: &Person) -> Self {
        Self { account: None, actor: person.mail.clone(), key: None, person: Some(person.id.0) }
    }
}

/// A request that changes something. Handlers and extractors add what they know.
#[derive(Clone)]
pub(crate) struct Audited(Arc<Inner>);

struct Inner {
    auditor: Arc<Auditor>,
    asked: AuditedRequest,
    noted: Mutex<Noted>,
}

/// What is known of a request before anybody has looked at it.
pub(crate) struct AuditedRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) source: Option<String>,
    pub(crate) request_id: String,
    pub(crate) at: Timestamp,
}

#[derive(Default)]
struct Noted {
    /// It is known who asks, and was noted what was there.
    has_begun: bool,
    /// The path that shows what is changed, where it is not that of the request.
    subject: Option<String>,
    before: Option<Value>,
    request: Option<Value>,
    /// Who, where it is not an account's doing.
    doer: Option<Doer>,
}

impl fmt::Debug for Audited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audited").field("path", &self.0.asked.path).finish_non_exhaustive()
    }
}

impl Audited {
    pub(crate) fn new(auditor: Arc<Auditor>, asked: AuditedRequest) -> Self {
        Self(Arc::new(Inner { auditor, asked, noted: Mutex::default() }))
    }

    fn noted<T>(&self, note: impl FnOnce(&mut Noted) -> T) -> T {
        note(&mut self.0.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It is known who asks, and nothing has been changed yet.
    pub(crate) async fn begin(&self, access: &Access) {
        let replaces = matches!(self.0.asked.method, Method::PUT | Method::PATCH | Method::DELETE);
        if self.noted(|noted| std::mem::replace(&mut noted.has_begun, true)) || !replaces {
            return;
        }
        let before = self.0.auditor.view(access, &self.0.asked.path).await;
        self.noted(|noted| noted.before = before);
    }

    /// Who does it, where that is not known by [`Self::begin`]: signing in, and what a person does by their cookie.
    pub(crate) fn done_by(&self, doer: Doer) {
        self.noted(|noted| noted.doer = Some(doer));
    }

    /// Who does it, if that is known.
    pub(crate) fn doer(&self, access: Option<&Access>) -> Option<Doer> {
        access.map(Doer::of).or_else(|| self.noted(|noted| noted.doer.clone()))
    }

    /// What the body asks for, where that is not stored: it holds no secrets there.
    pub(crate) fn note_body(&self, body: &Bytes) {
        if self.0.asked.path.starts_with("/v1/conferences/") && body.len() <= VALUE_BYTES_MAX {
            self.note_request(serde_json::from_slice(body).ok());
        }
    }

    /// What is asked for, without secrets.
    pub(crate) fn note_request(&self, request: Option<Value>) {
        if let Some(mut request) = request {
            remove_secrets(&mut request);
            self.noted(|noted| noted.request = Some(request));
        }
    }

    /// What is asked for, and the path that shows what is about to be changed.
    pub(crate) async fn about(&self, access: &Access, request: Value, subject: Option<String>) {
        self.note_request(Some(request));
        if let Some(subject) = subject {
            let before = self.0.auditor.view(access, &subject).await;
            self.noted(|noted| (noted.subject, noted.before) = (Some(subject), before));
        }
    }

    /// The path that shows what has been made.
    pub(crate) fn made(&self, subject: String) {
        self.noted(|noted| noted.subject = Some(subject));
    }

    /// The entry as far as it is known before anything is changed.
    pub(crate) fn begun(&self, doer: Doer) -> AuditEntry {
        let (before, request) = self.noted(|noted| (noted.before.clone(), noted.request.clone()));
        let Doer { account, actor, key, person } = doer;
        let AuditedRequest { method, path, source, request_id, at } = &self.0.asked;
        AuditEntry {
            at: *at,
            account,
            actor,
            key,
            person,
            source: source.clone(),
            request_id: Some(request_id.clone()),
            method: method.to_string(),
            path: path.clone(),
            status: None,
            before,
            after: None,
            request,
        }
    }

    /// The request is answered.
    pub(crate) async fn finish(self, access: Option<&Access>, doer: Doer, outcome: Outcome, at: Timestamp) {
        let Outcome { status, location, is_replayed } = outcome;
        // The answer to the first try: nothing was done again.
        if is_replayed {
            return;
        }
        let begun = self.begun(doer);
        let subject = self.noted(|noted| noted.subject.take());
        let Inner { auditor, asked: AuditedRequest { method, path, .. }, .. } = &*self.0;
        let shown_at = subject.or_else(|| match *method {
            Method::PUT | Method::PATCH => Some(path.clone()),
            Method::POST => location,
            _ => None,
        });
        let after = match (access, shown_at.filter(|_| status.is_success())) {
            (Some(access), Some(path)) => auditor.view(access, &path).await,
            (None, _) | (_, None) => None,
        };
        let entry = AuditEntry { at, status: Some(status.as_u16()), after, ..begun };
        auditor.state.audit.write(entry).await;
    }
}

/// The audited request that a handler serves, if it is one.
#[derive(Clone)]
pub(crate) struct Audit(pub(crate) Option<Audited>);

impl FromRequestParts<App> for Audit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Audited>().cloned()))
    }
}
