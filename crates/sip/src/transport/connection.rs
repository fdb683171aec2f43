//! Connections: TCP and TLS, framed by Content-Length (RFC 3261, section 18.3), and WebSockets, with one SIP message
//! per WebSocket message (RFC 7118, section 5). Peers open all kinds; this side opens all but WebSockets.

use super::{stream::BoxedStream, tls::Connector};
use crate::ua::{Flow, Transport, lenient};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sipx_sip::{Limits, Message, StreamParser, error::ParseError};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

/// How long a connection may be silent. Calls last longer than the intervals of keep-alives, so this is generous.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// How long a message may take to arrive once it has begun.
const MESSAGE_MAX: Duration = Duration::from_secs(20);
/// How long a connection may take to open, with TLS: time for three more SYN, after 1, 3 and 7 s (RFC 6298, section 5.5),
/// and for a second server before timer B ends it all (RFC 3261, section 17.1.1.2: 32 s).
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Time for the answer to unreadable input to leave, and for the closing handshake of a WebSocket.
const FAREWELL: Duration = Duration::from_secs(1);
/// Messages that may wait for a slow peer.
const WAITING_MAX: usize = 256;
const READ_BYTES: usize = 16 * 1024;
const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Two CRLFs are a ping, one is the pong (RFC 5626, section 4.4.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// An event of a connection.
pub(super) enum ConnectionEvent {
    Message {
        flow: Flow,
        message: Box<Message>,
    },
    /// Unreadable input. A stream closes then, because the end of the message is unknown.
    Unreadable {
        flow: Flow,
        bytes: Bytes,
        why: ParseError,
    },
    Closed {
        flow: Flow,
        id: u64,
    },
}

/// The sending half of a connection; dropping it closes the connection after everything is written.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) outgoing: mpsc::Sender<Bytes>,
    /// Distinguishes it from earlier ones between the same addresses.
    pub(super) id: u64,
    /// The other side opened it.
    pub(super) is_theirs: bool,
}

/// What each connection needs of the endpoint.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) flow: Flow,
    pub(super) id: u64,
    pub(super) events: mpsc::Sender<ConnectionEvent>,
}

/// Starts the tasks of an open connection.
pub(super) fn start(stream: BoxedStream, side: Side) -> Connection {
    let (outgoing, waiting) = mpsc::channel(WAITING_MAX);
    let connection = Connection { outgoing: outgoing.clone(), id: side.id, is_theirs: true };
    tokio::spawn(run(stream, side, outgoing.downgrade(), waiting));
    connection
}

/// Opens a connection; messages wait meanwhile.
pub(super) fn open(host: Option<String>, connector: Option<Connector>, side: Side) -> Connection {
    let (outgoing, waiting) = mpsc::channel(WAITING_MAX);
    let connection = Connection { outgoing: outgoing.clone(), id: side.id, is_theirs: false };
    let weak = outgoing.downgrade();
    tokio::spawn(async move {
        let remote = side.flow.remote;
        match timeout(CONNECT_MAX, connect(remote, side.flow.transport, host, connector)).await {
            Ok(Ok(stream)) => run(stream, side, weak, waiting).await,
            outcome => {
                let error = match outcome {
                    Ok(Err(error)) => error.to_string(),
                    Ok(Ok(_)) | Err(_) => format!("no answer within {} seconds", CONNECT_MAX.as_secs()),
                };
                tracing::info!(flow = %side.flow, error, "a connection cannot be opened");
                let _ = side.events.send(ConnectionEvent::Closed { flow: side.flow, id: side.id }).await;
            }
        }
    });
    connection
}

async fn connect(
    remote: SocketAddr,
    transport: Transport,
    host: Option<String>,
    connector: Option<Connector>,
) -> io::Result<BoxedStream> {
    let stream = TcpStream::connect(remote).await?;
    let _ = stream.set_nodelay(true);
    if transport != Transport::Tls {
        return Ok(Box::new(stream));
    }
    let connector = connector.ok_or_else(|| io::Error::other("TLS is not configured"))?;
    let name = host.unwrap_or_else(|| remote.ip().to_string());
    connector.connect(&name, stream).await
}

