//! Two user agents in virtual time, over a link that may lose datagrams.

use super::*;
use crate::guard::GuardConfig;
use bytes::Bytes;
use sipx_sip::{HeaderName, Method};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

mod bodies;
mod extensions;
mod itself;
mod liberal;
mod line;
mod nat;
mod outbound;
mod oversize;
mod pings;
mod referrals;
mod registrations;
mod session_timers;
mod strangers;

const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A small generator with a seed that a failing test prints.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

struct Peer {
    ua: UserAgent,
    address: std::net::SocketAddr,
    events: Vec<SipEvent>,
}

fn peer(port: u16) -> Peer {
    let mut random = Seeded(u64::from(port));
    let mut call = 0;
    let ua = UserAgent::new(
        UaConfig {
            product: "test".into(),
            advertise: None,
            allow_from: vec!["127.0.0.0/8".parse().unwrap()],
            websockets_from: Vec::new(),
            guard: GuardConfig { exempt: vec!["127.0.0.1/32".parse().unwrap()], ..GuardConfig::default() },
            ice_servers: IceServers(std::sync::Arc::new(|client| {
                format!("[{{\"urls\":\"stun:{client}\"}}]")
            })),
        },
        Box::new(move |bytes| bytes.iter_mut().for_each(|byte| *byte = random.next() as u8)),
        Box::new(move || {
            call += 1;
            CallId(call)
        }),
    );
    Peer { ua, address: ([127, 0, 0, 1], port).into(), events: Vec::new() }
}

/// The caller is peer 0, the called is peer 1.
struct Pair {
    peers: [Peer; 2],
    now: Duration,
    /// Datagrams in flight: arrival, order of sending, recipient, bytes.
    link: BTreeMap<(Duration, u64), (usize, Bytes)>,
    sent: u64,
    loss_percent: u64,
    random: Seeded,
    transport: Transport,
    log: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        Self::lossy(0, 1)
    }

    fn lossy(loss_percent: u64, seed: u64) -> Self {
        Self {
            peers: [peer(5060), peer(5070)],
            now: Duration::ZERO,
            link: BTreeMap::new(),
            sent: 0,
            loss_percent,
            random: Seeded(seed),
            transport: Transport::Udp,
            log: Vec::new(),
        }
    }

    fn flow(&self, from: usize) -> Flow {
        Flow {
            transport: self.transport,
            local: self.peers[from].address,
            remote: self.peers[1 - from].address,
            is_foreign: false,
        }
    }

    fn dial(&mut self) -> CallId {
        let call = CallId(1000);
        let spec = DialSpec {
            uri: "sip:conf-Board@127.0.0.1:5070".into(),
            from_user: "alice".into(),
            sdp: OFFER.into(),
            ..DialSpec::default()
        };
        self.dial_with(spec, call);
        call
    }

    fn dial_with(&mut self, spec: DialSpec, call: CallId) {
        let now = self.now;
        self.peers[0].ua.dial(call, spec, now);
        self.collect();
    }

    fn do_at(&mut self, who: usize, action: impl FnOnce(&mut UserAgent, Duration)) {
        let now = self.now;
        action(&mut self.peers[who].ua, now);
        self.collect();
    }

    fn collect(&mut self) {
        for from in 0..2 {
            while let Some(output) = self.peers[from].ua.poll_output() {
                match output {
                    Output::Event(event) => self.peers[from].events.push(event),
                    Output::Dialog { .. } | Output::Pinged { .. } => {}
                    Output::Locate { lookup, .. } => {
                        let (flow, now) = (self.flow(from), self.now);
                        self.peers[from].ua.located(lookup, Ok(vec![flow]), now);
                    }
                    Output::Send { bytes, .. } => {
                        let first =
                            String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
                        self.log.push(format!("{from} {first}"));
                        if self.random.next() % 100 >= self.loss_percent {
                            self.sent += 1;
                            self.link
                                .insert((self.now + Duration::from_millis(10), self.sent), (1 - from, bytes));
                        }
                    }
                }
            }
        }
    }

    /// Advances time until nothing more happens before `until`.
    fn run(&mut self, until: Duration) {
        loop {
            let arrival = self.link.keys().next().map(|key| key.0);
            let timers = self.peers.iter().filter_map(|peer| peer.ua.poll_timeout());
            let Some(next) = timers.chain(arrival).min().filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            let (now, flows) = (self.now, [self.flow(0), self.flow(1)]);
            while let Some(entry) = self.link.first_entry().filter(|entry| entry.key().0 <= now) {
                let (to, bytes) = entry.remove();
                self.peers[to].ua.receive_datagram(bytes, flows[to], now);
            }
            for peer in &mut self.peers {
                peer.ua.handle_timeout(now);
                assert!(peer.ua.poll_timeout().is_none_or(|at| at > now), "a timer that is due for ever");
            }
            self.collect();
        }
        self.now = self.now.max(until);
    }

    fn run_for(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        self.run(until);
    }

    fn incoming(&self) -> CallId {
        let found = self.peers[1].events.iter().find_map(|event| match event {
            SipEvent::Incoming(incoming) => Some(incoming.call),
            _ => None,
        });
        found.expect("the call came in")
    }

    /// An established call.
    fn established() -> (Self, CallId, CallId) {
        let mut pair = Self::new();
        let caller = pair.dial();
        pair.run_for(100);
        let called = pair.incoming();
        pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
        pair.run_for(100);
        pair.peers.iter_mut().for_each(|peer| peer.events.clear());
        pair.log.clear();
        (pair, caller, called)
    }

    /// Everything is released once the transactions have had their time.
    fn assert_clean(&mut self) {
        self.run_for(100_000);
        for peer in &self.peers {
            assert!(peer.ua.is_idle(), "{:?}", peer.ua);
            assert!(peer.ua.has_forgotten_all());
        }
    }
}

