//! SIPp's calls: what phones and trunks do on the wire, and what they are told.
#![allow(missing_docs)]

mod support;

use serde_json::json;
use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    time::Duration,
};
use support::{Server, signal, sipp, wait_for};

const NO_NOTICE: &str = "[reservations]\nmin_notice_minutes = 0\n";

#[test]
fn calls_come_and_go_over_udp_and_tcp() {
    let mut server = Server::start("");
    sipp(&server, "conf-Tea", &["-sn", "uac", "-m", "60", "-r", "60", "-d", "300", "-p", "0"]);
    sipp(&server, "conf-Tea", &["-sn", "uac", "-m", "30", "-r", "60", "-d", "300", "-t", "t1"]);
    sipp(
        &server,
        "conf-Tea",
        &["-sn", "uac", "-m", "20", "-r", "20", "-d", "300", "-t", "tn", "-max_socket", "50"],
    );
    wait_for("the conference to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
    assert!(server.is_running());
}

#[test]
fn lost_messages_are_sent_again() {
    let server = Server::start("");
    sipp(&server, "conf-Tea", &["-sn", "uac", "-m", "20", "-r", "20", "-d", "200", "-lost", "10"]);
}

#[test]
fn the_offer_may_come_in_the_200() {
    let server = Server::start("");
    sipp(&server, "conf-Tea", &["-sf", "offer_in_ack.xml", "-m", "3"]);
}

#[test]
fn sessions_are_held_resumed_and_moved() {
    let server = Server::start("");
    sipp(&server, "conf-Tea", &["-sf", "hold.xml", "-m", "2"]);
    sipp(&server, "conf-Tea", &["-sf", "removed_audio.xml", "-m", "2"]);
    sipp(&server, "conf-Tea", &["-sf", "bad_reinvite.xml", "-m", "2"]);
}

#[test]
fn codecs_change_and_updates_hold() {
    let server = Server::start("");
    sipp(&server, "conf-Tea", &["-sf", "codec_change.xml", "-m", "2"]);
    sipp(&server, "conf-Tea", &["-sf", "update.xml", "-m", "2"]);
}

#[test]
fn ringing_is_acknowledged_and_cancelling_crosses_the_answer() {
    let server = Server::start("");
    sipp(&server, "conf-Tea", &["-sf", "acknowledged_ringing.xml", "-m", "2"]);
    cancel_after_the_answer(&server, "conf-Tea");
    sipp(&server, "conf-Tea", &["-sf", "cancel_too_late.xml", "-m", "1"]);
    wait_for("the conference to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
}

/// CANCEL that crosses the 200 of its INVITE: the server reads it once it has answered. It gets its own 200 and changes nothing (RFC
/// 3261, 9.2); the call is up until BYE. The caller holds CANCEL back until the 200 is there, so that no race decides which
/// of the two is first. Answers are told apart by CSeq, for the 200 is sent again until its ACK comes.
fn cancel_after_the_answer(server: &Server, user: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (from, uri) = (socket.local_addr().unwrap(), server.uri(user));
    let send = |method: &str, cseq: u32, to_tag: &str, branch: &str, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let request = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:crossing@{from}>;tag=c1\r\nTo: <{uri}>{to_tag}\r\nCall-ID: crossing@{from}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:crossing@{from}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.send_to(request.as_bytes(), &server.sip).unwrap();
    };
    // The final answer to a request.
    let answer = |cseq: &str| loop {
        let mut buffer = [0; 4000];
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no answer to {cseq}: {error}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("SIP/2.0 ")
            && !text.starts_with("SIP/2.0 1")
            && text.contains(&format!("CSeq: {cseq}\r\n"))
        {
            return text;
        }
    };
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n";
    send("INVITE", 1, "", "invite", sdp);
    let answered = answer("1 INVITE");
    assert!(answered.starts_with("SIP/2.0 200 "), "{answered}");
    let tag = answered.lines().find_map(|line| line.strip_prefix("To: ")?.split_once(";tag=")).unwrap().1;
    let tag = format!(";tag={tag}");
    send("CANCEL", 1, "", "invite", "");
    let cancelled = answer("1 CANCEL");
    assert!(cancelled.starts_with("SIP/2.0 200 "), "{cancelled}");
    send("ACK", 1, &tag, "ack", "");
    server.wait_for_participants("Tea", 1);
    send("BYE", 2, &tag, "bye", "");
    let ended = answer("2 BYE");
    assert!(ended.starts_with("SIP/2.0 200 "), "{ended}");
}

#[test]
fn sessions_are_refreshed_and_too_short_ones_refused() {
    let server = Server::start("");
    sipp(&server, "conf-Tea", &["-sf", "session_timer.xml", "-m", "2"]);
}

/// Both take most of a session of 90 seconds, the shortest there is.
#[test]
fn a_session_that_is_not_refreshed_is_over_and_changes_that_cross_come_again() {
    let server = Server::start("[media]\nrtp_timeout_seconds = 300\n");
    std::thread::scope(|scope| {
        for scenario in ["session_expires.xml", "glare.xml"] {
            let server = &server;
            scope.spawn(move || sipp(server, "conf-Tea", &["-sf", scenario, "-m", "1", "-timeout", "85s"]));
        }
    });
    wait_for("the conference to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
}

#[test]
fn a_call_that_is_taken_back_before_it_is_answered_gets_487() {
    let server = Server::start("");
    let sent = server.folder.path().join("sent");
    std::thread::scope(|scope| {
        // Both are there when it looks: else the answer would be faster than any caller.
        signal(server.pid(), "STOP");
        let call = scope.spawn(|| {
            let file = sent.display().to_string();
            sipp(
                &server,
                "conf-Tea",
                &["-sf", "cancel_early.xml", "-m", "1", "-trace_msg", "-message_file", &file],
            );
        });
        let is_sent = || {
            let sent = std::fs::read_to_string(&sent).unwrap_or_default();
            (sent.contains("CANCEL sip:") || call.is_finished()).then_some(())
        };
        wait_for("SIPp to have sent both", is_sent);
        signal(server.pid(), "CONT");
        call.join().unwrap();
    });
    assert_eq!(server.get("/conference_list"), json!([]));
}

#[test]
fn a_call_takes_the_place_of_another() {
    let server = Server::start("");
    let said = server.folder.path().join("said");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let file = said.display().to_string();
            let log = ["-trace_logs", "-log_file", &file, "-cid_str", "first-leg"];
            sipp(&server, "conf-Tea", &[&["-sf", "replaced.xml", "-m", "1"][..], &log].concat());
        });
        let tag = wait_for("the first call's tag", || {
            let said = std::fs::read_to_string(&said).unwrap_or_default();
            let tag = said.split_once("to-tag=")?.1.split_once('.')?.0.to_owned();
            Some(tag)
        });
        server.wait_for_participants("Tea", 1);
        sipp(&server, "conf-Tea", &["-sf", "replaces.xml", "-m", "1", "-key", "tag", &tag]);
        first.join().unwrap();
    });
    wait_for("the conference to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
}

