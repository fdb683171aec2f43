//! Requests that a user agent sends to its own address, as where a trunk leads back: each begins two transactions of one
//! branch.

use super::*;

/// One user agent, to which all that it sends comes back.
struct Alone {
    peer: Peer,
    now: Duration,
    pinged: Vec<Result<(u16, String), String>>,
}

impl Alone {
    fn new() -> Self {
        Self { peer: peer(5060), now: Duration::ZERO, pinged: Vec::new() }
    }

    fn flow(&self) -> Flow {
        Flow {
            transport: Transport::Udp,
            local: self.peer.address,
            remote: self.peer.address,
            is_foreign: false,
        }
    }

    fn act(&mut self, action: impl FnOnce(&mut UserAgent, Duration)) {
        action(&mut self.peer.ua, self.now);
        let flow = self.flow();
        while let Some(output) = self.peer.ua.poll_output() {
            match output {
                Output::Event(event) => self.peer.events.push(event),
                Output::Pinged { outcome, .. } => self.pinged.push(outcome),
                Output::Dialog { .. } => {}
                Output::Locate { lookup, .. } => self.peer.ua.located(lookup, Ok(vec![flow]), self.now),
                Output::Send { bytes, .. } => self.peer.ua.receive_datagram(bytes, flow, self.now),
            }
        }
    }

    fn run_for(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.peer.ua.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.act(UserAgent::handle_timeout);
        }
        self.now = until;
    }

    fn assert_clean(&mut self) {
        self.run_for(100);
        assert!(self.peer.ua.is_idle(), "{:?}", self.peer.ua);
        assert!(self.peer.ua.has_forgotten_all());
    }
}

#[test]
fn options_to_itself_are_answered() {
    let mut alone = Alone::new();
    let address = "sip:127.0.0.1:5060".to_owned();
    let spec = PingSpec { uri: address.clone(), route: Vec::new(), from: address };
    alone.act(|ua, now| ua.ping(PingId(1), spec, now));
    assert_eq!(alone.pinged, [Ok((200, "OK".to_owned()))]);
    alone.assert_clean();
}

#[test]
fn a_call_to_itself_is_answered_and_ended() {
    let mut alone = Alone::new();
    let caller = CallId(1000);
    let spec = DialSpec {
        uri: "sip:conf-Board@127.0.0.1:5060".into(),
        from_user: "alice".into(),
        sdp: OFFER.into(),
        ..DialSpec::default()
    };
    alone.act(|ua, now| ua.dial(caller, spec, now));
    let SipEvent::Incoming(incoming) = &alone.peer.events[0] else { panic!("{:?}", alone.peer.events) };
    let called = incoming.call;
    // Longer than any timer of the INVITE's first transmission.
    alone.run_for(5);
    alone.act(|ua, now| ua.answer(called, OFFER.into(), false, now));
    let answered = |event: &SipEvent| matches!(event, SipEvent::Answered { call, .. } if *call == caller);
    let confirmed = |event: &SipEvent| matches!(event, SipEvent::Confirmed { call, .. } if *call == called);
    assert!(alone.peer.events.iter().any(answered), "{:?}", alone.peer.events);
    assert!(alone.peer.events.iter().any(confirmed), "{:?}", alone.peer.events);
    alone.run_for(60);
    alone.peer.events.clear();
    alone.act(|ua, now| ua.hang_up(caller, vec![], now));
    let ended =
        |who: CallId| move |event: &SipEvent| matches!(event, SipEvent::Ended { call, .. } if *call == who);
    assert!(alone.peer.events.iter().any(ended(caller)), "{:?}", alone.peer.events);
    assert!(alone.peer.events.iter().any(ended(called)), "{:?}", alone.peer.events);
    alone.assert_clean();
}
