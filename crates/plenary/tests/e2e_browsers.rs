//! Browsers that come in by an access key: SIP over a real WebSocket, as the platform's client library writes it.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    time::Duration,
};
use support::{LOGIN, Server, plenary, text, wait_for};

/// Loopback is a stranger here, as a browser on the internet is.
const NO_TRUST: &str = "[signalling]\ntrusted = []\n";

/// One end of a WebSocket (RFC 6455) at `/sipproxy`.
struct Browser {
    stream: TcpStream,
    calls: u32,
    /// Where its audio would go.
    audio: UdpSocket,
}

impl Browser {
    fn open(server: &Server) -> Self {
        let mut stream = TcpStream::connect(&server.http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(
            stream,
            "GET /sipproxy HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.http
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self { stream, calls: 0, audio: UdpSocket::bind("127.0.0.1:0").unwrap() }
    }

    /// One text message. The mask is all zeros, so the octets stay as they are.
    fn send(&mut self, message: &str) {
        let length = u16::try_from(message.len()).unwrap();
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(message.as_bytes());
        self.stream.write_all(&frame).unwrap();
    }

    fn receive(&mut self) -> String {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).unwrap();
                u16::from_be_bytes(length).into()
            }
            length => usize::from(length),
        };
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message).unwrap();
        String::from_utf8(message).unwrap()
    }

    /// Waits for BYE and answers it.
    fn take_bye(&mut self) {
        let bye = self.receive();
        assert!(bye.starts_with("BYE "), "{bye}");
        let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
        for name in ["Via:", "From:", "To:", "Call-ID:", "CSeq:"] {
            let line = bye.lines().find(|line| line.starts_with(name)).unwrap();
            answer.push_str(&format!("{line}\r\n"));
        }
        self.send(&format!("{answer}Content-Length: 0\r\n\r\n"));
    }

    /// INVITE; the final answer. A call that is answered is up when this returns.
    fn call(&mut self, from: &str, to: &str, more: &str) -> String {
        self.calls += 1;
        let number = format!("{}-{}", self.stream.local_addr().unwrap().port(), self.calls);
        let port = self.audio.local_addr().unwrap().port();
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        );
        let request = |method: &str, to_tag: &str, more: &str, body: &str| {
            format!(
                "{method} sip:{to};transport=tcp SIP/2.0\r\nVia: SIP/2.0/WS df7jal.invalid;branch=z9hG4bK{method}{number}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:{from}>;tag=f{number}\r\nTo: <sip:{to};transport=tcp>{to_tag}\r\n\
                 Call-ID: {number}\r\nCSeq: 1 {method}\r\nContact: <sip:anna@df7jal.invalid;transport=ws>\r\n{more}\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        self.send(&request("INVITE", "", &format!("{more}Content-Type: application/sdp\r\n"), &sdp));
        let answer = loop {
            let answer = self.receive();
            if !answer.starts_with("SIP/2.0 1") {
                break answer;
            }
        };
        let to_header = answer.lines().find(|line| line.starts_with("To:")).unwrap();
        let tag = to_header.split_once(";tag=").map(|(_, tag)| format!(";tag={tag}")).unwrap_or_default();
        self.send(&request("ACK", &tag, "", ""));
        answer
    }
}

#[track_caller]
fn assert_status(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{status} was expected: {answer}");
}

fn webrtc_key(server: &Server, arguments: &[&str]) -> String {
    let run = plenary()
        .args(["account", "webrtc-key"])
        .args(arguments)
        .arg("--data")
        .arg(server.data())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", text(&run));
    String::from_utf8(run.stdout).unwrap()
}

fn new_key(server: &Server, arguments: &[&str]) -> String {
    let made = webrtc_key(server, &[&["new", LOGIN], arguments].concat());
    made.lines().last().unwrap().to_owned()
}

fn reports(server: &Server, conference: &str) -> Vec<Value> {
    let shown = server.get(&format!("/v1/conferences/{conference}/participants"))["items"].take();
    shown.as_array().unwrap().clone()
}

const OPEN: &str = r#"{"conference": {"name": "{rest}"}, "access": {"networks": [], "webrtc": true}}"#;

