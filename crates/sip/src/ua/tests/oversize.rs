//! Requests that are too large for a datagram (RFC 3261, section 18.1.1).

use super::line::{Line, assert_sent, header, to};
use super::*;

const A: &str = "127.0.0.2:5060";

/// A call whose INVITE is longer than 1300 octets.
fn long() -> DialSpec {
    DialSpec { extra: vec![("X-Long".into(), "y".repeat(1300))], ..to(A) }
}

fn ways(sent: &[(Flow, String)]) -> Vec<Transport> {
    sent.iter()
        .map(|(flow, text)| {
            assert!(
                text.starts_with("SIP/2.0")
                    || text.contains(&format!("Via: SIP/2.0/{} ", flow.transport.name())),
                "{text}"
            );
            flow.transport
        })
        .collect()
}

#[test]
fn a_request_that_is_too_large_for_a_datagram_goes_over_a_connection_and_the_rest_of_the_call_does_not() {
    let mut line = Line::new();
    let invite = line.dial(1, long());
    assert_eq!(
        (ways(std::slice::from_ref(&invite)), invite.0.remote.to_string()),
        (vec![Transport::Tcp], A.into())
    );
    assert!(!header(&invite.1, "Contact").contains("transport"), "they may answer us as they like");
    line.reply(&invite, "a", "180 Ringing", "");
    assert_eq!(line.wait(20), [], "it is not sent again, neither way");
    let ack = line.reply(&invite, "a", "200 OK", OFFER);
    assert_sent(&ack, &[(A, "ACK")]);
    let bye = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    assert_eq!((ways(&ack), ways(&bye)), (vec![Transport::Udp], vec![Transport::Udp]));
    // The connection closes at some point: that ends nothing.
    let sent = line.act(|ua, now| ua.handle_transport_error(invite.0, now));
    assert_eq!(sent, []);
    line.reply(&bye[0], "a", "200 OK", "");
    line.assert_clean();
}

#[test]
fn where_the_connection_is_refused_it_goes_as_a_datagram_at_once_and_that_is_remembered() {
    let mut line = Line::new();
    let over_tcp = line.dial(1, long());
    let sent = line.act(|ua, now| ua.handle_transport_error(over_tcp.0, now));
    assert_sent(&sent, &[(A, "INVITE")]);
    assert_eq!(ways(&sent), [Transport::Udp]);
    let branch = |text: &str| header(text, "Via").split_once("branch=").unwrap().1.to_owned();
    assert_eq!(branch(&sent[0].1), branch(&over_tcp.1), "a server that got both sees one request");
    // From here on it is a datagram like any other: retransmitted, challenged, cancelled.
    let again = line.wait_ms(600);
    assert_sent(&again, &[(A, "INVITE")]);
    line.reply(&sent[0], "a", "180 Ringing", "");
    let cancel = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    assert_sent(&cancel, &[(A, "CANCEL")]);
    assert_eq!(
        (ways(&cancel), header(&cancel[0].1, "Via")),
        (vec![Transport::Udp], header(&sent[0].1, "Via"))
    );
    line.reply(&cancel[0], "a", "200 OK", "");
    line.reply(&sent[0], "a", "487 Request Terminated", "");
    line.wait(60);
    let remembered = line.dial(2, long());
    assert_eq!(remembered.0.transport, Transport::Udp);
    line.reply(&remembered, "a", "486 Busy Here", "");
    line.wait(600);
    let later = line.dial(3, long());
    assert_eq!(later.0.transport, Transport::Tcp, "ten minutes later it is tried again");
    line.reply(&later, "a", "486 Busy Here", "");
    assert_eq!(line.dial(4, long()).0.transport, Transport::Tcp);
}

#[test]
fn where_nobody_answers_over_the_connection_a_datagram_follows_after_a_second() {
    let mut line = Line::new();
    let over_tcp = line.dial(1, long());
    assert_eq!(line.wait_ms(990), []);
    let sent = line.wait_ms(20);
    assert_sent(&sent, &[(A, "INVITE")]);
    assert_eq!(ways(&sent), [Transport::Udp]);
    // The attempt to connect fails much later: the call is not affected.
    assert_eq!(line.act(|ua, now| ua.handle_transport_error(over_tcp.0, now)), []);
    assert_sent(&line.reply(&sent[0], "a", "200 OK", OFFER), &[(A, "ACK")]);
    assert_eq!(line.dial(2, long()).0.transport, Transport::Udp, "not a second later each time");
    // It was only slow: a message over a connection shows that there is one.
    line.hear(over_tcp.0, "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(line.dial(3, long()).0.transport, Transport::Tcp);
}

#[test]
fn a_call_that_is_taken_back_is_cancelled_where_its_invite_went() {
    let mut line = Line::new();
    let invite = line.dial(1, long());
    line.reply(&invite, "a", "180 Ringing", "");
    let cancel = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    assert_sent(&cancel, &[(A, "CANCEL")]);
    assert_eq!((cancel[0].0, header(&cancel[0].1, "Via")), (invite.0, header(&invite.1, "Via")));
    line.reply(&cancel[0], "a", "200 OK", "");
    let ack = line.reply(&invite, "a", "487 Request Terminated", "");
    assert_eq!((ways(&ack), ack[0].0), (vec![Transport::Tcp], invite.0));
    line.assert_clean();
}

/// Through a NAT there is a path for datagrams and none for connections, so no time is spent on one.
#[test]
fn a_telephone_behind_a_nat_is_not_connected_to() {
    let mut line = Line::new();
    let flow = line::flow_to("127.0.0.9:40123");
    let (sent, _) =
        line.dial(1, DialSpec { flow: Some(flow), uri: "sip:alice@192.168.1.7:5060".into(), ..long() });
    assert_eq!(sent, flow);
    // A peer that is where it says it is, is tried.
    let flow = line::flow_to(A);
    let (sent, _) = line.dial(2, DialSpec { flow: Some(flow), uri: format!("sip:alice@{A}"), ..long() });
    assert_eq!(sent, Flow { transport: Transport::Tcp, ..flow });
}

#[test]
fn a_large_document_of_a_conference_goes_over_a_connection_and_then_not() {
    let mut line = Line::new();
    let flow = line::flow_to(A);
    let subscribe = format!(
        "SUBSCRIBE sip:conf-Board@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {A};branch=z9hG4bKs\r\nMax-Forwards: 70\r\n\
         From: <sip:desk@{A}>;tag=desk\r\nTo: <sip:conf-Board@127.0.0.1>\r\nCall-ID: s\r\nCSeq: 1 SUBSCRIBE\r\n\
         Contact: <sip:desk@{A}>\r\nEvent: conference\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n"
    );
    line.hear(flow, &subscribe);
    let Some(SipEvent::Subscribing(asked)) = line.events.pop() else { panic!("{:?}", line.events) };
    let sent = line.act(|ua, now| {
        ua.accept_subscription(asked.request, None, "z".repeat(5000), now);
    });
    assert_eq!(ways(&sent), [Transport::Udp, Transport::Tcp]);
    let sent = line.act(|ua, now| ua.handle_transport_error(sent[1].0, now));
    assert_eq!(ways(&sent), [Transport::Udp]);
    line.reply(&sent[0], "", "200 OK", "");
    // The subscription lives.
    let sent = line.act(|ua, now| ua.notify(SubscriptionId(1), "z".repeat(5000), now));
    assert_eq!(ways(&sent), [Transport::Udp]);
    line.reply(&sent[0], "", "481 Gone", "");
    assert!(matches!(line.events[..], [SipEvent::Unsubscribed(_)]), "{:?}", line.events);
    line.assert_clean();
}
