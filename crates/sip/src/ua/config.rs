//! Settings of the user agent.

use crate::guard::GuardConfig;
use ipnet::IpNet;
use std::{fmt, net::IpAddr, sync::Arc};

/// Settings of the user agent.
#[derive(Debug, Clone)]
pub struct UaConfig {
    /// Server and User-Agent header.
    pub product: String,
    /// The address in Contact and Via instead of the one a message came to.
    pub advertise: Option<IpAddr>,
    /// Networks whose requests are answered. All others get no answer.
    pub allow_from: Vec<IpNet>,
    /// Networks whose requests are also answered over WebSocket.
    pub websockets_from: Vec<IpNet>,
    /// Limits for each source.
    pub guard: GuardConfig,
    /// The ICE servers announced to clients in browsers.
    pub ice_servers: IceServers,
}

/// The ICE servers for a client of this name: a JSON array of `RTCIceServer`. The program provides it, because
/// credentials depend on the time of day.
#[derive(Clone)]
pub struct IceServers(pub Arc<dyn Fn(&str) -> String + Send + Sync>);

impl Default for IceServers {
    fn default() -> Self {
        Self(Arc::new(|_| "[]".to_owned()))
    }
}

impl fmt::Debug for IceServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It contains secrets.
        f.debug_struct("IceServers").finish_non_exhaustive()
    }
}
