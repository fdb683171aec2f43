//! The session timer of a session change applies only if the change is accepted (RFC 3261, section 14.2; RFC 4028,
//! section 7.4).

use super::extensions::{Wire, header, tag_of};
use super::*;

const SDP: &str = "Content-Type: application/sdp\r\n";
const EVERY_90_S: &str = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n";
const EVERY_1800_S: &str = "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n";

/// A session that the caller has to refresh every 1800 s.
fn long_session() -> (Wire, CallId, String) {
    let mut wire = Wire::new();
    let (call, tag, answer) = wire.up(EVERY_1800_S);
    assert_eq!(header(&answer, "Session-Expires"), "1800;refresher=uac");
    (wire, call, tag)
}

/// The session ends this many seconds after its last refresh.
#[track_caller]
fn assert_lasts(wire: &mut Wire, call: CallId, seconds: u64) {
    // A third of the interval before its end, but at most 32 s (RFC 4028, section 10).
    let end = seconds - (seconds / 3).min(32);
    let early = wire.wait(end - 2);
    assert!(!early.iter().any(|sent| sent.starts_with("BYE ")), "{early:?}");
    wire.wait(2);
    assert_eq!(wire.events.last(), Some(&SipEvent::Ended { call, cause: EndCause::Transport }));
}

#[test]
fn a_change_that_the_program_refuses_leaves_the_timer_as_it_was() {
    let (mut wire, call, tag) = long_session();
    wire.say("INVITE", 2, &tag, &format!("{SDP}{EVERY_90_S}"), OFFER);
    let refused = wire.act(|ua, now| ua.reject_offer(call, 488, now));
    assert!(refused[0].starts_with("SIP/2.0 488 "), "{refused:?}");
    wire.say("ACK", 2, &tag, "", "");
    assert_lasts(&mut wire, call, 1800);
}

#[test]
fn a_change_while_another_is_under_way_leaves_the_timer_as_it_was() {
    let (mut wire, call, tag) = long_session();
    wire.say("INVITE", 2, &tag, &format!("{SDP}{EVERY_1800_S}"), OFFER);
    let busy = wire.say("INVITE", 3, &tag, &format!("{SDP}{EVERY_90_S}"), OFFER);
    assert!(busy.iter().any(|sent| sent.starts_with("SIP/2.0 500 Another change")), "{busy:?}");
    wire.say("ACK", 3, &tag, "", "");
    let answer = wire.act(|ua, now| ua.accept_offer(call, OFFER.into(), now)).remove(0);
    assert_eq!(header(&answer, "Session-Expires"), "1800;refresher=uac");
    // Not answered yet by an ACK, and a third one comes.
    let busy = wire.say("UPDATE", 4, &tag, EVERY_90_S, "");
    assert!(busy.iter().any(|sent| sent.starts_with("SIP/2.0 500 Another change")), "{busy:?}");
    wire.say("ACK", 2, &tag, "", "");
    assert_lasts(&mut wire, call, 1800);
}

#[test]
fn a_change_before_the_call_is_up_leaves_the_timer_as_it_was() {
    let mut wire = Wire::new();
    wire.say("INVITE", 1, "", &format!("{SDP}{EVERY_1800_S}"), OFFER);
    let call = wire.call();
    let answer = wire.act(|ua, now| ua.answer(call, OFFER.into(), true, now)).remove(0);
    let tag = tag_of(&answer);
    let early = wire.say("INVITE", 2, &tag, &format!("{SDP}{EVERY_90_S}"), OFFER);
    assert!(early.iter().any(|sent| sent.starts_with("SIP/2.0 500 Another change")), "{early:?}");
    wire.say("ACK", 2, &tag, "", "");
    wire.say("ACK", 1, &tag, "", "");
    assert_lasts(&mut wire, call, 1800);
}

#[test]
fn a_change_that_is_agreed_to_sets_the_timer() {
    let (mut wire, call, tag) = long_session();
    wire.say("INVITE", 2, &tag, &format!("{SDP}{EVERY_90_S}"), OFFER);
    let answer = wire.act(|ua, now| ua.accept_offer(call, OFFER.into(), now)).remove(0);
    assert_eq!(header(&answer, "Session-Expires"), "90;refresher=uac");
    wire.say("ACK", 2, &tag, "", "");
    assert_lasts(&mut wire, call, 90);
}

/// Requests go to where the caller was until a change that says otherwise is accepted (RFC 6141, section 4).
#[test]
fn a_change_moves_the_remote_target_only_where_it_is_accepted() {
    let target_after = |accepted: bool, extra: &str, cseqs: &[u32]| {
        let (mut wire, call, tag) = long_session();
        for cseq in cseqs {
            let changed = format!(
                "INVITE sip:conf-Board@127.0.0.1:5070 SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKmoved{cseq}\r\nMax-Forwards: 70\r\n\
                 From: <sip:alice@127.0.0.1>;tag=alice\r\nTo: <sip:conf-Board@127.0.0.1>;tag={tag}\r\nCall-ID: wire\r\n\
                 CSeq: {cseq} INVITE\r\nContact: <sip:moved{cseq}@127.0.0.1:5060>\r\n{SDP}{extra}\
                 Content-Length: {}\r\n\r\n{OFFER}",
                OFFER.len()
            );
            wire.raw(&changed);
        }
        wire.act(|ua, now| match accepted {
            true => ua.accept_offer(call, OFFER.into(), now),
            false => ua.reject_offer(call, 488, now),
        });
        for cseq in cseqs {
            wire.say("ACK", *cseq, &tag, "", "");
        }
        let bye = wire.act(|ua, now| ua.hang_up(call, Vec::new(), now)).remove(0);
        bye.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(target_after(true, "", &[2]), "sip:moved2@127.0.0.1:5060");
    assert_eq!(target_after(false, "", &[2]), "sip:alice@127.0.0.1:5060", "488");
    assert_eq!(
        target_after(true, "", &[2, 3]),
        "sip:moved2@127.0.0.1:5060",
        "500: another change is under way"
    );
    assert_eq!(target_after(true, "Require: precondition\r\n", &[2]), "sip:alice@127.0.0.1:5060", "420");
    let short = "Supported: timer\r\nSession-Expires: 30\r\n";
    assert_eq!(target_after(true, short, &[2]), "sip:alice@127.0.0.1:5060", "422");
}
