//! Signing in at an OpenID Connect provider: off to it, and back. Both are pages that a browser goes to, so whatever goes wrong
//! is said by the console's page for signing in, by a code in its address; the reason is in the log of the service.

use super::session::{Origin, SIGN_IN_PAGE};
use crate::{
    answer::{Answer, to_the_end},
    audit::{self, Audit},
    auth,
    cookie::Channel,
    error::{ApiError, OIDC_OFF},
    json::json,
    limits::Door,
    oidc::{Failure, Oidc, Pending},
    state::{ApiState, App},
};
use axum::{
    body::Body,
    extract::{FromRequestParts, State},
    http::{HeaderValue, Method, Response, StatusCode, header, request::Parts},
};
use openidconnect::url::form_urlencoded;
use plenary_store::ProviderSignIn;
use serde::Serialize;
use std::{collections::BTreeMap, convert::Infallible, net::IpAddr};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Characters of a path of the console to come back to.
const NEXT_CHARS_MAX: usize = 1000;
const START: &str = "/v1/session/oidc";
const CONSOLE: &str = "/console/";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(ways)).routes(routes!(begin)).routes(routes!(come_back))
}

/// How people sign in here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignInWays)]
struct Ways {
    /// By a mail address and a password, and by accepting an invitation.
    passwords: bool,
    /// At an OpenID Connect provider; null: none is configured.
    provider: Option<ShownProvider>,
}

/// An OpenID Connect provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignInProvider)]
struct ShownProvider {
    /// What the button says.
    #[schema(example = "Example Ltd")]
    name: String,
    /// Where a browser goes to sign in there, with `?next=/console/…` for where it comes back to.
    #[schema(example = "/v1/session/oidc")]
    path: &'static str,
}

/// What a page's request says, read whole: what is wrong with it is said by a page too.
struct Visit {
    channel: Option<Channel>,
    source: Option<IpAddr>,
    is_held_off: bool,
    pending: Option<String>,
    /// Parameters that are there once.
    parameters: BTreeMap<String, String>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, Infallible> {
        let channel = Channel::of(parts, state);
        let mut parameters: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let once = !parameters.contains_key(&*name);
            parameters.insert(name.into_owned(), once.then(|| value.into_owned()));
        }
        let source = auth::source(parts);
        Ok(Self {
            channel,
            source,
            is_held_off: auth::is_held_off_from_provider(state, source),
            pending: channel.and_then(|channel| channel.pending(parts)),
            parameters: parameters
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name, value)))
                .collect(),
        })
    }
}

impl Visit {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Where a password could be read, and for who guesses too much, nobody signs in.
    fn check(&self) -> Result<Channel, Failure> {
        if self.is_held_off {
            let text = "too many codes that the provider did not give came from this address; wait a minute";
            return Err(Failure::new("busy", text));
        }
        let text = "over a network without TLS the cookie of the session could be read";
        self.channel.ok_or_else(|| Failure::new("insecure", text))
    }

    fn told_source(&self) -> String {
        self.source.map(|source| source.to_string()).unwrap_or_default()
    }
}

/// A path of the console; what is anything else is passed over, for it may come from anywhere.
fn next(text: Option<&str>) -> String {
    let is_ours = |text: &&str| {
        let rest = text.strip_prefix("/console");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
            && text.len() <= NEXT_CHARS_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    text.filter(is_ours).unwrap_or(CONSOLE).to_owned()
}

fn see_other(target: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    // Of ASCII: `next` is, and what is encoded.
    let location = HeaderValue::from_str(target).unwrap_or(HeaderValue::from_static(CONSOLE));
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The page for signing in says why not.
fn page_of(failure: &Failure, next: &str, source: &str) -> Response<Body> {
    let Failure { code, reason, .. } = failure;
    tracing::info!(target: "audit", code, reason, source, "a person could not sign in at the provider");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("error", code);
    if next != CONSOLE {
        query.append_pair("next", next);
    }
    see_other(&format!("{SIGN_IN_PAGE}?{}", query.finish()))
}

fn provider(state: &ApiState) -> Result<Oidc, ApiError> {
    let off = || ApiError::coded(OIDC_OFF, "signing in at a provider is not configured ([web.oidc])");
    state.oidc.clone().ok_or_else(off)
}

/// Lists the ways of signing in
///
/// For the page on which people do.
#[utoipa::path(get, path = "/v1/session/ways", operation_id = "get_sign_in_ways", tag = "people", security(()),
    responses((status = 200, description = "By password, at a provider, or both.", body = Ways)))]
