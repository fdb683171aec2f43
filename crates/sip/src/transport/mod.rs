//! The sockets around the user agent: UDP and TCP on each listening address; TLS; and WebSockets that an HTTP server
//! has upgraded.
//!
//! One task owns the user agent. Readers pass input to it over bounded queues; it passes bytes to the UDP sockets
//! directly and to connections over bounded queues. If a queue is full, UDP drops (as networks do) and a connection
//! whose peer does not read is closed.

mod connection;
mod endpoint;
mod handle;
mod resolver;
mod stream;
mod tls;
mod udp;
mod watch;

pub use endpoint::SipEndpoint;
pub use handle::{SipHandle, check_dial, check_registration};
pub use resolver::find_servers;
pub use stream::{BoxedStream, Duplex};
pub use tls::TlsSettings;
pub use watch::{Seen, SipCounts};

use crate::{guard::GuardConfig, ua::IceServers};
use ipnet::IpNet;
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use thiserror::Error;
use tokio::sync::mpsc;

/// Settings of the endpoint.
#[derive(Debug, Clone)]
pub struct SipConfig {
    /// Listening addresses, each UDP and TCP. Port 0 takes a free one, the same for both.
    pub listen: Vec<SocketAddr>,
    /// TLS listening addresses.
    pub listen_tls: Vec<SocketAddr>,
    /// Both roles of TLS.
    pub tls: TlsSettings,
    /// The address in Contact and Via instead of the local one.
    pub advertise: Option<IpAddr>,
    /// Server and User-Agent header.
    pub product: String,
    /// Networks whose requests are answered; all others get no answer.
    pub allow_from: Vec<IpNet>,
    /// Networks whose requests are also answered over WebSocket.
    pub websockets_from: Vec<IpNet>,
    /// Limits for each source.
    pub guard: GuardConfig,
    /// Name servers for locating servers (RFC 3263). Empty: those of the system, and the system's resolver for
    /// addresses.
    pub resolver: Vec<SocketAddr>,
    /// Concurrent connections.
    pub max_connections: usize,
    /// The ICE servers announced to clients in browsers.
    pub ice_servers: IceServers,
    /// Events that may wait for the program. Beyond half of it new calls are refused with 503.
    pub max_events: usize,
    /// Where messages are shown to the tracer of calls. What finds no room there is not shown.
    pub seen: Option<mpsc::Sender<Seen>>,
}

impl Default for SipConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            listen_tls: Vec::new(),
            tls: TlsSettings { server: None, client: None },
            advertise: None,
            product: "Plenary".to_owned(),
            allow_from: Vec::new(),
            websockets_from: Vec::new(),
            guard: GuardConfig::default(),
            resolver: Vec::new(),
            max_connections: 4096,
            ice_servers: IceServers::default(),
            max_events: 16_384,
            seen: None,
        }
    }
}

/// Why the endpoint cannot be started, or a call not be placed.
#[derive(Debug, Error)]
pub enum SipError {
    /// An address cannot be listened on.
    #[error("cannot listen on {transport} {address}: {}", listen_hint(source))]
    Listen {
        /// UDP, TCP or TLS.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The URI cannot be called.
    #[error(
        "`{uri}` cannot be called: {text}. Write it as sip:user@host:port, with ;transport=tcp for TCP or ;transport=tls for TLS."
    )]
    Uri {
        /// The URI.
        uri: String,
        /// What is wrong with it.
        text: String,
    },
    /// The endpoint was shut down.
    #[error("the SIP endpoint has stopped")]
    Stopped,
}

fn listen_hint(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the other program or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "not permitted; ports below 1024 need privileges".to_owned(),
        _ => source.to_string(),
    }
}
