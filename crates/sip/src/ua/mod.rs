//! The user agent without sockets: transactions, dialogs, calls.
//!
//! Messages, commands and time go in; bytes and events come out. Order of calls: one `receive_*`, command or
//! [`UserAgent::handle_timeout`], then every [`UserAgent::poll_output`], then [`UserAgent::poll_timeout`]. Time
//! counts from the start of the user agent.
//!
//! It consists of parts, each of which owns its state and its deadlines: `gate` (admission), `transactions`, `calls`,
//! `subscriptions`, `registrations` (with other servers), `pings` (whether they answer), `requests` that wait for the program, `servers` (lookups
//! and failures), and `surplus` dialogs. No part knows another: what has to happen outside of it goes out as a value
//! (`context::Action`), which `agent` carries out.

mod agent;
mod auth;
mod body;
mod calls;
mod config;
mod context;
mod dialog;
mod gate;
pub(crate) mod lenient;
mod message;
mod output;
mod pings;
mod registrations;
mod requests;
mod servers;
mod subscriptions;
mod surplus;
mod timers;
mod transaction_id;
mod transactions;
mod types;

pub use agent::UserAgent;
pub use calls::DIALOG_KEPT_FOR;
pub use config::{IceServers, UaConfig};
pub use context::Random;
pub use output::{LookupId, Output};
pub use types::{
    AddrSpec, CallId, Credentials, DialSpec, EndCause, Flow, IncomingCall, KeyBody, NameAddr, PingId,
    PingOutcome, PingSpec, Reason, Redirection, ReferTo, Referred, Registration, RegistrationId,
    RegistrationSpec, ReplacedCall, Replaces, RequestId, SipEvent, Subscribing, SubscriptionId, Transport,
};

#[cfg(test)]
mod tests;