#[test]
fn a_call_from_ringing_to_bye() {
    let mut pair = Pair::new();
    let caller = pair.dial();
    pair.run_for(50);
    let called = pair.incoming();
    let SipEvent::Incoming(incoming) = &pair.peers[1].events[0] else { panic!() };
    assert_eq!((incoming.target.user.as_str(), incoming.from.user.as_str()), ("conf-Board", "alice"));
    assert_eq!(incoming.offer.as_deref(), Some(OFFER));
    pair.do_at(1, |ua, now| ua.ring(called, None, now));
    pair.run_for(50);
    assert_eq!(pair.peers[0].events, [SipEvent::Progress { call: caller, fork: 0, status: 180, sdp: None }]);
    pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
    pair.run_for(50);
    let SipEvent::Answered { call, sdp: Some(sdp), fork: 0, dialog } = &pair.peers[0].events[1] else {
        panic!("{:?}", pair.peers[0].events)
    };
    assert!(*call == caller && sdp == OFFER && dialog.starts_with("UDP\n"), "{dialog}");
    assert!(
        matches!(&pair.peers[1].events[1], SipEvent::Confirmed { call, answer: None, .. } if *call == called)
    );
    let reason = Reason { protocol: "SIP".into(), cause: Some(200), text: Some("Time is up".into()) };
    pair.do_at(1, |ua, now| ua.hang_up(called, vec![reason.clone()], now));
    pair.run_for(50);
    let by_remote = EndCause::ByRemote { reasons: vec![reason] };
    assert_eq!(pair.peers[0].events[2], SipEvent::Ended { call: caller, cause: by_remote });
    assert_eq!(pair.peers[1].events[2], SipEvent::Ended { call: called, cause: EndCause::ByUs });
    pair.assert_clean();
}

