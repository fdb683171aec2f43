//! Limits of connections: their number, idle time, and message size.

mod support;

use futures_util::{SinkExt, StreamExt};
use plenary_sip::{SipConfig, SipEndpoint, SipEvent, SipHandle};
use std::time::Duration;
use support::config;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    sync::mpsc::Receiver,
    time::{Instant, sleep, timeout},
};
use tokio_websockets::{Message, WebSocketStream};

async fn endpoint(max_connections: usize) -> (SipHandle, Receiver<SipEvent>) {
    SipEndpoint::bind(SipConfig { max_connections, ..config() }).await.unwrap()
}

fn options(transport: &str, number: usize, body: usize) -> String {
    format!(
        "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;rport;branch=z9hG4bK{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: {body}\r\n\r\n{}",
        "y".repeat(body)
    )
}

/// The status of the next response; empty if the connection is closed.
async fn status(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4000];
    let length =
        timeout(Duration::from_secs(20), stream.read(&mut buffer)).await.expect("an answer or the end");
    let text = String::from_utf8_lossy(&buffer[..length.unwrap_or(0)]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn there_are_so_many_connections_at_a_time_and_one_that_ends_makes_room() {
    let (handle, _events) = endpoint(3).await;
    let mut open = Vec::new();
    for number in 0..3 {
        let mut stream = TcpStream::connect(handle.local_addr()).await.unwrap();
        stream.write_all(options("TCP", number, 0).as_bytes()).await.unwrap();
        assert_eq!(status(&mut stream).await, "SIP/2.0 200 OK");
        open.push(stream);
    }
    let ask = async |number: usize| {
        let mut stream = TcpStream::connect(handle.local_addr()).await.unwrap();
        let _ = stream.write_all(options("TCP", number, 0).as_bytes()).await;
        status(&mut stream).await
    };
    assert_eq!(ask(10).await, "", "the fourth is closed");
    // A WebSocket is one more, too.
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let at = |port: u16| ([127, 0, 0, 1], port).into();
    handle.accept_websocket(Box::new(theirs), at(8080), at(50_000), true, false);
    let mut browser = tokio_websockets::ClientBuilder::new().take_over(ours);
    assert!(browser.next().await.is_none_or(|message| message.is_err()), "it is closed");
    // The three are served as before.
    for (number, stream) in open.iter_mut().enumerate() {
        stream.write_all(options("TCP", 20 + number, 0).as_bytes()).await.unwrap();
        assert_eq!(status(stream).await, "SIP/2.0 200 OK");
    }
    drop(open.pop());
    let began = Instant::now();
    for number in 30.. {
        if ask(number).await == "SIP/2.0 200 OK" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "a place that is free is not given away");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A WebSocket whose opening handshake is done, and its endpoint.
async fn browser() -> (WebSocketStream<DuplexStream>, SipHandle, Receiver<SipEvent>) {
    let (handle, events) = endpoint(10).await;
    let (ours, theirs) = tokio::io::duplex(1024 * 1024);
    let at = |port: u16| ([127, 0, 0, 1], port).into();
    handle.accept_websocket(Box::new(theirs), at(8080), at(50_000), true, false);
    (tokio_websockets::ClientBuilder::new().take_over(ours), handle, events)
}

async fn text(browser: &mut WebSocketStream<DuplexStream>) -> Option<String> {
    let message = timeout(Duration::from_secs(7200), browser.next()).await.expect("a message or the end");
    let message = message?.ok().filter(|message| !message.is_close())?;
    Some(message.as_text().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_message_of_a_websocket_that_is_too_large_is_refused_or_ends_it() {
    let (mut browser, _handle, _events) = browser().await;
    let mut ask = async |number, body| {
        browser.send(Message::text(options("WSS", number, body))).await.unwrap();
        let answer = text(&mut browser).await?;
        Some(answer.lines().next().unwrap_or_default().to_owned())
    };
    assert_eq!(ask(1, 60_000).await.as_deref(), Some("SIP/2.0 200 OK"));
    // Where a message ends is known here, so the next one can be read.
    let refused = ask(2, 70_000).await.unwrap();
    assert!(refused.starts_with("SIP/2.0 513 Message Too Large"), "{refused}");
    assert_eq!(ask(3, 0).await.as_deref(), Some("SIP/2.0 200 OK"));
    // More than 128 KiB are not even taken in.
    assert_eq!(ask(4, 131_000).await, None);
}

/// By the clock of the test: half an hour takes no time.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_silent_for_half_an_hour_is_closed_and_one_that_is_not_stays() {
    let (mut browser, handle, _events) = browser().await;
    let mut phone = TcpStream::connect(handle.local_addr()).await.unwrap();
    let began = Instant::now();
    let ping = async |browser: &mut WebSocketStream<DuplexStream>, phone: &mut TcpStream| {
        browser.send(Message::text("\r\n\r\n".to_owned())).await.unwrap();
        assert_eq!(text(browser).await.as_deref(), Some("\r\n"));
        phone.write_all(b"\r\n\r\n").await.unwrap();
        let mut pong = [0; 2];
        phone.read_exact(&mut pong).await.unwrap();
        assert_eq!(&pong, b"\r\n");
    };
    ping(&mut browser, &mut phone).await;
    sleep(Duration::from_secs(25 * 60)).await;
    ping(&mut browser, &mut phone).await;
    assert_eq!(text(&mut browser).await, None);
    assert_eq!(phone.read(&mut [0; 10]).await.unwrap_or(0), 0);
    let minutes = began.elapsed().as_secs() / 60;
    assert!((54..=56).contains(&minutes), "{minutes}");
}

/// Its URI names a host that nobody can resolve and a transport that nobody but the browser can open (RFC 7118, section 5).
#[tokio::test]
async fn a_browser_that_registered_is_called_over_its_websocket_and_not_once_that_is_closed() {
    let (mut browser, handle, mut events) = browser().await;
    let register = "REGISTER sip:key.webrtc-1-2-0.example SIP/2.0\r\nVia: SIP/2.0/WSS x1.invalid;branch=z9hG4bK7\r\n\
        Max-Forwards: 70\r\nFrom: <sip:alice@key.webrtc-1-2-0.example>;tag=1\r\nTo: <sip:alice@key.webrtc-1-2-0.example>\r\n\
        Call-ID: reg-1\r\nCSeq: 1 REGISTER\r\nContact: <sip:u7@x1.invalid;transport=ws>;expires=600\r\nContent-Length: 0\r\n\r\n";
    browser.send(Message::text(register.to_owned())).await.unwrap();
    let SipEvent::Registering(registration) = support::next(&mut events).await else { panic!() };
    assert_eq!(
        (registration.user.as_str(), registration.host.as_str()),
        ("alice", "key.webrtc-1-2-0.example")
    );
    assert_eq!(registration.sip_call_id, "reg-1");
    assert_eq!(registration.contacts, [("sip:u7@x1.invalid;transport=ws".to_owned(), 600)]);
    handle.answer_registration(registration.request, registration.contacts.clone());
    assert!(text(&mut browser).await.unwrap().starts_with("SIP/2.0 200 OK"));

    let spec = || plenary_sip::DialSpec {
        uri: registration.contacts[0].0.clone(),
        from_user: "Board".into(),
        flow: Some(registration.flow),
        sdp: support::SDP.into(),
        ..plenary_sip::DialSpec::default()
    };
    let call = handle.dial(spec()).unwrap();
    let invite = text(&mut browser).await.unwrap();
    assert!(invite.starts_with("INVITE sip:u7@x1.invalid;transport=ws SIP/2.0\r\n"), "{invite}");
    assert!(invite.contains("\r\nContact: <sip:Board@127.0.0.1:8080;transport=ws>\r\n"), "{invite}");

    browser.close().await.unwrap();
    drop(browser);
    assert_eq!(support::next(&mut events).await, SipEvent::ConnectionClosed(registration.flow));
    let phrase = "Its connection is closed".to_owned();
    let rejected = |call| SipEvent::Rejected { call, status: 480, phrase: phrase.clone() };
    assert_eq!(support::next(&mut events).await, rejected(call));
    // And so is a call that begins after that.
    let call = handle.dial(spec()).unwrap();
    assert_eq!(support::next(&mut events).await, SipEvent::ConnectionClosed(registration.flow));
    assert_eq!(support::next(&mut events).await, rejected(call));
    // Without such a connection nobody can be called at that URI.
    assert!(handle.dial(plenary_sip::DialSpec { flow: None, ..spec() }).is_err());
}
