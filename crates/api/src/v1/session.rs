//! Signing in and out, and the sessions of the person who has signed in. A session is a cookie ([`crate::cookie`]). One can
//! begin with a leader's link too ([`super::leader_links`]).

use super::{
    body::{Body, Patch},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, gone, no_content, to_the_end},
    audit::{self, Audit},
    auth::{self, Browser, SignedIn},
    cookie::Channel,
    error::{
        ApiError, BAD_INVITATION, PASSWORDS_OFF, ROLE_FORBIDS, UNKNOWN_SESSION, WRONG_OLD_PASSWORD,
        WRONG_PASSWORD,
    },
    extract::Segments,
    json::{json, present},
    peer::Peer,
    state::{ApiState, App},
    time,
};
use axum::{
    body::Body as HttpBody,
    extract::{FromRequestParts, State},
    http::{Response, StatusCode, header, request::Parts},
};
use plenary_model::{AccountId, LanguageCode, MAIL_CHARS_MAX, Role, Scopes, Timestamp};
use plenary_store::{
    AcceptError, Access, LeaderSession, PasswordChange, Person, SESSION_MS, Session, SessionId, SignIn,
    SignInFrom, Store,
};
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, net::IpAddr};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Paths by which a person comes in who is not known yet.
pub(super) const SIGN_IN: [&str; 5] = [
    "/v1/session",
    "/v1/invitations/open",
    "/v1/invitations/accept",
    "/v1/leader-links/open",
    "/v1/guest-links/open",
];
/// The page on which people sign in.
pub(super) const SIGN_IN_PAGE: &str = "/console/sign-in";
/// Accounts that are shown to a person who may work in all of them, at the most.
const ACCOUNTS_SHOWN_MAX: usize = 500;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show, sign_in, change, sign_out))
        .routes(routes!(open))
        .routes(routes!(accept))
        .routes(routes!(set_password))
        .routes(routes!(list))
        .routes(routes!(end))
}

/// Who is signed in, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub(super) struct Shown {
    /// Who; null: a leader, by a link.
    person: Option<ShownPerson>,
    /// The link by which the session began; null: a person has signed in.
    leader: Option<ShownLeader>,
    /// The account that is worked in; null: there is none yet.
    account: Option<WorkedIn>,
    /// What they may do there, as a key with these scopes could; a role of `auditor` changes nothing.
    scopes: Scopes,
    /// All accounts that they may work in, by login; of operators the first 500 of all.
    accounts: Vec<WorkedIn>,
    /// This session. That of a link has no number in the list of sessions.
    session: ShownSession,
}

/// A leader by a link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedInLeader)]
struct ShownLeader {
    /// The number of the link.
    link: i64,
    /// Whose it is, as it was labelled.
    #[schema(example = "Ann")]
    label: Option<String>,
    /// The conference that it opens, and no other.
    #[schema(example = "Board")]
    conference: String,
}

/// The person who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedInPerson)]
struct ShownPerson {
    /// Their number.
    id: i64,
    /// What they are called.
    #[schema(example = "Eve")]
    name: String,
    /// Their mail address, by which they sign in.
    #[schema(example = "eve@example.com")]
    mail: String,
    /// In which language pages are shown to them.
    #[schema(example = "en")]
    language: String,
    /// They operate the installation.
    operator: bool,
}

/// An account that a person may work in.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SignedInAccount)]
struct WorkedIn {
    /// Its number.
    id: i64,
    /// Its `cloudID/username`.
    #[schema(example = "1-2-0/bob@example.com")]
    login: String,
    /// The person's role there; null: they operate the installation and have none.
    role: Option<Role>,
}

impl WorkedIn {
    fn of(account: &plenary_store::Account, person: &Person) -> Self {
        Self {
            id: account.id.0,
            login: format!("{}/{}", account.cloud_id, account.username),
            role: person.role_in(account.id),
        }
    }
}

/// A browser that is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
struct ShownSession {
    /// Its number.
    id: i64,
    /// It is the one that asks.
    current: bool,
    /// When it began.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last used, to a minute.
    #[schema(format = DateTime)]
    last_used_at: String,
    /// When it ends, if it is not used again.
    #[schema(format = DateTime)]
    idle_ends_at: String,
    /// When it ends in any case.
    #[schema(format = DateTime)]
    ends_at: String,
    /// The address that it was begun from.
    #[schema(example = "198.51.100.7")]
    address: Option<String>,
    /// What the browser calls itself.
    user_agent: Option<String>,
}

