//! What programs of others make of metrics, of rules and of HEP3: promtool, Prometheus and sngrep, from Debian.

mod support;

use serde_json::Value;
use std::{
    net::UdpSocket,
    path::Path,
    process::{Child, Command, Stdio},
};
use support::{Server, certificate, free_address, free_port, plenary, wait_for};

fn packaging() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

fn promtool(arguments: &[&str], folder: &Path) {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.expect("promtool is installed (make interop does that)");
    assert!(output.status.success(), "promtool {arguments:?}: {}", support::text(&output));
}

#[test]
fn promtool_accepts_the_rules_and_they_fire_when_they_should() {
    let folder = packaging().join("prometheus");
    promtool(&["check", "rules", "plenary.rules.yml"], &folder);
    promtool(&["test", "rules", "plenary.rules.test.yml"], &folder);
}

/// The queries of the dashboard, with these in place of Grafana's variables.
fn queries_of_dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(packaging().join("grafana/plenary.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = queries.map(|target| target["expr"].as_str().unwrap());
    queries.map(|query| query.replace("$__rate_interval", "1m").replace("$instance", ".*")).collect()
}

#[test]
fn promtool_accepts_every_query_of_the_dashboard() {
    let rules: Vec<Value> = queries_of_dashboard()
        .into_iter()
        .enumerate()
        .map(|(number, query)| serde_json::json!({ "record": format!("query:{number}"), "expr": query }))
        .collect();
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    // JSON is YAML.
    std::fs::write(folder.path().join("queries.yml"), file.to_string()).unwrap();
    promtool(&["check", "rules", "queries.yml"], folder.path());
}

/// A process that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What Prometheus answers; `None`: it does not yet.
fn ask_prometheus(address: &str, path: &str, query: &[&str]) -> Option<Value> {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "-G"])
        .args(query)
        .arg(format!("http://{address}/api/v1/{path}"))
        .output()
        .expect("curl is installed (make interop does that)");
    serde_json::from_slice(&output.stdout).ok()
}

#[test]
fn prometheus_has_an_answer_to_every_query_of_the_dashboard_and_evaluates_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = free_address();
    let config = format!("metrics = \"{metrics}\"\nhttps = \"127.0.0.1:0\"\n{}", certificate(folder.path()));
    let server = Server::start(&config);
    let rules = packaging().join("prometheus/plenary.rules.yml").canonicalize().unwrap();
    // JSON is YAML.
    let config = serde_json::json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "rule_files": [rules],
        "scrape_configs": [{ "job_name": "plenary", "static_configs": [{ "targets": [metrics] }] }],
    });
    std::fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
    let address = free_address();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Killed(prometheus.expect("prometheus is installed (make interop does that)"));

    // Of everything that is asked for there is something: a trunk, a wrong password, two callers who talk, and one who has hung up.
    let trunk = r#"{"uri": "sip:127.0.0.1:9", "register": true, "user": "us", "password": "secret"}"#;
    assert_eq!(server.curl(&["-X", "PUT", "-d", trunk], "/v1/trunks/p").0, 201);
    assert_eq!(server.curl_as("1-2-0/bob@example.com:wrong", &[], "/v1/conferences").0, 401);
    let call = |seconds: &str| {
        let uri = format!("sip:conf-Tea@{}", server.sip);
        let mut call = plenary();
        call.args(["call", &uri, "--tone", "440", "--seconds", seconds]);
        Killed(call.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let _callers = [call("120"), call("120")];
    let mut over = call("2");
    assert!(over.0.wait().unwrap().success());
    for query in queries_of_dashboard() {
        let asked = format!("query={query}");
        wait_for(&format!("an answer to {query}"), || {
            let answer = ask_prometheus(&address, "query", &["--data-urlencode", &asked])?;
            assert_eq!(answer["status"], "success", "{query}: {answer}");
            answer["data"]["result"].as_array().filter(|found| !found.is_empty()).map(|_| ())
        });
    }
    let rules = wait_for("all rules to be evaluated", || {
        let answer = ask_prometheus(&address, "rules", &[])?;
        let groups = answer["data"]["groups"].as_array()?.clone();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
        let rules: Vec<Value> = rules.collect();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    assert!(rules.len() > 5, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

#[test]
fn sngrep_receives_a_call_by_hep_and_no_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("call.pcap");
    let port = free_port();
    let mut sngrep = Command::new("sngrep")
        .args(["-N", "-L", &format!("udp:127.0.0.1:{port}"), "-O"])
        .arg(&capture)
        .env("TERM", "xterm")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sngrep is installed (make interop does that)");
    // Nobody gets in without a password.
    let config = format!("[signalling]\ntrusted = []\n[hep]\nto = \"udp:127.0.0.1:{port}\"\n");
    let server = Server::start(&config);
    server.put_service("board", r#"{"access": {"users": ["alice"]}, "conference": {"name": "Board"}}"#);
    let user = server.curl(&["-X", "PUT", "-d", r#"{"password": "correct-horse"}"#], "/v1/users/alice");
    assert_eq!(user.0, 201, "{}", user.1);
    let uri = format!("sip:board@{}", server.sip);
    let call = || {
        let who = ["--user", "alice", "--password", "correct-horse"];
        let call = ["call", &uri, "--tone", "440", "--seconds", "1"];
        plenary().args(call).args(who).output().unwrap()
    };
    let holds = |text: &str| {
        let capture = std::fs::read(&capture).unwrap_or_default();
        capture.windows(text.len()).any(|window| window == text.as_bytes())
    };
    // It may not have been listening yet when the first call came.
    wait_for("a whole call to arrive", || {
        assert!(call().status.success());
        (holds("INVITE sip:board@") && holds("SIP/2.0 200 OK") && holds("BYE sip:")).then_some(())
    });
    assert!(holds("Authorization:"), "a password was asked for and given");
    // What follows from the password, and what it follows from.
    for secret in ["response=", "cnonce=", "Digest username"] {
        assert!(!holds(secret), "{secret} is in the capture");
    }
    // A call whose audio is protected says by which key.
    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = socket.local_addr().unwrap();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
    );
    let invite = format!(
        "INVITE sip:protected@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKprotected\r\nMax-Forwards: 70\r\n\
         From: <sip:bob@{here}>;tag=1\r\nTo: <sip:protected@{to}>\r\nCall-ID: protected@{here}\r\nCSeq: 1 INVITE\r\n\
         Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}",
        to = server.sip,
        length = sdp.len(),
    );
    socket.send_to(invite.as_bytes(), &server.sip).unwrap();
    wait_for("the protected call to arrive", || {
        (holds("INVITE sip:protected@") && holds("a=crypto:")).then_some(())
    });
    assert!(!holds(KEY), "the key of the audio is in the capture");
    sngrep.kill().unwrap();
    sngrep.wait().unwrap();
}
