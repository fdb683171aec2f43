//! Brings about events and follows them, for `bench/events`:
//!
//! `events ADDRESS KEY [--follow N] [--mute CONFERENCE --per-second R] --seconds S`
//!
//! N connections read `/v1/events` as server-sent events and note how long after they happened events came. So many times a
//! second all participants of the conference are muted or unmuted: one event for each.
#![allow(clippy::print_stdout, reason = "the program prints its measurements")]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

type Failed = Box<dyn Error + Send + Sync>;

/// Delays are counted by millisecond up to here.
const DELAY_MS_MAX: usize = 10_000;

/// What the followers have seen together.
struct Seen {
    /// Only then is counted.
    is_measuring: AtomicBool,
    events: AtomicU64,
    octets: AtomicU64,
    resets: AtomicU64,
    ended: AtomicU64,
    delays: Vec<AtomicU64>,
}

struct Arguments {
    address: String,
    key: String,
    follow: usize,
    mute: Option<String>,
    per_second: f64,
    seconds: u64,
}

fn arguments() -> Result<Arguments, Failed> {
    let usage = "events ADDRESS KEY [--follow N] [--mute CONFERENCE --per-second R] --seconds S";
    let mut given = std::env::args().skip(1);
    let (address, key) = (given.next().ok_or(usage)?, given.next().ok_or(usage)?);
    let mut arguments = Arguments { address, key, follow: 0, mute: None, per_second: 1.0, seconds: 10 };
    while let Some(name) = given.next() {
        let value = given.next().ok_or(usage)?;
        match name.as_str() {
            "--follow" => arguments.follow = value.parse()?,
            "--mute" => arguments.mute = Some(value),
            "--per-second" => arguments.per_second = value.parse()?,
            "--seconds" => arguments.seconds = value.parse()?,
            _ => return Err(usage.into()),
        }
    }
    Ok(arguments)
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let Arguments { address, key, follow, mute, per_second, seconds } = arguments()?;
    let seen = Arc::new(Seen {
        is_measuring: AtomicBool::new(false),
        events: AtomicU64::new(0),
        octets: AtomicU64::new(0),
        resets: AtomicU64::new(0),
        ended: AtomicU64::new(0),
        delays: (0..=DELAY_MS_MAX).map(|_| AtomicU64::new(0)).collect(),
    });
    let mut followers = JoinSet::new();
    for _ in 0..follow {
        let (address, key, seen) = (address.clone(), key.clone(), seen.clone());
        let connection = open(&address, &key).await?;
        followers.spawn(async move {
            if read(connection, &seen).await.is_err() {
                seen.ended.fetch_add(1, Relaxed);
            }
        });
    }
    if follow > 0 {
        println!("following");
        sleep(Duration::from_secs(2)).await;
    }
    seen.is_measuring.store(true, Relaxed);
    let began = Instant::now();
    let within = Duration::from_secs(seconds);
    let changes = match mute {
        Some(conference) => change(&address, &key, &conference, per_second, within).await?,
        None => {
            sleep(within).await;
            0
        }
    };
    // What is on its way.
    sleep(Duration::from_secs(1)).await;
    let took = began.elapsed().as_secs_f64();
    if changes > 0 {
        println!("Requests       {changes} in {took:.1} s");
    }
    if follow > 0 {
        let events = seen.events.load(Relaxed);
        println!(
            "Followers      {follow}: {events} events, {:.1} MB; {} told to begin anew, {} connections ended",
            seen.octets.load(Relaxed) as f64 / 1e6,
            seen.resets.load(Relaxed),
            seen.ended.load(Relaxed)
        );
        let at = |share: f64| quantile(&seen.delays, share);
        println!("Told after     p50 {} ms, p99 {} ms, max {} ms", at(0.5), at(0.99), at(1.0));
    }
    followers.abort_all();
    Ok(())
}

fn quantile(delays: &[AtomicU64], share: f64) -> usize {
    let counts: Vec<u64> = delays.iter().map(|count| count.load(Relaxed)).collect();
    let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
    let mut sum = 0;
    let reached = |count: &u64| {
        sum += count;
        sum >= wanted.max(1)
    };
    counts.iter().position(reached).unwrap_or(DELAY_MS_MAX)
}

async fn open(address: &str, key: &str) -> Result<TcpStream, Failed> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await?;
    let mut start = [0; 12];
    timeout(Duration::from_secs(20), connection.read_exact(&mut start)).await??;
    if start != *b"HTTP/1.1 200" {
        return Err(format!("not 200: {}", String::from_utf8_lossy(&start)).into());
    }
    Ok(connection)
}

/// Reads a stream to its end.
async fn read(mut connection: TcpStream, seen: &Seen) -> Result<(), Failed> {
    let (mut buffer, mut kept) = (vec![0; 64 * 1024], Vec::<u8>::new());
    loop {
        let count = connection.read(&mut buffer).await?;
        if count == 0 {
            return Err("the stream has ended".into());
        }
        kept.extend_from_slice(&buffer[..count]);
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        // A line may come in two pieces.
        let end = kept.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        if seen.is_measuring.load(Relaxed) {
            seen.octets.fetch_add(count as u64, Relaxed);
            for line in kept[..end].split(|octet| *octet == b'\n') {
                if line.starts_with(b"event: reset") {
                    seen.resets.fetch_add(1, Relaxed);
                }
                if let Some(at_ms) = happened_at(line) {
                    let delay = usize::try_from(now_ms - at_ms).unwrap_or(0).min(DELAY_MS_MAX);
                    seen.events.fetch_add(1, Relaxed);
                    seen.delays[delay].fetch_add(1, Relaxed);
                }
            }
        }
        kept.drain(..end);
    }
}

/// When an event of the log happened, in milliseconds since 1970.
fn happened_at(line: &[u8]) -> Option<i64> {
    const BEFORE: &[u8] = b"\"at\":\"";
    let text = line.strip_prefix(b"data: {\"seq\":".as_slice())?;
    let at = text.windows(BEFORE.len()).position(|window| window == BEFORE)? + BEFORE.len();
    let text = std::str::from_utf8(text.get(at..at + 23)?).ok()?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let millis = number(20, 23).unwrap_or(0);
    // Days since 1970 of a date after 2000, by months that begin with March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

/// Mutes and unmutes all in a conference so many times a second. How often.
async fn change(
    address: &str,
    key: &str,
    conference: &str,
    per_second: f64,
    within: Duration,
) -> Result<u64, Failed> {
    let mut connection = TcpStream::connect(address).await?;
    connection.set_nodelay(true)?;
    let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, mut changes) = (Instant::now(), 0_u64);
    while began.elapsed() < within {
        ticks.tick().await;
        let body = format!("{{\"muted\": {}}}", changes % 2 == 0);
        let request = format!(
            "POST /v1/conferences/{conference}/mute HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).await?;
        let answer = timeout(Duration::from_secs(20), answer(&mut connection)).await??;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(answer.into());
        }
        changes += 1;
    }
    Ok(changes)
}

/// The head of an answer, whose body has been read too.
async fn answer(connection: &mut TcpStream) -> Result<String, Failed> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = connection.read(&mut buffer).await?;
        if count == 0 {
            return Err("the connection has ended".into());
        }
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(head.to_owned());
            }
        }
    }
}
