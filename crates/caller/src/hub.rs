//! The media of all calls: one thread, one socket.
//!
//! The 20 ms are cut into phases; a call belongs to one of them, so that the load on both sides is even. At each phase
//! the thread takes what has come, then sends for the calls of that phase. Wake-ups are computed from the start, so
//! nothing drifts.

use crate::{CallerError, batch::Batch, speech::Encoded};
use plenary_audio::{
    FRAME_SAMPLES_8K,
    g711::{self, Law},
    plc::Concealer,
};
use plenary_rtp::{
    dtmf::{DtmfSender, EventPacket},
    jitter::{Frame, JitterBuffer, JitterConfig},
    packet::Packet,
    source::Source,
    stats::Reception,
};
use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

const PHASES: u64 = 10;
const FRAME: Duration = Duration::from_millis(20);
const PHASE: Duration = Duration::from_millis(20 / PHASES);
/// How much of what was heard is kept for questions: four seconds.
const HEARD_SAMPLES: usize = 32_000;
/// A key is down for 120 ms, and 80 ms pass before the next.
const KEY_UNITS: u16 = 960;
const KEY_GAP_FRAMES: u32 = 4;
/// A comma among the keys waits half a second.
const PAUSE_FRAMES: u32 = 25;
const RECEIVE_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// What a call has sent and received.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct CallStats {
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets received.
    pub received: u64,
    /// Packets that were sent to us and did not come.
    pub lost: u64,
    /// Interarrival jitter in milliseconds (RFC 3550, A.8); arrivals are seen every 2 ms.
    pub jitter_ms: f32,
    /// The longest time between two packets, in milliseconds.
    pub gap_ms_max: f32,
}

/// How well the thread keeps time; what is late here is not the other side's fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct HubLoad {
    /// Phases run.
    pub phases: u64,
    /// Phases that began more than 5 ms late.
    pub late: u64,
    /// The latest beginning, in milliseconds.
    pub lateness_ms_max: f32,
    /// Datagrams that the system did not take.
    pub send_failed: u64,
}

/// Where a call's audio goes and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) remote: SocketAddr,
    pub(crate) law: Law,
    pub(crate) payload_type: u8,
    pub(crate) dtmf_payload_type: Option<u8>,
    pub(crate) sends: bool,
}

/// Names a call in the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LineId(u64);

#[derive(Debug)]
pub(crate) struct Hub {
    state: Arc<Mutex<State>>,
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    local: SocketAddr,
}

#[derive(Default)]
struct State {
    next: u64,
    lines: HashMap<LineId, LineState>,
    by_remote: HashMap<SocketAddr, LineId>,
    phases: [Vec<LineId>; PHASES as usize],
    load: HubLoad,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

struct LineState {
    line: Line,
    source: Source,
    speech: Encoded,
    frame: u64,
    keys: VecDeque<char>,
    pressing: Option<(DtmfSender, u32)>,
    wait_frames: u32,
    reception: Reception,
    last_arrival: Option<Instant>,
    gap_max: Duration,
    ear: Option<Box<Ear>>,
}

/// Listening costs; only calls that are asked what they hear do it.
struct Ear {
    jitter: JitterBuffer,
    concealer: Concealer,
    /// Decoded and not yet a whole frame.
    waiting: VecDeque<i16>,
    heard: VecDeque<i16>,
    recording: Option<(Vec<i16>, usize)>,
}

impl Hub {
    pub(crate) fn start(bind: IpAddr) -> Result<Self, CallerError> {
        let socket = UdpSocket::bind((bind, 0)).map_err(CallerError::Socket)?;
        socket.set_nonblocking(true).map_err(CallerError::Socket)?;
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        let local = socket.local_addr().map_err(CallerError::Socket)?;
        let state = Arc::new(Mutex::new(State::default()));
        let running = Arc::new(AtomicBool::new(true));
        let thread = std::thread::Builder::new()
            .name("caller-media".to_owned())
            .spawn({
                let (state, running) = (state.clone(), running.clone());
                move || run(&socket, &state, &running)
            })
            .map_err(CallerError::Thread)?;
        Ok(Self { state, running, thread: Some(thread), local })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of the media thread leaves nothing half done that a reader could trip over.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, line: Line, speech: Encoded, listens: bool, record_samples: usize) -> LineId {
        let mut random = [0; 10];
        // Numbers that anybody could guess would do no harm here either.
        let _ = getrandom::fill(&mut random);
        let number =
            |at: usize| u32::from_be_bytes([random[at], random[at + 1], random[at + 2], random[at + 3]]);
        let ear = (listens || record_samples > 0).then(|| {
            Box::new(Ear {
                jitter: JitterBuffer::new(JitterConfig::G711),
                concealer: Concealer::new(8000),
                waiting: VecDeque::new(),
                heard: VecDeque::with_capacity(HEARD_SAMPLES),
                recording: (record_samples > 0).then(|| (Vec::new(), record_samples)),
            })
        });
        let mut state = self.state();
        let id = LineId(state.next);
        state.next += 1;
        state.by_remote.insert(line.remote, id);
        state.phases[(id.0 % PHASES) as usize].push(id);
        let source = Source::new(number(0), u16::from_be_bytes([random[8], random[9]]), number(4));
        state.lines.insert(
            id,
            LineState {
                line,
                source,
                speech,
                frame: 0,
                keys: VecDeque::new(),
                pressing: None,
                wait_frames: 0,
                reception: Reception::new(8000),
                last_arrival: None,
                gap_max: Duration::ZERO,
                ear,
            },
        );
        id
    }

