//! The endpoint over real sockets on loopback.

use plenary_sip::{DialSpec, EndCause, SipConfig, SipEndpoint, SipEvent, SipHandle};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::mpsc::Receiver,
    time::timeout,
};

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

async fn endpoint() -> (SipHandle, Receiver<SipEvent>) {
    let config = SipConfig {
        listen: vec![([127, 0, 0, 1], 0).into()],
        allow_from: vec!["127.0.0.0/8".parse().unwrap()],
        ..SipConfig::default()
    };
    SipEndpoint::bind(config).await.unwrap()
}

async fn next(events: &mut Receiver<SipEvent>) -> SipEvent {
    timeout(Duration::from_secs(10), events.recv()).await.expect("an event within ten seconds").unwrap()
}

async fn call_over(transport: &str) {
    let (caller, mut caller_events) = endpoint().await;
    let (called, mut called_events) = endpoint().await;
    let uri = format!("sip:room@{}{transport}", called.local_addr());
    let spec = DialSpec { uri, from_user: "alice".into(), sdp: SDP.into() };
    let call = caller.dial(spec).await.unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!(incoming.target.user, "room");
    called.ring(incoming.call, None);
    assert!(matches!(next(&mut caller_events).await, SipEvent::Progress { status: 180, .. }));
    called.answer(incoming.call, SDP.into());
    assert_eq!(next(&mut caller_events).await, SipEvent::Answered { call, sdp: Some(SDP.into()) });
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
async fn a_port_in_use_is_named() {
    let (handle, _events) = endpoint().await;
    let config = SipConfig { listen: vec![handle.local_addr()], ..SipConfig::default() };
    let error = SipEndpoint::bind(config).await.unwrap_err().to_string();
    assert!(error.contains(&handle.local_addr().to_string()) && error.contains("in use"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_dialled_is_explained() {
    let (handle, _events) = endpoint().await;
    for uri in ["", "http://127.0.0.1", "sip:a@127.0.0.1;transport=tls", "tel:123"] {
        let spec = DialSpec { uri: uri.into(), from_user: "a".into(), sdp: SDP.into() };
        let error = handle.dial(spec).await.unwrap_err().to_string();
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
