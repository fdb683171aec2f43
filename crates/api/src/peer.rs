//! Who is at the other end of a connection.

use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes both ways, whatever carries them.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, under TLS where it is.
pub type BoxedStream = Box<dyn Duplex>;

/// A connection's ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Our address.
    pub local: SocketAddr,
    /// Theirs.
    pub remote: SocketAddr,
    /// It came under TLS.
    pub is_secure: bool,
}
