//! The other end of SIP over UDP, where a test has to see or say every message.

use super::Server;
use std::{
    cell::RefCell,
    net::UdpSocket,
    time::{Duration, Instant},
};

/// Audio goes nowhere.
pub const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";

/// The other end of SIP over UDP.
pub struct Peer {
    socket: UdpSocket,
    server: String,
    pub me: String,
    seen: RefCell<Vec<String>>,
}

impl Peer {
    pub fn new(server: &Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let me = socket.local_addr().unwrap().to_string();
        Self { socket, server: server.sip.clone(), me, seen: RefCell::default() }
    }

    /// The next message that begins like this and was not given back yet. NOTIFY and BYE are answered.
    #[track_caller]
    pub fn wait(&self, beginning: &str) -> String {
        let began = Instant::now();
        let mut buffer = [0; 16_384];
        loop {
            assert!(began.elapsed() < Duration::from_secs(20), "waited in vain for {beginning}");
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("NOTIFY") || text.starts_with("BYE") {
                self.answer(&text, "200 OK", "", "");
            }
            if text.starts_with(beginning) && !self.seen.borrow().contains(&text) {
                self.seen.borrow_mut().push(text.clone());
                return text;
            }
        }
    }

    pub fn answer(&self, request: &str, status: &str, extra: &str, body: &str) {
        let mut head = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap();
            if ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"].contains(&name) {
                head.push_str(line.trim_end());
                if name == "To" && !line.contains(";tag=") && !status.starts_with("100") {
                    head.push_str(";tag=peer");
                }
                head.push_str("\r\n");
            }
        }
        let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let me = &self.me;
        let contact =
            if extra.contains("Contact:") { String::new() } else { format!("Contact: <sip:peer@{me}>\r\n") };
        head.push_str(&format!("{contact}{extra}{content}Content-Length: {}\r\n\r\n{body}", body.len()));
        self.socket.send_to(head.as_bytes(), &self.server).unwrap();
    }

    /// A request within a dialog of `call_id`, or the first of one.
    #[allow(clippy::too_many_arguments)]
    pub fn say(
        &self,
        method: &str,
        user: &str,
        call_id: &str,
        cseq: u32,
        to_tag: &str,
        extra: &str,
        body: &str,
    ) {
        let (me, server) = (&self.me, &self.server);
        let text = format!(
            "{method} sip:{user}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{call_id}{cseq}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:desk@{me}>;tag=desk\r\nTo: <sip:{user}@{server}>{to_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:desk@{me}>\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send_to(text.as_bytes(), &self.server).unwrap();
    }

    /// A request within the call that this INVITE of the other side has begun, and that was answered.
    pub fn say_within(&self, invite: &str, method: &str, cseq: u32, extra: &str, body: &str) {
        let me = &self.me;
        let target = header(invite, "Contact").trim_start_matches('<').split('>').next().unwrap();
        let (from, to, call_id) = (header(invite, "To"), header(invite, "From"), header(invite, "Call-ID"));
        let branch: String = call_id.chars().filter(char::is_ascii_alphanumeric).collect();
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{branch}{cseq}{method}\r\nMax-Forwards: 70\r\n\
             From: {from};tag=peer\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send_to(text.as_bytes(), &self.server).unwrap();
    }

    /// Calls, and is in; the tag of the other side.
    #[track_caller]
    pub fn call(&self, user: &str, call_id: &str, extra: &str) -> String {
        let extra = format!("{extra}Content-Type: application/sdp\r\n");
        self.say("INVITE", user, call_id, 1, "", &extra, SDP);
        let answer = self.wait("SIP/2.0 200");
        let to = header(&answer, "To");
        let tag = format!(";tag={}", to.split_once(";tag=").unwrap().1);
        self.say("ACK", user, call_id, 1, &tag, "", "");
        tag
    }
}

pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find(|line| line.starts_with(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {message}")).split_once(':').unwrap().1.trim()
}
