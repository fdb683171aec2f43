//! Looking into calls: takes the messages that signalling and the media threads show, keeps them for a while by call, and sends
//! them to a capture server where one is configured.
//!
//! Everything that shows something does so without waiting: what finds no room in the queues is missed here, and counted.

use crate::{config::Hep, log};
use plenary_api::KeptCall;
use plenary_media::{RtcpReport, RtcpTap};
use plenary_model::Timestamp;
use plenary_sip::Seen;
use plenary_store::{CallMessages, Journal, Store, StoreError, Writer, WriterBounds};
use plenary_trace::{
    Kind, Ladder, Ladders, Limits, Message,
    hep::{self, Packet, Protocol},
    rtcp,
};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    net::{UdpSocket, lookup_host},
    sync::mpsc,
};
use tracing::{info, warn};

/// Messages of SIP that may wait.
const MESSAGES_MAX: usize = 16_384;
/// Reports that may wait: of 4,000 calls in a second.
const REPORTS_MAX: usize = 2048;
/// Lines of the log that may wait for the capture server.
const LINES_MAX: usize = 1024;
/// Failed calls that may wait for the database: as many as are kept there.
const STORED: WriterBounds = WriterBounds { waiting: 2000, batch: 50, gathered: Duration::ZERO };
/// How often reports are looked for. Media threads wake no reader.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long that may take, for messages wait meanwhile.
const LOCATE_WITHIN: Duration = Duration::from_secs(2);
/// How often the name of the capture server is looked up again.
const LOCATE_EVERY: Duration = Duration::from_secs(60);

/// The ends of the queues that are shown something.
pub(crate) struct Taps {
    pub(crate) seen: mpsc::Sender<Seen>,
    pub(crate) rtcp: std::sync::mpsc::SyncSender<RtcpReport>,
}

/// What waits to be looked at.
pub(crate) struct Queues {
    seen: mpsc::Receiver<Seen>,
    rtcp: RtcpTap,
}

/// Queues, and what goes into them.
pub(crate) fn queues() -> (Taps, Queues) {
    let (seen, seen_inbox) = mpsc::channel(MESSAGES_MAX);
    let (rtcp, reports) = RtcpTap::new(REPORTS_MAX);
    (Taps { seen, rtcp }, Queues { seen: seen_inbox, rtcp: reports })
}

/// What is kept of calls. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kept: Arc<Kept>,
    /// Calls that have failed are stored.
    writer: Writer<FailedCalls>,
    /// The part of every participant id before its dot.
    node: OnceLock<String>,
    hep_sent: AtomicU64,
    hep_dropped: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    ladders: Mutex<Ladders>,
    began: Instant,
}

impl Kept {
    fn ladders(&self) -> MutexGuard<'_, Ladders> {
        self.ladders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Where calls are stored that have failed.
#[derive(Debug)]
struct FailedCalls {
    store: Store,
    kept: Arc<Kept>,
}

impl Journal for FailedCalls {
    type Entry = (u64, CallMessages);
    const ENTRIES: &'static str = "messages of calls that failed";

    // One that is there is written again.
    async fn write(&self, entries: &[(u64, CallMessages)], _again: bool) -> Result<(), StoreError> {
        let calls: Vec<_> = entries.iter().map(|(_, call)| call.clone()).collect();
        self.store.keep_messages(&calls).await?;
        let (mut ladders, now_ms) = (self.kept.ladders(), self.kept.now_ms());
        entries.iter().for_each(|(call, _)| ladders.stored(*call, now_ms));
        Ok(())
    }
}

/// What there is to count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraceCounts {
    pub(crate) calls: usize,
    pub(crate) bytes: usize,
    /// Datagrams that the capture server was sent.
    pub(crate) hep_sent: u64,
    /// Those that could not be sent.
    pub(crate) hep_dropped: u64,
}

impl Trace {
    /// Looks at what comes, until nothing can come any more.
    pub(crate) fn start(queues: Queues, hep: &Hep, store: Store) -> Self {
        let ladders = Mutex::new(Ladders::new(Limits::default()));
        let kept = Arc::new(Kept { ladders, began: Instant::now() });
        let failed = FailedCalls { store, kept: kept.clone() };
        let shared = Arc::new(Shared {
            kept,
            writer: Writer::start(failed, STORED, Arc::default()),
            node: OnceLock::new(),
            hep_sent: AtomicU64::new(0),
            hep_dropped: AtomicU64::new(0),
        });
        let trace = Self { shared };
        let exporter = hep.target().map(|target| Exporter::new(target, hep.agent_id));
        let (follower, lines) = mpsc::channel(LINES_MAX);
        if exporter.is_some() {
            log::follow(follower);
        }
        tokio::spawn(trace.clone().run(queues, lines, exporter));
        trace
    }

