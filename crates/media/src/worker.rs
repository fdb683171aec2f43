//! A worker thread: gives its rooms the time and their packets, and sends what they produce.
//!
//! Rooms are spread over twenty phases of the 20 ms frame, so that packets leave evenly rather than all at once. Each
//! phase has an absolute time for its next tick, so lateness never adds up: a late tick is followed by the next at its own
//! time. After a stall of up to 100 ms the missed ticks are caught up, so listeners lose nothing; after a longer one they
//! are skipped.
//!
//! A panic in one room ends that room only.

use crate::{
    CallStats, MediaCallId, MediaEvent, OnMove, RoomId, RtcpReport,
    command::{Arrival, PlayTarget, WorkerCommand},
    departure::{self, Departures},
    dtls::HandshakeQueue,
    event_queue::EventQueue,
    load::{LoadCells, PlaneCounts},
    loader::Job,
    ports::{Channel, PortDatagram, PortKey, PortPair, PortRead, Ports},
    room::{FRAME_NS, MemberKey, MixRoom, Outbox, PacketRoute, Playback, RoomDatagram, Settings, Tick},
    route::CommandRouter,
};
use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tracing::error;

/// Phases of a frame over which rooms are spread: 1 ms each, by up to which a talker waits longer than with a room that
/// could tick at any time.
const PHASES: usize = 20;
/// Time between phases.
const PHASE_NS: u64 = FRAME_NS / PHASES as u64;
/// Room members that a phase may always have. Beyond that no phase gets more than twice its share, so that load stays
/// even.
const PHASE_MEMBERS_ALWAYS: usize = 200;
/// Missed ticks that are caught up after a stall; beyond that they are skipped.
const TICKS_CAUGHT_UP_MAX: u64 = 5;
/// RTCP may wait: its sockets are read five times a second, a few at each tick. The kernel stamps arrivals.
const TICKS_PER_RTCP: usize = 10;
/// On the fast path for silence they are read once a second: no handshake is about to begin there.
const ROUNDS_PER_RTCP_ON_FAST_PATH: usize = 5;
/// Commands carried out between two ticks.
const COMMANDS_MAX: usize = 256;
/// The monotonic clock does not begin at zero, so that times before its beginning are positive.
const CLOCK_BEGINS_NS: u64 = 1_000_000_000_000;
/// At its end a worker waits this long for a call that another worker, itself ending, is about to pass to it.
const ARRIVAL_AT_END: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Phase {
    next_ns: u64,
    ticks: u64,
    departures: Departures,
    /// Boxed, because every phase reserves a place for each room.
    #[allow(clippy::vec_box)]
    rooms: Vec<Box<MixRoom>>,
}

/// The sockets of a member, with the index of its room among those that tick together.
type MemberPort = PortRead<(usize, MemberKey)>;

/// The room of a call, and its key there.
#[derive(Debug, Clone, Copy)]
struct CallLocation {
    room: RoomId,
    key: MemberKey,
}

/// A call that moves to another room, after the next tick of its own.
#[derive(Debug)]
struct PendingMove {
    call: MediaCallId,
    room: RoomId,
    /// The worker of that room, if it is another one.
    worker: Option<usize>,
    playing: OnMove,
}

/// The state of a worker thread.
#[derive(Debug)]
pub(crate) struct Worker {
    settings: Settings,
    commands: Receiver<WorkerCommand>,
    events: EventQueue,
    router: CommandRouter,
    loader: Sender<Job>,
    load: Arc<LoadCells>,
    ports: Ports,
    phases: [Phase; PHASES],
    phase_of: HashMap<RoomId, usize>,
    locations: HashMap<MediaCallId, CallLocation>,
    /// Calls that leave their rooms, each once.
    moves: Vec<PendingMove>,
    /// Calls that arrive from other workers, with the commands that wait for them. It takes some milliseconds, so the
    /// queues have no bound.
    expected: HashMap<MediaCallId, VecDeque<WorkerCommand>>,
    outbox: Outbox,
    /// The sockets of the rooms that tick.
    member_ports: Vec<MemberPort>,
    /// Those of them whose RTCP is read in this tick.
    rtcp_ports: Vec<MemberPort>,
    /// By room of those that tick: it has failed.
    broken: Vec<bool>,
    /// Indices of datagrams that the system did not accept.
    failed: Vec<usize>,
    began: Instant,
    /// The thread of DTLS handshakes.
    dtls: Option<HandshakeQueue>,
    /// The tracer of calls.
    rtcp: Option<SyncSender<RtcpReport>>,
}

