//! TCP: connections that others open and that we open, framed by Content-Length.

use crate::ua::{Flow, Transport};
use bytes::Bytes;
use sipx_sip::{Limits, Message, StreamParser};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::timeout,
};

/// How long a connection may be silent. Calls last longer than keep-alives are apart, so this is generous.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// How long a message may take to arrive once it has begun.
const MESSAGE_MAX: Duration = Duration::from_secs(20);
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Messages that may wait for a peer that reads slowly.
const WAITING_MAX: usize = 256;
const READ_BYTES: usize = 16 * 1024;
/// The answer to a keep-alive (RFC 5626, section 4.4.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// What a connection tells the endpoint.
pub(super) enum TcpEvent {
    Message { flow: Flow, message: Box<Message> },
    Closed { flow: Flow },
}

/// The sending half of a connection; dropping it closes the connection when all is written.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) outgoing: mpsc::Sender<Bytes>,
}

/// Starts the tasks of a connection that exists.
pub(super) fn start(stream: TcpStream, flow: Flow, events: mpsc::Sender<TcpEvent>) -> Connection {
    let _ = stream.set_nodelay(true);
    let (outgoing, waiting) = mpsc::channel(WAITING_MAX);
    let (reader, writer) = stream.into_split();
    tokio::spawn(write(writer, waiting));
    tokio::spawn(read(reader, flow, events, outgoing.downgrade()));
    Connection { outgoing }
}

/// Opens a connection; what is sent meanwhile waits.
pub(super) fn open(remote: SocketAddr, flow: Flow, events: mpsc::Sender<TcpEvent>) -> Connection {
    let (outgoing, waiting) = mpsc::channel(WAITING_MAX);
    let weak = outgoing.downgrade();
    tokio::spawn(async move {
        match timeout(CONNECT_MAX, TcpStream::connect(remote)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                let (reader, writer) = stream.into_split();
                tokio::spawn(write(writer, waiting));
                read(reader, flow, events, weak).await;
            }
            Ok(Err(_)) | Err(_) => {
                let _ = events.send(TcpEvent::Closed { flow }).await;
            }
        }
    });
    Connection { outgoing }
}

async fn write(mut writer: OwnedWriteHalf, mut waiting: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = waiting.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

async fn read(
    mut reader: OwnedReadHalf,
    flow: Flow,
    events: mpsc::Sender<TcpEvent>,
    outgoing: mpsc::WeakSender<Bytes>,
) {
    let mut parser = StreamParser::new(Limits {
        max_message_bytes: 128 * 1024,
        max_body_bytes: 64 * 1024,
        ..Limits::stream()
    });
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let patience = if parser.pending() > 0 { MESSAGE_MAX } else { IDLE_MAX };
        let length = match timeout(patience, reader.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => length,
            Ok(Ok(_) | Err(_)) | Err(_) => break,
        };
        let Ok(messages) = parser.push(&buffer[..length]) else {
            // Framing is lost; what follows would be guesswork.
            tracing::debug!(remote = %flow.remote, "a connection sent what is not SIP: closed");
            break;
        };
        // Two CRLFs are a ping and want one back; a single one is stray.
        if parser.take_keepalives() >= 2
            && let Some(outgoing) = outgoing.upgrade()
        {
            let _ = outgoing.try_send(PONG);
        }
        for message in messages {
            if events.send(TcpEvent::Message { flow, message: Box::new(message) }).await.is_err() {
                return;
            }
        }
    }
    debug_assert_eq!(flow.transport, Transport::Tcp);
    let _ = events.send(TcpEvent::Closed { flow }).await;
}
