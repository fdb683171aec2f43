//! Beyond RFC 3261: reliable provisional responses, session timers, Replaces, subscriptions to a conference; and a
//! call that outlives its process.

use super::{
    line::{Line, flow_to},
    *,
};

/// The called side dies, and a later process ends the call that it finds on record.
#[test]
fn a_call_is_ended_by_another_run_of_ours() {
    let mut pair = Pair::new();
    let call = pair.dial();
    pair.run(Duration::from_millis(100));
    let called = incoming(&mut pair).expect("a call").call;
    pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
    pair.run(Duration::from_secs(1));
    let saved = pair.peers[1].events.iter().find_map(|event| match event {
        SipEvent::Confirmed { dialog, .. } => Some(dialog.clone()),
        _ => None,
    });
    let saved = saved.expect("confirmed");
    pair.peers[1] = peer(5070);
    pair.do_at(1, |ua, now| assert!(ua.hang_up_saved(CallId(7), &saved, &[], now)));
    pair.run(Duration::from_secs(2));
    assert!(pair.peers[0].events.iter().any(|event| {
        matches!(event, SipEvent::Ended { call: ended, cause: EndCause::ByRemote { .. } } if *ended == call)
    }));
    assert!(matches!(pair.peers[1].events[..], [SipEvent::Ended { call: CallId(7), cause: EndCause::ByUs }]));
    for garbage in ["", "UDP\n1\n2", &saved.replace("UDP", "X"), &saved[..saved.len() / 2]] {
        pair.do_at(1, |ua, now| {
            assert!(!ua.hang_up_saved(CallId(8), garbage, &[], now) || garbage.len() > 60)
        });
    }
}

#[test]
fn while_it_drains_calls_go_on_and_none_begin() {
    let mut pair = Pair::new();
    pair.dial();
    pair.run(Duration::from_millis(100));
    let called = incoming(&mut pair).expect("a call").call;
    pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
    pair.run(Duration::from_secs(1));
    pair.peers[1].ua.set_draining(true);
    let spec = DialSpec {
        uri: "sip:conf-Board@127.0.0.1:5070".into(),
        from_user: "late".into(),
        sdp: OFFER.into(),
        ..DialSpec::default()
    };
    pair.dial_with(spec, CallId(2000));
    pair.run(Duration::from_secs(2));
    assert!(matches!(
        pair.peers[0].events.last(),
        Some(SipEvent::Rejected { call: CallId(2000), status: 503, .. })
    ));
    pair.do_at(0, |ua, now| ua.hang_up(CallId(1000), vec![], now));
    pair.run(Duration::from_secs(40));
    assert!(pair.peers.iter().all(|peer| peer.ua.is_idle()));
}

#[test]
fn options_are_answered_also_while_it_drains_and_clients_in_browsers_learn_ice_servers() {
    let answer = |is_draining: bool, header: &str| {
        let mut peer = peer(5070);
        peer.ua.set_draining(is_draining);
        let text = request("OPTIONS", "sip:webrtc-1-2-0.example", header, "").replace('\n', "\r\n");
        let flow = Flow {
            transport: Transport::Wss,
            local: peer.address,
            remote: ([127, 0, 0, 1], 5060).into(),
            is_foreign: false,
        };
        peer.ua.receive_datagram(Bytes::from(text), flow, Duration::ZERO);
        let Some(Output::Send { bytes, .. }) = peer.ua.poll_output() else { panic!("no answer") };
        String::from_utf8_lossy(&bytes).into_owned()
    };
    for is_draining in [false, true] {
        let told = answer(is_draining, "X-AculabTurnRequest: 1\n");
        assert!(told.starts_with("SIP/2.0 200 OK\r\n"), "{told}");
        assert!(told.contains("\r\nContent-Type: application/json\r\n"), "{told}");
        // What the program returns for the client in From.
        assert!(told.ends_with("\r\n\r\n[{\"urls\":\"stun:a\"}]"), "{told}");
    }
    for header in ["", "X-AculabTurnRequest: 0\n"] {
        let told = answer(true, header);
        assert!(told.starts_with("SIP/2.0 200 OK\r\n") && told.contains("\r\nAllow: INVITE, "), "{told}");
        assert!(told.ends_with("\r\n\r\n"), "{told}");
    }
}

