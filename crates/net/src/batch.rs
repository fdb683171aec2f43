//! Many datagrams of one socket with one system call: `recvmmsg` and `sendmmsg`.

use crate::slots::{Datagram, Slots};
use std::{io, mem, net::SocketAddr, net::UdpSocket, os::fd::AsRawFd, ptr};

/// Receives datagrams, up to `N` with one system call.
#[derive(Debug)]
pub struct Receiver<const N: usize> {
    slots: Slots<N>,
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Receiver<N> {
    /// Allocates the buffers.
    pub fn new() -> Self {
        Self { slots: Slots::new() }
    }

    /// Passes the datagrams waiting on a socket to `take`, without waiting for more, until none is left or `datagrams_max`,
    /// rounded up to a multiple of `N`, have been taken. An error ends it; the next call continues.
    pub fn drain(&mut self, socket: &UdpSocket, datagrams_max: usize, mut take: impl FnMut(Datagram<'_>)) {
        let mut taken = 0;
        while taken < datagrams_max {
            let count = self.receive(socket, &mut take);
            taken += count;
            if count < N {
                return;
            }
        }
    }

    fn receive(&mut self, socket: &UdpSocket, take: &mut impl FnMut(Datagram<'_>)) -> usize {
        for index in 0..N {
            self.slots.expect(index);
        }
        // SAFETY: `N` headers are passed, each of which points at memory of `slots` with the lengths that it states, which
        // nothing else uses during the call; no timeout is given.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.slots.headers(0),
                N as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        for index in 0..count {
            if let Some(from) = self.slots.source(index) {
                let bytes = self.slots.bytes(index, self.slots.length(index));
                let arrived_wall_ns = self.slots.arrival_ns(index);
                take(Datagram { bytes, from, arrived_wall_ns, is_unstamped: false });
            }
        }
        count
    }
}

/// Sends datagrams, up to `N` with one system call.
#[derive(Debug)]
pub struct Sender<const N: usize> {
    slots: Slots<N>,
    used: usize,
}

impl<const N: usize> Default for Sender<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Sender<N> {
    /// Allocates the buffers.
    pub fn new() -> Self {
        Self { slots: Slots::new(), used: 0 }
    }

    /// `N` datagrams were added: [`Self::send`] must be called before the next.
    pub fn is_full(&self) -> bool {
        self.used == N
    }

    /// Adds a datagram of two parts. It is dropped if it is longer than [`DATAGRAM_BYTES`](crate::DATAGRAM_BYTES), or if the
    /// sender is full.
    #[inline]
    pub fn push(&mut self, to: SocketAddr, header: &[u8], payload: &[u8]) {
        if self.used < N && self.slots.fill(self.used, to, [header, payload]) {
            self.used += 1;
        }
    }

    /// Sends the added datagrams; returns how many the system accepted.
    pub fn send(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let wanted = mem::take(&mut self.used);
        let mut sent = 0;
        while sent < wanted {
            let (headers, count) = (self.slots.headers(sent), (wanted - sent) as libc::c_uint);
            // SAFETY: the headers from `sent` to `wanted` were filled by `push` and point at memory of `slots`, which
            // nothing else uses during the call.
            let count = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count, 0) };
            if count <= 0 {
                let error = io::Error::last_os_error();
                // The kernel reports an ICMP error of an earlier datagram once; the rest is sent.
                if error.kind() == io::ErrorKind::ConnectionRefused {
                    continue;
                }
                return if error.kind() == io::ErrorKind::WouldBlock { Ok(sent) } else { Err(error) };
            }
            sent += count as usize;
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DATAGRAM_BYTES, stamp_arrivals};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    type Received = (Vec<u8>, SocketAddr, Option<u64>);

    fn drained<const N: usize>(receiver: &mut Receiver<N>, socket: &UdpSocket, most: usize) -> Vec<Received> {
        let mut all = Vec::new();
        receiver.drain(socket, most, |datagram| {
            assert!(!datagram.is_unstamped);
            all.push((datagram.bytes.to_vec(), datagram.from, datagram.arrived_wall_ns));
        });
        all
    }

    #[test]
    fn datagrams_arrive_whole_in_order_and_with_their_time_of_arrival() {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let (Ok(socket), Ok(sender)) = (UdpSocket::bind(loopback), UdpSocket::bind(loopback)) else {
                continue; // A machine without IPv6.
            };
            stamp_arrivals(&socket).expect("an option");
            let mut receiver = Receiver::<4>::new();
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
                assert_eq!(*bytes, vec![number as u8; number * 10]);
                assert_eq!(*from, sender.local_addr().expect("bound"));
                let arrived = UNIX_EPOCH + Duration::from_nanos(arrived.expect("stamped"));
                assert!(arrived >= before && arrived <= SystemTime::now());
            }
        }
    }

