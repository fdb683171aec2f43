//! Input that breaks the grammar and has a plain meaning, seen from outside.

use super::line::{Line, assert_sent, flow_to, header};
use super::*;

const A: &str = "127.0.0.2:5060";

fn invite(number: u32, from: &str, contact: &str) -> String {
    format!(
        "INVITE sip:9001#@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKl{number}\r\nMax-Forwards: 70\r\n\
         From: {from};tag=f\r\nTo: <sip:9001#@127.0.0.1>\r\nCall-ID: l{number}\r\nCSeq: 1 INVITE\r\nContact: {contact}\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    )
}

#[test]
fn callers_with_odd_names_and_contacts_get_in() {
    for (number, (from, name)) in [
        ("Jürgen Müßig <sip:a@127.0.0.2>", Some("Jürgen Müßig")),
        ("Doe, John <sip:a@127.0.0.2>", Some("Doe, John")),
        ("<sip:a@127.0.0.2>", None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut line = Line::new();
        let contact = "<sip:127.0.0.2:5060;thinfo=\"VG8+PoIU=\">;expires=60";
        line.hear(flow_to(A), &invite(number as u32, from, contact));
        let Some(SipEvent::Incoming(incoming)) = line.events.pop() else { panic!("{from}: {:?}", line.sent) };
        assert_eq!((incoming.from.display_name.as_deref(), incoming.from.user.as_str()), (name, "a"));
        assert_eq!(incoming.target.user, "9001#");
        let answer = line.act(|ua, now| ua.answer(incoming.call, OFFER.into(), false, now)).remove(0).1;
        let tag = header(&answer, "To").split_once(";tag=").unwrap().1.to_owned();
        let ack = invite(number as u32, from, contact)
            .replace("INVITE", "ACK")
            .replace("bKl", "bKack")
            .replace("To: <sip:9001#@127.0.0.1>", &format!("To: <sip:9001#@127.0.0.1>;tag={tag}"));
        line.hear(flow_to(A), &ack);
        assert!(matches!(line.events.pop(), Some(SipEvent::Confirmed { .. })), "{from}");
        // What is sent is correct.
        let bye = line.act(|ua, now| ua.hang_up(incoming.call, vec![], now));
        assert_sent(&bye, &[(A, "BYE")]);
        let uri = bye[0].1.split(' ').nth(1).unwrap();
        assert_eq!(uri, "sip:127.0.0.2:5060;thinfo=%22VG8+PoIU%3D%22");
    }
}

/// Gateways write a withheld number in several ways, and often without `Privacy`.
#[test]
fn a_caller_whose_from_names_nobody_is_withheld() {
    for (from, is_withheld) in [
        ("\"Anonymous\" <sip:anonymous@anonymous.invalid>", true),
        ("<sip:+441632960000@ANONYMOUS.invalid>", true),
        ("<sip:Anonymous@192.0.2.1>", true),
        ("<sip:unknown@gateway.example>", true),
        ("<sip:restricted@gateway.example;user=phone>", true),
        ("<sip:unavailable@gateway.example>", true),
        ("<sip:private@gateway.example>", true),
        ("\"Anonymous\" <sip:+441632960000@gateway.example>", false),
        ("<sip:unknowns@gateway.example>", false),
    ] {
        let mut line = Line::new();
        line.hear(flow_to(A), &invite(1, from, "<sip:127.0.0.2:5060>"));
        let Some(SipEvent::Incoming(incoming)) = line.events.pop() else { panic!("{from}: {:?}", line.sent) };
        assert_eq!(incoming.is_private, is_withheld, "{from}");
    }
}

/// Only the receiver knows where a request came from (RFC 3261, section 18.2.1).
#[test]
fn what_a_via_says_of_its_own_source_is_replaced() {
    for (via, expected) in [
        (
            "10.0.0.1:5060;received=192.0.2.7;rport;branch=z9hG4bKv",
            "10.0.0.1:5060;rport=5060;branch=z9hG4bKv;received=127.0.0.2",
        ),
        (
            "10.0.0.1:5060;branch=z9hG4bKv;RECEIVED = 192.0.2.7",
            "10.0.0.1:5060;branch=z9hG4bKv;received=127.0.0.2",
        ),
        ("127.0.0.2:5060;received=192.0.2.7;branch=z9hG4bKv", "127.0.0.2:5060;branch=z9hG4bKv"),
        (
            "127.0.0.2:5060;x=\"a;received=b\";branch=z9hG4bKv;rport",
            "127.0.0.2:5060;x=\"a;received=b\";branch=z9hG4bKv;rport=5060;received=127.0.0.2",
        ),
    ] {
        let mut line = Line::new();
        let request = format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via}, SIP/2.0/UDP 10.9.9.9;received=10.8.8.8\r\nMax-Forwards: 70\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: v\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = line.hear(flow_to(A), &request).remove(0);
        let expected = format!("SIP/2.0/UDP {expected}, SIP/2.0/UDP 10.9.9.9;received=10.8.8.8");
        assert_eq!(header(&answer.1, "Via"), expected);
        assert_eq!(answer.0.remote.to_string(), A);
    }
}