/// A browser's client may not take an offer within a call, so a refresh never contains one.
#[test]
fn a_browser_is_never_sent_an_offer_within_a_call() {
    // It asks for a timer, in every possible way.
    for (header, agreed) in [
        ("Supported: timer\nSession-Expires: 90\n", "90;refresher=uac"),
        ("Supported: timer\nSession-Expires: 90;refresher=uac\n", "90;refresher=uac"),
        ("Supported: timer\nSession-Expires: 90;refresher=uas\n", ""),
        ("Supported: timer\n", ""),
        ("Supported: timer\nAllow: INVITE, UPDATE\nSession-Expires: 90\n", "90;refresher=uas"),
    ] {
        let mut peer = peer(5070);
        let flow = Flow {
            transport: Transport::Wss,
            local: peer.address,
            remote: ([127, 0, 0, 1], 5060).into(),
            is_foreign: false,
        };
        let mut now = Duration::ZERO;
        let mut sent = Vec::new();
        let mut look = |peer: &mut Peer| {
            let mut call = None;
            while let Some(output) = peer.ua.poll_output() {
                match output {
                    Output::Send { bytes, .. } => sent.push(String::from_utf8_lossy(&bytes).into_owned()),
                    Output::Event(SipEvent::Incoming(incoming)) => call = Some(incoming.call),
                    Output::Event(_)
                    | Output::Locate { .. }
                    | Output::Dialog { .. }
                    | Output::Pinged { .. } => {}
                }
            }
            call
        };
        let body = OFFER.replace("\r\n", "\n");
        let extra = format!("{header}Content-Type: application/sdp\n");
        let invite = request("INVITE", "sip:b@127.0.0.1", &extra, &body).replace("UDP", "WSS");
        peer.ua.receive_datagram(Bytes::from(invite.replace('\n', "\r\n")), flow, now);
        let call = look(&mut peer).expect("a call");
        peer.ua.answer(call, OFFER.into(), false, now);
        look(&mut peer);
        let answer = sent.last().unwrap().clone();
        let said = answer.lines().find_map(|line| line.strip_prefix("Session-Expires: ")).unwrap_or_default();
        assert_eq!(said, agreed, "{header}");
        let to = answer.lines().find(|line| line.starts_with("To: ")).unwrap();
        let ack = request("ACK", "sip:b@127.0.0.1", "", "").replace("To: <sip:b@127.0.0.1>", to);
        peer.ua.receive_datagram(Bytes::from(ack.replace("bK1", "bK2").replace('\n', "\r\n")), flow, now);
        sent.clear();
        while let Some(at) = peer.ua.poll_timeout().filter(|at| *at < Duration::from_secs(4000)) {
            now = at;
            peer.ua.handle_timeout(now);
            let mut quiet = |peer: &mut Peer| {
                while let Some(output) = peer.ua.poll_output() {
                    if let Output::Send { bytes, .. } = output {
                        sent.push(String::from_utf8_lossy(&bytes).into_owned());
                    }
                }
            };
            quiet(&mut peer);
        }
        assert!(!sent.iter().any(|text| text.starts_with("INVITE ")), "{header}: {sent:#?}");
        let updates = sent.iter().filter(|text| text.starts_with("UPDATE ")).count();
        assert_eq!(updates > 0, agreed.ends_with("uas"), "{header}: {sent:#?}");
        assert!(sent.iter().all(|text| !text.contains("application/sdp")), "{header}: {sent:#?}");
    }
}