impl ShownSession {
    fn of(session: &Session, current: SessionId) -> Self {
        let ends_at = Timestamp(session.created_at.0.saturating_add(SESSION_MS));
        Self {
            id: session.id.0,
            current: session.id == current,
            created_at: time::rfc3339(session.created_at),
            last_used_at: time::rfc3339(session.last_used_at),
            idle_ends_at: time::rfc3339(session.ends_at()),
            ends_at: time::rfc3339(ends_at),
            address: session.address.clone(),
            user_agent: session.user_agent.clone(),
        }
    }
}

/// Login and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    /// The mail address, in whichever case.
    #[schema(max_length = 254, example = "eve@example.com")]
    login: String,
    /// The password.
    #[schema(write_only, max_length = 256, example = "correct horse battery")]
    password: String,
}

/// The code of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InvitationCode {
    /// What stands behind `#` in the link.
    #[schema(write_only, max_length = 100)]
    code: String,
}

/// Whom an invitation is for, and what they may do once they have accepted it.
#[derive(Debug, Serialize, ToSchema)]
struct OpenedInvitation {
    /// What the person is called.
    #[schema(example = "Eve")]
    name: String,
    /// Their mail address, by which they sign in.
    #[schema(example = "eve@example.com")]
    mail: String,
    /// They operate the installation.
    operator: bool,
    /// What they may do in which account, by login.
    roles: Vec<InvitedTo>,
    /// They have a password, which counts until another one is set by this invitation.
    has_password: bool,
    /// Until when the invitation can be accepted.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// An account that a person is invited to.
#[derive(Debug, Serialize, ToSchema)]
struct InvitedTo {
    /// Its `cloudID/username`.
    #[schema(example = "1-2-0/bob@example.com")]
    login: String,
    /// What they may do there.
    role: Role,
}

/// The code of an invitation, and the password that is to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcceptBody {
    /// What stands behind `#` in the link.
    #[schema(write_only, max_length = 100)]
    code: String,
    /// The new password.
    #[schema(write_only, min_length = 10, max_length = 256, example = "correct horse battery")]
    password: String,
}

/// What can be changed of one's own session and person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionPatch {
    /// The account to work in: one of `accounts`; of operators any.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    account: Option<i64>,
    /// The language of pages.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, nullable = false, example = "de")]
    language: Option<LanguageCode>,
}

/// Where a request comes from.
pub(super) struct Origin {
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Origin {
    pub(super) fn from(&self) -> SignInFrom<'_> {
        SignInFrom { address: self.address, user_agent: self.user_agent.as_deref() }
    }
}

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            address: parts.extensions.get::<Peer>().map(|peer| peer.remote.ip()),
            user_agent: user_agent.map(str::to_owned),
        })
    }
}

/// Where a password or a code comes from, as wrong ones are counted.
pub(super) struct Source(pub(super) Option<IpAddr>);

impl FromRequestParts<App> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(auth::source(parts)))
    }
}

async fn shown(store: &Store, session: &Session, person: &Person) -> Result<Shown, ApiError> {
    let account = store.account_of(session, person).await?;
    let accounts = match person.is_operator {
        true => store.accounts_after(None, ACCOUNTS_SHOWN_MAX).await?,
        false => person.roles.iter().map(|role| role.account.clone()).collect(),
    };
    Ok(Shown {
        person: Some(ShownPerson {
            id: person.id.0,
            name: person.name.clone(),
            mail: person.mail.clone(),
            language: person.language.to_string(),
            operator: person.is_operator,
        }),
        leader: None,
        account: account.as_ref().map(|account| WorkedIn::of(account, person)),
        scopes: account.map_or(Scopes::NONE, |account| session.access(person, account).scopes),
        accounts: accounts.iter().map(|account| WorkedIn::of(account, person)).collect(),
        session: ShownSession::of(session, session.id),
    })
}

