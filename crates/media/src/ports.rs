//! The sockets of calls: binding a pair of ports, and moving datagrams through it.
//!
//! No other module knows how packets reach the network. Of the methods that `net/examples/reflector.rs` compares, one port
//! for many calls costs least. But a call is then identified by its source address alone, which is unknown until the first
//! packet arrives through a NAT. Of the methods with a port for each call, batches by io_uring cost least.

use crate::MediaError;
use plenary_net::{self as net, Datagram, Query, Receiver, Ring};
use socket2::{Domain, Socket, Type};
use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
};

/// Holds a second of packets. Audio that a stalled thread has not read by then is too old to be heard.
const RECEIVE_BUFFER_BYTES: usize = 128 * 1024;
/// Datagrams read from one socket in one tick. A participant sends one or two; more is a flood, which stays in the kernel
/// and is dropped there.
const DATAGRAMS_PER_TICK_MAX: usize = 64;
/// Datagrams read with one system call without io_uring. A call with 20 ms packets has one waiting at each tick.
const BATCH: usize = 4;

/// The two sockets of a call.
#[derive(Debug)]
pub(crate) struct PortPair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    is_v6: bool,
    /// The sockets are bound to one address, which is the source of all they send whatever the route.
    has_address: bool,
    /// The only address that RTP comes from and goes to. The kernel then looks up no route for each packet, and drops the
    /// datagrams of strangers.
    connected: Cell<Option<SocketAddr>>,
}

/// A pair of ports to read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PortRead<K> {
    pub(crate) key: K,
    pub(crate) port: PortKey,
    /// The arrival time of its datagrams matters little: it is not read where that saves work.
    pub(crate) is_unstamped: bool,
}

/// A datagram to send through a pair of ports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PortDatagram<'d> {
    pub(crate) port: PortKey,
    pub(crate) channel: Channel,
    pub(crate) to: SocketAddr,
    /// All that arrives at the RTP socket is from there, until [`Ports::disconnect`] or an unsettled datagram through it.
    pub(crate) is_settled: bool,
    pub(crate) bytes: &'d [u8],
}

/// One of the two sockets of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// The even port.
    Rtp,
    /// The odd port.
    Rtcp,
}

impl PortPair {
    /// Binds the first free pair of the range from a random one on.
    ///
    /// The order is random so that the port of a call cannot be guessed (RFC 6056), and so that a port is not reused soon
    /// after a call, while its packets may still arrive.
    pub(crate) fn bind(ip: IpAddr, range: &RangeInclusive<u16>, random: u64) -> Result<Self, MediaError> {
        let (first, last) = (*range.start(), *range.end());
        let pairs = pairs(range);
        for step in 0..pairs {
            let pair = (random + step) % pairs;
            let port = even(first) + 2 * pair as u32;
            let even = u16::try_from(port).expect("a pair lies within the range of ports");
            match bind(ip, even).and_then(|rtp| Ok((rtp, bind(ip, even + 1)?))) {
                Ok((rtp, rtcp)) => {
                    let (is_v6, has_address) = (ip.is_ipv6(), !ip.is_unspecified());
                    return Ok(Self { rtp, rtcp, is_v6, has_address, connected: Cell::new(None) });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(MediaError::Socket { bind: ip, source }),
            }
        }
        Err(MediaError::NoPorts { bind: ip, first, last })
    }

    /// The local address of RTP.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.rtp.local_addr()
    }

    /// The form in which the sockets take an address.
    fn reached(&self, to: SocketAddr) -> SocketAddr {
        match to {
            // An IPv6 socket reaches IPv4 by mapped addresses only.
            SocketAddr::V4(v4) if self.is_v6 => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            SocketAddr::V4(_) | SocketAddr::V6(_) => to,
        }
    }

    /// Connects the RTP socket to its peer. `None`: it is connected; otherwise the address to send to.
    fn connect(&self, to: SocketAddr) -> Option<SocketAddr> {
        if self.connected.get() != Some(to) {
            let is_connected = self.has_address && self.rtp.connect(self.reached(to)).is_ok();
            self.connected.set(is_connected.then_some(to));
        }
        if self.connected.get().is_some() { None } else { Some(to) }
    }

    /// Receives RTP from any address again.
    fn disconnect(&self) {
        if self.connected.take().is_some() {
            net::disconnect(&self.rtp);
        }
    }

    fn socket(&self, channel: Channel) -> &UdpSocket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }

    /// A socket, and its place in the ring for the pair under `key`.
    fn placed(&self, key: usize, channel: Channel) -> net::Socket<'_> {
        let place = place(key) + usize::from(channel == Channel::Rtcp);
        net::Socket { place, socket: self.socket(channel) }
    }
}

/// The first of the two places of a pair in the ring.
fn place(key: usize) -> usize {
    2 * key
}

