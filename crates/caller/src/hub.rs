//! The media of all calls: one thread, one socket.
//!
//! Each 20 ms frame has ten phases, and each call belongs to one, so that the load on both sides is even. At each phase the
//! thread receives what has arrived, then sends for the calls of that phase. Wake-ups are computed from the start, so they
//! do not drift.

use crate::{
    CallerError,
    measure::{BurstDetector, DurationQuantiles, Durations},
    receive_path::ReceivePath,
    speech::{BURST_FRAMES, Encoded, Speech},
};
use plenary_audio::codec::Codec;
use plenary_net as net;
use plenary_rtp::{
    dtmf::{DtmfSender, Event, EventPacket},
    packet::Packet,
    source::Source,
    stats::Reception,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const PHASES: u64 = 10;
const FRAME: Duration = Duration::from_millis(20);
const FRAME_NS: u64 = 20_000_000;
/// The share of a packet's deviation that moves the grid with which later packets are compared: it follows in half a second.
const GRID_FOLLOWS: f64 = 0.04;
const PHASE: Duration = Duration::from_millis(20 / PHASES);
/// A key is pressed for 120 ms, followed by 80 ms without a key.
const KEY_FRAMES: u32 = 6;
const KEY_GAP_FRAMES: u32 = 4;
/// A turn lasts 0.5 to 5 s.
const TURN_FRAMES_MIN: u64 = 25;
const TURN_FRAMES_MAX: u64 = 250;
/// A comma among keys waits half a second.
const PAUSE_FRAMES: u32 = 25;
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024 * 1024;
/// Datagrams moved with one system call.
const BATCH: usize = 64;

type Sender = net::Sender<BATCH>;

/// Impairment of the packets that a call sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impairment {
    /// Loss: packets of 1000, 0 to 1000.
    pub loss_permille: u32,
    /// Jitter: each packet is delayed by up to this, uniformly at random, in milliseconds.
    pub jitter_ms: u32,
}

/// Statistics of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct CallStats {
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets received.
    pub received: u64,
    /// Packets lost on the way to this side, by sequence number.
    pub lost: u64,
    /// Interarrival jitter (RFC 3550, A.8) by the kernel's time stamps, in milliseconds.
    pub jitter_ms: f32,
    /// The longest time between two packets, in milliseconds.
    pub gap_ms_max: f32,
    /// The largest deviation of the received timestamps from real time, in milliseconds.
    pub clock_ms: f32,
}

/// The timeliness of the media thread: lateness here is not the other side's.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct HubLoad {
    /// Phases run.
    pub phases: u64,
    /// Phases that started more than 5 ms late.
    pub late: u64,
    /// Phases that started more than a frame, 20 ms, late: this process made a gap in what is sent and heard.
    pub behind: u64,
    /// The longest time by which a phase started late, in milliseconds.
    pub lateness_ms_max: f32,
    /// Datagrams that the system did not accept.
    pub send_failed: u64,
}

/// The negotiated stream of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) remote: SocketAddr,
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) receive_payload_type: u8,
    pub(crate) dtmf_payload_type: Option<u8>,
    /// The id of the audio level in sent packets (RFC 6464); `None`: no level.
    pub(crate) level_id: Option<u8>,
    pub(crate) sends: bool,
}

/// Signals a key as it is pressed.
pub(crate) type Signal = Box<dyn Fn(char) + Send>;

/// A key to send, or a pause.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) key: char,
    /// Its tones, where keys are sent in the audio.
    pub(crate) tones: Option<Encoded>,
}

/// Where the received audio stood as a key was sent, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyTimes {
    /// The key went down.
    pub pressed_at: u64,
    /// The key was up again.
    pub released_at: u64,
}

impl KeyTimes {
    /// Until it is known when the key is up it counts as one that was down for no time.
    fn at(position: u64) -> Self {
        Self { pressed_at: position, released_at: position }
    }
}

/// The part of a call in a measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Role {
    pub(crate) listens: bool,
    pub(crate) record_seconds: usize,
    pub(crate) impairment: Impairment,
    /// The group in which bursts measure the delay.
    pub(crate) probes: Option<u32>,
    /// It looks for the bursts of its group.
    pub(crate) looks: bool,
    /// It speaks in its turn, and sends silence otherwise.
    pub(crate) turn: Option<Turn>,
}

