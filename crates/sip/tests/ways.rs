//! The transport of sent requests, over real sockets on loopback: those that are too large for a datagram (RFC 3261,
//! section 18.1.1), and those to a telephone behind a NAT (RFC 3581).

mod support;

use plenary_sip::{DialSpec, SipEvent, Transport};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use support::{SDP, endpoint, next, same_port};
use tokio::{
    net::{TcpListener, UdpSocket},
    time::timeout,
};

/// An INVITE of some 3,000 octets, as keys and candidates of ICE make it.
fn large(to: SocketAddr) -> DialSpec {
    let candidates = (0..30).fold(SDP.to_owned(), |sdp, port| {
        sdp + &format!(
            "a=candidate:{port} 1 UDP 2130706431 192.0.2.{port} {} typ host generation 0\r\n",
            50_000 + port
        )
    });
    DialSpec {
        uri: format!("sip:room@{to}"),
        from_user: "board".into(),
        sdp: candidates,
        ..DialSpec::default()
    }
}

/// The next datagram that begins like this, and its source. Retransmissions of others are skipped.
async fn receive(socket: &UdpSocket, beginning: &str) -> (String, SocketAddr) {
    let mut buffer = vec![0; 65_535];
    let wanted = async {
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(beginning) {
                return (text, from);
            }
        }
    };
    timeout(Duration::from_secs(20), wanted).await.unwrap_or_else(|_| panic!("no {beginning}"))
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find(|line| line.starts_with(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {message}")).split_once(':').unwrap().1.trim()
}

/// A response to a sent request.
fn answer(request: &str, status: &str) -> String {
    let copied: String = ["Via", "From", "To", "Call-ID", "CSeq"]
        .iter()
        .map(|name| {
            format!("{name}: {}{}\r\n", header(request, name), if *name == "To" { ";tag=peer" } else { "" })
        })
        .collect();
    format!("SIP/2.0 {status}\r\n{copied}Content-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn what_is_too_large_for_a_datagram_arrives_over_a_connection() {
    let (called, mut called_events) = endpoint().await;
    let (caller, mut events) = endpoint().await;
    let call = caller.dial(large(called.local_addr())).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!(incoming.flow.transport, Transport::Tcp);
    assert_eq!(incoming.offer.map(|offer| offer.lines().count()), Some(36));
    called.ring(incoming.call, None);
    assert!(matches!(next(&mut events).await, SipEvent::Progress { status: 180, .. }));
    called.answer(incoming.call, SDP.into());
    assert!(matches!(next(&mut events).await, SipEvent::Answered { call: its, .. } if its == call));
    assert!(matches!(next(&mut called_events).await, SipEvent::Confirmed { .. }));
    caller.hang_up(call, vec![]);
    assert!(matches!(next(&mut called_events).await, SipEvent::Ended { .. }));
    assert!(matches!(next(&mut events).await, SipEvent::Ended { .. }));
    // A small one to the same place is a datagram.
    caller.dial(DialSpec { sdp: SDP.into(), ..large(called.local_addr()) }).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!(incoming.flow.transport, Transport::Udp);
}

#[tokio::test]
async fn a_host_that_refuses_connections_gets_it_as_a_datagram_at_once() {
    let (peer, _refusing, address) = same_port().await;
    let (caller, mut events) = endpoint().await;
    let begun = Instant::now();
    let call = caller.dial(large(address)).unwrap();
    let (invite, from) = receive(&peer, "INVITE").await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(header(&invite, "Via").starts_with("SIP/2.0/UDP ") && invite.len() > 2500, "{invite}");
    assert_eq!(from, caller.local_addr());
    peer.send_to(answer(&invite, "486 Busy Here").as_bytes(), from).await.unwrap();
    receive(&peer, "ACK").await;
    assert!(
        matches!(next(&mut events).await, SipEvent::Rejected { call: its, status: 486, .. } if its == call)
    );
}

#[tokio::test]
async fn a_host_that_is_silent_over_a_connection_gets_it_as_a_datagram_and_is_remembered() {
    let (peer, tcp, address) = same_port().await;
    let connections: TcpListener = tcp.listen(16).unwrap();
    let (caller, mut events) = endpoint().await;
    for attempt in 0..2 {
        let call = caller.dial(large(address)).unwrap();
        let (invite, from) = receive(&peer, "INVITE").await;
        let mut accepted = 0;
        while timeout(Duration::from_millis(50), connections.accept()).await.is_ok() {
            accepted += 1;
        }
        assert_eq!(accepted, 1 - attempt, "the second call opens none");
        peer.send_to(answer(&invite, "486 Busy Here").as_bytes(), from).await.unwrap();
        assert!(
            matches!(next(&mut events).await, SipEvent::Rejected { call: its, status: 486, .. } if its == call)
        );
    }
}

/// A telephone at 127.0.0.9 that believes to be at 10.0.0.5, as one behind a NAT does.
#[tokio::test]
async fn a_telephone_behind_a_nat_is_reached_where_it_called_from() {
    let (called, mut called_events) = endpoint().await;
    let phone = UdpSocket::bind("127.0.0.9:0").await.unwrap();
    let message = |method: &str, to_tag: &str, body: &str| {
        format!(
            "{method} sip:room@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5060;rport;branch=z9hG4bK{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@10.0.0.5>;tag=f\r\nTo: <sip:room@127.0.0.1>{to_tag}\r\nCall-ID: nat\r\n\
             CSeq: 1 {method}\r\nContact: <sip:a@10.0.0.5:5060>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    phone.send_to(message("INVITE", "", SDP).as_bytes(), called.local_addr()).await.unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!(incoming.flow.remote, phone.local_addr().unwrap());
    called.answer(incoming.call, SDP.into());
    let (answer_to_it, _) = receive(&phone, "SIP/2.0 200").await;
    let via = header(&answer_to_it, "Via");
    assert!(
        via.contains("received=127.0.0.9")
            && via.contains(&format!("rport={}", phone.local_addr().unwrap().port())),
        "{via}"
    );
    let tag = format!(";tag={}", header(&answer_to_it, "To").split_once(";tag=").unwrap().1);
    phone.send_to(message("ACK", &tag, "").as_bytes(), called.local_addr()).await.unwrap();
    assert!(matches!(next(&mut called_events).await, SipEvent::Confirmed { .. }));
    called.hang_up(incoming.call, vec![]);
    let (bye, from) = receive(&phone, "BYE sip:a@10.0.0.5:5060 ").await;
    phone.send_to(answer(&bye, "200 OK").replace(";tag=peer", "").as_bytes(), from).await.unwrap();
    assert!(matches!(next(&mut called_events).await, SipEvent::Ended { .. }));
}
