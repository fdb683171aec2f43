//! The user agent without sockets: transactions, dialogs, calls.
//!
//! Messages, commands and time go in; bytes and events come out. Order of calls: one `receive_*`, command or
//! [`UserAgent::handle_timeout`], then every [`UserAgent::poll_output`], then [`UserAgent::poll_timeout`].
//! Time is what has passed since the user agent began.
//!
//! It is made of parts, each of which owns its state and its deadlines: who is answered at all (`gate`), `transactions`,
//! `calls`, `subscriptions`, `registrations` of ours, `requests` that wait for the program, `servers` that are looked for, and
//! `surplus` dialogs. No part knows another one: what is to happen outside of it goes out as a value (`context::Action`),
//! which `agent` carries out.

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
    /// The address to be named in Contact and Via instead of the one a message came to.
    pub advertise: Option<IpAddr>,
    /// Whose requests are answered. Everybody else gets silence.
    pub allow_from: Vec<IpNet>,
    /// Whose requests are answered beside those where they come over a WebSocket.
    pub websockets_from: Vec<IpNet>,
    /// Limits for each source.
    pub guard: GuardConfig,
    /// What clients in browsers are told when they ask for servers that help with ICE.
    pub ice_servers: IceServers,
}

/// What the user agent wants done.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Where and how.
        flow: Flow,
        /// One message.
        bytes: Bytes,
    },
    /// Find the servers of this hop and tell [`UserAgent::located`].
    Locate {
        /// To be told under this number.
        lookup: LookupId,
        /// Where a request is to go.
        hop: Hop,
    },
    /// Tell the program.
    Event(SipEvent),
}

/// A search for servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(u64);

/// Which servers help a client with ICE, by the name of the client: a JSON array of `RTCIceServer`. The program gives it, since
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
        // What it holds is secret.
        f.debug_struct("IceServers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