async fn ways(State(state): State<App>) -> Answer {
    let provider =
        state.oidc.as_ref().map(|oidc| ShownProvider { name: oidc.settings().name.clone(), path: START });
    Ok(json(StatusCode::OK, &Ways { passwords: state.passwords_off().is_none(), provider }))
}

/// Goes to the provider to sign in
///
/// For browsers, which come back to `/v1/session/oidc/callback`. What goes wrong is said by the page for signing in.
#[utoipa::path(get, path = "/v1/session/oidc", operation_id = "begin_oidc", tag = "people", security(()),
    params(("next" = Option<String>, Query, description = "The page of the console to come back to.",
        example = "/console/bookings")),
    responses((status = 303, description = "To the provider; or to the page for signing in, with `error`."),
        (status = 404, description = "No provider is configured (1145).")))]
async fn begin(visit: Visit, State(state): State<App>) -> Answer {
    let oidc = provider(&state)?;
    let next = next(visit.parameter("next"));
    let now_ms = state.control.now().0;
    let begun = async {
        let channel = visit.check()?;
        let (url, pending) = oidc.begin(next.clone(), now_ms).await?;
        let sealed = oidc.pendings().seal(&pending);
        let sealed = sealed.ok_or_else(|| Failure::new("provider", "the sign-in cannot be sealed"))?;
        Ok((channel, url, sealed))
    };
    Ok(match begun.await {
        Ok((channel, url, sealed)) => {
            let mut response = see_other(&url);
            channel.set_pending(&mut response, &sealed);
            response
        }
        Err(failure) => page_of(&failure, &next, &visit.told_source()),
    })
}

/// Comes back from the provider
///
/// With a code, which is exchanged for an ID token; the answer sets the cookie of the session. It counts only in the browser
/// that went there, once and within ten minutes.
#[utoipa::path(get, path = "/v1/session/oidc/callback", operation_id = "finish_oidc", tag = "people", security(()),
    params(("code" = Option<String>, Query, description = "What the provider gave."),
        ("state" = Option<String>, Query, description = "What it was given."),
        ("iss" = Option<String>, Query, description = "Which provider it is (RFC 9207)."),
        ("error" = Option<String>, Query, description = "Why it gave no code.")),
    responses((status = 303, description = "To the console, signed in; or to the page for signing in, with `error`.",
            headers(("Set-Cookie" = String, description = "The session."))),
        (status = 404, description = "No provider is configured (1145).")))]
async fn come_back(
    method: Method,
    visit: Visit,
    origin: Origin,
    audit: Audit,
    State(state): State<App>,
) -> Answer {
    if method == Method::HEAD {
        // It would sign in, which HEAD may not (RFC 9110, section 9.2.1).
        return Err(ApiError::path_takes("GET"));
    }
    let oidc = provider(&state)?;
    to_the_end(async move {
        let mut next = CONSOLE.to_owned();
        let signed_in = sign_in(&visit, &origin, &audit, &state, &oidc, &mut next).await;
        let mut response = match &signed_in {
            Ok((channel, secret)) => {
                let mut response = see_other(&next);
                channel.set(&mut response, secret);
                response
            }
            Err(failure) => page_of(failure, &next, &visit.told_source()),
        };
        if let Some(channel) = visit.channel {
            channel.clear_pending(&mut response);
        }
        Ok::<_, ApiError>(response)
    })
    .await
}

