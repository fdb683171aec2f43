//! The floor: the same packets as calls, moved and sent back without a look at what is in them. `cargo run --release
//! -p plenary-media --example reflector -- CALLS SECONDS [WAY…]`
//!
//! Every 20 ms each call's packet of 172 bytes comes in and one goes out. Ways:
//!
//! - `woken`: a socket for each call, an epoll wake-up and two system calls for each packet, as most servers do it;
//! - `calls`: a socket for each call, looked at every 20 ms, `recvmmsg` and `sendto` for each;
//! - `asked_twice`: the same, 64 sockets with each system call of io_uring, each socket asked until it has nothing;
//! - `io_uring`: the same, each socket asked once, and known to the kernel by a number: the way of Plenary;
//! - `one_port`: one socket for all calls, `recvmmsg` and `sendmmsg` of 64 packets.
//!
//! Printed is the CPU time of the reflecting thread for each call, in percent of a core. The generator's own is not
//! in it; its packets come in ten portions in each 20 ms.

#![allow(unsafe_code, clippy::print_stdout)]

use io_uring::{
    IoUring, cqueue, opcode, squeue,
    types::{BufRingEntry, Fd, Fixed},
};
use std::{
    io, mem,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

const PACKET: usize = 172;
const BATCH: usize = 64;
/// `io_uring_enter` runs what is waiting to be completed.
const IORING_ENTER_GETEVENTS: u32 = 1;
const WAYS: [&str; 8] =
    ["woken", "calls", "asked_twice", "multishot", "io_uring", "connected", "stamped", "one_port"];

/// Headers of a batch and all that they point at. Never moved once it is made.
struct Batch {
    bytes: [[u8; 512]; BATCH],
    names: [libc::sockaddr_in; BATCH],
    vectors: [libc::iovec; BATCH],
    headers: [libc::mmsghdr; BATCH],
}

impl Batch {
    fn new(length: usize) -> Box<Self> {
        // SAFETY: all of these are plain C structs and numbers, for which zeros are valid.
        let mut batch: Box<Self> = unsafe { Box::new(mem::zeroed()) };
        for index in 0..BATCH {
            batch.vectors[index] =
                libc::iovec { iov_base: batch.bytes[index].as_mut_ptr().cast(), iov_len: length };
            let header = &mut batch.headers[index].msg_hdr;
            header.msg_name = ptr::from_mut(&mut batch.names[index]).cast();
            header.msg_namelen = 16;
            header.msg_iov = &raw mut batch.vectors[index];
            header.msg_iovlen = 1;
        }
        batch
    }

    fn receive(&mut self, socket: &UdpSocket, most: usize) -> usize {
        for header in &mut self.headers[..most] {
            header.msg_hdr.msg_namelen = 16;
        }
        // SAFETY: the headers point into this batch, which outlives the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                most as u32,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).unwrap_or(0)
    }

    fn send(&mut self, socket: &UdpSocket, count: usize) {
        // SAFETY: as above.
        unsafe { libc::sendmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count as u32, 0) };
    }
}

fn name(address: SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(v4) = address else { unreachable!("everything here is on 127.0.0.1") };
    // SAFETY: zeros are a valid `sockaddr_in`.
    let mut name: libc::sockaddr_in = unsafe { mem::zeroed() };
    name.sin_family = libc::AF_INET as libc::sa_family_t;
    name.sin_port = v4.port().to_be();
    name.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
    name
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20)?;
    Ok(socket)
}

