//! The task that owns the user agent.

use super::{
    SipConfig, SipError, SipHandle,
    connection::{self, Connection, ConnectionEvent, Side},
    handle::{EndpointCommand, Outcome},
    resolver::{Located, Resolver},
    stream::BoxedStream,
    tls::{self, Connector},
    udp,
    udp::Datagram,
    watch::Watch,
};
use crate::locate::{Hop, Server};
use crate::ua::{
    CallId, Flow, LookupId, Output, PingId, PingOutcome, PingSpec, SipEvent, Transport, UaConfig, UserAgent,
};
use bytes::Bytes;
use ipnet::IpNet;
use sipx_sip::Message;
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{Semaphore, mpsc, oneshot},
};
use tokio_rustls::rustls::ServerConfig;

/// Datagrams and messages that may wait for the user agent.
const INBOX_MAX: usize = 8192;
/// Attempts to find a port that is free for both UDP and TCP.
const PORT_ATTEMPTS: usize = 20;
/// Concurrent TLS handshakes: each costs over a millisecond, and strangers may begin them.
const HANDSHAKES_MAX: usize = 256;

/// Servers that are asked at a time whether they answer.
const PINGS_MAX: usize = 100;
/// How long removing registrations may delay the shutdown.
const UNREGISTER_MAX: Duration = Duration::from_secs(2);

/// Creates endpoints.
#[derive(Debug)]
pub struct SipEndpoint;

/// An accepted connection.
struct Accepted {
    stream: BoxedStream,
    flow: Flow,
}