#[test]
fn with_a_third_of_the_datagrams_lost_every_call_succeeds() {
    for seed in 0..60 {
        let mut pair = Pair::lossy(33, seed);
        let caller = pair.dial();
        pair.run_for(8000);
        let called = pair.incoming();
        pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
        pair.run_for(30_000);
        let answered =
            pair.peers[0].events.iter().filter(|event| matches!(event, SipEvent::Answered { .. })).count();
        let confirmed =
            pair.peers[1].events.iter().filter(|event| matches!(event, SipEvent::Confirmed { .. })).count();
        assert_eq!((answered, confirmed), (1, 1), "seed {seed}: {:#?}", pair.log);
        pair.do_at(0, |ua, now| ua.hang_up(caller, vec![], now));
        pair.run_for(40_000);
        for (who, peer) in pair.peers.iter().enumerate() {
            let ended = peer.events.iter().filter(|event| matches!(event, SipEvent::Ended { .. })).count();
            assert_eq!(ended, 1, "seed {seed}, peer {who}: {:#?}", pair.log);
        }
        pair.assert_clean();
    }
}

#[test]
fn a_refusal_tells_the_caller_why() {
    let mut pair = Pair::new();
    let caller = pair.dial();
    pair.run_for(50);
    let called = pair.incoming();
    pair.do_at(1, |ua, now| ua.reject(called, 486, Some("The conference is full"), &[], now));
    pair.run_for(50);
    let expected = SipEvent::Rejected { call: caller, status: 486, phrase: "The conference is full".into() };
    assert_eq!(pair.peers[0].events, [expected]);
    assert_eq!(pair.peers[1].events.len(), 1, "nothing more to say to the one who refused");
    pair.assert_clean();
}

#[test]
fn a_caller_who_gives_up_is_told_487() {
    let mut pair = Pair::new();
    let caller = pair.dial();
    pair.run_for(50);
    let called = pair.incoming();
    pair.do_at(0, |ua, now| ua.hang_up(caller, vec![], now));
    pair.run_for(100);
    assert_eq!(pair.peers[1].events[1], SipEvent::Cancelled { call: called, reasons: vec![] });
    assert_eq!(pair.peers[0].events, [SipEvent::Ended { call: caller, cause: EndCause::ByUs }]);
    assert!(pair.log.contains(&"1 SIP/2.0 487 Request Terminated".to_owned()), "{:#?}", pair.log);
    pair.assert_clean();
}

#[test]
fn cancel_that_crosses_the_answer_ends_in_bye() {
    let mut pair = Pair::new();
    let caller = pair.dial();
    pair.run_for(50);
    let called = pair.incoming();
    // Both act before they hear of each other.
    pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
    pair.do_at(0, |ua, now| ua.hang_up(caller, vec![], now));
    pair.run_for(200);
    assert_eq!(pair.peers[0].events, [SipEvent::Ended { call: caller, cause: EndCause::ByUs }]);
    assert!(
        matches!(pair.peers[1].events.last(), Some(SipEvent::Ended { .. })),
        "{:#?}",
        pair.peers[1].events
    );
    pair.assert_clean();
}

#[test]
fn without_an_ack_the_200_is_repeated_and_the_call_given_up() {
    let mut pair = Pair::new();
    pair.dial();
    pair.run_for(50);
    let called = pair.incoming();
    pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
    // Nothing more reaches either side.
    pair.link.clear();
    pair.loss_percent = 100;
    pair.log.clear();
    pair.run_for(40_000);
    let repeated = pair.log.iter().filter(|line| *line == "1 SIP/2.0 200 OK").count();
    assert!((9..=11).contains(&repeated), "{repeated} times: {:#?}", pair.log);
    let cause = EndCause::AckTimeout;
    assert_eq!(pair.peers[1].events.last(), Some(&SipEvent::Ended { call: called, cause }));
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut pair = Pair::new();
    pair.dial();
    pair.run_for(50);
    let called = pair.incoming();
    pair.do_at(1, |ua, now| ua.answer(called, OFFER.into(), false, now));
    pair.do_at(1, |ua, now| ua.hang_up(called, vec![], now));
    assert!(!pair.log.iter().any(|line| line.contains("BYE")), "a BYE may not overtake the 200");
    pair.run_for(200);
    assert_eq!(pair.peers[1].events.last(), Some(&SipEvent::Ended { call: called, cause: EndCause::ByUs }));
    pair.assert_clean();
}

