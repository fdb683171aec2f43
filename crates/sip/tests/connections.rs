//! What a connection may cost: how many there may be, how long one may be silent, how much a message may hold.

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

/// The status of what comes next; empty where the connection is closed.
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
    handle.accept_websocket(Box::new(theirs), at(8080), at(50_000), true);
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
    handle.accept_websocket(Box::new(theirs), at(8080), at(50_000), true);
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
