//! The task that owns the user agent, and the handle to it.

use super::{
    SipConfig, SipError, tcp,
    tcp::{Connection, TcpEvent},
    udp,
    udp::Datagram,
};
use crate::ua::{CallId, DialSpec, Flow, Output, Reason, SipEvent, Transport, UaConfig, UserAgent};
use bytes::Bytes;
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, UdpSocket, lookup_host},
    sync::{mpsc, oneshot},
};

/// Datagrams and messages that may wait for the user agent.
const INBOX_MAX: usize = 8192;
/// Attempts to find a port that is free for both UDP and TCP.
const PORT_ATTEMPTS: usize = 20;

/// Makes endpoints.
#[derive(Debug)]
pub struct SipEndpoint;

/// Commands to an endpoint. Cheap to clone; none of the methods waits for the network.
#[derive(Debug, Clone)]
pub struct SipHandle {
    // Not bounded: every command answers an event, so there are no more of them than calls.
    commands: mpsc::UnboundedSender<Command>,
    next_call: Arc<AtomicU64>,
    local: SocketAddr,
}

#[derive(Debug)]
enum Command {
    Ring { call: CallId, sdp: Option<String> },
    Answer { call: CallId, sdp: String },
    Reject { call: CallId, status: u16, phrase: Option<String>, extra: Vec<(String, String)> },
    AcceptOffer { call: CallId, sdp: String },
    RejectOffer { call: CallId, status: u16 },
    HangUp { call: CallId, reasons: Vec<Reason> },
    Dial { call: CallId, spec: DialSpec, transport: Transport, remote: SocketAddr },
    Shutdown { done: oneshot::Sender<()> },
}

impl SipHandle {
    /// The first listening address, with the port that was really taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn command(&self, command: Command) {
        // Fails only once the endpoint has stopped, and then there is nothing left to command.
        let _ = self.commands.send(command);
    }

    /// Sends 180, or 183 with early media.
    pub fn ring(&self, call: CallId, sdp: Option<String>) {
        self.command(Command::Ring { call, sdp });
    }

    /// Sends 200; it is sent again until the ACK comes.
    pub fn answer(&self, call: CallId, sdp: String) {
        self.command(Command::Answer { call, sdp });
    }

    /// Refuses a call that came in. No event of it follows.
    pub fn reject(&self, call: CallId, status: u16, phrase: Option<&str>, extra: Vec<(String, String)>) {
        self.command(Command::Reject { call, status, phrase: phrase.map(str::to_owned), extra });
    }

    /// Agrees to a re-INVITE or UPDATE.
    pub fn accept_offer(&self, call: CallId, sdp: String) {
        self.command(Command::AcceptOffer { call, sdp });
    }

    /// Declines a re-INVITE or UPDATE.
    pub fn reject_offer(&self, call: CallId, status: u16) {
        self.command(Command::RejectOffer { call, status });
    }

    /// Ends a call in whatever state: BYE, CANCEL, or a refusal.
    pub fn hang_up(&self, call: CallId, reasons: Vec<Reason>) {
        self.command(Command::HangUp { call, reasons });
    }

    /// Places a call; `Progress`, `Answered` or `Rejected` follow.
    ///
    /// # Errors
    /// The URI is not one, or its host is not found.
    pub async fn dial(&self, spec: DialSpec) -> Result<CallId, SipError> {
        let (transport, host, port) = destination(&spec.uri)?;
        let wrong = |text: String| SipError::Uri { uri: spec.uri.clone(), text };
        let mut found = lookup_host((host.as_str(), port))
            .await
            .map_err(|error| wrong(format!("its host `{host}` is not found ({error})")))?;
        let remote = found
            .find(|address| address.is_ipv4() == self.local.is_ipv4())
            .ok_or_else(|| wrong(format!("its host `{host}` has no address of our kind")))?;
        let call = CallId(self.next_call.fetch_add(1, Ordering::Relaxed));
        self.commands.send(Command::Dial { call, spec, transport, remote }).map_err(|_| SipError::Stopped)?;
        Ok(call)
    }

    /// Stops the endpoint once what was commanded before is sent.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        self.command(Command::Shutdown { done });
        let _ = stopped.await;
    }
}

fn destination(uri: &str) -> Result<(Transport, String, u16), SipError> {
    let wrong = |text: &str| SipError::Uri { uri: uri.to_owned(), text: text.to_owned() };
    let parsed =
        sipx_sip::Uri::parse(Bytes::from(uri.to_owned())).map_err(|error| wrong(&error.to_string()))?;
    if !parsed.scheme().is_sip() || parsed.scheme().is_secure() {
        return Err(wrong("only sip: can be called"));
    }
    let host = parsed.host().ok_or_else(|| wrong("it has no host"))?.to_bytes();
    let host = String::from_utf8_lossy(&host).trim_matches(['[', ']']).to_owned();
    let transport = match parsed.transport().map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"udp") => Transport::Udp,
        Some(b"tcp") => Transport::Tcp,
        Some(_) => return Err(wrong("its transport is neither udp nor tcp")),
    };
    Ok((transport, host, parsed.port().unwrap_or(5060)))
}

