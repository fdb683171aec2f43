//! The web services with curl, and the commands of an operator, against the running binary.
#![allow(missing_docs)]

mod support;

use serde_json::json;
use std::{fs, time::Duration};
use support::{LOGIN, Server, plenary, run_within, sipp, text, wait_for};

fn soon(minutes: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes))
        .strftime("%Y-%m-%d_%H:%M:%S")
        .to_string()
}

#[test]
fn what_was_answered_with_success_survives_kill_9() {
    let mut server = Server::start("");
    let create = |server: &Server, name: &str| {
        let path = format!(
            "/conference_reservation_create?conference_name={name}&max_participants=40&start_time={}&duration=30",
            soon(10)
        );
        server.get(&path)["reservation_token"].as_str().unwrap().to_owned()
    };
    let (kept, removed) = (create(&server, "Kept"), create(&server, "Removed"));
    assert_eq!(
        server.get(&format!("/conference_reservation_remove?reservation_token={removed}")),
        json!({"removed": true})
    );
    let extend = format!("/conference_reservation_modify?reservation_token={kept}&duration=45");
    assert_eq!(server.get(&extend), json!({"extended": true}));
    let before = server.get("/conference_list");
    assert_eq!((before.as_array().unwrap().len(), &before[0]["duration"]), (1, &json!(75)));
    server.kill_and_restart();
    assert_eq!(server.get("/conference_list"), before);
    let (_, service) = server.curl(&[], "/service/v1/inbound/conf-*");
    assert_eq!(service["conference"]["name"], "{rest}");
}

#[test]
fn a_conference_in_its_time_is_open_again_after_a_restart() {
    let mut server = Server::start("[reservations]\nmin_notice_minutes = 0\n");
    server.reserve_now("Board");
    server.kill_and_restart();
    assert_eq!(server.get("/conference_list")[0]["status"], "HOLDING");
    sipp(&server, "conf-Board", &["-sn", "uac", "-m", "2", "-d", "100"]);
}

