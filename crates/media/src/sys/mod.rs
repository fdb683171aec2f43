//! The system calls that the standard library does not have. The only unsafe code of the crate.

#![allow(unsafe_code)]

pub(crate) mod ring;

use std::{
    fmt, io, mem,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
    ptr,
};

/// Datagrams taken with one call. A call of 20 ms packets has one waiting at each tick.
const BATCH: usize = 4;
/// Longer datagrams are dropped: 200 ms of G.711 (RFC 3551, 4.2) with extensions and a tag are 1,700 octets at the most. No
/// power of two, at whose distance all would share a few lines of the cache.
const DATAGRAM_BYTES: usize = 1792;
/// Room for a control message with a `timespec`.
const CONTROL_BYTES: usize = 64;

/// Control messages must be aligned like their headers.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

/// Takes datagrams off sockets, several with one call, into memory that is taken once.
pub(crate) struct Receiver {
    datagrams: Box<[[u8; DATAGRAM_BYTES]; BATCH]>,
    _controls: Box<[Control; BATCH]>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
    _buffers: Box<[libc::iovec; BATCH]>,
    headers: Box<[libc::mmsghdr; BATCH]>,
}

// SAFETY: the pointers in `buffers` and `headers` point into boxes of the same struct, which move with it.
unsafe impl Send for Receiver {}

/// A datagram, borrowed from the [`Receiver`].
#[derive(Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) from: SocketAddr,
    /// When the kernel got it, by the calendar clock in nanoseconds since 1970.
    pub(crate) arrived_wall_ns: Option<u64>,
    /// It was asked for without that.
    pub(crate) is_unstamped: bool,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        let mut datagrams = Box::new([[0; DATAGRAM_BYTES]; BATCH]);
        let mut controls = Box::new([Control([0; CONTROL_BYTES]); BATCH]);
        // SAFETY: all zeroes is a valid `sockaddr_storage` (of no family).
        let mut names: Box<[libc::sockaddr_storage; BATCH]> = Box::new(unsafe { mem::zeroed() });
        // SAFETY: all zeroes is a valid `iovec`: no buffer.
        let mut buffers: Box<[libc::iovec; BATCH]> = Box::new(unsafe { mem::zeroed() });
        // SAFETY: all zeroes is a valid header: no buffers.
        let mut headers: Box<[libc::mmsghdr; BATCH]> = Box::new(unsafe { mem::zeroed() });
        for index in 0..BATCH {
            point(
                &mut headers[index].msg_hdr,
                &mut buffers[index],
                &mut datagrams[index],
                &mut names[index],
                &mut controls[index],
            );
        }
        Self { datagrams, _controls: controls, names, _buffers: buffers, headers }
    }

    /// Hands what waits on a non-blocking socket to `take`, at most `datagrams_max` and a batch. Errors end
    /// the taking; on an unconnected UDP socket they pass by themselves.
    pub(crate) fn drain(
        &mut self,
        socket: &UdpSocket,
        datagrams_max: usize,
        mut take: impl FnMut(Datagram<'_>),
    ) {
        let mut taken = 0;
        while taken < datagrams_max {
            let count = self.receive(socket, &mut take);
            taken += count;
            if count < BATCH {
                return;
            }
        }
    }

    fn receive(&mut self, socket: &UdpSocket, take: &mut impl FnMut(Datagram<'_>)) -> usize {
        for header in self.headers.iter_mut() {
            ready(&mut header.msg_hdr);
        }
        // SAFETY: every header points at memory of `self` that has the lengths stated; `BATCH` headers are passed;
        // no timeout is given.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        for (index, header) in self.headers.iter().enumerate().take(count) {
            if let Some(from) = address(&self.names[index]) {
                let arrived_wall_ns = arrival(&header.msg_hdr);
                let bytes = whole(&self.datagrams[index], header.msg_len as usize);
                take(Datagram { bytes, from, arrived_wall_ns, is_unstamped: false });
            }
        }
        count
    }
}

/// The datagram of so many octets; none of one that did not fit, for what was cut off it nobody knows.
fn whole(datagram: &[u8; DATAGRAM_BYTES], length: usize) -> &[u8] {
    if length < DATAGRAM_BYTES { &datagram[..length] } else { &[] }
}

/// Has a header point at what is to be filled.
fn point(
    header: &mut libc::msghdr,
    buffer: &mut libc::iovec,
    datagram: &mut [u8; DATAGRAM_BYTES],
    name: &mut libc::sockaddr_storage,
    control: &mut Control,
) {
    *buffer = libc::iovec { iov_base: datagram.as_mut_ptr().cast(), iov_len: DATAGRAM_BYTES };
    header.msg_name = ptr::from_mut(name).cast();
    header.msg_iov = ptr::from_mut(buffer);
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    ready(header);
}

