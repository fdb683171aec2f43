//! Signing in by OpenID Connect: what is configured, and what is known of the provider.
//!
//! ```text
//! /v1/session/oidc ──▶ provider ──▶ /v1/session/oidc/callback ──▶ code for an ID token ──▶ checked ──▶ a session
//!      │ state, nonce, verifier: sealed in a cookie ─────▲
//! ```
//!
//! The provider is asked when it is first needed, so one that is down keeps nothing from starting. What it says of itself is
//! kept for an hour; its keys are asked for again when a token names one that is not known, once a minute at the most.

mod claims;
mod client;
mod pending;
mod provider;

pub use client::is_loopback;
pub(crate) use pending::{PENDING_SECONDS, Pending};
pub(crate) use provider::Failure;

use client::Client;
use pending::Pendings;
use plenary_model::Role;
use provider::Provider;
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_rustls::rustls::ClientConfig;

/// Where a provider sends browsers back to, below the public URL.
pub const CALLBACK: &str = "/v1/session/oidc/callback";

/// Sign-ins that ask the provider at the same time.
const ASKING_MAX: usize = 32;
/// How long one may ask the provider in all: up to five answers.
const ASKED_WITHIN: Duration = Duration::from_secs(20);

/// A provider by which people sign in, as it is configured.
#[derive(Clone)]
pub struct OidcSettings {
    /// What the button says.
    pub name: String,
    /// The provider, exactly as it names itself. https, or http on this machine.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// The secret that goes with it; `None`: there is none, and PKCE alone protects the code.
    pub client_secret: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that names a person's groups; with dots, a path into nested ones.
    pub groups_claim: String,
    /// What groups give, the first that applies to an account first.
    pub rules: Vec<OidcRule>,
    /// Its mail addresses count as verified where it does not say so.
    pub trusts_mail: bool,
    /// People may sign in by passwords too.
    pub allows_passwords: bool,
    /// How the network reaches [`CALLBACK`].
    pub redirect_uri: String,
}

/// What a group gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcRule {
    /// The group, as the provider writes it.
    pub group: String,
    /// What those in it get.
    pub gives: OidcGrant,
}

/// What those in a group get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OidcGrant {
    /// A role in an account.
    Role {
        /// The account's login.
        account: String,
        /// The role.
        role: Role,
    },
    /// They operate the installation.
    Operator,
}

impl fmt::Debug for OidcSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcSettings")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A provider by which people sign in. Clones are the same one.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    settings: OidcSettings,
    provider: Provider,
    pendings: Pendings,
    asking: Semaphore,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Oidc").field(&self.0.settings).finish()
    }
}

impl Oidc {
    /// As it is configured. Nothing is asked yet.
    #[must_use]
    pub fn new(settings: OidcSettings, tls: Arc<ClientConfig>) -> Self {
        let is_plain = settings.issuer.starts_with("http://");
        let provider = Provider::new(&settings, Client::new(tls, is_plain));
        let (pendings, asking) = (Pendings::default(), Semaphore::new(ASKING_MAX));
        Self(Arc::new(Inner { settings, provider, pendings, asking }))
    }

    /// Asks the provider what it says of itself, if that is not known.
    ///
    /// # Errors
    /// Why nobody can sign in there, in words.
    pub async fn look(&self) -> Result<(), String> {
        self.names_itself().await.map(drop).map_err(|failure| failure.reason)
    }

    pub(crate) fn settings(&self) -> &OidcSettings {
        &self.0.settings
    }

    pub(crate) fn pendings(&self) -> &Pendings {
        &self.0.pendings
    }

    /// Where a browser goes to sign in, and what has to be known when it comes back to `next`.
    pub(crate) async fn begin(&self, next: String, now_ms: i64) -> Result<(String, Pending), Failure> {
        let Inner { settings, provider, .. } = &*self.0;
        self.within(provider.begin(settings, next, now_ms)).await
    }

    /// Who has come back with a code.
    pub(crate) async fn redeem(
        &self,
        code: String,
        pending: Pending,
        now_ms: i64,
    ) -> Result<plenary_store::ProviderPerson, Failure> {
        let Inner { settings, provider, .. } = &*self.0;
        self.within(provider.redeem(settings, code, pending, now_ms)).await
    }

    /// What the provider says of itself: whether its answers name it (RFC 9207).
    pub(crate) async fn names_itself(&self) -> Result<bool, Failure> {
        self.within(self.0.provider.names_itself()).await
    }

    async fn within<T>(&self, asking: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let Ok(_place) = self.0.asking.try_acquire() else {
            return Err(Failure::new("busy", "too many people are signing in at this moment"));
        };
        let slow = || {
            let text = format!("the provider did not answer within {} s", ASKED_WITHIN.as_secs());
            Err(Failure::new("unavailable", text))
        };
        timeout(ASKED_WITHIN, asking).await.unwrap_or_else(|_| slow())
    }
}
