//! Datagrams to a user agent that answers calls, and time that passes between them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plenary_sip::{
    CallId, GuardConfig, IceServers, SipEvent, Transport,
    ua::{Flow, Output, UaConfig, UserAgent},
};
use std::time::Duration;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fuzz_target!(|data: &[u8]| {
    let mut calls = 0;
    let config = UaConfig {
        product: "fuzz".into(),
        advertise: None,
        allow_from: vec!["0.0.0.0/0".parse().unwrap()],
        websockets_from: Vec::new(),
        ice_servers: IceServers::default(),
        guard: GuardConfig { exempt: vec!["0.0.0.0/0".parse().unwrap()], ..GuardConfig::default() },
    };
    let mut seed = 1_u8;
    let mut ua = UserAgent::new(
        config,
        // The same for each input, so that a second message may meet the tag of the first.
        Box::new(move |bytes| bytes.fill({ seed = seed.wrapping_add(1); seed })),
        Box::new(move || { calls += 1; CallId(calls) }),
    );
    let flow = Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "127.0.0.1:5070".parse().unwrap(),
        is_foreign: false,
    };
    let mut now = Duration::ZERO;
    // Several messages in one input, between octets that no message has.
    for message in data.split(|byte| *byte == 0) {
        // What is kept of it has the same length.
        assert_eq!(plenary_trace::redact(message).len(), message.len());
        ua.receive_datagram(bytes::Bytes::copy_from_slice(message), flow, now);
        while let Some(output) = ua.poll_output() {
            let Output::Event(event) = output else { continue };
            match event {
                SipEvent::Incoming(incoming) => {
                    ua.ring(incoming.call, None, now);
                    ua.answer(incoming.call, SDP.into(), true, now);
                }
                SipEvent::Reoffer { call, .. } => ua.accept_offer(call, SDP.into(), now),
                SipEvent::Confirmed { dialog, .. } => drop(ua.hang_up_saved(CallId(1 << 40), &dialog, &[], now)),
                SipEvent::Registering(registration) => ua.answer_registration(registration.request, &[], now),
                SipEvent::Subscribing(subscribing) => {
                    ua.accept_subscription(subscribing.request, subscribing.call, "<a/>".into(), now);
                }
                _ => {}
            }
        }
        now += Duration::from_millis(700);
        ua.handle_timeout(now);
    }
    // In the end nothing is left over that nobody would ever look at again.
    for _ in 0..400 {
        now += Duration::from_secs(60);
        ua.handle_timeout(now);
        while ua.poll_output().is_some() {}
    }
});
