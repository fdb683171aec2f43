//! Outgoing calls: servers tried, requests to a trunk, forks, redirections, giving up.

use super::line::{Line, assert_sent, flow_to, header, to};
use super::*;

const A: &str = "127.0.0.2:5060";
const B: &str = "127.0.0.3:5060";

#[test]
fn a_silent_server_is_left_for_the_next_one_and_avoided_for_a_while() {
    let mut line = Line::with("example.com", &[A, B]);
    let at_a = line.dial(1, to("example.com"));
    assert_eq!(at_a.0.remote.to_string(), A);
    let sent = line.wait_ms(4100);
    assert_sent(&sent, &[(A, "INVITE"), (A, "INVITE"), (A, "INVITE"), (B, "INVITE")]);
    let at_b = sent[3].clone();
    assert_eq!(header(&at_b.1, "Call-ID"), header(&at_a.1, "Call-ID"));
    assert_eq!((header(&at_a.1, "CSeq"), header(&at_b.1, "CSeq")), ("1 INVITE", "2 INVITE"));
    // The first one responds late: its fork is cancelled, and if that was answered all the same, the call is ended.
    assert_sent(&line.reply(&at_a, "late", "180 Ringing", ""), &[(A, "CANCEL")]);
    assert_sent(&line.reply(&at_a, "late", "180 Ringing", ""), &[]);
    let surplus = line.reply(&at_a, "late", "200 OK", OFFER);
    assert_sent(&surplus, &[(A, "ACK"), (A, "BYE")]);
    assert!(header(&surplus[1].1, "Reason").contains("completed elsewhere"), "{surplus:?}");
    assert_sent(&line.reply(&at_a, "late", "200 OK", OFFER), &[(A, "ACK")]);
    assert_eq!(line.events, []);
    assert_sent(&line.reply(&at_b, "b", "200 OK", OFFER), &[(B, "ACK")]);
    assert!(
        matches!(line.events[..], [SipEvent::Answered { call: CallId(1), fork: 0, .. }]),
        "{:?}",
        line.events
    );
    // The next call does not wait for the failed one.
    let second = line.dial(2, to("example.com"));
    assert_eq!(second.0.remote.to_string(), B);
    line.reply(&second, "x", "486 Busy Here", "");
    line.wait(40);
    let third = line.dial(3, to("example.com"));
    assert_eq!(third.0.remote.to_string(), A);
    line.reply(&third, "x", "486 Busy Here", "");
    let bye = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    line.reply(&bye[0], "b", "200 OK", "");
    line.assert_clean();
}

#[test]
fn a_server_that_is_overloaded_or_unreachable_is_left_at_once() {
    let mut line = Line::with("example.com", &["tcp:127.0.0.2:5060", B]);
    let at_a = line.dial(1, to("example.com"));
    let sent = line.act(|ua, now| ua.handle_transport_error(at_a.0, now));
    assert_sent(&sent, &[(B, "INVITE")]);
    assert!(sent[0].1.contains("SIP/2.0/UDP") && !header(&sent[0].1, "Contact").contains("transport=tcp"));
    assert!(at_a.1.contains("SIP/2.0/TCP") && header(&at_a.1, "Contact").contains("transport=tcp"));
    let ack = line.reply(&sent[0], "b", "503 Service Unavailable\r\nRetry-After: 300", "");
    assert_sent(&ack, &[(B, "ACK")]);
    assert!(matches!(&line.events[..], [SipEvent::Rejected { call: CallId(1), status: 503, .. }]));
    line.assert_clean();
    // What it asked for is kept.
    line.names.insert("example.com".into(), vec![flow_to(B), flow_to(A)]);
    let next = line.dial(2, to("example.com"));
    assert_eq!(next.0.remote.to_string(), A);
    line.reply(&next, "a", "404 Not Found", "");
    line.assert_clean();
}

#[test]
fn a_name_that_is_not_found_and_a_call_that_is_taken_back_before_end_cleanly() {
    let mut line = Line::new();
    line.act(|ua, now| ua.dial(CallId(1), to("nowhere.example"), now));
    let expected = SipEvent::Rejected { call: CallId(1), status: 503, phrase: "not found".into() };
    assert_eq!(line.events, [expected]);
    line.is_dns_silent = true;
    line.act(|ua, now| ua.dial(CallId(2), to("example.com"), now));
    line.act(|ua, now| ua.hang_up(CallId(2), vec![], now));
    assert_eq!(line.events[1], SipEvent::Ended { call: CallId(2), cause: EndCause::ByUs });
    assert_eq!(line.asked, ["nowhere.example", "example.com"]);
    line.assert_clean();
}

