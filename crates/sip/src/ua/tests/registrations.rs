//! Registrations with other servers, and Path in received ones.

use super::line::{Line, assert_sent, flow_to, header, to};
use super::*;

const A: &str = "127.0.0.2:5060";
const B: &str = "127.0.0.3:5060";
const ID: RegistrationId = RegistrationId(7);

fn spec() -> RegistrationSpec {
    RegistrationSpec {
        registrar: "sip:trunk.example".into(),
        address_of_record: "sip:4420@trunk.example".into(),
        contact_user: "conf".into(),
        credentials: Some(Credentials { user: "4420".into(), password: "p".into() }),
        expires: Some(Duration::from_secs(600)),
        keep_alive: Some(Duration::ZERO),
        ..RegistrationSpec::default()
    }
}

fn challenge(nonce: &str, more: &str) -> String {
    format!("401 Who\r\nWWW-Authenticate: Digest realm=\"trunk\",nonce=\"{nonce}\",qop=\"auth\"{more}")
}

fn granted(seconds: u32) -> String {
    format!("200 OK\r\nContact: <sip:old@127.0.0.8>;expires=9, <sip:conf@127.0.0.1:5070>;expires={seconds}")
}

/// An established registration; returns the last REGISTER.
fn up(line: &mut Line, spec: RegistrationSpec, seconds: u32) -> (Flow, String) {
    let request = line.act(|ua, now| ua.register(ID, spec, now)).remove(0);
    let signed = line.reply(&request, "r", &challenge("n1", ""), "").remove(0);
    line.reply(&signed, "r", &granted(seconds), "");
    assert!(matches!(line.events.pop(), Some(SipEvent::Registered { .. })));
    signed
}

#[test]
fn a_registration_is_signed_refreshed_and_taken_back() {
    let mut line = Line::with("trunk.example", &[A]);
    let request = line.act(|ua, now| ua.register(ID, spec(), now)).remove(0);
    assert_eq!(request.0.remote.to_string(), A);
    assert!(request.1.starts_with("REGISTER sip:trunk.example SIP/2.0"), "{}", request.1);
    assert_eq!(header(&request.1, "Contact"), "<sip:conf@127.0.0.1:5070>;expires=600");
    assert_eq!((header(&request.1, "Expires"), header(&request.1, "Supported")), ("600", "path"));
    assert!(header(&request.1, "From").starts_with("<sip:4420@trunk.example>;tag="));
    let signed = line.reply(&request, "r", &challenge("n1", ""), "").remove(0);
    assert!(header(&signed.1, "Authorization").contains("nc=00000001"));
    assert_eq!(header(&signed.1, "CSeq"), "2 REGISTER");
    let answer = format!("{}\r\nService-Route: <sip:edge.example;lr>, <sip:core.example;lr>", granted(300));
    assert_sent(&line.reply(&signed, "r", &answer, ""), &[]);
    let expected = SipEvent::Registered {
        registration: ID,
        expires: Duration::from_secs(300),
        service_route: vec!["sip:edge.example;lr".into(), "sip:core.example;lr".into()],
        flow: flow_to(A),
    };
    assert_eq!(line.events.pop(), Some(expected));
    // Refreshed after half of its time, with the same nonce and the next count.
    assert_sent(&line.wait(149), &[]);
    let refresh = line.wait(1);
    assert_sent(&refresh, &[(A, "REGISTER")]);
    assert!(header(&refresh[0].1, "Authorization").contains("nc=00000002"), "{refresh:?}");
    assert_eq!(header(&refresh[0].1, "Call-ID"), header(&request.1, "Call-ID"));
    let stale = line.reply(&refresh[0], "r", &challenge("n2", ",stale=true"), "").remove(0);
    assert!(header(&stale.1, "Authorization").contains("nonce=\"n2\""), "{stale:?}");
    line.reply(&stale, "r", &granted(300), "");
    assert!(matches!(line.events.pop(), Some(SipEvent::Registered { .. })));
    // Some omit `stale` when a nonce was only too old.
    let refresh = line.wait(150).remove(0);
    let again = line.reply(&refresh, "r", &challenge("n3", ""), "").remove(0);
    line.reply(&again, "r", &granted(300), "");
    assert!(matches!(line.events.pop(), Some(SipEvent::Registered { .. })));
    let leave = line.act(|ua, now| ua.unregister(ID, now)).remove(0);
    assert_eq!(
        (header(&leave.1, "Expires"), header(&leave.1, "Contact")),
        ("0", "<sip:conf@127.0.0.1:5070>;expires=0")
    );
    line.reply(&leave, "r", "200 OK", "");
    assert_eq!(line.events, [SipEvent::Unregistered(ID)]);
    line.assert_clean();
}

