//! What the web services work with.

use crate::{
    audit::writer::AuditWriter,
    caller::TrustedProxies,
    control::ConferenceControl,
    followers::Followers,
    limits::{Counters, WebLimits},
    oidc::Oidc,
    operator::OperatorControl,
    origin::{self, AllowedOrigins},
    peer::OnWebSocket,
    ways::Invitations,
    webhooks::Webhooks,
};
use plenary_model::RecordingSettings;
use plenary_recording::Archive;
use plenary_store::Store;
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// What the web services work with.
#[derive(Clone)]
pub struct ApiState {
    /// Accounts and inbound services.
    pub store: Store,
    /// The conferences.
    pub control: Arc<dyn ConferenceControl>,
    /// The installation, for keys with the scope `operator`.
    pub operator: Arc<dyn OperatorControl>,
    /// How the network reaches the web services, without a slash at the end; `None`: by each request's Host header.
    pub public_url: Option<String>,
    /// Pages of which other sites may open a WebSocket.
    pub allowed_origins: AllowedOrigins,
    /// Whose word counts about the address that a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// What guests are told of how they join.
    pub invitations: Invitations,
    /// What sounds of accounts may take.
    pub media: MediaLimits,
    /// Recordings of conferences.
    pub recordings: Recordings,
    /// Who follows events.
    pub followers: Followers,
    /// Writes the audit log.
    pub audit: AuditWriter,
    /// Sends events to webhooks.
    pub webhooks: Webhooks,
    /// A provider by which people sign in; `None`: they do by passwords alone.
    pub oidc: Option<Oidc>,
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

/// Recordings of conferences.
#[derive(Debug, Clone)]
pub struct Recordings {
    /// Where they are.
    pub archive: Archive,
    /// How a conference is recorded where the request does not say.
    pub settings: RecordingSettings,
    /// Waveforms that are computed at the same time.
    pub waveforms: Arc<Semaphore>,
}

impl Recordings {
    /// In this folder.
    #[must_use]
    pub fn new(archive: Archive, settings: RecordingSettings) -> Self {
        Self { archive, settings, waveforms: Arc::new(Semaphore::new(WAVEFORMS_MAX)) }
    }
}

/// Each keeps a core busy.
const WAVEFORMS_MAX: usize = 1;

/// What sounds of accounts may take.
#[derive(Debug, Clone)]
pub struct MediaLimits {
    /// Octets of one.
    pub bytes_max: u64,
    /// Seconds of one.
    pub seconds_max: u32,
    /// Octets of all of an account together.
    pub account_bytes_max: u64,
    /// Sounds that are in memory at the same time, on their way in or out.
    pub transfers: Arc<Semaphore>,
}

impl Default for MediaLimits {
    fn default() -> Self {
        Self {
            bytes_max: 20_000_000,
            seconds_max: 600,
            account_bytes_max: 200_000_000,
            transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)),
        }
    }
}

/// Each takes up to `bytes_max`, and the decoded audio for a moment, 19 MB for ten minutes.
const TRANSFERS_MAX: usize = 4;

/// The state as handlers share it: a clone is one count.
pub(crate) type App = Arc<ApiState>;

impl ApiState {
    /// What is known of origins.
    pub(crate) fn origins(&self) -> origin::OriginPolicy<'_> {
        origin::OriginPolicy { public_url: self.public_url.as_deref(), allowed: &self.allowed_origins }
    }

    /// Nobody signs in by a password: the provider that takes its place.
    pub(crate) fn passwords_off(&self) -> Option<&Oidc> {
        self.oidc.as_ref().filter(|oidc| !oidc.settings().allows_passwords)
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}