/// A user agent and a telephone whose messages the test writes.
pub(super) struct Wire {
    ua: UserAgent,
    now: Duration,
    /// What was sent since the last call, as text.
    sent: Vec<String>,
    pub(super) events: Vec<SipEvent>,
    requests: u32,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self::seeded(5070)
    }

    /// With other randomness.
    pub(super) fn seeded(seed: u16) -> Self {
        Self { ua: peer(seed).ua, now: Duration::ZERO, sent: Vec::new(), events: Vec::new(), requests: 0 }
    }

    fn look(&mut self) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.sent.push(String::from_utf8_lossy(&bytes).into_owned()),
                Output::Event(event) => self.events.push(event),
                Output::Locate { .. } | Output::Dialog { .. } | Output::Pinged { .. } => {
                    panic!("nobody was called")
                }
            }
        }
    }

    /// Sends a request; `extra`: further headers, each with its line end.
    pub(super) fn say(
        &mut self,
        method: &str,
        cseq: u32,
        to_tag: &str,
        extra: &str,
        body: &str,
    ) -> Vec<String> {
        let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        self.requests += 1;
        let number = self.requests;
        let text = format!(
            "{method} sip:conf-Board@127.0.0.1:5070 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{method}{cseq}{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@127.0.0.1>;tag=alice\r\nTo: <sip:conf-Board@127.0.0.1>{to_tag}\r\nCall-ID: wire\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:alice@127.0.0.1:5060>\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.raw(&text)
    }

    pub(super) fn raw(&mut self, text: &str) -> Vec<String> {
        let flow = Flow {
            transport: Transport::Udp,
            local: "127.0.0.1:5070".parse().unwrap(),
            remote: "127.0.0.1:5060".parse().unwrap(),
            is_foreign: false,
        };
        self.ua.receive_datagram(Bytes::from(text.to_owned()), flow, self.now);
        self.look();
        std::mem::take(&mut self.sent)
    }

    pub(super) fn act(&mut self, act: impl FnOnce(&mut UserAgent, Duration)) -> Vec<String> {
        act(&mut self.ua, self.now);
        self.look();
        std::mem::take(&mut self.sent)
    }

    /// Advances time and returns what was sent meanwhile.
    pub(super) fn wait(&mut self, seconds: u64) -> Vec<String> {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(next) = self.ua.poll_timeout().filter(|next| *next <= until) {
            self.now = next;
            self.ua.handle_timeout(next);
        }
        self.now = until;
        self.look();
        std::mem::take(&mut self.sent)
    }

    pub(super) fn call(&self) -> CallId {
        self.events
            .iter()
            .rev()
            .find_map(|event| match event {
                SipEvent::Incoming(incoming) => Some(incoming.call),
                _ => None,
            })
            .expect("a call came in")
    }

    /// An established call; our tag.
    pub(super) fn up(&mut self, extra: &str) -> (CallId, String, String) {
        self.say("INVITE", 1, "", &format!("Content-Type: application/sdp\r\n{extra}"), OFFER);
        let call = self.call();
        let answer = self.act(|ua, now| ua.answer(call, OFFER.into(), true, now)).remove(0);
        let tag = tag_of(&answer);
        self.say("ACK", 1, &tag, "", "");
        (call, tag, answer)
    }
}

/// A reply to a request of ours; `status` may bring headers along.
pub(super) fn reply(request: &str, status: &str) -> String {
    let copied: String = request
        .lines()
        .filter(|line| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
        })
        .map(|line| format!("{line}\r\n"))
        .collect();
    format!("SIP/2.0 {status}\r\n{copied}Content-Length: 0\r\n\r\n")
}

pub(super) fn tag_of(message: &str) -> String {
    let to = message.lines().find(|line| line.starts_with("To:")).unwrap();
    to.split_once(";tag=").unwrap().1.to_owned()
}

pub(super) fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase())));
    line.map_or("", |line| line.split_once(':').unwrap().1.trim())
}

#[test]
fn a_caller_who_insists_gets_its_ringing_until_it_has_acknowledged_it() {
    let mut wire = Wire::new();
    let invite = "Require: 100rel\r\nContent-Type: application/sdp\r\n";
    wire.say("INVITE", 1, "", invite, OFFER);
    let call = wire.call();
    let ringing = wire.act(|ua, now| ua.ring(call, None, now)).remove(0);
    assert!(ringing.starts_with("SIP/2.0 180 ") && header(&ringing, "Require") == "100rel", "{ringing}");
    let (number, tag) = (header(&ringing, "RSeq").to_owned(), tag_of(&ringing));
    assert_eq!(wire.wait(2), [ringing.clone(), ringing.clone()], "after 0.5 and 1.5 s");
    let wrong = wire.say("PRACK", 2, &tag, "RAck: 7 1 INVITE\r\n", "");
    assert!(wrong[0].starts_with("SIP/2.0 481 "), "{wrong:?}");
    let right = wire.say("PRACK", 3, &tag, &format!("RAck: {number} 1 INVITE\r\n"), "");
    assert!(right[0].starts_with("SIP/2.0 200 "), "{right:?}");
    assert_eq!(wire.wait(40), Vec::<String>::new(), "no more of it");
    let answer = wire.act(|ua, now| ua.answer(call, OFFER.into(), true, now)).remove(0);
    assert!(answer.starts_with("SIP/2.0 200 "));
    wire.say("ACK", 1, &tag, "", "");
    assert!(matches!(wire.events.last(), Some(SipEvent::Confirmed { .. })));
}

