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
mod settings;

pub use client::is_loopback;
pub(crate) use pending::{PENDING_SECONDS, Pending};
pub(crate) use provider::Failure;
pub use settings::{OidcGrant, OidcRule, OidcSettings};

use client::Client;
use pending::Pendings;
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