/// A request within a call's dialog, as the caller would write it.
fn in_dialog(
    pair: &mut Pair,
    caller: CallId,
    method: sipx_sip::Method,
    body: Option<(&str, &str)>,
) -> CallId {
    let flow = pair.flow(0);
    let now = pair.now;
    pair.peers[0].ua.send_in_dialog(caller, flow, now, |dialog, via, contact| {
        let mut request = dialog.request(method, via, contact, "test");
        if let Some((content_type, body)) = body {
            message::push(&mut request.headers, HeaderName::ContentType, content_type.to_owned());
            message::set(&mut request.headers, &HeaderName::ContentLength, body.len().to_string());
            request.set_body(Bytes::from(body.to_owned()));
        }
        request
    });
    pair.collect();
    caller
}

#[test]
fn a_reinvite_changes_the_session_and_a_second_one_waits() {
    let (mut pair, caller, called) = Pair::established();
    let hold = OFFER.replace("m=audio", "a=sendonly\r\nm=audio");
    in_dialog(&mut pair, caller, Method::Invite, Some(("application/sdp", &hold)));
    pair.run_for(50);
    assert_eq!(pair.peers[1].events, [SipEvent::Reoffer { call: called, offer: Some(hold.clone()) }]);
    in_dialog(&mut pair, caller, Method::Invite, Some(("application/sdp", &hold)));
    pair.run_for(50);
    assert!(pair.log.iter().any(|line| line.starts_with("1 SIP/2.0 500")), "{:#?}", pair.log);
    pair.do_at(1, |ua, now| ua.accept_offer(called, OFFER.into(), now));
    pair.run_for(50);
    assert!(pair.log.contains(&"1 SIP/2.0 200 OK".to_owned()));
}

#[test]
fn update_without_a_body_refreshes_and_options_are_answered() {
    let (mut pair, caller, _) = Pair::established();
    in_dialog(&mut pair, caller, Method::Update, None);
    in_dialog(&mut pair, caller, Method::Options, None);
    pair.run_for(50);
    assert!(pair.peers[1].events.is_empty());
    assert_eq!(pair.log.iter().filter(|line| *line == "1 SIP/2.0 200 OK").count(), 2, "{:#?}", pair.log);
}

#[test]
fn keys_come_by_info_too() {
    let (mut pair, caller, called) = Pair::established();
    in_dialog(
        &mut pair,
        caller,
        Method::Info,
        Some(("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")),
    );
    pair.run_for(50);
    in_dialog(&mut pair, caller, Method::Info, Some(("application/dtmf", "#")));
    pair.run_for(50);
    let keys: Vec<_> = ['5', '#'].map(|key| SipEvent::KeyPressed { call: called, key }).into();
    assert_eq!(pair.peers[1].events, keys);
}

#[test]
fn keys_are_sent_by_info_in_both_bodies_once_the_call_is_up() {
    let mut pair = Pair::new();
    let caller = pair.dial();
    pair.do_at(0, |ua, now| ua.send_key(caller, '1', KeyBody::Relay, now));
    pair.run_for(50);
    assert!(!pair.log.iter().any(|line| line.contains("INFO")), "{:#?}", pair.log);
    let (mut pair, caller, called) = Pair::established();
    for (key, body) in [('5', KeyBody::Relay), ('#', KeyBody::Plain), ('D', KeyBody::Relay)] {
        pair.do_at(0, |ua, now| ua.send_key(caller, key, body, now));
        pair.run_for(50);
        assert_eq!(pair.peers[1].events.pop(), Some(SipEvent::KeyPressed { call: called, key }));
    }
}