impl SipEndpoint {
    /// Listens, and runs until [`SipHandle::shutdown`] or until every handle is dropped.
    ///
    /// # Errors
    /// [`SipError::Listen`].
    pub async fn bind(config: SipConfig) -> Result<(SipHandle, mpsc::Receiver<SipEvent>), SipError> {
        let (datagrams, datagram_inbox) = mpsc::channel(INBOX_MAX);
        let (tcp_events, tcp_inbox) = mpsc::channel(INBOX_MAX);
        let (accepted, accept_inbox) = mpsc::channel(64);
        let mut sockets = Vec::new();
        for address in &config.listen {
            let (udp, tcp) = bind_both(*address).await?;
            let local = udp.local_addr().map_err(|source| SipError::Listen {
                transport: "UDP",
                address: *address,
                source,
            })?;
            let udp = Arc::new(udp);
            tokio::spawn(udp::read(sockets.len(), udp.clone(), datagrams.clone()));
            tokio::spawn(accept(tcp, accepted.clone()));
            sockets.push(Listening { udp, local });
        }
        let local = sockets.first().map(|socket| socket.local).ok_or_else(|| SipError::Listen {
            transport: "UDP",
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            source: io::Error::other("no address was given"),
        })?;
        let (commands, command_inbox) = mpsc::unbounded_channel();
        let (events, event_outbox) = mpsc::channel(config.max_events);
        let next_call = Arc::new(AtomicU64::new(1));
        let calls = next_call.clone();
        let ua = UserAgent::new(
            UaConfig {
                product: config.product.clone(),
                advertise: config.advertise,
                allow_from: config.allow_from.clone(),
            },
            Box::new(|bytes| getrandom::fill(bytes).expect("the system has random numbers")),
            Box::new(move || CallId(calls.fetch_add(1, Ordering::Relaxed))),
        );
        let task = Task {
            config,
            ua,
            start: Instant::now(),
            sockets,
            connections: HashMap::new(),
            tcp_events,
            events,
            waiting: VecDeque::new(),
            routes: HashMap::new(),
        };
        tokio::spawn(task.run(command_inbox, datagram_inbox, tcp_inbox, accept_inbox));
        Ok((SipHandle { commands, next_call, local }, event_outbox))
    }
}

/// The same port for UDP and TCP, also when the system chooses it.
async fn bind_both(address: SocketAddr) -> Result<(UdpSocket, TcpListener), SipError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let udp = udp::bind(address)?;
        let taken = udp.local_addr().unwrap_or(address);
        match TcpListener::bind(taken).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && attempts < PORT_ATTEMPTS => {}
            Err(source) => return Err(SipError::Listen { transport: "TCP", address: taken, source }),
        }
    }
}

