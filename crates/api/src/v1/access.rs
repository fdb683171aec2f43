//! Who asks, and what their key allows.
//!
//! A handler names the scope that it needs as the type of its first argument, [`Caller<Read>`], and so cannot forget it. A key
//! that is bound to a conference gets no further than the paths below that conference; a body there that names another conference is
//! refused by [`Caller::reaches`]. A person who has signed in has the scopes of their role.

use crate::{
    audit::{self, Audited},
    auth,
    calendar::Recipient,
    error::ApiError,
    params::percent_decode,
    state::App,
};
use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::request::Parts,
};
use plenary_conference::AccountId;
use plenary_model::{ConferenceName, Pin, Scope};
use plenary_store::Access;
use std::{marker::PhantomData, sync::Arc};

/// A scope as a type.
pub(crate) trait Needs: Send + Sync + 'static {
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($name:ident),*) => {
        $(
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Needs for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )*
    };
}

scopes!(Read, Control, Book, Records, Config, Audit, Operator);

/// A request whose key has the scope.
#[derive(Debug)]
pub(crate) struct Caller<S> {
    pub(crate) account: AccountId,
    pub(crate) access: Arc<Access>,
    audited: Option<Audited>,
    needs: PhantomData<S>,
}

impl<S> Caller<S> {
    /// Whatever names a conference beside that of the path asks here: a key that is bound to one does nothing to another.
    pub(crate) fn reaches(&self, conference: &ConferenceName) -> Result<(), ApiError> {
        reaches(&self.access, Some(conference))
    }

    /// What is changed by this state is told by events as the key's doing, and its entry of the audit log is written with it.
    pub(crate) fn acting(&self, state: App) -> App {
        audit::acting(&state, &self.access, self.audited.as_ref())
    }

    /// The same; mails to guests that are written by it name this PIN.
    pub(crate) fn inviting(&self, state: &App, pin: Option<Pin>) -> App {
        audit::inviting(state, &self.access, self.audited.as_ref(), pin)
    }

    /// Events for calendars have a code of a guest's link for those who may make one.
    pub(crate) fn calendar_recipient(&self) -> Recipient<'static> {
        match self.access.scopes.includes(Scope::Control) && !self.access.only_reads {
            true => Recipient::Calendar,
            false => Recipient::WithoutCode,
        }
    }
}

impl<S: Needs> FromRequestParts<App> for Caller<S> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        let access = auth::authenticate(state, parts).await?;
        if !access.scopes.includes(S::SCOPE) {
            return Err(ApiError::lacks(S::SCOPE));
        }
        reaches(&access, conference(parts).as_ref())?;
        let audited = parts.extensions.get::<Audited>().cloned();
        Ok(Self { account: access.account.id, access, audited, needs: PhantomData })
    }
}

/// A request whose key has the scope `read`, and may be bound to a conference: then it sees that one.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) account: AccountId,
    pub(crate) conference: Option<ConferenceName>,
    /// What it may do.
    pub(crate) access: Arc<Access>,
}

impl FromRequestParts<App> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        let access = auth::authenticate(state, parts).await?;
        if !access.scopes.includes(Scope::Read) {
            return Err(ApiError::lacks(Scope::Read));
        }
        Ok(Self { account: access.account.id, conference: access.conference.clone(), access })
    }
}

/// Refuses what is not of the conference that a key is bound to.
fn reaches(access: &Access, conference: Option<&ConferenceName>) -> Result<(), ApiError> {
    match &access.conference {
        Some(bound) if conference != Some(bound) => Err(auth::bound_to(bound)),
        _ => Ok(()),
    }
}

/// The conference that a path is about.
fn conference(parts: &Parts) -> Option<ConferenceName> {
    let pattern = parts.extensions.get::<MatchedPath>()?.as_str();
    if !pattern.starts_with("/v1/conferences/{name}") {
        return None;
    }
    let segment = parts.uri.path().split('/').nth(3)?;
    percent_decode(segment.as_bytes()).map(ConferenceName::new)
}