#[test]
fn a_browser_with_an_access_key_comes_in_over_a_websocket_and_over_nothing_else() {
    let server = Server::start(NO_TRUST);
    server.put_service("web-*", OPEN);
    let key = new_key(&server, &[]);
    let mut browser = Browser::open(&server);
    let from = format!("anna.b@{key}.webrtc-1-2-0.example.org");
    assert_status(&browser.call(&from, "web-Board@sip-1-2-0.example.org", ""), "200");
    server.wait_for_participants("Board", 1);
    let shown = reports(&server, "Board");
    assert_eq!(
        (&shown[0]["from"], &shown[0]["admitted_by"]),
        (&json!("anna.b"), &json!("webrtc")),
        "{shown:?}"
    );
    wait_for("the log", || {
        server
            .log()
            .lines()
            .any(|line| line.contains("admitted by an access key") && line.contains(&key))
            .then_some(())
    });

    // The same claim in a datagram.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let invite = format!(
        "INVITE sip:web-Board@sip-1-2-0.example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKu;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{from}>;tag=u\r\nTo: <sip:web-Board@sip-1-2-0.example.org>\r\nCall-ID: u\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:anna@127.0.0.1:{port}>\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send_to(invite.as_bytes(), &server.sip).unwrap();
    let refusal = wait_for("a final answer", || {
        let mut bytes = [0; 2048];
        let length = socket.recv(&mut bytes).ok()?;
        let answer = String::from_utf8_lossy(&bytes[..length]).into_owned();
        (!answer.starts_with("SIP/2.0 1")).then_some(answer)
    });
    assert_status(&refusal, "403 Forbidden");
    assert_eq!(server.participants("Board").len(), 1);
}

