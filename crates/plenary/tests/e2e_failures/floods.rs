//! Packets and requests by the thousand.

use super::{STRANGERS, memory_kib};
use crate::support::{Server, talk::Talk};
use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// A telephone made of two sockets, that does with its call what no telephone does.
struct RawCaller {
    audio: UdpSocket,
    /// Where the server takes its audio.
    media: SocketAddr,
    _signalling: UdpSocket,
}

impl RawCaller {
    fn call(server: &Server, conference: &str) -> Self {
        let signalling = UdpSocket::bind("127.0.0.1:0").unwrap();
        signalling.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let audio = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (port, uri) =
            (signalling.local_addr().unwrap().port(), server.uri(&format!("conf-{conference}")));
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            audio.local_addr().unwrap().port()
        );
        let request = |method: &str, uri: &str, to: &str, body: &str| {
            format!(
                "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}{port};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:raw@127.0.0.1>;tag=raw\r\nTo: {to}\r\nCall-ID: raw-{port}\r\nCSeq: 1 {method}\r\n\
                 Contact: <sip:raw@127.0.0.1:{port}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let invite = request("INVITE", &uri, &format!("<{uri}>"), &sdp);
        signalling.send_to(invite.as_bytes(), &server.sip).unwrap();
        let mut buffer = [0; 4096];
        let answer = loop {
            let length = signalling.recv(&mut buffer).unwrap();
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !answer.starts_with("SIP/2.0 1") {
                break answer;
            }
        };
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        let line = |start: &str| answer.lines().find_map(|line| line.strip_prefix(start)).unwrap().to_owned();
        let target = line("Contact: ").split_once('<').unwrap().1.split('>').next().unwrap().to_owned();
        signalling.send_to(request("ACK", &target, &line("To: "), "").as_bytes(), &server.sip).unwrap();
        let port: u16 = line("m=audio ").split(' ').next().unwrap().parse().unwrap();
        Self { audio, media: SocketAddr::from(([127, 0, 0, 1], port)), _signalling: signalling }
    }
}

fn rtp_packet(number: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x55; 160]);
    packet
}

/// Sends up to so many packets a second for so long. What the machine cannot do is left out.
fn flood(
    socket: &UdpSocket,
    to: &str,
    per_second: u32,
    lasting: Duration,
    packet: impl Fn(u32) -> Vec<u8>,
) -> u32 {
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < lasting {
        let due = (began.elapsed().as_secs_f64() * f64::from(per_second)) as u32;
        for number in sent..due.min(sent + per_second / 50) {
            let _ = socket.send_to(&packet(number), to);
        }
        sent = due;
        std::thread::sleep(Duration::from_millis(5));
    }
    sent
}

#[test]
fn floods_of_audio_are_heard_by_nobody_else() {
    let server = Server::start(STRANGERS);
    let talk = Talk::begin(&server, "Tea");
    let caller = RawCaller::call(&server, "Flooded");
    server.wait_for_participants("Flooded", 1);
    let before = memory_kib(&server);
    let media = caller.media.to_string();
    // From a stranger, and from the caller itself.
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    for socket in [&stranger, &caller.audio] {
        talk.assert_stays_perfect(|| {
            flood(socket, &media, 10_000, Duration::from_secs(3), |number| rtp_packet(number as u16, 7))
        });
    }
    // Each packet from another source, as far as it says.
    talk.assert_stays_perfect(|| {
        flood(&caller.audio, &media, 10_000, Duration::from_secs(2), |number| rtp_packet(1, number))
    });
    let grown = memory_kib(&server).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more");
    talk.assert_is_heard();
    talk.hang_up();
}

pub(super) fn invite(uri: &str, from: &str, number: u32) -> String {
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n";
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKf{number};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:f@{from}>;tag=f{number}\r\nTo: <{uri}>\r\nCall-ID: flood-{number}@{from}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:f@{from}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

#[test]
fn floods_of_signalling_from_a_stranger_are_heard_by_nobody() {
    let server = Server::start(STRANGERS);
    let talk = Talk::begin(&server, "Tea");
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    let (from, uri) = (stranger.local_addr().unwrap().to_string(), server.uri("conf-Tea"));
    let before = memory_kib(&server);
    let three = Duration::from_secs(3);
    // What is nothing at all, then half a request, then requests.
    talk.assert_stays_perfect(|| {
        flood(&stranger, &server.sip, 10_000, three, |number| vec![number as u8; 600])
    });
    talk.assert_stays_perfect(|| {
        flood(&stranger, &server.sip, 10_000, three, |number| {
            invite(&uri, &from, number).as_bytes()[..150 + number as usize % 200].to_vec()
        })
    });
    talk.assert_stays_perfect(|| {
        flood(&stranger, &server.sip, 10_000, three, |number| invite(&uri, &from, number).into_bytes())
    });
    let grown = memory_kib(&server).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
    // Others are served meanwhile and after.
    drop(talk.call(&server, "Lunch", 700.0));
    assert_eq!(server.participants("Tea").len(), 2);
    talk.hang_up();
}

#[test]
fn more_calls_than_can_be_served_are_refused_and_those_in_conference_hear_nothing_of_it() {
    // From a source that has no limits: a trunk in trouble.
    let server = Server::start("");
    let talk = Talk::begin(&server, "Tea");
    let trunk = UdpSocket::bind("127.0.0.1:0").unwrap();
    trunk.set_nonblocking(true).unwrap();
    let (from, uri) = (trunk.local_addr().unwrap().to_string(), server.uri("conf-Flooded"));
    let three = Duration::from_secs(3);
    talk.assert_stays_perfect(|| {
        flood(&trunk, &server.sip, 3000, three, |number| invite(&uri, &from, number).into_bytes())
    });
    talk.assert_is_heard();
    talk.hang_up();
}
