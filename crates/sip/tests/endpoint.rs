//! The endpoint over real sockets on loopback.

mod support;

use plenary_sip::{DialSpec, EndCause, SipConfig, SipEndpoint, SipEvent, SipHandle, TlsSettings};
use std::{sync::Arc, time::Duration};
use support::{SDP, config, endpoint, next};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::mpsc::Receiver,
    time::timeout,
};
use tokio_rustls::rustls;

async fn call_over(transport: &str) {
    let (called, called_events) = endpoint().await;
    let uri = format!("sip:room@{}{transport}", called.local_addr());
    call_between(endpoint().await, (called, called_events), uri).await;
}

async fn call_between(
    (caller, mut caller_events): (SipHandle, Receiver<SipEvent>),
    (called, mut called_events): (SipHandle, Receiver<SipEvent>),
    uri: String,
) {
    let spec = DialSpec { uri, from_user: "alice".into(), sdp: SDP.into(), ..DialSpec::default() };
    let call = caller.dial(spec).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!(incoming.target.user, "room");
    called.ring(incoming.call, None);
    assert!(matches!(next(&mut caller_events).await, SipEvent::Progress { status: 180, .. }));
    called.answer(incoming.call, SDP.into());
    let answered = next(&mut caller_events).await;
    assert!(
        matches!(&answered, SipEvent::Answered { call: its, sdp: Some(sdp), .. } if *its == call && sdp == SDP)
    );
    assert!(matches!(next(&mut called_events).await, SipEvent::Confirmed { .. }));
    called.hang_up(incoming.call, vec![]);
    assert!(matches!(
        next(&mut caller_events).await,
        SipEvent::Ended { cause: EndCause::ByRemote { .. }, .. }
    ));
    assert!(matches!(next(&mut called_events).await, SipEvent::Ended { cause: EndCause::ByUs, .. }));
    caller.shutdown().await;
    called.shutdown().await;
}

#[tokio::test]
async fn a_call_over_udp() {
    call_over("").await;
}

#[tokio::test]
async fn a_call_over_tcp() {
    call_over(";transport=tcp").await;
}

#[tokio::test]
async fn a_call_over_ipv6() {
    for transport in ["", ";transport=tcp"] {
        let config = || SipConfig {
            listen: vec!["[::1]:0".parse().unwrap()],
            allow_from: vec!["::1/128".parse().unwrap()],
            ..SipConfig::default()
        };
        let called = SipEndpoint::bind(config()).await.unwrap();
        let uri = format!("sip:room@{}{transport}", called.0.local_addr());
        call_between(SipEndpoint::bind(config()).await.unwrap(), called, uri).await;
    }
}

/// A certificate for `localhost`, and a client that trusts it alone.
fn tls() -> TlsSettings {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsSettings { server: Some(Arc::new(server)), client: Some(Arc::new(client)) }
}

async fn endpoint_with(tls: TlsSettings) -> (SipHandle, Receiver<SipEvent>) {
    let config = SipConfig { listen_tls: vec![([127, 0, 0, 1], 0).into()], tls, ..config() };
    SipEndpoint::bind(config).await.unwrap()
}