/// The first lines of a user agent's responses to a text.
fn said(text: &str) -> Vec<String> {
    let mut peer = peer(5070);
    let flow = Flow {
        transport: Transport::Udp,
        local: peer.address,
        remote: ([127, 0, 0, 1], 5060).into(),
        is_foreign: false,
    };
    let text = text.replace('\n', "\r\n");
    peer.ua.receive_datagram(Bytes::from(text), flow, Duration::ZERO);
    let mut lines = Vec::new();
    while let Some(output) = peer.ua.poll_output() {
        if let Output::Send { bytes, .. } = output {
            lines.push(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
        }
    }
    lines
}

fn request(method: &str, uri: &str, extra: &str, body: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\nMax-Forwards: 70\nFrom: <sip:a@127.0.0.1>;tag=1\nTo: <sip:b@127.0.0.1>\nCall-ID: c1\nCSeq: 1 {method}\nContact: <sip:a@127.0.0.1:5060>\n{extra}Content-Length: {}\n\n{body}",
        body.len() + body.matches('\n').count()
    )
}

#[track_caller]
fn assert_status(text: &str, status: &str, holds: &str) {
    let said = said(text);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].starts_with(&format!("SIP/2.0 {status}")), "{}", said[0]);
    assert!(said[0].contains(holds), "{} lacks {holds}", said[0]);
}

#[test]
fn what_cannot_be_done_is_refused_as_the_rfc_says() {
    let uri = "sip:b@127.0.0.1";
    assert_status(&request("OPTIONS", uri, "", ""), "200", "Allow: INVITE, ACK, CANCEL, BYE");
    assert_status(&request("PUBLISH", uri, "", ""), "405", "Allow: INVITE");
    assert_status(&request("FROBNICATE", uri, "", ""), "501", "");
    assert_status(&request("BYE", uri, "", ""), "481", "");
    assert_status(&request("CANCEL", uri, "", ""), "481", "");
    assert_status(&request("INVITE", "http://127.0.0.1", "", ""), "416", "");
    assert_status(
        &request("INVITE", uri, "Require: precondition, foo\n", ""),
        "420",
        "Unsupported: precondition, foo",
    );
    assert_status(
        &request("INVITE", uri, "Content-Type: text/plain\n", "hello"),
        "415",
        "Accept: application/sdp",
    );
    assert_status(
        &request("INVITE", uri, "", "").replace("Contact: <sip:a@127.0.0.1:5060>\n", ""),
        "400",
        "Contact",
    );
    // What a response has to repeat and is absent is left out.
    assert_status(&request("INVITE", uri, "", "").replace("Call-ID: c1\n", ""), "400", "CSeq: 1 INVITE");
    assert_status(&request("INVITE", uri, "", "").replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), "400", "CSeq");
    assert_status(
        &request("INVITE", uri, "", "")
            .replace("INVITE sip:b@127.0.0.1 SIP/2.0", "INVITE sip:b@127.0.0.1 SIP/7.0"),
        "505",
        "",
    );
    let in_dialog =
        request("INVITE", uri, "", "").replace("To: <sip:b@127.0.0.1>", "To: <sip:b@127.0.0.1>;tag=none");
    assert_status(&in_dialog, "481", "");
}

#[test]
fn answers_say_where_the_request_came_from() {
    let behind_nat =
        request("OPTIONS", "sip:b@127.0.0.1", "", "").replace("UDP 127.0.0.1:5060", "UDP 10.1.2.3:5062");
    let answer = &said(&behind_nat)[0];
    assert!(
        answer.contains("Via: SIP/2.0/UDP 10.1.2.3:5062;branch=z9hG4bK1;rport=5060;received=127.0.0.1"),
        "{answer}"
    );
}

#[test]
fn strangers_and_garbage_get_silence() {
    let mut peer = peer(5070);
    let stranger = Flow {
        transport: Transport::Udp,
        local: peer.address,
        remote: ([192, 0, 2, 1], 5060).into(),
        is_foreign: false,
    };
    let options = request("OPTIONS", "sip:b@127.0.0.1", "", "").replace('\n', "\r\n");
    peer.ua.receive_datagram(Bytes::from(options), stranger, Duration::ZERO);
    assert!(peer.ua.poll_output().is_none() && peer.ua.is_idle());
    for garbage in ["", "\r\n\r\n", "hello", "INVITE\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", "\0\0\0\0"] {
        assert!(said(garbage).is_empty(), "{garbage:?}");
    }
}