/// CPU time of this thread, in seconds.
fn cpu() -> f64 {
    // SAFETY: a `timespec` is filled.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Sends to all calls every 20 ms and takes what comes back, until told to stop. Returns packets sent and received.
fn generate(socket: &UdpSocket, calls: &[SocketAddr], stop: &AtomicBool) -> (u64, u64) {
    let names: Vec<_> = calls.iter().map(|call| name(*call)).collect();
    let (mut incoming, mut outgoing) = (Batch::new(512), Batch::new(PACKET));
    let (mut sent, mut received) = (0, 0);
    let began = Instant::now();
    for phase in 0.. {
        if stop.load(Relaxed) {
            break;
        }
        thread::sleep((began + Duration::from_millis(2 * phase)).saturating_duration_since(Instant::now()));
        loop {
            let count = incoming.receive(socket, BATCH);
            received += count as u64;
            if count < BATCH {
                break;
            }
        }
        let mut count = 0;
        for name in names.iter().skip((phase % 10) as usize).step_by(10) {
            outgoing.names[count] = *name;
            count += 1;
            sent += 1;
            if count == BATCH {
                outgoing.send(socket, count);
                count = 0;
            }
        }
        outgoing.send(socket, count);
    }
    (sent, received)
}

/// Wakes every 20 ms until told to stop.
fn every_20_ms(stop: &AtomicBool, mut tick: impl FnMut()) {
    let began = Instant::now();
    for number in 0.. {
        if stop.load(Relaxed) {
            return;
        }
        thread::sleep((began + Duration::from_millis(20 * number)).saturating_duration_since(Instant::now()));
        tick();
    }
}

fn reflect(way: &str, sockets: &[UdpSocket], to: SocketAddr, stop: &AtomicBool) {
    let (packet, name) = ([7; PACKET], name(to));
    let mut batch = Batch::new(512);
    let send = |socket: &UdpSocket| {
        let _ = socket.send_to(&packet, to);
    };
    match way {
        "woken" => {
            // SAFETY: makes a file descriptor.
            let epoll = unsafe { libc::epoll_create1(0) };
            for (index, socket) in sockets.iter().enumerate() {
                let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: index as u64 };
                // SAFETY: the event lives through the call.
                unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event) };
            }
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
            while !stop.load(Relaxed) {
                // SAFETY: `BATCH` events have room.
                let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), BATCH as i32, 100) };
                for event in &events[..usize::try_from(count).unwrap_or(0)] {
                    let socket = &sockets[event.u64 as usize];
                    let mut bytes = [0; 512];
                    if socket.recv_from(&mut bytes).is_ok() {
                        send(socket);
                    }
                }
            }
            // SAFETY: made above.
            unsafe { libc::close(epoll) };
        }
        "calls" => every_20_ms(stop, || {
            for socket in sockets {
                batch.receive(socket, 4);
            }
            sockets.iter().for_each(send);
        }),
        "one_port" => {
            let mut outgoing = Batch::new(PACKET);
            outgoing.names = [name; BATCH];
            let calls = sockets.len();
            every_20_ms(stop, || {
                while batch.receive(&sockets[0], BATCH) == BATCH {}
                for first in (0..calls).step_by(BATCH) {
                    outgoing.send(&sockets[0], BATCH.min(calls - first));
                }
            });
        }
        "multishot" => reflect_by_multishot(sockets, to, stop),
        "asked_twice" => reflect_by_ring(sockets, to, stop, Use::AskedTwice),
        "connected" => reflect_by_ring(sockets, to, stop, Use::Connected),
        "stamped" => reflect_by_ring(sockets, to, stop, Use::Stamped),
        _ => reflect_by_ring(sockets, to, stop, Use::ByNumber),
    }
}

/// How a ring is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Sockets are looked up each time, and asked until they have nothing.
    AskedTwice,
    /// Sockets are registered, and asked once.
    ByNumber,
    /// The same, and connected: no address goes either way.
    Connected,
    /// The same, but the kernel says when each packet came.
    Stamped,
}