#[test]
fn ringing_is_acknowledged_after_the_answer_too() {
    let mut wire = Wire::new();
    wire.say("INVITE", 1, "", "Require: 100rel\r\nContent-Type: application/sdp\r\n", OFFER);
    let call = wire.call();
    let ringing = wire.act(|ua, now| ua.ring(call, None, now)).remove(0);
    let (number, tag) = (header(&ringing, "RSeq").to_owned(), tag_of(&ringing));
    wire.act(|ua, now| ua.answer(call, OFFER.into(), true, now));
    let acknowledged = wire.say("PRACK", 2, &tag, &format!("RAck: {number} 1 INVITE\r\n"), "");
    assert!(acknowledged[0].starts_with("SIP/2.0 200 "), "{acknowledged:?}");
    wire.say("ACK", 1, &tag, "", "");
    assert!(matches!(wire.events.last(), Some(SipEvent::Confirmed { .. })));
    assert_eq!(wire.wait(40), Vec::<String>::new(), "no ringing any more");
}

#[test]
fn a_call_whose_ringing_is_never_acknowledged_ends() {
    let mut wire = Wire::new();
    wire.say("INVITE", 1, "", "Require: 100rel\r\nContent-Type: application/sdp\r\n", OFFER);
    let call = wire.call();
    wire.act(|ua, now| ua.ring(call, None, now));
    let sent = wire.wait(33);
    assert!(sent.last().unwrap().starts_with("SIP/2.0 500 No PRACK"), "{sent:?}");
    assert_eq!(wire.events.last(), Some(&SipEvent::Ended { call, cause: EndCause::AckTimeout }));
    // The refusal is answered by an ACK of its transaction.
    wire.wait(60);
    assert!(wire.ua.is_idle());
    // An unsupported extension is still refused.
    let sent = wire.say("INVITE", 9, "", "Require: 100rel, frobnicate\r\n", "");
    assert!(
        sent[0].starts_with("SIP/2.0 420 ") && header(&sent[0], "Unsupported") == "frobnicate",
        "{sent:?}"
    );
}

#[test]
fn a_session_that_the_caller_refreshes_lasts_and_one_that_it_does_not_is_over() {
    let mut wire = Wire::new();
    let short = wire.say("INVITE", 1, "", "Session-Expires: 30\r\nSupported: timer\r\n", "");
    assert!(short[0].starts_with("SIP/2.0 422 ") && header(&short[0], "Min-SE") == "90", "{short:?}");
    // Nobody acknowledges the refusal; it is retransmitted for a while.
    wire.wait(40);
    let (call, tag, answer) = wire.up("Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n");
    assert_eq!(
        (header(&answer, "Session-Expires"), header(&answer, "Require")),
        ("90;refresher=uac", "timer")
    );
    for cseq in 2..6 {
        assert_eq!(wire.wait(50), Vec::<String>::new());
        let extra = "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n";
        let refreshed = wire.say("UPDATE", cseq, &tag, extra, "");
        assert!(refreshed[0].starts_with("SIP/2.0 200 "), "{refreshed:?}");
        assert_eq!(header(&refreshed[0], "Session-Expires"), "90;refresher=uac");
    }
    let sent = wire.wait(61);
    assert!(sent[0].starts_with("BYE ") && sent[0].contains("not refreshed in time"), "{sent:?}");
    assert_eq!(wire.events.last(), Some(&SipEvent::Ended { call, cause: EndCause::Transport }));
}

