//! `[web]` and `[tls]`.

use super::oidc::OidcConfig;
use anyhow::anyhow;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// PEM file with the certificate of the service and those between it and its authority.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub(crate) key: Option<PathBuf>,
    /// PEM file with authorities to trust beside the system's, for calls and registrations of ours.
    pub(crate) authorities: Option<PathBuf>,
}

/// `[web]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Web {
    /// The URL by which clients reach the web services, without a slash at the end: the base of the links in errors.
    /// Empty: taken from each request's Host header.
    pub(crate) public_url: String,
    /// Origins of other sites whose pages may open a WebSocket for SIP; `*`: every page. Such a connection is never trusted
    /// for the network it comes from.
    pub(crate) allowed_origins: Vec<String>,
    /// Reverse proxies that say in `X-Forwarded-For` or `Forwarded` who calls.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Largest request body in bytes.
    pub(crate) max_body_bytes: usize,
    /// A request that is not answered by then is answered 408, in seconds.
    pub(crate) request_timeout_seconds: u64,
    /// Requests of an account, per second on average over ten seconds; 0: no limit.
    pub(crate) requests_per_second: u32,
    /// Requests with wrong credentials from a source, within a minute; 0: no limit.
    pub(crate) failures_per_minute: u32,
    /// Connections that a source may have open at a time; 0: no limit.
    pub(crate) connections_per_source: usize,
    /// People who sign in at an OpenID Connect provider.
    pub(crate) oidc: OidcConfig,
}

impl Web {
    pub(crate) fn origins(&self) -> anyhow::Result<plenary_api::AllowedOrigins> {
        plenary_api::AllowedOrigins::parse(&self.allowed_origins)
            .map_err(|(text, error)| anyhow!("[web] allowed_origins: `{text}` {error}; or * for every page"))
    }
}

impl Default for Web {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            max_body_bytes: 65_536,
            request_timeout_seconds: 30,
            requests_per_second: 1000,
            failures_per_minute: 30,
            connections_per_source: 256,
            oidc: OidcConfig::default(),
        }
    }
}
