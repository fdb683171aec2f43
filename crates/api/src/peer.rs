//! Who is at the other end of a connection, and how many connections each has.

use crate::limits::network;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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
    /// A page of another site opened it: their address is that of its reader and says nothing of who is asking.
    pub is_foreign_page: bool,
}

/// Takes over a WebSocket whose opening handshake is done.
pub type OnWebSocket = Arc<dyn Fn(BoxedStream, Peer) + Send + Sync>;

/// How many connections each source has: as many entries as there are connections, at the most.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Sources {
    /// 0: no limit.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: if most == 0 { usize::MAX } else { most }, open: Arc::default() }
    }

    /// A place for one more connection; `None`: the source has too many. Dropped when the connection is over.
    pub(crate) fn take_slot(&self, source: IpAddr) -> Option<ConnectionSlot> {
        let source = network(source);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(source).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(ConnectionSlot { sources: self.clone(), source })
    }
}

/// A connection is counted as long as this is there.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    sources: Sources,
    source: IpAddr,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.sources.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

/// A connection with its place, which it keeps for as long as it is there; `P`: what holds the place.
pub(crate) struct SlottedStream<S> {
    pub(crate) stream: BoxedStream,
    pub(crate) _slot: S,
}

impl<S: Unpin> AsyncRead for SlottedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Unpin> AsyncWrite for SlottedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_and_nothing_is_kept_of_closed_connections() {
        let sources = Sources::new(2);
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = sources.take_slot(one).expect("a place");
        let second = sources.take_slot(one);
        assert!(second.is_some() && sources.take_slot(one).is_none() && sources.take_slot(other).is_some());
        drop(first);
        assert!(sources.take_slot(one).is_some());
        drop(second);
        assert!(sources.open.lock().unwrap().is_empty());
        let unlimited = Sources::new(0);
        assert!(
            (0..10_000).map(|_| unlimited.take_slot(one)).collect::<Vec<_>>().iter().all(Option::is_some)
        );
    }
}
