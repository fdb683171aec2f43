//! REFER: received ones, which ask us to place a call, and sent ones, which transfer a participant away.

use super::line::{Line, assert_sent, flow_to, header, to};
use super::*;

const A: &str = "127.0.0.2:5060";

fn referred(line: &mut Line) -> Referred {
    match line.events.pop() {
        Some(SipEvent::Referred(referred)) => *referred,
        other => panic!("no referral but {other:?}"),
    }
}

fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn who_asks_for_a_call_is_told_how_it_goes() {
    let mut line = Line::new();
    let call = line.up(1, to("127.0.0.2"));
    let extra = "Refer-To: \"Bob\" <sip:bob@b.example;method=INVITE?Replaces=c1%40x%3Bto-tag%3Dt%3Bfrom-tag%3Df&X=1>\r\n\
                 Referred-By: <sip:them@a.example>;cid=x\r\n";
    assert_sent(&line.ask(&call, "them", "REFER", 5, extra, ""), &[]);
    let asked = referred(&mut line);
    assert_eq!(
        (asked.call, asked.refer_to.as_str(), asked.method.as_str()),
        (Some(CallId(1)), "sip:bob@b.example", "INVITE")
    );
    assert_eq!(asked.refer_target, AddrSpec { user: "bob".into(), host: "b.example".into() });
    let replaces =
        Replaces { call_id: "c1@x".into(), to_tag: "t".into(), from_tag: "f".into(), early_only: false };
    assert_eq!((asked.replaces, asked.replaces_call), (Some(replaces), None));
    assert_eq!(asked.referred_by.as_deref(), Some("sip:them@a.example"));
    let sent = line.act(|ua, now| ua.accept_referral(asked.request, now));
    assert_sent(&sent, &[(A, "SIP/2.0 202"), (A, "NOTIFY")]);
    assert!(!header(&sent[0].1, "Contact").is_empty());
    let notify = &sent[1].1;
    assert_eq!((header(notify, "Event"), body(notify)), ("refer", "SIP/2.0 100 Trying\r\n"));
    assert_eq!(header(notify, "Content-Type"), "message/sipfrag;version=2.0");
    assert_eq!(header(notify, "Subscription-State"), "active;expires=300");
    assert!(header(notify, "To").ends_with(";tag=them"), "in the dialog of the call: {notify}");
    line.reply(&sent[1], "them", "200 OK", "");
    let sent = line.act(|ua, now| ua.report_referral(asked.request, 180, "Ringing", now));
    assert_eq!(body(&sent[0].1), "SIP/2.0 180 Ringing\r\n");
    line.reply(&sent[0], "them", "200 OK", "");
    let sent = line.act(|ua, now| ua.report_referral(asked.request, 200, "OK", now));
    assert_eq!(header(&sent[0].1, "Subscription-State"), "terminated;reason=noresource");
    assert_eq!(body(&sent[0].1), "SIP/2.0 200 OK\r\n");
    line.reply(&sent[0], "them", "200 OK", "");
    assert_sent(&line.act(|ua, now| ua.report_referral(asked.request, 200, "OK", now)), &[]);
    // The second one of a dialog identifies itself.
    line.ask(&call, "them", "REFER", 6, "Refer-To: <sip:c@c.example>\r\n", "");
    let asked = referred(&mut line);
    let sent = line.act(|ua, now| ua.accept_referral(asked.request, now));
    assert_eq!(header(&sent[1].1, "Event"), "refer;id=6");
    line.reply(&sent[1], "them", "200 OK", "");
    // They hang up, as many do, and are still notified of the outcome.
    line.ask(&call, "them", "BYE", 7, "", "");
    let sent = line.act(|ua, now| ua.report_referral(asked.request, 486, "Busy Here", now));
    assert_sent(&sent, &[(A, "NOTIFY")]);
    assert_eq!(body(&sent[0].1), "SIP/2.0 486 Busy Here\r\n");
    line.reply(&sent[0], "them", "481 Gone", "");
    line.events.clear();
    line.assert_clean();
}