/// A place in a group that takes turns: one member speaks for 0.5 to 5 s, then a random one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Calls with the same number take turns.
    pub group: u32,
    /// The index of the call in its group, from 0.
    pub place: u32,
    /// The size of the group, at least 1.
    pub of: u32,
}

/// The member of a group whose turn it is, until a frame.
#[derive(Debug)]
struct Speaker {
    place: u32,
    until: u64,
    random: u64,
}

impl Speaker {
    fn new(group: u32) -> Self {
        Self { place: 0, until: 0, random: u64::from(group) }
    }

    /// Whether this member speaks in a frame. Calls must be in the order of frames.
    fn is(&mut self, turn: Turn, frame: u64) -> bool {
        while frame >= self.until {
            self.place = (draw(&mut self.random) % u64::from(turn.of.max(1))) as u32;
            let frames = TURN_FRAMES_MIN + draw(&mut self.random) % (TURN_FRAMES_MAX - TURN_FRAMES_MIN);
            self.until = self.until.max(frame) + frames;
        }
        self.place == turn.place
    }
}

/// Identifies a call in the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// By group: when its last burst was sent, in nanoseconds since the start.
    bursts: HashMap<u32, u64>,
    /// By group that takes turns.
    speakers: HashMap<u32, Speaker>,
    delays: Durations,
    /// Deviations of arrivals from the 20 ms grid of earlier ones.
    unevenness: Durations,
    held: BinaryHeap<Reverse<Held>>,
    random: u64,
}

/// A packet that the emulated impairment delays.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    due_ns: u64,
    line: LineId,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

/// A key that is down.
enum Pressing {
    /// The events of it, the timestamp of its beginning, and whether its end has been sent.
    Events(DtmfSender, u32, bool),
    /// Its tones, and how many frames of them were sent.
    Tones(Encoded, u32),
    /// It has been signalled, and is down for so many frames yet.
    Signalled(u32),
}

struct LineState {
    line: Line,
    source: Source,
    speech: Encoded,
    /// Sent when it is not its turn.
    silence: Option<Encoded>,
    frame: u64,
    keys: VecDeque<Key>,
    /// Where keys are sent by signalling: how.
    signal: Option<Signal>,
    pressing: Option<Pressing>,
    /// The last key.
    key_times: KeyTimes,
    wait_frames: u32,
    reception: Reception,
    last_arrival_ns: Option<u64>,
    /// When the next packet is due by the grid of earlier ones.
    due_ns: Option<f64>,
    gap_ns_max: u64,
    clock: Option<Clock>,
    path: Option<Box<ReceivePath>>,
    detector: Option<Box<BurstDetector>>,
    role: Role,
}