async fn accept(
    listener: TcpListener,
    accepted: mpsc::Sender<(tokio::net::TcpStream, SocketAddr, SocketAddr)>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let Ok(local) = stream.local_addr() else { continue };
                if accepted.send((stream, local, remote)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: waiting helps, spinning does not.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Listening {
    udp: Arc<UdpSocket>,
    local: SocketAddr,
}

struct Task {
    config: SipConfig,
    ua: UserAgent,
    start: Instant,
    sockets: Vec<Listening>,
    connections: HashMap<SocketAddr, Connection>,
    tcp_events: mpsc::Sender<TcpEvent>,
    events: mpsc::Sender<SipEvent>,
    /// Events that the program has not taken yet.
    waiting: VecDeque<SipEvent>,
    /// Our address towards each peer, where we listen on all of them.
    routes: HashMap<IpAddr, IpAddr>,
}

impl Task {
    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut datagrams: mpsc::Receiver<Datagram>,
        mut tcp_inbox: mpsc::Receiver<TcpEvent>,
        mut accepted: mpsc::Receiver<(tokio::net::TcpStream, SocketAddr, SocketAddr)>,
    ) {
        let events = self.events.clone();
        loop {
            let wake = self.ua.poll_timeout().unwrap_or(Duration::from_secs(3600));
            let wake = tokio::time::Instant::from_std(self.start + wake);
            let has_events = !self.waiting.is_empty();
            tokio::select! {
                permit = events.reserve(), if has_events => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    (Ok(_), None) => {}
                    (Err(_), _) => return,
                },
                command = commands.recv() => match command {
                    Some(Command::Shutdown { done }) => {
                        self.drain();
                        // Writers finish what they have before their connection closes.
                        self.connections.clear();
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.handle_command(command),
                    None => return,
                },
                Some(datagram) = datagrams.recv() => self.handle_datagram(datagram),
                Some(event) = tcp_inbox.recv() => self.handle_tcp(event),
                Some((stream, local, remote)) = accepted.recv() => self.handle_accepted(stream, local, remote),
                () = tokio::time::sleep_until(wake) => {
                    let now = self.now();
                    self.ua.handle_timeout(now);
                }
            }
            self.drain();
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Ring { call, sdp } => self.ua.ring(call, sdp, now),
            Command::Answer { call, sdp } => self.ua.answer(call, sdp, now),
            Command::Reject { call, status, phrase, extra } => {
                self.ua.reject(call, status, phrase.as_deref(), &extra, now);
            }
            Command::AcceptOffer { call, sdp } => self.ua.accept_offer(call, sdp, now),
            Command::RejectOffer { call, status } => self.ua.reject_offer(call, status, now),
            Command::HangUp { call, reasons } => self.ua.hang_up(call, reasons, now),
            Command::Dial { call, spec, transport, remote } => {
                let local = self
                    .sockets
                    .iter()
                    .map(|socket| socket.local)
                    .find(|local| local.is_ipv4() == remote.is_ipv4())
                    .unwrap_or(self.sockets[0].local);
                let local = self.local_towards(local, remote.ip());
                self.ua.dial(call, spec, Flow { transport, local, remote }, now);
            }
            Command::Shutdown { .. } => unreachable!("handled where the loop can end"),
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram) {
        let Some(local) = self.sockets.get(datagram.socket).map(|socket| socket.local) else { return };
        let local = self.local_towards(local, datagram.source.ip());
        let flow = Flow { transport: Transport::Udp, local, remote: datagram.source };
        let now = self.now();
        self.ua.receive_datagram(datagram.bytes, flow, now);
    }

    fn handle_tcp(&mut self, event: TcpEvent) {
        let now = self.now();
        match event {
            TcpEvent::Message { flow, message } => self.ua.receive(*message, flow, now),
            TcpEvent::Closed { flow } => {
                self.connections.remove(&flow.remote);
                self.ua.handle_transport_error(flow, now);
            }
        }
    }

    fn handle_accepted(&mut self, stream: tokio::net::TcpStream, local: SocketAddr, remote: SocketAddr) {
        let source = remote.ip().to_canonical();
        let is_allowed = self.config.allow_from.iter().any(|net| net.contains(&source));
        if !is_allowed || self.connections.len() >= self.config.max_connections {
            tracing::debug!(%remote, is_allowed, "a connection is refused");
            return;
        }
        // Requests of ours name the port that is listened on, which is also the local port here.
        let flow = Flow { transport: Transport::Tcp, local, remote };
        self.connections.insert(remote, tcp::start(stream, flow, self.tcp_events.clone()));
    }

    /// Carries out what the user agent wants.
    fn drain(&mut self) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Send { flow, bytes } => self.send(flow, bytes),
                Output::Event(event) => self.waiting.push_back(event),
            }
        }
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event) | mpsc::error::TrySendError::Closed(event)) => {
                    self.waiting.push_front(event);
                    break;
                }
            }
        }
        self.ua.set_overloaded(self.events.capacity() < self.config.max_events / 2);
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) {
        match flow.transport {
            Transport::Udp => {
                let socket = self
                    .sockets
                    .iter()
                    .find(|socket| {
                        socket.local.port() == flow.local.port()
                            && socket.local.is_ipv4() == flow.remote.is_ipv4()
                    })
                    .unwrap_or(&self.sockets[0]);
                if let Err(error) = socket.udp.try_send_to(&bytes, flow.remote) {
                    // What gets lost here is sent again like what gets lost on the way.
                    tracing::debug!(remote = %flow.remote, %error, "UDP send");
                }
            }
            Transport::Tcp => {
                let events = &self.tcp_events;
                let connection = self
                    .connections
                    .entry(flow.remote)
                    .or_insert_with(|| tcp::open(flow.remote, flow, events.clone()));
                if connection.outgoing.try_send(bytes).is_err() {
                    self.connections.remove(&flow.remote);
                    let now = self.now();
                    self.ua.handle_transport_error(flow, now);
                }
            }
        }
    }

    /// The address by which a peer reaches us, when we listen on all addresses: the one the system would send from.
    fn local_towards(&mut self, local: SocketAddr, remote: IpAddr) -> SocketAddr {
        if !local.ip().is_unspecified() {
            return local;
        }
        if self.routes.len() > 10_000 {
            self.routes.clear();
        }
        let ip = *self.routes.entry(remote).or_insert_with(|| route(remote).unwrap_or(local.ip()));
        SocketAddr::new(ip, local.port())
    }
}

fn route(remote: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect((remote, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
