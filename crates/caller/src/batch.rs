//! Many datagrams in one system call: `sendmmsg` and `recvmmsg`. The only unsafe code of this crate.

#![allow(unsafe_code)]

use std::{
    io, mem,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
};

/// Datagrams of a call at the most.
pub(crate) const BATCH: usize = 64;
/// Longest datagram that is sent or kept.
pub(crate) const DATAGRAM_BYTES: usize = 1500;
/// Room for a control message with a `timespec`.
const CONTROL_WORDS: usize = 8;

/// Buffers for one direction, allocated once.
pub(crate) struct Batch {
    bytes: Box<[[u8; DATAGRAM_BYTES]; BATCH]>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
    vectors: Box<[libc::iovec; BATCH]>,
    headers: Box<[libc::mmsghdr; BATCH]>,
    controls: Box<[[u64; CONTROL_WORDS]; BATCH]>,
    used: usize,
}

// SAFETY: the pointers in `vectors` and `headers` point into boxes of the same struct, which move with it.
unsafe impl Send for Batch {}

impl Batch {
    pub(crate) fn new() -> Self {
        // SAFETY: all of these are plain C structs for which zeros are valid.
        let (names, vectors, headers) = unsafe {
            (
                Box::new([mem::zeroed::<libc::sockaddr_storage>(); BATCH]),
                Box::new([mem::zeroed::<libc::iovec>(); BATCH]),
                Box::new([mem::zeroed::<libc::mmsghdr>(); BATCH]),
            )
        };
        let mut batch = Self {
            bytes: Box::new([[0; DATAGRAM_BYTES]; BATCH]),
            names,
            vectors,
            headers,
            controls: Box::new([[0; CONTROL_WORDS]; BATCH]),
            used: 0,
        };
        for index in 0..BATCH {
            batch.vectors[index].iov_base = batch.bytes[index].as_mut_ptr().cast();
            let header = &mut batch.headers[index].msg_hdr;
            header.msg_name = ptr::from_mut(&mut batch.names[index]).cast();
            header.msg_iov = &raw mut batch.vectors[index];
            header.msg_iovlen = 1;
        }
        batch
    }

    pub(crate) fn is_full(&self) -> bool {
        self.used == BATCH
    }

    /// Adds a datagram of two parts to be sent.
    pub(crate) fn push(&mut self, to: SocketAddr, header: &[u8], payload: &[u8]) {
        let length = header.len() + payload.len();
        if self.used == BATCH || length > DATAGRAM_BYTES {
            return;
        }
        let index = self.used;
        self.bytes[index][..header.len()].copy_from_slice(header);
        self.bytes[index][header.len()..length].copy_from_slice(payload);
        self.vectors[index].iov_len = length;
        let header = &mut self.headers[index].msg_hdr;
        header.msg_namelen = write_name(&mut self.names[index], to);
        (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0);
        self.used += 1;
    }

    /// Sends what was added; returns how many the system took.
    pub(crate) fn send(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let wanted = mem::take(&mut self.used);
        let mut sent = 0;
        while sent < wanted {
            // SAFETY: `headers[sent..wanted]` were filled by `push` and point into boxes that outlive the call.
            let count = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), &raw mut self.headers[sent], (wanted - sent) as u32, 0)
            };
            if count <= 0 {
                let error = io::Error::last_os_error();
                // An ICMP error of an earlier datagram is reported here once; the rest goes out.
                if error.kind() == io::ErrorKind::ConnectionRefused {
                    continue;
                }
                return if error.kind() == io::ErrorKind::WouldBlock { Ok(sent) } else { Err(error) };
            }
            sent += count as usize;
        }
        Ok(sent)
    }

    /// Takes what has come, without waiting; returns how many datagrams there are to [`Batch::read`].
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> usize {
        for index in 0..BATCH {
            self.vectors[index].iov_len = DATAGRAM_BYTES;
            let header = &mut self.headers[index].msg_hdr;
            header.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as u32;
            header.msg_control = self.controls[index].as_mut_ptr().cast();
            header.msg_controllen = (CONTROL_WORDS * mem::size_of::<u64>()) as _;
        }
        // SAFETY: all headers point into boxes that outlive the call, with the lengths set above.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        self.used = 0;
        usize::try_from(count).unwrap_or(0)
    }

    /// A datagram of the last [`Batch::receive`], and when the kernel got it by the calendar's clock, in
    /// nanoseconds, where [`stamp_arrivals`] asked for that.
    pub(crate) fn read(&self, index: usize) -> Option<(SocketAddr, &[u8], Option<u64>)> {
        let header = &self.headers[index];
        let length = (header.msg_len as usize).min(DATAGRAM_BYTES);
        Some((read_name(&self.names[index])?, &self.bytes[index][..length], arrival(&header.msg_hdr)))
    }
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

/// The kernel's time stamp of a datagram, where there is one.
fn arrival(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the kernel filled the control memory that `header` points at, which is alive and aligned, and
    // set its length.
    let message = unsafe { libc::CMSG_FIRSTHDR(header) };
    if message.is_null() {
        return None;
    }
    // SAFETY: not null, so within the control memory and whole.
    let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
    if level != libc::SOL_SOCKET || kind != libc::SCM_TIMESTAMPNS {
        return None;
    }
    // SAFETY: a message of this kind holds a `timespec`, not necessarily aligned.
    let time: libc::timespec = unsafe { ptr::read_unaligned(libc::CMSG_DATA(message).cast()) };
    Some(u64::try_from(time.tv_sec).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?)
}

fn write_name(name: &mut libc::sockaddr_storage, address: SocketAddr) -> libc::socklen_t {
    match address {
        SocketAddr::V4(address) => {
            // SAFETY: sockaddr_storage is made to be read and written as any of its kinds.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = address.port().to_be();
            name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            mem::size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(address) => {
            // SAFETY: as above.
            let name = unsafe { &mut *ptr::from_mut(name).cast::<libc::sockaddr_in6>() };
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = address.port().to_be();
            name.sin6_addr.s6_addr = address.ip().octets();
            name.sin6_scope_id = address.scope_id();
            mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

fn read_name(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that this is what the kernel wrote.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some((ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            Some((Ipv6Addr::from(name.sin6_addr.s6_addr), u16::from_be(name.sin6_port)).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_arrives_as_it_was_sent() {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        stamp_arrivals(&receiver).unwrap();
        let mut batch = Batch::new();
        for index in 0..BATCH {
            batch.push(receiver.local_addr().unwrap(), &[index as u8; 12], &[7; 160]);
        }
        assert!(batch.is_full());
        assert_eq!(batch.send(&sender).unwrap(), BATCH);
        let mut got = 0;
        while got < BATCH {
            let count = batch.receive(&receiver);
            for index in 0..count {
                let (from, bytes, stamp) = batch.read(index).unwrap();
                assert!(stamp.is_some());
                assert_eq!((from, bytes.len()), (sender.local_addr().unwrap(), 172));
                assert_eq!(bytes[0], (got + index) as u8);
            }
            got += count;
        }
    }
}