#[test]
fn a_trunk_is_told_who_calls_and_by_which_way() {
    let mut line = Line::with("proxy.example", &[A]);
    let spec = DialSpec {
        from_host: Some("pbx.example".into()),
        display_name: Some("The \"Board\"".into()),
        asserted: Some(NameAddr {
            display_name: Some("Ann".into()),
            user: "+4420".into(),
            host: String::new(),
        }),
        route: vec!["sip:proxy.example;lr".into()],
        replaces: Some(Replaces {
            call_id: "c@x".into(),
            to_tag: "t".into(),
            from_tag: "f".into(),
            early_only: true,
        }),
        referred_by: Some("sip:carol@127.0.0.9".into()),
        extra: vec![
            ("X-Conference".into(), "Tea".into()),
            ("Via".into(), "SIP/2.0/UDP evil".into()),
            ("X-Broken".into(), "a\r\nRoute: <sip:evil>".into()),
        ],
        is_focus: true,
        ..to("trunk.example")
    };
    let (flow, invite) = line.dial(1, spec.clone());
    assert_eq!(flow.remote.to_string(), A);
    assert!(invite.starts_with("INVITE sip:+441908@trunk.example SIP/2.0"), "{invite}");
    for (name, value) in [
        ("Route", "<sip:proxy.example;lr>"),
        ("P-Asserted-Identity", "\"Ann\" <sip:+4420@pbx.example>"),
        ("Replaces", "c@x;to-tag=t;from-tag=f;early-only"),
        ("Require", "replaces"),
        ("Referred-By", "<sip:carol@127.0.0.9>"),
        ("X-Conference", "Tea"),
        ("Privacy", ""),
        ("X-Broken", ""),
        ("To", "<sip:+441908@trunk.example>"),
    ] {
        assert_eq!(header(&invite, name), value, "{name}");
    }
    assert!(
        header(&invite, "From").starts_with("\"The \\\"Board\\\"\" <sip:board@pbx.example>;tag="),
        "{invite}"
    );
    assert!(header(&invite, "Contact").ends_with(";isfocus"));
    assert!(header(&invite, "Supported").contains("100rel") && header(&invite, "Allow").contains("REFER"));
    assert!(!invite.contains("evil"), "{invite}");
    // Withheld from the called user, not from the trunk.
    let (_, invite) = line.dial(2, DialSpec { is_private: true, ..spec });
    assert!(
        header(&invite, "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="),
        "{invite}"
    );
    assert_eq!(header(&invite, "Privacy"), "id");
    assert!(header(&invite, "P-Asserted-Identity").contains("+4420"));
}

#[test]
fn a_call_to_a_registered_user_goes_over_its_connection() {
    let mut line = Line::new();
    let flow = flow_to("tcp:127.0.0.9:40000");
    let spec = DialSpec {
        flow: Some(flow),
        route: vec!["sip:edge.example;lr".into()],
        ..to("10.0.0.1:5060;transport=ws")
    };
    let (sent_on, invite) = line.dial(1, spec);
    assert_eq!(sent_on, flow);
    assert_eq!(header(&invite, "Route"), "<sip:edge.example;lr>");
    assert!(line.asked.is_empty(), "nobody was asked");
    // The connection is gone, and with it the path to the user, who is absent: not a failure of a server.
    line.act(|ua, now| ua.handle_transport_error(flow, now));
    let phrase = "Its connection is closed".to_owned();
    let rejected = SipEvent::Rejected { call: CallId(1), status: 480, phrase };
    assert_eq!(line.events, [rejected]);
    line.assert_clean();
}