fn reflect_by_ring(sockets: &[UdpSocket], to: SocketAddr, stop: &AtomicBool, how: Use) {
    let (packet, name) = ([7; PACKET], name(to));
    let mut batch = Batch::new(512);
    let mut controls = [[0_u64; 8]; BATCH];
    let is_connected = matches!(how, Use::Connected | Use::Stamped);
    if is_connected {
        for socket in sockets {
            let _ = socket.connect(to);
            if how == Use::Stamped {
                let on: libc::c_int = 1;
                // SAFETY: the option takes an int, which lives through the call.
                unsafe {
                    libc::setsockopt(
                        socket.as_raw_fd(),
                        libc::SOL_SOCKET,
                        libc::SO_TIMESTAMPNS,
                        ptr::from_ref(&on).cast(),
                        mem::size_of_val(&on) as libc::socklen_t,
                    )
                };
            }
        }
    }
    let build = || -> io::Result<IoUring> {
        let ring: IoUring =
            IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(BATCH as u32)?;
        if how != Use::AskedTwice {
            let fds: Vec<_> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
            ring.submitter().register_files(&fds)?;
        }
        Ok(ring)
    };
    let (Ok(mut ring), Ok(mut sender)) = (build(), build()) else {
        return println!("io_uring is not allowed here");
    };
    let mut ask = |again: &[usize], yielded: &mut Vec<usize>| {
        for part in again.chunks(BATCH) {
            for (place, index) in part.iter().enumerate() {
                let header = &mut batch.headers[place].msg_hdr;
                header.msg_namelen = 16;
                if how == Use::Stamped {
                    header.msg_control = controls[place].as_mut_ptr().cast();
                    header.msg_controllen = 64;
                }
                let header = &raw mut batch.headers[place].msg_hdr;
                let receive = match how {
                    Use::Connected => {
                        let bytes = batch.bytes[place].as_mut_ptr();
                        let receive = opcode::Recv::new(Fixed(*index as u32), bytes, 512);
                        receive.flags(libc::MSG_DONTWAIT).build()
                    }
                    Use::ByNumber | Use::Stamped => {
                        let receive = opcode::RecvMsg::new(Fixed(*index as u32), header);
                        receive.flags(libc::MSG_DONTWAIT as u32).build()
                    }
                    Use::AskedTwice => {
                        let receive = opcode::RecvMsg::new(Fd(sockets[*index].as_raw_fd()), header);
                        receive.flags(libc::MSG_DONTWAIT as u32).build()
                    }
                };
                // SAFETY: what it points at stays until it is over, below.
                let _ = unsafe { ring.submission().push(&receive.user_data(*index as u64)) };
            }
            let _ = ring.submit_and_wait(part.len());
            yielded.extend(
                ring.completion()
                    .filter(|done: &io_uring::cqueue::Entry| done.result() >= 0)
                    .map(|done| done.user_data() as usize),
            );
        }
    };
    let all: Vec<usize> = (0..sockets.len()).collect();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    every_20_ms(stop, || {
        first.clear();
        second.clear();
        ask(&all, &mut first);
        if how == Use::AskedTwice {
            ask(&first, &mut second);
        }
        send_by_ring(&mut sender, sockets, &packet, &name, how);
    });
}

/// A packet from each socket.
fn send_by_ring(
    ring: &mut IoUring,
    sockets: &[UdpSocket],
    packet: &[u8; PACKET],
    name: &libc::sockaddr_in,
    how: Use,
) {
    let all: Vec<usize> = (0..sockets.len()).collect();
    for part in all.chunks(BATCH) {
        for index in part {
            let send = match how {
                Use::AskedTwice => {
                    let fd = Fd(sockets[*index].as_raw_fd());
                    opcode::Send::new(fd, packet.as_ptr(), PACKET as u32)
                }
                _ => opcode::Send::new(Fixed(*index as u32), packet.as_ptr(), PACKET as u32),
            };
            let send = match how {
                Use::Connected | Use::Stamped => send,
                _ => send.dest_addr(ptr::from_ref(name).cast()).dest_addr_len(16),
            };
            let send = send.flags(libc::MSG_DONTWAIT).build().flags(squeue::Flags::SKIP_SUCCESS);
            // SAFETY: what it points at outlives the call below, in which it is over.
            let _ = unsafe { ring.submission().push(&send) };
        }
        let _ = ring.submit();
    }
}

