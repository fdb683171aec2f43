//! Datagrams of many sockets with one system call, by io_uring: queries for up to 64 sockets are handed over at once, and
//! so are the packets of a tick.
//!
//! No operation waits (`MSG_DONTWAIT`), so each is over when the system call that hands it over returns, and the kernel uses
//! nothing of ours after that. Where io_uring is missing or not allowed (many containers forbid it) no ring can be made, and
//! [`Receiver`](crate::Receiver) and the standard library do the same.

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

/// Operations that are handed over at once.
const BATCH: usize = 64;
/// Sockets that the kernel keeps registered for a ring, at the most; those beyond are looked up for each packet.
const PLACES_MAX: usize = 16_384;

/// A socket that may have been registered by [`Ring::enter`] under a place of its own.
#[derive(Debug, Clone, Copy)]
pub struct Socket<'s> {
    /// Where it was registered, if it was. Nothing else is registered there.
    pub place: usize,
    /// The socket itself.
    pub socket: &'s UdpSocket,
}

/// A socket that is asked for a datagram.
#[derive(Debug, Clone, Copy)]
pub struct Query<'s> {
    /// The socket.
    pub socket: Socket<'s>,
    /// Where all of its datagrams come from, if it is connected.
    pub from: Option<SocketAddr>,
    /// With `from`: the time of arrival is not asked for, which costs a tenth less.
    pub is_unstamped: bool,
}

/// A datagram that is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'d> {
    /// Through which socket.
    pub socket: Socket<'d>,
    /// Where to; none if the socket is connected.
    pub to: Option<SocketAddr>,
    /// Its octets.
    pub bytes: &'d [u8],
}

/// A ring, for the thread that made it, with memory for its operations.
pub struct Ring {
    ring: IoUring,
    registered: Registered,
    /// Received datagrams and their headers; addresses that datagrams are sent to.
    slots: Slots<BATCH>,
}

