//! The user agent without sockets: transactions, dialogs, calls.
//!
//! Messages, commands and time go in; bytes and events come out. Order of calls: one `receive_*`, command or
//! [`UserAgent::handle_timeout`], then every [`UserAgent::poll_output`], then [`UserAgent::poll_timeout`]. Time
//! counts from the start of the user agent.
//!
//! It consists of parts, each of which owns its state and its deadlines: `gate` (admission), `transactions`, `calls`,
//! `subscriptions`, `registrations` (with other servers), `requests` that wait for the program, `servers` (lookups
//! and failures), and `surplus` dialogs. No part knows another: what has to happen outside of it goes out as a value
//! (`context::Action`), which `agent` carries out.

mod agent;
mod auth;
mod body;
mod calls;
mod context;
mod dialog;
mod gate;
pub(crate) mod lenient;
mod message;
mod registrations;
mod requests;
mod servers;
mod subscriptions;
mod surplus;
mod timers;
mod transactions;
mod types;

pub use agent::UserAgent;
pub use context::Random;
pub use types::{
    CallId, Credentials, DialSpec, EndCause, Flow, IncomingCall, Party, Reason, Redirection, ReferTo,
    Referred, Registration, RegistrationId, RegistrationSpec, Replaces, RequestId, SipEvent, Subscribing,
    SubscriptionId, Target, Transport,
};

use crate::{guard::GuardConfig, locate::Hop};
use bytes::Bytes;
use ipnet::IpNet;
use std::{fmt, net::IpAddr, time::Duration};

/// RFC 3261, section 17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// RFC 3261, section 17.1.2.2.
const T2: Duration = Duration::from_secs(4);

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

/// An output of the user agent.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Transport and addresses.
        flow: Flow,
        /// One message.
        bytes: Bytes,
    },
    /// Find the servers of this hop and pass them to [`UserAgent::located`].
    Locate {
        /// The number for the answer.
        lookup: LookupId,
        /// The next hop of a request.
        hop: Hop,
    },
    /// Tell the program.
    Event(SipEvent),
}

/// A search for servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(u64);

/// The ICE servers for a client of this name: a JSON array of `RTCIceServer`. The program provides it, because
/// credentials depend on the time of day.
#[derive(Clone)]
pub struct IceServers(pub std::sync::Arc<dyn Fn(&str) -> String + Send + Sync>);

impl Default for IceServers {
    fn default() -> Self {
        Self(std::sync::Arc::new(|_| "[]".to_owned()))
    }
}

impl fmt::Debug for IceServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It contains secrets.
        f.debug_struct("IceServers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
