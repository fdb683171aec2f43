//! Datagrams of many sockets with one system call, by io_uring: up to 64 receives or sends are submitted at once.
//!
//! No operation waits (`MSG_DONTWAIT`), so each has completed when the system call that submits it returns, and the kernel
//! uses no memory of the caller after that. If io_uring is missing or not allowed (many containers forbid it) no ring can be
//! made; [`Receiver`](crate::Receiver) and the standard library then do the same.

use crate::slots::{DATAGRAM_BYTES, Datagram, Slots};
use io_uring::{
    IoUring, opcode, squeue,
    types::{Fd, Fixed},
};
use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
};

/// Operations submitted at once.
const BATCH: usize = 64;
/// Sockets that the kernel keeps registered for a ring; further ones are looked up for each packet.
const PLACES_MAX: usize = 16_384;

/// A socket that may have been registered by [`Ring::enter`] under a place of its own.
#[derive(Debug, Clone, Copy)]
pub struct Socket<'s> {
    /// The index under which it may be registered. No other socket may be registered there.
    pub place: usize,
    /// The socket to use, whether it is registered or not.
    pub socket: &'s UdpSocket,
}

/// A request for one datagram of a socket.
#[derive(Debug, Clone, Copy)]
pub struct Query<'s> {
    /// The socket to receive from.
    pub socket: Socket<'s>,
    /// The source of all its datagrams, if it is connected.
    pub from: Option<SocketAddr>,
    /// With `from`: the arrival time is not read, which costs a tenth less.
    pub is_unstamped: bool,
}

/// A datagram to send.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingDatagram<'d> {
    /// The socket to send through.
    pub socket: Socket<'d>,
    /// The destination; `None` if the socket is connected.
    pub to: Option<SocketAddr>,
    /// The payload, at most what UDP takes; it is not copied.
    pub bytes: &'d [u8],
}

/// A ring with memory for its operations, for use by the thread that made it.
pub struct Ring {
    ring: IoUring,
    registered: Registered,
    /// Received datagrams and their headers; addresses that datagrams are sent to.
    slots: Slots<BATCH>,
}

/// The places that hold a socket registered with the kernel ("registered files"), which it need not look up for each
/// packet.
struct Registered {
    is_entered: Vec<bool>,
    places: usize,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ring")
    }
}

impl Ring {
    /// Must be made on the thread that uses it: the kernel refuses operations of any other (`IORING_SETUP_SINGLE_ISSUER`).
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(4 * BATCH as u32)
            .build(BATCH as u32)?;
        let places = register_places(&ring);
        let registered = Registered { is_entered: Vec::new(), places };
        Ok(Self { ring, registered, slots: Slots::new() })
    }

    /// Registers sockets at `first` and the places after it. Without effect beyond the last place.
    pub fn enter<const N: usize>(&mut self, first: usize, sockets: [&UdpSocket; N]) {
        let Registered { is_entered, places } = &mut self.registered;
        if first.saturating_add(N) > *places {
            return;
        }
        if is_entered.len() < first + N {
            is_entered.resize(first + N, false);
        }
        let fds = sockets.map(AsRawFd::as_raw_fd);
        let taken = self.ring.submitter().register_files_update(first as u32, &fds);
        is_entered[first..first + N].fill(true);
        if !matches!(taken, Ok(count) if count == N) {
            self.leave::<N>(first);
        }
    }

    /// Unregisters `N` sockets from place `first` on. Without it the kernel keeps them open.
    pub fn leave<const N: usize>(&mut self, first: usize) {
        let Some(are_entered) = self.registered.is_entered.get_mut(first..first.saturating_add(N)) else {
            return;
        };
        if are_entered.contains(&true) {
            are_entered.fill(false);
            // All places are in the table, and removing a file from it needs no memory.
            let _ = self.ring.submitter().register_files_update(first as u32, &[-1; N]);
        }
    }

    /// Receives one datagram from each socket that has one and passes it to `take` with the number of its query, in no
    /// particular order.
    pub fn receive<'s>(
        &mut self,
        queries: impl Iterator<Item = (usize, Query<'s>)>,
        mut take: impl FnMut(usize, Datagram<'_>),
    ) {
        let Self { ring, registered, slots } = self;
        let mut operations = Operations { ring };
        let mut batch = [PendingReceive { number: 0, from: None, is_unstamped: false }; BATCH];
        let mut count = 0;
        for (number, Query { socket, from, is_unstamped }) in queries {
            let is_unstamped = is_unstamped && from.is_some();
            // A datagram from before the socket was connected may be from elsewhere, so the source is read where it costs
            // nothing more.
            batch[count] = PendingReceive { number, from: from.filter(|_| is_unstamped), is_unstamped };
            let receive = match is_unstamped {
                true => registered.receive_bytes(socket, slots, count),
                false => registered.receive_message(socket, slots, count),
            };
            // SAFETY: the operation points at memory of `slots`, which `self` owns beside the ring and whose slot `count`
            // nothing uses before the operation has completed.
            unsafe { operations.push(&receive.user_data(count as u64)) };
            count += 1;
            if count == BATCH {
                operations.finish_receiving(slots, &batch[..count], &mut take);
                count = 0;
            }
        }
        operations.finish_receiving(slots, &batch[..count], &mut take);
    }

    /// Sends datagrams. `failed` gets the number of each one that the system does not accept.
    pub fn send<'d>(
        &mut self,
        datagrams: impl Iterator<Item = (usize, OutgoingDatagram<'d>)>,
        mut failed: impl FnMut(usize),
    ) {
        let Self { ring, registered, slots } = self;
        let mut operations = Operations { ring };
        let mut count = 0;
        for (number, OutgoingDatagram { socket, to, bytes }) in datagrams {
            let (start, length) = (bytes.as_ptr(), bytes.len() as u32);
            let mut send = match registered.find(socket) {
                SocketRef::Registered(place) => opcode::Send::new(place, start, length),
                SocketRef::Fd(fd) => opcode::Send::new(fd, start, length),
            };
            if let Some(to) = to {
                let (name, length) = slots.address(count, to);
                send = send.dest_addr(name).dest_addr_len(length);
            }
            let send = send.flags(libc::MSG_DONTWAIT).build();
            let send = send.flags(squeue::Flags::SKIP_SUCCESS).user_data(number as u64);
            // SAFETY: the operation points at `bytes`, which are borrowed for longer than this call, and at memory of `slots`,
            // whose slot `count` nothing uses before the operation has completed, at the latest when `operations` are dropped.
            unsafe { operations.push(&send) };
            count += 1;
            if count == BATCH {
                operations.finish_sending(&mut failed);
                count = 0;
            }
        }
        operations.finish_sending(&mut failed);
    }
}

