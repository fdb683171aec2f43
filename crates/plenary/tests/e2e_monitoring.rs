//! The doctor, logs, the messages of calls, and HEP3, of the real program.

mod support;

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::UdpSocket,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};
use support::{LOGIN, Server, free_address, plenary, signal, wait_for};

/// A key of the account with this scope.
fn key(server: &Server, scope: &str) -> String {
    let made = plenary()
        .args(["account", "key", "new", LOGIN, "--scope", scope, "--data"])
        .arg(server.data())
        .output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", support::text(&made));
    String::from_utf8(made.stdout).unwrap().lines().last().unwrap().to_owned()
}

fn call(server: &Server, arguments: &[&str]) -> Child {
    plenary()
        .args(["call", &format!("sip:conf-Tea@{}", server.sip), "--tone", "440"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Ctrl-C: the caller hangs up.
fn hang_up(mut caller: Child) {
    signal(caller.id(), "INT");
    wait_for("the caller to hang up", || caller.try_wait().unwrap());
}

fn doctor(arguments: &[&str]) -> (Output, BTreeMap<String, Value>) {
    let output = plenary().arg("doctor").args(arguments).arg("--json").output().unwrap();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", support::text(&output)));
    let checks = report["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone())).collect();
    assert_eq!(output.status.success(), report["ok"] == true, "{report}");
    (output, checks)
}

#[track_caller]
fn status<'a>(checks: &'a BTreeMap<String, Value>, name: &str) -> &'a str {
    checks[name]["status"].as_str().unwrap()
}

#[test]
fn the_doctor_looks_before_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let (http, sip) = (free_address(), free_address());
    let file = folder.path().join("plenary.toml");
    let data = folder.path().join("data");
    fs::write(&file, format!("http = \"{http}\"\nsip = \"{sip}\"\ndata = {data:?}\n")).unwrap();
    let config = file.to_str().unwrap();
    let (_, checks) = doctor(&["--config", config]);
    assert_eq!(status(&checks, "service"), "skipped");
    assert_eq!(status(&checks, &format!("web services {http}")), "ok");
    for transport in ["UDP", "TCP"] {
        assert_eq!(status(&checks, &format!("SIP ({transport}) {sip}")), "ok");
    }
    assert_eq!(status(&checks, "database"), "ok");
    assert_eq!(status(&checks, "test call"), "ok", "{}", checks["test call"]);
    assert_eq!(status(&checks, "address"), "warning", "only loopback is listened on");
    for name in [
        "clock",
        "open files",
        "thread priority",
        "io_uring",
        "disk",
        "data folder",
        "certificate",
        "DNS",
        "trunks",
    ] {
        let check = &checks[name];
        assert!(
            check["status"] != "warning" && check["status"] != "failed" || check["action"].is_string(),
            "{check}"
        );
    }
    assert!(!data.exists(), "it changes nothing");

    // A port that another program has is red, and so is the whole.
    let _taken = [&http, &sip].map(|address| std::net::TcpListener::bind(address).unwrap());
    let (output, checks) = doctor(&["--config", config, "--no-call"]);
    assert!(!output.status.success());
    assert_eq!(status(&checks, &format!("web services {http}")), "failed");
    assert_eq!(status(&checks, &format!("SIP (UDP) {sip}")), "ok");
    assert_eq!(status(&checks, &format!("SIP (TCP) {sip}")), "failed");
    assert_eq!(status(&checks, "test call"), "skipped");
    let text = plenary().args(["doctor", "--config", config, "--no-call"]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("FAILED") && text.contains("→ Stop the other program"), "{text}");
}

#[test]
fn the_doctor_asks_a_running_service() {
    let (tls, metrics) = (tempfile::tempdir().unwrap(), free_address());
    let with_tls = support::certificate(tls.path());
    let server = Server::start(&format!(
        "https = \"127.0.0.1:0\"\nsips = \"127.0.0.1:0\"\nmetrics = \"{metrics}\"\n{with_tls}"
    ));
    let trunk = r#"{"uri": "sip:127.0.0.1:9", "register": true, "user": "us", "password": "secret"}"#;
    assert_eq!(server.curl(&["-X", "PUT", "-d", trunk], "/v1/trunks/main").0, 201);
    // Its ports are free ones, which no configuration names.
    let file = server.folder.path().join("of-doctor.toml");
    fs::write(
        &file,
        format!(
            "http = \"{}\"\nhttps = \"{}\"\nmetrics = \"{metrics}\"\nsip = \"{}\"\nsips = \"{}\"\ndata = {:?}\n{with_tls}",
            server.http,
            server.https,
            server.sip,
            server.sips,
            server.data()
        ),
    )
    .unwrap();
    let config = file.to_str().unwrap();
    let uri = format!("sip:conf-Tea@{}", server.sip);
    let (_, checks) = doctor(&["--config", config, "--call", &uri]);
    assert_eq!(status(&checks, "service"), "ok", "{}", checks["service"]);
    assert!(checks["service"]["detail"].as_str().unwrap().contains(&server.pid().to_string()));
    for port in [
        format!("web services {}", server.http),
        format!("web services (TLS) {}", server.https),
        format!("metrics {metrics}"),
        format!("SIP (UDP) {}", server.sip),
        format!("SIP (TCP) {}", server.sip),
        format!("SIP (TLS) {}", server.sips),
    ] {
        assert_eq!(status(&checks, &port), "ok", "{port}: {checks:?}");
    }
    assert_eq!(status(&checks, "trunk main"), "failed", "nobody answers there");
    assert_eq!(status(&checks, "DNS sip:127.0.0.1:9"), "ok");
    assert_eq!(status(&checks, "test call"), "ok", "{}", checks["test call"]);
    let (_, checks) = doctor(&["--config", config, "--call", &format!("sip:nowhere@{}", server.sip)]);
    assert_eq!(status(&checks, "test call"), "failed");
    assert!(!serde_json::to_string(&checks).unwrap().contains("secret"));
}

#[test]
fn the_level_of_the_log_changes_by_a_signal_and_json_has_members() {
    let server = Server::start_by("log = \"warn\"\nlog_format = \"json\"\n", |_| {
        ["env", "-u", "PLENARY_LOG"].map(str::to_owned).to_vec()
    });
    let lines = || {
        let log = server.log();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole).to_owned();
        let line = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}"));
        whole.lines().map(line).collect::<Vec<Value>>()
    };
    assert_eq!(lines(), Vec::<Value>::new(), "nothing is wrong");
    fs::write(
        server.folder.path().join("plenary.toml"),
        "log = \"info,plenary_store=off\"\nlog_format = \"json\"\n",
    )
    .unwrap();
    signal(server.pid(), "HUP");
    wait_for("the level to change", || {
        lines().iter().any(|line| line["message"] == "configuration read again").then_some(())
    });
    // Something is changed, which is noted with the request's id.
    server.put_service("other", r#"{"conference": {"name": "Other"}}"#);
    let mut caller = call(&server, &["--seconds", "60"]);
    wait_for("the caller to be in", || (server.participants("Tea").len() == 1).then_some(()));
    assert_eq!(server.curl(&["-X", "DELETE"], "/v1/conferences/Tea").0, 204);
    wait_for("the caller to have gone", || caller.try_wait().unwrap());
    let lines = lines();
    let audit = lines.iter().find(|line| line["target"] == "audit").expect("a change is in the log");
    assert!(audit["request_id"].as_str().is_some_and(|id| id.len() == 16), "{audit}");
    assert_eq!((&audit["account"], &audit["login"]), (&json!(1), &json!(LOGIN)));
    let incoming = lines.iter().find(|line| line["call"].is_number()).expect("a call is in the log");
    assert!(incoming["level"] == "info" && incoming["at"].is_string(), "{incoming}");
    // Its account and its conference are known from the lookup on.
    let of_it = |message: &str| {
        let is_it = |line: &&Value| line["call"] == incoming["call"] && line["message"] == message;
        lines.iter().find(is_it).unwrap_or_else(|| panic!("{message} is not in the log"))
    };
    assert_eq!(of_it("incoming call").get("conference"), None);
    let over = of_it("hanging up");
    assert_eq!((&over["account"], &over["conference"]), (&json!(1), &json!("Tea")), "{over}");
}

