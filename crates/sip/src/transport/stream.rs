//! The byte stream of a connection, with or without TLS.

use tokio::io::{AsyncRead, AsyncWrite};

/// A bidirectional byte stream.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open connection, possibly under TLS.
pub type BoxedStream = Box<dyn Duplex>;