#[test]
fn we_refresh_where_it_is_left_to_us() {
    let mut wire = Wire::new();
    let (call, tag, answer) = wire.up("Supported: timer\r\nAllow: INVITE, UPDATE\r\n");
    assert_eq!(header(&answer, "Session-Expires"), "1800;refresher=uas");
    let update = wire.wait(900).remove(0);
    assert!(update.starts_with("UPDATE sip:alice@127.0.0.1:5060"), "{update}");
    wire.raw(&reply(&update, "200 OK\r\nSession-Expires: 1800;refresher=uac\r\nRequire: timer"));
    // The next time it no longer supports UPDATE: then by an INVITE, with the same description.
    let update = wire.wait(900).remove(0);
    let invite = wire.raw(&reply(&update, "405 Method Not Allowed")).remove(0);
    assert!(invite.starts_with("INVITE ") && invite.ends_with(OFFER), "{invite}");
    // Meanwhile theirs has to wait.
    let glare = wire.say("INVITE", 2, &tag, "Content-Type: application/sdp\r\n", OFFER);
    assert!(glare.iter().any(|line| line.starts_with("SIP/2.0 491 ")), "{glare:?}");
    let acks = wire.raw(&reply(&invite, "491 Request Pending"));
    assert!(acks[0].starts_with("ACK "));
    let again = wire.wait(5).into_iter().find(|line| line.starts_with("INVITE ")).expect("after a moment");
    let ack = wire.raw(&reply(&again, "200 OK\r\nSession-Expires: 1800;refresher=uac")).remove(0);
    assert_eq!(
        (ack.starts_with("ACK "), header(&ack, "CSeq").split(' ').next()),
        (true, header(&again, "CSeq").split(' ').next())
    );
    // And then it is gone.
    let update = wire.wait(900).into_iter().find(|line| line.starts_with("INVITE ")).expect("a refresh");
    let bye = wire.raw(&reply(&update, "481 Call/Transaction Does Not Exist"));
    assert!(bye.iter().any(|line| line.starts_with("BYE ")), "{bye:?}");
    assert_eq!(wire.events.last(), Some(&SipEvent::Ended { call, cause: EndCause::Transport }));
}

#[test]
fn a_probe_ends_the_call_that_the_other_side_does_not_know_any_more() {
    // Whatever the response, the other side is there.
    let mut wire = Wire::new();
    let (call, ..) = wire.up("");
    for status in ["200 OK", "405 Method Not Allowed", "503 Service Unavailable"] {
        let options = wire.act(|ua, now| ua.probe(call, now)).remove(0);
        assert!(options.starts_with("OPTIONS sip:alice@127.0.0.1:5060"), "{options}");
        assert_eq!(wire.raw(&reply(&options, status)), Vec::<String>::new());
        assert_eq!(wire.wait(40), Vec::<String>::new());
    }
    let options = wire.act(|ua, now| ua.probe(call, now)).remove(0);
    let bye = wire.raw(&reply(&options, "481 Call/Transaction Does Not Exist"));
    assert!(bye[0].starts_with("BYE ") && bye[0].contains("did not answer any more"), "{bye:?}");
    assert_eq!(wire.events.last(), Some(&SipEvent::Ended { call, cause: EndCause::Transport }));

    // No response at all.
    let mut wire = Wire::new();
    let (call, ..) = wire.up("");
    wire.act(|ua, now| ua.probe(call, now));
    assert!(wire.wait(33).iter().any(|sent| sent.starts_with("BYE ")));
    assert_eq!(wire.events.last(), Some(&SipEvent::Ended { call, cause: EndCause::Transport }));
    wire.wait(40);
    assert!(wire.ua.is_idle());
}