impl Hub {
    pub(crate) fn start(bind: IpAddr) -> Result<Self, CallerError> {
        let socket = UdpSocket::bind((bind, 0)).map_err(CallerError::Socket)?;
        socket.set_nonblocking(true).map_err(CallerError::Socket)?;
        net::stamp_arrivals(&socket).map_err(CallerError::Socket)?;
        // A smaller buffer suffices up to thousands of calls.
        let _ = net::grow_receive_buffer(&socket, RECEIVE_BUFFER_BYTES);
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
        // A panic of the media thread leaves no state half done that a reader depends on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, line: Line, speech: Encoded, role: Role, signal: Option<Signal>) -> LineId {
        let mut random = [0; 10];
        // Without random numbers the fixed ones serve: nothing here depends on their secrecy.
        let _ = getrandom::fill(&mut random);
        let number =
            |at: usize| u32::from_be_bytes([random[at], random[at + 1], random[at + 2], random[at + 3]]);
        let codec = line.codec;
        let path = (role.listens || role.record_seconds > 0)
            .then(|| Box::new(ReceivePath::new(codec, role.record_seconds)));
        let detector = role.probes.filter(|_| role.looks).map(|_| Box::new(BurstDetector::new(codec)));
        let mut state = self.state();
        let id = LineId(state.next);
        state.next += 1;
        state.by_remote.insert(line.remote, id);
        state.phases[phase_of(id)].push(id);
        let source = Source::new(number(0), u16::from_be_bytes([random[8], random[9]]), number(4));
        state.lines.insert(
            id,
            LineState {
                line,
                source,
                speech,
                silence: role.turn.and_then(|_| Encoded::new(&Speech::Silence, codec).ok()),
                frame: 0,
                keys: VecDeque::new(),
                signal,
                pressing: None,
                key_times: KeyTimes::default(),
                wait_frames: 0,
                reception: Reception::new(codec.clock_rate()),
                last_arrival_ns: None,
                due_ns: None,
                gap_ns_max: 0,
                clock: None,
                path,
                detector,
                role,
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
            state.phases[phase_of(id)].retain(|other| *other != id);
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

    pub(crate) fn press(&self, id: LineId, keys: Vec<Key>) {
        self.with(id, |line| line.keys.extend(keys));
    }

    /// The number of keys not sent yet, including the one being pressed.
    pub(crate) fn keys_left(&self, id: LineId) -> usize {
        self.with(id, |line| line.keys.len() + usize::from(line.pressing.is_some())).unwrap_or(0)
    }

    /// When the last key was sent.
    pub(crate) fn key_times(&self, id: LineId) -> KeyTimes {
        self.with(id, |line| line.key_times).unwrap_or_default()
    }

    /// How much audio has been received, in samples.
    pub(crate) fn position(&self, id: LineId) -> u64 {
        self.with(id, |line| line.position()).unwrap_or_default()
    }

    pub(crate) fn recorded_from(&self, id: LineId, position: u64) -> Vec<i16> {
        self.with(id, |line| line.path.as_ref()?.recorded_from(position)).flatten().unwrap_or_default()
    }

    pub(crate) fn stats(&self, id: LineId) -> CallStats {
        self.with(id, |line| CallStats {
            sent: line.source.packets(),
            received: line.reception.packets(),
            lost: line.reception.lost(),
            jitter_ms: line.reception.jitter_ms(),
            gap_ms_max: line.gap_ns_max as f32 / 1e6,
            clock_ms: line.clock.map_or(0.0, |clock| ((clock.most_ns - clock.least_ns) / 1e6) as f32),
        })
        .unwrap_or_default()
    }

    /// Discards the longest gap and the clock deviation: the time when many calls are set up is not measured.
    pub(crate) fn reset_gap(&self, id: LineId) {
        self.with(id, |line| (line.gap_ns_max, line.clock) = (0, None));
    }

    pub(crate) fn heard(&self, id: LineId, last_ms: u32) -> Vec<i16> {
        self.with(id, |line| line.path.as_ref().map(|path| path.heard(last_ms))).flatten().unwrap_or_default()
    }

    pub(crate) fn recorded(&self, id: LineId) -> Vec<i16> {
        self.with(id, |line| line.path.as_ref()?.recorded()).flatten().unwrap_or_default()
    }

    /// Discards all measurements so far.
    pub(crate) fn reset_measures(&self) {
        let mut state = self.state();
        (state.delays, state.unevenness) = (Durations::default(), Durations::default());
    }

    /// Delays of bursts, and deviations of arrivals from the 20 ms grid.
    pub(crate) fn measures(&self) -> (DurationQuantiles, DurationQuantiles) {
        let state = self.state();
        (state.delays.quantiles(), state.unevenness.quantiles())
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

fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn run(socket: &UdpSocket, state: &Mutex<State>, running: &AtomicBool) {
    // A generator that is late itself measures nothing.
    net::run_real_time();
    net::wake_precisely();
    let start = Instant::now();
    let (mut incoming, mut outgoing) = (net::Receiver::<BATCH>::new(), Sender::new());
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
        state.load.behind += u64::from(lateness > Duration::from_millis(20));
        state.load.lateness_ms_max = state.load.lateness_ms_max.max(lateness.as_secs_f32() * 1000.0);
        let (now_ns, wall_now_ns) = (start.elapsed().as_nanos() as u64, wall_ns());
        incoming.drain(socket, usize::MAX, |datagram| {
            // A stamp after `wall_now_ns` counts as now.
            let ago_ns = datagram.arrived_wall_ns.map_or(0, |stamp| wall_now_ns.saturating_sub(stamp));
            state.hear(datagram.from, datagram.bytes, now_ns.saturating_sub(ago_ns));
        });
        state.speak((phase % PHASES) as usize, phase / PHASES, start, socket, &mut outgoing);
        drop(state);
        phase += 1;
        // After a long stall (a suspended machine) the missed packets are not sent in one burst.
        let behind = Instant::now().saturating_duration_since(due);
        if behind > FRAME * 10 {
            phase += u64::try_from(behind.as_nanos() / PHASE.as_nanos()).unwrap_or(0);
        }
    }
}

/// The phase of a line within the frame. The phases of real participants are arbitrary, so these are pseudo-random; ten
/// consecutive lines have ten different ones, so that the load is even.
fn phase_of(id: LineId) -> usize {
    /// Coprime to ten.
    const STEPS: [u64; 4] = [1, 3, 7, 9];
    let (block, place) = (id.0 / PHASES, id.0 % PHASES);
    let random = (block + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    ((place * STEPS[(random % 4) as usize] + random / 4) % PHASES) as usize
}

impl State {
    fn hear(&mut self, from: SocketAddr, bytes: &[u8], at_ns: u64) {
        let Some(line) = self.by_remote.get(&from).and_then(|id| self.lines.get_mut(id)) else { return };
        let Ok(packet) = Packet::parse(bytes) else { return };
        line.reception.handle_packet(&packet.header, packet.payload.len(), at_ns, true);
        if packet.header.payload_type != line.line.receive_payload_type {
            return;
        }
        let Some(units) = line.line.codec.payload_units(packet.payload) else { return };
        if let Some(last_ns) = line.last_arrival_ns.replace(at_ns) {
            let gap_ns = at_ns.saturating_sub(last_ns);
            line.gap_ns_max = line.gap_ns_max.max(gap_ns);
        }
        let timestamp = packet.header.timestamp;
        line.clock.get_or_insert(Clock::new(timestamp, at_ns)).note(
            timestamp,
            line.line.codec.clock_rate(),
            at_ns,
        );
        let off_ns = line.due_ns.map_or(0.0, |due_ns| at_ns as f64 - due_ns);
        if packet.header.marker || off_ns.abs() > 1e9 {
            line.due_ns = None;
        } else if line.due_ns.is_some() {
            self.unevenness.add(off_ns.abs() as u64);
        }
        let due_ns = line.due_ns.unwrap_or(at_ns as f64);
        line.due_ns = Some(due_ns + off_ns * GRID_FOLLOWS + FRAME_NS as f64);
        if let Some(detector) = &mut line.detector
            && detector.hears(packet.payload)
            && let Some(sent_ns) = line.role.probes.and_then(|group| self.bursts.get(&group))
        {
            self.delays.add(at_ns.saturating_sub(*sent_ns));
        }
        if let Some(path) = &mut line.path {
            path.jitter.push(&packet.header, packet.payload, units, at_ns);
        }
    }

    fn speak(&mut self, phase: usize, frame: u64, start: Instant, socket: &UdpSocket, outgoing: &mut Sender) {
        let mut failed = 0;
        let mut flush = |outgoing: &mut Sender, wanted: usize| {
            let sent = outgoing.send(socket).unwrap_or(0);
            failed += wanted.saturating_sub(sent) as u64;
        };
        let mut waiting = 0;
        let now_ns = start.elapsed().as_nanos() as u64;
        while let Some(Reverse(held)) = self.held.peek()
            && held.due_ns <= now_ns
        {
            let Some(Reverse(held)) = self.held.pop() else { break };
            if let Some(line) = self.lines.get(&held.line) {
                outgoing.push(line.line.remote, &held.bytes, &[]);
                waiting += 1;
            }
            if outgoing.is_full() {
                flush(outgoing, std::mem::take(&mut waiting));
            }
        }
        for id in &self.phases[phase] {
            let Some(line) = self.lines.get_mut(id) else { continue };
            if line.speech.burst.is_some() {
                // All lines use one clock, so that their bursts stay apart.
                line.frame = frame;
            }
            let is_silent = line.role.turn.is_some_and(|turn| {
                let speaker = self.speakers.entry(turn.group).or_insert_with(|| Speaker::new(turn.group));
                !speaker.is(turn, frame)
            });
            let is_burst =
                !is_silent && line.speech.burst.is_some_and(|place| line.frame % BURST_FRAMES == place);
            if line.role.impairment == Impairment::default() {
                line.speak(is_silent, |to, header, payload| outgoing.push(to, header, payload));
                waiting += 1;
            } else {
                let impairment = line.role.impairment;
                let (held, random) = (&mut self.held, &mut self.random);
                line.speak(is_silent, |_, header, payload| {
                    if draw(random) % 1000 < u64::from(impairment.loss_permille) {
                        return;
                    }
                    let late_ns = draw(random) % (u64::from(impairment.jitter_ms) * 1_000_000 + 1);
                    let bytes = [header, payload].concat();
                    held.push(Reverse(Held { due_ns: now_ns + late_ns, line: *id, bytes }));
                });
            }
            if is_burst && let Some(group) = line.role.probes {
                // A burst must not wait for later packets.
                flush(outgoing, std::mem::take(&mut waiting));
                self.bursts.insert(group, start.elapsed().as_nanos() as u64);
            }
            if let Some(path) = &mut line.path {
                path.listen(now_ns);
            }
            if outgoing.is_full() {
                flush(outgoing, std::mem::take(&mut waiting));
            }
        }
        flush(outgoing, waiting);
        self.load.send_failed += failed;
    }
}

/// SplitMix64: small and repeatable.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// The deviation of a stream's timestamps from real time.
#[derive(Debug, Clone, Copy)]
struct Clock {
    first: (u32, u64),
    least_ns: f64,
    most_ns: f64,
}

impl Clock {
    fn new(timestamp: u32, at_ns: u64) -> Self {
        Self { first: (timestamp, at_ns), least_ns: 0.0, most_ns: 0.0 }
    }

    fn note(&mut self, timestamp: u32, clock_rate: u32, at_ns: u64) {
        let (first, first_ns) = self.first;
        let media_ns = f64::from(timestamp.wrapping_sub(first) as i32) * 1e9 / f64::from(clock_rate);
        let ahead_ns = media_ns - (at_ns as f64 - first_ns as f64);
        (self.least_ns, self.most_ns) = (self.least_ns.min(ahead_ns), self.most_ns.max(ahead_ns));
    }
}

/// What a line sends in a frame in which a key is down.
enum KeyFrame {
    /// This event instead of audio.
    Event(u8, EventPacket, u32),
    /// This frame of the tones instead of speech.
    Tones(u32),
}

impl LineState {
    /// Sends the packet of this frame: a key while one is pressed, otherwise speech.
    fn speak(&mut self, is_silent: bool, mut send: impl FnMut(SocketAddr, &[u8], &[u8])) {
        let units = self.line.codec.clock_rate() / 50;
        if !self.line.sends {
            self.source.pause(units);
            return;
        }
        let key = self.next_key();
        if let Some(KeyFrame::Event(payload_type, event, timestamp)) = key {
            let header = self.source.event_header(payload_type, event.marker, timestamp, event.payload.len());
            send(self.line.remote, &header.to_bytes(), &event.payload);
            self.source.skip(units);
        } else {
            let tones = match (&key, &self.pressing) {
                (Some(KeyFrame::Tones(frame)), Some(Pressing::Tones(tones, _))) => Some((tones, *frame)),
                _ => None,
            };
            let speech = self.silence.as_ref().filter(|_| is_silent).unwrap_or(&self.speech);
            let (speech, frame) =
                tones.map_or((speech, self.frame), |(tones, frame)| (tones, u64::from(frame)));
            let payload = speech.frame(frame);
            let header = self.source.next_header(self.line.payload_type, units, payload.len());
            match self.line.level_id {
                None => send(self.line.remote, &header.to_bytes(), payload),
                Some(id) => {
                    let level = speech.level(frame);
                    send(self.line.remote, &level.header_bytes(&header, id), payload);
                }
            }
        }
        self.frame += 1;
    }

    fn position(&self) -> u64 {
        self.path.as_ref().map_or(0, |path| path.position())
    }

    /// The next frame of the key that is down, or of the next one.
    fn next_key(&mut self) -> Option<KeyFrame> {
        if self.wait_frames > 0 {
            self.wait_frames -= 1;
            return None;
        }
        if self.pressing.is_none() {
            let key = self.keys.pop_front()?;
            self.pressing = self.press(key);
            match self.pressing {
                Some(_) => self.key_times = KeyTimes::at(self.position()),
                None => self.wait_frames = PAUSE_FRAMES,
            }
        }
        let (position, frame_samples) = (self.position(), self.line.codec.rate().frame() as u64);
        let frame = match self.pressing.as_mut()? {
            Pressing::Events(sender, timestamp, is_up) => sender.poll_packet().and_then(|event| {
                // The end is sent three times: the key is up with the first.
                let is_end = Event::parse(&event.payload).is_some_and(|event| event.end);
                if is_end && !std::mem::replace(is_up, true) {
                    self.key_times.released_at = position;
                }
                Some(KeyFrame::Event(self.line.dtmf_payload_type?, event, *timestamp))
            }),
            Pressing::Tones(_, sent) => (*sent < KEY_FRAMES).then(|| {
                *sent += 1;
                self.key_times.released_at = position + frame_samples;
                KeyFrame::Tones(*sent - 1)
            }),
            Pressing::Signalled(left) => {
                if *left > 0 {
                    *left -= 1;
                    return None;
                }
                None
            }
        };
        if frame.is_none() {
            self.pressing = None;
            self.wait_frames = KEY_GAP_FRAMES;
        }
        frame
    }

    /// Presses a key; `None`: it is a pause.
    fn press(&self, Key { key, tones }: Key) -> Option<Pressing> {
        if let Some(tones) = tones {
            return Some(Pressing::Tones(tones, 0));
        }
        if let Some(signal) = &self.signal {
            plenary_rtp::dtmf::code_of(key)?;
            signal(key);
            return Some(Pressing::Signalled(KEY_FRAMES));
        }
        self.line.dtmf_payload_type?;
        let units = (self.line.codec.clock_rate() / 50) as u16;
        let sender = DtmfSender::new(key, units * KEY_FRAMES as u16, units)?;
        Some(Pressing::Events(sender, self.source.timestamp(), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_of_a_group_speaks_at_a_time_and_each_in_turn() {
        const OF: u32 = 3;
        let mut speaker = Speaker::new(7);
        let (mut turns, mut spoken) = (Vec::new(), [0; OF as usize]);
        for frame in 0..50_000 {
            let speaks: Vec<u32> =
                (0..OF).filter(|place| speaker.is(Turn { group: 7, place: *place, of: OF }, frame)).collect();
            let [place] = speaks[..] else { panic!("{speaks:?} speak") };
            spoken[place as usize] += 1;
            match turns.last_mut() {
                Some((last, frames)) if *last == place => *frames += 1,
                _ => turns.push((place, 1)),
            }
        }
        assert!(spoken.iter().all(|frames| *frames > 10_000), "{spoken:?}");
        turns.pop();
        assert!(turns.iter().all(|(_, frames)| *frames >= TURN_FRAMES_MIN), "{turns:?}");
    }

    #[test]
    fn a_surplus_packet_is_a_deviation_of_20_ms() {
        let mut clock = Clock::new(4_294_967_000, 500_000_000);
        for packet in 0..100_u64 {
            let is_ahead = u64::from(packet >= 50);
            let timestamp = 4_294_967_000_u32.wrapping_add(160 * (packet + is_ahead) as u32);
            clock.note(timestamp, 8000, 500_000_000 + packet * FRAME_NS);
        }
        assert!((clock.most_ns - clock.least_ns - 20e6).abs() < 1.0, "{clock:?}");
    }
}
