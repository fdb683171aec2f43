//! The lower bound of cost: receives and returns the packets of calls without reading them. `cargo run --release
//! -p plenary-net --example reflector -- CALLS SECONDS [METHOD…]`
//!
//! Every 20 ms each call receives a packet of 172 octets and sends one. Methods:
//!
//! - `woken`: a socket for each call, an epoll wake-up and two system calls for each packet, as most servers do;
//! - `calls`: a socket for each call, read every 20 ms, `recvmmsg` and `sendto` for each;
//! - `asked_twice`: the same with io_uring, 64 sockets with each system call, each socket read until it is empty;
//! - `multishot`: io_uring with receives that stay armed, into buffers registered beforehand;
//! - `io_uring`: as `asked_twice`, each socket read once and registered with the kernel: the method of Plenary;
//! - `connected`: as `io_uring`, with connected sockets and without arrival times;
//! - `stamped`: as `connected`, with arrival times;
//! - `one_port`: one socket for all calls, `recvmmsg` and `sendmmsg` of 64 packets.
//!
//! Prints the CPU time of the reflecting thread for each call, in percent of a core. That of the generator is not included;
//! it sends in ten portions in each 20 ms.

#![allow(clippy::print_stdout)]

use io_uring::{
    IoUring, cqueue, opcode,
    types::{BufRingEntry, Fixed},
};
use plenary_net::{OutgoingDatagram, Query, Receiver, Ring, Sender, Socket};
use std::{
    io, mem,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

const PACKET: usize = 172;
const BATCH: usize = 64;
/// Makes `io_uring_enter` run completions that wait.
const IORING_ENTER_GETEVENTS: u32 = 1;
const METHODS: [&str; 8] =
    ["woken", "calls", "asked_twice", "multishot", "io_uring", "connected", "stamped", "one_port"];

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    plenary_net::grow_receive_buffer(&socket, 8 << 20)?;
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

/// Sends to all calls every 20 ms and receives what returns, until `stop`. Returns the packets sent and received.
fn generate(socket: &UdpSocket, calls: &[SocketAddr], stop: &AtomicBool) -> (u64, u64) {
    let (mut incoming, mut outgoing) = (Receiver::<BATCH>::new(), Sender::<BATCH>::new());
    let (mut sent, mut received) = (0, 0);
    let began = Instant::now();
    for phase in 0.. {
        if stop.load(Relaxed) {
            break;
        }
        thread::sleep((began + Duration::from_millis(2 * phase)).saturating_duration_since(Instant::now()));
        incoming.drain(socket, usize::MAX, |_| received += 1);
        for call in calls.iter().skip((phase % 10) as usize).step_by(10) {
            outgoing.push(*call, &[0; PACKET], &[]);
            sent += 1;
            if outgoing.is_full() {
                let _ = outgoing.send(socket);
            }
        }
        let _ = outgoing.send(socket);
    }
    (sent, received)
}

/// Calls `tick` every 20 ms until `stop`.
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

fn reflect(method: &str, sockets: &[UdpSocket], to: SocketAddr, stop: &AtomicBool) {
    let packet = [7; PACKET];
    let send = |socket: &UdpSocket| {
        let _ = socket.send_to(&packet, to);
    };
    match method {
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
        "calls" => {
            let mut incoming = Receiver::<4>::new();
            every_20_ms(stop, || {
                for socket in sockets {
                    incoming.drain(socket, 4, |_| ());
                }
                sockets.iter().for_each(send);
            });
        }
        "one_port" => {
            let (mut incoming, mut outgoing) = (Receiver::<BATCH>::new(), Sender::<BATCH>::new());
            every_20_ms(stop, || {
                incoming.drain(&sockets[0], usize::MAX, |_| ());
                for call in 1..=sockets.len() {
                    outgoing.push(to, &packet, &[]);
                    if outgoing.is_full() || call == sockets.len() {
                        let _ = outgoing.send(&sockets[0]);
                    }
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
    /// Sockets are looked up for each packet, and read until they are empty.
    AskedTwice,
    /// Sockets are registered, and read once.
    ByNumber,
    /// As `ByNumber`, and connected: addresses are neither passed nor returned.
    Connected,
    /// As `Connected`, and the kernel stamps arrivals.
    Stamped,
}

fn reflect_by_ring(sockets: &[UdpSocket], to: SocketAddr, stop: &AtomicBool, how: Use) {
    let Ok(mut ring) = Ring::new() else { return println!("io_uring is not allowed here") };
    let is_connected = matches!(how, Use::Connected | Use::Stamped);
    for (place, socket) in sockets.iter().enumerate() {
        if how != Use::AskedTwice {
            ring.enter(place, [socket]);
        }
        if is_connected {
            let _ = socket.connect(to);
        }
        if how == Use::Stamped {
            let _ = plenary_net::stamp_arrivals(socket);
        }
    }
    let placed = |place: usize| Socket { place, socket: &sockets[place] };
    let query = |place: usize| {
        (place, Query { socket: placed(place), from: Some(to), is_unstamped: how == Use::Connected })
    };
    let outgoing = |place: usize| {
        let to = (!is_connected).then_some(to);
        (place, OutgoingDatagram { socket: placed(place), to, bytes: &[7; PACKET] })
    };
    let mut yielded = Vec::new();
    every_20_ms(stop, || {
        yielded.clear();
        ring.receive((0..sockets.len()).map(query), |place, _| yielded.push(place));
        if how == Use::AskedTwice {
            ring.receive(yielded.iter().copied().map(query), |_, _| ());
        }
        ring.send((0..sockets.len()).map(outgoing), |_| ());
    });
}

/// The kernel puts packets into buffers registered beforehand and reports them in the completion queue: no operation is
/// submitted for each.
fn reflect_by_multishot(sockets: &[UdpSocket], to: SocketAddr, stop: &AtomicBool) {
    /// Buffers for the kernel to fill; a power of two.
    const BUFFERS: usize = 4096;
    const BUFFER: usize = 512;
    let packet = [7; PACKET];
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
    let (Ok(mut ring), Ok(mut sender)) = (build(), Ring::new()) else {
        return println!("io_uring is not allowed here");
    };
    for (place, socket) in sockets.iter().enumerate() {
        sender.enter(place, [socket]);
    }
    let outgoing = |place: usize| {
        let socket = Socket { place, socket: &sockets[place] };
        (place, OutgoingDatagram { socket, to: Some(to), bytes: &packet })
    };
    let mut buffers = vec![[0_u8; BUFFER]; BUFFERS];
    let layout = std::alloc::Layout::from_size_align(BUFFERS * mem::size_of::<BufRingEntry>(), 4096)
        .expect("a size and an alignment");
    // SAFETY: the size is not zero. It is not freed while the ring lives.
    let entries = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<BufRingEntry>();
    // SAFETY: the memory lives as long as the ring.
    if unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, BUFFERS as u16, 0, 0) }.is_err()
    {
        return println!("the kernel does not support buffer rings");
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
                // SAFETY: it points at no memory of the process but the buffers.
                let _ = unsafe { ring.submission().push(&receive) };
            }
            let _ = ring.submit();
        }
        arm.clear();
        // Completes the receives of packets that have arrived.
        // SAFETY: nothing is submitted.
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
        sender.send((0..sockets.len()).map(outgoing), |_| ());
    });
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(calls), Some(seconds)) = (
        arguments.first().and_then(|text| text.parse::<usize>().ok()),
        arguments.get(1).and_then(|text| text.parse::<u64>().ok()),
    ) else {
        println!("usage: reflector CALLS SECONDS [{}]", METHODS.join(" | "));
        return Ok(());
    };
    let methods =
        if arguments.len() > 2 { arguments[2..].to_vec() } else { METHODS.map(str::to_owned).to_vec() };
    for method in methods {
        let stop = Arc::new(AtomicBool::new(false));
        let generator = socket()?;
        let to = generator.local_addr()?;
        let sockets: Vec<UdpSocket> = (0..calls).map(|_| socket()).collect::<Result<_, _>>()?;
        let one = method == "one_port";
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
                reflect(&method, &sockets, to, &stop);
                (method, 100.0 * (cpu() - cpu_before) / began.elapsed().as_secs_f64() / calls as f64)
            }
        });
        thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Relaxed);
        let (method, percent) = reflecting.join().map_err(|_| io::Error::other("the reflector panicked"))?;
        let (sent, received) = generating.join().map_err(|_| io::Error::other("the generator panicked"))?;
        println!(
            "{method:11} {calls:5} calls  {percent:.4} % of a core for each  {sent} sent, {received} back"
        );
    }
    Ok(())
}
