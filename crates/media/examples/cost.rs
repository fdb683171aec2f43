//! Measures the cost of calls: `cargo run --release -p plenary-media --example cost -- PARTICIPANTS ROOMS TALKERS
//! SECONDS`.
//!
//! All participants send all the time: TALKERS of each room noise of their own, the others silence. Prints the CPU time of
//! the media threads, how evenly packets leave, and, with one talker, the delay of a packet through the bridge. The
//! generator runs in the same process, on threads whose CPU time is not counted; its own lateness is printed too.

#![allow(clippy::print_stdout)]

use plenary_media::{Codec, MediaCallId, MediaConfig, MediaPlane, RoomId, StreamParams};
use plenary_rtp::source::Source;
use std::{
    collections::HashMap,
    fs,
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

const FRAME: usize = 160;

struct Phone {
    socket: UdpSocket,
    source: Source,
    talks: bool,
    listens_closely: bool,
    last: Option<Instant>,
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let [participants, rooms, talkers, seconds] = numbers.as_slice() else {
        println!("usage: cost PARTICIPANTS ROOMS TALKERS SECONDS");
        return;
    };
    let config = MediaConfig { rtp_ports: 20_000..=31_999, ..MediaConfig::default() };
    let (media, mut events) = MediaPlane::start(config).expect("the media plane starts");
    let mut phones: Vec<Phone> = (0..*participants)
        .map(|number| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.set_nonblocking(true).expect("a flag");
            let (call, room) = (MediaCallId(number as u64), RoomId((number % rooms) as u64));
            socket.connect(media.open(call, room).expect("it opens")).expect("an address");
            let stream = StreamParams {
                rtcp_mux: true,
                dtmf_payload_type: Some(101),
                ..StreamParams::new(socket.local_addr().expect("bound"), Codec::Pcmu, 0)
            };
            media.set_stream(call, stream);
            media.set_voice(call, true, true);
            let talks = number / rooms < *talkers;
            let source = Source::new(number as u32, 1, 1);
            Phone { socket, source, talks, listens_closely: number == participants - 1, last: None }
        })
        .collect();

    run(&mut phones, 2, *talkers);
    let (before, began) = (cpu_ms(), Instant::now());
    let load_before = media.load();
    let measured = run(&mut phones, *seconds, *talkers);
    let (cpu, wall) = (cpu_ms() - before, began.elapsed().as_secs_f64());
    let load = media.load();
    let percent = cpu / wall / 10.0;
    println!("{participants} participants, {rooms} rooms, {talkers} talkers each, {wall:.1} s");
    println!(
        "  media threads: {percent:.2} % of a core, {:.4} % per participant",
        percent / *participants as f64
    );
    let expected = participants * seconds * 50;
    println!("  packets received: {} of {expected}", measured.received);
    let ticks: u64 = load.workers.iter().map(|worker| worker.ticks).sum();
    let late: u64 = load.workers.iter().map(|worker| worker.ticks_late).sum();
    let late_before: u64 = load_before.workers.iter().map(|worker| worker.ticks_late).sum();
    println!("  ticks later than 2 ms: {} of {ticks}", late - late_before);
    print("  gap between packets less 20 ms", &measured.gaps_ms);
    print("  from packet in to packet out", &measured.delays_ms);
    println!("  generator late by at most {:.2} ms", measured.generator_late_ms);
    if let Some(kb) = resident_kb() {
        println!("  process memory, generator included: {kb} kB");
    }
    media.shutdown();
    while events.try_recv().is_ok() {}
}

#[derive(Default)]
struct Measured {
    received: usize,
    gaps_ms: Vec<f64>,
    delays_ms: Vec<f64>,
    generator_late_ms: f64,
}

/// Sends in 20 slices of a millisecond, because real telephones are not synchronised.
fn run(phones: &mut [Phone], seconds: usize, talkers: usize) -> Measured {
    let mut measured = Measured::default();
    let mut sent_at: HashMap<[u8; FRAME], Instant> = HashMap::new();
    let began = Instant::now();
    let mut datagram = [0; 1500];
    for slice in 0..seconds * 1000 {
        let due = began + Duration::from_millis(slice as u64);
        let now = Instant::now();
        thread::sleep(due.saturating_duration_since(now));
        if slice > 0 {
            let late = Instant::now().saturating_duration_since(due).as_secs_f64() * 1000.0;
            measured.generator_late_ms = measured.generator_late_ms.max(late);
        }
        for (number, phone) in phones.iter_mut().enumerate() {
            if phone.listens_closely || number % 20 == (slice + 10) % 20 {
                while let Ok(length) = phone.socket.recv(&mut datagram) {
                    if length != 12 + FRAME {
                        continue;
                    }
                    measured.received += 1;
                    if !phone.listens_closely {
                        continue;
                    }
                    let now = Instant::now();
                    if let Some(last) = phone.last.replace(now) {
                        measured.gaps_ms.push(((now - last).as_secs_f64() * 1000.0 - 20.0).abs());
                    }
                    let payload: [u8; FRAME] =
                        datagram[12..length].try_into().expect("its length was checked");
                    if let Some(at) = sent_at.remove(&payload) {
                        measured.delays_ms.push((now - at).as_secs_f64() * 1000.0);
                    }
                }
            }
            if number % 20 == slice % 20 {
                let mut payload = [0xff; FRAME];
                if phone.talks {
                    let seed = slice as u32 * 2_654_435_761;
                    payload = std::array::from_fn(|at| (seed.rotate_left(at as u32 % 32) >> 7) as u8);
                    if talkers == 1 {
                        sent_at.insert(payload, Instant::now());
                    }
                }
                let header = phone.source.next_header(0, FRAME as u32, FRAME);
                let packet = [header.to_bytes().as_slice(), &payload].concat();
                // A full buffer shows as a missing packet.
                let _ = phone.socket.send(&packet);
            }
        }
    }
    measured
}

fn print(what: &str, values: &[f64]) {
    let mut values = values.to_vec();
    if values.is_empty() {
        return;
    }
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values[((values.len() - 1) as f64 * part) as usize];
    println!("{what}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", at(0.5), at(0.99), at(0.999));
}

/// CPU time of the media threads, in milliseconds.
fn cpu_ms() -> f64 {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return 0.0 };
    let mut total = 0.0;
    for task in tasks.flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.starts_with("media-") {
            let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanoseconds: f64 =
                times.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
            total += nanoseconds / 1e6;
        }
    }
    total
}

fn resident_kb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}