#[test]
fn a_wrong_password_is_tried_once_and_again_after_a_pause_that_grows() {
    let mut line = Line::with("trunk.example", &[A]);
    let request = line.act(|ua, now| ua.register(ID, spec(), now)).remove(0);
    let signed = line.reply(&request, "r", &challenge("n1", ""), "").remove(0);
    assert_sent(&line.reply(&signed, "r", &challenge("n2", ""), ""), &[]);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let Some(SipEvent::RegistrationFailed { status: 401, retry_in, .. }) = line.events.pop() else {
            panic!("{:?}", line.events)
        };
        pauses.push(retry_in.as_secs());
        let mut sent = line.wait_ms(retry_in.as_millis() as u64 + 1);
        assert_sent(&sent, &[(A, "REGISTER")]);
        let mut request = sent.remove(0);
        for nonce in 0.. {
            let more = line.reply(&request, "r", &challenge(&format!("m{nonce}{}", pauses.len()), ""), "");
            let Some(next) = more.into_iter().next() else { break };
            request = next;
            assert!(nonce < 4, "it has to end");
        }
    }
    let within = |pause: u64, from: u64, to: u64| (from..=to).contains(&pause);
    assert!(
        within(pauses[0], 15, 30) && within(pauses[1], 30, 60) && within(pauses[8], 900, 1800),
        "{pauses:?}"
    );
    line.act(|ua, now| ua.unregister(ID, now));
    assert_eq!(line.events.pop(), Some(SipEvent::Unregistered(ID)));
    line.assert_clean();
}

#[test]
fn a_registrar_that_wants_more_time_gets_it() {
    let mut line = Line::with("trunk.example", &[A]);
    let request = line.act(|ua, now| ua.register(ID, spec(), now)).remove(0);
    let longer = line.reply(&request, "r", "423 Too Brief\r\nMin-Expires: 7200", "").remove(0);
    assert_eq!(header(&longer.1, "Expires"), "7200");
    line.reply(&longer, "r", &granted(7200), "");
    assert_sent(&line.wait(6599), &[]);
    assert_sent(&line.wait(1), &[(A, "REGISTER")]);
    // A server that keeps challenging without a reason is not retried for ever.
    let mut line = Line::with("trunk.example", &[A]);
    let request = line.act(|ua, now| ua.register(ID, spec(), now)).remove(0);
    assert_sent(&line.reply(&request, "r", "423 Too Brief\r\nMin-Expires: 60", ""), &[]);
    assert!(matches!(line.events.pop(), Some(SipEvent::RegistrationFailed { status: 423, .. })));
}

