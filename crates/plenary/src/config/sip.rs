//! `[signalling]` and `[webrtc]`.

use anyhow::bail;
use ipnet::IpNet;
use plenary_sip::{GuardConfig, digest::Algorithm};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, time::Duration};

/// `[signalling]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Signalling {
    /// Networks whose SIP requests are taken; all others get silence.
    pub(crate) allow_from: Vec<IpNet>,
    /// Networks that may call services which name no networks of their own, whose word on who calls is believed, and for
    /// which the limits below do not hold.
    pub(crate) trusted: Vec<IpNet>,
    /// The realm of digest authentication: part of what is kept of users' passwords.
    pub(crate) realm: String,
    /// The hashes that users may answer with, best first.
    pub(crate) digest: Vec<DigestName>,
    /// Requests outside of calls that a source may send, per second on average over ten seconds.
    pub(crate) requests_per_second: u32,
    /// So many refused requests of a source within a minute…
    pub(crate) failures_per_minute: u32,
    /// … are followed by silence for this long.
    pub(crate) ban_seconds: u64,
    /// Connections (TCP, TLS, WebSocket) that a source may have open at a time.
    pub(crate) connections_per_source: usize,
    /// Name servers to ask for the servers of called addresses. Empty: those of the system.
    pub(crate) resolver: Vec<SocketAddr>,
}

/// A hash of digest authentication by its name in challenges, in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DigestName {
    #[serde(rename = "sha-256")]
    Sha256,
    #[serde(rename = "md5")]
    Md5,
}

impl DigestName {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha256 => Algorithm::Sha256,
            Self::Md5 => Algorithm::Md5,
        }
    }
}

impl Signalling {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.requests_per_second == 0 || self.failures_per_minute == 0 || self.connections_per_source == 0
        {
            bail!(
                "[signalling] requests_per_second, failures_per_minute and connections_per_source are at least 1: with 0 no call would be accepted"
            );
        }
        if self.digest.is_empty() {
            bail!("[signalling] digest is empty: name at least one of sha-256 and md5");
        }
        if self.realm.is_empty() || self.realm.contains(['"', '\\', ':']) {
            bail!("[signalling] realm is a text without quotes, backslashes and colons");
        }
        Ok(())
    }

    pub(crate) fn guard(&self) -> GuardConfig {
        GuardConfig {
            exempt: self.trusted.clone(),
            requests_per_second: self.requests_per_second,
            failures_max: self.failures_per_minute,
            failures_within: Duration::from_secs(60),
            ban: Duration::from_secs(self.ban_seconds),
            connections_max: self.connections_per_source,
        }
    }
}

impl Default for Signalling {
    fn default() -> Self {
        let net = |text: &str| text.parse().expect("a literal network");
        let loopback = vec![net("127.0.0.0/8"), net("::1/128")];
        Self {
            allow_from: loopback.clone(),
            trusted: loopback,
            realm: "plenary".to_owned(),
            // Phones are out there that fail at the sight of SHA-256, also where MD5 is offered beside it.
            digest: vec![DigestName::Md5],
            requests_per_second: 20,
            failures_per_minute: 10,
            ban_seconds: 600,
            connections_per_source: 256,
            resolver: Vec::new(),
        }
    }
}

/// `[webrtc]`: browsers. The limits are those of callers with an access key, which is no secret; 0: no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebRtc {
    /// Networks whose WebSockets are taken beside those of `signalling.allow_from`.
    pub(crate) allow_from: Vec<IpNet>,
    /// Calls at once with one key.
    pub(crate) calls_per_key: u32,
    /// Calls at once from one source. An office behind one address is one.
    pub(crate) calls_per_source: u32,
    /// Call attempts with one key within a minute.
    pub(crate) attempts_per_key: u32,
    /// Call attempts of one source within a minute.
    pub(crate) attempts_per_source: u32,
}

impl Default for WebRtc {
    fn default() -> Self {
        Self {
            allow_from: Vec::new(),
            calls_per_key: 350,
            calls_per_source: 50,
            attempts_per_key: 600,
            attempts_per_source: 60,
        }
    }
}