    pub(crate) fn remove(&self, id: LineId) {
        let mut state = self.state();
        if let Some(line) = state.lines.remove(&id) {
            if state.by_remote.get(&line.line.remote) == Some(&id) {
                state.by_remote.remove(&line.line.remote);
            }
            state.phases[(id.0 % PHASES) as usize].retain(|other| *other != id);
        }
    }

    fn with<T>(&self, id: LineId, ask: impl FnOnce(&mut LineState) -> T) -> Option<T> {
        self.state().lines.get_mut(&id).map(ask)
    }

    pub(crate) fn change(&self, id: LineId, line: Line) {
        let mut state = self.state();
        let Some(entry) = state.lines.get_mut(&id) else { return };
        let before = std::mem::replace(&mut entry.line, line).remote;
        if before != line.remote {
            state.by_remote.remove(&before);
            state.by_remote.insert(line.remote, id);
        }
    }

    pub(crate) fn say(&self, id: LineId, speech: Encoded) {
        self.with(id, |line| (line.speech, line.frame) = (speech, 0));
    }

    pub(crate) fn press(&self, id: LineId, keys: &str) {
        self.with(id, |line| line.keys.extend(keys.chars()));
    }

    /// Keys that are not sent yet.
    pub(crate) fn keys_left(&self, id: LineId) -> usize {
        self.with(id, |line| line.keys.len() + usize::from(line.pressing.is_some())).unwrap_or(0)
    }

    pub(crate) fn stats(&self, id: LineId) -> CallStats {
        self.with(id, |line| CallStats {
            sent: line.source.packets(),
            received: line.reception.packets(),
            lost: line.reception.lost(),
            jitter_ms: line.reception.jitter_ms(),
            gap_ms_max: line.gap_max.as_secs_f32() * 1000.0,
        })
        .unwrap_or_default()
    }

    /// Forgets the longest gap, for what happens while many calls are being set up is not what is measured.
    pub(crate) fn reset_gap(&self, id: LineId) {
        self.with(id, |line| line.gap_max = Duration::ZERO);
    }

    pub(crate) fn heard(&self, id: LineId, samples: usize) -> Vec<i16> {
        self.with(id, |line| {
            let Some(ear) = &line.ear else { return Vec::new() };
            ear.heard.iter().skip(ear.heard.len().saturating_sub(samples)).copied().collect()
        })
        .unwrap_or_default()
    }

    pub(crate) fn recorded(&self, id: LineId) -> Vec<i16> {
        self.with(id, |line| line.ear.as_ref()?.recording.as_ref().map(|(samples, _)| samples.clone()))
            .flatten()
            .unwrap_or_default()
    }