/// Who is sent two outcomes in one dialog takes a request that counts no higher than the one before as out of order (RFC 3261,
/// section 12.2.2).
#[test]
fn outcomes_of_two_referrals_are_counted_on_in_one_dialog_when_its_call_is_over() {
    let mut line = Line::new();
    let call = line.up(1, to("127.0.0.2"));
    let mut counts = Vec::new();
    let mut notified = |line: &mut Line, notify: &(Flow, String), event: &str, status: &str| {
        assert_eq!((header(&notify.1, "Event"), body(&notify.1).trim()), (event, status));
        let count = header(&notify.1, "CSeq").split(' ').next().unwrap().parse::<u32>().unwrap();
        counts.push(count);
        assert!(counts.is_sorted_by(|before, after| before < after), "{counts:?}");
        assert!(header(&notify.1, "To").ends_with(";tag=them"), "{}", notify.1);
        line.reply(notify, "them", "200 OK", "");
        header(&notify.1, "Subscription-State").to_owned()
    };
    let mut asked = Vec::new();
    for (cseq, event) in [(5, "refer"), (6, "refer;id=6")] {
        line.ask(&call, "them", "REFER", cseq, &format!("Refer-To: <sip:b{cseq}@b.example>\r\n"), "");
        let request = referred(&mut line).request;
        let sent = line.act(|ua, now| ua.accept_referral(request, now));
        notified(&mut line, &sent[1], event, "SIP/2.0 100 Trying");
        asked.push(request);
    }
    line.ask(&call, "them", "BYE", 7, "", "");
    let over = "terminated;reason=noresource";
    for (which, status, phrase, event, state) in [
        (0, 180, "Ringing", "refer", "active;expires="),
        (1, 180, "Ringing", "refer;id=6", "active;expires="),
        (0, 408, "No answer", "refer", over),
        (1, 486, "Busy Here", "refer;id=6", over),
    ] {
        let sent = line.act(|ua, now| ua.report_referral(asked[which], status, phrase, now));
        let said = notified(&mut line, &sent[0], event, &format!("SIP/2.0 {status} {phrase}"));
        assert!(said.starts_with(state), "{said}");
    }
    line.events.clear();
    line.assert_clean();
}

#[test]
fn a_referral_may_be_refused_unwatched_or_forgotten() {
    let mut line = Line::new();
    let call = line.up(1, to("127.0.0.2"));
    line.ask(&call, "them", "REFER", 5, "Refer-To: sip:bob@b.example\r\n", "");
    let asked = referred(&mut line);
    assert_sent(&line.act(|ua, now| ua.refuse_request(asked.request, 603, &[], now)), &[(A, "SIP/2.0 603")]);
    let quiet = "Refer-To: <sip:bob@b.example>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n";
    line.ask(&call, "them", "REFER", 6, quiet, "");
    let asked = referred(&mut line);
    let sent = line.act(|ua, now| ua.accept_referral(asked.request, now));
    assert_sent(&sent, &[(A, "SIP/2.0 202")]);
    assert_eq!(header(&sent[0].1, "Refer-Sub"), "false");
    assert_sent(&line.act(|ua, now| ua.report_referral(asked.request, 200, "OK", now)), &[]);
    // The program never reports the outcome.
    line.ask(&call, "them", "REFER", 7, "Refer-To: <tel:+441908>\r\n", "");
    let asked = referred(&mut line);
    assert_eq!((asked.refer_to.as_str(), asked.refer_target.user.as_str()), ("tel:+441908", "+441908"));
    let sent = line.act(|ua, now| ua.accept_referral(asked.request, now));
    line.reply(&sent[1], "them", "200 OK", "");
    let sent = line.wait(301);
    assert!(sent.iter().any(|(_, text)| header(text, "Subscription-State") == "terminated;reason=timeout"));
    for (cseq, wrong, status) in [
        (20, "", "400"),
        (21, "Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>\r\n", "400"),
        (22, "Refer-To: <\r\n", "400"),
        (23, "Refer-To: <sip:a@b?Replaces=x>\r\n", "400"),
        (24, "Refer-To: <http://example.com>\r\n", "416"),
        (25, "Refer-To: <sip:a@b>\r\nRequire: explicitsub\r\n", "420"),
    ] {
        let sent = line.ask(&call, "them", "REFER", cseq, wrong, "");
        assert_sent(&sent, &[(A, &format!("SIP/2.0 {status}"))]);
    }
    assert!(line.events.is_empty(), "{:?}", line.events);
}