/// Packets are put into memory that the kernel was given beforehand, and told in the queue of completions: no operation
/// is handed over for each.
fn reflect_by_multishot(sockets: &[UdpSocket], to: SocketAddr, stop: &AtomicBool) {
    /// Buffers that the kernel may fill; a power of two.
    const BUFFERS: usize = 4096;
    const BUFFER: usize = 512;
    let (packet, name) = ([7; PACKET], name(to));
    let build = || -> io::Result<IoUring> {
        let ring: IoUring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(2 * BUFFERS as u32)
            .build(BATCH as u32)?;
        let fds: Vec<_> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        ring.submitter().register_files(&fds)?;
        Ok(ring)
    };
    let (Ok(mut ring), Ok(mut sender)) = (build(), build()) else {
        return println!("io_uring is not allowed here");
    };
    let mut buffers = vec![[0_u8; BUFFER]; BUFFERS];
    let layout = std::alloc::Layout::from_size_align(BUFFERS * mem::size_of::<BufRingEntry>(), 4096)
        .expect("a size and an alignment");
    // SAFETY: the size is not zero. It is not given back while the ring lives.
    let entries = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<BufRingEntry>();
    // SAFETY: the memory lives as long as the ring.
    if unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, BUFFERS as u16, 0, 0) }.is_err()
    {
        return println!("rings of buffers are not known here");
    }
    let mut tail = 0_u16;
    let mut give = |buffer: u16| {
        // SAFETY: within the ring's memory, of which this thread alone writes.
        unsafe {
            let entry = &mut *entries.add(usize::from(tail) % BUFFERS);
            entry.set_addr(buffers[usize::from(buffer)].as_mut_ptr() as u64);
            entry.set_len(BUFFER as u32);
            entry.set_bid(buffer);
            tail = tail.wrapping_add(1);
            let shared = BufRingEntry::tail(entries).cast::<std::sync::atomic::AtomicU16>();
            (*shared).store(tail, std::sync::atomic::Ordering::Release);
        }
    };
    (0..BUFFERS as u16).for_each(&mut give);
    let mut arm: Vec<u32> = (0..sockets.len() as u32).collect();
    let mut filled = Vec::new();
    every_20_ms(stop, || {
        for part in arm.chunks(BATCH) {
            for index in part {
                let receive = opcode::RecvMulti::new(Fixed(*index), 0).build().user_data(u64::from(*index));
                // SAFETY: it points at nothing of ours but the buffers.
                let _ = unsafe { ring.submission().push(&receive) };
            }
            let _ = ring.submit();
        }
        arm.clear();
        // Carries out what has come in meanwhile.
        // SAFETY: nothing is handed over.
        let _ = unsafe { ring.submitter().enter::<libc::sigset_t>(0, 0, IORING_ENTER_GETEVENTS, None) };
        for done in ring.completion() {
            if let Some(buffer) = cqueue::buffer_select(done.flags()) {
                filled.push(buffer);
            }
            if !cqueue::more(done.flags()) {
                arm.push(done.user_data() as u32);
            }
        }
        filled.drain(..).for_each(&mut give);
        send_by_ring(&mut sender, sockets, &packet, &name, Use::ByNumber);
    });
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(calls), Some(seconds)) = (
        arguments.first().and_then(|text| text.parse::<usize>().ok()),
        arguments.get(1).and_then(|text| text.parse::<u64>().ok()),
    ) else {
        println!("usage: reflector CALLS SECONDS [{}]", WAYS.join(" | "));
        return Ok(());
    };
    let ways = if arguments.len() > 2 { arguments[2..].to_vec() } else { WAYS.map(str::to_owned).to_vec() };
    for way in ways {
        let stop = Arc::new(AtomicBool::new(false));
        let generator = socket()?;
        let to = generator.local_addr()?;
        let sockets: Vec<UdpSocket> = (0..calls).map(|_| socket()).collect::<Result<_, _>>()?;
        let one = way == "one_port";
        let addresses: Vec<SocketAddr> = sockets
            .iter()
            .map(|socket| if one { &sockets[0] } else { socket }.local_addr())
            .collect::<Result<_, _>>()?;
        let generating = thread::spawn({
            let stop = stop.clone();
            move || generate(&generator, &addresses, &stop)
        });
        let reflecting = thread::spawn({
            let stop = stop.clone();
            move || {
                let (cpu_before, began) = (cpu(), Instant::now());
                reflect(&way, &sockets, to, &stop);
                (way, 100.0 * (cpu() - cpu_before) / began.elapsed().as_secs_f64() / calls as f64)
            }
        });
        thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Relaxed);
        let (way, percent) = reflecting.join().map_err(|_| io::Error::other("the reflector panicked"))?;
        let (sent, received) = generating.join().map_err(|_| io::Error::other("the generator panicked"))?;
        println!("{way:11} {calls:5} calls  {percent:.4} % of a core for each  {sent} sent, {received} back");
    }
    Ok(())
}