    pub(crate) fn load(&self) -> HubLoad {
        self.state().load
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(socket: &UdpSocket, state: &Mutex<State>, running: &AtomicBool) {
    let start = Instant::now();
    let (mut incoming, mut outgoing) = (Batch::new(), Batch::new());
    let mut phase = 0_u64;
    while running.load(Ordering::Relaxed) {
        let due = start + PHASE * u32::try_from(phase % 1_000_000_000).unwrap_or(0);
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
        let now = Instant::now();
        let lateness = now.saturating_duration_since(due);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.load.phases += 1;
        state.load.late += u64::from(lateness > Duration::from_millis(5));
        state.load.lateness_ms_max = state.load.lateness_ms_max.max(lateness.as_secs_f32() * 1000.0);
        loop {
            let count = incoming.receive(socket);
            for index in 0..count {
                if let Some((from, bytes)) = incoming.read(index) {
                    state.hear(from, bytes, start, now);
                }
            }
            if count < crate::batch::BATCH {
                break;
            }
        }
        let at_ns = u64::try_from(now.duration_since(start).as_nanos()).unwrap_or(u64::MAX);
        state.speak((phase % PHASES) as usize, at_ns, socket, &mut outgoing);
        drop(state);
        phase += 1;
        // After a long stall (a suspended machine) what was missed is not sent in one burst.
        let behind = Instant::now().saturating_duration_since(due);
        if behind > FRAME * 10 {
            phase += u64::try_from(behind.as_nanos() / PHASE.as_nanos()).unwrap_or(0);
        }
    }
}

impl State {
    fn hear(&mut self, from: SocketAddr, bytes: &[u8], start: Instant, now: Instant) {
        let Some(line) = self.by_remote.get(&from).and_then(|id| self.lines.get_mut(id)) else { return };
        let Ok(packet) = Packet::parse(bytes) else { return };
        let at_ns = u64::try_from(now.duration_since(start).as_nanos()).unwrap_or(u64::MAX);
        line.reception.handle_packet(&packet.header, packet.payload.len(), at_ns, true);
        if let Some(last) = line.last_arrival.replace(now) {
            line.gap_max = line.gap_max.max(now - last);
        }
        if packet.header.payload_type != line.line.payload_type {
            return;
        }
        if let Some(ear) = &mut line.ear {
            ear.jitter.push(&packet.header, packet.payload, packet.payload.len() as u32, at_ns);
        }
    }

    fn speak(&mut self, phase: usize, at_ns: u64, socket: &UdpSocket, outgoing: &mut Batch) {
        let mut failed = 0;
        let mut flush = |outgoing: &mut Batch, wanted: usize| {
            let sent = outgoing.send(socket).unwrap_or(0);
            failed += wanted.saturating_sub(sent) as u64;
        };
        let mut waiting = 0;
        for id in &self.phases[phase] {
            let Some(line) = self.lines.get_mut(id) else { continue };
            line.speak(outgoing);
            line.listen(at_ns);
            waiting += 1;
            if outgoing.is_full() {
                flush(outgoing, waiting);
                waiting = 0;
            }
        }
        flush(outgoing, 0);
        self.load.send_failed += failed;
    }
}

impl LineState {
    /// The packet of this 20 ms: a key while one is down, else speech.
    fn speak(&mut self, outgoing: &mut Batch) {
        if !self.line.sends {
            self.source.pause(FRAME_SAMPLES_8K as u32);
            return;
        }
        if let Some((payload_type, event, timestamp)) = self.next_event() {
            let header = self.source.event_header(payload_type, event.marker, timestamp, event.payload.len());
            outgoing.push(self.line.remote, &header.to_bytes(), &event.payload);
            self.source.skip(FRAME_SAMPLES_8K as u32);
        } else {
            let payload = self.speech.frame(self.frame);
            let header =
                self.source.next_header(self.line.payload_type, FRAME_SAMPLES_8K as u32, payload.len());
            outgoing.push(self.line.remote, &header.to_bytes(), payload);
        }
        self.frame += 1;
    }

    fn next_event(&mut self) -> Option<(u8, EventPacket, u32)> {
        let payload_type = self.line.dtmf_payload_type?;
        if self.wait_frames > 0 {
            self.wait_frames -= 1;
            return None;
        }
        if self.pressing.is_none() {
            let key = self.keys.pop_front()?;
            match DtmfSender::new(key, KEY_UNITS, FRAME_SAMPLES_8K as u16) {
                Some(sender) => self.pressing = Some((sender, self.source.timestamp())),
                None => self.wait_frames = PAUSE_FRAMES,
            }
        }
        let (sender, timestamp) = self.pressing.as_mut()?;
        match sender.poll_packet() {
            Some(event) => Some((payload_type, event, *timestamp)),
            None => {
                self.pressing = None;
                self.wait_frames = KEY_GAP_FRAMES;
                None
            }
        }
    }

    /// Plays the next 20 ms of what has come.
    fn listen(&mut self, at_ns: u64) {
        let Some(ear) = &mut self.ear else { return };
        let mut decoded = [0; 480];
        while ear.waiting.len() < FRAME_SAMPLES_8K {
            let decoded = match ear.jitter.pull(at_ns) {
                Frame::Packet { payload, joins, .. } => {
                    let decoded = &mut decoded[..payload.len().min(480)];
                    g711::decode(self.line.law, payload, decoded);
                    if joins {
                        ear.concealer.join(decoded);
                    } else {
                        ear.concealer.good(decoded);
                    }
                    decoded
                }
                Frame::Missing { samples } => {
                    let decoded = &mut decoded[..(samples as usize).clamp(1, 480)];
                    ear.concealer.conceal(decoded);
                    decoded
                }
                Frame::Nothing => {
                    let decoded = &mut decoded[..FRAME_SAMPLES_8K];
                    decoded.fill(0);
                    decoded
                }
            };
            ear.waiting.extend(&*decoded);
        }
        let frame: Vec<i16> = ear.waiting.drain(..FRAME_SAMPLES_8K).collect();
        if let Some((recording, most)) = &mut ear.recording
            && recording.len() < *most
        {
            recording.extend(&frame);
        }
        ear.heard.extend(&frame);
        let surplus = ear.heard.len().saturating_sub(HEARD_SAMPLES);
        ear.heard.drain(..surplus);
    }
}
