//! Multipart bodies, in every place where a body is read (RFC 5621).

use super::extensions::{Wire, header, tag_of};
use super::line::{Line, assert_sent, to};
use super::*;

const A: &str = "127.0.0.2:5060";
const MIXED: &str = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;boundary=\"x y\"\r\n";
const PLACE: &str = "Content-Type: application/pidf+xml\r\nContent-ID: <a@b>\r\n\r\n<presence/>";
const ISUP_REQUIRED: &str =
    "Content-Type: application/isup;version=x\r\nContent-Disposition: signal;handling=required\r\n\r\n\u{1}";
const SESSION_ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";

fn part(content_type: &str, body: &str) -> String {
    format!("Content-Type: {content_type}\r\n\r\n{body}")
}

fn mixed(parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--x y\r\n{part}\r\n")).collect();
    format!("{parts}--x y--\r\n")
}

fn located_offer() -> String {
    mixed(&[PLACE, &part("application/sdp", OFFER)])
}

#[test]
fn an_offer_is_found_beside_a_location() {
    let mut wire = Wire::new();
    wire.say("INVITE", 1, "", MIXED, &located_offer());
    let Some(SipEvent::Incoming(incoming)) = wire.events.pop() else { panic!("{:?}", wire.events) };
    assert_eq!(incoming.offer.as_deref(), Some(OFFER));
    let answer = wire.act(|ua, now| ua.answer(incoming.call, OFFER.into(), false, now)).remove(0);
    let tag = tag_of(&answer);
    wire.say("ACK", 1, &tag, "", "");
    // They made the offer, so the ACK carries no answer.
    assert!(matches!(wire.events.pop(), Some(SipEvent::Confirmed { answer: None, .. })));
    for (cseq, method) in [(2, "INVITE"), (3, "UPDATE")] {
        wire.say(method, cseq, &tag, MIXED, &located_offer());
        let offer = Some(OFFER.to_owned());
        assert_eq!(wire.events.pop(), Some(SipEvent::Reoffer { call: incoming.call, offer }), "{method}");
        wire.act(|ua, now| ua.accept_offer(incoming.call, OFFER.into(), now));
        wire.say("ACK", cseq, &tag, "", "");
    }
    wire.say("INFO", 4, &tag, MIXED, &mixed(&[PLACE, &part("application/dtmf-relay", "Signal=5\r\n")]));
    assert_eq!(wire.events.pop(), Some(SipEvent::KeyPressed { call: incoming.call, key: '5' }));
}

#[test]
fn a_part_that_has_to_be_understood_is_refused_with_what_is() {
    let mut wire = Wire::new();
    let body = mixed(&[&part("application/sdp", OFFER), ISUP_REQUIRED]);
    let refused = wire.say("INVITE", 1, "", MIXED, &body).remove(0);
    assert!(refused.starts_with("SIP/2.0 415 ") && header(&refused, "Accept") == SESSION_ACCEPT, "{refused}");
    assert_eq!(header(&refused, "Accept-Encoding"), "identity");
    wire.say("ACK", 1, &tag_of(&refused), "", "");
    let (call, tag, _) = wire.up("");
    for (cseq, method) in [(2, "INVITE"), (3, "UPDATE")] {
        let refused = wire.say(method, cseq, &tag, MIXED, &body).remove(0);
        assert!(
            refused.starts_with("SIP/2.0 415 ") && header(&refused, "Accept") == SESSION_ACCEPT,
            "{refused}"
        );
        wire.say("ACK", cseq, &tag, "", "");
    }
    let refused = wire.say("INFO", 4, &tag, "Content-Type: application/sdp\r\n", OFFER).remove(0);
    assert!(refused.starts_with("SIP/2.0 415 "), "{refused}");
    assert_eq!(
        header(&refused, "Accept"),
        "application/dtmf-relay, application/dtmf, multipart/mixed, multipart/alternative"
    );
    let optional = "Content-Type: text/plain\r\nContent-Disposition: render;handling=optional\r\n";
    let passed_over = wire.say("INFO", 5, &tag, optional, "hello").remove(0);
    assert!(passed_over.starts_with("SIP/2.0 200 "), "{passed_over}");
    let refer = format!("Refer-To: <sip:b@127.0.0.1>\r\n{MIXED}");
    let refused = wire.say("REFER", 6, &tag, &refer, &mixed(&[ISUP_REQUIRED])).remove(0);
    assert!(refused.starts_with("SIP/2.0 415 "), "{refused}");
    wire.say("REFER", 7, &tag, &refer, &mixed(&[PLACE]));
    assert!(matches!(wire.events.pop(), Some(SipEvent::Referred(referred)) if referred.call == Some(call)));
}