    #[test]
    fn a_flood_is_taken_in_portions() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for _ in 0..40 {
            sender.send_to(&[1; 100], socket.local_addr().expect("bound")).expect("sent");
        }
        assert_eq!(drained(&mut Receiver::<4>::new(), &socket, 16).len(), 16);
    }

    #[test]
    fn a_datagram_that_does_not_fit_is_received_empty_and_not_sent() {
        let [ours, theirs] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let to = ours.local_addr().expect("bound");
        for length in [DATAGRAM_BYTES - 1, DATAGRAM_BYTES, DATAGRAM_BYTES + 1, 3] {
            theirs.send_to(&vec![1; length], to).expect("sent");
        }
        let lengths = drained(&mut Receiver::<4>::new(), &ours, 4);
        assert_eq!(lengths.iter().map(|(bytes, ..)| bytes.len()).collect::<Vec<_>>(), [1791, 0, 0, 3]);

        let mut sender = Sender::<4>::new();
        sender.push(to, &[1; 12], &[2; DATAGRAM_BYTES - 11]);
        sender.push(to, &[1; 12], &[2; 5]);
        assert_eq!(sender.send(&theirs).expect("sent"), 1);
        let [(bytes, ..)] = &drained(&mut Receiver::<4>::new(), &ours, 4)[..] else { panic!("one comes") };
        assert_eq!(bytes[..], [&[1; 12][..], &[2; 5]].concat());
    }

    #[test]
    fn a_batch_arrives_as_it_was_sent() {
        const BATCH: usize = 64;
        let [sender, receiver] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        stamp_arrivals(&receiver).expect("an option");
        let mut outgoing = Sender::<BATCH>::new();
        for round in 0..2 {
            for index in 0..BATCH {
                assert!(!outgoing.is_full());
                outgoing.push(receiver.local_addr().expect("bound"), &[index as u8; 12], &[round; 160]);
            }
            assert!(outgoing.is_full());
            // One too many is dropped.
            outgoing.push(receiver.local_addr().expect("bound"), &[99; 12], &[round; 160]);
            assert_eq!(outgoing.send(&sender).expect("sent"), BATCH);
            let all = drained(&mut Receiver::<BATCH>::new(), &receiver, usize::MAX);
            assert_eq!(all.len(), BATCH);
            for (index, (bytes, from, arrived)) in all.iter().enumerate() {
                assert_eq!(*bytes, [&[index as u8; 12][..], &[round; 160]].concat());
                assert_eq!(*from, sender.local_addr().expect("bound"));
                assert!(arrived.is_some());
            }
        }
    }

    #[test]
    fn a_closed_port_does_not_keep_other_datagrams_from_being_sent() {
        let [ours, theirs, closed] = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let unbound = closed.local_addr().expect("bound");
        drop(closed);
        let mut sender = Sender::<4>::new();
        for _ in 0..3 {
            sender.push(unbound, b"refused", &[]);
            sender.push(theirs.local_addr().expect("bound"), b"received", &[]);
            assert_eq!(sender.send(&ours).expect("sent"), 2);
        }
        assert_eq!(drained(&mut Receiver::<4>::new(), &theirs, 64).len(), 3);
    }
}
