//! The service on a PostgreSQL, which goes away under calls and comes back; and databases as the command line sees them.
#![allow(missing_docs)]

mod support;

use plenary_caller::CallState;
use plenary_testing::Postgres;
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};
use support::{
    LOGIN, Server, plenary, run_within,
    talk::{Talk, reserve},
    text, wait_for,
};

fn on(postgres: &Postgres) -> Server {
    Server::start(&format!("database = \"{}\"\n", postgres.url()))
}

#[test]
fn calls_go_on_without_postgres_and_everything_works_again_when_it_is_back() {
    let mut postgres = Postgres::with_settings(&[]);
    let mut server = on(&postgres);
    assert!(!server.data().join("plenary.db").exists(), "everything is in PostgreSQL");
    let talk = Talk::begin(&server, "Tea");
    let (status, body) = reserve(&server, "Before", 10);
    assert_eq!(status, 200, "{body}");

    talk.assert_stays_perfect(|| postgres.stop());
    // A request, a sale and a call, at the same time: none waits for another.
    let began = Instant::now();
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            let (status, body) = reserve(&server, "During", 10);
            (status, body, began.elapsed())
        });
        let (state, _call) = talk.dial(&server, "Lunch", 700.0);
        assert!(matches!(state, CallState::Refused { status: 503, .. }), "{state:?}");
        // Four seconds, and what a busy machine takes beside.
        let took = began.elapsed();
        assert!((Duration::from_secs(3)..Duration::from_secs(7)).contains(&took), "the call: {took:?}");
        let (status, body, took) = refused.join().unwrap();
        assert_eq!(status, 503, "{body}");
        assert_eq!(body["error"]["code"], "HTTP 503");
        assert!((Duration::from_secs(3)..Duration::from_secs(7)).contains(&took), "the request: {took:?}");
    });
    talk.assert_stays_perfect(|| ());
    assert!(server.is_running());

    postgres.start_again();
    let (status, body) = reserve(&server, "After", 10);
    assert_eq!(status, 200, "without a restart: {body}");
    drop(talk.call(&server, "Lunch", 700.0));
    talk.assert_is_heard();
    talk.hang_up();
    // Records of before, during and after.
    wait_for("the records of three calls", || {
        let ended = "SELECT count(*) FROM calls WHERE ended_at IS NOT NULL";
        (postgres.execute(ended) == "3").then_some(())
    });
    assert_eq!(
        postgres.execute("SELECT string_agg(name, ' ' ORDER BY name) FROM reservations"),
        "After Before"
    );
}

#[test]
fn a_restart_that_is_short_is_only_waited_for() {
    let mut postgres = Postgres::with_settings(&[]);
    let server = on(&postgres);
    let talk = Talk::begin(&server, "Tea");
    // On a busy machine a restart can take longer than requests wait, 4 s: then 503 is right, and the next restart may be shorter.
    for name in ["Board", "Budget", "Breakfast"] {
        postgres.kill();
        let began = Instant::now();
        let ((status, body), took) = std::thread::scope(|scope| {
            let reserved = scope.spawn(|| reserve(&server, name, 10));
            postgres.start_again();
            let took = began.elapsed();
            (reserved.join().unwrap(), took)
        });
        if took < Duration::from_secs(3) {
            assert_eq!(status, 200, "after {took:?}: {body}");
            break;
        }
        assert!(matches!(status, 200 | 503), "after {took:?}: {body}");
        assert_eq!(reserve(&server, &format!("{name}Again"), 10).0, 200, "it is back");
    }
    drop(talk.call(&server, "Lunch", 700.0));
    talk.hang_up();
}

#[test]
fn a_database_is_made_checked_and_copied_by_command() {
    let postgres = Postgres::with_settings(&[]);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], database: &str| {
        let mut command = plenary();
        command.args(arguments).args(["--data"]).arg(folder.path());
        if !database.is_empty() {
            command.env("PLENARY_DATABASE", database);
        }
        let output = command.output().unwrap();
        (output.status.code().unwrap(), text(&output))
    };
    let url = postgres.url();
    let (code, said) = run(&["database", "check"], &url);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("plenary database migrate") && said.contains("PostgreSQL"), "{said}");
    assert_eq!(run(&["database", "migrate"], &url).0, 0);
    let (code, said) = run(&["database", "check"], &url);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Nothing is wrong with it."), "{said}");

    let (code, said) = run(&["database", "check"], "");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("there is no database of Plenary at sqlite://"), "{said}");
    assert_eq!(run(&["account", "create", LOGIN], "").0, 0);
    let file = format!("sqlite://{}/plenary.db", folder.path().display());
    let (code, said) = run(&["database", "copy", "--from", &file, "--to", &url], "");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("both hold the same"), "{said}");
    assert_eq!(run(&["account", "list"], &url), (0, format!("{LOGIN}\n")));
    let (code, said) = run(&["database", "copy", "--from", &file, "--to", &url], "");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is not empty (rows in its table accounts: 1)"), "{said}");

    let (code, said) = run(&["database", "check"], "postgres://plenary:secret@127.0.0.1:1/plenary");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the database plenary at 127.0.0.1:1 cannot be opened"), "{said}");
    assert!(!said.contains("secret"), "{said}");
    let (code, said) = run(&["database", "check"], "mysql://plenary:secret@db/plenary");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("postgres://USER") && !said.contains("secret"), "{said}");
}

#[test]
fn a_second_service_is_refused_until_the_first_has_ended_and_the_first_begins_again_after_a_crash() {
    let postgres = Postgres::start();
    let config = format!("database = \"{}\"\n", postgres.url());
    let mut first = on(&postgres);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plenary.toml");
    std::fs::write(&file, config).unwrap();
    let mut second = plenary();
    second.args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--data"]);
    second.arg(folder.path().join("data")).arg("--config").arg(&file);
    let output = run_within(&mut second, Duration::from_secs(60));
    let said = text(&output);
    assert!(!output.status.success(), "{said}");
    let folder_of_first = first.data().canonicalize().unwrap();
    assert!(said.contains("another service uses the database"), "{said}");
    assert!(said.contains(&folder_of_first.display().to_string()), "{said}");
    // Under its own name it may at once.
    first.kill_and_restart();
    assert!(first.terminate().success());
    let mut second = second.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut lines = BufReader::new(second.stdout.take().unwrap()).lines().map_while(Result::ok);
    let is_up = lines.any(|line| line.starts_with("Web services:"));
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(is_up, "the first has ended");
}