#[test]
fn a_caller_gives_its_password_when_asked() {
    let server = Server::start("[signalling]\ntrusted = []\n");
    server.put_service("board", r#"{"access": {"users": ["alice"]}, "conference": {"name": "Board"}}"#);
    let user = server.curl(&["-X", "PUT", "-d", r#"{"password": "correct-horse"}"#], "/v1/users/alice");
    assert_eq!(user.0, 201);
    sipp(&server, "board", &["-sf", "password.xml", "-m", "2"]);
    sipp(&server, "board", &["-sf", "stale_nonce.xml", "-m", "2"]);
    sipp(&server, "board", &["-sf", "other_realms_first.xml", "-m", "2"]);
}

#[test]
fn abilities_are_told_and_conferences_followed() {
    let server = Server::start("");
    sipp(&server, "conf-Tea", &["-sf", "options.xml", "-m", "2"]);
    sipp(&server, "conf-Tea", &["-sf", "follow.xml", "-m", "2"]);
    sipp(&server, "conf-Tea", &["-sf", "unknown_event.xml", "-m", "1"]);
    // The same names that a call is refused for.
    for impossible in ["conf-not.a.name", "conf-", &format!("conf-{}", "x".repeat(48))] {
        sipp(&server, impossible, &["-sf", "unfollowable.xml", "-m", "1"]);
    }
}

/// The leader leaves, so all get BYE: by way of the proxies that stayed in the path.
#[test]
fn our_requests_go_through_the_proxies_of_the_call() {
    let server = Server::start("");
    for scenario in ["three_proxies.xml", "strict_proxy.xml"] {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| sipp(&server, "conf-Path", &["-sf", scenario, "-m", "1"]));
            server.wait_for_participants("Path", 1);
            server.put_service(
                "boss",
                r#"{"conference": {"name": "Path", "participant": {"destroy_on_exit": true}}}"#,
            );
            sipp(&server, "boss", &["-sn", "uac", "-m", "1", "-d", "200"]);
            call.join().unwrap();
        });
    }
}