/// The session of a leader's link.
pub(super) fn shown_leader(session: &LeaderSession, access: &Access) -> Shown {
    let link = &session.link;
    let limit = Timestamp(session.created_at.0.saturating_add(SESSION_MS));
    let account = &access.account;
    Shown {
        person: None,
        leader: Some(ShownLeader {
            link: link.id.0,
            label: link.label.clone(),
            conference: link.conference.to_string(),
        }),
        account: Some(WorkedIn {
            id: account.id.0,
            login: format!("{}/{}", account.cloud_id, account.username),
            role: None,
        }),
        scopes: access.scopes,
        accounts: Vec::new(),
        session: ShownSession {
            id: session.id.0,
            current: true,
            created_at: time::rfc3339(session.created_at),
            last_used_at: time::rfc3339(session.last_used_at),
            idle_ends_at: time::rfc3339(session.ends_at()),
            ends_at: time::rfc3339(link.expires_at.map_or(limit, |end| limit.min(end))),
            address: session.address.clone(),
            user_agent: session.user_agent.clone(),
        },
    }
}

/// The answer to a person who has signed in, or why not.
async fn begin(
    state: &ApiState,
    channel: Channel,
    source: Option<IpAddr>,
    outcome: SignIn,
) -> Result<Response<HttpBody>, ApiError> {
    match outcome {
        SignIn::Right(right) => {
            let (secret, session, person) = *right;
            let mut response = json(StatusCode::OK, &shown(&state.store, &session, &person).await?);
            channel.set(&mut response, secret.as_str());
            Ok(response)
        }
        SignIn::Wrong => {
            let text = "login or password is wrong, or you cannot sign in (yet)";
            Err(auth::refusal(state, source, ApiError::coded(WRONG_PASSWORD, text)))
        }
        SignIn::TooMany { retry_at } => Err(too_many(state, retry_at)),
        SignIn::Busy => Err(busy()),
    }
}

/// Refuses passwords where they are switched off.
pub(super) fn check_passwords(state: &ApiState) -> Result<(), ApiError> {
    let Some(oidc) = state.passwords_off() else { return Ok(()) };
    let name = &oidc.settings().name;
    let text = format!("passwords are switched off here: people sign in with “{name}” at {SIGN_IN_PAGE}");
    Err(ApiError::coded(PASSWORDS_OFF, text))
}

fn too_many(state: &ApiState, retry_at: Timestamp) -> ApiError {
    let seconds = time::seconds_until(retry_at, state.control.now());
    ApiError::wait(seconds, format!("too many wrong passwords: try again in {seconds} s"))
}

fn busy() -> ApiError {
    ApiError::wait(1, "too many people are signing in at this moment; try again")
}

/// Signs in
///
/// With a login and a password. The answer sets the cookie of the session, which ends when it is not used for two hours and
/// after twelve hours in any case. Wrong passwords are slowed down.
#[utoipa::path(post, path = "/v1/session", operation_id = "sign_in", tag = "people",
    request_body = SignInBody, security(()),
    responses((status = 200, description = "Signed in.", body = Shown,
            headers(("Set-Cookie" = String, description = "The session."))),
        (status = 401, description = "Login or password is wrong (1125)."),
        (status = 403, description = "Passwords are switched off (1144).")))]
async fn sign_in(
    channel: Channel,
    Source(source): Source,
    origin: Origin,
    audit: Audit,
    State(state): State<App>,
    Body(body): Body<SignInBody>,
) -> Answer {
    check_passwords(&state)?;
    to_the_end(async move {
        let SignInBody { login, password } = body;
        let store = audit::visited(&state, &audit);
        let outcome = store.sign_in(&login, &password, origin.from(), state.control.now()).await?;
        if outcome == SignIn::Wrong {
            let source = source.map(|source| source.to_string()).unwrap_or_default();
            let login: String = login.chars().take(MAIL_CHARS_MAX).collect();
            tracing::info!(target: "audit", ?login, source, "a person could not sign in");
        }
        begin(&state, channel, source, outcome).await
    })
    .await
}

impl From<AcceptError> for ApiError {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Password(error) => Self::members(vec![error]),
            AcceptError::Store(error) => error.into(),
        }
    }
}

/// What counts no more: it says the same of codes that never did.
fn bad_invitation(state: &ApiState, source: Option<IpAddr>) -> ApiError {
    let text =
        "the invitation was accepted before, has expired, or was replaced by a later one: ask for another";
    auth::refusal(state, source, ApiError::coded(BAD_INVITATION, text))
}

/// An operator on the machine can let a person in when the provider fails: their codes count where passwords are switched off, too.
async fn check_invitations(state: &ApiState, code: &str, now: Timestamp) -> Result<(), ApiError> {
    match state.store.is_invited_on_machine(code, now).await? {
        true => Ok(()),
        false => check_passwords(state),
    }
}

