//! More callers, or less processor, than there is room for.

use super::floods::invite;
use crate::support::{Server, look_for, signal, talk::Talk, wait_for};
use plenary_caller::{Call, CallSpec, CallState, Caller, CallerConfig, Speech};
use std::{
    fs,
    net::UdpSocket,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// One more caller for conferences that cost much: all talk, with noise suppression.
fn crowd(talk: &Talk, server: &Server, crowd: &Caller, number: usize) -> Result<Call, CallState> {
    let conference = format!("Crowd{}", number / 20);
    let uri = server.uri(&format!("conf-{conference}"));
    let speech = Speech::Tone { hz: 300 + 10 * (number % 20) as u16, dbov: -16.0 };
    let spec = CallSpec { speech, listens: false, ..CallSpec::default() };
    let (state, call) = talk.runtime.block_on(async {
        let mut call = crowd.dial(&uri, spec).await.unwrap();
        let state = tokio::time::timeout(Duration::from_secs(20), call.answered()).await.unwrap();
        (state, call)
    });
    if state != CallState::Up {
        return Err(state);
    }
    if number.is_multiple_of(20) {
        let sound = ["-X", "PATCH", "-d", r#"{"noise_suppression": true}"#];
        assert_eq!(server.curl(&sound, &format!("/v1/conferences/{conference}/sound")).0, 200);
    }
    Ok(call)
}

/// What a SIP caller gets now: the status line and Retry-After.
fn told(server: &Server) -> (String, Option<u32>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let from = socket.local_addr().unwrap();
    let text = invite(&server.uri("conf-Late"), &from.to_string(), u32::from(from.port()));
    socket.send_to(text.as_bytes(), &server.sip).unwrap();
    let mut buffer = [0; 4000];
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !answer.starts_with("SIP/2.0 1") {
            let after =
                answer.lines().find_map(|line| line.strip_prefix("Retry-After: ")?.trim().parse().ok());
            return (answer.lines().next().unwrap_or_default().to_owned(), after);
        }
    }
}

/// Whether the system lets media threads run before all others (the 41st field of their stat, see proc(5): SCHED_RR). Where it
/// does not, a machine that is full of other work starves them like all others.
fn goes_first(server: &Server) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok()).any(|stat| {
        let behind_name = stat.rsplit_once(") ").unwrap().1;
        behind_name.split(' ').nth(38) == Some("2")
    })
}

/// For how long the only media thread has been at work (the first field of its schedstat, see proc_pid_schedstat(5)).
fn worked(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut threads = tasks.filter_map(|task| Some(task.ok()?.path()));
    let is_media =
        |path: &PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|name| name == "media-0\n");
    let stat = fs::read_to_string(threads.find(is_media).unwrap().join("schedstat")).unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// How often new calls were taken again after they had been refused.
fn overload_ends(server: &Server) -> usize {
    server.log().matches("no longer overloaded").count()
}

/// For what share of the time the only media thread was at work in the busiest three tenths of a second, until it is to stop.
fn busiest(pid: u32, is_over: &AtomicBool) -> f64 {
    let mut seen = vec![(Instant::now(), worked(pid))];
    let mut most = 0.0_f64;
    while !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        let (at, worked) = (Instant::now(), worked(pid));
        let (since, before) = seen[seen.len().saturating_sub(3)];
        most = most.max((worked - before).as_secs_f64() / (at - since).as_secs_f64());
        seen.push((at, worked));
    }
    most
}

/// Does something, and looks whether those in conference heard it: also for what share of the time the only media thread was at work.
/// Where that leaves it no time for a while, too many were let in, as [`callers_come_until_it_is_too_much_and_those_in_conference_hear_nothing_of_it`]
/// finds in the end, or the machine has become slower since they came: no refusal of new callers can help that.
fn heard_meanwhile<T>(talk: &Talk, server: &Server, meanwhile: impl FnOnce() -> T) -> (T, f64) {
    let (pid, is_over) = (server.pid(), AtomicBool::new(false));
    let (worked_before, before) = (worked(pid), Instant::now());
    let (result, fault, busiest) = std::thread::scope(|scope| {
        let busiest = scope.spawn(|| busiest(pid, &is_over));
        let (result, fault) = talk.listen_meanwhile(meanwhile);
        is_over.store(true, Ordering::Relaxed);
        (result, fault, busiest.join().unwrap())
    });
    let share = (worked(pid) - worked_before).as_secs_f64() / before.elapsed().as_secs_f64();
    assert!(
        fault.is_none() || busiest >= FULL,
        "the media thread was at work for {share} of the time, at the most for {busiest}: {fault:?}"
    );
    (result, share)
}

/// The share of the time that a media thread may need at the most while it has callers enough.
const FULL: f64 = 0.92;

/// How many callers were there at a time, on average from `since` on; each from the moment on at which it had come.
fn callers_since(came: &[Instant], since: Instant) -> f64 {
    let there: Duration = came.iter().map(|at| Instant::now() - (*at).max(since)).sum();
    there.as_secs_f64() / since.elapsed().as_secs_f64()
}