#[tokio::test]
async fn a_call_over_tls() {
    let tls = tls();
    for scheme in ["sip", "sips"] {
        let called = endpoint_with(tls.clone()).await;
        let port = called.0.local_tls_addr().unwrap().port();
        let parameter = if scheme == "sip" { ";transport=tls" } else { "" };
        let uri = format!("{scheme}:room@localhost:{port}{parameter}");
        call_between(endpoint_with(tls.clone()).await, called, uri).await;
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (called, _called_events) = endpoint_with(tls()).await;
    let (caller, mut events) = endpoint_with(tls()).await;
    let port = called.local_tls_addr().unwrap().port();
    let uri = format!("sip:room@localhost:{port};transport=tls");
    caller.dial(DialSpec { uri, from_user: "alice".into(), sdp: SDP.into(), ..DialSpec::default() }).unwrap();
    assert!(matches!(next(&mut events).await, SipEvent::Rejected { status: 503, .. }));
}

/// Two calls on one WebSocket, as a browser places them: its Contact and Via name nothing that can be reached.
#[tokio::test]
async fn calls_over_a_websocket() {
    use futures_util::{SinkExt, StreamExt};
    let (called, mut events) = endpoint().await;
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (local, remote) = ("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:50000".parse().unwrap());
    called.accept_websocket(Box::new(theirs), local, remote, true, false);
    let mut browser = tokio_websockets::ClientBuilder::new().take_over(ours);
    let request = |method: &str, number: u32, cseq: u32, to_tag: &str, body: &str| {
        format!(
            "{method} sip:room@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/WSS df7jal.invalid;branch=z9hG4bK{method}{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@key.webrtc.invalid>;tag=f{number}\r\nTo: <sip:room@127.0.0.1>{to_tag}\r\n\
             Call-ID: {number}@ws\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:a@df7jal.invalid;transport=ws>\r\nContent-Type: application/sdp\r\n\r\n{body}"
        )
    };
    browser.send(tokio_websockets::Message::text("\r\n\r\n".to_owned())).await.unwrap();
    assert_eq!(browser.next().await.unwrap().unwrap().as_text(), Some("\r\n"));
    let mut calls = Vec::new();
    for number in [1, 2] {
        browser.send(tokio_websockets::Message::text(request("INVITE", number, 1, "", SDP))).await.unwrap();
        let SipEvent::Incoming(incoming) = next(&mut events).await else { panic!("not a call") };
        assert_eq!(incoming.flow.transport, plenary_sip::Transport::Wss);
        called.answer(incoming.call, SDP.into());
        let answer = loop {
            let message = browser.next().await.unwrap().unwrap();
            let text = message.as_text().unwrap().to_owned();
            if text.starts_with("SIP/2.0 200") {
                break text;
            }
        };
        assert!(answer.contains("Contact: <sip:room@127.0.0.1:8080;transport=ws>"), "{answer}");
        let to = answer.lines().find(|line| line.starts_with("To:")).unwrap();
        let tag = format!(";tag={}", to.split_once(";tag=").unwrap().1);
        browser.send(tokio_websockets::Message::text(request("ACK", number, 1, &tag, ""))).await.unwrap();
        assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }));
        calls.push(incoming.call);
    }
    called.hang_up(calls[0], vec![]);
    let bye = browser.next().await.unwrap().unwrap();
    let bye = bye.as_text().unwrap();
    assert!(bye.starts_with("BYE sip:a@df7jal.invalid") && bye.contains("Via: SIP/2.0/WSS"), "{bye}");
    // The connection goes, and with it what cannot be reached otherwise.
    drop(browser);
    called.hang_up(calls[1], vec![]);
    let mut ended = Vec::new();
    while ended.len() < 2 {
        if let SipEvent::Ended { call, .. } = next(&mut events).await {
            ended.push(call);
        }
    }
}

