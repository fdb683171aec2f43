//! Passwords, redirections, and excessive requests.

use super::*;

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
    assert_eq!(events, [SipEvent::Banned { source: "127.0.0.2".parse().unwrap(), seconds: 30 }]);
    // Under another name, but still the same one.
    ua.receive_datagram(options("127.0.0.2:9", 11, "phone"), flow("127.0.0.2:9"), Duration::from_secs(1));
    assert!(answers(&mut ua).0.is_empty());
    ua.receive_datagram(options("127.0.0.2:9", 12, "phone"), flow("127.0.0.2:9"), Duration::from_secs(31));
    assert_eq!(answers(&mut ua).0.len(), 1);
}