#[test]
fn another_server_takes_over_when_one_fails() {
    let mut line = Line::with("trunk.example", &[A, B]);
    let request = line.act(|ua, now| ua.register(ID, spec(), now)).remove(0);
    let at_b = line.reply(&request, "r", "503 No", "");
    assert_sent(&at_b, &[(B, "REGISTER")]);
    line.reply(&at_b[0], "r", &granted(600), "");
    assert!(matches!(line.events.pop(), Some(SipEvent::Registered { flow, .. }) if flow == flow_to(B)));
    // The refresh finds it failed, and then none is left: all are located again after a pause.
    let refresh = line.wait(300);
    assert_sent(&refresh, &[(B, "REGISTER")]);
    line.wait(33);
    let Some(SipEvent::RegistrationFailed { status: 408, retry_in, .. }) = line.events.pop() else {
        panic!("{:?}", line.events)
    };
    let again = line.wait_ms(retry_in.as_millis() as u64);
    assert!(!again.is_empty() && again.iter().all(|(flow, _)| *flow == flow_to(A)), "{again:?}");
    assert_eq!(line.asked.len(), 2);
}

#[test]
fn a_lost_connection_is_followed_by_a_new_registration() {
    let mut line = Line::with("trunk.example", &["tcp:127.0.0.2:5060"]);
    let spec = RegistrationSpec { keep_alive: None, ..spec() };
    let request = up(&mut line, spec, 3600);
    let alive = line.wait(100);
    assert_eq!((alive.len(), alive[0].1.as_str()), (1, "\r\n\r\n"), "{alive:?}");
    line.act(|ua, now| ua.handle_transport_error(request.0, now));
    let again = line.wait(1);
    assert_sent(&again, &[(A, "REGISTER")]);
    line.reply(&again[0], "r", &granted(3600), "");
    assert!(matches!(line.events.pop(), Some(SipEvent::Registered { .. })));
    let leave = line.act(UserAgent::unregister_all);
    assert_sent(&leave, &[(A, "REGISTER")]);
    // No response: it ends all the same.
    line.wait(33);
    assert_eq!(line.events.pop(), Some(SipEvent::Unregistered(ID)));
    line.assert_clean();
}

#[test]
fn what_is_taken_back_while_it_begins_is_taken_back_afterwards() {
    let mut line = Line::with("trunk.example", &[A]);
    let request = line.act(|ua, now| ua.register(ID, spec(), now)).remove(0);
    assert_sent(&line.act(|ua, now| ua.unregister(ID, now)), &[]);
    let leave = line.reply(&request, "r", &granted(600), "");
    assert_sent(&leave, &[(A, "REGISTER")]);
    assert_eq!(header(&leave[0].1, "Expires"), "0");
    line.reply(&leave[0], "r", "200 OK", "");
    assert_eq!(line.events, [SipEvent::Unregistered(ID)]);
    line.assert_clean();
    // Or while its servers are located.
    let mut line = Line::new();
    line.is_dns_silent = true;
    line.act(|ua, now| ua.register(ID, spec(), now));
    line.act(|ua, now| ua.unregister(ID, now));
    assert_eq!(line.events, [SipEvent::Unregistered(ID)]);
    line.assert_clean();
}

#[test]
fn the_path_of_those_who_register_is_kept_and_confirmed() {
    let mut line = Line::new();
    let register = "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKp\r\n\
        Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: p\r\nCSeq: 1 REGISTER\r\n\
        Require: path\r\nPath: <sip:edge.example;lr>,<sip:core.example;lr>\r\nContact: <sip:a@10.0.0.1>\r\n\
        Content-Length: 0\r\n\r\n";
    line.hear(flow_to(A), register);
    let Some(SipEvent::Registering(registration)) = line.events.pop() else { panic!("{:?}", line.events) };
    assert_eq!(registration.path, ["sip:edge.example;lr", "sip:core.example;lr"]);
    let contacts = [("sip:a@10.0.0.1".to_owned(), 60)];
    let answer = line.act(|ua, now| ua.answer_registration(registration.request, &contacts, now)).remove(0);
    let path: Vec<&str> = answer.1.lines().filter(|line| line.starts_with("Path:")).collect();
    assert_eq!(path, ["Path: <sip:edge.example;lr>", "Path: <sip:core.example;lr>"]);
    // Calls to it pass these, and the one that it came through.
    let (route, flow) = (registration.path.clone(), Some(registration.flow));
    let invite = line.dial(1, DialSpec { route, flow, uri: "sip:a@10.0.0.1".into(), ..to("x") });
    assert_eq!(invite.0.remote.to_string(), A);
    let routes: Vec<&str> = invite.1.lines().filter(|line| line.starts_with("Route:")).collect();
    assert_eq!(routes, ["Route: <sip:edge.example;lr>", "Route: <sip:core.example;lr>"]);
    let broken = register
        .replace("CSeq: 1", "CSeq: 2")
        .replace("hG4bKp", "hG4bKq")
        .replace("<sip:core.example;lr>", "core");
    let answer = line.hear(flow_to(A), &broken).remove(0);
    assert!(answer.1.starts_with("SIP/2.0 400 Malformed Path header"), "{}", answer.1);
}

