//! A desk phone that follows a conference, one that takes over the call of another, and one that is muted (raw SIP over UDP).
#![allow(missing_docs)]

mod support;

use std::{net::UdpSocket, time::Duration};
use support::{Phone, Server, wait_for};

struct DeskPhone {
    socket: UdpSocket,
    server: String,
    me: String,
}

impl DeskPhone {
    fn new(server: &Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let me = socket.local_addr().unwrap().to_string();
        Self { socket, server: server.sip.clone(), me }
    }

    fn say(&self, method: &str, call_id: &str, cseq: u32, to_tag: &str, extra: &str, body: &str) {
        let me = &self.me;
        let text = format!(
            "{method} sip:conf-Tea@{} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{call_id}{cseq}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:desk@{me}>;tag=desk\r\nTo: <sip:conf-Tea@127.0.0.1>{to_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:desk@{me}>\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        self.socket.send_to(text.as_bytes(), &self.server).unwrap();
    }

    /// The next message that begins like this; requests are answered with 200.
    fn wait(&self, beginning: &str) -> String {
        self.wait_and_answer(beginning, "200 OK")
    }

    /// The same; that message is answered with `status`.
    fn wait_and_answer(&self, beginning: &str, status: &str) -> String {
        let mut buffer = [0; 16_384];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).expect(beginning);
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !text.starts_with("SIP/2.0") {
                let copied: Vec<&str> = text
                    .lines()
                    .filter(|line| {
                        ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                            .iter()
                            .any(|name| line.starts_with(name))
                    })
                    .collect();
                let status = if text.starts_with(beginning) { status } else { "200 OK" };
                let answer =
                    format!("SIP/2.0 {status}\r\n{}\r\nContent-Length: 0\r\n\r\n", copied.join("\r\n"));
                self.socket.send_to(answer.as_bytes(), from).unwrap();
            }
            if text.starts_with(beginning) {
                return text;
            }
        }
    }
}

fn tag(message: &str) -> String {
    let to = message.lines().find(|line| line.starts_with("To:")).unwrap();
    format!(";tag={}", to.split_once(";tag=").unwrap().1)
}

#[test]
fn a_desk_phone_sees_who_is_in_and_who_talks() {
    let server = Server::start("");
    let mut first = Phone::call(&server.uri("conf-Tea"), 500, "PCMU");
    server.wait_for_participants("Tea", 1);
    let phone = DeskPhone::new(&server);
    phone.say("SUBSCRIBE", "follow", 1, "", "Event: conference\r\nExpires: 300\r\n", "");
    let answer = phone.wait("SIP/2.0 200");
    assert!(answer.contains(";isfocus"));
    let to = tag(&answer);
    let document = phone.wait("NOTIFY");
    assert!(
        document.contains("<user-count>1</user-count>")
            && document.contains("@anonymous.invalid\" state=\"full\"><display-text>tone500<"),
        "{document}"
    );
    let _second = Phone::call(&server.uri("conf-Tea"), 1100, "PCMU");
    let document = wait_for("both", || {
        let document = phone.wait("NOTIFY");
        document.contains("<user-count>2<").then_some(document)
    });
    assert!(document.contains("state=\"partial\" version="), "only what has changed: {document}");
    // A refresh is answered by the whole.
    let mut asked = 1;
    wait_for("both, talking", || {
        asked += 1;
        phone.say("SUBSCRIBE", "follow", asked, &to, "Event: conference\r\nExpires: 300\r\n", "");
        let document = wait_for("everything", || {
            let document = phone.wait("NOTIFY");
            document.contains("<users state=\"full\">").then_some(document)
        });
        (document.contains("<active>true</active>") && document.matches(">true</p:talking>").count() == 2)
            .then_some(())
    });
    first.hang_up();
    wait_for("one is left", || phone.wait("NOTIFY").contains("<user-count>1<").then_some(()));
    // What is not there is not followed.
    phone.say("SUBSCRIBE", "nothing", 1, "", "Event: conference\r\n", "");
    phone.say("SUBSCRIBE", "other", 1, "", "Event: dialog\r\n", "");
    phone.wait("SIP/2.0 489");
}