#[test]
fn the_same_invite_on_two_ways_is_a_loop() {
    let mut peer = peer(5070);
    let flow = Flow {
        transport: Transport::Udp,
        local: peer.address,
        remote: ([127, 0, 0, 1], 5060).into(),
        is_foreign: false,
    };
    let first = request("INVITE", "sip:b@127.0.0.1", "", "").replace('\n', "\r\n");
    let second = first.replace("z9hG4bK1", "z9hG4bK2");
    peer.ua.receive_datagram(Bytes::from(first), flow, Duration::ZERO);
    while peer.ua.poll_output().is_some() {}
    peer.ua.receive_datagram(Bytes::from(second), flow, Duration::ZERO);
    let Some(Output::Send { bytes, .. }) = peer.ua.poll_output() else { panic!("no answer") };
    assert!(bytes.starts_with(b"SIP/2.0 482"));
}

#[test]
fn ten_thousand_calls_leave_nothing_behind() {
    let mut peer = peer(5070);
    let flow = Flow {
        transport: Transport::Tcp,
        local: peer.address,
        remote: ([127, 0, 0, 1], 5060).into(),
        is_foreign: false,
    };
    let mut now = Duration::ZERO;
    for index in 0..10_000 {
        now += Duration::from_millis(1);
        let invite = request("INVITE", "sip:b@127.0.0.1", "", "")
            .replace("Call-ID: c1", &format!("Call-ID: c{index}"))
            .replace("z9hG4bK1", &format!("z9hG4bK{index}"))
            .replace("UDP", "TCP")
            .replace('\n', "\r\n");
        peer.ua.receive_datagram(Bytes::from(invite), flow, now);
        let mut call = None;
        while let Some(output) = peer.ua.poll_output() {
            if let Output::Event(SipEvent::Incoming(incoming)) = output {
                call = Some(incoming.call);
            }
        }
        peer.ua.reject(call.unwrap(), 486, None, &[], now);
        while peer.ua.poll_output().is_some() {}
        peer.ua.handle_timeout(now);
    }
    peer.ua.handle_timeout(now + Duration::from_secs(64));
    assert!(peer.ua.is_idle(), "{:?}", peer.ua);
    assert!(peer.ua.has_forgotten_all());
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let mut peer = peer(5070);
        let flow = Flow { transport: Transport::Udp, local: peer.address, remote: ([127, 0, 0, 1], 5060).into(), is_foreign: false };
        peer.ua.receive_datagram(Bytes::from(bytes), flow, Duration::ZERO);
        peer.ua.handle_timeout(Duration::from_secs(100));
    }

    #[test]
    fn no_broken_request_panics(at in 0..600_usize, byte: u8, cut in 0..600_usize, method in 0..6_usize) {
        let method = ["INVITE", "BYE", "CANCEL", "ACK", "INFO", "OPTIONS"][method];
        let mut text = request(method, "sip:b@127.0.0.1", "Record-Route: <sip:p1;lr>, <sip:p2>\n", OFFER).replace('\n', "\r\n").into_bytes();
        let length = text.len();
        text[at % length] = byte;
        text.truncate(length - (cut % length) / 3);
        let mut peer = peer(5070);
        let flow = Flow { transport: Transport::Udp, local: peer.address, remote: ([127, 0, 0, 1], 5060).into(), is_foreign: false };
        peer.ua.receive_datagram(Bytes::from(text), flow, Duration::ZERO);
        peer.ua.handle_timeout(Duration::from_secs(100));
    }
}

fn incoming(pair: &mut Pair) -> Option<IncomingCall> {
    let events = std::mem::take(&mut pair.peers[1].events);
    events.into_iter().find_map(|event| match event {
        SipEvent::Incoming(incoming) => Some(*incoming),
        _ => None,
    })
}