#[test]
fn keys_work_side_by_side_until_revoked_and_at_once() {
    let server = Server::start("");
    let account = |arguments: &[&str]| {
        let output =
            plenary().args(["account"]).args(arguments).arg("--data").arg(server.data()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let status = |key: &str| server.curl_as(&format!("{LOGIN}:{key}"), &[], "/conference_list").0;
    let new = account(&["key", "new", LOGIN]).lines().last().unwrap().to_owned();
    assert_eq!((status(&server.key), status(&new), status("wrong")), (200, 200, 401));
    let list = account(&["key", "list", LOGIN]);
    let ids: Vec<&str> = list.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{list}");
    assert!(!list.contains(&new) && !list.contains(&server.key), "a key is shown once only");
    account(&["key", "revoke", LOGIN, ids[0]]);
    assert_eq!((status(&server.key), status(&new)), (401, 200));
    assert!(account(&["list"]).contains(LOGIN));
    let database = fs::read(server.data().join("plenary.db")).unwrap();
    let holds = |key: &str| database.windows(key.len()).any(|window| window == key.as_bytes());
    assert!(!holds(&new) && !holds(&server.key), "keys are stored hashed");
}

#[test]
fn accounts_see_only_their_own() {
    let server = Server::start("[reservations]\nmin_notice_minutes = 0\n");
    let token = server.reserve_now("Board");
    let other = "3-4-5/eve@example.com";
    let created = plenary().args(["account", "create", other, "--data"]).arg(server.data()).output().unwrap();
    let key = String::from_utf8(created.stdout).unwrap().lines().last().unwrap().to_owned();
    let eve = |path: &str| server.curl_as(&format!("{other}:{key}"), &[], path);
    assert_eq!(eve("/conference_list"), (200, json!([])));
    assert_eq!(eve(&format!("/conference_reservation_modify?reservation_token={token}&duration=15")).0, 404);
    assert_eq!(eve("/conference_participant_list?conference_name=Board").0, 404);
    assert_eq!(eve("/service/v1/inbound/conf-*").0, 404);
    let (status, body) = server.curl_as(
        &format!("{other}:{key}"),
        &["-X", "PUT", "-d", r#"{"conference":{"name":"{rest}"}}"#],
        "/service/v1/inbound/conf-*",
    );
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &json!("1207")),
        "names are unique over the installation"
    );
    let mine = eve(&format!(
        "/conference_reservation_create?conference_name=Board&max_participants=40&start_time={}&duration=30",
        soon(10)
    ));
    assert_eq!(mine.0, 200, "a conference's name is unique within an account only: {}", mine.1);
}

#[test]
fn callers_are_told_when_the_server_stops() {
    let mut server = Server::start("drain_seconds = 0\n");
    std::thread::scope(|scope| {
        let uri = server.uri("conf-Tea");
        let call = scope.spawn(move || {
            run_within(plenary().args(["call", &uri, "--seconds", "20"]), Duration::from_secs(30))
        });
        server.wait_for_participants("Tea", 1);
        let status = server.terminate();
        assert!(status.success());
        let output = call.join().unwrap();
        assert!(text(&output).contains("hung up: The service is stopping"), "{}", text(&output));
    });
}

#[test]
fn the_test_caller_hears_presses_and_records() {
    let server = Server::start("");
    server.put_service(
        "exit",
        r##"{"conference": {"name": "Tea", "participant": {"exit_digit": "#", "beep_on_entry": false}}}"##,
    );
    server.put_service("hello", r#"{"announcement": {"play": ["tone:700/800", "silence:200"]}}"#);
    let folder = tempfile::tempdir().unwrap();
    let heard = folder.path().join("heard.wav");
    let uri = server.uri("hello");
    let output = run_within(
        plenary().args(["call", &uri, "--seconds", "10", "--record"]).arg(&heard),
        Duration::from_secs(20),
    );
    assert!(text(&output).contains("hung up: The announcement is over"), "{}", text(&output));
    let samples = plenary_caller::wav::read(&heard, 8000).unwrap();
    let level = plenary_audio::goertzel::power_dbov(&samples[1600..4800], 8000, 700.0);
    assert!(level > -25.0, "the announcement is heard at {level} dBov");

    let uri = server.uri("exit");
    let output = run_within(
        plenary().args(["call", &uri, "--dtmf", "12,#", "--seconds", "15"]),
        Duration::from_secs(20),
    );
    assert!(text(&output).contains("hung up: Exit key pressed"), "{}", text(&output));
    wait_for("the conference to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
}

#[test]
fn every_call_has_a_record_with_the_statistics_of_its_media() {
    let mut server = Server::start("");
    sipp(&server, "conf-Tea", &["-sn", "uac", "-m", "3", "-r", "10", "-d", "300"]);
    sipp(&server, "conf-Tea", &["-sf", "bad_sdp.xml", "-m", "1"]);
    let data = server.data();
    assert!(server.terminate().success());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let calls = runtime.block_on(async {
        let store = plenary_store::Store::open(&data).await.unwrap();
        let account = store.find_account(LOGIN).await.unwrap().unwrap();
        let all = plenary_store::CallsQuery { limit: 100, ..Default::default() };
        store.calls(account.id, &all).await.unwrap()
    });
    let (up, refused): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.call.answered_at.is_some());
    assert_eq!((up.len(), refused.len()), (3, 1));
    assert!(
        refused[0].cause.as_deref().is_some_and(|cause| cause.contains("session description")),
        "{refused:?}"
    );
    for call in up {
        assert_eq!((call.call.conference.as_deref(), call.call.to.as_str()), (Some("Tea"), "conf-Tea"));
        assert_eq!(call.cause.as_deref(), Some("caller hung up"));
        assert_eq!(call.ended_by, Some(plenary_model::EndedBy::Remote));
        assert!(call.call.answered_at >= Some(call.call.started_at));
        assert!(call.ended_at.is_some_and(|at| at >= call.call.started_at));
        let stats = call.stats.as_deref().unwrap_or_else(|| panic!("no statistics: {call:?}"));
        let stats: serde_json::Value = serde_json::from_str(stats).unwrap();
        assert!(stats["packets_sent"].as_u64().unwrap() >= 10, "{stats}");
    }
}

#[test]
fn keys_are_never_heard_by_the_others() {
    let server = Server::start("");
    // The entry beep is near one of the tones of a key.
    server
        .put_service("quiet", r#"{"conference": {"name": "Tea", "participant": {"beep_on_entry": false}}}"#);
    let folder = tempfile::tempdir().unwrap();
    let heard = folder.path().join("heard.wav");
    std::thread::scope(|scope| {
        let uri = server.uri("quiet");
        let listener = scope.spawn({
            let (uri, heard) = (uri.clone(), heard.clone());
            move || {
                run_within(
                    plenary().args(["call", &uri, "--seconds", "4", "--record"]).arg(heard),
                    Duration::from_secs(20),
                )
            }
        });
        server.wait_for_participants("Tea", 1);
        let output = run_within(
            plenary().args(["call", &uri, "--tone", "1500", "--dtmf", "159#", "--seconds", "3"]),
            Duration::from_secs(20),
        );
        assert!(output.status.success(), "{}", text(&output));
        assert!(listener.join().unwrap().status.success());
    });
    let samples = plenary_caller::wav::read(&heard, 8000).unwrap();
    let loudest = |hz: f32| {
        let levels = samples
            .windows(800)
            .step_by(400)
            .map(|window| plenary_audio::goertzel::power_dbov(window, 8000, hz));
        levels.fold(-127.0_f32, f32::max)
    };
    assert!(loudest(1500.0) > -16.0, "the voice is heard");
    for hz in [697.0, 770.0, 852.0, 941.0] {
        assert!(loudest(hz) < -45.0, "a key tone of {hz} Hz at {} dBov", loudest(hz));
    }
}

#[test]
fn the_pages_that_errors_link_to_are_served() {
    let server = Server::start("");
    let (status, body) = server.curl(&[], "/conference_reservation_create");
    assert_eq!(status, 400);
    let link = body["error"]["link"].as_str().unwrap();
    let (page, anchor) = link.split_once('#').unwrap();
    let output = std::process::Command::new("curl").args(["-sS", page]).output().unwrap();
    let html = String::from_utf8(output.stdout).unwrap();
    assert!(html.contains(&format!("id=\"{anchor}\"")), "{link}");
}

#[test]
fn a_server_that_drains_lets_calls_go_on_and_takes_no_new_ones() {
    let mut server = Server::start("");
    std::thread::scope(|scope| {
        let uri = server.uri("conf-Tea");
        let call = scope.spawn({
            let uri = uri.clone();
            move || run_within(plenary().args(["call", &uri, "--seconds", "6"]), Duration::from_secs(60))
        });
        server.wait_for_participants("Tea", 1);
        support::signal(server.pid(), "TERM");
        wait_for("the health check to say so", || (server.curl(&[], "/healthz").0 == 503).then_some(()));
        let late = run_within(plenary().args(["call", &uri, "--seconds", "1"]), Duration::from_secs(30));
        assert!(text(&late).contains("503"), "{}", text(&late));
        assert_eq!(server.participants("Tea").len(), 1, "it is still managed");
        // The caller hung up by itself.
        assert!(!text(&call.join().unwrap()).contains("hung up:"));
        wait_for("the server to stop", || (!server.is_running()).then_some(()));
    });
}

/// A telephone calls over a transport and is told after a crash that its call is over.
fn is_told_after_a_crash(transport: &str) {
    let mut server = Server::start("");
    std::thread::scope(|scope| {
        let uri = format!("{};transport={transport}", server.uri("conf-Tea"));
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
fn after_a_crash_telephones_are_told_that_their_call_is_over() {
    is_told_after_a_crash("udp");
}

#[test]
fn after_a_crash_telephones_that_called_over_tcp_are_told_too() {
    is_told_after_a_crash("tcp");
}

#[test]
fn a_changed_configuration_is_taken_over_and_a_broken_one_is_not() {
    let server = Server::start("");
    let file = server.folder.path().join("plenary.toml");
    let call = || {
        text(&run_within(
            plenary().args(["call", &server.uri("conf-Tea"), "--seconds", "1"]),
            Duration::from_secs(30),
        ))
    };
    assert!(call().contains("Up, in"));
    let log = || std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
    std::fs::write(&file, "[signalling]\ntrusted = []\n").unwrap();
    support::signal(server.pid(), "HUP");
    wait_for("the change", || log().contains("configuration read again").then_some(()));
    assert!(call().contains("403"));
    std::fs::write(&file, "[signalling]\ntrusted = 7\n").unwrap();
    support::signal(server.pid(), "HUP");
    wait_for("the complaint", || log().contains("the configuration stays as it was").then_some(()));
    assert!(call().contains("403"));
}

/// Who, from where, what, and with what outcome: of every change and every attempt at one, and of nothing else.
#[test]
fn the_audit_log_says_who_did_what() {
    let server = Server::start("");
    let password = r#"{"password": "correct-horse"}"#;
    let asked = [
        (vec!["-X", "PUT", "-d", r#"{"conference": {"name": "Board"}}"#], "/service/v1/inbound/board", 201),
        (vec!["-X", "PUT", "-d", password], "/v1/users/alice", 201),
        (vec!["-X", "DELETE"], "/service/v1/inbound/nobody", 404),
        (vec![], "/conference_reservation_remove?reservation_token=secret-token", 404),
        (vec!["-X", "DELETE"], "/service/v1/inbound/board", 200),
        (vec![], "/conference_list", 200),
        (vec![], "/service/v1/inbound", 200),
    ];
    for (arguments, path, status) in &asked {
        let (got, body) = server.curl(arguments, path);
        assert_eq!(got, *status, "{path}: {body}");
    }
    let stranger =
        server.curl_as("1-2-0/bob@example.com:guess", &["-X", "DELETE"], "/service/v1/inbound/board");
    assert_eq!(stranger.0, 401);
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(" audit: ")).collect();
    let expected = [
        ("PUT", "/service/v1/inbound/conf-*", 201),
        ("PUT", "/service/v1/inbound/board", 201),
        ("PUT", "/v1/users/alice", 201),
        ("DELETE", "/service/v1/inbound/nobody", 404),
        ("GET", "/conference_reservation_remove", 404),
        ("DELETE", "/service/v1/inbound/board", 200),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (method, path, status)) in lines.iter().zip(expected) {
        let wanted = format!("source=\"127.0.0.1\" method={method} path=\"{path}\" status={status}");
        assert!(line.contains(&wanted) && line.contains(LOGIN), "{line}");
    }
    for secret in ["correct-horse", "secret-token", &server.key] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn who_guesses_keys_is_held_off_and_changes_are_on_record() {
    let server = Server::start("[web]\nfailures_per_minute = 3\n");
    server.put_service("board", r#"{"conference": {"name": "Board"}}"#);
    let log = || std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
    assert!(log().contains("path=\"/service/v1/inbound/board\" status=201"), "{}", log());
    for _ in 0..3 {
        assert_eq!(server.curl_as("1-2-0/bob@example.com:guess", &[], "/conference_list").0, 401);
    }
    let guess = || server.curl_as("1-2-0/bob@example.com:guess", &[], "/conference_list").0;
    assert_eq!(guess(), 429);
    assert_eq!(server.curl(&[], "/conference_list").0, 200, "the right key beside it is none of that");
    assert_eq!(guess(), 429);
}
