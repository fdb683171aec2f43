//! A worker thread: gives its rooms the time, brings them their packets and carries theirs away.
//!
//! Rooms are spread over twenty phases of the 20 ms frame, so that packets leave evenly rather than all at
//! once. Each phase has an absolute time for its next tick, so lateness never adds up: a tick that comes
//! late is followed by the next at its own time. After a standstill of up to 100 ms the ticks that were
//! missed are made up for, so listeners lose nothing; after a longer one they are left out.
//!
//! A panic within a room ends that room and nothing else.

use crate::{
    CallStats, MediaCallId, MediaEvent, RoomId,
    command::{Command, Target},
    departure::{self, Departures},
    directory::Directory,
    dtls::HandshakeQueue,
    event_queue::EventQueue,
    load::LoadCells,
    ports::{Asked, Channel, Outgoing, PortKey, PortPair, Ports},
    room::{self, FRAME_NS, Outbox, PartyKey, Playback, Room, Settings, Tick, Way},
};
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tracing::error;

/// Phases of a frame over which rooms are spread: 1 ms each. A talker waits for so much more than a room that could tick at any
/// time would make it wait, half of that on the average.
const PHASES: usize = 20;
/// Time from one phase to the next.
const PHASE_NS: u64 = FRAME_NS / PHASES as u64;
/// Parties that a phase may have whatever the others have. Beyond that no phase gets more than twice its share,
/// so that load stays even.
const PARTIES_OF_PHASE_ANYWAY: usize = 200;
/// Frames that are made up for after a standstill.
const FRAMES_MADE_UP_MAX: u64 = 5;
/// RTCP may wait: its sockets are looked at five times a second, a few at each tick. The kernel notes when it came.
const TICKS_PER_RTCP: usize = 10;
/// Of those who say nothing, and have not for long, once a second: they are not about to shake hands.
const ROUNDS_PER_RTCP_IN_LULL: usize = 5;
/// Commands carried out between two ticks.
const COMMANDS_MAX: usize = 256;
/// The monotonic clock does not begin at zero, so that times before its beginning can be told.
const CLOCK_BEGINS_NS: u64 = 1_000_000_000_000;

#[derive(Debug)]
struct Phase {
    next_ns: u64,
    ticks: u64,
    departures: Departures,
    /// Boxed, for there is a place for each room in every phase.
    #[allow(clippy::vec_box)]
    rooms: Vec<Box<Room>>,
}

/// A party of one of the rooms that tick together, and its sockets.
type Member = Asked<(usize, PartyKey)>;

/// Where a call is.
#[derive(Debug, Clone, Copy)]
struct Place {
    room: RoomId,
    key: PartyKey,
}

/// The state of a worker thread.
#[derive(Debug)]
pub(crate) struct Worker {
    settings: Settings,
    commands: Receiver<Command>,
    events: EventQueue,
    directory: Arc<Mutex<Directory>>,
    load: Arc<LoadCells>,
    ports: Ports,
    phases: [Phase; PHASES],
    phase_of: HashMap<RoomId, usize>,
    places: HashMap<MediaCallId, Place>,
    outbox: Outbox,
    /// The parties of the rooms that tick, with their sockets.
    members: Vec<Member>,
    /// Those of them whose RTCP is looked at.
    reporters: Vec<Member>,
    /// Which of the rooms that tick have failed.
    broken: Vec<bool>,
    /// Datagrams that the system would not take.
    failed: Vec<usize>,
    began: Instant,
    /// Who does the handshakes.
    dtls: Option<HandshakeQueue>,
}