#[test]
fn the_answer_to_our_offer_is_found_in_an_ack() {
    let mut wire = Wire::new();
    wire.say("INVITE", 1, "", "", "");
    let call = wire.call();
    let offer = wire.act(|ua, now| ua.answer(call, OFFER.into(), false, now)).remove(0);
    wire.say("ACK", 1, &tag_of(&offer), MIXED, &located_offer());
    let Some(SipEvent::Confirmed { answer, .. }) = wire.events.pop() else { panic!("{:?}", wire.events) };
    assert_eq!(answer.as_deref(), Some(OFFER));
}

#[test]
fn an_offer_in_a_prack_is_seen() {
    for (body, status) in [(located_offer(), "SIP/2.0 488 "), (mixed(&[ISUP_REQUIRED]), "SIP/2.0 415 ")] {
        let mut wire = Wire::new();
        wire.say("INVITE", 1, "", "Require: 100rel\r\nContent-Type: application/sdp\r\n", OFFER);
        let call = wire.call();
        let ringing = wire.act(|ua, now| ua.ring(call, None, now)).remove(0);
        let acknowledged = format!("RAck: {} 1 INVITE\r\n{MIXED}", header(&ringing, "RSeq"));
        let answer = wire.say("PRACK", 2, &tag_of(&ringing), &acknowledged, &body).remove(0);
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[test]
fn the_answer_to_a_call_of_ours_is_found_among_other_parts() {
    let mut line = Line::new();
    let invite = line.dial(1, to("127.0.0.2"));
    let answer = |status: &str| format!("{status}\r\nContact: <sip:them@{A}>\r\n{}", MIXED.trim_end());
    // `reply` adds the content type of a session description only if it has a body of its own.
    let with_body = |request: &str, status: &str, body: &str| {
        let copied: String = request
            .lines()
            .filter(|line| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let to = super::line::header(request, "To");
        format!(
            "SIP/2.0 {}\r\n{copied}To: {to};tag=them\r\nContent-Length: {}\r\n\r\n{body}",
            answer(status),
            body.len()
        )
    };
    line.hear(invite.0, &with_body(&invite.1, "183 Session Progress", &located_offer()));
    let sdp = Some(OFFER.to_owned());
    assert_eq!(
        line.events.pop(),
        Some(SipEvent::Progress { call: CallId(1), fork: 0, status: 183, sdp: sdp.clone() })
    );
    let sent = line.hear(invite.0, &with_body(&invite.1, "200 OK", &located_offer()));
    assert_sent(&sent, &[(A, "ACK")]);
    assert!(matches!(line.events.pop(), Some(SipEvent::Answered { sdp: answered, .. }) if answered == sdp));
    // The progress of a call that they were asked to make.
    let bob = ReferTo::Uri { uri: "sip:bob@127.0.0.9".into(), replaces: None };
    let refer = line.act(|ua, now| ua.refer(CallId(1), &bob, now)).remove(0);
    line.reply(&refer, "them", "202 Accepted", "");
    let notify = format!("Event: refer\r\nSubscription-State: active\r\n{MIXED}");
    let told = mixed(&[PLACE, &part("message/sipfrag;version=2.0", "SIP/2.0 180 Ringing\r\n")]);
    assert_sent(&line.ask(&invite, "them", "NOTIFY", 10, &notify, &told), &[(A, "SIP/2.0 200")]);
    let phrase = "Ringing".to_owned();
    let progress = SipEvent::ReferralProgress { call: CallId(1), status: 180, phrase, is_final: false };
    assert_eq!(line.events.pop(), Some(progress));
    let sent = line.ask(&invite, "them", "NOTIFY", 11, &notify, &mixed(&[ISUP_REQUIRED]));
    assert_sent(&sent, &[(A, "SIP/2.0 415")]);
    assert_eq!(header(&sent[0].1, "Accept"), "message/sipfrag, multipart/mixed, multipart/alternative");
    let untyped = "Event: refer\r\nSubscription-State: active\r\n";
    line.ask(&invite, "them", "NOTIFY", 12, untyped, "SIP/2.0 183 Soon\r\n");
    assert!(matches!(line.events.pop(), Some(SipEvent::ReferralProgress { status: 183, .. })));
}
