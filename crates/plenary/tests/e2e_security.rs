//! TLS, SRTP, and who may call: stock SIP phones, curl, and those who guess.
#![allow(missing_docs)]

mod support;

use std::{process::Command, time::Duration};
use support::{Phone, Server, assert_hears, certificate, plenary, run_within, text, wait_for};

/// Loopback is a stranger here.
const NO_TRUST: &str = "[signalling]\ntrusted = []\n";

fn cipher_of(server: &Server, conference: &str, number: usize) -> String {
    let shown = server.get(&format!("/service/v1/conference/{conference}/participants"));
    shown[number]["statistics"]["srtp"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn phones_with_tls_and_srtp_and_one_without_hear_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let server = Server::start(&format!("sips = \"127.0.0.1:0\"\n{tls}"));
    server.put_service("safe", r#"{"srtp": "required", "conference": {"name": "Mixed"}}"#);
    server.put_service("open", r#"{"conference": {"name": "Mixed"}}"#);
    let all = [500, 1100, 1900];
    let ca = format!("module srtp.so\nsip_cafile {}/certificate.pem\n", folder.path().display());
    let over_tls = format!("sip:safe@127.0.0.1:{};transport=tls", server.sips.rsplit(':').next().unwrap());
    let first = Phone::call_as(&over_tls, 500, "PCMU", ";mediaenc=srtp-mand", &ca);
    server.wait_for_participants("Mixed", 1);
    let second = Phone::call_as(&server.uri("open"), 1100, "PCMU", ";mediaenc=srtp", "module srtp.so\n");
    server.wait_for_participants("Mixed", 2);
    let third = Phone::call(&server.uri("open"), 1900, "PCMU");
    server.wait_for_participants("Mixed", 3);
    assert_hears(&first, &[1100, 1900], &all);
    assert_hears(&second, &[500, 1900], &all);
    assert_hears(&third, &[500, 1100], &all);
    assert!(cipher_of(&server, "Mixed", 0).starts_with("AE"), "{}", cipher_of(&server, "Mixed", 0));
    assert!(cipher_of(&server, "Mixed", 1).starts_with("AE"));
    assert_eq!(cipher_of(&server, "Mixed", 2), "none");

    let refused = plenary().args(["call", &server.uri("safe"), "--seconds", "1"]).output().unwrap();
    assert!(text(&refused).contains("488"), "{}", text(&refused));
}

/// This baresip's certificate is RSA, and it begins the handshake.
#[test]
fn phones_whose_keys_come_from_a_handshake_hear_each_other() {
    let server = Server::start("");
    server.put_service("safe", r#"{"srtp": "required", "conference": {"name": "Hands"}}"#);
    let all = [500, 1100, 1900];
    let modules = "module srtp.so\nmodule dtls_srtp.so\n";
    let first = Phone::call_as(&server.uri("safe"), 500, "PCMU", ";mediaenc=dtls_srtp", modules);
    server.wait_for_participants("Hands", 1);
    let second =
        Phone::call_as(&server.uri("safe"), 1100, "opus", ";mediaenc=dtls_srtp;rtcp_mux=yes", modules);
    server.wait_for_participants("Hands", 2);
    let third = Phone::call(&server.uri("conf-Hands"), 1900, "PCMU");
    server.wait_for_participants("Hands", 3);
    assert_hears(&first, &[1100, 1900], &all);
    assert_hears(&second, &[500, 1900], &all);
    assert_hears(&third, &[500, 1100], &all);
    assert!(cipher_of(&server, "Hands", 0).starts_with("AE"), "{}", cipher_of(&server, "Hands", 0));
    assert!(cipher_of(&server, "Hands", 1).starts_with("AE"), "{}", cipher_of(&server, "Hands", 1));
}

#[test]
fn phones_with_ice_hear_each_other() {
    let server = Server::start("");
    server.put_service("safe", r#"{"srtp": "required", "conference": {"name": "Checks"}}"#);
    let all = [500, 1100];
    let modules = "module srtp.so\nmodule ice.so\n";
    let first = Phone::call_as(&server.uri("safe"), 500, "PCMU", ";mediaenc=srtp-mand;medianat=ice", modules);
    server.wait_for_participants("Checks", 1);
    let second = Phone::call(&server.uri("conf-Checks"), 1100, "PCMU");
    server.wait_for_participants("Checks", 2);
    assert_hears(&first, &[1100], &all);
    assert_hears(&second, &[500], &all);
    assert!(cipher_of(&server, "Checks", 0).starts_with("AE"));
    wait_for("the checks", || first.log().contains("connectivity check is complete").then_some(()));
}

fn call(server: &Server, user: &str, more: &[&str]) -> String {
    let mut command = plenary();
    command.args(["call", &server.uri(user), "--seconds", "1"]).args(more);
    text(&run_within(&mut command, Duration::from_secs(30)))
}

#[test]
fn strangers_are_asked_for_a_password_and_learn_no_names() {
    let server = Server::start(NO_TRUST);
    server.put_service("board", r#"{"access": {"users": ["alice"]}, "conference": {"name": "Board"}}"#);
    // Without any user nobody is asked, and all names look the same.
    for name in ["board", "nothing"] {
        assert!(call(&server, name, &[]).contains("403 Forbidden"), "{name}");
    }
    let put = |name: &str| {
        let body = r#"{"password": "correct-horse"}"#;
        let path = format!("/service/v1/user/{name}");
        assert_eq!(server.curl(&["-X", "PUT", "-d", body], &path).0, 200);
    };
    put("alice");
    put("bob");
    for name in ["board", "nothing"] {
        assert!(call(&server, name, &[]).contains("401 Unauthorized"), "{name}");
    }
    let alice = ["--user", "alice", "--password", "correct-horse"];
    assert!(call(&server, "board", &alice).contains("Up, in "), "{}", call(&server, "board", &alice));
    assert!(call(&server, "board", &["--user", "alice", "--password", "wrong horse"]).contains("401"));
    assert!(call(&server, "board", &["--user", "bob", "--password", "correct-horse"]).contains("403"));

    let phone =
        Phone::call_as(&server.uri("board"), 500, "PCMU", ";auth_user=alice;auth_pass=correct-horse", "");
    server.wait_for_participants("Board", 1);
    drop(phone);
}

#[test]
fn who_guesses_is_banned() {
    let server = Server::start("[signalling]\ntrusted = []\nfailures_per_minute = 3\nban_seconds = 3600\n");
    for _ in 0..3 {
        assert!(call(&server, "guess", &[]).contains("403"));
    }
    let log = || std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
    wait_for("the ban to be logged", || log().contains("banned").then_some(()));
    let mut command = plenary();
    command.args(["call", &server.uri("guess"), "--seconds", "1"]);
    let silence = run_within(&mut command, Duration::from_secs(3));
    assert!(!text(&silence).contains("403"), "{}", text(&silence));

    let ban = |arguments: &[&str]| {
        plenary().arg("ban").args(arguments).arg("--data").arg(server.data()).output().unwrap()
    };
    let listed = String::from_utf8(ban(&["list"]).stdout).unwrap();
    let line = listed.lines().nth(1).unwrap_or_default();
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((listed.lines().count(), fields[0]), (2, "127.0.0.1"), "{listed}");
    assert!(fields[1].parse::<u32>().is_ok_and(|seconds| seconds <= 3600), "{listed}");
    let other = ban(&["lift", "192.0.2.1"]);
    assert!(!other.status.success() && text(&other).contains("plenary ban list"), "{}", text(&other));
    let lifted = ban(&["lift", "127.0.0.1"]);
    assert!(lifted.status.success(), "{}", text(&lifted));
    assert!(call(&server, "guess", &[]).contains("403"), "it is answered again");
    assert_eq!(ban(&["list"]).stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "only the heading");
    let log = log();
    let audit = |line: &&str| line.contains("audit") && line.contains("a ban is to be lifted");
    let lines: Vec<&str> = log.lines().filter(audit).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].contains("source=127.0.0.1 lifted=true") && lines[1].contains("uid="), "{lines:?}");
}

#[test]
fn the_door_of_the_operator_is_his_alone_and_goes_with_the_service() {
    use std::os::unix::fs::PermissionsExt;
    let mut server = Server::start("");
    let door = server.data().join("operator.sock");
    assert_eq!(std::fs::metadata(&door).unwrap().permissions().mode() & 0o777, 0o600);
    // Another one takes the place of one that was killed.
    server.kill_and_restart();
    let list = plenary().args(["ban", "list", "--data"]).arg(server.data()).output().unwrap();
    assert!(list.status.success(), "{}", text(&list));
    server.terminate();
    assert!(!door.exists());
}

#[test]
fn the_web_services_speak_tls_and_show_a_renewed_certificate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let server = Server::start(&format!("https = \"127.0.0.1:0\"\n{tls}"));
    let curl = |authority: &std::path::Path, more: &[&str]| {
        let url = format!("https://{}/conference_list", server.https);
        let login = format!("{}:{}", support::LOGIN, server.key);
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "20", "-u", &login, &url, "--cacert"]).arg(authority).args(more);
        command.output().unwrap()
    };
    let first = folder.path().join("certificate.pem");
    let answer = curl(&first, &[]);
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "[]", "{}", text(&answer));
    assert!(!curl(&first, &["--tls-max", "1.1"]).status.success());

    // Another certificate in the same place; a hang-up makes the service look.
    let renewed = folder.path().join("renewed");
    certificate(&renewed);
    for file in ["certificate.pem", "key.pem"] {
        std::fs::copy(renewed.join(file), folder.path().join(file)).unwrap();
    }
    support::signal(server.pid(), "HUP");
    wait_for("the renewed certificate", || {
        curl(&renewed.join("certificate.pem"), &[]).status.success().then_some(())
    });
}