    /// Participant ids of this run begin so.
    pub(crate) fn set_node(&self, node: u64) {
        let _ = self.shared.node.set(format!("{node:016x}"));
    }

    /// What is kept in memory of a call, by its participant id.
    pub(crate) fn ladder(&self, participant: &str) -> Option<Ladder> {
        let call = self.call(participant)?;
        self.ladders().get(call)
    }

    /// The number of a call of this run, by its participant id.
    fn call(&self, participant: &str) -> Option<u64> {
        let (node, number) = participant.split_once('.')?;
        number.parse().ok().filter(|_| self.shared.node.get().is_some_and(|known| known == node))
    }

    /// What is kept in memory of the latest calls, before the one that said something last then and has this id.
    pub(crate) fn latest(&self, before: Option<(Timestamp, &str)>, limit: usize) -> Vec<KeptCall> {
        let Some(node) = self.shared.node.get() else { return Vec::new() };
        let said = self.ladders().last_said();
        let mut said: Vec<(Timestamp, String, u64)> = said
            .into_iter()
            .map(|(call, at_us)| (Timestamp(at_us / 1000), format!("{node}.{call}"), call))
            .filter(|(at, id, _)| before.is_none_or(|before| (*at, id.as_str()) < before))
            .collect();
        said.sort_unstable_by(|one, other| other.cmp(one));
        said.truncate(limit);
        let shown = said.into_iter().filter_map(|(last_at, id, call)| {
            // One at a time: messages of calls in progress wait meanwhile.
            let ladder = self.ladders().get(call)?;
            let (is_over, has_failed) = (ladder.is_over, ladder.has_failed);
            Some(KeptCall { id, last_at, is_over, has_failed, people: ladder.people().into_iter().collect() })
        });
        shown.collect()
    }

    /// Forgets calls that are over.
    pub(crate) fn forget(&self, participants: &BTreeSet<String>) {
        let mut ladders = self.ladders();
        participants.iter().filter_map(|id| self.call(id)).for_each(|call| ladders.forget(call));
    }

    pub(crate) fn media_opened(&self, call: u64, at: SocketAddr) {
        self.ladders().media_opened(call, at);
    }

    pub(crate) fn media_closed(&self, call: u64) {
        self.ladders().media_closed(call);
    }

    pub(crate) fn counts(&self) -> TraceCounts {
        let ladders = self.ladders();
        TraceCounts {
            calls: ladders.len(),
            bytes: ladders.bytes(),
            hep_sent: self.shared.hep_sent.load(Relaxed),
            hep_dropped: self.shared.hep_dropped.load(Relaxed),
        }
    }

    /// Stores what is to be stored; returns when it is.
    pub(crate) async fn finish(&self) {
        self.store(u64::MAX);
        self.shared.writer.finish().await;
    }

    /// Has calls stored that have failed, up to this time.
    fn store(&self, now_ms: u64) {
        let due = self.ladders().take_unstored(now_ms);
        let Some(node) = self.shared.node.get() else { return };
        for (call, ladder) in due {
            let messages = CallMessages {
                id: format!("{node}.{call}"),
                ended_at: Timestamp(ladder.messages.last().map_or(0, |last| last.at_us / 1000)),
                people: ladder.people(),
                messages: ladder.to_json(),
            };
            self.shared.writer.write((call, messages));
        }
    }

