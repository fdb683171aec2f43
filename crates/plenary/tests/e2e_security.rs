//! TLS, SRTP, and who may call: stock SIP phones, curl, and those who guess.
#![allow(missing_docs)]

mod support;

use std::{process::Command, time::Duration};
use support::{Phone, Server, assert_hears, certificate, plenary, run_within, text, wait_for};

/// Loopback is a stranger here.
const NO_TRUST: &str = "[signalling]\ntrusted = []\n";

fn cipher_of(server: &Server, conference: &str, number: usize) -> String {
    let shown = server.get(&format!("/v1/conferences/{conference}/participants"))["items"].take();
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
        let path = format!("/v1/users/{name}");
        assert_eq!(server.curl(&["-X", "PUT", "-d", body], &path).0, 201);
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
    wait_for("the block to be logged", || log().contains("blocked").then_some(()));
    assert!(call(&server, "other", &[]).contains("403"), "who asks for something else is answered");
    let mut command = plenary();
    command.args(["call", &server.uri("guess"), "--seconds", "1"]);
    let silence = run_within(&mut command, Duration::from_secs(3));
    assert!(!text(&silence).contains("403"), "{}", text(&silence));

    assert!(call(&server, "third", &[]).contains("403"));
    wait_for("the ban to be logged", || log().contains("banned").then_some(()));

    let ban = |arguments: &[&str]| {
        plenary().arg("ban").args(arguments).arg("--data").arg(server.data()).output().unwrap()
    };
    let listed = String::from_utf8(ban(&["list"]).stdout).unwrap();
    let line = listed.lines().nth(1).unwrap_or_default();
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((listed.lines().count(), fields[0]), (3, "127.0.0.1"), "the address and one caller: {listed}");
    assert!(listed.contains("to guess"), "{listed}");
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

/// An office: some try names out there, and others call as they may.
#[test]
fn who_is_permitted_is_not_silenced_by_those_who_guess_beside_it() {
    let mut server =
        Server::start("[signalling]\ntrusted = []\nfailures_per_minute = 3\nban_seconds = 3600\n");
    let by_network = r#"{"access": {"networks": ["127.0.0.1"]}, "conference": {"name": "Tea"}}"#;
    server.put_service("conf-Tea", by_network);
    assert!(call(&server, "conf-Tea", &[]).contains("Up, in "));
    for number in 0..6 {
        assert!(call(&server, &format!("guess{number}"), &[]).contains("403"), "{number}");
    }
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..20 {
        let broken = format!(
            "INVITE sip:conf-Tea@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{number}\r\nFrom: <sip:a@b>;tag=1\r\n\r\n"
        );
        socket.send_to(broken.as_bytes(), &server.sip).unwrap();
    }
    let log = || std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
    wait_for("what cannot be read to be blocked", || log().contains("unreadable requests").then_some(()));
    assert!(call(&server, "conf-Tea", &[]).contains("Up, in "), "{}", log());
    assert!(!log().contains("banned"), "{}", log());
    // Nor by those who are faster than the permitted callers after a restart.
    server.terminate();
    server.start_again();
    for number in 0..6 {
        assert!(call(&server, &format!("again{number}"), &[]).contains("403"), "{number}");
    }
    assert!(call(&server, "conf-Tea", &[]).contains("Up, in "), "{}", server.log());
    assert!(!server.log().contains("banned"), "{}", server.log());
}

/// A scanner that has found a service which everyone may call.
#[test]
fn who_calls_what_is_open_to_all_is_banned_for_guessing_all_the_same() {
    let server = Server::start("[signalling]\ntrusted = []\nfailures_per_minute = 3\nban_seconds = 3600\n");
    let open = r#"{"access": {"networks": ["0.0.0.0/0", "::/0"]}, "conference": {"name": "Tea"}}"#;
    server.put_service("conf-Tea", open);
    assert!(call(&server, "conf-Tea", &[]).contains("Up, in "));
    for number in 0..3 {
        assert!(call(&server, &format!("guess{number}"), &[]).contains("403"), "{number}");
    }
    wait_for("the ban to be logged", || server.log().contains("banned").then_some(()));
    // What it may call it may still call: another caller, shut out by its neighbours, looks the same.
    assert!(call(&server, "conf-Tea", &[]).contains("Up, in "), "{}", server.log());
}

/// An INVITE without credentials over a WebSocket that a page of this origin opens: the status of its answer, or of the
/// handshake where that is refused.
fn invite_from_page(server: &Server, origin: Option<&str>, user: &str) -> u16 {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };
    let mut stream = TcpStream::connect(&server.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let head = format!(
        "GET /sipproxy HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n{origin}\r\n",
        server.http
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut seen = Vec::new();
    let mut read_until = |stream: &mut TcpStream, is_done: &dyn Fn(&str) -> bool| {
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&seen).into_owned();
            if is_done(&text) {
                return text;
            }
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "closed after {text}");
            seen.extend_from_slice(&buffer[..length]);
        }
    };
    let handshake = read_until(&mut stream, &|text| text.contains("\r\n\r\n"));
    let status: u16 = handshake.split(' ').nth(1).unwrap().parse().unwrap();
    if status != 101 {
        return status;
    }
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n";
    // A branch of its own for each: else the next would be the same transaction (RFC 3261, section 17.2.3).
    let port = stream.local_addr().unwrap().port();
    let invite = format!(
        "INVITE sip:{user}@plenary.invalid SIP/2.0\r\nVia: SIP/2.0/WS page.invalid;branch=z9hG4bK{port}\r\nMax-Forwards: 70\r\n\
         From: <sip:page@page.invalid>;tag=1\r\nTo: <sip:{user}@plenary.invalid>\r\nCall-ID: {port}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:page@page.invalid;transport=ws>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    // A text frame under a mask of zeros (RFC 6455, section 5.2).
    let mut frame = vec![0x81, 0xfe];
    frame.extend_from_slice(&u16::try_from(invite.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(invite.as_bytes());
    stream.write_all(&frame).unwrap();
    let is_final = |line: &str| ["2", "3", "4", "5", "6"].iter().any(|class| line.starts_with(*class));
    let finals = |text: &str| -> Option<u16> {
        text.split("SIP/2.0 ").skip(1).find(|rest| is_final(rest)).and_then(|rest| rest[..3].parse().ok())
    };
    let text = read_until(&mut stream, &|text| {
        text.split("SIP/2.0 ").skip(1).any(|rest| rest.len() > 3 && is_final(rest) && rest.contains("\r\n"))
    });
    finals(&text).unwrap()
}

#[test]
fn pages_of_other_sites_are_not_let_in_by_the_network_of_their_reader() {
    // Loopback is trusted, as on a fresh install.
    let server = Server::start("[web]\nallowed_origins = [\"https://shop.example\"]\n");
    server.put_service(
        "local",
        r#"{"access": {"networks": ["127.0.0.0/8"]}, "conference": {"name": "Local"}}"#,
    );
    let own = format!("http://{}", server.http);
    for user in ["conf-Tea", "local"] {
        assert_eq!(invite_from_page(&server, None, user), 200, "a program: {user}");
        assert_eq!(invite_from_page(&server, Some(&own), user), 200, "a page of ours: {user}");
        assert_eq!(
            invite_from_page(&server, Some("https://shop.example"), user),
            403,
            "a page that may connect: {user}"
        );
    }
    assert_eq!(invite_from_page(&server, Some("https://evil.example"), "conf-Tea"), 403);
    assert_eq!(invite_from_page(&server, Some("null"), "conf-Tea"), 403);
    // Which names there are is not told either.
    assert_eq!(invite_from_page(&server, Some("https://shop.example"), "nothing"), 403);
    assert_eq!(invite_from_page(&server, None, "nothing"), 404);
}

/// One number, one service, however it is dialled.
#[test]
fn numbers_and_codes_are_dialled_in_every_spelling() {
    let server = Server::start("");
    for (name, conference) in [("+4930123456", "Phone"), ("*98", "Star"), ("%231", "Hash")] {
        server.put_service(name, &format!(r#"{{"conference": {{"name": "{conference}"}}}}"#));
    }
    for (user, conference) in [
        ("+4930123456", "Phone"),
        ("+49-30-123456", "Phone"),
        ("+49(30)123456", "Phone"),
        ("4930123456", "Phone"),
        ("*98", "Star"),
        ("%231", "Hash"),
    ] {
        let said = call(&server, user, &[]);
        assert!(said.contains("Up, in "), "{user} to {conference}: {said}");
    }
    assert!(call(&server, "493012345", &[]).contains("404"));
    // They are on record in one spelling, and found in each.
    for to in ["%2B4930123456", "%2B49-30-123456", "tel:%2B49(30)123456"] {
        wait_for("the records", || {
            let found = server.get(&format!("/v1/calls?to={to}"))["items"].take();
            (found.as_array().unwrap().len() == 3).then_some(())
        });
    }
}

#[test]
fn the_door_of_the_operator_is_for_the_operator_alone_and_goes_with_the_service() {
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
