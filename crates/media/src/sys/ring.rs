//! Many sockets with one system call, by io_uring: a receive for each of up to 64 sockets is handed over at once, and
//! so are the packets of a tick.
//!
//! Every operation is one that never waits (`MSG_DONTWAIT`), so each is over when the call that hands it over
//! returns, and nothing of ours is used by the kernel after that. Where io_uring is not there, or not allowed (many
//! containers forbid it), there is no ring and the calls of [`super::Receiver`] do the same.

use super::{CONTROL_BYTES, Control, DATAGRAM_BYTES, Datagram, address, arrival, point, ready, whole};
use crate::ports::Channel;
use io_uring::{
    IoUring, opcode, squeue,
    types::{Fd, Fixed},
};
use std::{
    fmt, io, mem,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
};

/// Operations that are handed over at once.
const BATCH: usize = 64;
/// Pairs of sockets that the kernel keeps at hand for the ring, at the most; those beyond are looked up each time.
const PLACES_MAX: usize = 8192;

/// A socket of a pair that may have been entered under a place of its own.
#[derive(Clone, Copy)]
pub(crate) struct Socket<'s> {
    pub(crate) place: usize,
    pub(crate) channel: Channel,
    pub(crate) socket: &'s UdpSocket,
}

/// A socket that is asked for a datagram.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'s> {
    pub(crate) socket: Socket<'s>,
    /// Where all that it has is from, where it is connected.
    pub(crate) from: Option<SocketAddr>,
    /// Of a connected one: when a datagram came is not asked for, which costs a tenth less.
    pub(crate) is_unstamped: bool,
}

impl Socket<'_> {
    fn number(self) -> u32 {
        (2 * self.place) as u32 + u32::from(self.channel == Channel::Rtcp)
    }

    fn fd(self) -> Fd {
        Fd(self.socket.as_raw_fd())
    }
}

/// A ring of the thread that made it, with memory for its operations.
pub(crate) struct Ring {
    ring: IoUring,
    /// Which pairs the kernel has at hand (registered files): their sockets need not be looked up for each packet.
    entered: Vec<bool>,
    /// How many there may be.
    places: usize,
    /// Datagrams that are handed over and not sent.
    unsent: usize,
    datagrams: Box<[[u8; DATAGRAM_BYTES]; BATCH]>,
    _controls: Box<[Control; BATCH]>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
    _buffers: Box<[libc::iovec; BATCH]>,
    headers: Box<[libc::msghdr; BATCH]>,
}

// SAFETY: the pointers in `buffers` and `headers` point into boxes of the same struct, which move with it.
unsafe impl Send for Ring {}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ring")
    }
}