/// The socket of an operation.
enum SocketRef {
    Registered(Fixed),
    Fd(Fd),
}

impl Registered {
    #[inline]
    fn find(&self, Socket { place, socket }: Socket<'_>) -> SocketRef {
        match self.is_entered.get(place) {
            Some(true) => SocketRef::Registered(Fixed(place as u32)),
            Some(false) | None => SocketRef::Fd(Fd(socket.as_raw_fd())),
        }
    }

    /// Receives into a slot, with the source and the arrival time.
    #[inline]
    fn receive_message(&self, socket: Socket<'_>, slots: &mut Slots<BATCH>, index: usize) -> squeue::Entry {
        slots.expect(index);
        // A header for `recvmmsg` begins with one for `recvmsg`.
        let header: *mut libc::msghdr = slots.headers(index).cast();
        let receive = match self.find(socket) {
            SocketRef::Registered(place) => opcode::RecvMsg::new(place, header),
            SocketRef::Fd(fd) => opcode::RecvMsg::new(fd, header),
        };
        receive.flags(libc::MSG_DONTWAIT as u32).build()
    }

    /// Receives into a slot the octets only.
    #[inline]
    fn receive_bytes(&self, socket: Socket<'_>, slots: &mut Slots<BATCH>, index: usize) -> squeue::Entry {
        let (start, length) = (slots.buffer(index), DATAGRAM_BYTES as u32);
        let receive = match self.find(socket) {
            SocketRef::Registered(place) => opcode::Recv::new(place, start, length),
            SocketRef::Fd(fd) => opcode::Recv::new(fd, start, length),
        };
        receive.flags(libc::MSG_DONTWAIT).build()
    }
}

/// A submitted receive.
#[derive(Clone, Copy)]
struct PendingReceive {
    number: usize,
    from: Option<SocketAddr>,
    is_unstamped: bool,
}

/// The operations of one call. All have completed when this is dropped, even by a panic of the caller.
struct Operations<'r> {
    ring: &'r mut IoUring,
}