impl Worker {
    /// `offset_ns` moves this worker's ticks against those of others.
    pub(crate) fn new(
        settings: Settings,
        commands: Receiver<Command>,
        events: EventQueue,
        directory: Arc<Mutex<Directory>>,
        load: Arc<LoadCells>,
        offset_ns: u64,
        dtls: Option<HandshakeQueue>,
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
            directory,
            load,
            ports: Ports::new(),
            phases,
            phase_of: HashMap::new(),
            places: HashMap::new(),
            outbox: Outbox::default(),
            members: Vec::new(),
            reporters: Vec::new(),
            broken: Vec::new(),
            failed: Vec::new(),
            began: Instant::now(),
            dtls,
        }
    }

    /// Runs until told to stop or until nobody is left who could.
    pub(crate) fn run(mut self) {
        plenary_net::wake_precisely();
        plenary_net::run_before_others();
        self.ports.use_ring();
        'run: loop {
            for _ in 0..COMMANDS_MAX {
                match self.commands.try_recv() {
                    Ok(Command::Shutdown) | Err(std::sync::mpsc::TryRecvError::Disconnected) => break 'run,
                    Ok(command) => self.carry_out(command),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                }
            }
            self.events.flush();
            let Some(phase) = self.next_phase() else {
                match self.commands.recv() {
                    Ok(Command::Shutdown) | Err(_) => break 'run,
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
                Ok(Command::Shutdown) | Err(RecvTimeoutError::Disconnected) => break 'run,
                Ok(command) => self.carry_out(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let calls: Vec<_> = self.places.keys().copied().collect();
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

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Open { call, room, pair, seed } => self.open(call, room, pair, seed),
            Command::SetStream { call, params } => {
                let time = self.time();
                let mut port = None;
                self.with_party(call, |room, key, _| {
                    room.set_stream(key, *params, time);
                    port = room.port(key);
                });
                if let Some(port) = port {
                    self.ports.disconnect(port);
                }
            }
            Command::SetVoice { call, speaks, listens } => {
                self.with_party(call, |room, key, out| room.set_voice(key, speaks, listens, out));
            }
            Command::SetSound { call, sound } => {
                self.with_party(call, |room, key, _| room.set_sound(key, sound));
            }
            Command::Play { to, playback } => self.play(to, *playback),
            Command::StopPlay { id } => {
                for room in self.phases.iter_mut().flat_map(|phase| &mut phase.rooms) {
                    room.stop_play(id);
                }
            }
            Command::CountKey { call } => {
                self.with_party(call, |room, key, _| room.count_key(key));
            }
            Command::Close { call } => self.close(call),
            Command::Stats { call, answer } => {
                let mut stats = None;
                self.with_party(call, |room, key, _| stats = room.stats(key));
                if let Some(stats) = stats {
                    // Whoever asked may have stopped waiting.
                    let _ = answer.send(stats);
                }
            }
            Command::CutOff { call } => {
                self.with_party(call, |room, key, _| room.cut_off(key));
            }
            Command::DtlsClosed { call } => {
                if self.places.contains_key(&call) {
                    self.events.push(MediaEvent::PeerClosed { call });
                }
            }
            Command::SendDtls { call, channel, bytes } => self.send_dtls(call, channel, &bytes),
            Command::SetKeys { call, channel, keys } => {
                let time = self.time();
                self.with_party(call, |room, key, _| room.set_keys(key, channel, &keys.0, &keys.1, time));
            }
            // Told apart before it comes here.
            Command::Shutdown => {}
            #[cfg(test)]
            Command::Fail { room } => {
                if let Some(room) = self.room_mut(room) {
                    room.fails = true;
                }
            }
        }
    }

    fn room_mut(&mut self, room: RoomId) -> Option<&mut Room> {
        let phase = *self.phase_of.get(&room)?;
        self.phases[phase].rooms.iter_mut().map(|room| &mut **room).find(|candidate| candidate.id == room)
    }

    /// Does something for a party. False: the call is not there, it has ended meanwhile.
    fn with_party(&mut self, call: MediaCallId, act: impl FnOnce(&mut Room, PartyKey, &mut Outbox)) -> bool {
        let Some(Place { room, key }) = self.places.get(&call).copied() else { return false };
        self.with_room(room, |room, outbox| act(room, key, outbox))
    }

    /// Does something for a room; what it has to tell is told. False: the room is not there.
    fn with_room(&mut self, id: RoomId, act: impl FnOnce(&mut Room, &mut Outbox)) -> bool {
        let mut outbox = std::mem::take(&mut self.outbox);
        let Some(room) = self.room_mut(id) else {
            self.outbox = outbox;
            return false;
        };
        // What a panic leaves half done is thrown away: the room as a whole, and the outbox.
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
        if !self.phase_of.contains_key(&room) {
            self.add_room(room);
        }
        let port = self.ports.insert(pair);
        match self.room_mut(room) {
            Some(found) => {
                let key = found.add(call, port, seed);
                self.places.insert(call, Place { room, key });
                self.load.set_calls(self.places.len());
            }
            None => self.ports.remove(port),
        }
    }

    /// A new room goes into the phase with the fewest rooms.
    fn add_room(&mut self, id: RoomId) {
        let now_ns = self.now_ns();
        let fewest = (0..PHASES).min_by_key(|phase| self.phases[*phase].rooms.len()).unwrap_or(0);
        let phase = &mut self.phases[fewest];
        if phase.rooms.is_empty() {
            // Nobody kept the time of an empty phase.
            let missed = (now_ns + FRAME_NS).saturating_sub(phase.next_ns) / FRAME_NS;
            phase.next_ns += missed * FRAME_NS;
        }
        phase.rooms.push(Box::new(Room::new(id, self.settings)));
        self.phase_of.insert(id, fewest);
        // Rooms move between phases while packets wait: there is a place for each in every one.
        let rooms = self.phase_of.len();
        for phase in &mut self.phases {
            phase.rooms.reserve(rooms.saturating_sub(phase.rooms.len()));
        }
    }

    fn remove_room(&mut self, id: RoomId) -> Option<Box<Room>> {
        let phase = self.phase_of.remove(&id)?;
        let rooms = &mut self.phases[phase].rooms;
        let index = rooms.iter().position(|room| room.id == id)?;
        Some(rooms.swap_remove(index))
    }

    fn play(&mut self, to: Target, playback: Playback) {
        let id = playback.id;
        let is_heard = match to {
            Target::Call(call) => self.with_party(call, |room, key, _| room.play_to(key, playback)),
            Target::Room { room, except } => {
                let except =
                    except.and_then(|call| self.places.get(&call)).filter(|place| place.room == room);
                let except = except.map(|place| place.key);
                self.with_room(room, |room, _| room.play(playback, except))
            }
        };
        if !is_heard {
            self.events.push(MediaEvent::PlayFailed { id, text: "there is nobody to play it to".to_owned() });
        }
    }

    fn send_dtls(&mut self, call: MediaCallId, channel: Channel, bytes: &[u8]) {
        let mut found = None;
        self.with_party(call, |room, key, _| found = room.port(key).zip(room.dtls_destination(key, channel)));
        if let Some((port, to)) = found {
            // What does not arrive is sent again.
            let datagram = Outgoing { port, channel, to, is_settled: false, bytes };
            self.ports.send(std::iter::once(datagram), |_| {});
        }
    }

    fn close(&mut self, call: MediaCallId) {
        let Some(place) = self.places.get(&call).copied() else { return };
        let time = self.time();
        let (mut port, mut stats, mut is_empty) = (None, None, false);
        self.with_room(place.room, |room, outbox| {
            port = room.port(place.key);
            stats = room.remove(place.key, time, outbox);
            is_empty = room.is_empty();
        });
        if let Some(port) = port {
            let goodbyes = self.outbox.datagrams().map(outgoing);
            // Whoever is not reached any more has no use for a goodbye.
            self.ports.send(goodbyes, |_| {});
            self.outbox.clear_datagrams();
            self.ports.remove(port);
        }
        if is_empty {
            self.remove_room(place.room);
        }
        self.places.remove(&call);
        self.load.set_calls(self.places.len());
        if let Some(stats) = stats {
            self.events.push(MediaEvent::Closed { call, stats: Box::new(stats) });
        }
    }

    fn send_events(&mut self) {
        for event in self.outbox.drain_events() {
            self.events.push(event);
        }
    }

    fn tick(&mut self, index: usize) {
        let began_ns = self.now_ns();
        let wall_ns = wall_ns();
        let phase = &mut self.phases[index];
        let late_ns = began_ns.saturating_sub(phase.next_ns);
        let behind = late_ns / FRAME_NS;
        if behind > FRAMES_MADE_UP_MAX {
            for room in &mut phase.rooms {
                room.skip(behind as u32);
            }
            phase.next_ns += behind * FRAME_NS;
            self.load.add_skipped(behind * phase.rooms.len() as u64);
        }
        // Rooms go by the time at which the tick was due: being late ourselves is no jitter of the network.
        let due_ns = phase.next_ns;
        let time = Tick { now_ns: due_ns, wall_ns: wall_ns.saturating_sub(began_ns - due_ns) };
        phase.next_ns += FRAME_NS;
        phase.ticks += 1;
        let rooms = phase.rooms.len() as u64;
        self.tick_rooms(index, time);
        for event in self.outbox.drain_events() {
            self.events.push(event);
        }
        for (call, channel, bytes) in self.outbox.drain_dtls() {
            if let Some(dtls) = &self.dtls {
                dtls.take(call, channel, bytes);
            }
        }
        self.move_rooms(index, time);
        self.load.add_ticks(rooms, late_ns, self.now_ns() - began_ns);
    }

    /// 20 ms of all rooms of a phase: their packets in, their ticks, their packets out. They go together, so that small
    /// rooms share system calls too.
    fn tick_rooms(&mut self, index: usize, time: Tick) {
        let Self { phases, ports, outbox, members, reporters, broken, failed, began, .. } = self;
        let Phase { rooms, ticks, departures, .. } = &mut phases[index];
        members.clear();
        for (place, room) in rooms.iter().enumerate().filter(|(_, room)| room.is_due(time)) {
            members.extend(room.members().iter().map(|(key, port)| Asked {
                key: (place, *key),
                port: *port,
                is_unstamped: room.may_be_unmeasured(*key),
            }));
        }
        reporters.clear();
        let turn = *ticks as usize % TICKS_PER_RTCP;
        let round = *ticks as usize / TICKS_PER_RTCP;
        let in_turn = members.iter().skip(turn).step_by(TICKS_PER_RTCP).enumerate();
        let looked_at = in_turn.filter(|(place, member)| {
            !member.is_unstamped || (place + round).is_multiple_of(ROUNDS_PER_RTCP_IN_LULL)
        });
        reporters.extend(looked_at.map(|(_, member)| *member));
        broken.clear();
        broken.resize(rooms.len(), false);

        ports.drain(members, Channel::Rtp, |(place, key), datagram| {
            let measured_ns = || arrival_ns(datagram.arrived_wall_ns, time);
            let arrival_ns = if datagram.is_unstamped { None } else { Some(measured_ns()) };
            in_room(rooms, broken, place, outbox, |room, outbox| {
                room.handle_rtp(key, datagram.from, datagram.bytes, arrival_ns, time, outbox)
            })
            .unwrap_or(false)
        });
        ports.drain(reporters, Channel::Rtcp, |(place, key), datagram| {
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
                ports.send(of_group.map(outgoing), |number| failed.push(first + number));
            }
        } else {
            ports.send(outbox.datagrams().map(outgoing), |number| failed.push(number));
        }
        for number in failed {
            if let Some(datagram) = outbox.datagrams().nth(*number) {
                rooms[datagram.room].handle_send_error(datagram.way.party);
            }
        }
        outbox.clear_datagrams();

        let places = rooms.iter().zip(broken).filter(|(_, broken)| **broken);
        let gone: Vec<RoomId> = places.map(|(room, _)| room.id).collect();
        gone.into_iter().for_each(|room| self.give_up(room));
    }

    /// A packet waits for its room's next tick. Where those who talk wait less at another phase the room moves there, one phase
    /// at a time: those who listen get one packet 1 ms early or late.
    fn move_rooms(&mut self, index: usize, time: Tick) {
        let parties: usize = self.phases.iter().flat_map(|phase| &phase.rooms).map(|room| room.len()).sum();
        let most = parties / PHASES * 2 + PARTIES_OF_PHASE_ANYWAY;
        let mut place = 0;
        while place < self.phases[index].rooms.len() {
            let room = &mut self.phases[index].rooms[place];
            let sooner = if room.is_due(time) { room.phases_sooner(time, PHASE_NS) } else { 0 };
            let to = (index as i32 - sooner).rem_euclid(PHASES as i32) as usize;
            let there: usize = self.phases[to].rooms.iter().map(|room| room.len()).sum();
            // One that goes where nobody is leaves the load as even as it was, however large it is.
            let is_too_much = there > 0 && there + self.phases[index].rooms[place].len() > most;
            if to == index || is_too_much {
                place += 1;
                continue;
            }
            let next_ns =
                self.phases[index].next_ns.saturating_add_signed(i64::from(-sooner) * PHASE_NS as i64);
            let mut room = self.phases[index].rooms.swap_remove(place);
            // A later phase has its tick of this frame still before it: that one is not the room's.
            room.note_moved(sooner, PHASE_NS, next_ns);
            self.phase_of.insert(room.id, to);
            let phase = &mut self.phases[to];
            if phase.rooms.is_empty() {
                phase.next_ns = next_ns;
            }
            phase.rooms.push(room);
        }
    }

    /// A room that panicked is gone; its calls are told to be.
    fn give_up(&mut self, id: RoomId) {
        error!(room = id.0, "a room failed: its calls are closed, other rooms go on");
        let Some(room) = self.remove_room(id) else { return };
        let gone = catch_unwind(AssertUnwindSafe(|| {
            let calls: Vec<(MediaCallId, PortKey, CallStats)> = room.calls().collect();
            drop(room);
            calls
        }))
        .unwrap_or_default();
        let calls: Vec<MediaCallId> =
            self.places.iter().filter(|(_, place)| place.room == id).map(|(call, _)| *call).collect();
        self.places.retain(|_, place| place.room != id);
        self.load.set_calls(self.places.len());
        // Not on the path of any packet, and the control side holds it for moments only.
        let mut directory = self.directory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        calls.iter().for_each(|call| directory.remove(*call));
        drop(directory);
        self.events.push(MediaEvent::RoomFailed { room: id, calls });
        for (call, port, stats) in gone {
            self.ports.remove(port);
            self.events.push(MediaEvent::Closed { call, stats: Box::new(stats) });
        }
    }
}

fn outgoing(datagram: room::Outgoing<'_>) -> Outgoing<'_> {
    let Way { port, channel, to, is_settled, .. } = datagram.way;
    Outgoing { port, channel, to, is_settled, bytes: datagram.bytes }
}

/// Does something for one of the rooms that tick. What a panic leaves half done is thrown away: the room as a whole, and
/// what it wanted sent. `None`: the room has failed, now or before.
fn in_room<T>(
    rooms: &mut [Box<Room>],
    broken: &mut [bool],
    place: usize,
    outbox: &mut Outbox,
    act: impl FnOnce(&mut Room, &mut Outbox) -> T,
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

/// The kernel stamps arrivals by the calendar's clock. Where that was set meanwhile the stamp is of no use:
/// no packet waits for a second.
fn arrival_ns(arrived_wall_ns: Option<u64>, time: Tick) -> u64 {
    let Some(arrived) = arrived_wall_ns else { return time.now_ns };
    let at = (time.now_ns + arrived).saturating_sub(time.wall_ns);
    let plausible = time.now_ns - 1_000_000_000..=time.now_ns + 1_000_000_000;
    if plausible.contains(&at) { at } else { time.now_ns }
}

fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
