//! What programs of others make of metrics rules and of HEP3: promtool and sngrep, from Debian.

mod support;

use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Stdio},
};
use support::{Server, free_port, plenary, wait_for};

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

#[test]
fn promtool_accepts_every_query_of_the_dashboard() {
    let text = std::fs::read_to_string(packaging().join("grafana/plenary.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = queries.map(|target| target["expr"].as_str().unwrap().to_owned());
    // What Grafana puts in place of its variables.
    let queries = queries.map(|query| query.replace("$__rate_interval", "1m").replace("$instance", ".*"));
    let rules: Vec<Value> = queries
        .enumerate()
        .map(|(number, query)| serde_json::json!({ "record": format!("query:{number}"), "expr": query }))
        .collect();
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    // JSON is YAML.
    std::fs::write(folder.path().join("queries.yml"), file.to_string()).unwrap();
    promtool(&["check", "rules", "queries.yml"], folder.path());
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
    let server = Server::start(&format!("[hep]\nto = \"udp:127.0.0.1:{port}\"\n"));
    let uri = format!("sip:conf-Tea@{}", server.sip);
    let call = || plenary().args(["call", &uri, "--tone", "440", "--seconds", "1"]).output().unwrap();
    let holds = |text: &str| {
        let capture = std::fs::read(&capture).unwrap_or_default();
        capture.windows(text.len()).any(|window| window == text.as_bytes())
    };
    // It may not have been listening yet when the first call came.
    wait_for("a whole call to arrive", || {
        assert!(call().status.success());
        (holds("INVITE sip:conf-Tea@") && holds("SIP/2.0 200 OK") && holds("BYE sip:")).then_some(())
    });
    sngrep.kill().unwrap();
    sngrep.wait().unwrap();
}