impl Ring {
    /// Must be made on the thread that uses it.
    pub(crate) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(4 * BATCH as u32)
            .build(BATCH as u32)?;
        let mut datagrams = Box::new([[0; DATAGRAM_BYTES]; BATCH]);
        let mut controls = Box::new([Control([0; CONTROL_BYTES]); BATCH]);
        // SAFETY: all zeroes is a valid `sockaddr_storage` (of no family).
        let mut names: Box<[libc::sockaddr_storage; BATCH]> = Box::new(unsafe { mem::zeroed() });
        // SAFETY: all zeroes is a valid `iovec`: no buffer.
        let mut buffers: Box<[libc::iovec; BATCH]> = Box::new(unsafe { mem::zeroed() });
        // SAFETY: all zeroes is a valid header: no buffers.
        let mut headers: Box<[libc::msghdr; BATCH]> = Box::new(unsafe { mem::zeroed() });
        for index in 0..BATCH {
            point(
                &mut headers[index],
                &mut buffers[index],
                &mut datagrams[index],
                &mut names[index],
                &mut controls[index],
            );
        }
        let places = register_places(&ring);
        Ok(Self {
            ring,
            entered: Vec::new(),
            places,
            unsent: 0,
            datagrams,
            _controls: controls,
            names,
            _buffers: buffers,
            headers,
        })
    }

    /// Has the kernel keep a pair of sockets at hand under `place`, which nothing else is entered under.
    pub(crate) fn enter(&mut self, place: usize, pair: [&UdpSocket; 2]) {
        if place >= self.places {
            return;
        }
        if self.entered.len() <= place {
            self.entered.resize(place + 1, false);
        }
        let fds = pair.map(AsRawFd::as_raw_fd);
        self.entered[place] =
            matches!(self.ring.submitter().register_files_update(2 * place as u32, &fds), Ok(2));
    }

    /// Gives a pair back: the kernel would keep its sockets open.
    pub(crate) fn leave(&mut self, place: usize) {
        if let Some(entered) = self.entered.get_mut(place)
            && std::mem::take(entered)
        {
            // Both numbers are in the table, and taking a file out of it needs no memory.
            let _ = self.ring.submitter().register_files_update(2 * place as u32, &[-1, -1]);
        }
    }

    fn is_entered(&self, socket: Socket<'_>) -> bool {
        self.entered.get(socket.place).copied().unwrap_or(false)
    }

    /// Takes one datagram off each of `sockets`, numbered as they come, and hands it to `take`.
    pub(crate) fn receive<'s>(
        &mut self,
        sockets: impl Iterator<Item = (usize, Asked<'s>)>,
        mut take: impl FnMut(usize, Datagram<'_>),
    ) {
        let mut batch = [(0, None, false); BATCH];
        let mut count = 0;
        for (number, Asked { socket, from, is_unstamped }) in sockets {
            let is_unstamped = is_unstamped && from.is_some();
            // What waits since before it was connected may be from elsewhere, so whoever is asked is told.
            batch[count] = (number, from.filter(|_| is_unstamped), is_unstamped);
            let receive = match is_unstamped {
                true => self.receive_bytes(socket, count),
                false => self.receive_message(socket, count),
            };
            self.push(&receive.user_data(count as u64));
            count += 1;
            if count == BATCH {
                self.finish_receiving(&batch[..count], &mut take);
                count = 0;
            }
        }
        self.finish_receiving(&batch[..count], &mut take);
    }

    /// Into the place `index`, with all that the kernel can tell of it.
    fn receive_message(&mut self, socket: Socket<'_>, index: usize) -> squeue::Entry {
        ready(&mut self.headers[index]);
        let header = &raw mut self.headers[index];
        let receive = match self.is_entered(socket) {
            true => opcode::RecvMsg::new(Fixed(socket.number()), header),
            false => opcode::RecvMsg::new(socket.fd(), header),
        };
        receive.flags(libc::MSG_DONTWAIT as u32).build()
    }

    /// Into the place `index`, and nothing else.
    fn receive_bytes(&mut self, socket: Socket<'_>, index: usize) -> squeue::Entry {
        let (start, length) = (self.datagrams[index].as_mut_ptr(), DATAGRAM_BYTES as u32);
        let receive = match self.is_entered(socket) {
            true => opcode::Recv::new(Fixed(socket.number()), start, length),
            false => opcode::Recv::new(socket.fd(), start, length),
        };
        receive.flags(libc::MSG_DONTWAIT).build()
    }

    /// `batch`: of each place the number, where what comes is from if that is known, and whether it is unstamped.
    fn finish_receiving(
        &mut self,
        batch: &[(usize, Option<SocketAddr>, bool)],
        take: &mut impl FnMut(usize, Datagram<'_>),
    ) {
        let count = batch.len();
        let mut done = 0;
        while done < count {
            // An interrupted call is made again: what it points at must not change before all are over.
            let _ = self.ring.submit_and_wait(count - done);
            for completion in self.ring.completion() {
                done += 1;
                let index = completion.user_data() as usize;
                let Ok(length) = usize::try_from(completion.result()) else { continue };
                let (number, known, is_unstamped) = batch[index];
                let bytes = whole(&self.datagrams[index], length);
                if let Some(from) = known.or_else(|| address(&self.names[index])) {
                    let stamp = || arrival(&self.headers[index]);
                    let arrived_wall_ns = if is_unstamped { None } else { stamp() };
                    take(number, Datagram { bytes, from, arrived_wall_ns, is_unstamped });
                }
            }
        }
    }

    /// Sends a datagram, with others once there is a batch; [`Self::finish_sending`] sends the rest. `to`: none where the
    /// socket is connected. `failed` is told the numbers of those that the system would not take.
    pub(crate) fn send(
        &mut self,
        number: usize,
        socket: Socket<'_>,
        to: Option<SocketAddr>,
        bytes: &[u8],
        failed: &mut impl FnMut(usize),
    ) {
        let (start, length) = (bytes.as_ptr(), bytes.len() as u32);
        let mut send = match self.is_entered(socket) {
            true => opcode::Send::new(Fixed(socket.number()), start, length),
            false => opcode::Send::new(socket.fd(), start, length),
        };
        if let Some(to) = to {
            let name = &mut self.names[self.unsent];
            let length = write_name(name, to);
            send = send.dest_addr(ptr::from_mut(name).cast_const().cast()).dest_addr_len(length);
        }
        let send = send.flags(libc::MSG_DONTWAIT).build();
        self.push(&send.flags(squeue::Flags::SKIP_SUCCESS).user_data(number as u64));
        self.unsent += 1;
        if self.unsent == BATCH {
            self.finish_sending(failed);
        }
    }

    /// Sends what was handed over and was not sent.
    pub(crate) fn finish_sending(&mut self, failed: &mut impl FnMut(usize)) {
        self.unsent = 0;
        // An interrupted call is made again, until the queue is empty: what it points at is given back after that.
        while !self.ring.submission().is_empty() {
            let _ = self.ring.submit();
        }
        for completion in self.ring.completion() {
            failed(completion.user_data() as usize);
        }
    }

    fn push(&mut self, operation: &squeue::Entry) {
        // SAFETY: what the operation points at is memory of `self` or of the caller, untouched until it is over; see
        // the module's text. The queue has room for a batch, and is handed over when that is full.
        let pushed = unsafe { self.ring.submission().push(operation) };
        debug_assert!(pushed.is_ok(), "more operations than the queue has room for");
    }
}

/// Makes the table of sockets that the kernel keeps at hand. Returns for how many pairs; none where that is not allowed.
fn register_places(ring: &IoUring) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: fills the struct that it is given.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    // The table may have as many places as the process may have files.
    let files = if is_known { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { 1024 };
    let places = PLACES_MAX.min(files / 2);
    match ring.submitter().register_files_sparse(2 * places as u32) {
        Ok(()) => places,
        Err(_) => 0,
    }
}

fn write_name(name: &mut libc::sockaddr_storage, address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(address) => {
            // SAFETY: a `sockaddr_storage` is made to be read and written as any of its kinds.
            let name = unsafe { &mut *std::ptr::from_mut(name).cast::<libc::sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = address.port().to_be();
            name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            mem::size_of::<libc::sockaddr_in>() as u32
        }
        SocketAddr::V6(address) => {
            // SAFETY: as above.
            let name = unsafe { &mut *std::ptr::from_mut(name).cast::<libc::sockaddr_in6>() };
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = address.port().to_be();
            name.sin6_flowinfo = 0;
            name.sin6_addr.s6_addr = address.ip().octets();
            name.sin6_scope_id = address.scope_id();
            mem::size_of::<libc::sockaddr_in6>() as u32
        }
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
                super::super::stamp_arrivals(&socket).expect("an option");
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
        let socket = |place: usize| Socket { place, channel: Channel::Rtp, socket: &ours[place] };
        // Half of them are at hand, half are looked up.
        for (place, socket) in ours[..75].iter().enumerate() {
            ring.enter(place, [socket, socket]);
        }
        let asked =
            |number| (number, Asked { socket: socket(number), from: None, is_unstamped: number % 2 == 0 });
        ring.receive((0..150).map(asked), |number, datagram| {
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
        for number in 0..150 {
            let to = Some(addresses[number]);
            ring.send(number, socket(number), to, &bytes[number], &mut |number| failed.push(number));
        }
        ring.finish_sending(&mut |number| failed.push(number));
        assert_eq!(failed, [17]);
        for (number, phone) in phones.iter().enumerate().filter(|(number, _)| *number != 17) {
            assert_eq!(phone.recv(&mut [0; 200]).expect("it came"), number + 1);
        }
    }

    #[test]
    fn a_pair_that_has_left_is_closed() {
        let Ok(mut ring) = Ring::new() else {
            return; // Not allowed here.
        };
        for _ in 0..3 {
            let pair = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
            let addresses = [0, 1].map(|index: usize| pair[index].local_addr().expect("bound"));
            ring.enter(5, [&pair[0], &pair[1]]);
            assert!(ring.entered[5], "the kernel has it at hand");
            ring.leave(5);
            drop(pair);
            for address in addresses {
                drop(UdpSocket::bind(address).expect("the port is free again"));
            }
        }
    }
}