/// Which places hold a socket that the kernel keeps registered ("registered files"), so that it is not looked up for each
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

    /// Registers sockets at `first` and the places after it. Without effect beyond the places that there are.
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

    /// Gives up `N` registered sockets from place `first` on: the kernel would keep them open.
    pub fn leave<const N: usize>(&mut self, first: usize) {
        let Some(are_entered) = self.registered.is_entered.get_mut(first..first.saturating_add(N)) else {
            return;
        };
        if are_entered.contains(&true) {
            are_entered.fill(false);
            // All places are in the table, and taking a file out of it needs no memory.
            let _ = self.ring.submitter().register_files_update(first as u32, &[-1; N]);
        }
    }

    /// Takes one datagram off each socket that has one and hands it to `take` with the number of its query. They come in
    /// no order.
    pub fn receive<'s>(
        &mut self,
        queries: impl Iterator<Item = (usize, Query<'s>)>,
        mut take: impl FnMut(usize, Datagram<'_>),
    ) {
        let Self { ring, registered, slots } = self;
        let mut operations = Operations { ring };
        let mut batch = [Asked { number: 0, from: None, is_unstamped: false }; BATCH];
        let mut count = 0;
        for (number, Query { socket, from, is_unstamped }) in queries {
            let is_unstamped = is_unstamped && from.is_some();
            // What waits since before it was connected may be from elsewhere, so the source is asked for where it can be.
            batch[count] = Asked { number, from: from.filter(|_| is_unstamped), is_unstamped };
            let receive = match is_unstamped {
                true => registered.receive_bytes(socket, slots, count),
                false => registered.receive_message(socket, slots, count),
            };
            // SAFETY: the operation points at memory of `slots`, which `self` owns beside the ring and whose slot `count`
            // nothing uses before the operation is over.
            unsafe { operations.push(&receive.user_data(count as u64)) };
            count += 1;
            if count == BATCH {
                operations.finish_receiving(slots, &batch[..count], &mut take);
                count = 0;
            }
        }
        operations.finish_receiving(slots, &batch[..count], &mut take);
    }

    /// Sends datagrams. `failed` gets the numbers of those that the system did not take.
    pub fn send<'d>(
        &mut self,
        datagrams: impl Iterator<Item = (usize, Outgoing<'d>)>,
        mut failed: impl FnMut(usize),
    ) {
        let Self { ring, registered, slots } = self;
        let mut operations = Operations { ring };
        let mut count = 0;
        for (number, Outgoing { socket, to, bytes }) in datagrams {
            let (start, length) = (bytes.as_ptr(), bytes.len() as u32);
            let mut send = match registered.find(socket) {
                Place::Registered(place) => opcode::Send::new(place, start, length),
                Place::LookedUp(fd) => opcode::Send::new(fd, start, length),
            };
            if let Some(to) = to {
                let (name, length) = slots.address(count, to);
                send = send.dest_addr(name).dest_addr_len(length);
            }
            let send = send.flags(libc::MSG_DONTWAIT).build();
            let send = send.flags(squeue::Flags::SKIP_SUCCESS).user_data(number as u64);
            // SAFETY: the operation points at `bytes`, which are borrowed for longer than this call, and at memory of `slots`,
            // whose slot `count` nothing uses before the operation is over. It is over when `operations` are dropped.
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

/// How an operation names its socket.
enum Place {
    Registered(Fixed),
    LookedUp(Fd),
}

impl Registered {
    #[inline]
    fn find(&self, Socket { place, socket }: Socket<'_>) -> Place {
        match self.is_entered.get(place) {
            Some(true) => Place::Registered(Fixed(place as u32)),
            Some(false) | None => Place::LookedUp(Fd(socket.as_raw_fd())),
        }
    }

    /// Receives into a slot, with all that the kernel can say of the datagram.
    #[inline]
    fn receive_message(&self, socket: Socket<'_>, slots: &mut Slots<BATCH>, index: usize) -> squeue::Entry {
        slots.expect(index);
        // A header for `recvmmsg` begins with one for `recvmsg`.
        let header: *mut libc::msghdr = slots.headers(index).cast();
        let receive = match self.find(socket) {
            Place::Registered(place) => opcode::RecvMsg::new(place, header),
            Place::LookedUp(fd) => opcode::RecvMsg::new(fd, header),
        };
        receive.flags(libc::MSG_DONTWAIT as u32).build()
    }

    /// Receives the octets into a slot, and nothing else.
    #[inline]
    fn receive_bytes(&self, socket: Socket<'_>, slots: &mut Slots<BATCH>, index: usize) -> squeue::Entry {
        let (start, length) = (slots.buffer(index), DATAGRAM_BYTES as u32);
        let receive = match self.find(socket) {
            Place::Registered(place) => opcode::Recv::new(place, start, length),
            Place::LookedUp(fd) => opcode::Recv::new(fd, start, length),
        };
        receive.flags(libc::MSG_DONTWAIT).build()
    }
}

/// What is known of a receive that was handed over.
#[derive(Clone, Copy)]
struct Asked {
    number: usize,
    from: Option<SocketAddr>,
    is_unstamped: bool,
}

/// Operations of one call. When they are dropped, also by a panic of the caller's, all are over.
struct Operations<'r> {
    ring: &'r mut IoUring,
}

impl Operations<'_> {
    /// Adds an operation.
    ///
    /// # Safety
    ///
    /// What it points at must stay, and must not be used otherwise, until the operation is over: when the queue has been
    /// handed over, at the latest when `self` is dropped.
    #[inline]
    unsafe fn push(&mut self, operation: &squeue::Entry) {
        // SAFETY: the caller's promise. The queue has room for a batch, and is handed over when that is full.
        let pushed = unsafe { self.ring.submission().push(operation) };
        debug_assert!(pushed.is_ok(), "more operations than the queue has room for");
    }

    /// Hands the receives over and passes on what came, of each slot of `batch` that got something.
    fn finish_receiving(
        &mut self,
        slots: &Slots<BATCH>,
        batch: &[Asked],
        take: &mut impl FnMut(usize, Datagram<'_>),
    ) {
        let mut done = 0;
        while done < batch.len() {
            // An interrupted call is made again: what it points at must not change before all are over.
            let _ = self.ring.submit_and_wait(batch.len() - done);
            for completion in self.ring.completion() {
                done += 1;
                let index = completion.user_data() as usize;
                let Ok(length) = usize::try_from(completion.result()) else { continue };
                let Asked { number, from, is_unstamped } = batch[index];
                if let Some(from) = from.or_else(|| slots.source(index)) {
                    let arrived_wall_ns = if is_unstamped { None } else { slots.arrival_ns(index) };
                    let bytes = slots.bytes(index, length);
                    take(number, Datagram { bytes, from, arrived_wall_ns, is_unstamped });
                }
            }
        }
    }

    /// Hands the sends over and passes on which the system did not take.
    fn finish_sending(&mut self, failed: &mut impl FnMut(usize)) {
        self.hand_over();
        for completion in self.ring.completion() {
            failed(completion.user_data() as usize);
        }
    }

    /// An interrupted call is made again, until the queue is empty: what it points at is given back after that.
    fn hand_over(&mut self) {
        while !self.ring.submission().is_empty() {
            let _ = self.ring.submit();
        }
    }
}

impl Drop for Operations<'_> {
    /// There is something left only after a panic, of an iterator or of a closure: the next call must not find it.
    fn drop(&mut self) {
        self.hand_over();
        self.ring.completion().for_each(drop);
    }
}

/// Makes the table of registered sockets. Returns how many it holds; none where that is not allowed.
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
            // One in three says nothing, one in three says two things.
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
            (number, Outgoing { socket: socket(number), to: Some(addresses[number]), bytes: &bytes[number] })
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
    fn a_socket_beyond_the_places_that_there_are_is_looked_up() {
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
    fn a_connected_socket_is_asked_for_octets_only_and_they_come_from_where_it_is_connected() {
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
    fn a_panic_amid_a_call_leaves_nothing_to_the_next() {
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
        // By what takes datagrams, after the first of three, and by what asks for them.
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

        // What had been handed over before the panic is sent while its octets are there.
        panics(&mut || {
            let bytes = vec![7; 100];
            let outgoing = Outgoing { socket, to: Some(peer_at), bytes: &bytes };
            let broken =
                (0..).map(|number| if number == 2 { panic!("a test's") } else { (number, outgoing) });
            ring.send(broken, |_| {});
        });
        let outgoing = Outgoing { socket, to: Some(peer_at), bytes: b"the last" };
        ring.send(std::iter::once((0, outgoing)), |_| panic!("it is taken"));
        let mut buffer = [0; 200];
        for expected in [&[7; 100][..], &[7; 100], b"the last"] {
            let length = peer.recv(&mut buffer).expect("it came");
            assert_eq!(&buffer[..length], expected);
        }
    }
}