/// Nothing is simulated here: callers come until the one media thread has as much to do as it can.
#[test]
fn callers_come_until_it_is_too_much_and_those_in_conference_hear_nothing_of_it() {
    let server = Server::start("[media]\nworkers = 1\n");
    let talk = Talk::begin(&server, "Tea");
    let caller = talk.runtime.block_on(Caller::new(CallerConfig::default())).unwrap();
    let (mut inside, mut came, began) = (Vec::new(), Vec::new(), Instant::now());
    let is_judged = goes_first(&server);
    // The share of its time that the media thread needs for a caller, the least and the most that was seen: what else the machine does
    // makes the same work take longer, by half where two virtual processors are one. Too many were let in where there is no time for
    // them by the least, too few where there is time left by the most.
    let (mut for_each, mut for_each_most) = (f64::INFINITY, 0.0_f64);
    let mut see = |share: f64, callers: f64| {
        for_each = for_each.min(share / callers);
        for_each_most = for_each_most.max(share / callers);
        for_each_most * callers
    };
    'crowded: loop {
        let ends_before = overload_ends(&server);
        let refused = loop {
            assert!(began.elapsed() < Duration::from_secs(120), "{} callers are not too many", inside.len());
            let mut come = || {
                let window = Instant::now();
                // Twenty a second.
                for number in 0..40 {
                    let due = window + number * Duration::from_millis(50);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    match crowd(&talk, &server, &caller, inside.len()) {
                        Ok(call) => {
                            inside.push(call);
                            came.push(Instant::now());
                        }
                        Err(state) => return Some(state),
                    }
                }
                None
            };
            let since = Instant::now();
            let refused = if is_judged {
                let (refused, share) = heard_meanwhile(&talk, &server, come);
                let callers = callers_since(&came, since);
                if callers >= 10.0 {
                    see(share, callers);
                }
                refused
            } else {
                come()
            };
            if let Some(state) = refused {
                break state;
            }
        };
        assert!(matches!(refused, CallState::Refused { status: 503, .. }), "{refused:?}");
        for window in 0..5 {
            let ((status, retry_after), share) = if is_judged {
                heard_meanwhile(&talk, &server, || told(&server))
            } else {
                (told(&server), 0.0)
            };
            if status == "SIP/2.0 200 OK" {
                // It was a forecast, and the callers cost less: more of them can come.
                wait_for("the end of the refusals in the log", || {
                    (overload_ends(&server) > ends_before).then_some(())
                });
                continue 'crowded;
            }
            assert_eq!((status.as_str(), retry_after), ("SIP/2.0 503 Service Unavailable", Some(10)));
            if !is_judged {
                break 'crowded;
            }
            let at_most = see(share, inside.len() as f64);
            assert!(
                window > 0 || at_most > 0.6,
                "{} callers are not too many: {share}, {at_most}",
                inside.len()
            );
        }
        break;
    }
    let needed = for_each * inside.len() as f64;
    assert!(
        !is_judged || needed < FULL,
        "{} callers leave the media thread no time: it needs {for_each} for each, and {needed} for all",
        inside.len()
    );
    assert_eq!(server.participants("Tea").len(), 2);
    // As many leave as make it calm, also where other work makes those that stay cost half as much again.
    inside.drain(..inside.len() * 2 / 3).for_each(|call| call.hang_up());
    // It is calm when it was calm for two seconds on end, which a machine full of other work takes its time for.
    let is_taken =
        || look_for(|| (talk.dial(&server, "Late", 700.0).0 == CallState::Up).then_some(())).is_some();
    assert!((0..3).any(|_| is_taken()), "no call is taken for a minute: {}", server.log());
    assert!(overload_ends(&server) > 0);
    talk.runtime.block_on(caller.stop());
    talk.assert_is_heard();
    talk.hang_up();
}

#[test]
fn where_media_threads_are_late_new_calls_get_503_until_it_is_calm_again() {
    let server = Server::start("");
    let talk = Talk::begin(&server, "Tea");
    // Half of the time it does not run at all: each stall leaves out some ticks.
    let is_refused = |talk: &Talk| {
        let (state, _call) = talk.dial(&server, "Lunch", 700.0);
        matches!(state, CallState::Refused { status: 503, .. })
    };
    wait_for("an overload", || {
        for _ in 0..3 {
            signal(server.pid(), "STOP");
            std::thread::sleep(Duration::from_millis(250));
            signal(server.pid(), "CONT");
            std::thread::sleep(Duration::from_millis(60));
        }
        server.log().contains("overloaded: new calls are refused with 503").then_some(())
    });
    assert!(is_refused(&talk), "{}", server.log());
    assert_eq!(server.participants("Tea").len(), 2, "who is in stays in");
    wait_for("calm", || server.log().contains("no longer overloaded").then_some(()));
    wait_for("a call to be taken", || (!is_refused(&talk)).then_some(()));
    talk.assert_is_heard();
    talk.hang_up();
}
