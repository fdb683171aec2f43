//! Passwords, redirections, and excessive requests.

use super::{
    line::{Line, assert_sent, flow_to, to},
    *,
};
use crate::guard::Caller;

/// Challenges with both hashes; returns who was authenticated.
fn challenged_call(user: &str, password: &str) -> (Pair, crate::digest::Verdict) {
    use crate::digest::{Algorithm, Authenticator};
    let mut judge = Authenticator::new("here".into(), vec![Algorithm::Sha256, Algorithm::Md5], [1; 32]);
    let mut pair = Pair::new();
    let spec = DialSpec {
        uri: "sip:conf-Board@127.0.0.1:5070".into(),
        from_user: "alice".into(),
        sdp: OFFER.into(),
        credentials: Some(Credentials { user: user.into(), password: password.into() }),
        ..DialSpec::default()
    };
    let source = pair.peers[0].address.ip();
    pair.dial_with(spec, CallId(1000));
    pair.run(Duration::from_millis(100));
    let first = incoming(&mut pair).expect("a call");
    assert!(first.authorizations.is_empty());
    let challenges = judge.challenge(source, false, pair.now);
    let challenges: Vec<_> =
        challenges.into_iter().map(|value| ("WWW-Authenticate".to_owned(), value)).collect();
    pair.do_at(1, |ua, now| ua.reject(first.call, 401, None, &challenges, now));
    pair.run(Duration::from_millis(200));
    let second = incoming(&mut pair).expect("the call again");
    let answer = second.authorizations.digest("here", |_| true).expect("an answer");
    assert_eq!((answer.username.as_str(), answer.algorithm()), (user, Algorithm::Sha256), "the better hash");
    let ha1 = Algorithm::Sha256.ha1("alice", "here", "secret");
    let verdict = judge.judge(answer, Some(&ha1), source, pair.now);
    match verdict {
        crate::digest::Verdict::Right => {
            pair.do_at(1, |ua, now| ua.answer(second.call, OFFER.into(), false, now))
        }
        _ => pair.do_at(1, |ua, now| ua.reject(second.call, 401, None, &challenges, now)),
    }
    pair.run(Duration::from_secs(40));
    (pair, verdict)
}

#[test]
fn a_question_for_a_password_is_answered_once() {
    let (pair, verdict) = challenged_call("alice", "secret");
    assert_eq!(verdict, crate::digest::Verdict::Right);
    assert!(pair.peers[0].events.iter().any(|event| matches!(event, SipEvent::Answered { .. })));

    let (pair, verdict) = challenged_call("alice", "guess");
    assert_eq!(verdict, crate::digest::Verdict::Wrong);
    assert!(matches!(pair.peers[0].events.last(), Some(SipEvent::Rejected { status: 401, .. })));
    assert_eq!(pair.log.iter().filter(|line| line.starts_with("0 INVITE")).count(), 2, "{:?}", pair.log);
    assert!(pair.peers[0].ua.is_idle() && pair.peers[1].ua.is_idle());
}

#[test]
fn a_redirection_is_followed_and_a_circle_of_them_ends() {
    let mut pair = Pair::new();
    pair.dial();
    pair.run(Duration::from_millis(100));
    let first = incoming(&mut pair).expect("a call");
    let contact = vec![("Contact".to_owned(), "<sip:elsewhere@127.0.0.1:5070>".to_owned())];
    pair.do_at(1, |ua, now| ua.reject(first.call, 302, None, &contact, now));
    pair.run(Duration::from_millis(200));
    let second = incoming(&mut pair).expect("the call again");
    assert_eq!((second.target.user.as_str(), &second.sip_call_id), ("elsewhere", &first.sip_call_id));
    pair.do_at(1, |ua, now| ua.answer(second.call, OFFER.into(), false, now));
    pair.run(Duration::from_secs(1));
    assert!(pair.peers[0].events.iter().any(|event| matches!(event, SipEvent::Answered { .. })));

    // A circle ends where it closes, and an endless chain after ten redirections.
    for (is_circle, expected) in [(true, 2), (false, 11)] {
        let mut pair = Pair::new();
        pair.dial();
        let mut calls = 0;
        for second in 1..30 {
            pair.run(Duration::from_secs(second));
            let Some(again) = incoming(&mut pair) else { break };
            calls += 1;
            let number = if is_circle { 0 } else { calls };
            let contact = format!("<sip:elsewhere{number}@127.0.0.1:5070>");
            let contact = vec![("Contact".to_owned(), contact)];
            pair.do_at(1, |ua, now| ua.reject(again.call, 302, None, &contact, now));
        }
        assert_eq!(calls, expected);
        assert!(matches!(pair.peers[0].events.last(), Some(SipEvent::Rejected { status: 302, .. })));
    }
}

