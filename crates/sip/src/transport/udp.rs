//! UDP: one socket for each listening address.

use super::SipError;
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{net::UdpSocket, sync::mpsc};

/// Room for the INVITEs of a busy second: the default of some 200 KB overflows at a few hundred of them.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// A datagram and where it came from.
pub(super) struct Datagram {
    pub(super) socket: usize,
    pub(super) source: SocketAddr,
    pub(super) bytes: Bytes,
}

pub(super) fn bind(address: SocketAddr) -> Result<UdpSocket, SipError> {
    let open = || -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // The system may grant less; that is still more than its default.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|source| SipError::Listen { transport: "UDP", address, source })
}

/// Reads until the endpoint goes away.
pub(super) async fn read(index: usize, socket: Arc<UdpSocket>, datagrams: mpsc::Sender<Datagram>) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, source)) => {
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                match datagrams.try_send(Datagram { socket: index, source, bytes }) {
                    // A full queue drops, like a full socket buffer would: the sender retransmits.
                    Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => {}
                    Err(mpsc::error::TrySendError::Closed(_)) => return,
                }
            }
            // ICMP errors of earlier sends appear here; the socket remains usable.
            Err(error) => tracing::debug!(%error, "UDP receive"),
        }
    }
}