impl Worker {
    /// `began` is the start of all workers' clock. `offset_ns` shifts this worker's ticks relative to those of others.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        settings: Settings,
        commands: Receiver<WorkerCommand>,
        events: EventQueue,
        router: CommandRouter,
        loader: Sender<Job>,
        load: Arc<LoadCells>,
        began: Instant,
        offset_ns: u64,
        dtls: Option<HandshakeQueue>,
        rtcp: Option<SyncSender<RtcpReport>>,
    ) -> Self {
        let phases = std::array::from_fn(|phase| Phase {
            next_ns: CLOCK_BEGINS_NS + offset_ns + phase as u64 * (FRAME_NS / PHASES as u64),
            ticks: 0,
            departures: Departures::default(),
            rooms: Vec::new(),
        });
        Self {
            settings,
            commands,
            events,
            router,
            loader,
            load,
            ports: Ports::new(),
            phases,
            phase_of: HashMap::new(),
            locations: HashMap::new(),
            moves: Vec::new(),
            expected: HashMap::new(),
            outbox: Outbox::default(),
            member_ports: Vec::new(),
            rtcp_ports: Vec::new(),
            broken: Vec::new(),
            failed: Vec::new(),
            began,
            dtls,
            rtcp,
        }
    }

    /// Runs until [`WorkerCommand::Shutdown`], or until the last sender of commands is gone.
    pub(crate) fn run(mut self) {
        plenary_net::wake_precisely();
        plenary_net::run_before_others();
        self.ports.use_ring();
        'run: loop {
            for _ in 0..COMMANDS_MAX {
                match self.commands.try_recv() {
                    Ok(WorkerCommand::Shutdown) | Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                        break 'run;
                    }
                    Ok(command) => self.carry_out(command),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                }
            }
            self.events.flush();
            let Some(phase) = self.next_phase() else {
                match self.commands.recv() {
                    Ok(WorkerCommand::Shutdown) | Err(_) => break 'run,
                    Ok(command) => self.carry_out(command),
                }
                continue;
            };
            let wait_ns = self.phases[phase].next_ns.saturating_sub(self.now_ns());
            if wait_ns == 0 {
                self.tick(phase);
                continue;
            }
            match self.commands.recv_timeout(Duration::from_nanos(wait_ns)) {
                Ok(WorkerCommand::Shutdown) | Err(RecvTimeoutError::Disconnected) => break 'run,
                Ok(command) => self.carry_out(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.end_moves();
        let calls: Vec<_> = self.locations.keys().copied().collect();
        calls.into_iter().for_each(|call| self.close(call));
        self.events.flush();
    }

    fn now_ns(&self) -> u64 {
        CLOCK_BEGINS_NS + self.began.elapsed().as_nanos() as u64
    }

    fn time(&self) -> Tick {
        Tick { now_ns: self.now_ns(), wall_ns: wall_ns() }
    }

    /// The phase whose tick is due first.
    fn next_phase(&self) -> Option<usize> {
        let busy = self.phases.iter().enumerate().filter(|(_, phase)| !phase.rooms.is_empty());
        busy.min_by_key(|(_, phase)| phase.next_ns).map(|(index, _)| index)
    }

    fn carry_out(&mut self, command: WorkerCommand) {
        if !self.expected.is_empty() {
            if let WorkerCommand::StopPlay { id } = command {
                // A call on its way may bring that playback.
                let waiting = self.expected.values_mut();
                waiting.for_each(|waiting| waiting.push_back(WorkerCommand::StopPlay { id }));
            }
            if let Some(waiting) = command.call().and_then(|call| self.expected.get_mut(&call)) {
                return waiting.push_back(command);
            }
        }
        match command {
            WorkerCommand::Open { call, room, pair, seed } => self.open(call, room, pair, seed),
            WorkerCommand::SetStream { call, params } => {
                let time = self.time();
                let mut port = None;
                self.with_member(call, |room, key, _| {
                    room.set_stream(key, *params, time);
                    port = room.port(key);
                });
                if let Some(port) = port {
                    self.ports.disconnect(port);
                }
            }
            WorkerCommand::SetVoice { call, speaks, listens } => {
                self.with_member(call, |room, key, out| room.set_voice(key, speaks, listens, out));
            }
            WorkerCommand::SetProcessing { call, processing } => {
                self.with_member(call, |room, key, _| room.set_processing(key, processing));
            }
            WorkerCommand::SetInbandDtmf { call, inband } => {
                self.with_member(call, |room, key, _| room.set_inband_dtmf(key, inband));
            }
            WorkerCommand::SetVolume { call, volume } => {
                self.with_member(call, |room, key, _| room.set_volume(key, volume));
            }
            WorkerCommand::Hold { call, music } => {
                self.with_member(call, |room, key, _| room.hold(key, music.map(|music| *music)));
            }
            WorkerCommand::HeardBy { call, coaching } => {
                self.with_member(call, |room, key, _| room.set_heard_by(key, coaching));
            }
            WorkerCommand::Record { call, recorder } => {
                self.with_member(call, |room, key, out| room.record(key, recorder, out));
                self.send_recordings();
            }
            WorkerCommand::EndRecording { call } => {
                self.with_member(call, MixRoom::end_recording);
                self.send_recordings();
            }
            WorkerCommand::RecordRoom { room, tap } => {
                // Without a room the feed is dropped, which ends the recording.
                self.with_room(room, |room, _| room.add_tap(*tap));
            }
            WorkerCommand::PauseRoomRecording { room, id, is_paused } => {
                self.with_room(room, |room, _| room.pause_tap(id, is_paused));
            }
            WorkerCommand::EndRoomRecording { room, id } => {
                self.with_room(room, |room, _| room.remove_tap(id));
            }
            WorkerCommand::Report { call, event } => {
                if self.locations.contains_key(&call) {
                    self.events.push(event);
                }
            }
            WorkerCommand::Play { to, playback } => self.play(to, *playback),
            WorkerCommand::StopPlay { id } => {
                for room in self.phases.iter_mut().flat_map(|phase| &mut phase.rooms) {
                    room.stop_play(id);
                }
            }
            WorkerCommand::PressKey { call, key: pressed } => {
                let time = self.time();
                self.with_member(call, |room, key, out| room.press_key(key, pressed, time, out));
            }
            WorkerCommand::Move { call, room, worker, playing } => {
                self.begin_move(PendingMove { call, room, worker, playing });
            }
            WorkerCommand::Expect { call } => drop(self.expected.insert(call, VecDeque::new())),
            WorkerCommand::Arrive { call, room, arrival } => self.arrive(call, room, arrival),
            WorkerCommand::Close { call } => self.close(call),
            WorkerCommand::Stats { call, answer } => {
                let mut stats = None;
                self.with_member(call, |room, key, _| stats = room.stats(key));
                if let Some(stats) = stats {
                    // The requester may have stopped waiting.
                    let _ = answer.send(stats);
                }
            }
            WorkerCommand::CutOff { call } => {
                self.with_member(call, |room, key, _| room.cut_off(key));
            }
            WorkerCommand::DtlsClosed { call } => {
                if self.locations.contains_key(&call) {
                    self.events.push(MediaEvent::PeerClosed { call });
                }
            }
            WorkerCommand::SendDtls { call, channel, bytes } => self.send_dtls(call, channel, &bytes),
            WorkerCommand::SetKeys { call, channel, keys } => {
                let time = self.time();
                self.with_member(call, |room, key, _| room.set_keys(key, channel, &keys.0, &keys.1, time));
            }
            // `run` has handled it.
            WorkerCommand::Shutdown => {}
            #[cfg(test)]
            WorkerCommand::Fail { room } => {
                if let Some(room) = self.room_mut(room) {
                    room.fails = true;
                }
            }
        }
    }

    fn room_mut(&mut self, room: RoomId) -> Option<&mut MixRoom> {
        let phase = *self.phase_of.get(&room)?;
        self.phases[phase].rooms.iter_mut().map(|room| &mut **room).find(|candidate| candidate.id == room)
    }

    /// Calls `act` for a member. False: the call has ended.
    fn with_member(
        &mut self,
        call: MediaCallId,
        act: impl FnOnce(&mut MixRoom, MemberKey, &mut Outbox),
    ) -> bool {
        let Some(CallLocation { room, key }) = self.locations.get(&call).copied() else { return false };
        self.with_room(room, |room, outbox| act(room, key, outbox))
    }

    /// Calls `act` for a room, and sends its events. False: the room does not exist, or has failed.
    fn with_room(&mut self, id: RoomId, act: impl FnOnce(&mut MixRoom, &mut Outbox)) -> bool {
        let mut outbox = std::mem::take(&mut self.outbox);
        let Some(room) = self.room_mut(id) else {
            self.outbox = outbox;
            return false;
        };
        // What a panic leaves half done is discarded: the whole room, and the outbox.
        let result = catch_unwind(AssertUnwindSafe(|| act(room, &mut outbox)));
        if result.is_err() {
            self.give_up(id);
            return false;
        }
        self.outbox = outbox;
        self.send_events();
        true
    }

    fn open(&mut self, call: MediaCallId, room: RoomId, pair: PortPair, seed: u64) {
        let port = self.ports.insert(pair);
        self.enter(call, room, |room| room.add(call, port, seed));
    }

    /// A call moves right after a tick, so that its next packet leaves when the new room ticks next, or the time after.
    fn begin_move(&mut self, begun: PendingMove) {
        if !self.locations.contains_key(&begun.call) {
            return self.cancel_move(&begun);
        }
        self.moves.retain(|pending| pending.call != begun.call);
        self.moves.push(begun);
    }

    /// The call has ended: it need not be awaited.
    fn cancel_move(&self, begun: &PendingMove) {
        if let Some(worker) = begun.worker {
            let _ = self
                .router
                .send(worker, WorkerCommand::Arrive { call: begun.call, room: begun.room, arrival: None });
        }
    }

    /// Moves the calls that leave the rooms of a phase, which has ticked.
    fn carry_out_moves(&mut self, index: usize, time: Tick) {
        let mut place = 0;
        while let Some(pending) = self.moves.get(place) {
            let room = self.locations.get(&pending.call).map(|location| location.room);
            let mut rooms = self.phases[index].rooms.iter();
            // The call of a room that failed has no location.
            let has_ticked = room.is_none_or(|room| rooms.any(|its| its.id == room && its.is_due(time)));
            if has_ticked {
                let pending = self.moves.swap_remove(place);
                self.carry_out_move(&pending, time);
            } else {
                place += 1;
            }
        }
    }

    fn carry_out_move(&mut self, pending: &PendingMove, time: Tick) {
        let Some(location) = self.locations.remove(&pending.call) else { return self.cancel_move(pending) };
        let (mut moving, mut is_empty) = (None, false);
        self.with_room(location.room, |room, _| {
            moving = room.port(location.key).zip(room.take_out(location.key, pending.playing, time));
            is_empty = room.is_empty();
        });
        if is_empty {
            self.remove_room(location.room);
        }
        self.load.set_calls(self.locations.len());
        let Some((port, member)) = moving else { return self.cancel_move(pending) };
        match pending.worker {
            None => self.enter(pending.call, pending.room, |room| room.take_in(member, port)),
            Some(worker) => {
                let Some(pair) = self.ports.take(port) else { return self.cancel_move(pending) };
                let arrival = Some(Box::new(Arrival { member, pair }));
                let arrive = WorkerCommand::Arrive { call: pending.call, room: pending.room, arrival };
                if let Err(WorkerCommand::Arrive { call, arrival: Some(arrival), .. }) =
                    self.router.send(worker, arrive)
                {
                    // That worker has ended.
                    let stats = Box::new(arrival.member.stats());
                    self.events.push(MediaEvent::Closed { call, stats });
                }
            }
        }
    }

    /// A call comes from another worker, or has ended on its way.
    fn arrive(&mut self, call: MediaCallId, room: RoomId, arrival: Option<Box<Arrival>>) {
        let waiting = self.expected.remove(&call).unwrap_or_default();
        if let Some(arrival) = arrival {
            let Arrival { member, pair } = *arrival;
            let port = self.ports.insert(pair);
            self.enter(call, room, |room| room.take_in(member, port));
        }
        waiting.into_iter().for_each(|command| self.carry_out(command));
    }

    /// Adds a call to a room, which begins with its first call.
    fn enter(&mut self, call: MediaCallId, room: RoomId, add: impl FnOnce(&mut MixRoom) -> MemberKey) {
        if !self.phase_of.contains_key(&room) {
            self.add_room(room);
        }
        if let Some(found) = self.room_mut(room) {
            let key = add(found);
            self.locations.insert(call, CallLocation { room, key });
            self.load.set_calls(self.locations.len());
        }
    }

    /// Passes on the calls that are about to leave, and waits for those that are about to come, so that each is closed.
    fn end_moves(&mut self) {
        let time = self.time();
        while !self.moves.is_empty() || !self.expected.is_empty() {
            while let Some(pending) = self.moves.pop() {
                self.carry_out_move(&pending, time);
            }
            if self.expected.is_empty() {
                return;
            }
            match self.commands.recv_timeout(ARRIVAL_AT_END) {
                Ok(command) => self.carry_out(command),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A new room goes into the phase with the fewest rooms.
    fn add_room(&mut self, id: RoomId) {
        let now_ns = self.now_ns();
        let fewest = (0..PHASES).min_by_key(|phase| self.phases[*phase].rooms.len()).unwrap_or(0);
        let phase = &mut self.phases[fewest];
        if phase.rooms.is_empty() {
            // The time of an empty phase does not advance.
            let missed = (now_ns + FRAME_NS).saturating_sub(phase.next_ns) / FRAME_NS;
            phase.next_ns += missed * FRAME_NS;
        }
        phase.rooms.push(Box::new(MixRoom::new(id, self.settings)));
        self.phase_of.insert(id, fewest);
        // Rooms move between phases without allocating: each phase has a place for every room.
        let rooms = self.phase_of.len();
        for phase in &mut self.phases {
            phase.rooms.reserve(rooms.saturating_sub(phase.rooms.len()));
        }
    }

    fn remove_room(&mut self, id: RoomId) -> Option<Box<MixRoom>> {
        let phase = self.phase_of.remove(&id)?;
        let rooms = &mut self.phases[phase].rooms;
        let index = rooms.iter().position(|room| room.id == id)?;
        Some(rooms.swap_remove(index))
    }

    /// Plays something, unless its listener has hung up since it was asked for.
    fn play(&mut self, to: PlayTarget, playback: Playback) {
        match to {
            PlayTarget::Call(call) => self.with_member(call, |room, key, _| room.play_to(key, playback)),
            PlayTarget::Room { room, except } => {
                let except =
                    except.and_then(|call| self.locations.get(&call)).filter(|place| place.room == room);
                let except = except.map(|place| place.key);
                self.with_room(room, |room, _| room.play(playback, except))
            }
        };
    }

    fn send_dtls(&mut self, call: MediaCallId, channel: Channel, bytes: &[u8]) {
        let mut found = None;
        self.with_member(call, |room, key, _| {
            found = room.port(key).zip(room.dtls_destination(key, channel))
        });
        if let Some((port, to)) = found {
            // The handshake retransmits lost datagrams.
            let datagram = PortDatagram { port, channel, to, is_settled: false, bytes };
            self.ports.send(std::iter::once(datagram), |_| {});
        }
    }

    fn close(&mut self, call: MediaCallId) {
        let Some(place) = self.locations.get(&call).copied() else { return };
        let time = self.time();
        let (mut port, mut stats, mut is_empty) = (None, None, false);
        self.with_room(place.room, |room, outbox| {
            port = room.port(place.key);
            stats = room.remove(place.key, time, outbox);
            is_empty = room.is_empty();
        });
        if let Some(port) = port {
            let goodbyes = self.outbox.datagrams().map(port_datagram);
            // A BYE that cannot be sent has no one to reach.
            self.ports.send(goodbyes, |_| {});
            self.outbox.clear_datagrams();
            self.ports.remove(port);
        }
        if is_empty {
            self.remove_room(place.room);
        }
        self.locations.remove(&call);
        self.load.set_calls(self.locations.len());
        if let Some(stats) = stats {
            self.events.push(MediaEvent::Closed { call, stats: Box::new(stats) });
        }
    }

    fn send_events(&mut self) {
        for event in self.outbox.drain_events() {
            self.events.push(event);
        }
        self.send_counts();
    }

    /// Adds what calls have counted, and shows their reports.
    fn send_counts(&mut self) {
        let counts = std::mem::take(&mut self.outbox.counts);
        if counts != PlaneCounts::default() {
            self.load.add_counts(&counts);
        }
        for report in self.outbox.drain_reports() {
            // Where the reader is too slow it misses something; the thread does not wait.
            if let Some(rtcp) = &self.rtcp {
                let _ = rtcp.try_send(report);
            }
        }
    }

    /// Has recordings that have ended prepared for playing.
    fn send_recordings(&mut self) {
        for (call, recorder) in self.outbox.drain_recordings() {
            let _ = self.loader.send(Job::Recorded { call, recorder });
        }
    }

    fn tick(&mut self, index: usize) {
        let began_ns = self.now_ns();
        let wall_ns = wall_ns();
        let phase = &mut self.phases[index];
        let late_ns = began_ns.saturating_sub(phase.next_ns);
        let behind = late_ns / FRAME_NS;
        if behind > TICKS_CAUGHT_UP_MAX {
            for room in &mut phase.rooms {
                room.skip(behind as u32);
            }
            phase.next_ns += behind * FRAME_NS;
            self.load.add_skipped(behind * phase.rooms.len() as u64);
        }
        // Rooms go by the time at which the tick was due: a late thread is no jitter of the network.
        let due_ns = phase.next_ns;
        let time = Tick { now_ns: due_ns, wall_ns: wall_ns.saturating_sub(began_ns - due_ns) };
        phase.next_ns += FRAME_NS;
        phase.ticks += 1;
        let rooms = phase.rooms.len() as u64;
        self.tick_rooms(index, time);
        self.send_events();
        for (call, channel, bytes) in self.outbox.drain_dtls() {
            if let Some(dtls) = &self.dtls {
                dtls.take(call, channel, bytes);
            }
        }
        self.send_recordings();
        if !self.moves.is_empty() {
            self.carry_out_moves(index, time);
        }
        self.move_rooms(index, time);
        self.load.add_ticks(rooms, late_ns, self.now_ns() - began_ns);
    }

    /// A tick of all rooms of a phase: receive, mix, send. They go together, so that small rooms share system calls.
    fn tick_rooms(&mut self, index: usize, time: Tick) {
        let Self { phases, ports, outbox, member_ports, rtcp_ports, broken, failed, began, .. } = self;
        let Phase { rooms, ticks, departures, .. } = &mut phases[index];
        member_ports.clear();
        for (place, room) in rooms.iter().enumerate().filter(|(_, room)| room.is_due(time)) {
            member_ports.extend(room.ports().iter().map(|(key, port)| PortRead {
                key: (place, *key),
                port: *port,
                is_unstamped: room.may_be_unmeasured(*key),
            }));
        }
        rtcp_ports.clear();
        let turn = *ticks as usize % TICKS_PER_RTCP;
        let round = *ticks as usize / TICKS_PER_RTCP;
        let in_turn = member_ports.iter().skip(turn).step_by(TICKS_PER_RTCP).enumerate();
        let in_round = in_turn.filter(|(place, member)| {
            !member.is_unstamped || (place + round).is_multiple_of(ROUNDS_PER_RTCP_ON_FAST_PATH)
        });
        rtcp_ports.extend(in_round.map(|(_, member)| *member));
        broken.clear();
        broken.resize(rooms.len(), false);

        ports.drain(member_ports, Channel::Rtp, |(place, key), datagram| {
            let measured_ns = || arrival_ns(datagram.arrived_wall_ns, time);
            let arrival_ns = if datagram.is_unstamped { None } else { Some(measured_ns()) };
            in_room(rooms, broken, place, outbox, |room, outbox| {
                room.handle_rtp(key, datagram.from, datagram.bytes, arrival_ns, time, outbox)
            })
            .unwrap_or(false)
        });
        ports.drain(rtcp_ports, Channel::Rtcp, |(place, key), datagram| {
            let arrival_ns = arrival_ns(datagram.arrived_wall_ns, time);
            in_room(rooms, broken, place, outbox, |room, outbox| {
                room.handle_rtcp(key, datagram.from, datagram.bytes, arrival_ns, time, outbox);
            })
            .is_some()
        });
        for place in 0..rooms.len() {
            if !rooms[place].is_due(time) {
                continue;
            }
            in_room(rooms, broken, place, outbox, |room, outbox| room.tick(time, outbox));
        }
        failed.clear();
        if departures.begin(outbox.len()) {
            let mut datagrams = outbox.datagrams().peekable();
            for group in 0.. {
                if datagrams.peek().is_none() {
                    break;
                }
                let now_ns = CLOCK_BEGINS_NS + began.elapsed().as_nanos() as u64;
                let hold_ns = departures.hold_ns(group, now_ns.saturating_sub(time.now_ns));
                if hold_ns > 0 {
                    std::thread::sleep(Duration::from_nanos(hold_ns));
                }
                let first = group * departure::GROUP;
                let of_group = datagrams.by_ref().take(departure::GROUP);
                ports.send(of_group.map(port_datagram), |number| failed.push(first + number));
            }
        } else {
            ports.send(outbox.datagrams().map(port_datagram), |number| failed.push(number));
        }
        for number in failed {
            if let Some(datagram) = outbox.datagrams().nth(*number) {
                rooms[datagram.room].handle_send_error(datagram.route.member);
            }
        }
        outbox.clear_datagrams();

        let places = rooms.iter().zip(broken).filter(|(_, broken)| **broken);
        let gone: Vec<RoomId> = places.map(|(room, _)| room.id).collect();
        gone.into_iter().for_each(|room| self.give_up(room));
    }

    /// A packet waits for its room's next tick. If talkers wait less at another phase, the room moves there, one phase at a
    /// time: listeners get one packet 1 ms early or late.
    fn move_rooms(&mut self, index: usize, time: Tick) {
        let members: usize = self.phases.iter().flat_map(|phase| &phase.rooms).map(|room| room.len()).sum();
        let most = members / PHASES * 2 + PHASE_MEMBERS_ALWAYS;
        let mut place = 0;
        while place < self.phases[index].rooms.len() {
            let room = &mut self.phases[index].rooms[place];
            let sooner = if room.is_due(time) { room.phases_sooner(time, PHASE_NS) } else { 0 };
            let to = (index as i32 - sooner).rem_euclid(PHASES as i32) as usize;
            let there: usize = self.phases[to].rooms.iter().map(|room| room.len()).sum();
            // A room that moves to an empty phase leaves the load as even as before, however large it is.
            let is_too_much = there > 0 && there + self.phases[index].rooms[place].len() > most;
            if to == index || is_too_much {
                place += 1;
                continue;
            }
            let next_ns =
                self.phases[index].next_ns.saturating_add_signed(i64::from(-sooner) * PHASE_NS as i64);
            let mut room = self.phases[index].rooms.swap_remove(place);
            // A later phase has yet to tick in this frame: that tick is not the room's.
            room.note_moved(sooner, PHASE_NS, next_ns);
            self.phase_of.insert(room.id, to);
            let phase = &mut self.phases[to];
            if phase.rooms.is_empty() {
                phase.next_ns = next_ns;
            }
            phase.rooms.push(room);
        }
    }

    /// Removes a room that panicked, closes its calls and reports them.
    fn give_up(&mut self, id: RoomId) {
        error!(room = id.0, "a room failed: its calls are closed, other rooms continue");
        let Some(room) = self.remove_room(id) else { return };
        let gone = catch_unwind(AssertUnwindSafe(|| {
            let calls: Vec<(MediaCallId, PortKey, CallStats)> = room.calls().collect();
            drop(room);
            calls
        }))
        .unwrap_or_default();
        let calls: Vec<MediaCallId> =
            self.locations.iter().filter(|(_, place)| place.room == id).map(|(call, _)| *call).collect();
        self.locations.retain(|_, place| place.room != id);
        self.load.set_calls(self.locations.len());
        // No packet's path: this lock is taken after a panic only, and the control side holds it briefly.
        let mut directory = self.router.directory();
        calls.iter().for_each(|call| directory.remove(*call));
        drop(directory);
        let (failed, moves) = std::mem::take(&mut self.moves)
            .into_iter()
            .partition(|pending: &PendingMove| !self.locations.contains_key(&pending.call));
        self.moves = moves;
        failed.iter().for_each(|pending| self.cancel_move(pending));
        self.events.push(MediaEvent::RoomFailed { room: id, calls });
        for (call, port, stats) in gone {
            self.ports.remove(port);
            self.events.push(MediaEvent::Closed { call, stats: Box::new(stats) });
        }
    }
}

fn port_datagram(datagram: RoomDatagram<'_>) -> PortDatagram<'_> {
    let PacketRoute { port, channel, to, is_settled, .. } = datagram.route;
    PortDatagram { port, channel, to, is_settled, bytes: datagram.bytes }
}

/// Calls `act` for one of the rooms that tick. What a panic leaves half done is discarded: the whole room, and its output.
/// `None`: the room has failed, now or before.
fn in_room<T>(
    rooms: &mut [Box<MixRoom>],
    broken: &mut [bool],
    place: usize,
    outbox: &mut Outbox,
    act: impl FnOnce(&mut MixRoom, &mut Outbox) -> T,
) -> Option<T> {
    if broken[place] {
        return None;
    }
    let mark = outbox.begin(place);
    let done = catch_unwind(AssertUnwindSafe(|| act(&mut rooms[place], outbox)));
    if done.is_err() {
        broken[place] = true;
        outbox.go_back(mark);
    }
    done.ok()
}

/// The arrival time on the monotonic clock. The kernel stamps arrivals by the calendar's clock, which may have been set
/// since: a stamp more than a second off is ignored, because no packet waits that long.
fn arrival_ns(arrived_wall_ns: Option<u64>, time: Tick) -> u64 {
    let Some(arrived) = arrived_wall_ns else { return time.now_ns };
    let at = (time.now_ns + arrived).saturating_sub(time.wall_ns);
    let plausible = time.now_ns - 1_000_000_000..=time.now_ns + 1_000_000_000;
    if plausible.contains(&at) { at } else { time.now_ns }
}

fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