fn options(from: &str, number: usize, user_agent: &str) -> Bytes {
    format!(
        "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number}{user_agent}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\n\
         User-Agent: {user_agent}\r\nContent-Length: 0\r\n\r\n"
    )
    .into()
}

fn answers(ua: &mut UserAgent) -> (Vec<String>, Vec<SipEvent>) {
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    while let Some(output) = ua.poll_output() {
        match output {
            Output::Send { bytes, .. } => {
                sent.push(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned());
            }
            Output::Event(event) => events.push(event),
            Output::Locate { .. } | Output::Dialog { .. } | Output::Pinged { .. } => {
                panic!("nobody was called")
            }
        }
    }
    (sent, events)
}

#[test]
fn who_asks_too_much_is_told_to_wait_and_a_scanner_gets_silence() {
    let mut ua = peer(5060).ua;
    let flow = |source: &str| Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: source.parse().unwrap(),
        is_foreign: false,
    };
    for number in 0..210 {
        ua.receive_datagram(options("127.0.0.3:9", number, "phone"), flow("127.0.0.3:9"), Duration::ZERO);
    }
    let (sent, _) = answers(&mut ua);
    assert_eq!(sent.iter().filter(|line| line.contains(" 200 ")).count(), 200);
    assert_eq!(sent.iter().filter(|line| line.contains(" 503 ")).count(), 10);

    for number in 0..10 {
        let scan = options("127.0.0.2:9", number, "friendly-scanner");
        ua.receive_datagram(scan, flow("127.0.0.2:9"), Duration::ZERO);
    }
    let (sent, events) = answers(&mut ua);
    assert!(sent.is_empty(), "{sent:?}");
    // The address of a datagram may be forged: not for long.
    let [SipEvent::Blocked { source, caller, seconds: 30 }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (source.to_string().as_str(), caller.to_string().as_str()),
        ("127.0.0.2", "unreadable requests")
    );
    // Another telephone there is answered, and the scanner is not.
    ua.receive_datagram(options("127.0.0.2:9", 11, "phone"), flow("127.0.0.2:9"), Duration::from_secs(1));
    assert_eq!(answers(&mut ua).0.len(), 1);
    ua.receive_datagram(
        options("127.0.0.2:9", 12, "friendly-scanner"),
        flow("127.0.0.2:9"),
        Duration::from_secs(31),
    );
    assert!(answers(&mut ua).0.is_empty());
}

/// A broken telephone in an office.
#[test]
fn what_cannot_be_read_silences_nobody_else_at_its_address() {
    let mut ua = peer(5060).ua;
    let flow = |port: u16| Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: ([127, 0, 0, 3], port).into(),
        is_foreign: false,
    };
    let now = Duration::from_secs(1);
    let right = String::from_utf8(options("127.0.0.3:9", 1, "phone").to_vec()).unwrap();
    for broken in
        [right.replace("CSeq: 1 OPTIONS\r\n", ""), right.replace("sip:x@127.0.0.1 SIP/2.0", "sip: SIP/2.0")]
    {
        ua.lift_ban(flow(9).remote.ip(), now);
        let mut answered = 0;
        for _ in 0..500 {
            ua.receive_datagram(broken.clone().into(), flow(9), now);
            answered += answers(&mut ua).0.len();
        }
        assert_eq!(answered, 10, "then it gets no answer: {broken}");
        ua.receive_datagram(options("127.0.0.3:8", 2, "phone"), flow(8), now);
        let (sent, _) = answers(&mut ua);
        assert!(sent[0].contains(" 200 "), "its neighbour does: {sent:?}");
    }
}

/// So many names are tried out there that the address is banned.
fn ban(ua: &mut UserAgent, source: Flow, now: Duration) {
    for n in 0..10 {
        ua.report_failure(source, &Caller::with_password(&n.to_string()), true, now);
    }
    assert_eq!(ua.bans(now).len(), 1, "{:?}", ua.bans(now));
}