/// The secret of a session that has begun.
async fn sign_in(
    visit: &Visit,
    origin: &Origin,
    audit: &Audit,
    state: &App,
    oidc: &Oidc,
    next: &mut String,
) -> Result<(Channel, String), Failure> {
    let channel = visit.check()?;
    let now = state.control.now();
    let (pending, code) = returned(visit, oidc, now.0).await?;
    next.clone_from(&pending.next);
    let code = code?;
    let who = oidc.redeem(code, pending, now.0).await.inspect_err(|failure| {
        // A code that the provider did not give counts as a wrong password does.
        if failure.is_guess {
            auth::note_failure(state, visit.source, Door::Provider);
        }
    })?;
    if let Audit(Some(audited)) = audit {
        audited.note_request(Some(serde_json::json!({
            "issuer": who.issuer,
            "subject": who.subject,
            "roles_by_group": who.roles.iter().map(|(account, role)| format!("{role} of {account}")).collect::<Vec<_>>(),
            "operator_by_group": who.is_operator,
        })));
    }
    let signed_in = audit::visited(state, audit).sign_in_by_provider(&who, origin.from(), now).await;
    let signed_in = signed_in.map_err(|error| Failure::new("busy", error.to_string()))?;
    let subject = &who.subject;
    let refused = |code, text: String| Err(Failure::new(code, format!("{text} (subject {subject:?})")));
    match signed_in {
        ProviderSignIn::Right(right) => {
            let (secret, ..) = *right;
            Ok((channel, secret.as_str().to_owned()))
        }
        ProviderSignIn::NoRole => refused("no_role", "neither a group nor anybody gives a role".to_owned()),
        ProviderSignIn::Disabled => refused("disabled", "the person is disabled".to_owned()),
        ProviderSignIn::NoMail => {
            refused("mail", "the provider names no verified mail address of a person who is new".to_owned())
        }
        ProviderSignIn::OtherSubject(person) => {
            let text = "the mail address is that of person {}, whom the provider knows by another subject: \
                        `plenary person unlink` forgets that one";
            refused("linked", text.replace("{}", &person.to_string()))
        }
        ProviderSignIn::TooMany => refused("busy", "there are too many people".to_owned()),
    }
}

/// The sign-in that has come back, and its code. Without the cookie of one that is under way the provider is not asked.
async fn returned(
    visit: &Visit,
    oidc: &Oidc,
    now_ms: i64,
) -> Result<(Pending, Result<String, Failure>), Failure> {
    let expired = |text: &str| Failure::new("expired", text);
    let cookie = visit.pending.as_deref().ok_or_else(|| expired("there is no cookie of a sign-in"))?;
    let pending = oidc.pendings().open(cookie, now_ms);
    let pending = pending.ok_or_else(|| expired("the cookie of the sign-in is too old, or not ours"))?;
    if !visit.parameter("state").is_some_and(|state| pending.is_of(state)) {
        return Err(expired("`state` is that of another sign-in"));
    }
    if !oidc.pendings().use_up(&pending, now_ms) {
        return Err(expired("it has come back before"));
    }
    let code = code(visit, oidc).await;
    Ok((pending, code))
}

async fn code(visit: &Visit, oidc: &Oidc) -> Result<String, Failure> {
    match visit.parameter("iss") {
        Some(issuer) if issuer != oidc.settings().issuer => {
            return Err(Failure::new("invalid", format!("another provider answers: {issuer:?} (iss)")));
        }
        None if oidc.names_itself().await? => {
            return Err(Failure::new(
                "invalid",
                "the provider does not say who it is (iss), though it does otherwise",
            ));
        }
        Some(_) | None => {}
    }
    if let Some(error) = visit.parameter("error") {
        let code = if error == "access_denied" { "denied" } else { "provider" };
        let further = visit.parameter("error_description").unwrap_or_default();
        return Err(Failure::new(code, format!("the provider says {error:?}: {further:?}")));
    }
    let code = visit.parameter("code").filter(|code| !code.is_empty());
    code.map(str::to_owned).ok_or_else(|| Failure::new("invalid", "the provider gave no code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_console_are_gone_to() {
        for ours in [
            "/console",
            "/console/",
            "/console/bookings?from=2026-11-30&x=%2F%2Fevil.example",
            "/console?x",
            "/console/rooms/B%C3%B6rd#a",
            "/console//evil.example",
        ] {
            assert_eq!(next(Some(ours)), ours);
        }
        let long = format!("/console/{}", "x".repeat(NEXT_CHARS_MAX));
        for odd in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "/console\\..\\evil",
            "/console/\\evil.example",
            "https://evil.example/console/",
            "https:/console/",
            "/consoles",
            "/console.evil.example",
            "/console@evil.example",
            "console/",
            " /console/",
            "/console/\r\nSet-Cookie: a=b",
            "/console/ x",
            "/console/ü",
            "javascript:alert(1)",
            &long,
        ] {
            assert_eq!(next(Some(odd)), CONSOLE, "{odd:?}");
        }
        assert_eq!(next(None), CONSOLE);
    }
}