#[test]
fn what_rings_too_long_is_taken_back() {
    let mut line = Line::new();
    let spec = || DialSpec { ring_for: Some(Duration::from_secs(20)), ..to("127.0.0.2") };
    let invite = line.dial(1, spec());
    line.reply(&invite, "a", "180 Ringing", "");
    assert_sent(&line.wait(19), &[]);
    let cancel = line.wait(1);
    assert_sent(&cancel, &[(A, "CANCEL")]);
    assert_eq!(header(&cancel[0].1, "Reason"), "SIP;cause=408;text=\"No answer\"");
    line.reply(&cancel[0], "a", "200 OK", "");
    assert_sent(&line.reply(&invite, "a", "487 Request Terminated", ""), &[(A, "ACK")]);
    let rejected = |call| SipEvent::Rejected { call: CallId(call), status: 487, phrase: "No answer".into() };
    assert_eq!(line.events.pop(), Some(rejected(1)));
    line.assert_clean();
    // The other side ignores it: the call ends all the same.
    let invite = line.dial(2, spec());
    line.reply(&invite, "a", "180 Ringing", "");
    let sent = line.wait(90);
    assert!(sent.iter().all(|(_, text)| text.starts_with("CANCEL ")));
    assert_eq!(line.events.pop(), Some(rejected(2)));
    line.assert_clean();
    // CANCEL and answer cross.
    let invite = line.dial(3, spec());
    line.reply(&invite, "a", "180 Ringing", "");
    line.wait(20);
    let sent = line.reply(&invite, "a", "200 OK", OFFER);
    assert_sent(&sent, &[(A, "ACK"), (A, "BYE")]);
    line.reply(&sent[1], "a", "200 OK", "");
    assert_eq!(line.events.pop(), Some(SipEvent::Ended { call: CallId(3), cause: EndCause::ByUs }));
    line.assert_clean();
}

#[test]
fn of_several_telephones_that_answer_the_first_one_has_the_call() {
    let mut line = Line::new();
    let invite = line.dial(1, to("127.0.0.2"));
    line.reply(&invite, "a", "183 Session Progress", OFFER);
    line.reply(&invite, "b", "180 Ringing", "");
    line.reply(&invite, "a", "180 Ringing", "");
    let progress = |fork, status, sdp: Option<&str>| SipEvent::Progress {
        call: CallId(1),
        fork,
        status,
        sdp: sdp.map(str::to_owned),
    };
    assert_eq!(line.events, [progress(0, 183, Some(OFFER)), progress(1, 180, None), progress(0, 180, None)]);
    line.events.clear();
    assert_sent(&line.reply(&invite, "b", "200 OK", OFFER), &[(A, "ACK")]);
    assert!(matches!(&line.events[..], [SipEvent::Answered { fork: 1, .. }]), "{:?}", line.events);
    for tag in ["a", "c"] {
        let sent = line.reply(&invite, tag, "200 OK", OFFER);
        assert_sent(&sent, &[(A, "ACK"), (A, "BYE")]);
        assert!(sent[0].1.starts_with(&format!("ACK sip:{tag}@")) && header(&sent[1].1, "To").ends_with(tag));
        line.reply(&sent[1], tag, "200 OK", "");
    }
    // Each retransmission is acknowledged again, and nothing more.
    for tag in ["a", "b", "c"] {
        let sent = line.reply(&invite, tag, "200 OK", OFFER);
        assert_sent(&sent, &[(A, "ACK")]);
        assert!(sent[0].1.starts_with(&format!("ACK sip:{tag}@")));
    }
    assert_eq!(line.events.len(), 1);
    let bye = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    assert!(header(&bye[0].1, "To").ends_with("tag=b"));
    line.reply(&bye[0], "b", "200 OK", "");
    line.assert_clean();
}