/// An office where names are tried out.
#[test]
fn a_banned_address_keeps_its_calls_and_gets_no_answer_to_what_only_looks_like_one() {
    let mut line = Line::with("office.example", &["127.0.0.5:5060"]);
    let invite = line.up(1, to("office.example"));
    line.act(|ua, now| ban(ua, invite.0, now));
    let request = |method: &str, number: u32, more: &str| {
        format!(
            "{method} sip:us@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.5:5060;branch=z9hG4bKx{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:us@127.0.0.1>{more}\r\nCall-ID: {number}\r\n\
             CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (method, more) in [("OPTIONS", ""), ("BYE", ";tag=x"), ("SUBSCRIBE", ";tag=x"), ("CANCEL", "")] {
        assert!(line.hear(invite.0, &request(method, 7, more)).is_empty(), "{method}{more}");
    }
    let sent = line.ask(&invite, "them", "INVITE", 2, "Content-Type: application/sdp\r\n", OFFER);
    assert!(sent.iter().all(|(_, text)| text.contains(" 100 ")), "{sent:?}");
    assert!(matches!(line.events.last(), Some(SipEvent::Reoffer { .. })), "{:?}", line.events);
    let answered = line.act(|ua, now| ua.accept_offer(CallId(1), OFFER.into(), now));
    assert_sent(&answered, &[("127.0.0.5:5060", "SIP/2.0 200")]);
    line.ask(&invite, "them", "ACK", 2, "", "");
    let ended = line.ask(&invite, "them", "BYE", 3, "", "");
    assert_sent(&ended, &[("127.0.0.5:5060", "SIP/2.0 200")]);
    assert!(matches!(line.events.last(), Some(SipEvent::Ended { .. })), "{:?}", line.events);
    line.assert_clean();
}

#[test]
fn the_answers_of_a_banned_address_count() {
    let mut line = Line::with("office.example", &["127.0.0.5:5060"]);
    let invite = line.up(1, to("office.example"));
    let ringing = line.dial(2, to("office.example"));
    line.act(|ua, now| ban(ua, invite.0, now));
    let bye = line.act(|ua, now| ua.hang_up(CallId(1), Vec::new(), now));
    line.reply(&bye[0], "", "200 OK", "");
    assert!(matches!(line.events.last(), Some(SipEvent::Ended { .. })), "{:?}", line.events);
    // Whom we call there answers as others do.
    let acknowledged = line.reply(&ringing, "them", "200 OK", OFFER);
    assert_sent(&acknowledged, &[("127.0.0.5:5060", "ACK")]);
    assert!(matches!(line.events.last(), Some(SipEvent::Answered { .. })), "{:?}", line.events);
}

#[test]
fn a_token_is_looked_at_from_a_banned_address() {
    let mut line = Line::new();
    let source = flow_to("127.0.0.5:5060");
    line.act(|ua, now| ban(ua, source, now));
    let subscribe = |number: u32, more: &str| {
        format!(
            "SUBSCRIBE sip:conf-Tea@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.5:5060;branch=z9hG4bKs{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:conf-Tea@127.0.0.1>\r\nCall-ID: s{number}\r\n\
             CSeq: 1 SUBSCRIBE\r\nContact: <sip:a@127.0.0.5>\r\nEvent: conference\r\nExpires: 60\r\n{more}\
             Content-Length: 0\r\n\r\n"
        )
    };
    line.hear(source, &subscribe(1, ""));
    assert!(!matches!(line.events.last(), Some(SipEvent::Subscribing(_))), "{:?}", line.events);
    // Any token would do to go on guessing passwords.
    let guess = "Authorization: Digest username=\"a\", realm=\"plenary\", nonce=\"n\", uri=\"sip:a@b\", response=\"\
                 0123456789abcdef0123456789abcdef\"\r\n";
    line.hear(source, &subscribe(2, &format!("Authorization: Bearer abc\r\n{guess}")));
    assert!(!matches!(line.events.last(), Some(SipEvent::Subscribing(_))), "{:?}", line.events);
    line.hear(source, &subscribe(3, "Authorization: Bearer abc\r\n"));
    assert!(matches!(line.events.last(), Some(SipEvent::Subscribing(_))), "{:?}", line.events);
}

#[test]
fn a_caller_who_was_permitted_is_answered_at_an_address_that_its_neighbours_had_banned() {
    let mut line = Line::new();
    let source = flow_to("127.0.0.5:5060");
    let mut number = 0;
    let mut subscribes = |line: &mut Line, from: &str| {
        number += 1;
        line.hear(
            source,
            &format!(
                "SUBSCRIBE sip:conf-Tea@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.5:5060;branch=z9hG4bKp{number}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:{from}@b>;tag=a\r\nTo: <sip:conf-Tea@127.0.0.1>\r\nCall-ID: p{number}\r\n\
                 CSeq: 1 SUBSCRIBE\r\nContact: <sip:a@127.0.0.5>\r\nEvent: conference\r\nExpires: 60\r\n\
                 Content-Length: 0\r\n\r\n"
            ),
        );
        match line.events.pop() {
            Some(SipEvent::Subscribing(subscribing)) => Some(subscribing.caller.clone()),
            _ => None,
        }
    };
    let permitted = subscribes(&mut line, "anna").expect("it is answered");
    line.act(|ua, now| ua.report_success(source, &permitted, false, now));
    line.act(|ua, now| ban(ua, source, now));
    line.events.clear();
    assert_eq!(subscribes(&mut line, "anna"), Some(permitted));
    assert_eq!(subscribes(&mut line, "eve"), None);
}