    fn ladders(&self) -> MutexGuard<'_, Ladders> {
        self.shared.kept.ladders()
    }

    fn now_ms(&self) -> u64 {
        self.shared.kept.now_ms()
    }

    async fn run(
        self,
        mut queues: Queues,
        mut lines: mpsc::Receiver<String>,
        mut exporter: Option<Exporter>,
    ) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                seen = queues.seen.recv() => match seen {
                    Some(seen) => self.see(seen, exporter.as_ref()),
                    // Signalling has stopped.
                    None => return,
                },
                Some(line) = lines.recv() => {
                    if let Some(exporter) = &exporter {
                        exporter.send_line(&line, &self.shared);
                    }
                }
                _ = look.tick() => {
                    while let Some(report) = queues.rtcp.take() {
                        self.see_report(&report, exporter.as_ref());
                    }
                    self.ladders().expire(self.now_ms());
                    self.store(self.now_ms());
                    if let Some(exporter) = &mut exporter {
                        exporter.locate().await;
                    }
                }
            }
        }
    }

    fn see(&self, seen: Seen, exporter: Option<&Exporter>) {
        match seen {
            Seen::Message { at, flow, is_sent, bytes } => {
                let message = Message {
                    at_us: micros(at),
                    kind: Kind::Sip,
                    is_sent,
                    transport: lower(flow.transport),
                    local: flow.local,
                    remote: flow.remote,
                    bytes: bytes.as_ref().into(),
                };
                let kept = self.ladders().sip(message);
                if let (Some((call_id, message)), Some(exporter)) = (kept, exporter) {
                    exporter.send(Protocol::Sip, &message, &call_id, &message.bytes, &self.shared);
                }
            }
            Seen::Dialog { call, sip_call_id } => self.ladders().dialog(call.0, &sip_call_id),
            Seen::Over { call, has_failed } => self.ladders().over(call.0, has_failed, self.now_ms()),
        }
    }

    fn see_report(&self, report: &RtcpReport, exporter: Option<&Exporter>) {
        let at_us = i64::try_from(report.wall_ns / 1000).unwrap_or(i64::MAX);
        let RtcpReport { call, is_sent, remote, is_muxed, .. } = *report;
        let kept = self.ladders().rtcp(call.0, at_us, is_sent, remote, is_muxed, report.bytes());
        if let (Some((call_id, message)), Some(exporter)) = (kept, exporter)
            && let Some(read) = rtcp::read(&message.bytes)
        {
            let json = read.for_hep().to_string();
            exporter.send(Protocol::RtcpJson, &message, &call_id, json.as_bytes(), &self.shared);
        }
    }
}

const fn lower(transport: plenary_sip::Transport) -> &'static str {
    use plenary_sip::Transport;
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Ws => "ws",
        Transport::Wss => "wss",
    }
}

fn micros(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Sends what is seen to a capture server.
struct Exporter {
    /// Host and port.
    target: String,
    agent: u32,
    socket: Option<UdpSocket>,
    located_at: Option<Instant>,
}

impl Exporter {
    fn new(target: String, agent: u32) -> Self {
        Self { target, agent, socket: None, located_at: None }
    }

    /// Looks the server up, now and then again.
    async fn locate(&mut self) {
        if self.located_at.is_some_and(|at| at.elapsed() < LOCATE_EVERY) {
            return;
        }
        let is_first = self.located_at.is_none();
        self.located_at = Some(Instant::now());
        let connected = tokio::time::timeout(LOCATE_WITHIN, self.connect()).await;
        match connected.unwrap_or_else(|late| Err(late.into())) {
            Ok(socket) => {
                if is_first {
                    info!(to = self.target, "messages of calls are sent to a capture server");
                }
                self.socket = Some(socket);
            }
            Err(error) => warn!(to = self.target, %error, "the capture server of [hep] is not found"),
        }
    }

    async fn connect(&self) -> std::io::Result<UdpSocket> {
        let mut found = lookup_host(&self.target).await?;
        let to = found.next().ok_or_else(|| std::io::Error::other("the name has no address"))?;
        let any: SocketAddr =
            if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(to).await?;
        Ok(socket)
    }

    fn send(&self, protocol: Protocol, message: &Message, call_id: &str, payload: &[u8], shared: &Shared) {
        let (from, to) = message.from_to();
        self.send_packet(
            &Packet {
                protocol,
                from,
                to,
                is_stream: message.is_stream(),
                at_us: message.at_us,
                agent: self.agent,
                correlation: Some(call_id),
                payload,
            },
            shared,
        );
    }

    fn send_line(&self, line: &str, shared: &Shared) {
        let Some(socket) = &self.socket else { return };
        let (Ok(from), Ok(to)) = (socket.local_addr(), socket.peer_addr()) else { return };
        self.send_packet(
            &Packet {
                protocol: Protocol::Log,
                from,
                to,
                is_stream: false,
                at_us: micros(SystemTime::now()),
                agent: self.agent,
                correlation: None,
                payload: line.as_bytes(),
            },
            shared,
        );
    }

    fn send_packet(&self, packet: &Packet<'_>, shared: &Shared) {
        // Nothing is logged here: it would be sent again.
        let is_sent =
            self.socket.as_ref().is_some_and(|socket| socket.try_send(&hep::encode(packet)).is_ok());
        if is_sent { &shared.hep_sent } else { &shared.hep_dropped }.fetch_add(1, Relaxed);
    }
}