#[test]
fn reliable_ringing_is_acknowledged_once_and_its_answer_counts() {
    let mut line = Line::new();
    let invite = line.dial(1, to("127.0.0.2"));
    let reliable = |number: u32| format!("183 Session Progress\r\nRequire: 100rel\r\nRSeq: {number}");
    let prack = line.reply(&invite, "a", &reliable(7), OFFER);
    assert_sent(&prack, &[(A, "PRACK")]);
    assert_eq!((header(&prack[0].1, "RAck"), header(&prack[0].1, "CSeq")), ("7 1 INVITE", "2 PRACK"));
    assert!(prack[0].1.starts_with("PRACK sip:a@127.0.0.2:5060 "));
    line.reply(&prack[0], "a", "200 OK", "");
    assert_sent(&line.reply(&invite, "a", &reliable(7), OFFER), &[]);
    assert_sent(&line.reply(&invite, "a", &reliable(9), ""), &[]);
    assert_sent(&line.reply(&invite, "a", &reliable(8), ""), &[(A, "PRACK")]);
    assert_eq!(line.events.len(), 2, "{:?}", line.events);
    // Another fork is counted separately.
    assert_sent(&line.reply(&invite, "b", &reliable(1), ""), &[(A, "PRACK")]);
    let ack = line.reply(&invite, "a", "200 OK", "");
    assert_sent(&ack, &[(A, "ACK")]);
    assert_eq!(header(&ack[0].1, "CSeq"), "1 ACK");
    let Some(SipEvent::Answered { sdp, fork: 0, .. }) = line.events.last() else {
        panic!("{:?}", line.events)
    };
    assert_eq!(sdp.as_deref(), Some(OFFER));
    let bye = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now));
    assert_eq!(header(&bye[0].1, "CSeq"), "4 BYE");
    line.reply(&bye[0], "a", "200 OK", "");
    line.assert_clean();
}

#[test]
fn redirections_lead_to_names_in_the_order_of_their_wish() {
    let mut line = Line::with("other.example", &[B]);
    let invite = line.dial(1, to("127.0.0.2"));
    let moved = "302 Moved\r\nContact: <sip:x@nowhere.example>;q=0.3, <sip:y@other.example>;q=0.9\r\n\
                 Contact: <tel:+123>, <sip:z@127.0.0.4>;q=0.1";
    let sent = line.reply(&invite, "a", moved, "");
    assert_sent(&sent, &[(A, "ACK"), (B, "INVITE")]);
    assert!(sent[1].1.starts_with("INVITE sip:y@other.example "));
    // Busy there, the next name is not found, so it is the last one; and that redirects in a circle.
    let sent = line.reply(&sent[1], "b", "486 Busy Here", "");
    assert_sent(&sent, &[(B, "ACK"), ("127.0.0.4:5060", "INVITE")]);
    assert_eq!(line.asked[1..], ["other.example", "nowhere.example", "127.0.0.4"]);
    line.reply(&sent[1], "c", "302 Moved\r\nContact: <sip:y@other.example>", "");
    assert!(matches!(line.events[..], [SipEvent::Rejected { status: 302, .. }]), "{:?}", line.events);
    line.assert_clean();
}

#[test]
fn redirections_are_followed_only_to_where_they_may_lead() {
    for (redirection, is_followed) in [
        (Redirection::Refuse, false),
        (Redirection::Within(vec!["else.example".into()]), false),
        (Redirection::Within(vec!["Other.Example".into()]), true),
        (Redirection::Follow, true),
    ] {
        let mut line = Line::with("other.example", &[B]);
        let invite = line.dial(1, DialSpec { redirection: redirection.clone(), ..to("127.0.0.2") });
        let sent = line.reply(&invite, "a", "302 Moved\r\nContact: <sip:x@other.example>", "");
        assert_eq!(sent.len() == 2, is_followed, "{redirection:?}: {sent:?}");
        assert_eq!(line.events.is_empty(), is_followed);
    }
    // Calls through a proxy still pass it.
    let mut line = Line::with("proxy.example", &[B]);
    let invite = line.dial(1, DialSpec { route: vec!["sip:proxy.example;lr".into()], ..to("127.0.0.2") });
    let sent = line.reply(&invite, "a", "302 Moved\r\nContact: <sip:x@other.example>", "");
    assert_sent(&sent, &[(B, "ACK"), (B, "INVITE")]);
    assert_eq!(header(&sent[1].1, "Route"), "<sip:proxy.example;lr>");
}