/// A star removes everything, and can do nothing else (RFC 3261, section 10.3, step 6).
#[test]
fn a_star_needs_an_expiry_of_zero_and_no_other_contact() {
    let mut line = Line::new();
    let mut cseq = 0;
    let mut register = |line: &mut Line, contacts: &str| {
        cseq += 1;
        let request = format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKs{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: s\r\nCSeq: {cseq} REGISTER\r\n{contacts}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        line.hear(flow_to(A), &request)
    };
    for wrong in [
        "Contact: *",
        "Contact: *\r\nExpires: 60",
        "Contact: *\r\nExpires: soon",
        "Contact: *\r\nContact: <sip:a@10.0.0.1>\r\nExpires: 0",
        "Contact: *\r\nContact: *\r\nExpires: 0",
    ] {
        let answer = register(&mut line, wrong).remove(0).1;
        assert!(answer.starts_with("SIP/2.0 400 Contact: * needs Expires: 0"), "{wrong}: {answer}");
        assert_eq!(line.events, [], "{wrong}");
    }
    let list = register(&mut line, "Contact: <sip:a@10.0.0.1>, *\r\nExpires: 0").remove(0).1;
    assert!(list.starts_with("SIP/2.0 400 Malformed Contact header"), "{list}");
    register(&mut line, "Contact: *\r\nExpires: 0");
    let Some(SipEvent::Registering(all)) = line.events.pop() else { panic!("{:?}", line.events) };
    assert_eq!(all.contacts, [("*".to_owned(), 0)]);
}

/// A telephone whose address has changed registers the new contact and takes back the old one in one request.
#[test]
fn each_contact_has_the_expiry_that_is_asked_for_it() {
    let mut line = Line::new();
    let mut cseq = 0;
    let mut asked = |contacts: &str| {
        cseq += 1;
        let request = format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKe{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: e\r\nCSeq: {cseq} REGISTER\r\n{contacts}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        line.hear(flow_to(A), &request);
        let Some(SipEvent::Registering(asked)) = line.events.pop() else { panic!("{:?}", line.events) };
        asked.contacts.clone()
    };
    let contact = |host: &str, seconds| (format!("sip:a@{host}"), seconds);
    let (new, old) = ("<sip:a@new.example>", "<sip:a@old.example>");
    for (headers, wanted) in [
        (
            format!("Contact: {new}\r\nContact: {old};expires=0\r\nExpires: 300"),
            vec![contact("new.example", 300), contact("old.example", 0)],
        ),
        (
            format!("Contact: {old};expires=0, {new};expires=90\r\nExpires: 300"),
            vec![contact("old.example", 0), contact("new.example", 90)],
        ),
        (
            format!("Contact: {new};expires=60, {old}"),
            vec![contact("new.example", 60), contact("old.example", 3600)],
        ),
        (format!("Contact: {new};expires=soon\r\nExpires: 120"), vec![contact("new.example", 120)]),
    ] {
        assert_eq!(asked(&headers), wanted, "{headers}");
    }
}