fn even(port: u16) -> u32 {
    u32::from(port).next_multiple_of(2)
}

/// The number of pairs, an even port and the next one, in a range.
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
    net::stamp_arrivals(&socket)?;
    Ok(socket)
}

/// The sockets of one worker's calls.
#[derive(Debug)]
pub(crate) struct Ports {
    pairs: Vec<Option<PortPair>>,
    free: Vec<usize>,
    receiver: Receiver<BATCH>,
    ring: Option<Ring>,
    /// Indices of the reads in this round, and of those to repeat in the next.
    pending: Vec<usize>,
    again: Vec<usize>,
}

/// Identifies a pair within its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortKey(usize);

impl Ports {
    pub(crate) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            free: Vec::new(),
            receiver: Receiver::new(),
            ring: None,
            pending: Vec::new(),
            again: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, pair: PortPair) -> PortKey {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.pairs.push(None);
                self.pairs.len() - 1
            }
        };
        if let Some(ring) = &mut self.ring {
            ring.enter(place(index), [&pair.rtp, &pair.rtcp]);
        }
        self.pairs[index] = Some(pair);
        PortKey(index)
    }

    /// Closes the sockets.
    pub(crate) fn remove(&mut self, key: PortKey) {
        self.take(key);
    }

    /// Takes the sockets out, for another worker.
    pub(crate) fn take(&mut self, key: PortKey) -> Option<PortPair> {
        let pair = self.pairs.get_mut(key.0)?.take()?;
        if let Some(ring) = &mut self.ring {
            ring.leave::<2>(place(key.0));
        }
        self.free.push(key.0);
        Some(pair)
    }

    /// Uses io_uring from now on if the system allows it. Must be called on the thread that moves the datagrams.
    pub(crate) fn use_ring(&mut self) {
        match Ring::new() {
            Ok(mut ring) => {
                for (index, pair) in self.pairs.iter().enumerate() {
                    if let Some(pair) = pair {
                        ring.enter(place(index), [&pair.rtp, &pair.rtcp]);
                    }
                }
                self.ring = Some(ring);
            }
            Err(error) => {
                tracing::info!(%error, "io_uring is not available: each packet takes a system call")
            }
        }
    }

    /// Passes the datagrams that have arrived at each of `reads` to `take`, with the key of the read. `take` returns
    /// whether there may be more: reading an empty socket costs nearly as much as a packet.
    pub(crate) fn drain<K: Copy>(
        &mut self,
        reads: &[PortRead<K>],
        channel: Channel,
        mut take: impl FnMut(K, Datagram<'_>) -> bool,
    ) {
        let Self { pairs, receiver, ring, pending, again, .. } = self;
        let pair = |port: PortKey| pairs.get(port.0)?.as_ref();
        let Some(ring) = ring else {
            for read in reads {
                if let Some(pair) = pair(read.port) {
                    let socket = pair.socket(channel);
                    receiver.drain(socket, DATAGRAMS_PER_TICK_MAX, |datagram| {
                        take(read.key, datagram);
                    });
                }
            }
            return;
        };
        let mut pending: &mut Vec<usize> = pending;
        let mut again: &mut Vec<usize> = again;
        pending.clear();
        pending.extend(0..reads.len());
        for _ in 0..DATAGRAMS_PER_TICK_MAX {
            again.clear();
            let sockets = pending.iter().filter_map(|index| {
                let PortRead { port, is_unstamped, .. } = reads[*index];
                let pair = pair(port)?;
                let from = pair.connected.get().filter(|_| channel == Channel::Rtp);
                Some((*index, Query { socket: pair.placed(port.0, channel), from, is_unstamped }))
            });
            ring.receive(sockets, |index, datagram| {
                if take(reads[index].key, datagram) {
                    again.push(index);
                }
            });
            if again.is_empty() {
                return;
            }
            std::mem::swap(&mut pending, &mut again);
        }
    }

    /// The RTP socket receives from any address again.
    pub(crate) fn disconnect(&mut self, key: PortKey) {
        if let Some(Some(pair)) = self.pairs.get(key.0) {
            pair.disconnect();
        }
    }

    /// Sends datagrams. `failed` gets the index of each one that the system does not accept.
    pub(crate) fn send<'d>(
        &mut self,
        datagrams: impl Iterator<Item = PortDatagram<'d>>,
        mut failed: impl FnMut(usize),
    ) {
        let Self { pairs, ring, .. } = self;
        let datagrams = datagrams.enumerate().filter_map(|(number, datagram)| {
            let PortDatagram { port, channel, to, is_settled, bytes } = datagram;
            let pair = pairs.get(port.0)?.as_ref()?;
            let to = match (channel, is_settled) {
                (Channel::Rtp, true) => pair.connect(to),
                (Channel::Rtp, false) => {
                    pair.disconnect();
                    Some(to)
                }
                (Channel::Rtcp, _) => Some(to),
            };
            let to = to.map(|to| pair.reached(to));
            Some((number, net::OutgoingDatagram { socket: pair.placed(port.0, channel), to, bytes }))
        });
        if let Some(ring) = ring {
            return ring.send(datagrams, failed);
        }
        for (number, net::OutgoingDatagram { socket, to, bytes }) in datagrams {
            let sent = match to {
                Some(to) => socket.socket.send_to(bytes, to),
                None => socket.socket.send(bytes),
            };
            if sent.is_err() {
                failed(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn read(port: PortKey) -> [PortRead<()>; 1] {
        [PortRead { key: (), port, is_unstamped: true }]
    }

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
    fn every_pair_of_a_range_is_found_and_then_none() {
        // Other tests may hold some of these ports.
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
    fn an_ipv6_socket_exchanges_datagrams_with_ipv4_under_unmapped_addresses() {
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
        ports.drain(&read(key), Channel::Rtp, |(), datagram| {
            from = Some(datagram.from);
            false
        });
        assert_eq!(from, Some(phone.local_addr().expect("bound")));
        for with_ring in [false, true] {
            if with_ring {
                ports.use_ring();
            }
            let to = phone.local_addr().expect("bound");
            for is_settled in [false, true, true] {
                let datagram =
                    PortDatagram { port: key, channel: Channel::Rtp, to, is_settled, bytes: b"there" };
                ports.send(std::iter::once(datagram), |_| panic!("it is not taken"));
                assert_eq!(phone.recv(&mut [0; 9]).expect("it comes"), 5);
            }
        }
    }

    #[test]
    fn a_stranger_is_received_only_before_the_route_is_settled_and_after_it_ends() {
        for with_ring in [false, true] {
            let pair = PortPair::bind(LOOPBACK, &(41_300..=41_399), 5).expect("free ports");
            let ours = pair.local_addr().expect("bound");
            let [phone, stranger] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
            phone.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("an option");
            let mut ports = Ports::new();
            if with_ring {
                ports.use_ring();
            }
            let key = ports.insert(pair);
            let came = |ports: &mut Ports, is_connected: bool| {
                stranger.send_to(b"a stranger", ours).expect("sent");
                phone.send_to(b"the phone", ours).expect("sent");
                let mut lengths = Vec::new();
                ports.drain(&read(key), Channel::Rtp, |(), datagram| {
                    lengths.push(datagram.bytes.len());
                    assert!(!is_connected || datagram.from == phone.local_addr().expect("bound"));
                    assert_eq!(datagram.is_unstamped, is_connected && with_ring);
                    assert_eq!(datagram.arrived_wall_ns.is_none(), datagram.is_unstamped);
                    true
                });
                lengths
            };
            assert_eq!(came(&mut ports, false), [10, 9]);
            for is_settled in [false, true, true] {
                let to = phone.local_addr().expect("bound");
                let datagram =
                    PortDatagram { port: key, channel: Channel::Rtp, to, is_settled, bytes: b"audio" };
                ports.send(std::iter::once(datagram), |_| panic!("it is not taken"));
                let (length, from) = phone.recv_from(&mut [0; 9]).expect("it comes");
                assert_eq!((length, from), (5, ours));
            }
            assert_eq!(came(&mut ports, true), [9]);
            // An unsettled datagram disconnects the socket too, and the next settled one connects it again.
            for (is_settled, lengths) in [(false, &[10, 9][..]), (true, &[9])] {
                let to = phone.local_addr().expect("bound");
                let datagram =
                    PortDatagram { port: key, channel: Channel::Rtp, to, is_settled, bytes: b"audio" };
                ports.send(std::iter::once(datagram), |_| panic!("it is not taken"));
                assert_eq!(phone.recv(&mut [0; 9]).expect("it comes"), 5);
                assert_eq!(came(&mut ports, is_settled), lengths);
            }
            ports.disconnect(key);
            assert_eq!(came(&mut ports, false), [10, 9]);
            let elsewhere = PortDatagram {
                port: key,
                channel: Channel::Rtp,
                to: stranger.local_addr().expect("bound"),
                is_settled: false,
                bytes: b"moved",
            };
            ports.send(std::iter::once(elsewhere), |_| panic!("it is not taken"));
            assert_eq!(stranger.recv(&mut [0; 9]).expect("it comes"), 5);
        }
    }

    #[test]
    fn binding_to_a_foreign_address_is_an_error_of_the_socket() {
        let error = PortPair::bind("192.0.2.1".parse().expect("an address"), &(41_100..=41_101), 0)
            .expect_err("not ours");
        assert!(matches!(error, MediaError::Socket { .. }), "{error}");
    }
}
