//! The sockets of calls: taking a pair of ports, and moving datagrams through it.
//!
//! This is all that knows how packets reach the network. Of the ways that `examples/reflector.rs` compares, one port
//! for many calls costs least, but a call is then known by its source address alone, which nobody knows before the
//! first packet comes through a NAT. Of those with a port for each call, batches by io_uring cost least.

use crate::{
    MediaError,
    sys::{self, Datagram, Receiver, Ring},
};
use socket2::{Domain, Socket, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
};

/// Holds a second of packets. What a stalled thread did not fetch by then is too old to be heard.
const RECEIVE_BUFFER_BYTES: usize = 128 * 1024;
/// Datagrams taken off one socket in one tick. A party sends one to two; more is a flood, which stays in
/// the kernel and is dropped there.
const DATAGRAMS_PER_TICK_MAX: usize = 64;

/// The two sockets of a call.
#[derive(Debug)]
pub(crate) struct PortPair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    is_v6: bool,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// The even port.
    Rtp,
    /// The odd port.
    Rtcp,
}

impl PortPair {
    /// Binds the first free pair of the range, looking from a random one on.
    ///
    /// The order is random so that nobody can guess the port of a call, and so that a port is not used
    /// again soon after a call, while packets may still come for it.
    pub(crate) fn bind(ip: IpAddr, range: &RangeInclusive<u16>, random: u64) -> Result<Self, MediaError> {
        let (first, last) = (*range.start(), *range.end());
        let pairs = pairs(range);
        for step in 0..pairs {
            let pair = (random + step) % pairs;
            let port = even(first) + 2 * pair as u32;
            let even = u16::try_from(port).expect("a pair lies within the range of ports");
            match bind(ip, even).and_then(|rtp| Ok((rtp, bind(ip, even + 1)?))) {
                Ok((rtp, rtcp)) => return Ok(Self { rtp, rtcp, is_v6: ip.is_ipv6() }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(MediaError::Socket { bind: ip, source }),
            }
        }
        Err(MediaError::NoPorts { bind: ip, first, last })
    }

    /// Where RTP is received.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.rtp.local_addr()
    }

    fn socket(&self, channel: Channel) -> &UdpSocket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }
}

fn even(port: u16) -> u32 {
    u32::from(port).next_multiple_of(2)
}

/// How many pairs of an even port and the one after it a range holds.
pub(crate) fn pairs(range: &RangeInclusive<u16>) -> u64 {
    let behind = u32::from(*range.end()) + 1;
    u64::from(behind.saturating_sub(even(*range.start())) / 2)
}

fn bind(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), None)?;
    socket.bind(&address.into())?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    let socket = UdpSocket::from(socket);
    sys::stamp_arrivals(&socket)?;
    Ok(socket)
}

/// The sockets of one worker's calls.
#[derive(Debug)]
pub(crate) struct Ports {
    pairs: Vec<Option<PortPair>>,
    free: Vec<usize>,
    receiver: Receiver,
    ring: Option<Ring>,
    /// Sockets that are being asked for datagrams, and those to be asked again.
    asked: Vec<usize>,
    again: Vec<usize>,
}

/// Names a pair within its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortKey(usize);