#[test]
fn a_proxy_and_a_server_may_both_ask_who_calls() {
    let mut line = Line::new();
    let credentials = Some(Credentials { user: "u".into(), password: "p".into() });
    let invite = line.dial(1, DialSpec { credentials, ..to("127.0.0.2") });
    let of_proxy = "407 Who\r\nProxy-Authenticate: Digest realm=\"proxy\",nonce=\"n1\",qop=\"auth\"";
    let second = line.reply(&invite, "p", of_proxy, "").remove(1);
    assert!(header(&second.1, "Proxy-Authorization").contains("nc=00000001"));
    let of_server =
        "401 Who\r\nWWW-Authenticate: Digest realm=\"server\",nonce=\"n2\",algorithm=SHA-256,qop=\"auth\"";
    let third = line.reply(&second, "s", of_server, "").remove(1);
    assert!(header(&third.1, "Proxy-Authorization").contains("nc=00000002"), "{third:?}");
    assert!(
        header(&third.1, "Authorization").contains("realm=\"server\"")
            && third.1.contains("algorithm=SHA-256")
    );
    let stale = "407 Who\r\nProxy-Authenticate: Digest realm=\"proxy\",nonce=\"n3\",stale=true,qop=\"auth\"";
    let fourth = line.reply(&third, "s", stale, "").remove(1);
    assert!(header(&fourth.1, "Proxy-Authorization").contains("nonce=\"n3\""), "{fourth:?}");
    let ack = line.reply(&fourth, "s", "200 OK", OFFER);
    assert!(header(&ack[0].1, "Proxy-Authorization").contains("nonce=\"n3\""), "{ack:?}");
    // BYE may be challenged again.
    let bye = line.act(|ua, now| ua.hang_up(CallId(1), vec![], now)).remove(0);
    assert!(header(&bye.1, "Authorization").contains("nc=00000003"), "{bye:?}");
    let again = line.reply(&bye, "s", &of_server.replace("n2", "n9"), "");
    assert_sent(&again, &[(A, "BYE")]);
    assert!(header(&again[0].1, "Authorization").contains("nonce=\"n9\""));
    line.reply(&again[0], "s", "200 OK", "");
    assert!(matches!(line.events.last(), Some(SipEvent::Ended { cause: EndCause::ByUs, .. })));
    line.assert_clean();
}

#[test]
fn sessions_of_our_calls_are_refreshed_by_whom_the_other_side_names() {
    let mut line = Line::new();
    let invite = line.dial(1, to("127.0.0.2"));
    assert_eq!(header(&invite.1, "Session-Expires"), "1800");
    let longer = line.reply(&invite, "a", "422 Too small\r\nMin-SE: 3600", "").remove(1);
    assert_eq!((header(&longer.1, "Session-Expires"), header(&longer.1, "Min-SE")), ("3600", "3600"));
    let answer = "200 OK\r\nSession-Expires: 3600;refresher=uac\r\nRequire: timer\r\nAllow: UPDATE";
    line.reply(&longer, "a", answer, OFFER);
    assert_sent(&line.wait(1799), &[]);
    let update = line.wait(1);
    assert_sent(&update, &[(A, "UPDATE")]);
    // Glare: we placed the call, so we wait the longer of the two times.
    line.reply(&update[0], "a", "491 Request Pending", "");
    assert_sent(&line.wait_ms(2099), &[]);
    let update = line.wait_ms(1901);
    assert!(update.iter().all(|(_, text)| text.starts_with("UPDATE ")) && !update.is_empty(), "{update:?}");
    line.reply(&update[0], "a", "200 OK\r\nSession-Expires: 3600;refresher=uas", "");
    // Now it is their turn to refresh, and they don't.
    let sent = line.wait(3600);
    assert!(sent[0].1.starts_with("BYE ") && sent[0].1.contains("not refreshed"), "{sent:?}");

    // In a call of theirs the retry is earlier.
    let mut quick = 0;
    for seed in 0..20 {
        let mut wire = super::extensions::Wire::seeded(5070 + seed);
        wire.up("Supported: timer\r\nAllow: INVITE, UPDATE\r\n");
        let update = wire.wait(900).remove(0);
        wire.raw(&super::extensions::reply(&update, "491 Request Pending"));
        assert!(wire.wait(2).iter().any(|text| text.starts_with("UPDATE ")), "within two seconds");
        quick += 1;
    }
    assert_eq!(quick, 20);
}

#[test]
fn reasons_travel_with_cancel_both_ways() {
    let mut pair = Pair::new();
    let caller = pair.dial();
    pair.run_for(50);
    let called = pair.incoming();
    let reason = Reason { protocol: "Q.850".into(), cause: Some(19), text: Some("no answer".into()) };
    pair.do_at(0, |ua, now| ua.hang_up(caller, vec![reason.clone()], now));
    pair.run_for(100);
    assert_eq!(pair.peers[1].events[1], SipEvent::Cancelled { call: called, reasons: vec![reason] });
    pair.assert_clean();
}