/// Opens an invitation
///
/// Shows whom it is for, to which accounts, in which role, and until when it counts. It is not used up by that. Wrong codes are
/// slowed down as wrong passwords are.
#[utoipa::path(post, path = "/v1/invitations/open", operation_id = "open_invitation", tag = "people",
    request_body = InvitationCode, security(()),
    responses((status = 200, description = "What it is for.", body = OpenedInvitation),
        (status = 403, description = "Passwords are switched off (1144)."),
        (status = 404, description = "The code counts no more, or never did (1126).")))]
async fn open(
    Source(source): Source,
    State(state): State<App>,
    Body(InvitationCode { code }): Body<InvitationCode>,
) -> Answer {
    let now = state.control.now();
    check_invitations(&state, &code, now).await?;
    let person = state.store.invited(&code, now).await?;
    let Some((person, until)) = person.and_then(|one| one.invited_until.map(|until| (one, until))) else {
        return Err(bad_invitation(&state, source));
    };
    let roles = person.roles.iter().map(|role| InvitedTo {
        login: format!("{}/{}", role.account.cloud_id, role.account.username),
        role: role.role,
    });
    let opened = OpenedInvitation {
        roles: roles.collect(),
        name: person.name,
        mail: person.mail,
        operator: person.is_operator,
        has_password: person.has_password,
        expires_at: time::rfc3339(until),
    };
    Ok(json(StatusCode::OK, &opened))
}

/// Accepts an invitation
///
/// Sets the password of the person who is invited, and signs in. The code counts once. Sessions that the person has end. Where
/// passwords are switched off, only codes count that were made on the machine itself.
#[utoipa::path(post, path = "/v1/invitations/accept", operation_id = "accept_invitation", tag = "people",
    request_body = AcceptBody, security(()),
    responses((status = 200, description = "Signed in.", body = Shown,
            headers(("Set-Cookie" = String, description = "The session."))),
        (status = 403, description = "Passwords are switched off (1144)."),
        (status = 404, description = "The code counts no more, or never did (1126).")))]
async fn accept(
    channel: Channel,
    Source(source): Source,
    origin: Origin,
    audit: Audit,
    State(state): State<App>,
    Body(AcceptBody { code, password }): Body<AcceptBody>,
) -> Answer {
    to_the_end(async move {
        let now = state.control.now();
        check_invitations(&state, &code, now).await?;
        let store = audit::visited(&state, &audit);
        let accepted = store.accept_invitation(&code, &password, origin.from(), now).await;
        let Some(outcome) = accepted? else { return Err(bad_invitation(&state, source)) };
        begin(&state, channel, source, outcome).await
    })
    .await
}

/// Shows who is signed in
#[utoipa::path(get, path = "/v1/session", operation_id = "get_session", tag = "people",
    security(("session" = [])),
    responses((status = 200, description = "Who, and what they may do.", body = Shown)))]
async fn show(browser: Browser, State(state): State<App>) -> Answer {
    let shown = match browser {
        Browser::Person(SignedIn { session, person }) => shown(&state.store, &session, &person).await?,
        Browser::Leader(session, access) => shown_leader(&session, &access),
    };
    Ok(json(StatusCode::OK, &shown))
}

/// The old password, and the one that takes its place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordBody {
    /// The password so far.
    #[schema(write_only, max_length = 256, example = "correct horse battery")]
    old_password: String,
    /// The new one.
    #[schema(write_only, min_length = 10, max_length = 256, example = "incorrect horse battery")]
    password: String,
}

/// Changes one's password
///
/// All other sessions of the person end. Wrong old passwords are slowed down as at signing in.
#[utoipa::path(put, path = "/v1/session/password", operation_id = "change_password", tag = "people",
    request_body = PasswordBody, security(("session" = [])),
    responses((status = 204, description = "It is changed."),
        (status = 403, description = "The old password is wrong (1140), or passwords are switched off (1144).")))]
async fn set_password(
    _: Channel,
    Source(source): Source,
    origin: Origin,
    signed_in: SignedIn,
    State(state): State<App>,
    audit: Audit,
    Body(PasswordBody { old_password, password }): Body<PasswordBody>,
) -> Answer {
    check_passwords(&state)?;
    let state = signed_in.acting(&state, &audit);
    let SignedIn { session, person } = signed_in;
    to_the_end(async move {
        let now = state.control.now();
        let changed =
            state.store.change_password(&person, session.id, &old_password, &password, origin.from(), now);
        match changed.await? {
            PasswordChange::Changed => Ok(no_content()),
            PasswordChange::Wrong => {
                let wrong = ApiError::coded(WRONG_OLD_PASSWORD, "the old password is wrong");
                Err(auth::refusal(&state, source, wrong))
            }
            PasswordChange::TooMany { retry_at } => Err(too_many(&state, retry_at)),
            PasswordChange::Busy => Err(busy()),
        }
    })
    .await
}