impl Ports {
    pub(crate) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            free: Vec::new(),
            receiver: Receiver::new(),
            ring: None,
            asked: Vec::new(),
            again: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, pair: PortPair) -> PortKey {
        match self.free.pop() {
            Some(index) => {
                self.pairs[index] = Some(pair);
                PortKey(index)
            }
            None => {
                self.pairs.push(Some(pair));
                PortKey(self.pairs.len() - 1)
            }
        }
    }

    /// Closes the sockets.
    pub(crate) fn remove(&mut self, key: PortKey) {
        if self.pairs.get_mut(key.0).and_then(Option::take).is_some() {
            self.free.push(key.0);
        }
    }

    /// Uses io_uring from here on, where that can be had. On the thread that moves the datagrams.
    pub(crate) fn use_ring(&mut self) {
        match Ring::new() {
            Ok(ring) => self.ring = Some(ring),
            Err(error) => tracing::info!(%error, "no io_uring: one system call for each packet instead"),
        }
    }

    /// Hands what has come in at each of `members` to `take`, with its first part.
    pub(crate) fn drain<K: Copy>(
        &mut self,
        members: &[(K, PortKey)],
        channel: Channel,
        mut take: impl FnMut(K, Datagram<'_>),
    ) {
        let Self { pairs, receiver, ring, asked, again, .. } = self;
        let socket = |port: PortKey| Some(pairs.get(port.0)?.as_ref()?.socket(channel));
        let Some(ring) = ring else {
            for (key, port) in members {
                if let Some(socket) = socket(*port) {
                    receiver.drain(socket, DATAGRAMS_PER_TICK_MAX, |datagram| take(*key, datagram));
                }
            }
            return;
        };
        // Each socket is asked again as long as it gives something: once more, as a rule.
        let mut asked: &mut Vec<usize> = asked;
        let mut again: &mut Vec<usize> = again;
        asked.clear();
        asked.extend(0..members.len());
        for _ in 0..DATAGRAMS_PER_TICK_MAX {
            again.clear();
            let sockets = asked.iter().filter_map(|index| Some((*index, socket(members[*index].1)?)));
            ring.receive(sockets, |index, datagram| {
                take(members[index].0, datagram);
                again.push(index);
            });
            if again.is_empty() {
                return;
            }
            std::mem::swap(&mut asked, &mut again);
        }
    }

    /// Sends datagrams. Those that the system would not take are told to `failed` by their number.
    pub(crate) fn send<'d>(
        &'d mut self,
        datagrams: impl Iterator<Item = (PortKey, Channel, SocketAddr, &'d [u8])>,
        mut failed: impl FnMut(usize),
    ) {
        let Self { pairs, ring, .. } = self;
        let datagrams = datagrams.enumerate().filter_map(|(number, (port, channel, to, bytes))| {
            let pair = pairs.get(port.0)?.as_ref()?;
            let to = match to {
                // A socket of IPv6 reaches IPv4 under mapped addresses only.
                SocketAddr::V4(v4) if pair.is_v6 => {
                    SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
                }
                SocketAddr::V4(_) | SocketAddr::V6(_) => to,
            };
            Some((number, pair.socket(channel), to, bytes))
        });
        match ring {
            Some(ring) => ring.send(datagrams, &mut failed),
            None => {
                for (number, socket, to, bytes) in datagrams {
                    if socket.send_to(bytes, to).is_err() {
                        failed(number);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn pairs_begin_at_even_ports_and_end_within_the_range() {
        assert_eq!(pairs(&(1000..=1003)), 2);
        assert_eq!(pairs(&(1001..=1003)), 1);
        assert_eq!(pairs(&(1001..=1002)), 0);
        assert_eq!(pairs(&(1000..=1000)), 0);
        assert_eq!(pairs(&(65_534..=65_535)), 1);
        assert_eq!(pairs(&(65_535..=65_535)), 0);
    }

    #[test]
    fn every_pair_of_a_range_is_found_and_then_there_are_none() {
        // Somewhere among the ports that nothing is bound to; other tests may hold some of them.
        let range = 41_000..=41_019;
        let mut held = Vec::new();
        let error = loop {
            match PortPair::bind(LOOPBACK, &range, 7) {
                Ok(pair) => held.push(pair),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, MediaError::NoPorts { first: 41_000, last: 41_019, .. }), "{error}");
        assert!(!held.is_empty() && held.len() <= 10);
        for pair in &held {
            let (rtp, rtcp) = (pair.local_addr().expect("bound"), pair.rtcp.local_addr().expect("bound"));
            assert!(rtp.port().is_multiple_of(2) && rtcp.port() == rtp.port() + 1);
        }
        let again = held.pop().expect("at least one").local_addr().expect("bound").port();
        assert_eq!(
            PortPair::bind(LOOPBACK, &range, 3).expect("free again").local_addr().expect("bound").port(),
            again
        );
    }

    #[test]
    fn a_socket_of_ipv6_speaks_with_those_of_ipv4_under_their_own_addresses() {
        let Ok(pair) = PortPair::bind(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), &(41_200..=41_299), 0)
        else {
            return; // A machine without IPv6.
        };
        let port = pair.local_addr().expect("bound").port();
        let phone = UdpSocket::bind("127.0.0.1:0").expect("a port");
        phone.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("an option");
        phone.send_to(b"here", (Ipv4Addr::LOCALHOST, port)).expect("sent");
        let mut ports = Ports::new();
        let key = ports.insert(pair);
        let mut from = None;
        ports.drain(&[((), key)], Channel::Rtp, |(), datagram| from = Some(datagram.from));
        assert_eq!(from, Some(phone.local_addr().expect("bound")));
        for with_ring in [false, true] {
            if with_ring {
                ports.use_ring();
            }
            let to = phone.local_addr().expect("bound");
            let datagram = (key, Channel::Rtp, to, b"there".as_slice());
            ports.send(std::iter::once(datagram), |_| panic!("it is not taken"));
            assert_eq!(phone.recv(&mut [0; 9]).expect("it comes"), 5);
        }
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error_that_says_so() {
        let error = PortPair::bind("192.0.2.1".parse().expect("an address"), &(41_100..=41_101), 0)
            .expect_err("not ours");
        assert!(matches!(error, MediaError::Socket { .. }), "{error}");
    }
}