#[test]
fn a_call_takes_the_place_of_another_if_it_knows_its_dialog() {
    let mut wire = Wire::new();
    let (call, tag, answer) = wire.up("");
    assert!(
        header(&answer, "Contact").contains("<sip:conf-Board@")
            && header(&answer, "Contact").ends_with(";isfocus")
    );
    let mut second = |replaces: &str, number: u32| {
        let text = format!(
            "INVITE sip:conf-Board@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKr{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bob@127.0.0.1>;tag=bob\r\nTo: <sip:conf-Board@127.0.0.1>\r\n\
             Call-ID: replacing{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@127.0.0.1:5060>\r\nRequire: replaces\r\n\
             Replaces: {replaces}\r\nContent-Length: 0\r\n\r\n"
        );
        let sent = wire.raw(&text);
        (sent[0].split(' ').nth(1).unwrap().to_owned(), wire.events.last().cloned())
    };
    assert_eq!(second(&format!("wire;to-tag={tag};from-tag=eve"), 1).0, "481");
    assert_eq!(second("other;to-tag=a;from-tag=b", 2).0, "481");
    assert_eq!(second("wire", 3).0, "400");
    assert_eq!(second(&format!("wire;to-tag={tag};from-tag=alice;early-only"), 4).0, "486");
    let (status, event) = second(&format!("wire;from-tag=alice ; to-tag={tag}"), 5);
    assert_eq!(status, "100");
    let Some(SipEvent::Incoming(incoming)) = event else { panic!("no call") };
    assert_eq!(incoming.replaces, Some(ReplacedCall { call, is_same_peer: true, is_over: false }));
}