impl Operations<'_> {
    /// Adds an operation.
    ///
    /// # Safety
    ///
    /// The memory that it points at must stay, and must not be used otherwise, until the operation has completed: when the
    /// queue has been submitted, at the latest when `self` is dropped.
    #[inline]
    unsafe fn push(&mut self, operation: &squeue::Entry) {
        // SAFETY: the caller's promise. The queue has room for a batch, and is submitted when that is full.
        let pushed = unsafe { self.ring.submission().push(operation) };
        debug_assert!(pushed.is_ok(), "more operations than the queue has room for");
    }

    /// Submits the receives and passes on the datagram of each slot of `batch` that got one.
    fn finish_receiving(
        &mut self,
        slots: &Slots<BATCH>,
        batch: &[PendingReceive],
        take: &mut impl FnMut(usize, Datagram<'_>),
    ) {
        let mut done = 0;
        while done < batch.len() {
            // An interrupted call is repeated: the memory must not change before all operations have completed.
            let _ = self.ring.submit_and_wait(batch.len() - done);
            for completion in self.ring.completion() {
                done += 1;
                let index = completion.user_data() as usize;
                let Ok(length) = usize::try_from(completion.result()) else { continue };
                let PendingReceive { number, from, is_unstamped } = batch[index];
                if let Some(from) = from.or_else(|| slots.source(index)) {
                    let arrived_wall_ns = if is_unstamped { None } else { slots.arrival_ns(index) };
                    let bytes = slots.bytes(index, length);
                    take(number, Datagram { bytes, from, arrived_wall_ns, is_unstamped });
                }
            }
        }
    }

    /// Submits the sends and passes on the numbers of those that failed.
    fn finish_sending(&mut self, failed: &mut impl FnMut(usize)) {
        self.submit();
        for completion in self.ring.completion() {
            failed(completion.user_data() as usize);
        }
    }

    /// Submits until the queue is empty, again after an interruption: the memory is reused after that.
    fn submit(&mut self) {
        while !self.ring.submission().is_empty() {
            let _ = self.ring.submit();
        }
    }
}

impl Drop for Operations<'_> {
    /// Operations are left only after a panic of an iterator or closure; the next call must not find them.
    fn drop(&mut self) {
        self.submit();
        self.ring.completion().for_each(drop);
    }
}

