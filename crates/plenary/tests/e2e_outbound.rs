//! Calls that we place, to SIPp: what servers, trunks and forking proxies send back.
#![allow(missing_docs)]

mod support;

use std::{path::Path, process::Command, time::Duration};
use support::{free_port, plenary, run_within, text};

/// A call by `plenary call` to a SIPp that plays this scenario; both have to be content.
#[track_caller]
fn call(scenario: &str, flags: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp").join(scenario);
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            run_within(
                Command::new("sipp")
                    .current_dir(folder.path())
                    .env("TERM", "xterm")
                    .args([
                        "-i",
                        "127.0.0.1",
                        "-p",
                        &port,
                        "-m",
                        "1",
                        "-nostdin",
                        "-timeout",
                        "60s",
                        "-timeout_error",
                    ])
                    .arg("-sf")
                    .arg(&scenario),
                Duration::from_secs(90),
            )
        });
        // An INVITE that comes before SIPp listens is sent again.
        let uri = format!("sip:+441908@127.0.0.1:{port}");
        let called = run_within(
            plenary().args(["call", &uri, "--seconds", "1"]).args(flags).current_dir(folder.path()),
            Duration::from_secs(90),
        );
        let server = server.join().unwrap();
        assert!(server.status.success(), "SIPp: {}\n{}", text(&server), text(&called));
        assert!(called.status.success(), "{}", text(&called));
    });
}

#[test]
fn reliable_ringing_is_acknowledged() {
    call("uas_100rel.xml", &[]);
}

#[test]
fn of_two_telephones_that_answer_the_second_is_hung_up() {
    call("uas_fork.xml", &[]);
}

#[test]
fn a_trunk_is_told_the_password() {
    call("uas_challenge.xml", &["--user", "board", "--password", "secret"]);
}