/// A request of Anna's outside of any dialog, or with the tag of ours. `more`: further headers.
fn of_anna(method: &str, flow: Flow, id: u32, tag: &str, more: &str) -> String {
    let (transport, remote) = (format!("{:?}", flow.transport).to_uppercase(), flow.remote);
    format!(
        "{method} sip:conf-Board@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} a.invalid;branch=z9hG4bK{method}{id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:anna@a.invalid>;tag=anna\r\nTo: <sip:conf-Board@127.0.0.1>{tag}\r\n\
         Call-ID: anna{id}\r\nCSeq: 1 {method}\r\nContact: <sip:anna@{remote}>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// A page that is loaded again says goodbye by DTLS, and then asks for its call.
#[test]
fn a_browser_may_name_its_dialog_for_a_while_after_it_is_over() {
    let browser = |port: u16| Flow {
        transport: Transport::Wss,
        remote: ([127, 0, 0, 1], port).into(),
        ..flow_to("127.0.0.1:1")
    };
    let telephone = flow_to("127.0.0.1:5060");
    let mut line = Line::new();
    // A call that is up, and the header that names it.
    let up = |line: &mut Line, flow: Flow, id: u32| {
        line.hear(flow, &of_anna("INVITE", flow, id, "", ""));
        let Some(SipEvent::Incoming(incoming)) = line.events.last() else { panic!("{:?}", line.events) };
        let call = incoming.call;
        let answered = line.act(|ua, now| ua.answer(call, OFFER.into(), false, now));
        let tag = header(&answered[0].1, "To").split(";tag=").nth(1).unwrap().to_owned();
        line.hear(flow, &of_anna("ACK", flow, id, &format!(";tag={tag}"), ""));
        (call, format!("Replaces: anna{id};to-tag={tag};from-tag=anna\r\n"))
    };
    let (call, of_page) = up(&mut line, browser(9000), 1);
    let (other, of_telephone) = up(&mut line, telephone, 2);
    // The first response to another INVITE, and the call that it is told to replace.
    let ask = |line: &mut Line, flow: Flow, id: u32, replaces: &str| {
        line.events.clear();
        let sent = line.hear(flow, &of_anna("INVITE", flow, id, "", replaces));
        let replaced = line.events.iter().find_map(|event| match event {
            SipEvent::Incoming(incoming) => incoming.replaces,
            _ => None,
        });
        (sent[0].1.split(' ').nth(1).unwrap().parse::<u16>().unwrap(), replaced)
    };
    let named = |is_over: bool| (100, Some(ReplacedCall { call, is_same_peer: true, is_over }));
    assert_eq!(ask(&mut line, browser(9001), 11, &of_page), named(false));
    // BYE is on its way, and has no answer, for the page is gone.
    for ended in [call, other] {
        line.act(|ua, now| ua.hang_up(ended, Vec::new(), now));
    }
    assert_eq!(ask(&mut line, browser(9002), 12, &of_page), named(true));
    assert_eq!(ask(&mut line, telephone, 13, &of_telephone), (603, None));
    line.act(|ua, now| ua.handle_transport_error(browser(9000), now));
    line.wait(20);
    assert_eq!(ask(&mut line, browser(9003), 14, &of_page), named(true));
    assert_eq!(
        ask(&mut line, browser(9003), 15, &of_page.replace("from-tag=anna", "from-tag=eve")),
        (481, None)
    );
    assert_eq!(ask(&mut line, telephone, 16, &of_page), (481, None), "it is no page");
    line.wait(20);
    assert_eq!(ask(&mut line, browser(9004), 17, &of_page), (481, None), "that is too long ago");
    assert_eq!(ask(&mut line, telephone, 18, &of_telephone), (481, None));
}

#[test]
fn a_conference_is_followed_inside_a_call_and_outside() {
    let mut wire = Wire::new();
    let refused = wire.say("SUBSCRIBE", 1, "", "Event: presence\r\n", "");
    assert!(refused[0].starts_with("SIP/2.0 489 ") && header(&refused[0], "Allow-Events") == "conference");
    let (call, tag, _) = wire.up("");
    let subscribing = |wire: &Wire| {
        let Some(SipEvent::Subscribing(subscribing)) = wire.events.last() else {
            panic!("{:?}", wire.events)
        };
        subscribing.clone()
    };
    // Within the call.
    wire.say("SUBSCRIBE", 2, &tag, "Event: conference\r\nExpires: 600\r\n", "");
    let inside = subscribing(&wire);
    assert_eq!(inside.call, Some(call));
    let sent = wire.act(|ua, now| {
        assert!(ua.accept_subscription(inside.request, Some(call), "<one/>".into(), now).is_some())
    });
    assert!(sent[0].starts_with("SIP/2.0 200 ") && header(&sent[0], "Expires") == "600", "{sent:?}");
    assert!(
        sent[1].starts_with("NOTIFY sip:alice@127.0.0.1:5060") && sent[1].ends_with("<one/>"),
        "{sent:?}"
    );
    assert_eq!(header(&sent[1], "Subscription-State"), "active;expires=600");
    assert_eq!(header(&sent[1], "Content-Type"), "application/conference-info+xml");
    wire.raw(&reply(&sent[1], "200 OK"));
    // It ends with the call.
    wire.events.clear();
    wire.say("BYE", 3, &tag, "", "");
    assert!(
        wire.events.contains(&SipEvent::Unsubscribed(SubscriptionId(inside.request.0))),
        "{:?}",
        wire.events
    );
    // Outside of any, until it is not refreshed.
    wire.say("SUBSCRIBE", 10, "", "Event: conference;id=7\r\nExpires: 60\r\n", "");
    let outside = subscribing(&wire);
    assert_eq!((outside.call, outside.target.user.as_str()), (None, "conf-Board"));
    let sent = wire.act(|ua, now| {
        assert!(ua.accept_subscription(outside.request, None, "<two/>".into(), now).is_some())
    });
    let (id, tag) = (SubscriptionId(outside.request.0), tag_of(&sent[0]));
    assert_eq!(header(&sent[1], "Event"), "conference;id=7");
    wire.raw(&reply(&sent[1], "200 OK"));
    wire.wait(50);
    let refreshed = wire.say("SUBSCRIBE", 11, &tag, "Event: conference;id=7\r\nExpires: 60\r\n", "");
    assert!(refreshed[0].starts_with("SIP/2.0 200 "));
    // Each SUBSCRIBE is followed by a NOTIFY (RFC 6665, section 4.2.1.2).
    assert_eq!(wire.events.last(), Some(&SipEvent::Resubscribed(id)));
    wire.wait(50);
    assert!(!wire.events.contains(&SipEvent::Unsubscribed(id)));
    let over = wire.wait(11);
    assert!(
        over.iter().any(|line| header(line, "Subscription-State") == "terminated;reason=timeout"),
        "{over:?}"
    );
    assert!(wire.events.contains(&SipEvent::Unsubscribed(id)));
    // A single document is enough: Expires 0.
    wire.say("SUBSCRIBE", 20, "", "Event: conference\r\nExpires: 0\r\n", "");
    let once = subscribing(&wire);
    let sent = wire
        .act(|ua, now| assert!(ua.accept_subscription(once.request, None, "<three/>".into(), now).is_none()));
    assert_eq!(header(&sent[1], "Subscription-State"), "terminated;reason=timeout");
    wire.wait(120);
    assert!(wire.ua.is_idle());
}