async fn run(
    stream: BoxedStream,
    side: Side,
    outgoing: mpsc::WeakSender<Bytes>,
    waiting: mpsc::Receiver<Bytes>,
) {
    let (flow, id, events) = (side.flow, side.id, side.events.clone());
    match flow.transport {
        Transport::Ws | Transport::Wss => websocket(stream, side, waiting).await,
        Transport::Tcp | Transport::Tls | Transport::Udp => {
            let (reader, writer) = tokio::io::split(stream);
            let mut reading = std::pin::pin!(read(reader, side, outgoing));
            let mut writing = tokio::spawn(write(writer, waiting));
            tokio::select! {
                () = &mut reading => writing.abort(),
                // This side closes: the other side has a moment to close too.
                _ = &mut writing => {
                    let _ = timeout(MESSAGE_MAX, reading).await;
                }
            }
        }
    }
    let _ = events.send(ConnectionEvent::Closed { flow, id }).await;
}

async fn write(mut writer: WriteHalf<BoxedStream>, mut waiting: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = waiting.recv().await {
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if timeout(MESSAGE_MAX, written).await.is_ok_and(|outcome| outcome.is_ok()) {
            continue;
        }
        return;
    }
    let _ = timeout(MESSAGE_MAX, writer.shutdown()).await;
}

async fn read(mut reader: ReadHalf<BoxedStream>, side: Side, outgoing: mpsc::WeakSender<Bytes>) {
    let mut parser = StreamParser::new(limits());
    let mut buffer = vec![0; READ_BYTES];
    // What the parser holds of an incomplete message, and the latest octets.
    let mut unfinished = Vec::new();
    let mut heads = Heads::default();
    loop {
        let limit = if parser.pending() > 0 { MESSAGE_MAX } else { IDLE_MAX };
        let length = match timeout(limit, reader.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => length,
            Ok(Ok(_) | Err(_)) | Err(_) => return,
        };
        let (mut messages, mut failure) = (Vec::new(), None);
        for piece in heads.split(&buffer[..length]) {
            unfinished.extend_from_slice(piece);
            match push(&mut parser, piece, &unfinished) {
                Ok(more) => messages.extend(more),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            unfinished.drain(..unfinished.len() - parser.pending().min(unfinished.len()));
        }
        // Two CRLFs are a ping and want one back; a single one is stray.
        if failure.is_none()
            && parser.take_keepalives() >= 2
            && let Some(outgoing) = outgoing.upgrade()
        {
            let _ = outgoing.try_send(PONG);
        }
        for message in messages {
            let event = ConnectionEvent::Message { flow: side.flow, message: Box::new(message) };
            if side.events.send(event).await.is_err() {
                return;
            }
        }
        let Some(error) = failure else { continue };
        // Framing is lost; everything after would be guesswork.
        tracing::debug!(flow = %side.flow, %error, "a connection sent what is not SIP: closed");
        let bytes = lenient::message_of(&Bytes::from(unfinished));
        let event = ConnectionEvent::Unreadable { flow: side.flow, bytes, why: error };
        if side.events.send(event).await.is_ok() {
            // Unread octets would discard the answer when the connection closes.
            let discard = async { while matches!(reader.read(&mut buffer).await, Ok(1..)) {} };
            let _ = timeout(FAREWELL, discard).await;
        }
        return;
    }
}

/// Passes octets to the parser. If it refuses the message that they complete, `unfinished`, that is passed again with
/// its first line repaired.
fn push(parser: &mut StreamParser, piece: &[u8], unfinished: &[u8]) -> Result<Vec<Message>, ParseError> {
    parser.push(piece).or_else(|why| {
        let begin = unfinished.iter().take_while(|octet| b"\r\n".contains(octet)).count();
        let Some(mended) = lenient::mend_start_line(&unfinished[begin..]) else { return Err(why) };
        let mut fresh = StreamParser::new(limits());
        let messages = fresh.push(&mended)?;
        *parser = fresh;
        Ok(messages)
    })
}

/// Splits a stream where the header of a message may end, so that no piece completes two messages.
#[derive(Default)]
struct Heads {
    /// Octets of an empty line at the end.
    matched: usize,
}

impl Heads {
    fn split<'a>(&mut self, mut octets: &'a [u8]) -> Vec<&'a [u8]> {
        const END: &[u8] = b"\r\n\r\n";
        let (mut pieces, mut at) = (Vec::new(), 0);
        while let Some(octet) = octets.get(at) {
            at += 1;
            self.matched = match (*octet == END[self.matched], *octet) {
                (true, _) => self.matched + 1,
                (false, b'\r') => 1,
                (false, _) => 0,
            };
            if self.matched == END.len() {
                // The second half of one end may be the first half of another.
                self.matched = END.len() / 2;
                pieces.push(&octets[..at]);
                (octets, at) = (&octets[at..], 0);
            }
        }
        pieces.extend((!octets.is_empty()).then_some(octets));
        pieces
    }
}