/// Changes one's session
///
/// The account that is worked in, or the language of pages.
#[utoipa::path(patch, path = "/v1/session", operation_id = "change_session", tag = "people",
    request_body(content = SessionPatch, example = json!({"account": 2})),
    security(("session" = [])),
    responses((status = 200, description = "As it is now.", body = Shown)))]
async fn change(signed_in: SignedIn, State(state): State<App>, audit: Audit, patch: Patch) -> Answer {
    let state = signed_in.acting(&state, &audit);
    let SignedIn { session, person } = signed_in;
    let SessionPatch { account, language } = patch.merge_into(&serde_json::json!({}))?;
    to_the_end(async move {
        let (mut session, mut person) = (Session::clone(&session), Person::clone(&person));
        if let Some(account) = account.map(AccountId) {
            let may_work = person.role_in(account).is_some()
                || person.is_operator && state.store.account(account).await?.is_some();
            if !may_work {
                return Err(ApiError::coded(ROLE_FORBIDS, "you have no role in this account"));
            }
            state.store.work_in(session.id, account).await?;
            session.account = Some(account);
        }
        if let Some(language) = language {
            let decide = |person: &Person| {
                let mut settings = person.settings();
                settings.language = language;
                Ok::<_, ApiError>(settings)
            };
            let changed = state.store.change_person(person.id, decide).await?;
            person = changed.unwrap_or(person);
        }
        Ok(json(StatusCode::OK, &shown(&state.store, &session, &person).await?))
    })
    .await
}

/// Signs out
///
/// This browser's session ends at once.
#[utoipa::path(delete, path = "/v1/session", operation_id = "sign_out", tag = "people",
    security(("session" = [])),
    responses((status = 204, description = "Signed out.")))]
async fn sign_out(channel: Channel, browser: Browser, State(state): State<App>, audit: Audit) -> Answer {
    let state = browser.acting(&state, &audit);
    to_the_end(async move {
        match browser {
            Browser::Person(SignedIn { session, person }) => {
                state.store.end_session(person.id, session.id).await?;
            }
            Browser::Leader(session, _) => state.store.end_leader_session(session.id).await?,
        }
        let mut response = no_content();
        channel.clear(&mut response);
        Ok(response)
    })
    .await
}

/// Lists one's sessions
///
/// Each browser that is signed in as oneself, the oldest first.
#[utoipa::path(get, path = "/v1/sessions", operation_id = "list_sessions", tag = "people", params(Page),
    security(("session" = [])),
    responses((status = 200, description = "Some of the sessions.", body = List<ShownSession>)))]
async fn list(
    SignedIn { session, person }: SignedIn,
    State(state): State<App>,
    Query(page): Query<Page>,
) -> Answer {
    let after = page.after_as(|key| key.parse().ok().map(SessionId))?;
    let found = state.store.sessions_after(person.id, after, page.to_fetch(), state.control.now()).await?;
    let shown = page.of(found, |one| one.id.to_string(), |one| ShownSession::of(&one, session.id));
    Ok(json(StatusCode::OK, &shown))
}

/// Ends one of one's sessions
///
/// That browser is signed out at once.
#[utoipa::path(delete, path = "/v1/sessions/{id}", operation_id = "end_session", tag = "people",
    params(("id" = i64, Path, description = "The session's number.", example = 7)),
    security(("session" = [])),
    responses((status = 204, description = "It has ended.")))]
async fn end(
    signed_in: SignedIn,
    State(state): State<App>,
    audit: Audit,
    Segments([number]): Segments<1>,
) -> Answer {
    let state = signed_in.acting(&state, &audit);
    let SignedIn { person, .. } = signed_in;
    let unknown = || ApiError::coded(UNKNOWN_SESSION, "you have no such session");
    let number = number.parse().map(SessionId).map_err(|_| unknown())?;
    to_the_end(async move { gone(state.store.end_session(person.id, number).await?, unknown) }).await
}
