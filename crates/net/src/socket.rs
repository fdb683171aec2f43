//! Socket options that the standard library lacks.

use std::{io, net::UdpSocket, os::fd::AsRawFd, ptr};

/// Makes the kernel stamp each datagram with its arrival time (`SO_TIMESTAMPNS`).
pub fn stamp_arrivals(socket: &UdpSocket) -> io::Result<()> {
    set(socket, libc::SO_TIMESTAMPNS, 1)
}

/// Sets the size of the receive buffer: beyond the system's limit (`net.core.rmem_max`) if the process may exceed it
/// (`CAP_NET_ADMIN`), otherwise up to that limit.
pub fn grow_receive_buffer(socket: &UdpSocket, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set(socket, libc::SO_RCVBUFFORCE, bytes).or_else(|_| set(socket, libc::SO_RCVBUF, bytes))
}

/// Sets an integer option of `SOL_SOCKET`.
fn set(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option takes an int, which lives through the call, and its size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            ptr::from_ref(&value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Undoes `connect` (connect(2), `AF_UNSPEC`): the socket receives datagrams from any address again. It keeps the address and
/// port that it was bound to; a port that the system chose (bound to port 0) is lost.
pub fn disconnect(socket: &UdpSocket) {
    let unspecified = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    // SAFETY: a whole `sockaddr`, whose length is passed; it is read and not kept.
    unsafe {
        libc::connect(
            socket.as_raw_fd(),
            &raw const unspecified,
            size_of::<libc::sockaddr>() as libc::socklen_t,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disconnected_socket_receives_from_any_address_at_the_same_port() {
        let [free, peer, stranger] = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let address = free.local_addr().expect("bound");
        drop(free);
        let ours = UdpSocket::bind(address).expect("just given up");
        ours.connect(peer.local_addr().expect("bound")).expect("connected");
        // Kept out: on loopback a datagram is there, or refused, when the call that sends it returns.
        ours.set_nonblocking(true).expect("a flag");
        let _ = stranger.send_to(b"stranger", address);
        assert_eq!(ours.recv(&mut [0; 9]).expect_err("nothing").kind(), io::ErrorKind::WouldBlock);
        disconnect(&ours);
        assert_eq!(ours.local_addr().expect("bound"), address);
        stranger.send_to(b"stranger", address).expect("sent");
        assert_eq!(ours.recv(&mut [0; 9]).expect("it came"), 8);
    }

    #[test]
    fn a_receive_buffer_holds_more_once_it_has_grown() {
        let [ours, peer] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let held = |bytes| {
            grow_receive_buffer(&ours, bytes).expect("as much as is allowed");
            ours.set_nonblocking(true).expect("a flag");
            for _ in 0..100 {
                peer.send_to(&[0; 1000], ours.local_addr().expect("bound")).expect("sent");
            }
            std::iter::from_fn(|| ours.recv(&mut [0; 1000]).ok()).count()
        };
        let (few, more) = (held(8 * 1024), held(128 * 1024));
        assert!(few < more, "{few} and {more}");
    }
}
