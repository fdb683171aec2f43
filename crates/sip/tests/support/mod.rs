//! Shared by tests over real sockets on loopback.
#![allow(dead_code, missing_docs, unreachable_pub)]

use plenary_sip::{SipConfig, SipEndpoint, SipEvent, SipHandle};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpSocket, UdpSocket},
    sync::mpsc::Receiver,
    time::timeout,
};

pub const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// Listens on a free port for those on loopback; the rest is the usual.
pub fn config() -> SipConfig {
    SipConfig {
        listen: vec![([127, 0, 0, 1], 0).into()],
        allow_from: vec!["127.0.0.0/8".parse().unwrap()],
        ..SipConfig::default()
    }
}

pub async fn endpoint() -> (SipHandle, Receiver<SipEvent>) {
    SipEndpoint::bind(config()).await.unwrap()
}

/// The next event, for which nothing that is tested waits longer than for the fourth server of a name.
pub async fn next(events: &mut Receiver<SipEvent>) -> SipEvent {
    timeout(Duration::from_secs(40), events.recv()).await.expect("an event in time").unwrap()
}

/// A UDP socket, and a TCP socket with the same port that does not listen yet. A port that is free for
/// one may be in use for the other.
pub async fn same_port() -> (UdpSocket, TcpSocket, SocketAddr) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = TcpSocket::new_v4().unwrap();
        if tcp.bind(address).is_ok() {
            return (udp, tcp, address);
        }
    }
}