/// Messages in pieces, several in one piece, keep-alives and long ones; what makes no sense ends its connection only.
#[test]
fn a_stream_is_cut_into_messages_wherever_its_pieces_end() {
    let server = Server::start("");
    // Another branch for each size: the same one would be a repetition, which is answered where the first one came from.
    let options = |piece: usize, number: usize, more: &str| {
        format!(
            "OPTIONS sip:conf-Tea@{0} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKs{piece}x{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:conf-Tea@{0}>\r\nCall-ID: piece{number}\r\nCSeq: 1 OPTIONS\r\n{more}",
            server.sip
        )
    };
    let long = format!("X-Long: {}\r\n", "x".repeat(2000)).repeat(10);
    let body = "y".repeat(20_000);
    let stream = |piece| {
        [
            options(piece, 1, "Content-Length: 0\r\n\r\n"),
            "\r\n\r\n".to_owned(),
            options(piece, 2, &format!("{long}Content-Length: 0\r\n\r\n")),
            options(
                piece,
                3,
                &format!("Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
            ),
            options(piece, 4, "Content-Length: 0\r\n\r\n"),
        ]
        .concat()
    };
    for piece in [usize::MAX, 1000, 61] {
        let mut connection = TcpStream::connect(&server.sip).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        connection.set_nodelay(true).unwrap();
        for bytes in stream(piece).as_bytes().chunks(piece) {
            connection.write_all(bytes).unwrap();
        }
        let mut said = String::new();
        while (1..=4).any(|number| !said.contains(&format!("Call-ID: piece{number}\r\n"))) {
            let mut buffer = [0; 8000];
            let length = connection.read(&mut buffer).unwrap_or_else(|error| panic!("{error}: {said}"));
            assert!(length > 0, "closed after {said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        let is_ponged = said.starts_with("\r\n") || said.contains("\r\n\r\n\r\n");
        assert!(is_ponged, "a keep-alive is answered: {said}");
    }
    // 70,000 octets are more than a message may have: refused at its head, and the connection closed.
    let mut connection = TcpStream::connect(&server.sip).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection.write_all(options(5, 5, "Content-Length: 70000\r\n\r\n").as_bytes()).unwrap();
    let mut said = String::new();
    connection.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("SIP/2.0 513 Message Too Large") && said.contains("Call-ID: piece5"), "{said}");
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let server = Server::start("");
    sipp(&server, "nobody", &["-sf", "unknown.xml", "-m", "1"]);
    sipp(&server, "conf-not.a.name", &["-sf", "unknown.xml", "-m", "1"]);
    sipp(&server, "conf-Tea", &["-sf", "not_acceptable.xml", "-m", "1"]);
    sipp(&server, "conf-Tea", &["-sf", "srtp_only.xml", "-m", "1"]);
    sipp(&server, "conf-Tea", &["-sf", "bad_sdp.xml", "-m", "1"]);
    sipp(&server, "conf-Tea", &["-sf", "required_extension.xml", "-m", "1"]);
    sipp(&server, "conf-Tea", &["-sf", "stranger_bye.xml", "-m", "1"]);
    assert_eq!(server.get("/conference_list"), json!([]), "nothing stays behind");
}

#[test]
fn early_callers_are_busy_or_diverted() {
    let server = Server::start("");
    let start = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).strftime("%Y-%m-%d-%H-%M");
    for (name, divert) in [("Early", ""), ("Missing", "&divert=NoSuchService"), ("Told", "&divert=later")] {
        server.get(&format!(
            "/conference_reservation_create?conference_name={name}&max_participants=40&start_time={start}&duration=30{divert}"
        ));
    }
    server.put_service("later", r#"{"announcement": {"play": ["tone:440/300", "silence:100"]}}"#);
    sipp(&server, "conf-Early", &["-sf", "busy.xml", "-m", "1"]);
    sipp(&server, "conf-Missing", &["-sf", "busy.xml", "-m", "1"]);
    sipp(&server, "conf-Told", &["-sf", "hung_up_on.xml", "-m", "1"]);
    let log = std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
    assert!(
        log.contains("the inbound service to divert early callers to does not exist"),
        "the log says why"
    );
}

#[test]
fn a_full_conference_is_busy_until_a_caller_leaves() {
    let server = Server::start("[conferences]\nunreserved_max_participants = 2\n");
    let hold_seats = std::thread::scope(|scope| {
        let seats =
            scope.spawn(|| sipp(&server, "conf-Tea", &["-sn", "uac", "-m", "2", "-r", "20", "-d", "3000"]));
        server.wait_for_participants("Tea", 2);
        sipp(&server, "conf-Tea", &["-sf", "busy.xml", "-m", "1"]);
        seats.join()
    });
    hold_seats.unwrap();
    sipp(&server, "conf-Tea", &["-sn", "uac", "-m", "1", "-d", "100"]);
}

#[test]
fn an_ejected_caller_and_those_of_a_leader_are_told_why() {
    let server = Server::start(NO_NOTICE);
    server.reserve_now("Board");
    std::thread::scope(|scope| {
        let calls =
            scope.spawn(|| sipp(&server, "conf-Board", &["-sf", "hung_up_on.xml", "-m", "2", "-r", "20"]));
        let ids = server.wait_for_participants("Board", 2);
        let eject = |id: &str| {
            server.curl(
                &[],
                &format!("/conference_participant_eject?conference_name=Board&participant_id={id}"),
            )
        };
        assert_eq!(eject(&ids[0]).0, 200);
        let (status, body) = eject(&ids[1]);
        assert_eq!(
            (status, &body["error"]["code"]),
            (409, &json!("1201")),
            "alone, so the conference is HOLDING"
        );
        server.put_service(
            "boss",
            r#"{"conference": {"name": "Board", "participant": {"destroy_on_exit": true}}}"#,
        );
        sipp(&server, "boss", &["-sn", "uac", "-m", "1", "-d", "200"]);
        calls.join().unwrap();
    });
    assert_eq!(server.get("/conference_list")[0]["status"], "HOLDING", "a reserved conference stays");
}

#[test]
fn keys_told_by_info_act() {
    let server = Server::start("");
    server.put_service("exit", r#"{"conference": {"name": "Tea", "participant": {"exit_digit": "9"}}}"#);
    sipp(&server, "exit", &["-sf", "info_key.xml", "-m", "2"]);
}

#[test]
fn a_caller_without_audio_that_does_not_know_of_the_call_has_vanished() {
    let server = Server::start("[media]\nrtp_timeout_seconds = 1\n");
    sipp(&server, "conf-Tea", &["-sf", "asked_and_hung_up_on.xml", "-m", "2", "-r", "10"]);
    wait_for("the conference to be gone", || (server.get("/conference_list") == json!([])).then_some(()));
}

#[test]
fn garbage_ends_nothing() {
    let mut server = Server::start("");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let huge = format!("INVITE sip:conf-Tea@127.0.0.1 SIP/2.0\r\nX: {}\r\n\r\n", "x".repeat(60_000));
    let garbage: [&[u8]; 6] =
        [b"\0\x01\x02", b"\r\n\r\n", b"INVITE", huge.as_bytes(), b"SIP/2.0 200 OK\r\n\r\n", &[0x80; 1400]];
    for datagram in garbage {
        udp.send_to(datagram, &server.sip).unwrap();
    }
    for address in [&server.sip, &server.http] {
        for bytes in garbage.into_iter().chain([&b"GET / HTTP/1.1\r\nHost: a\r\nX: "[..]]) {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(bytes);
        }
    }
    // Half a request, held open, keeps nobody else from being served.
    let mut half = TcpStream::connect(&server.http).unwrap();
    half.write_all(b"POST /conference_list HTTP/1.1\r\nHost: a\r\n").unwrap();
    half.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    assert!(half.read(&mut [0; 10]).is_err(), "no answer to half a question");
    assert_eq!(server.curl(&["-H", &format!("X: {}", "y".repeat(60_000))], "/conference_list").0, 431);
    assert_eq!(server.get("/conference_list"), json!([]));
    sipp(&server, "conf-Tea", &["-sn", "uac", "-m", "2", "-d", "100"]);
    assert!(server.is_running());
}