fn limits() -> Limits {
    Limits { max_message_bytes: MESSAGE_BYTES_MAX, max_body_bytes: 64 * 1024, ..Limits::stream() }
}

async fn websocket(stream: BoxedStream, side: Side, mut waiting: mpsc::Receiver<Bytes>) {
    let mut socket = tokio_websockets::ServerBuilder::new()
        .limits(tokio_websockets::Limits::default().max_payload_len(Some(MESSAGE_BYTES_MAX)))
        .serve(stream);
    exchange(&mut socket, &side, &mut waiting).await;
    // Both sides confirm the close, whichever began it (RFC 6455, section 5.5.1); browsers treat anything else as a
    // failure.
    let _ = timeout(FAREWELL, socket.close()).await;
}

/// Carries messages until one of the two sides ends it.
async fn exchange(
    socket: &mut tokio_websockets::WebSocketStream<BoxedStream>,
    side: &Side,
    waiting: &mut mpsc::Receiver<Bytes>,
) {
    loop {
        tokio::select! {
            bytes = waiting.recv() => {
                let Some(bytes) = bytes else { return };
                // SIP.js and similar clients read text; anything but UTF-8 can only be sent as binary (RFC 7118,
                // section 5).
                let message = match String::from_utf8(bytes.to_vec()) {
                    Ok(text) => tokio_websockets::Message::text(text),
                    Err(error) => tokio_websockets::Message::binary(error.into_bytes()),
                };
                if !timeout(MESSAGE_MAX, socket.send(message)).await.is_ok_and(|sent| sent.is_ok()) {
                    return;
                }
            }
            received = timeout(IDLE_MAX, socket.next()) => {
                let Ok(Some(Ok(message))) = received else { return };
                if message.is_close() {
                    return;
                }
                if !message.is_text() && !message.is_binary() {
                    continue;
                }
                let payload = Bytes::from(message.into_payload());
                let packet = lenient::message_of(&payload);
                if packet.is_empty() && payload.len() < PING.len() {
                    continue;
                }
                if packet.is_empty() {
                    let pong = tokio_websockets::Message::text("\r\n".to_owned());
                    if socket.send(pong).await.is_err() {
                        return;
                    }
                    continue;
                }
                let flow = side.flow;
                let event = match lenient::parse(&packet, &limits()) {
                    Ok(message) => ConnectionEvent::Message { flow, message: Box::new(message) },
                    Err(why) => ConnectionEvent::Unreadable { flow, bytes: packet, why },
                };
                if side.events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }
}