#[test]
fn the_messages_of_a_call_are_kept_without_credentials() {
    let server = Server::start("");
    let user = r#"{"password": "hunter2hunter2"}"#;
    assert_eq!(server.curl(&["-X", "PUT", "-d", user], "/v1/users/alice").0, 201);
    let service = r#"{"conference": {"name": "Tea"}, "access": {"networks": [], "users": ["alice"]}}"#;
    server.put_service("conf-Tea", service);
    let operator = key(&server, "operator");
    let credentials = format!("{LOGIN}:{operator}");
    let caller = call(
        &server,
        &[
            "--seconds",
            "60",
            "--user",
            "alice",
            "--password",
            "hunter2hunter2",
            "--dtmf",
            "7",
            "--dtmf-by",
            "info-relay",
        ],
    );
    let id = wait_for("the caller to be in", || {
        server.participants("Tea").first().map(|one| one["participant_id"].as_str().unwrap().to_owned())
    });
    let path = format!("/v1/operator/calls/{id}/messages");
    let messages = || {
        let (status, body) = server.curl_as(&credentials, &[], &path);
        assert_eq!(status, 200, "{body}");
        body
    };
    let summaries = |body: &Value| -> Vec<String> {
        let messages = body["messages"].as_array().unwrap().iter();
        messages.map(|one| one["summary"].as_str().unwrap().to_owned()).collect()
    };
    let body = wait_for("a report and a key", || {
        let body = messages();
        let summaries = summaries(&body);
        let has = |start: &str| summaries.iter().any(|summary| summary.starts_with(start));
        (has("RTCP") && has("INFO ")).then_some(body)
    });
    let first = &body["messages"][0];
    assert_eq!(
        (&first["kind"], &first["direction"], &first["transport"]),
        (&"sip".into(), &"received".into(), &"udp".into())
    );
    assert!(first["summary"].as_str().unwrap().starts_with("INVITE sip:conf-Tea@"), "{first}");
    assert_eq!(first["to"], server.sip.as_str());
    let summaries = summaries(&body);
    for start in ["SIP/2.0 100", "SIP/2.0 200", "ACK sip:"] {
        assert!(summaries.iter().any(|summary| summary.starts_with(start)), "{start}: {summaries:?}");
    }
    assert_eq!((&body["over"], &body["failed"]), (&false.into(), &false.into()));
    let text = body.to_string();
    assert!(!text.contains("response=\\\"") && text.contains("Signal=*"), "{text}");
    let report = body["messages"].as_array().unwrap().iter().find(|one| one["kind"] == "rtcp").unwrap();
    assert!(report["report"]["ssrc"].is_number() && report["text"].is_null(), "{report}");

    // A packet capture has the same.
    let capture = server.folder.path().join("call.pcap");
    let fetched = Command::new("curl")
        .args([
            "-sS",
            "-u",
            &credentials,
            "-H",
            "Accept: application/vnd.tcpdump.pcap",
            "-w",
            "%{content_type}",
            "-o",
        ])
        .arg(&capture)
        .arg(format!("http://{}{path}", server.http))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&fetched.stdout), "application/vnd.tcpdump.pcap");
    let capture = fs::read(capture).unwrap();
    assert_eq!(capture[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    assert!(capture.windows(10).any(|window| window == b"INVITE sip"));

    hang_up(caller);
    wait_for("the call to be over", || (messages()["over"] == true).then_some(()));
    assert_eq!(messages()["failed"], false);
    // Only an operator sees it, and of a call that there was.
    assert_eq!(server.curl(&[], &path).0, 403);
    let (status, body) = server.curl_as(&credentials, &[], "/v1/operator/calls/0123456789abcdef.1/messages");
    assert_eq!((status, &body["code"]), (404, &"1122".into()), "{body}");
}

/// A telephone that understands no codec: refuses a call, and reads until the refusal is confirmed.
fn refuse(telephone: &UdpSocket) {
    let mut buffer = [0; 4096];
    loop {
        let (count, from) = telephone.recv_from(&mut buffer).expect("a call comes");
        let message = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if message.starts_with("ACK ") {
            return;
        }
        let kept = ["via:", "from:", "call-id:", "cseq:"];
        let is_kept = |line: &&str| kept.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
        let mut answer = "SIP/2.0 488 Not Acceptable Here\r\n".to_owned();
        message.lines().filter(is_kept).for_each(|line| answer += &format!("{line}\r\n"));
        let to =
            message.lines().find(|line| line.to_ascii_lowercase().starts_with("to:")).expect("whom it is to");
        answer += &format!("{to};tag=no\r\nContent-Length: 0\r\n\r\n");
        telephone.send_to(answer.as_bytes(), from).unwrap();
    }
}

#[test]
fn the_messages_of_a_call_that_failed_are_there_after_a_restart_and_go_with_the_number() {
    let mut server = Server::start("drain_seconds = 0\n");
    let telephone = UdpSocket::bind("127.0.0.1:0").unwrap();
    telephone.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let trunk = format!(r#"{{"uri": "sip:{}", "prefixes": ["+44"]}}"#, telephone.local_addr().unwrap());
    assert_eq!(server.curl(&["-X", "PUT", "-d", &trunk], "/v1/trunks/p").0, 201);
    let credentials = format!("{LOGIN}:{}", key(&server, "operator"));
    let to = r#"{"to": "tel:+441908273800"}"#;
    let (status, called) = server.curl(&["-X", "POST", "-d", to], "/v1/conferences/Tea/participants");
    assert!((200..300).contains(&status), "{called}");
    let id = called["participant_id"].as_str().unwrap();
    refuse(&telephone);
    let path = format!("/v1/operator/calls/{id}/messages");
    let messages = |server: &Server| server.curl_as(&credentials, &[], &path);
    let before = wait_for("the call to have failed", || {
        let (status, body) = messages(&server);
        let is_over = status == 200 && body["over"] == true;
        (is_over && body["messages"].to_string().contains("ACK ")).then_some(body)
    });
    assert_eq!(before["failed"], true, "{before}");
    assert!(server.terminate().success());
    server.kill_and_restart();
    assert_eq!(messages(&server), (200, before));
    let removed = server.curl(&["-X", "DELETE"], "/v1/personal-data?number=%2B44-1908-273800");
    assert_eq!((removed.0, &removed.1["messages"]), (200, &1.into()), "{removed:?}");
    assert_eq!(messages(&server).0, 404);
}

/// The chunks of a packet of HEP3, by type.
fn decode(bytes: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    assert_eq!(&bytes[..4], b"HEP3");
    let number = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    assert_eq!(usize::from(number(4)), bytes.len());
    let (mut at, mut chunks) = (6, BTreeMap::new());
    while at < bytes.len() {
        let length = usize::from(number(at + 4));
        chunks.insert(number(at + 2), bytes[at + 6..at + length].to_vec());
        at += length;
    }
    chunks
}

#[test]
fn a_capture_server_gets_messages_reports_and_log_lines() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let port = receiver.local_addr().unwrap().port();
    let server = Server::start(&format!("[hep]\nto = \"udp:127.0.0.1:{port}\"\nagent_id = 77\n"));
    let caller = call(&server, &["--seconds", "60"]);
    let (mut invite, mut report, mut line) = (None, None, None);
    let mut buffer = [0; 65_536];
    wait_for("one of each", || {
        while let Ok(length) = receiver.recv(&mut buffer) {
            let chunks = decode(&buffer[..length]);
            assert_eq!(chunks[&12], 77_u32.to_be_bytes());
            match chunks[&11][..] {
                [1] if chunks[&15].starts_with(b"INVITE sip:conf-Tea@") => invite = Some(chunks),
                [5] => report = Some(chunks),
                [100] => line = Some(chunks),
                [1] => {}
                _ => panic!("{chunks:?}"),
            }
        }
        (invite.is_some() && report.is_some() && line.is_some()).then_some(())
    });
    hang_up(caller);
    let (invite, report) = (invite.unwrap(), report.unwrap());
    assert_eq!(
        (&invite[&1][..], &invite[&2][..], &invite[&4][..]),
        (&[2][..], &[17][..], &[127, 0, 0, 1][..])
    );
    let port: u16 = server.sip.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(invite[&8], port.to_be_bytes());
    assert_eq!(invite[&17], report[&17], "both have the Call-ID of the call");
    let report: Value = serde_json::from_slice(&report[&15]).unwrap();
    assert!(report["ssrc"].is_number() && report["report_blocks"].is_array(), "{report}");
}

#[test]
fn how_a_call_sounds_is_known_while_it_lasts_and_afterwards() {
    let server = Server::start("");
    let caller = call(&server, &["--seconds", "60"]);
    let id = server.wait_for_participants("Tea", 1).remove(0);
    // The level of a participant without a listener is not measured.
    let listener = call(&server, &["--seconds", "60"]);
    server.wait_for_participants("Tea", 2);
    let path = format!("/v1/calls/{id}/quality");
    let sampled = |count: usize| {
        let quality = server.get(&path);
        (quality["items"].as_array().unwrap().len() >= count).then_some(quality)
    };
    // The first may have come before the caller was found to talk.
    wait_for("a sample", || sampled(1));
    let live = wait_for("another one", || sampled(2));
    assert_eq!(live["interval_s"], 10);
    let second = &live["items"][1];
    assert!(second["mos"].as_f64().is_some_and(|mos| mos > 3.0), "{live}");
    assert!(second["level_dbov"].as_f64().is_some_and(|level| (-40.0..0.0).contains(&level)), "{live}");
    assert_eq!(second["loss_percent"], 0.0);
    hang_up(caller);
    hang_up(listener);
    wait_for("the call to be over", || server.get(&format!("/v1/calls/{id}"))["ended_at"].as_str().map(drop));
    let past = wait_for("its samples to be on the disk", || sampled(2));
    assert_eq!(past["items"][1], *second);
    assert_eq!(server.curl(&[], "/v1/calls/0.0/quality").1["code"], "1118");
}
