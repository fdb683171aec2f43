//! With what Debian ships: Kamailio in front, sipsak, and the scanners of sipvicious. `make interop` installs them.
#![allow(missing_docs)]

mod support;

use std::{
    fs,
    net::UdpSocket,
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::{Phone, Server, assert_hears, run_within, text, wait_for};

struct Proxy {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// A Kamailio that stays in the path of all calls (Record-Route) and sends everything to `server`.
    fn start(server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let config = format!(
            r#"#!KAMAILIO
debug=1
log_stderror=yes
fork=no
children=2
listen=udp:{address}
listen=tcp:{address}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {{
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK") && t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    record_route();
    $du = "sip:{server}";
    t_relay();
}}
"#
        );
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, config).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut child = Command::new("kamailio")
            .arg("-f")
            .arg(&file)
            .args(["-DD", "-E", "-m", "32", "-Y"])
            .arg(folder.path())
            .arg("-P")
            .arg(folder.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("kamailio is installed (make interop does that)");
        let probe = UdpSocket::bind("127.0.0.1:0").unwrap();
        probe.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        wait_for("Kamailio to pass an OPTIONS on", || {
            let me = probe.local_addr().unwrap();
            let options = format!(
                "OPTIONS sip:x@{address} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKprobe\r\nMax-Forwards: 9\r\n\
                 From: <sip:a@b>;tag=1\r\nTo: <sip:x@{address}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            let _ = probe.send_to(options.as_bytes(), &address);
            if let Some(status) = child.try_wait().unwrap() {
                panic!(
                    "Kamailio ended: {status}\n{}",
                    fs::read_to_string(folder.path().join("log")).unwrap()
                );
            }
            probe.recv(&mut [0; 2000]).ok()
        });
        Self { child, address, _folder: folder }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        support::signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

#[test]
fn calls_through_a_proxy_that_stays_in_their_path() {
    let server = Server::start("");
    let proxy = Proxy::start(&server.sip);
    let all = [500, 1100];
    let mut first = Phone::call(&format!("sip:conf-Tea@{}", proxy.address), 500, "PCMU");
    server.wait_for_participants("Tea", 1);
    let second = Phone::call(&format!("sip:conf-Tea@{};transport=tcp", proxy.address), 1100, "PCMU");
    let ids = server.wait_for_participants("Tea", 2);
    assert_hears(&first, &[1100], &all);
    assert_hears(&second, &[500], &all);
    // Our BYE goes back the way the INVITE came, and theirs finds us.
    let eject = format!("/conference_participant_eject?conference_name=Tea&participant_id={}", ids[1]);
    server.get(&eject);
    wait_for("the ejected phone to notice", || second.log().contains("closed").then_some(()));
    first.hang_up();
    wait_for("the conference to be gone", || {
        (server.get("/conference_list") == serde_json::json!([])).then_some(())
    });
}

#[test]
fn sipsak_gets_an_answer() {
    let server = Server::start("");
    let output = run_within(
        Command::new("sipsak").args(["-v", "-s", &server.uri("conf-Tea")]),
        Duration::from_secs(20),
    );
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn scanners_find_nothing() {
    let server = Server::start("[signalling]\ntrusted = []\n");
    for name in ["100", "101", "102"] {
        server.put_service(name, r#"{"conference": {"name": "Board"}}"#);
    }
    let (host, port) = server.sip.split_once(':').unwrap();
    for arguments in [
        vec!["svmap", "-p", port, host],
        vec!["svwar", "-e100-110", "-p", port, host],
        vec!["svwar", "-e100-110", "-m", "INVITE", "-p", port, host],
    ] {
        let mut command = Command::new(arguments[0]);
        command.args(&arguments[1..]).env("HOME", server.folder.path());
        let output = run_within(&mut command, Duration::from_secs(60));
        let said = text(&output);
        assert!(
            !said.contains("Plenary") && !said.contains("reqauth") && !said.contains("noauth"),
            "{arguments:?}: {said}"
        );
    }
}