impl SipEndpoint {
    /// Listens, and runs until [`SipHandle::shutdown`] or until every handle is dropped.
    ///
    /// # Errors
    /// [`SipError::Listen`].
    pub async fn bind(config: SipConfig) -> Result<(SipHandle, mpsc::Receiver<SipEvent>), SipError> {
        let (datagrams, datagram_inbox) = mpsc::channel(INBOX_MAX);
        let (connection_events, connection_inbox) = mpsc::channel(INBOX_MAX);
        let (accepted, accept_inbox) = mpsc::channel(64);
        let allow_from = Arc::new(RwLock::new(config.allow_from.clone()));
        let mut sockets = Vec::new();
        for address in &config.listen {
            let (udp, tcp) = bind_both(*address).await?;
            let local = udp.local_addr().map_err(|source| SipError::Listen {
                transport: "UDP",
                address: *address,
                source,
            })?;
            // Until the socket accepts datagrams, the first one would be lost and retransmitted half a second later.
            let _ = udp.writable().await;
            let udp = Arc::new(udp);
            tokio::spawn(udp::read(sockets.len(), udp.clone(), datagrams.clone()));
            let acceptor = Acceptor { allow_from: allow_from.clone(), tls: None };
            tokio::spawn(acceptor.run(tcp, accepted.clone()));
            sockets.push(Listening { udp, local });
        }
        let local = sockets.first().map(|socket| socket.local).ok_or_else(|| SipError::Listen {
            transport: "UDP",
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            source: io::Error::other("no address was given"),
        })?;
        let mut tls_locals = Vec::new();
        for address in &config.listen_tls {
            let error = |source| SipError::Listen { transport: "TLS", address: *address, source };
            let tls = config.tls.server.clone();
            let tls = tls.ok_or_else(|| error(io::Error::other("there is no certificate")))?;
            let listener = TcpListener::bind(address).await.map_err(error)?;
            tls_locals.push(listener.local_addr().map_err(error)?);
            let acceptor = Acceptor { allow_from: allow_from.clone(), tls: Some(tls) };
            tokio::spawn(acceptor.run(listener, accepted.clone()));
        }
        let (commands, command_inbox) = mpsc::unbounded_channel();
        let (events, event_outbox) = mpsc::channel(config.max_events);
        let next_call = Arc::new(AtomicU64::new(1));
        let calls = next_call.clone();
        let ua = UserAgent::new(
            UaConfig {
                product: config.product.clone(),
                advertise: config.advertise,
                allow_from: config.allow_from.clone(),
                websockets_from: config.websockets_from.clone(),
                guard: config.guard.clone(),
                ice_servers: config.ice_servers.clone(),
            },
            Box::new(|bytes| getrandom::fill(bytes).expect("the system has random numbers")),
            Box::new(move || CallId(calls.fetch_add(1, Ordering::Relaxed))),
        );
        let watch = Watch::new(config.seen.clone());
        let local_tls = tls_locals.first().copied();
        let families = sockets.iter().map(|socket| socket.local.is_ipv4()).collect();
        let resolver = Arc::new(Resolver::new(config.resolver.clone(), families));
        let (located, located_inbox) = mpsc::unbounded_channel();
        let task = Task {
            config,
            allow_from,
            ua,
            start: Instant::now(),
            sockets,
            tls_locals,
            connections: HashMap::new(),
            connections_made: 0,
            hosts: HashMap::new(),
            resolver,
            located,
            pings: HashMap::new(),
            pings_made: 0,
            leaving: None,
            connection_events,
            events,
            waiting: VecDeque::new(),
            queue_is_long: false,
            program_is_busy: false,
            routes: HashMap::new(),
            watch: watch.clone(),
        };
        tokio::spawn(task.run(command_inbox, datagram_inbox, connection_inbox, accept_inbox, located_inbox));
        Ok((SipHandle { commands, next_call, local, local_tls, watch }, event_outbox))
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

/// Accepts the connections of a listening address.
#[derive(Clone)]
struct Acceptor {
    allow_from: Arc<RwLock<Vec<IpNet>>>,
    tls: Option<Arc<ServerConfig>>,
}

impl Acceptor {
    fn is_allowed(&self, source: IpAddr) -> bool {
        let allow_from = self.allow_from.read().unwrap_or_else(PoisonError::into_inner);
        allow_from.iter().any(|net| net.contains(&source))
    }

    async fn run(self, listener: TcpListener, accepted: mpsc::Sender<Accepted>) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            let (stream, remote) = tokio::select! {
                // The endpoint has stopped.
                () = accepted.closed() => return,
                connection = listener.accept() => match connection {
                    Ok(connection) => connection,
                    Err(error) => {
                        // Most likely out of file descriptors: waiting helps, spinning does not.
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let source = remote.ip().to_canonical();
            let Ok(local) = stream.local_addr() else { continue };
            if !self.is_allowed(source) {
                continue;
            }
            let _ = stream.set_nodelay(true);
            let Some(config) = self.tls.clone() else {
                let flow = Flow { transport: Transport::Tcp, local, remote, is_foreign: false };
                if accepted.send(Accepted { stream: Box::new(stream), flow }).await.is_err() {
                    return;
                }
                continue;
            };
            let Ok(permit) = handshakes.clone().try_acquire_owned() else {
                tracing::warn!(%remote, "too many TLS handshakes are under way: a connection is closed");
                continue;
            };
            let accepted = accepted.clone();
            tokio::spawn(async move {
                let flow = Flow { transport: Transport::Tls, local, remote, is_foreign: false };
                match tls::accept(config, stream).await {
                    Ok(stream) => {
                        let _ = accepted.send(Accepted { stream, flow }).await;
                    }
                    Err(error) => tracing::info!(%flow, %error, "a TLS handshake failed"),
                }
                drop(permit);
            });
        }
    }
}

/// The outcome of a search, and the name that certificates there have to contain.
struct Found {
    lookup: LookupId,
    host: String,
    located: Located,
}

struct Listening {
    udp: Arc<UdpSocket>,
    local: SocketAddr,
}

struct Task {
    config: SipConfig,
    /// Settings of the acceptors.
    allow_from: Arc<RwLock<Vec<IpNet>>>,
    ua: UserAgent,
    start: Instant,
    sockets: Vec<Listening>,
    /// The TLS listening addresses.
    tls_locals: Vec<SocketAddr>,
    connections: HashMap<(Transport, SocketAddr), Connection>,
    connections_made: u64,
    /// The names under which connections were opened: their certificates have to contain them.
    hosts: HashMap<SocketAddr, String>,
    resolver: Arc<Resolver>,
    // Not bounded: each is the answer to a search of the user agent.
    located: mpsc::UnboundedSender<Found>,
    /// The time to stop, unless registrations are removed earlier.
    leaving: Option<(tokio::time::Instant, oneshot::Sender<()>)>,
    /// Who waits to hear whether a server answers.
    pings: HashMap<PingId, oneshot::Sender<PingOutcome>>,
    pings_made: u64,
    connection_events: mpsc::Sender<ConnectionEvent>,
    events: mpsc::Sender<SipEvent>,
    /// Events that the program has not taken yet.
    waiting: VecDeque<SipEvent>,
    /// More events wait than should, or did until a moment ago.
    queue_is_long: bool,
    /// The program reports overload.
    program_is_busy: bool,
    /// The local address towards each peer, if listening on all of them.
    routes: HashMap<IpAddr, IpAddr>,
    watch: Watch,
}

impl Task {
    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<EndpointCommand>,
        mut datagrams: mpsc::Receiver<Datagram>,
        mut connection_inbox: mpsc::Receiver<ConnectionEvent>,
        mut accepted: mpsc::Receiver<Accepted>,
        mut located: mpsc::UnboundedReceiver<Found>,
    ) {
        let events = self.events.clone();
        loop {
            let wake = self.ua.poll_timeout().unwrap_or(Duration::from_secs(3600));
            let wake = tokio::time::Instant::from_std(self.start + wake);
            let has_events = !self.waiting.is_empty();
            let leave_at = self.leaving.as_ref().map(|(at, _)| *at);
            let wake = leave_at.map_or(wake, |at| wake.min(at));
            if self.leaving.is_some()
                && (self.ua.registrations() == 0
                    || leave_at.is_some_and(|at| tokio::time::Instant::now() >= at))
            {
                // Writers finish what they have before their connection closes.
                self.connections.clear();
                if let Some((_, done)) = self.leaving.take() {
                    let _ = done.send(());
                }
                return;
            }
            tokio::select! {
                permit = events.reserve(), if has_events => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    (Ok(_), None) => {}
                    (Err(_), _) => return,
                },
                command = commands.recv() => match command {
                    Some(EndpointCommand::Shutdown { done }) => {
                        self.drain();
                        let now = self.now();
                        self.ua.unregister_all(now);
                        self.leaving = Some((tokio::time::Instant::now() + UNREGISTER_MAX, done));
                    }
                    Some(command) => self.guarded(|task| task.handle_command(command)),
                    None => return,
                },
                Some(datagram) = datagrams.recv() => self.guarded(|task| task.handle_datagram(datagram)),
                Some(found) = located.recv() => self.guarded(|task| task.handle_found(found)),
                Some(event) = connection_inbox.recv() => self.guarded(|task| task.handle_connection(event)),
                Some(connection) = accepted.recv() => self.handle_accepted(connection),
                () = tokio::time::sleep_until(wake) => {
                    let now = self.now();
                    self.guarded(|task| task.ua.handle_timeout(now));
                }
            }
            self.drain();
        }
    }

    /// Handles one message, command or timer. A bug in that costs this one only, and not the endpoint with every
    /// other call.
    fn guarded(&mut self, act: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| act(self))).is_err() {
            tracing::error!("signalling failed over a message: it is dropped, everything else goes on");
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn handle_command(&mut self, command: EndpointCommand) {
        let now = self.now();
        match command {
            EndpointCommand::Ring { call, sdp } => self.ua.ring(call, sdp, now),
            EndpointCommand::Answer { call, sdp, is_focus } => self.ua.answer(call, sdp, is_focus, now),
            EndpointCommand::AcceptSubscription { request, call, body } => {
                self.ua.accept_subscription(request, call, body, now);
            }
            EndpointCommand::Notify { subscription, body } => self.ua.notify(subscription, body, now),
            EndpointCommand::EndSubscription { subscription } => self.ua.end_subscription(subscription, now),
            EndpointCommand::Reject { call, status, phrase, extra } => {
                self.watch.rejected(call, status);
                self.ua.reject(call, status, phrase.as_deref(), &extra, now);
            }
            EndpointCommand::AcceptOffer { call, sdp } => self.ua.accept_offer(call, sdp, now),
            EndpointCommand::RejectOffer { call, status } => self.ua.reject_offer(call, status, now),
            EndpointCommand::HangUp { call, reasons } => self.ua.hang_up(call, reasons, now),
            EndpointCommand::Probe { call } => self.ua.probe(call, now),
            EndpointCommand::Dial { call, spec } => self.ua.dial(call, *spec, now),
            EndpointCommand::Register { registration, spec } => self.ua.register(registration, *spec, now),
            EndpointCommand::Unregister { registration } => self.ua.unregister(registration, now),
            EndpointCommand::Ping { spec, reply } => self.ping(spec, reply, now),
            EndpointCommand::AcceptReferral { request } => self.ua.accept_referral(request, now),
            EndpointCommand::ReportReferral { request, status, phrase } => {
                self.ua.report_referral(request, status, &phrase, now);
            }
            EndpointCommand::Refer { call, to } => self.ua.refer(call, &to, now),
            EndpointCommand::SendKey { call, key, body } => self.ua.send_key(call, key, body, now),
            EndpointCommand::AnswerRegistration { request, contacts } => {
                self.ua.answer_registration(request, &contacts, now);
            }
            EndpointCommand::RefuseRequest { request, status, extra } => {
                self.ua.refuse_request(request, status, &extra, now);
            }
            EndpointCommand::Report { flow, caller, outcome: Outcome::Succeeded { is_known } } => {
                self.ua.report_success(flow, &caller, is_known, now);
            }
            EndpointCommand::Report { flow, caller, outcome: Outcome::Failed { is_reached } } => {
                self.watch.refused();
                self.ua.report_failure(flow, &caller, is_reached, now);
            }
            EndpointCommand::RememberPermitted { permitted } => self.ua.remember_permitted(&permitted, now),
            EndpointCommand::SetLimits { allow_from, websockets_from, guard } => {
                *self.allow_from.write().unwrap_or_else(PoisonError::into_inner) = allow_from.clone();
                self.ua.set_limits(allow_from, websockets_from, guard);
            }
            // The asker may have gone.
            EndpointCommand::Bans { reply } => drop(reply.send(self.ua.bans(now))),
            EndpointCommand::LiftBan { source, reply } => drop(reply.send(self.ua.lift_ban(source, now))),
            EndpointCommand::HangUpSaved { call, dialog, reasons } => {
                if !self.ua.hang_up_saved(call, &dialog, &reasons, now) {
                    tracing::warn!("the dialog of a call that was cut off is not readable");
                }
            }
            EndpointCommand::SetDraining { draining } => self.ua.set_draining(draining),
            #[cfg(test)]
            EndpointCommand::Fail => panic!("a test has this fail"),
            EndpointCommand::SetBusy { busy } => self.program_is_busy = busy,
            EndpointCommand::Accepted { stream, flow } => {
                if self.ua.is_allowed(flow) {
                    self.handle_accepted(Accepted { stream, flow });
                }
            }
            EndpointCommand::Shutdown { .. } => unreachable!("handled where the loop can end"),
        }
    }

    fn ping(&mut self, spec: PingSpec, reply: oneshot::Sender<PingOutcome>, now: Duration) {
        if self.pings.len() >= PINGS_MAX {
            let _ = reply.send(Err("too many servers are being asked at this moment".to_owned()));
            return;
        }
        self.pings_made += 1;
        let id = PingId(self.pings_made);
        self.pings.insert(id, reply);
        self.ua.ping(id, spec, now);
    }

    fn handle_datagram(&mut self, datagram: Datagram) {
        let Some(local) = self.sockets.get(datagram.socket).map(|socket| socket.local) else { return };
        let local = self.local_towards(local, datagram.source.ip());
        let flow = Flow { transport: Transport::Udp, local, remote: datagram.source, is_foreign: false };
        let now = self.now();
        if self.is_shown(flow, datagram.bytes.starts_with(b"SIP/2.0 "), now) {
            self.watch.received(flow, &datagram.bytes);
        }
        self.ua.receive_datagram(datagram.bytes, flow, now);
    }

    /// What strangers send is not worth a look; responses may come from wherever calls were placed to.
    fn is_shown(&self, flow: Flow, is_response: bool, now: Duration) -> bool {
        is_response || self.ua.is_heard(flow, now)
    }

    /// The local address for messages to `remote`.
    fn local_for(&mut self, transport: Transport, remote: SocketAddr) -> SocketAddr {
        let of_family = |local: &SocketAddr| local.is_ipv4() == remote.is_ipv4();
        let tls = self.tls_locals.iter().copied().find(of_family).filter(|_| transport.is_secure());
        let local = tls
            .or_else(|| self.sockets.iter().map(|socket| socket.local).find(of_family))
            .unwrap_or(self.sockets[0].local);
        self.local_towards(local, remote.ip())
    }

    fn handle_connection(&mut self, event: ConnectionEvent) {
        let now = self.now();
        match event {
            ConnectionEvent::Message { flow, message } => {
                self.watch_message(flow, &message, now);
                self.ua.receive(*message, flow, now);
            }
            ConnectionEvent::Unreadable { flow, bytes, why } => {
                self.ua.refuse_unreadable(&bytes, &why, flow, now);
            }
            ConnectionEvent::Closed { flow, id } => {
                let key = (flow.transport, flow.remote);
                // Another connection between the same addresses may be open by now.
                if self.connections.get(&key).is_some_and(|connection| connection.id == id) {
                    self.close(flow);
                }
            }
        }
    }

    fn watch_message(&self, flow: Flow, message: &Message, now: Duration) {
        match message {
            Message::Request(_) if !self.is_shown(flow, false, now) => {}
            Message::Request(request) if !self.watch.is_watched() => {
                self.watch.requested(flow, request.method.as_bytes());
            }
            Message::Response(_) if !self.watch.is_watched() => {}
            Message::Request(_) | Message::Response(_) => self.watch.received(flow, &message.to_bytes()),
        }
    }

    fn side(&mut self, flow: Flow) -> Side {
        self.connections_made += 1;
        Side { flow, id: self.connections_made, events: self.connection_events.clone() }
    }

    fn handle_accepted(&mut self, Accepted { stream, flow }: Accepted) {
        if self.connections.len() >= self.config.max_connections {
            tracing::warn!(%flow, "too many connections: one is refused");
            return;
        }
        let open = self.connections.keys().map(|(_, remote)| remote.ip());
        if !self.ua.may_connect(flow, open) {
            tracing::info!(%flow, "a source has too many connections: one is refused");
            return;
        }
        // Requests name the listening port, which is also the local port here.
        let side = self.side(flow);
        self.connections.insert((flow.transport, flow.remote), connection::start(stream, side));
    }

    /// Carries out the user agent's outputs.
    fn drain(&mut self) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Send { flow, bytes } => self.send(flow, bytes),
                Output::Locate { lookup, hop } => self.locate(lookup, hop),
                Output::Dialog { call, sip_call_id } => self.watch.dialog(call, &sip_call_id),
                Output::Pinged { ping, outcome } => {
                    // The asker may have gone.
                    if let Some(reply) = self.pings.remove(&ping) {
                        let _ = reply.send(outcome);
                    }
                }
                Output::Event(event) => {
                    self.watch.event(&event);
                    self.waiting.push_back(event);
                }
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
        // Once half full it has to be nearly empty before new calls are accepted again.
        let free = self.events.capacity();
        let enough =
            if self.queue_is_long { self.config.max_events / 8 * 7 } else { self.config.max_events / 2 };
        self.queue_is_long = free < enough;
        self.ua.set_overloaded(self.queue_is_long || self.program_is_busy);
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.watch.sent(flow, &bytes);
        match flow.transport {
            Transport::Udp => {
                let fits = |socket: &&Listening| {
                    socket.local.port() == flow.local.port()
                        && socket.local.is_ipv4() == flow.remote.is_ipv4()
                };
                let same = |socket: &&Listening| socket.local == flow.local;
                let mut sockets = self.sockets.iter();
                let socket = sockets.clone().find(same).or_else(|| sockets.find(fits));
                let socket = socket.unwrap_or(&self.sockets[0]);
                if let Err(error) = socket.udp.try_send_to(&bytes, flow.remote) {
                    // What is lost here is retransmitted like what is lost in the network.
                    tracing::debug!(remote = %flow.remote, %error, "UDP send");
                }
            }
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                let key = (flow.transport, flow.remote);
                if !self.connections.contains_key(&key) {
                    if !flow.transport.can_be_opened() {
                        return self.close(flow);
                    }
                    let connector = self.config.tls.client.clone().map(Connector);
                    let side = self.side(flow);
                    let host = self.hosts.get(&flow.remote).cloned();
                    self.connections.insert(key, connection::open(host, connector, side));
                }
                if self.connections[&key].outgoing.try_send(bytes).is_err() {
                    self.close(flow);
                }
            }
        }
    }

    fn locate(&mut self, lookup: LookupId, hop: Hop) {
        if let Some(server) = Resolver::known(&hop) {
            return self.handle_found(Found { lookup, host: hop.host, located: Ok(vec![server]) });
        }
        let (resolver, found) = (self.resolver.clone(), self.located.clone());
        tokio::spawn(async move {
            let host = hop.host.clone();
            let located = resolver.locate(hop).await;
            // Fails only once the endpoint has stopped.
            let _ = found.send(Found { lookup, host, located });
        });
    }

    fn handle_found(&mut self, Found { lookup, host, located }: Found) {
        let is_name = host.parse::<IpAddr>().is_err();
        let flows = located.map(|servers| {
            let mut flows = Vec::with_capacity(servers.len());
            for Server { transport, address: remote } in servers {
                if !self.sockets.iter().any(|socket| socket.local.is_ipv4() == remote.is_ipv4()) {
                    continue;
                }
                if transport.is_secure() && is_name {
                    if self.hosts.len() >= self.config.max_connections {
                        self.hosts.clear();
                    }
                    // The domain that was asked for, whichever servers it leads to (RFC 5922, section 4).
                    self.hosts.insert(remote, host.clone());
                }
                flows.push(Flow {
                    transport,
                    local: self.local_for(transport, remote),
                    remote,
                    is_foreign: false,
                });
            }
            flows
        });
        let flows = flows.and_then(|flows| match flows.is_empty() {
            true => Err(format!("its host `{host}` has no address of our kind")),
            false => Ok(flows),
        });
        let now = self.now();
        self.ua.located(lookup, flows, now);
    }

    /// A connection is closed, accepts nothing more, or no longer exists. If the other side had opened it, the
    /// program is notified before anything fails over it.
    fn close(&mut self, flow: Flow) {
        let now = self.now();
        let closed = self.connections.remove(&(flow.transport, flow.remote));
        if closed.map_or(!flow.transport.can_be_opened(), |connection| connection.is_theirs) {
            self.waiting.push_back(SipEvent::ConnectionClosed(flow));
        }
        self.ua.handle_transport_error(flow, now);
    }

    /// The address by which a peer reaches this host when listening on all addresses: the one the system would send
    /// from.
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

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKNUMBER;rport\r\n\
        From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:us@127.0.0.1>\r\nCall-ID: NUMBER\r\nCSeq: 1 OPTIONS\r\n\
        Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

    async fn answer(to: SocketAddr, number: u32) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(OPTIONS.replace("NUMBER", &number.to_string()).as_bytes(), to).await.unwrap();
        let mut buffer = [0; 2048];
        let length = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer)).await;
        String::from_utf8_lossy(&buffer[..length.expect("in time").unwrap()]).into_owned()
    }

    async fn endpoint() -> (SipHandle, mpsc::Receiver<SipEvent>) {
        SipEndpoint::bind(SipConfig {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            allow_from: vec!["127.0.0.0/8".parse().unwrap()],
            ..SipConfig::default()
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_mistake_over_one_message_leaves_the_others_alone() {
        let (sip, _events) = endpoint().await;
        for number in 0..3 {
            sip.fail();
            assert!(answer(sip.local_addr(), number).await.starts_with("SIP/2.0 200"));
        }
    }
}
