//! Telephones that do not know the address under which they are seen (RFC 3581, RFC 6314).

use super::line::{Line, assert_sent, flow_to, header, to};
use super::*;

/// Such a telephone's own address, and the one it is seen at.
const INSIDE: &str = "10.0.0.5:5060";
const OUTSIDE: &str = "127.0.0.9:40123";

/// A message of a caller with these addresses in Via and Contact.
fn message(method: &str, cseq: u32, via: &str, contact: &str, to_tag: &str, extra: &str) -> String {
    let body = if method == "INVITE" { OFFER } else { "" };
    format!(
        "{method} sip:room@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=a\r\nTo: <sip:room@127.0.0.1>{to_tag}\r\nCall-ID: nat\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:a@{contact}>\r\n{extra}Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A call from `source`, answered and acknowledged; returns our tag.
fn call(line: &mut Line, source: &str, via: &str, contact: &str, extra: &str) -> String {
    line.hear(flow_to(source), &message("INVITE", 1, via, contact, "", extra));
    assert!(matches!(line.events.pop(), Some(SipEvent::Incoming(_))));
    let sent = line.act(|ua, now| ua.answer(CallId(1), OFFER.into(), false, now));
    assert_sent(&sent, &[(source, "SIP/2.0 200")]);
    let tag = format!(";tag={}", header(&sent[0].1, "To").split_once(";tag=").unwrap().1);
    line.hear(flow_to(source), &message("ACK", 1, via, contact, &tag, extra));
    assert!(matches!(line.events.pop(), Some(SipEvent::Confirmed { .. })));
    tag
}

/// Where our BYE goes.
fn bye(line: &mut Line) -> (String, String) {
    let sent = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    assert_eq!(sent.len(), 1, "{sent:?}");
    let uri = sent[0].1.split(' ').nth(1).unwrap().to_owned();
    (sent[0].0.remote.to_string(), uri)
}

#[test]
fn a_caller_behind_a_nat_is_told_where_it_called_from() {
    for (via, contact) in [
        (format!("{INSIDE};rport"), INSIDE),
        // It believes to have the address, but not the port.
        ("127.0.0.9:5060;rport".to_owned(), "127.0.0.9:5060"),
        // It has learnt its address somewhere, with another port than it has here.
        (format!("{INSIDE};rport"), "127.0.0.9:41000"),
    ] {
        let mut line = Line::new();
        call(&mut line, OUTSIDE, &via, contact, "");
        assert_eq!(bye(&mut line), (OUTSIDE.to_owned(), format!("sip:a@{contact}")), "{via}");
    }
}

#[test]
fn a_caller_whose_contact_is_elsewhere_and_who_is_not_behind_a_nat_is_told_there() {
    // A back-to-back user agent with an address for each direction.
    let mut line = Line::new();
    call(&mut line, "127.0.0.9:5060", "127.0.0.9:5060;rport", "127.0.0.10:5080", "");
    assert_eq!(bye(&mut line).0, "127.0.0.10:5080");
    // A proxy that stays in the path: requests go to it, whatever is behind it.
    let mut line = Line::new();
    let route = "Record-Route: <sip:127.0.0.9:5060;lr>\r\n";
    call(&mut line, "127.0.0.9:5060", "127.0.0.9:5060;rport", INSIDE, route);
    assert_eq!(bye(&mut line), ("127.0.0.9:5060".to_owned(), format!("sip:a@{INSIDE}")));
    // And if that one sends from another port than it receives requests on.
    let mut line = Line::new();
    call(&mut line, OUTSIDE, "127.0.0.9:5060;rport", INSIDE, route);
    assert_eq!(bye(&mut line).0, "127.0.0.9:5060");
}

#[test]
fn a_private_contact_of_a_public_caller_is_not_believed() {
    let (source, contact) = ("203.0.113.5:5060", "192.168.1.7:5060");
    let mut line = Line::new();
    line.ua.set_limits(vec!["0.0.0.0/0".parse().unwrap()], Vec::new(), GuardConfig::default());
    // Something on the path has corrected the Via, and not the Contact.
    call(&mut line, source, &format!("{source};rport"), contact, "");
    assert_eq!(bye(&mut line).0, source);
}

#[test]
fn a_caller_whose_nat_gives_it_another_port_is_told_there() {
    let (moved, via) = ("127.0.0.9:40999", format!("{INSIDE};rport"));
    // Whatever it asks from there shows where it is.
    for method in ["OPTIONS", "UPDATE"] {
        let mut line = Line::new();
        let tag = call(&mut line, OUTSIDE, &via, INSIDE, "");
        let answer = line.hear(flow_to(moved), &message(method, 2, &via, INSIDE, &tag, ""));
        assert_sent(&answer, &[(moved, "SIP/2.0 200")]);
        assert_eq!(bye(&mut line).0, moved, "{method}");
    }
    // A stranger's request does not belong to the call.
    let mut line = Line::new();
    call(&mut line, OUTSIDE, &via, INSIDE, "");
    let answer = line.hear(flow_to(moved), &message("OPTIONS", 2, &via, INSIDE, ";tag=guessed", ""));
    assert_sent(&answer, &[(moved, "SIP/2.0 481")]);
    assert_eq!(bye(&mut line).0, OUTSIDE);
}

#[test]
fn after_a_restart_a_caller_behind_a_nat_is_still_told_where_it_called_from() {
    let mut line = Line::new();
    line.hear(flow_to(OUTSIDE), &message("INVITE", 1, &format!("{INSIDE};rport"), "127.0.0.9:5060", "", ""));
    let sent = line.act(|ua, now| ua.answer(CallId(1), OFFER.into(), false, now));
    let tag = format!(";tag={}", header(&sent[0].1, "To").split_once(";tag=").unwrap().1);
    line.hear(flow_to(OUTSIDE), &message("ACK", 1, INSIDE, INSIDE, &tag, ""));
    let Some(SipEvent::Confirmed { dialog, .. }) = line.events.pop() else { panic!("{:?}", line.events) };
    let mut next_run = Line::new();
    let sent = next_run.act(|ua, now| assert!(ua.hang_up_saved(CallId(1), &dialog, &[], now)));
    assert_sent(&sent, &[(OUTSIDE, "BYE")]);
}

#[test]
fn a_telephone_that_is_called_through_its_nat_is_told_so_for_the_whole_call() {
    let mut line = Line::new();
    let spec = || DialSpec { flow: Some(flow_to(OUTSIDE)), uri: format!("sip:alice@{INSIDE}"), ..to("x") };
    let invite = line.dial(1, spec());
    assert_eq!(invite.0.remote.to_string(), OUTSIDE);
    let contact = format!("200 OK\r\nAllow: UPDATE\r\nContact: <sip:alice@{INSIDE}>");
    assert_sent(&line.reply(&invite, "alice", &contact, OFFER), &[(OUTSIDE, "ACK")]);
    assert_eq!(bye(&mut line), (OUTSIDE.to_owned(), format!("sip:alice@{INSIDE}")));
    // One that names its public address, where the port mapped towards us is another one.
    let invite = line.dial(2, spec());
    let contact = "200 OK\r\nContact: <sip:alice@127.0.0.9:41000>";
    assert_sent(&line.reply(&invite, "alice", contact, OFFER), &[(OUTSIDE, "ACK")]);
    // A provider whose calls continue elsewhere after the answer.
    let invite = line.dial(3, to("127.0.0.2:5060"));
    let contact = "200 OK\r\nContact: <sip:them@127.0.0.3:5080>";
    assert_sent(&line.reply(&invite, "them", contact, OFFER), &[("127.0.0.3:5080", "ACK")]);
}

#[test]
fn who_follows_a_conference_from_behind_a_nat_is_told_there_and_over_a_datagram_however_long_it_is() {
    let mut line = Line::new();
    let via = format!("{INSIDE};rport");
    let extra = "Event: conference\r\nExpires: 600\r\n";
    line.hear(flow_to(OUTSIDE), &message("SUBSCRIBE", 1, &via, INSIDE, "", extra));
    let Some(SipEvent::Subscribing(asked)) = line.events.pop() else { panic!("{:?}", line.events) };
    let sent = line.act(|ua, now| {
        ua.accept_subscription(asked.request, None, "z".repeat(3000), now);
    });
    assert_sent(&sent, &[(OUTSIDE, "SIP/2.0 200"), (OUTSIDE, "NOTIFY")]);
    assert_eq!(sent[1].0.transport, Transport::Udp);
    line.reply(&sent[1], "", "200 OK", "");
    // Its NAT has given it another port by the time of its refresh.
    let (moved, tag) =
        ("127.0.0.9:40999", header(&sent[0].1, "To").split_once(";tag=").unwrap().1.to_owned());
    line.hear(flow_to(moved), &message("SUBSCRIBE", 2, &via, INSIDE, &format!(";tag={tag}"), extra));
    let sent = line.act(|ua, now| ua.notify(SubscriptionId(asked.request.0), "z".into(), now));
    assert_sent(&sent, &[(moved, "NOTIFY")]);
}

/// This side refreshes the session: that request has to arrive as well.
#[test]
fn a_session_with_a_caller_behind_a_nat_is_refreshed_there() {
    let mut line = Line::new();
    let extra = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: UPDATE\r\n";
    call(&mut line, OUTSIDE, &format!("{INSIDE};rport"), INSIDE, extra);
    let sent = line.wait(46);
    assert_eq!(
        sent.first().map(|(flow, text)| (flow.remote.to_string(), &text[..6])),
        Some((OUTSIDE.to_owned(), "UPDATE"))
    );
}