#[test]
fn a_referral_outside_of_a_call_has_a_dialog_of_its_own() {
    let mut line = Line::new();
    let refer = |number: u32, more: &str| {
        format!(
            "REFER sip:conf-Board@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKr{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:carol@127.0.0.2>;tag=c\r\nTo: <sip:conf-Board@127.0.0.1>\r\nCall-ID: r{number}\r\n\
             CSeq: 1 REFER\r\nContact: <sip:carol@127.0.0.2:5060>\r\nRefer-To: <sip:dave@d.example>\r\n\
             P-Asserted-Identity: <sip:+44@trunk.example>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    line.hear(flow_to(A), &refer(1, "Authorization: Bearer abc\r\n"));
    let asked = referred(&mut line);
    assert_eq!(
        (asked.call, asked.target.user.as_str(), asked.from.user.as_str()),
        (None, "conf-Board", "carol")
    );
    assert_eq!(asked.authorizations.bearers().next(), Some("abc"));
    assert_eq!(asked.asserted.map(|caller| caller.user).as_deref(), Some("+44"));
    let sent = line.act(|ua, now| ua.accept_referral(asked.request, now));
    assert_sent(&sent, &[(A, "SIP/2.0 202"), (A, "NOTIFY")]);
    assert!(sent[1].1.starts_with("NOTIFY sip:carol@127.0.0.2:5060 "));
    let (to, from) = (header(&sent[0].1, "To"), header(&sent[1].1, "From"));
    assert_eq!(to, from);
    line.reply(&sent[1], "c", "200 OK", "");
    let sent = line.act(|ua, now| ua.report_referral(asked.request, 404, "Not Found", now));
    line.reply(&sent[0], "c", "200 OK", "");
    // It may be challenged first.
    line.hear(flow_to(A), &refer(2, ""));
    let asked = referred(&mut line);
    let challenge = [("WWW-Authenticate".to_owned(), "Digest realm=\"r\",nonce=\"n\"".to_owned())];
    let sent = line.act(|ua, now| ua.refuse_request(asked.request, 401, &challenge, now));
    assert!(header(&sent[0].1, "WWW-Authenticate").contains("nonce"));
    line.assert_clean();
}

#[test]
fn a_participant_is_asked_to_call_another_target_and_reports_how_that_goes() {
    let mut line = Line::new();
    let call = line.up(1, to("127.0.0.2"));
    let bob = ReferTo::Uri { uri: "sip:bob@b.example".into(), replaces: None };
    let refer = line.act(|ua, now| ua.refer(CallId(1), &bob, now)).remove(0);
    assert!(refer.1.starts_with("REFER sip:them@127.0.0.2:5060 "), "{}", refer.1);
    assert_eq!(header(&refer.1, "Refer-To"), "<sip:bob@b.example>");
    assert!(header(&refer.1, "Referred-By").starts_with("<sip:board@127.0.0.1:5070"));
    let told = |status, phrase: &str, is_final| SipEvent::ReferralProgress {
        call: CallId(1),
        status,
        phrase: phrase.into(),
        is_final,
    };
    // One at a time.
    assert_sent(&line.act(|ua, now| ua.refer(CallId(1), &bob, now)), &[]);
    assert_eq!(line.events.pop(), Some(told(491, "Request Pending", true)));
    line.reply(&refer, "them", "202 Accepted", "");
    let notify = |state: &str, more: &str| {
        format!("Event: refer{more}\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n")
    };
    let trying = "SIP/2.0 100 Trying\r\n";
    let sent = line.ask(&call, "them", "NOTIFY", 10, &notify("active", ";id=999"), trying);
    assert_sent(&sent, &[(A, "SIP/2.0 481")]);
    let sent = line.ask(&call, "them", "NOTIFY", 11, &notify("active", ""), trying);
    assert_sent(&sent, &[(A, "SIP/2.0 200")]);
    assert_eq!(line.events.pop(), Some(told(100, "Trying", false)));
    let over = notify("terminated;reason=noresource", "");
    line.ask(&call, "them", "NOTIFY", 12, &over, "SIP/2.0 200 OK\r\n");
    assert_eq!(line.events.pop(), Some(told(200, "OK", true)));
    assert_sent(&line.ask(&call, "them", "NOTIFY", 13, &over, trying), &[(A, "SIP/2.0 481")]);
    let odd = line.ask(&call, "them", "NOTIFY", 14, "Event: presence\r\nSubscription-State: active\r\n", "");
    assert_sent(&odd, &[(A, "SIP/2.0 489")]);
    // It refuses.
    let refer = line.act(|ua, now| ua.refer(CallId(1), &bob, now)).remove(0);
    line.reply(&refer, "them", "603 Decline", "");
    assert_eq!(line.events.pop(), Some(told(603, "Decline", true)));
    // It accepts and then sends nothing; or ends the subscription without a status.
    let refer = line.act(|ua, now| ua.refer(CallId(1), &bob, now)).remove(0);
    line.reply(&refer, "them", "202 Accepted", "");
    line.wait(240);
    assert_eq!(line.events.pop(), Some(told(408, "Request Timeout", true)));
    let refer = line.act(|ua, now| ua.refer(CallId(1), &bob, now)).remove(0);
    line.reply(&refer, "them", "202 Accepted", "");
    line.ask(&call, "them", "NOTIFY", 15, "Event: refer\r\nSubscription-State: terminated\r\n", "");
    assert_eq!(line.events.pop(), Some(told(100, "Trying", true)));
    let bye = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    line.reply(&bye[0], "them", "200 OK", "");
    assert!(matches!(line.events.pop(), Some(SipEvent::Ended { .. })));
    line.assert_clean();
}

#[test]
fn a_participant_takes_our_place_in_another_call() {
    let mut line = Line::new();
    line.up(1, to("127.0.0.2"));
    let other = line.up(2, to("127.0.0.3"));
    let refer = line.act(|ua, now| ua.refer(CallId(1), &ReferTo::Call(CallId(2)), now)).remove(0);
    let (call_id, our_tag) =
        (header(&other.1, "Call-ID"), header(&other.1, "From").split_once(";tag=").unwrap().1);
    let expected =
        format!("<sip:them@127.0.0.3:5060?Replaces={call_id}%3Bto-tag%3Dthem%3Bfrom-tag%3D{our_tag}>");
    assert_eq!(header(&refer.1, "Refer-To"), expected);
    // Their NOTIFYs can be read by telephones.
    let replaces =
        Replaces { call_id: "a@b c".into(), to_tag: "1".into(), from_tag: "2".into(), early_only: true };
    line.reply(&refer, "them", "202 Accepted", "");
    line.ask(
        &other,
        "them",
        "REFER",
        4,
        &format!("Refer-To: {}\r\n", expected.replace("127.0.0.3", "127.0.0.1")),
        "",
    );
    let asked = referred(&mut line);
    assert_eq!(asked.replaces.as_ref().map(|replaces| replaces.call_id.as_str()), Some(call_id));
    assert_eq!(asked.replaces_call, None, "the tags are the other way round");
    assert_eq!(replaces.to_string(), "a@b c;to-tag=1;from-tag=2;early-only");
    let gone = ReferTo::Call(CallId(99));
    line.act(|ua, now| ua.refer(CallId(2), &gone, now));
    assert!(matches!(
        line.events.pop(),
        Some(SipEvent::ReferralProgress { status: 481, is_final: true, .. })
    ));
}
