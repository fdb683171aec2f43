//! The programs of `examples/` do what their pages say, against the running binary.
#![allow(missing_docs)]

mod support;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{LOGIN, Phone, Server, run_within, text, wait_for};

const WITHIN: Duration = Duration::from_secs(60);

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

/// Reserves, lists, watches two callers, ejects one of them, and is refused what cannot be done.
fn reserves_lists_watches_and_ejects(program: impl Fn() -> Command) {
    let server = Server::start("");
    let ask = || {
        let mut command = program();
        command
            .env("PLENARY_URL", format!("http://{}", server.http))
            .env("PLENARY_LOGIN", LOGIN)
            .env("PLENARY_KEY", &server.key);
        command
    };
    let said = |arguments: &[&str]| {
        let output = run_within(ask().args(arguments), WITHIN);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };

    let start = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).strftime("%Y-%m-%d_%H:%M:%S");
    let reserve = ["reserve", "Later", "30", "--start", &start.to_string()];
    let token = said(&reserve);
    assert_eq!(token, server.get("/conference_list")[0]["reservation_token"]);
    let list = said(&["list"]);
    assert!(list.contains("Later") && list.contains("RESERVED"), "{list}");
    let again = run_within(ask().args(reserve), WITHIN);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert!(text(&again).contains("1202"), "the refusal is shown: {}", text(&again));

    let mut phones = [700, 900].map(|hz| Phone::call(&server.uri("conf-Board"), hz, "PCMU"));
    let ids = server.wait_for_participants("Board", 2);
    let mut watch = ask().args(["watch", "Board"]).stdout(Stdio::piped()).spawn().unwrap();
    let watched = Arc::new(Mutex::new(Vec::new()));
    let (printed, lines) = (watch.stdout.take().unwrap(), watched.clone());
    let watching = std::thread::spawn(move || {
        for line in BufReader::new(printed).lines() {
            lines.lock().unwrap().push(line.unwrap());
        }
    });
    let count = |sign: char, id: &str| {
        watched.lock().unwrap().iter().filter(|line| line.starts_with(sign) && line.contains(id)).count()
    };
    wait_for("both to be seen", || ids.iter().all(|id| count('+', id) == 1).then_some(()));
    wait_for("the conference to be active", || {
        (server.get("/conference_list")[0]["status"] == "ACTIVE").then_some(())
    });
    said(&["eject", "Board", &ids[0]]);
    let refused = run_within(ask().args(["eject", "Board", &ids[0]]), WITHIN);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    wait_for("the one who was ejected to be seen to leave", || (count('-', &ids[0]) == 1).then_some(()));
    phones.iter_mut().for_each(Phone::hang_up);
    let status = wait_for("the watcher to end with the conference", || watch.try_wait().unwrap());
    assert!(status.success(), "{status}");
    watching.join().unwrap();
    for id in &ids {
        assert_eq!((count('+', id), count('-', id)), (1, 1), "{:?}", watched.lock().unwrap());
    }
}

#[test]
fn the_one_of_curl() {
    reserves_lists_watches_and_ejects(|| Command::new(example("curl/conference.sh")));
}

#[test]
fn the_one_of_python() {
    reserves_lists_watches_and_ejects(|| Command::new(example("python/conference.py")));
}

#[cfg(feature = "interop")]
#[test]
fn the_one_of_typescript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/npm");
    let out = tempfile::tempdir().unwrap();
    let compiled = Command::new(folder.join("node_modules/.bin/tsc"))
        .args(["--strict", "--target", "es2022", "--module", "commonjs", "--types", "node", "--typeRoots"])
        .arg(folder.join("node_modules/@types"))
        .arg("--outDir")
        .arg(out.path())
        .arg(example("typescript/conference.ts"))
        .output()
        .expect("TypeScript is installed (make interop does that)");
    assert!(compiled.status.success(), "{}", text(&compiled));
    reserves_lists_watches_and_ejects(|| {
        let mut node = Command::new("node");
        node.arg(out.path().join("conference.js"));
        node
    });
}
