//! The messages of RFC 4475 and RFC 5118, each sent to a user agent of its own that answers as required: the response
//! to each, with the section of the RFC that requires it.
#![allow(missing_docs)]

use bytes::Bytes;
use plenary_sip::{
    CallId, Flow, GuardConfig, SipEvent, Transport,
    ua::{Output, UaConfig, UserAgent},
};
use std::{path::Path, time::Duration};

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// The statuses of the responses, in order; `-`: none.
fn said(file: &Path) -> String {
    let mut calls = 0;
    let mut ua = UserAgent::new(
        UaConfig {
            product: "test".into(),
            advertise: None,
            allow_from: vec!["0.0.0.0/0".parse().unwrap()],
            websockets_from: Vec::new(),
            guard: GuardConfig::default(),
            ice_servers: plenary_sip::IceServers::default(),
        },
        Box::new(|bytes| bytes.fill(7)),
        Box::new(move || {
            calls += 1;
            CallId(calls)
        }),
    );
    let flow = Flow {
        transport: Transport::Udp,
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "192.0.2.9:5060".parse().unwrap(),
        is_foreign: false,
    };
    let mut bytes = std::fs::read(file).unwrap();
    // The archive of RFC 5118 has bare line feeds.
    if !bytes.windows(2).any(|pair| pair == b"\r\n") {
        let text = String::from_utf8(bytes).unwrap();
        // … and lacks the last of them.
        bytes = format!("{text}\n").replace('\n', "\r\n").into_bytes();
    }
    ua.receive_datagram(Bytes::from(bytes), flow, Duration::ZERO);
    let mut statuses = Vec::new();
    while let Some(output) = ua.poll_output() {
        match output {
            Output::Send { bytes, .. } => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                statuses.push(text.split(' ').nth(1).unwrap_or_default().to_owned());
            }
            Output::Event(SipEvent::Incoming(incoming)) => {
                ua.answer(incoming.call, SDP.into(), true, Duration::ZERO)
            }
            Output::Event(SipEvent::Registering(registration)) => {
                ua.answer_registration(registration.request, &[], Duration::ZERO);
            }
            Output::Event(_) | Output::Locate { .. } | Output::Dialog { .. } | Output::Pinged { .. } => {}
        }
    }
    if statuses.is_empty() { "-".to_owned() } else { statuses.join(" ") }
}

#[track_caller]
fn check(folder: &str, expected: &[(&str, &str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let name = file.strip_suffix(".dat").unwrap();
            let said = said(&folder.join(file));
            let entry = expected.iter().find(|(known, ..)| *known == name);
            let is_right = entry.is_some_and(|(_, status, _)| *status == said);
            (!is_right).then(|| format!("(\"{name}\", \"{said}\", \"\"), // {entry:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(files.len(), expected.len());
}

#[test]
fn torture_by_rfc_4475() {
    check(
        "rfc4475",
        // `test` is not a message. Responses to nothing that was sent (bcast, bigcode, noreason, scalarlg, unreason)
        // get none. wsinv names a dialog that does not exist. inv2543 has no Contact.
        &[
            ("badaspec", "400", "3.1.2.16"),
            ("badbranch", "200", "3.2.1"),
            ("baddate", "100 200", "3.1.2.12"),
            ("baddn", "400", "3.1.2.15"),
            ("badinv01", "400", "3.1.2.1"),
            ("badvers", "505", "3.1.2.16"),
            ("bcast", "-", "3.3.10"),
            ("bext01", "420", "3.3.6"),
            ("bigcode", "-", "3.1.2.19"),
            ("clerr", "400", "3.1.2.2"),
            ("cparam01", "200", "3.3.12"),
            ("cparam02", "200", "3.3.13"),
            ("dblreq", "200", "3.1.1.8"),
            ("esc01", "100 200", "3.1.1.3"),
            ("esc02", "501", "3.1.1.5"),
            ("escnull", "200", "3.1.1.4"),
            ("escruri", "400", "3.1.2.11"),
            ("insuf", "400", "3.3.1"),
            ("intmeth", "501", "3.1.1.2"),
            ("inv2543", "400", "3.4.1"),
            ("invut", "415", "3.3.7"),
            ("longreq", "100 200", "3.1.1.7"),
            ("ltgtruri", "400", "3.1.2.7"),
            ("lwsdisp", "200", "3.1.1.6"),
            ("lwsruri", "400", "3.1.2.8"),
            ("lwsstart", "400", "3.1.2.9"),
            ("mcl01", "400", "3.3.9"),
            ("mismatch01", "400", "3.1.2.17"),
            ("mismatch02", "400", "3.1.2.18"),
            ("mpart01", "405", "3.1.1.11"),
            ("multi01", "400", "3.3.8"),
            ("ncl", "400", "3.1.2.3"),
            ("noreason", "-", "3.1.1.13"),
            ("novelsc", "416", "3.3.3"),
            ("quotbal", "400", "3.1.2.6"),
            ("regaut01", "200", "3.3.7"),
            ("regbadct", "400", "3.1.2.14"),
            ("regescrt", "200", "3.3.14"),
            ("scalar02", "400", "3.1.2.4"),
            ("scalarlg", "-", "3.1.2.5"),
            ("sdp01", "100 200", "3.3.15"),
            ("semiuri", "200", "3.1.1.9"),
            ("test", "-", "-"),
            ("transports", "200", "3.1.1.10"),
            ("trws", "400", "3.1.2.10"),
            ("unkscm", "416", "3.3.2"),
            ("unksm2", "200", "3.3.4"),
            ("unreason", "-", "3.1.1.12"),
            ("wsinv", "481", "3.1.1.1"),
            ("zeromf", "200", "3.3.11"),
        ],
    );
}

#[test]
fn torture_by_rfc_5118() {
    check(
        "rfc5118",
        // Two name a dialog that does not exist. The length in ipv6-in-sdp exceeds the body.
        &[
            ("ipv4-mapped-ipv6", "100 200", "4.10"),
            ("ipv6-bad", "400", "4.2"),
            ("ipv6-bug-abnf-3-colons", "200", "4.9"),
            ("ipv6-correct-abnf-2-colons", "200", "4.9"),
            ("ipv6-good", "200", "4.1"),
            ("ipv6-in-sdp", "400", "4.7"),
            ("mult-ip-in-header", "481", "4.6"),
            ("mult-ip-in-sdp", "100 200", "4.8"),
            ("port-ambiguous", "200", "4.3"),
            ("port-unambiguous", "200", "4.4"),
            ("via-received-param-no-delim", "200", "4.5"),
            ("via-received-param-with-delim", "481", "4.5"),
        ],
    );
}
