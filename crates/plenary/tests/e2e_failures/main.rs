//! What goes wrong around a running server: disk, database, clock, file descriptors, floods, too much to do.
//! `docs/reliability.md` says what is to happen. Whatever it is, those who are in conference go on hearing each other.
#![allow(missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod floods;
mod overload;

use plenary_caller::CallState;
use plenary_model::CallRecordEntry;
use serde_json::json;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    io::{ErrorKind, Write},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use support::{
    LOGIN, Server, plenary, run_within, signal,
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