#[test]
fn a_leader_changes_telephones_and_nobody_else_notices() {
    let server = Server::start("");
    server.put_service(
        "conf-Tea",
        r#"{"conference": {"name": "Tea", "participant": {"destroy_on_exit": true}}}"#,
    );
    server.put_service("member", r#"{"conference": {"name": "Tea"}}"#);
    let phone = DeskPhone::new(&server);
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let body = "Content-Type: application/sdp\r\n";
    phone.say("INVITE", "one", 1, "", body, sdp);
    let answer = phone.wait("SIP/2.0 200");
    let first = tag(&answer);
    phone.say("ACK", "one", 1, &first, "", "");
    server.wait_for_participants("Tea", 1);
    let member = Phone::call(&server.uri("member"), 500, "PCMU");
    let before = server.wait_for_participants("Tea", 2);
    let replaces = format!("{body}Replaces: one;to-{};from-tag=desk\r\n", &first[1..]);
    phone.say("INVITE", "two", 1, "", &replaces, sdp);
    let second = tag(&phone.wait("SIP/2.0 200"));
    phone.say("ACK", "two", 1, &second, "", "");
    let bye = phone.wait("BYE");
    assert!(bye.contains("Call-ID: one") && bye.contains("taken the place"), "{bye}");
    let after = server.wait_for_participants("Tea", 2);
    assert_eq!(before[1], after[0], "the member stays");
    assert_ne!(before[0], after[1]);
    assert!(!member.log().contains("session closed"));
}

#[test]
fn who_keyed_room_and_pin_in_keeps_the_only_seat_on_another_telephone_and_stays_muted() {
    let server = Server::start("[conferences]\nunreserved_max_participants = 1\n");
    let room = r#"{"conference": "Board", "pin": "4711"}"#;
    assert_eq!(server.curl(&["-X", "PUT", "-d", room], "/v1/rooms/1001").0, 201);
    server.put_service("conf-Tea", r#"{"entry": {}}"#);
    let phone = DeskPhone::new(&server);
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let body = "Content-Type: application/sdp\r\n";
    phone.say("INVITE", "one", 1, "", body, sdp);
    let first = tag(&phone.wait("SIP/2.0 200"));
    phone.say("ACK", "one", 1, &first, "", "");
    for (cseq, key) in (2..).zip(["4", "7", "1", "1", "#"]) {
        let keys = format!("Signal={key}\r\nDuration=160\r\n");
        phone.say("INFO", "one", cseq, &first, "Content-Type: application/dtmf-relay\r\n", &keys);
        phone.wait("SIP/2.0 200");
    }
    let before = server.wait_for_participants("Board", 1);
    let shown = || server.get("/v1/conferences/Board/participants")["items"][0].take();
    let path = format!("/v1/conferences/Board/participants/{}", shown()["participant_id"].as_str().unwrap());
    assert_eq!(server.curl(&["-X", "PATCH", "-d", r#"{"muted": true}"#], &path).0, 200);
    let replaces = format!("{body}Replaces: one;to-{};from-tag=desk\r\n", &first[1..]);
    phone.say("INVITE", "two", 1, "", &replaces, sdp);
    let second = tag(&phone.wait("SIP/2.0 200"));
    phone.say("ACK", "two", 1, &second, "", "");
    assert!(phone.wait("BYE").contains("Call-ID: one"));
    let after = server.wait_for_participants("Board", 1);
    assert_ne!(before, after);
    assert_eq!(shown()["muted_by"], "leader", "{}", shown());
}

/// A desk phone in a conference, and where its audio goes to.
fn in_conference(server: &Server, rtp: &UdpSocket) -> (DeskPhone, String, std::net::SocketAddr) {
    let phone = DeskPhone::new(server);
    let port = rtp.local_addr().unwrap().port();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    );
    phone.say("INVITE", "muted", 1, "", "Content-Type: application/sdp\r\n", &sdp);
    let answer = phone.wait("SIP/2.0 200");
    let port = answer.split_once("m=audio ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    let tag = tag(&answer);
    phone.say("ACK", "muted", 1, &tag, "", "");
    server.wait_for_participants("Tea", 1);
    (phone, tag, ([127, 0, 0, 1], port).into())
}

fn silence(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend([0, 0, 0, 9]);
    packet.extend([0xff; 160]);
    packet
}

#[test]
fn a_telephone_that_sends_nothing_while_it_is_muted_stays_while_it_answers() {
    let server = Server::start("[media]\nrtp_timeout_seconds = 1\n");
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (phone, _, to) = in_conference(&server, &rtp);
    for sequence in 0..5 {
        rtp.send_to(&silence(sequence), to).unwrap();
    }
    for _ in 0..3 {
        assert!(phone.wait("OPTIONS ").contains("Call-ID: muted"));
    }
    assert_eq!(server.participants("Tea").len(), 1);
    phone.wait_and_answer("OPTIONS ", "481 Call/Transaction Does Not Exist");
    assert!(phone.wait("BYE ").contains("Call-ID: muted"));
    server.wait_for_participants("Tea", 0);
}

#[test]
fn a_telephone_that_is_muted_from_the_beginning_stays_while_it_answers() {
    let server = Server::start("[media]\nrtp_timeout_seconds = 1\n");
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (phone, _, to) = in_conference(&server, &rtp);
    for _ in 0..3 {
        assert!(phone.wait("OPTIONS ").contains("Call-ID: muted"));
    }
    let one_way = || {
        let participants = server.get("/v1/conferences/Tea/participants")["items"].take();
        participants[0]["statistics"]["one_way"].clone()
    };
    wait_for("one way to be noticed", || (one_way() == "none_received").then_some(()));
    // It is unmuted, and is heard.
    let mut sequence = 0;
    wait_for("audio to go both ways", || {
        rtp.send_to(&silence(sequence), to).unwrap();
        sequence += 1;
        one_way().is_null().then_some(())
    });
    phone.wait_and_answer("OPTIONS ", "481 Call/Transaction Does Not Exist");
    assert!(phone.wait("BYE ").contains("Call-ID: muted"));
    server.wait_for_participants("Tea", 0);
}

#[test]
fn a_telephone_from_which_nothing_ever_came_is_removed_though_it_answers() {
    let server = Server::start("[media]\nrtp_timeout_seconds = 1\nrtp_never_seconds = 3\n");
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (phone, ..) = in_conference(&server, &rtp);
    for _ in 0..2 {
        assert!(phone.wait("OPTIONS ").contains("Call-ID: muted"));
    }
    let bye = phone.wait("BYE ");
    assert!(bye.contains("Call-ID: muted") && bye.contains("No audio was ever received"), "{bye}");
    server.wait_for_participants("Tea", 0);
}

#[test]
fn keys_by_info_are_counted() {
    let server = Server::start("");
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (phone, tag, _) = in_conference(&server, &rtp);
    for (key, cseq) in [("1", 2), ("#", 3)] {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        phone.say("INFO", "muted", cseq, &tag, "Content-Type: application/dtmf-relay\r\n", &body);
        phone.wait("SIP/2.0 200");
    }
    wait_for("both keys to be counted", || {
        let participants = server.get("/v1/conferences/Tea/participants")["items"].take();
        (participants[0]["statistics"]["keys"] == 2).then_some(())
    });
}