#[test]
fn browsers_from_everywhere_do_not_open_the_ports_of_sip() {
    let server = Server::start(
        "[signalling]\nallow_from = [\"192.0.2.0/24\"]\ntrusted = []\n[webrtc]\nallow_from = [\"0.0.0.0/0\"]\n",
    );
    server.put_service("web-*", OPEN);
    let key = new_key(&server, &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let options = format!(
        "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKo;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:anna@127.0.0.1>;tag=o\r\nTo: <sip:{0}>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        server.sip
    );
    socket.send_to(options.as_bytes(), &server.sip).unwrap();
    let mut browser = Browser::open(&server);
    let from = format!("anna@{key}.webrtc-1-2-0.example.org");
    assert_status(&browser.call(&from, "web-Board@sip-1-2-0.example.org", ""), "200");
    // The datagram came before all of this, and nothing has answered it.
    socket.set_nonblocking(true).unwrap();
    let answer = socket.recv(&mut [0; 2048]);
    assert!(answer.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{answer:?}");
}

#[test]
fn a_key_opens_only_what_its_account_and_its_services_let_it() {
    let server = Server::start("[signalling]\ntrusted = []\nfailures_per_minute = 100\n");
    server.put_service("web-*", OPEN);
    server.put_service("support", &OPEN.replace("{rest}", "Support"));
    server.put_service("closed", r#"{"conference": {"name": "Closed"}}"#);
    let all = new_key(&server, &[]);
    let some = new_key(&server, &["--service", "support"]);
    let mut browser = Browser::open(&server);
    let mut call = |key: &str, from_cloud: &str, to: &str, to_host: &str| {
        let from = format!("anna@{key}.webrtc-{from_cloud}.example.org");
        browser.call(&from, &format!("{to}@{to_host}"), "").lines().next().unwrap().to_owned()
    };
    let ours = "sip-1-2-0.example.org";
    assert_eq!(call(&all, "1-2-0", "web-One", ours), "SIP/2.0 200 OK");
    assert_eq!(
        call(&all, "1-2-0", "web-One", "conference.example.org"),
        "SIP/2.0 200 OK",
        "no cloud id is dialled"
    );
    assert_eq!(call(&some, "1-2-0", "support", ours), "SIP/2.0 200 OK");
    // What is not there, what does not admit browsers and what the key does not name look the same.
    assert_eq!(call(&all, "1-2-0", "nothing", ours), "SIP/2.0 404 No such service");
    assert_eq!(call(&all, "1-2-0", "closed", ours), "SIP/2.0 404 No such service");
    assert_eq!(call(&some, "1-2-0", "web-One", ours), "SIP/2.0 404 No such service");
    // Cloud ids that are not the account's.
    assert_eq!(call(&all, "3-4-5", "web-One", "sip-3-4-5.example.org"), "SIP/2.0 403 Unknown access key");
    assert_eq!(
        call(&all, "1-2-0", "web-One", "sip-3-4-5.example.org"),
        "SIP/2.0 403 The access key is of another cloud id"
    );
    assert_eq!(call("guess", "1-2-0", "web-One", ours), "SIP/2.0 403 Unknown access key");
    let revoked = webrtc_key(&server, &["revoke", LOGIN, &all]);
    assert!(revoked.contains(&all), "{revoked}");
    assert_eq!(call(&all, "1-2-0", "web-One", ours), "SIP/2.0 403 The access key is revoked");
    assert_eq!(server.participants("One").len(), 2, "those who are in stay in");
    let log = server.log();
    for why in [
        "the account of the access key has no inbound service of this name",
        "(access.webrtc)",
        "the access key does not name the service",
        "the access key is revoked",
        "there is no such access key",
    ] {
        assert!(log.lines().any(|line| line.contains("a browser is refused") && line.contains(why)), "{why}");
    }
}

#[test]
fn two_accounts_with_a_service_of_one_name_each_get_their_own_callers() {
    let server = Server::start("[signalling]\ntrusted = []\nfailures_per_minute = 100\n");
    let other = "3-4-5/eve@example.com";
    let created = plenary().args(["account", "create", other, "--data"]).arg(server.data()).output().unwrap();
    let api_key = String::from_utf8(created.stdout).unwrap().lines().last().unwrap().to_owned();
    let eve = |arguments: &[&str], path: &str| server.curl_as(&format!("{other}:{api_key}"), arguments, path);
    server.put_service("help", &OPEN.replace("{rest}", "Bobs"));
    let put = eve(&["-X", "PUT", "-d", &OPEN.replace("{rest}", "Eves")], "/service/v1/inbound/help");
    assert_eq!(put.0, 201, "{}", put.1);
    let bobs = new_key(&server, &[]);
    let eves = eve(&["-d", "{}"], "/v1/webrtc_keys").1["key"].as_str().unwrap().to_owned();
    let mut browser = Browser::open(&server);
    for (key, cloud_id) in [(&bobs, "1-2-0"), (&eves, "3-4-5")] {
        let from = format!("anna@{key}.webrtc-{cloud_id}.example.org");
        assert_status(&browser.call(&from, &format!("help@sip-{cloud_id}.example.org"), ""), "200");
    }
    server.wait_for_participants("Bobs", 1);
    let eves_list = eve(&[], "/conference_participant_list?conference_name=Eves");
    assert_eq!(eves_list.1["participants"].as_array().map(Vec::len), Some(1), "{}", eves_list.1);
}

#[test]
fn calls_by_key_are_limited_and_come_back_when_one_has_ended() {
    let server = Server::start(&format!(
        "{NO_TRUST}[webrtc]\ncalls_per_key = 2\ncalls_per_source = 0\nattempts_per_key = 6\n"
    ));
    server.put_service("web-*", OPEN);
    let key = new_key(&server, &[]);
    let mut browser = Browser::open(&server);
    let from = format!("anna@{key}.webrtc-1-2-0.example.org");
    let call = |browser: &mut Browser| browser.call(&from, "web-Full@sip-1-2-0.example.org", "");
    assert_status(&call(&mut browser), "200");
    assert_status(&call(&mut browser), "200");
    let refused = call(&mut browser);
    assert_status(&refused, "503 Too many calls");
    assert!(refused.contains("\r\nRetry-After: "), "{refused}");
    let ids = server.wait_for_participants("Full", 2);
    let ejected = format!("/conference_participant_eject?conference_name=Full&participant_id={}", ids[0]);
    assert_eq!(server.get(&ejected), json!({ "ejected": true }));
    browser.take_bye();
    assert_status(&call(&mut browser), "200");
    for _ in 0..3 {
        assert_status(&call(&mut browser), "503 Too many calls");
    }
    let log = server.log();
    for limit in ["webrtc.calls_per_key", "webrtc.attempts_per_key"] {
        assert!(
            log.lines().any(|line| line.contains("a browser is refused") && line.contains(limit)),
            "{limit}"
        );
    }
}

#[test]
fn a_dialled_host_that_names_a_cloud_id_leads_to_its_accounts_only() {
    let server = Server::start("");
    let call = |host: &str| {
        let (port, tail) = (server.sip.rsplit(':').next().unwrap(), ";transport=tcp");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let own = socket.local_addr().unwrap().port();
        let invite = format!(
            "INVITE sip:conf-Tea@{host}{tail} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{own};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:anna@127.0.0.1>;tag=u\r\nTo: <sip:conf-Tea@{host}>\r\nCall-ID: {own}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:anna@127.0.0.1:{own}>\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(invite.as_bytes(), format!("127.0.0.1:{port}")).unwrap();
        wait_for("a final answer", || {
            let mut bytes = [0; 4096];
            let length = socket.recv(&mut bytes).ok()?;
            let answer = String::from_utf8_lossy(&bytes[..length]).into_owned();
            (!answer.starts_with("SIP/2.0 1")).then(|| answer.lines().next().unwrap().to_owned())
        })
    };
    assert_eq!(call("sip-1-2-0.example.org"), "SIP/2.0 200 OK");
    assert_eq!(call("sip.example.org"), "SIP/2.0 200 OK");
    assert_eq!(call("sip-3-4-5.example.org"), "SIP/2.0 404 No such service");
}