/// The kernel writes the lengths that it used; they are put back before the next use.
fn ready(header: &mut libc::msghdr) {
    header.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    header.msg_controllen = CONTROL_BYTES as _;
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// An address that the kernel wrote.
fn address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: of this family it is a `sockaddr_in`, which is smaller than the storage and as aligned.
            let v4 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: of this family it is a `sockaddr_in6`, which is smaller than the storage and as
            // aligned.
            let v6 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let (port, scope) = (u16::from_be(v6.sin6_port), v6.sin6_scope_id);
            Some(match ip.to_ipv4_mapped() {
                // Its own address, not the one it has on a socket of IPv6.
                Some(v4) => SocketAddrV4::new(v4, port).into(),
                // The flow label is no part of whom it comes from.
                None => SocketAddrV6::new(ip, port, 0, scope).into(),
            })
        }
        _ => None,
    }
}

/// The kernel's time stamp of a datagram, where there is one.
fn arrival(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the kernel filled the control memory that `header` points at, which is alive and aligned, and
    // set its length.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: not null, so within the control memory and whole, as the macros promise.
        let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
        if level == libc::SOL_SOCKET && kind == libc::SCM_TIMESTAMPNS {
            // SAFETY: a message of this kind holds a `timespec`, not necessarily aligned.
            let time: libc::timespec = unsafe { ptr::read_unaligned(libc::CMSG_DATA(message).cast()) };
            return Some(
                u64::try_from(time.tv_sec).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?,
            );
        }
        // SAFETY: `message` is a message of `header`.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    None
}

/// Has the kernel stamp each datagram with the time it came in.
pub(crate) fn stamp_arrivals(socket: &UdpSocket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option takes an int, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            ptr::from_ref(&on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has this thread woken when it asked to be, not up to 50 µs later. Without effect where that is not
/// allowed.
pub(crate) fn wake_precisely() {
    // SAFETY: takes numbers and touches nothing of ours.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64, 0_u64, 0_u64, 0_u64);
    }
}

/// Takes datagrams from everybody again (connect(2), `AF_UNSPEC`). The socket keeps the address that it was bound to.
pub(crate) fn disconnect(socket: &UdpSocket) {
    // SAFETY: zeros are a valid `sockaddr`, of the family `AF_UNSPEC`; it is read and not kept.
    unsafe {
        let nobody: libc::sockaddr = mem::zeroed();
        libc::connect(
            socket.as_raw_fd(),
            &raw const nobody,
            mem::size_of::<libc::sockaddr>() as libc::socklen_t,
        );
    }
}

/// Lets this thread run before those of ordinary work when there is too much of it: who is in a conference
/// hears it, who waits for a web page does not. Real-time scheduling where that is allowed (root, or `LimitRTPRIO`), so
/// that a tick begins when it is due; else as much priority as there is.
pub(crate) fn run_before_others() {
    const NICENESS: libc::c_int = -10;
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: numbers are taken, and a struct is read. On Linux 0 is the calling thread and not its process.
    unsafe {
        // The kernel leaves a part of each second to others (sched_rt_runtime_us), and threads that this one begins
        // are ordinary ones.
        let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
        if libc::sched_setscheduler(0, policy, &raw const parameters) != 0 {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    fn drained(
        receiver: &mut Receiver,
        socket: &UdpSocket,
        most: usize,
    ) -> Vec<(Vec<u8>, SocketAddr, Option<u64>)> {
        let mut all = Vec::new();
        receiver.drain(socket, most, |datagram| {
            all.push((datagram.bytes.to_vec(), datagram.from, datagram.arrived_wall_ns));
        });
        all
    }

    #[test]
    fn datagrams_come_whole_in_order_and_with_the_time_they_came() {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let (Ok(socket), Ok(sender)) = (UdpSocket::bind(loopback), UdpSocket::bind(loopback)) else {
                continue; // A machine without IPv6.
            };
            socket.set_nonblocking(true).expect("a flag");
            stamp_arrivals(&socket).expect("an option");
            let mut receiver = Receiver::new();
            assert!(drained(&mut receiver, &socket, 64).is_empty());
            let before = SystemTime::now() - Duration::from_millis(1);
            for number in 0..20_u8 {
                sender
                    .send_to(&vec![number; usize::from(number) * 10], socket.local_addr().expect("bound"))
                    .expect("sent");
            }
            let all = drained(&mut receiver, &socket, 64);
            assert_eq!(all.len(), 20);
            for (number, (bytes, from, arrived)) in all.iter().enumerate() {
                assert_eq!(bytes.len(), number * 10);
                assert_eq!(*from, sender.local_addr().expect("bound"));
                let arrived = UNIX_EPOCH + Duration::from_nanos(arrived.expect("stamped"));
                assert!(arrived >= before && arrived <= SystemTime::now());
            }
        }
    }

    #[test]
    fn a_flood_is_taken_in_portions() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a flag");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for _ in 0..40 {
            sender.send_to(&[1; 100], socket.local_addr().expect("bound")).expect("sent");
        }
        assert_eq!(drained(&mut Receiver::new(), &socket, 16).len(), 16);
    }
}