/// A phone that called over TCP and whose connection broke is still told that the call is over: where it listens.
#[tokio::test]
async fn a_call_outlives_its_connection() {
    let (called, mut called_events) = endpoint().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let contact = listener.local_addr().unwrap();
    let mut phone = TcpStream::connect(called.local_addr()).await.unwrap();
    let message = |method: &str, to_tag: &str, body: &str| {
        format!(
            "{method} sip:room@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {contact};branch=z9hG4bK{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=f\r\nTo: <sip:room@127.0.0.1>{to_tag}\r\nCall-ID: tcp\r\n\
             CSeq: 1 {method}\r\nContact: <sip:a@{contact};transport=tcp>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    phone.write_all(message("INVITE", "", SDP).as_bytes()).await.unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    called.answer(incoming.call, SDP.into());
    let mut answer = String::new();
    while !answer.contains("200 OK") || !answer.contains("m=audio") {
        let mut buffer = [0; 4096];
        let length = phone.read(&mut buffer).await.unwrap();
        answer.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    let to = answer.lines().rfind(|line| line.starts_with("To:")).unwrap();
    let tag = format!(";tag={}", to.split_once(";tag=").unwrap().1);
    phone.write_all(message("ACK", &tag, "").as_bytes()).await.unwrap();
    assert!(matches!(next(&mut called_events).await, SipEvent::Confirmed { .. }));
    drop(phone);
    assert!(matches!(next(&mut called_events).await, SipEvent::ConnectionClosed(_)));
    called.hang_up(incoming.call, vec![]);
    let (mut again, _) = timeout(Duration::from_secs(10), listener.accept()).await.unwrap().unwrap();
    let mut buffer = [0; 4096];
    let length = again.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"BYE "), "{}", String::from_utf8_lossy(&buffer[..length]));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let (handle, _events) = endpoint().await;
    let config = SipConfig { listen: vec![handle.local_addr()], ..SipConfig::default() };
    let error = SipEndpoint::bind(config).await.unwrap_err().to_string();
    assert!(error.contains(&handle.local_addr().to_string()) && error.contains("in use"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_dialled_is_explained() {
    let (handle, _events) = endpoint().await;
    for uri in ["", "http://127.0.0.1", "sip:a@127.0.0.1;transport=sctp", "tel:123"] {
        let spec =
            DialSpec { uri: uri.into(), from_user: "a".into(), sdp: SDP.into(), ..DialSpec::default() };
        let error = handle.dial(spec).unwrap_err().to_string();
        assert!(error.contains("sip:user@host:port"), "{uri}: {error}");
    }
}

fn options(transport: &str, branch: &str) -> String {
    format!(
        "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;rport;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

#[tokio::test]
async fn garbage_and_half_requests_do_no_harm() {
    let (handle, _events) = endpoint().await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect(handle.local_addr()).await.unwrap();
    let huge = format!("OPTIONS sip:x SIP/2.0\r\nX: {}\r\n\r\n", "y".repeat(60_000));
    for garbage in [
        &b"\0\xff\xfe garbage"[..],
        b"\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\n",
        huge.as_bytes(),
        b"SIP/2.0 99999 x\r\n\r\n",
    ] {
        udp.send(garbage).await.unwrap();
    }
    // A connection that says half a request and no more, one that says garbage, one that says too much.
    let mut half = TcpStream::connect(handle.local_addr()).await.unwrap();
    half.write_all(b"INVITE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP").await.unwrap();
    for bad in [&b"\0\0\0\0\r\n\r\n"[..], huge.repeat(4).as_bytes()] {
        let mut stream = TcpStream::connect(handle.local_addr()).await.unwrap();
        let _ = stream.write_all(bad).await;
        let mut rest = Vec::new();
        let closed = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "a connection that makes no sense is closed");
    }
    udp.send(options("UDP", "u").as_bytes()).await.unwrap();
    let mut answer = vec![0; 2000];
    let length = timeout(Duration::from_secs(10), udp.recv(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..length].starts_with(b"SIP/2.0 200"));
}

#[tokio::test]
async fn tcp_frames_by_length_and_answers_pings() {
    let (handle, _events) = endpoint().await;
    let mut stream = TcpStream::connect(handle.local_addr()).await.unwrap();
    let read = async |stream: &mut TcpStream, wanted: &str| {
        let mut text = String::new();
        while !text.contains(wanted) {
            let mut buffer = [0; 4000];
            let length = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.unwrap().unwrap();
            assert!(length > 0, "closed after {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    stream.write_all(b"\r\n\r\n").await.unwrap();
    read(&mut stream, "\r\n").await;
    // Two requests in one write, the second in pieces.
    let (first, second) = (options("TCP", "t1"), options("TCP", "t2"));
    let (begin, end) = second.split_at(70);
    stream.write_all((first + begin).as_bytes()).await.unwrap();
    read(&mut stream, "Call-ID: t1").await;
    stream.write_all(end.as_bytes()).await.unwrap();
    read(&mut stream, "Call-ID: t2").await;
}

/// Line ends before a request are passed over (RFC 3261, section 7.5), and what is plainly meant is read, in whatever way it
/// comes.
#[tokio::test]
async fn requests_are_read_behind_line_ends_and_with_raw_characters() {
    use futures_util::{SinkExt, StreamExt};
    let (handle, _events) = endpoint().await;
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    handle.accept_websocket(
        Box::new(theirs),
        "127.0.0.1:8080".parse().unwrap(),
        "127.0.0.1:50001".parse().unwrap(),
        false,
        false,
    );
    let mut browser = tokio_websockets::ClientBuilder::new().take_over(ours);
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect(handle.local_addr()).await.unwrap();
    let mut tcp = TcpStream::connect(handle.local_addr()).await.unwrap();
    let wait = Duration::from_secs(10);
    for (number, before) in ["", "\r\n", "\r\n\r\n\r\n"].into_iter().enumerate() {
        for (letter, user) in [("a", "x"), ("b", "9001#")] {
            let request = |transport: &str| {
                let branch = format!("{transport}{letter}{number}");
                before.to_owned()
                    + &options(transport, &branch).replacen("sip:x@", &format!("sip:{user}@"), 1)
            };
            let id = |transport: &str| format!("Call-ID: {transport}{letter}{number}\r\n");
            let mut buffer = vec![0; 4000];
            udp.send(request("UDP").as_bytes()).await.unwrap();
            let length = timeout(wait, udp.recv(&mut buffer)).await.unwrap().unwrap();
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            assert!(said.starts_with("SIP/2.0 200") && said.contains(&id("UDP")), "{user}: {said}");
            browser.send(tokio_websockets::Message::text(request("WS"))).await.unwrap();
            let said = timeout(wait, browser.next()).await.unwrap().unwrap().unwrap();
            let said = said.as_text().unwrap();
            assert!(said.starts_with("SIP/2.0 200") && said.contains(&id("WS")), "{user}: {said}");
            // Two in one write, the second cut into two.
            let both = request("TCP")
                + &request("TCP").replace("Call-ID: T", "Call-ID: second-T").replace("bKTCP", "bKX");
            let (begin, end) = both.split_at(both.len() - 2);
            tcp.write_all(begin.as_bytes()).await.unwrap();
            tcp.write_all(end.as_bytes()).await.unwrap();
            let mut said = String::new();
            while said.matches("SIP/2.0 200").count() < 2 {
                let length = timeout(wait, tcp.read(&mut buffer)).await.unwrap().unwrap();
                assert!(length > 0, "closed after {said}");
                said.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            assert!(said.contains(&id("TCP")) && said.contains("Call-ID: second-TCP"), "{user}: {said}");
        }
    }
}

/// The end of a WebSocket is said by both sides (RFC 6455, section 5.5.1).
#[tokio::test]
async fn a_websocket_that_is_closed_is_told_so() {
    use futures_util::{SinkExt, StreamExt};
    let (handle, _events) = endpoint().await;
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    handle.accept_websocket(
        Box::new(theirs),
        "127.0.0.1:8080".parse().unwrap(),
        "127.0.0.1:50002".parse().unwrap(),
        true,
        false,
    );
    let mut browser = tokio_websockets::ClientBuilder::new().take_over(ours);
    let code = tokio_websockets::CloseCode::try_from(4711).unwrap();
    browser.send(tokio_websockets::Message::close(Some(code), "bye")).await.unwrap();
    let close = timeout(Duration::from_secs(10), browser.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(close.as_close().map(|(code, _)| code), Some(code), "the same code comes back");
    assert!(timeout(Duration::from_secs(10), browser.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_connection_brings_and_cannot_be_read_is_answered_before_it_closes() {
    let (handle, _events) = endpoint().await;
    let good = options("TCP", "t1");
    // A parameter that stands twice in the address (some telephones do that), and more than we take.
    let twice = good.replacen("sip:x@127.0.0.1", "sip:x@127.0.0.1;transport=tcp;transport=tcp", 1);
    let huge = good.replace("Content-Length: 0", "Content-Length: 70000");
    let long =
        good.replace("Content-Length: 0", &format!("X-Long: {}\r\nContent-Length: 0", "y".repeat(10_000)));
    for (bad, before, status) in [
        (&twice, "", "400 Bad Request"),
        (&huge, "", "513 Message Too Large"),
        (&huge, "\r\n\r\n", "513 Message Too Large"),
        (&long, "", "513 Message Too Large"),
    ] {
        let mut stream = TcpStream::connect(handle.local_addr()).await.unwrap();
        stream.write_all(format!("{before}{bad}").as_bytes()).await.unwrap();
        let mut said = String::new();
        timeout(Duration::from_secs(10), stream.read_to_string(&mut said)).await.unwrap().unwrap();
        assert!(
            said.starts_with(&format!("SIP/2.0 {status}")) && said.contains("Call-ID: t1"),
            "{bad}: {said}"
        );
    }
}
