//! A user agent that calls out, and the rest of the world, whose messages the test writes.

use super::*;

pub(super) struct Line {
    pub(super) ua: UserAgent,
    pub(super) now: Duration,
    /// What was sent since the last call, and where to.
    pub(super) sent: Vec<(Flow, String)>,
    pub(super) events: Vec<SipEvent>,
    /// What came of OPTIONS.
    pub(super) pinged: Vec<PingOutcome>,
    /// The contents of DNS: the servers of each name.
    pub(super) names: BTreeMap<String, Vec<Flow>>,
    /// Names that were asked for.
    pub(super) asked: Vec<String>,
    /// DNS does not respond.
    pub(super) is_dns_silent: bool,
    requests: u32,
}

pub(super) fn flow_to(remote: &str) -> Flow {
    let (transport, remote) = match remote.strip_prefix("tcp:") {
        Some(remote) => (Transport::Tcp, remote),
        None => (Transport::Udp, remote),
    };
    Flow {
        transport,
        local: "127.0.0.1:5070".parse().unwrap(),
        remote: remote.parse().unwrap(),
        is_foreign: false,
    }
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            ua: peer(5070).ua,
            now: Duration::ZERO,
            sent: Vec::new(),
            events: Vec::new(),
            pinged: Vec::new(),
            names: BTreeMap::new(),
            asked: Vec::new(),
            is_dns_silent: false,
            requests: 0,
        }
    }

    pub(super) fn with(name: &str, servers: &[&str]) -> Self {
        let mut line = Self::new();
        line.names.insert(name.to_owned(), servers.iter().map(|server| flow_to(server)).collect());
        line
    }

    fn look(&mut self) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Send { flow, bytes } => {
                    self.sent.push((flow, String::from_utf8_lossy(&bytes).into_owned()));
                }
                Output::Event(event) => self.events.push(event),
                Output::Dialog { .. } => {}
                Output::Pinged { outcome, .. } => self.pinged.push(outcome),
                Output::Locate { lookup, hop } => {
                    self.asked.push(hop.host.clone());
                    if self.is_dns_silent {
                        continue;
                    }
                    let literal = hop.host.parse().ok().map(|ip: IpAddr| {
                        let port = hop.port.unwrap_or(5060);
                        vec![flow_to(&std::net::SocketAddr::new(ip, port).to_string())]
                    });
                    let found = literal.or_else(|| self.names.get(&hop.host).cloned());
                    self.ua.located(lookup, found.ok_or_else(|| "not found".to_owned()), self.now);
                }
            }
        }
    }

    pub(super) fn act(&mut self, act: impl FnOnce(&mut UserAgent, Duration)) -> Vec<(Flow, String)> {
        act(&mut self.ua, self.now);
        self.look();
        std::mem::take(&mut self.sent)
    }

    /// Advances time and returns what was sent meanwhile.
    pub(super) fn wait_ms(&mut self, ms: u64) -> Vec<(Flow, String)> {
        let until = self.now + Duration::from_millis(ms);
        while let Some(next) = self.ua.poll_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.ua.handle_timeout(self.now);
            self.look();
            assert!(self.ua.poll_timeout().is_none_or(|at| at > self.now), "a timer that is due for ever");
        }
        self.now = until;
        self.look();
        std::mem::take(&mut self.sent)
    }

    pub(super) fn wait(&mut self, seconds: u64) -> Vec<(Flow, String)> {
        self.wait_ms(seconds * 1000)
    }

    /// Places a call; returns the INVITE and where it went.
    pub(super) fn dial(&mut self, call: u64, spec: DialSpec) -> (Flow, String) {
        let sent = self.act(|ua, now| ua.dial(CallId(call), spec, now));
        assert_eq!(sent.len(), 1, "{sent:?} {:?}", self.events);
        sent.into_iter().next().unwrap()
    }

    /// A response to one of our requests. `status` may include headers.
    pub(super) fn reply(
        &mut self,
        (flow, request): &(Flow, String),
        tag: &str,
        status: &str,
        body: &str,
    ) -> Vec<(Flow, String)> {
        let mut copied: String = request
            .lines()
            .filter(|line| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let to = header(request, "To");
        let to =
            if to.contains(";tag=") || tag.is_empty() { to.to_owned() } else { format!("{to};tag={tag}") };
        copied.push_str(&format!("To: {to}\r\n"));
        if !status.contains("Contact:") {
            copied.push_str(&format!("Contact: <sip:{tag}@{}>\r\n", flow.remote));
        }
        if !body.is_empty() {
            copied.push_str("Content-Type: application/sdp\r\n");
        }
        let text = format!("SIP/2.0 {status}\r\n{copied}Content-Length: {}\r\n\r\n{body}", body.len());
        self.hear(*flow, &text)
    }

    pub(super) fn hear(&mut self, flow: Flow, text: &str) -> Vec<(Flow, String)> {
        self.ua.receive_datagram(Bytes::from(text.to_owned()), flow, self.now);
        self.look();
        std::mem::take(&mut self.sent)
    }

    /// The other side of one of our calls sends a request in its dialog, identified by our INVITE.
    pub(super) fn ask(
        &mut self,
        (flow, invite): &(Flow, String),
        tag: &str,
        method: &str,
        cseq: u32,
        extra: &str,
        body: &str,
    ) -> Vec<(Flow, String)> {
        self.requests += 1;
        let text = format!(
            "{method} sip:us@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKask{}\r\nMax-Forwards: 70\r\n\
             From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{tag}@{}>\r\n\
             {extra}Content-Length: {}\r\n\r\n{body}",
            flow.remote,
            self.requests,
            header(invite, "To"),
            header(invite, "From"),
            header(invite, "Call-ID"),
            flow.remote,
            body.len()
        );
        self.hear(*flow, &text)
    }

    /// One of our calls, established; returns its INVITE.
    pub(super) fn up(&mut self, call: u64, spec: DialSpec) -> (Flow, String) {
        let invite = self.dial(call, spec);
        let sent = self.reply(&invite, "them", "200 OK\r\nAllow: INVITE, UPDATE, REFER", OFFER);
        assert!(sent[0].1.starts_with("ACK "), "{sent:?}");
        assert!(matches!(self.events.pop(), Some(SipEvent::Answered { .. })));
        invite
    }

    /// Everything is released once the transactions have had their time.
    pub(super) fn assert_clean(&mut self) {
        self.wait(100);
        assert!(self.ua.is_idle(), "{:?}", self.ua);
        assert!(self.ua.has_forgotten_all());
    }
}

pub(super) fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let name = format!("{}:", name.to_ascii_lowercase());
    let line = message.lines().find(|line| line.to_ascii_lowercase().starts_with(&name));
    line.map_or("", |line| line.split_once(':').unwrap().1.trim())
}

pub(super) fn to(name: &str) -> DialSpec {
    DialSpec {
        uri: format!("sip:+441908@{name}"),
        from_user: "board".into(),
        sdp: OFFER.into(),
        ..DialSpec::default()
    }
}

pub(super) fn first(sent: &[(Flow, String)]) -> Vec<(String, String)> {
    let line = |text: &str| text.split([' ', '\r']).take(2).collect::<Vec<_>>().join(" ");
    sent.iter()
        .map(|(flow, text)| {
            let is_answer = text.starts_with("SIP/2.0");
            let what =
                if is_answer { line(text) } else { text.split(' ').next().unwrap_or_default().to_owned() };
            (flow.remote.to_string(), what)
        })
        .collect()
}

#[track_caller]
pub(super) fn assert_sent(sent: &[(Flow, String)], expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(to, what)| ((*to).to_owned(), (*what).to_owned())).collect();
    assert_eq!(first(sent), expected);
}
