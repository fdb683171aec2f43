//! What goes wrong around a running server: disk, database, clock, file descriptors, floods, too much to do.
//! `docs/reliability.md` says what is to happen. Whatever it is, those who are in conference go on hearing each other.
#![allow(missing_docs)]

mod support;

use plenary_caller::{Call, CallSpec, CallState, Caller, CallerConfig, Speech};
use plenary_model::CallRecordEntry;
use serde_json::json;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use support::{
    LOGIN, Server, look_for, plenary, run_within, signal,
    talk::{Talk, reserve},
    text, wait_for,
};
use tokio::runtime::Runtime;

const NO_NOTICE: &str = "[reservations]\nmin_notice_minutes = 0\n";
/// 127.0.0.1 is trusted, the rest of loopback are strangers.
const STRANGERS: &str = "[signalling]\nallow_from = [\"127.0.0.0/8\"]\ntrusted = [\"127.0.0.1/32\"]\n";

/// A number out of `/proc/PID/status`, in KiB.
fn memory_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What the process has computed so far.
fn cpu_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[test]
fn a_full_disk_refuses_what_must_last_and_nothing_else_and_the_rest_is_written_later() {
    // The data folder is a file system of six megabytes that only the server and its children see.
    let mut server = Server::start_by("", |folder| {
        let data = folder.join("data");
        let mount = format!(
            "cp -a '{0}' '{0}.disk' && mount -t tmpfs -o size=6m plenary-test '{0}' && cp -a '{0}.disk/.' '{0}' && exec \"$@\"",
            data.display()
        );
        ["unshare", "--mount", "--map-root-user", "sh", "-c", &mount, "sh"].map(str::to_owned).to_vec()
    });
    let inside = format!("/proc/{}/root{}", server.pid(), server.data().display());
    let talk = Talk::begin(&server, "Tea");

    let ballast = Path::new(&inside).join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    for size in [65_536, 4096, 1] {
        loop {
            match file.write(&vec![0; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    // Or it would hold its space after it is removed.
    drop(file);
    talk.assert_stays_perfect(|| {
        let (status, body) = reserve(&server, "Board", 10);
        assert_eq!(status, 503, "{body}");
        assert_eq!(body["error"]["code"], "HTTP 503");
        let text = body["error"]["text"].as_str().unwrap();
        assert!(text.contains("the database cannot be used right now"), "{text}");
        let service = r#"{"conference": {"name": "Other"}}"#;
        let (status, body) = server.curl(&["-X", "PUT", "-d", service], "/service/v1/inbound/other");
        assert_eq!(status, 503, "{body}");
    });
    // Nothing of it is there, and what needs no disk works: questions, new calls, the end of calls.
    let list = server.get("/conference_list");
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let third = talk.call(&server, "Lunch", 700.0);
    drop(third);
    talk.hang_up();
    wait_for("the conferences to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
    wait_for("a record that cannot be written", || {
        server
            .log()
            .contains("records of calls and conferences cannot be written; trying again")
            .then_some(())
    });

    fs::remove_file(&ballast).unwrap();
    wait_for("a reservation to work again", || (reserve(&server, "Board", 10).0 == 200).then_some(()));
    // All three calls are on record, with how they ended. A copy is looked at, for the folder goes with the process; one that was
    // made during a write cannot be read and is made again.
    let copy = server.folder.path().join("copy");
    let runtime = Runtime::new().unwrap();
    wait_for("the records", || {
        let _ = fs::remove_dir_all(&copy);
        let copied = Command::new("cp").arg("-r").arg(&inside).arg(&copy).status().unwrap();
        let calls = runtime.block_on(async {
            let store = plenary_store::Store::open(&copy).await.ok()?;
            let account = store.find_account(LOGIN).await.ok()??;
            let all = plenary_store::CallsQuery { limit: 100, ..Default::default() };
            store.calls(account.id, &all).await.ok()
        });
        let is_whole =
            |calls: &[CallRecordEntry]| calls.len() == 3 && calls.iter().all(|call| call.ended_at.is_some());
        (copied.success() && calls.is_some_and(|calls| is_whole(&calls))).then_some(())
    });
    assert!(server.is_running());
}

#[test]
fn a_database_that_another_process_holds_delays_what_must_last_and_nothing_else() {
    let server = Server::start("");
    let talk = Talk::begin(&server, "Tea");
    let file = server.data().join("plenary.db");
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        Runtime::new().unwrap().block_on(async {
            let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
            sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.unwrap();
            locked.send(()).unwrap();
            released.recv().unwrap();
            sqlx::query("ROLLBACK").execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    });
    is_locked.recv().unwrap();
    // Longer than the store waits.
    let asked = Instant::now();
    let (status, body) = reserve(&server, "Board", 10);
    assert_eq!(status, 503, "{body}");
    assert!(asked.elapsed() > Duration::from_secs(9), "it waits for the other first");
    talk.assert_stays_perfect(|| {
        server.get("/conference_list");
        drop(talk.call(&server, "Lunch", 700.0));
    });
    release.send(()).unwrap();
    holder.join().unwrap();
    wait_for("a reservation to work again", || (reserve(&server, "Board", 10).0 == 200).then_some(()));
    talk.hang_up();
}

#[test]
fn a_database_file_that_is_taken_away_or_replaced_is_noticed_before_anything_is_promised() {
    let server = Server::start("");
    let talk = Talk::begin(&server, "Tea");
    let file = server.data().join("plenary.db");
    let away = server.folder.path().join("away.db");
    fs::rename(&file, &away).unwrap();
    let unavailable = |name: &str| {
        let (status, body) = reserve(&server, name, 10);
        assert_eq!(status, 503, "{body}");
    };
    unavailable("Board");
    // Another one in its place is no better.
    fs::copy(&away, &file).unwrap();
    unavailable("Board");
    assert!(server.log().contains("was moved away or replaced while it was in use"), "{}", server.log());
    talk.assert_stays_perfect(|| drop(talk.call(&server, "Lunch", 700.0)));
    fs::rename(&away, &file).unwrap();
    let (status, body) = reserve(&server, "Board", 10);
    assert_eq!(status, 200, "put back, it is as before: {body}");
    talk.hang_up();
}

#[test]
fn a_database_that_is_damaged_while_in_use_fails_requests_and_no_call_and_is_named_at_the_next_start() {
    let mut server = Server::start("");
    let talk = Talk::begin(&server, "Tea");
    let file = server.data().join("plenary.db");
    let length = fs::metadata(&file).unwrap().len() as usize;
    // The same file, of rubbish; what waits beside it to be copied in is cut off as well.
    fs::OpenOptions::new().write(true).open(&file).unwrap().write_all(&vec![0xA5; length]).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(server.data().join("plenary.db-wal"))
        .unwrap()
        .set_len(0)
        .unwrap();
    talk.assert_stays_perfect(|| {
        for number in 0..5 {
            // What is still in memory may be answered from there.
            let (status, body) = reserve(&server, &format!("Board{number}"), 10);
            assert!(matches!(status, 200 | 500 | 503), "{status} {body}");
        }
    });
    assert!(server.is_running());
    talk.hang_up();
    server.terminate();
    let output = plenary_serve(&server);
    let said = text(&output);
    assert!(!output.status.success());
    assert!(said.contains("plenary.db is not a database of Plenary, or it is damaged"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

/// Another server on the same data, which is expected not to start.
fn plenary_serve(server: &Server) -> std::process::Output {
    let mut command = plenary();
    command.args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--data"]).arg(server.data());
    run_within(&mut command, Duration::from_secs(40))
}

#[test]
fn a_database_that_is_locked_at_the_start_is_named_in_one_line() {
    let mut server = Server::start("");
    server.terminate();
    let runtime = Runtime::new().unwrap();
    let file = server.data().join("plenary.db");
    let mut connection = runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await.unwrap();
        connection
    });
    let output = plenary_serve(&server);
    runtime.block_on(async {
        sqlx::query("ROLLBACK").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let said = text(&output);
    assert!(!output.status.success());
    assert!(said.contains("the database cannot be used right now") && said.contains("locked"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[test]
fn the_calendar_may_jump_an_hour_back_and_forward_while_calls_are_up() {
    // The server's calendar is read from a file; its monotonic clock is the machine's.
    let server = Server::start_by(NO_NOTICE, |folder| {
        fs::write(folder.join("clock"), "+0\n").unwrap();
        [
            "env",
            "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1",
            &format!("FAKETIME_TIMESTAMP_FILE={}", folder.join("clock").display()),
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "FAKETIME_CACHE_DURATION=1",
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let set_clock = |offset: &str| {
        fs::write(server.folder.path().join("clock"), format!("{offset}\n")).unwrap();
        let wanted = jiff::Timestamp::now().as_second() + i64::from(offset.parse::<i32>().unwrap());
        // Errors are dated by the server's calendar.
        wait_for("the calendar to be set", || {
            let (_, body) = server.curl(&[], "/conference_reservation_create");
            let said = body["error"]["datetime"].as_str()?.replace('_', "T") + "Z";
            let said: jiff::Timestamp = said.parse().ok()?;
            ((said.as_second() - wanted).abs() < 60).then_some(())
        });
    };
    let status = |name: &str| {
        let list = server.get("/conference_list");
        let of_name = list.as_array().unwrap().iter().find(|one| one["conference_name"] == name).cloned();
        of_name.map(|one| one["status"].as_str().unwrap().to_owned())
    };
    server.reserve_now("Board");
    wait_for("the reserved conference", || (status("Board")? == "HOLDING").then_some(()));
    assert_eq!(reserve(&server, "Later", 50).0, 200);
    let board = Talk::begin(&server, "Board");
    let tea = Talk::begin(&server, "Tea");

    set_clock("-3600");
    // What has begun stays; nobody is put out, and others still come in. The calendar is read at least once a second, so what
    // a change does is done while they talk.
    board.assert_stays_perfect(|| std::thread::sleep(Duration::from_secs(2)));
    assert_eq!(status("Board").as_deref(), Some("ACTIVE"));
    drop(board.call(&server, "Board", 700.0));
    assert_ne!(status("Later").as_deref(), Some("HOLDING"));

    set_clock("+0");
    board.assert_stays_perfect(|| std::thread::sleep(Duration::from_secs(2)));

    // Forward: the time of the one is over, that of the other has come, and the unreserved one knows nothing of it.
    set_clock("+3600");
    wait_for("the end of the reserved conference", || {
        board.calls.iter().all(|call| call.state().is_over()).then_some(())
    });
    wait_for("the later conference", || (status("Later")? == "HOLDING").then_some(()));
    tea.assert_stays_perfect(|| std::thread::sleep(Duration::from_secs(2)));
    tea.assert_is_heard();
    tea.hang_up();
}

#[test]
fn without_file_descriptors_calls_are_refused_and_those_that_are_up_go_on() {
    let server = Server::start("");
    let talk = Talk::begin(&server, "Tea");
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let limit = |files: &str| {
        let pid = server.pid().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={files}:")]).status();
        assert!(done.unwrap().success());
    };
    // Few are left, and those who open connections take them.
    limit(&(open + 4).to_string());
    let connections: Vec<TcpStream> = (0..12).map(|_| TcpStream::connect(&server.http).unwrap()).collect();
    wait_for("descriptors to run out", || {
        server.log().contains("a connection cannot be accepted").then_some(())
    });
    let lines = || server.log().matches("a connection cannot be accepted").count();
    let (cpu, began, lines_before) = (cpu_time(&server), Instant::now(), lines());
    talk.assert_stays_perfect(|| {
        let (state, _call) = talk.dial(&server, "Lunch", 700.0);
        assert!(matches!(state, CallState::Refused { status: 503, .. }), "{state:?}");
        std::thread::sleep(Duration::from_secs(1));
    });
    let (spent, took) = (cpu_time(&server) - cpu, began.elapsed());
    assert!(spent < took / 2, "it waits for descriptors and does not spin: {spent:?} of {took:?}");
    let lines = lines() - lines_before;
    assert!(
        lines < 15 + took.as_millis() as usize / 100,
        "nor does it fill the disk: {lines} lines in {took:?}"
    );

    limit("4096");
    drop(connections);
    wait_for("the web services", || (server.curl(&[], "/conference_list").0 == 200).then_some(()));
    drop(talk.call(&server, "Lunch", 700.0));
    talk.hang_up();
}

/// A telephone made of two sockets, that does with its call what no telephone does.
struct RawCaller {
    audio: UdpSocket,
    /// Where the server takes its audio.
    media: SocketAddr,
    _signalling: UdpSocket,
}

impl RawCaller {
    fn call(server: &Server, conference: &str) -> Self {
        let signalling = UdpSocket::bind("127.0.0.1:0").unwrap();
        signalling.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let audio = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (port, uri) =
            (signalling.local_addr().unwrap().port(), server.uri(&format!("conf-{conference}")));
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            audio.local_addr().unwrap().port()
        );
        let request = |method: &str, uri: &str, to: &str, body: &str| {
            format!(
                "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}{port};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:raw@127.0.0.1>;tag=raw\r\nTo: {to}\r\nCall-ID: raw-{port}\r\nCSeq: 1 {method}\r\n\
                 Contact: <sip:raw@127.0.0.1:{port}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let invite = request("INVITE", &uri, &format!("<{uri}>"), &sdp);
        signalling.send_to(invite.as_bytes(), &server.sip).unwrap();
        let mut buffer = [0; 4096];
        let answer = loop {
            let length = signalling.recv(&mut buffer).unwrap();
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !answer.starts_with("SIP/2.0 1") {
                break answer;
            }
        };
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        let line = |start: &str| answer.lines().find_map(|line| line.strip_prefix(start)).unwrap().to_owned();
        let target = line("Contact: ").split_once('<').unwrap().1.split('>').next().unwrap().to_owned();
        signalling.send_to(request("ACK", &target, &line("To: "), "").as_bytes(), &server.sip).unwrap();
        let port: u16 = line("m=audio ").split(' ').next().unwrap().parse().unwrap();
        Self { audio, media: SocketAddr::from(([127, 0, 0, 1], port)), _signalling: signalling }
    }
}

fn rtp_packet(number: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x55; 160]);
    packet
}

/// Sends up to so many packets a second for so long. What the machine cannot do is left out.
fn flood(
    socket: &UdpSocket,
    to: &str,
    per_second: u32,
    lasting: Duration,
    packet: impl Fn(u32) -> Vec<u8>,
) -> u32 {
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < lasting {
        let due = (began.elapsed().as_secs_f64() * f64::from(per_second)) as u32;
        for number in sent..due.min(sent + per_second / 50) {
            let _ = socket.send_to(&packet(number), to);
        }
        sent = due;
        std::thread::sleep(Duration::from_millis(5));
    }
    sent
}

#[test]
fn floods_of_audio_are_heard_by_nobody_else() {
    let server = Server::start(STRANGERS);
    let talk = Talk::begin(&server, "Tea");
    let caller = RawCaller::call(&server, "Flooded");
    server.wait_for_participants("Flooded", 1);
    let before = memory_kib(&server);
    let media = caller.media.to_string();
    // From a stranger, and from the caller itself.
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    for socket in [&stranger, &caller.audio] {
        talk.assert_stays_perfect(|| {
            flood(socket, &media, 10_000, Duration::from_secs(3), |number| rtp_packet(number as u16, 7))
        });
    }
    // Each packet from another source, as far as it says.
    talk.assert_stays_perfect(|| {
        flood(&caller.audio, &media, 10_000, Duration::from_secs(2), |number| rtp_packet(1, number))
    });
    let grown = memory_kib(&server).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more");
    talk.assert_is_heard();
    talk.hang_up();
}

fn invite(uri: &str, from: &str, number: u32) -> String {
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n";
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKf{number};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:f@{from}>;tag=f{number}\r\nTo: <{uri}>\r\nCall-ID: flood-{number}@{from}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:f@{from}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

#[test]
fn floods_of_signalling_from_a_stranger_are_heard_by_nobody() {
    let server = Server::start(STRANGERS);
    let talk = Talk::begin(&server, "Tea");
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    let (from, uri) = (stranger.local_addr().unwrap().to_string(), server.uri("conf-Tea"));
    let before = memory_kib(&server);
    let three = Duration::from_secs(3);
    // What is nothing at all, then half a request, then requests.
    talk.assert_stays_perfect(|| {
        flood(&stranger, &server.sip, 10_000, three, |number| vec![number as u8; 600])
    });
    talk.assert_stays_perfect(|| {
        flood(&stranger, &server.sip, 10_000, three, |number| {
            invite(&uri, &from, number).as_bytes()[..150 + number as usize % 200].to_vec()
        })
    });
    talk.assert_stays_perfect(|| {
        flood(&stranger, &server.sip, 10_000, three, |number| invite(&uri, &from, number).into_bytes())
    });
    let grown = memory_kib(&server).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
    // Others are served meanwhile and after.
    drop(talk.call(&server, "Lunch", 700.0));
    assert_eq!(server.participants("Tea").len(), 2);
    talk.hang_up();
}

#[test]
fn more_calls_than_can_be_served_are_refused_and_those_in_conference_hear_nothing_of_it() {
    // From a source that has no limits: a trunk in trouble.
    let server = Server::start("");
    let talk = Talk::begin(&server, "Tea");
    let trunk = UdpSocket::bind("127.0.0.1:0").unwrap();
    trunk.set_nonblocking(true).unwrap();
    let (from, uri) = (trunk.local_addr().unwrap().to_string(), server.uri("conf-Flooded"));
    let three = Duration::from_secs(3);
    talk.assert_stays_perfect(|| {
        flood(&trunk, &server.sip, 3000, three, |number| invite(&uri, &from, number).into_bytes())
    });
    talk.assert_is_heard();
    talk.hang_up();
}

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

#[test]
fn how_an_account_and_a_reserved_conference_sound_outlives_a_crash() {
    let mut server = Server::start("");
    assert_eq!(reserve(&server, "Board", 10).0, 200);
    let set = |server: &Server, path: &str, body: &str| server.curl(&["-X", "PATCH", "-d", body], path);
    let (of_account, of_board) = ("/v1/sound", "/v1/conferences/Board/sound");
    // Long before it begins.
    let (status, body) = set(&server, of_board, r#"{"automatic_gain": true}"#);
    assert_eq!(
        (status, &body["automatic_gain"], &body["noise_suppression"]),
        (200, &true.into(), &false.into())
    );
    assert_eq!(set(&server, of_account, r#"{"noise_suppression": true, "automatic_gain": false}"#).0, 200);
    let both = serde_json::json!({ "automatic_gain": true, "noise_suppression": true });
    assert_eq!(server.get(of_board), both, "what is not set for the conference is as for the account");
    server.kill_and_restart();
    assert_eq!(server.get(of_board), both);
    let account = serde_json::json!({ "automatic_gain": false, "noise_suppression": true });
    assert_eq!(server.get(of_account), account);
    // A version that is not there is not changed, whichever is there is.
    for path in [of_account, of_board] {
        let set_if = |version: &str| {
            let condition = format!("If-Match: {version}");
            server.curl(&["-X", "PATCH", "-H", &condition, "-d", r#"{"automatic_gain": true}"#], path).0
        };
        assert_eq!((set_if("\"another\""), set_if("*")), (412, 200), "{path}");
    }
    assert_eq!(set(&server, of_account, r#"{"automatic_gain": false}"#).0, 200);
    // Back to the defaults, for good; and it ends with the reservation.
    assert_eq!(set(&server, of_account, r#"{"noise_suppression": null}"#).0, 200);
    assert_eq!(set(&server, of_board, r#"{"automatic_gain": null, "noise_suppression": true}"#).0, 200);
    server.kill_and_restart();
    let later = serde_json::json!({ "automatic_gain": false, "noise_suppression": true });
    assert_eq!(server.get(of_board), later);
    let list = server.get("/conference_list");
    let token = list[0]["reservation_token"].as_str().unwrap().to_owned();
    assert_eq!(
        server.get(&format!("/conference_reservation_remove?reservation_token={token}"))["removed"],
        true
    );
    assert_eq!(reserve(&server, "Board", 10).0, 200);
    assert_eq!(server.get(of_board)["noise_suppression"], false);
}

#[test]
fn after_a_crash_telephones_that_called_over_tcp_are_told_too() {
    let mut server = Server::start("");
    std::thread::scope(|scope| {
        let uri = format!("{};transport=tcp", server.uri("conf-Tea"));
        let call = scope.spawn(move || {
            run_within(plenary().args(["call", &uri, "--seconds", "25"]), Duration::from_secs(40))
        });
        server.wait_for_participants("Tea", 1);
        server.wait_for_recorded_dialog();
        server.kill_and_restart();
        let output = call.join().unwrap();
        assert!(text(&output).contains("hung up: The service was restarted"), "{}", text(&output));
    });
}

#[test]
fn the_service_manager_is_told_of_the_start_of_health_and_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let told = |wanted: &str| {
        wait_for(wanted, || {
            let mut buffer = [0; 1024];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == wanted).then_some(())
        });
    };
    let mut server = Server::start_by("drain_seconds = 0\n", |_| {
        let socket = format!("NOTIFY_SOCKET={}", path.display());
        // The manager names the process that it watches; exec keeps its number.
        let exec = "export WATCHDOG_PID=$$; exec \"$@\"";
        ["env", &socket, "WATCHDOG_USEC=900000", "sh", "-c", exec, "sh"].map(str::to_owned).to_vec()
    });
    told("READY=1");
    for _ in 0..3 {
        told("WATCHDOG=1");
    }
    signal(server.pid(), "HUP");
    told("RELOADING=1");
    told("READY=1");
    told("WATCHDOG=1");
    assert!(server.terminate().success());
    told("STOPPING=1");
}