/// Makes the table of registered sockets. Returns its size; 0 if it is not allowed.
fn register_places(ring: &IoUring) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: fills the struct that it is given.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    // The table may have as many places as the process may have files.
    let files = if is_known { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { 1024 };
    let places = PLACES_MAX.min(files);
    match ring.submitter().register_files_sparse(places as u32) {
        Ok(()) => places,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_many_sockets_come_and_go_with_few_calls() {
        let Ok(mut ring) = Ring::new() else {
            return; // Not allowed here.
        };
        let phones: Vec<UdpSocket> =
            (0..150).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a port")).collect();
        let ours: Vec<UdpSocket> = (0..150)
            .map(|_| {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
                crate::stamp_arrivals(&socket).expect("an option");
                socket
            })
            .collect();
        for (number, (phone, our)) in phones.iter().zip(&ours).enumerate() {
            let to = our.local_addr().expect("bound");
            // A third of the telephones sends nothing, a third two datagrams.
            for part in 0..number % 3 {
                phone.send_to(&vec![part as u8; number + 1], to).expect("sent");
            }
        }
        let mut came = Vec::new();
        let socket = |place: usize| Socket { place, socket: &ours[place] };
        // Half of them are registered, half are looked up.
        for (place, socket) in ours[..75].iter().enumerate() {
            ring.enter(place, [socket]);
        }
        let query =
            |number| (number, Query { socket: socket(number), from: None, is_unstamped: number % 2 == 0 });
        ring.receive((0..150).map(query), |number, datagram| {
            assert_eq!(datagram.from, phones[number].local_addr().expect("bound"));
            assert!(datagram.arrived_wall_ns.is_some());
            came.push((number, datagram.bytes.len()));
        });
        assert_eq!(came.len(), 100);
        assert!(came.iter().all(|(number, length)| number % 3 > 0 && *length == number + 1));

        let bytes: Vec<Vec<u8>> = (0..150).map(|number| vec![7; number + 1]).collect();
        let mut failed = Vec::new();
        let addresses: Vec<SocketAddr> = phones
            .iter()
            .enumerate()
            .map(|(number, phone)| match number {
                // Nothing can be sent to port 0.
                17 => "127.0.0.1:0".parse().expect("an address"),
                _ => phone.local_addr().expect("bound"),
            })
            .collect();
        let outgoing = |number: usize| {
            (
                number,
                OutgoingDatagram {
                    socket: socket(number),
                    to: Some(addresses[number]),
                    bytes: &bytes[number],
                },
            )
        };
        ring.send((0..150).map(outgoing), |number| failed.push(number));
        assert_eq!(failed, [17]);
        for (number, phone) in phones.iter().enumerate().filter(|(number, _)| *number != 17) {
            assert_eq!(phone.recv(&mut [0; 200]).expect("it came"), number + 1);
        }
    }

    #[test]
    fn sockets_that_have_left_are_closed() {
        let Ok(mut ring) = Ring::new() else {
            return; // Not allowed here.
        };
        for _ in 0..3 {
            let pair = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
            let addresses = [0, 1].map(|index: usize| pair[index].local_addr().expect("bound"));
            ring.enter(5, [&pair[0], &pair[1]]);
            assert_eq!(ring.registered.is_entered[4..], [false, true, true], "the kernel has them");
            ring.leave::<2>(5);
            drop(pair);
            for address in addresses {
                drop(UdpSocket::bind(address).expect("the port is free again"));
            }
        }
    }

    #[test]
    fn a_socket_beyond_the_last_place_is_looked_up() {
        let Ok(mut ring) = Ring::new() else {
            return; // Not allowed here.
        };
        let [ours, peer] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        for place in [ring.registered.places, usize::MAX] {
            ring.enter(place, [&ours]);
            ring.leave::<1>(place);
            peer.send_to(b"here", ours.local_addr().expect("bound")).expect("sent");
            let query = Query { socket: Socket { place, socket: &ours }, from: None, is_unstamped: false };
            let mut came = Vec::new();
            ring.receive(std::iter::once((7, query)), |number, datagram| {
                came.push((number, datagram.bytes.to_vec(), datagram.from));
            });
            assert_eq!(came, [(7, b"here".to_vec(), peer.local_addr().expect("bound"))]);
        }
    }

    #[test]
    fn an_unstamped_receive_of_a_connected_socket_reports_its_peer_as_the_source() {
        let Ok(mut ring) = Ring::new() else {
            return; // Not allowed here.
        };
        let [ours, peer] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        crate::stamp_arrivals(&ours).expect("an option");
        let from = peer.local_addr().expect("bound");
        ours.connect(from).expect("connected");
        for is_unstamped in [false, true] {
            // The second datagram is as long as a slot, so it is received empty.
            for length in [172, DATAGRAM_BYTES] {
                peer.send_to(&vec![1; length], ours.local_addr().expect("bound")).expect("sent");
                let socket = Socket { place: 0, socket: &ours };
                let query = Query { socket, from: Some(from), is_unstamped };
                let mut count = 0;
                ring.receive(std::iter::once((0, query)), |_, datagram| {
                    assert_eq!(datagram.bytes.len(), length % DATAGRAM_BYTES);
                    assert_eq!(datagram.from, from);
                    assert_eq!(datagram.is_unstamped, is_unstamped);
                    assert_eq!(datagram.arrived_wall_ns.is_none(), is_unstamped);
                    count += 1;
                });
                assert_eq!(count, 1);
            }
        }
    }

    #[test]
    fn a_panic_during_a_call_leaves_nothing_to_the_next() {
        let Ok(mut ring) = Ring::new() else {
            return; // Not allowed here.
        };
        let [ours, peer] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let [ours_at, peer_at] = [&ours, &peer].map(|socket| socket.local_addr().expect("bound"));
        let socket = Socket { place: 0, socket: &ours };
        let query = Query { socket, from: None, is_unstamped: false };
        let panics = |call: &mut dyn FnMut()| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).expect_err("it panics")
        };

        for _ in 0..3 {
            peer.send_to(b"here", ours_at).expect("sent");
        }
        // In the closure that takes datagrams, after the first of three, and in the iterator of queries.
        let three = [(0, query), (1, query), (2, query)];
        panics(&mut || ring.receive(three.into_iter(), |_, _| panic!("a test's")));
        let broken = (0..).map(|number| if number == 2 { panic!("a test's") } else { (number, query) });
        panics(&mut || ring.receive(broken.clone(), |_, _| panic!("nothing is taken")));
        let mut came = Vec::new();
        peer.send_to(b"again", ours_at).expect("sent");
        ring.receive(std::iter::once((8, query)), |number, datagram| {
            came.push((number, datagram.bytes.to_vec()));
        });
        assert_eq!(came, [(8, b"again".to_vec())]);

        // What was pushed before the panic is sent while its octets exist.
        panics(&mut || {
            let bytes = vec![7; 100];
            let outgoing = OutgoingDatagram { socket, to: Some(peer_at), bytes: &bytes };
            let broken =
                (0..).map(|number| if number == 2 { panic!("a test's") } else { (number, outgoing) });
            ring.send(broken, |_| {});
        });
        let outgoing = OutgoingDatagram { socket, to: Some(peer_at), bytes: b"the last" };
        ring.send(std::iter::once((0, outgoing)), |_| panic!("it is taken"));
        let mut buffer = [0; 200];
        for expected in [&[7; 100][..], &[7; 100], b"the last"] {
            let length = peer.recv(&mut buffer).expect("it came");
            assert_eq!(&buffer[..length], expected);
        }
    }
}
