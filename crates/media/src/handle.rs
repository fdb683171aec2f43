//! The interface of the media plane: starting it, and commands to it.

use crate::{
    AudioProcessing, CallStats, Clip, FeedId, InbandDtmf, MediaCallId, MediaConfig, MediaError, MediaEvent,
    OnMove, PlayId, PlayOptions, PlayTo, Protection, RecordingId, RoomId, StreamParams, Volume,
    command::{PlayTarget, WorkerCommand},
    dtls::{HandshakeQueue, Handshakes},
    event_queue::EventQueue,
    files::{Library, NoSounds, SoundSource},
    load::{LoadCells, PlaneCounts, PlaneLoad},
    loader::{Job, Loader, Prepared, Reader},
    ports::{self, Channel, PortPair},
    room::{Coaching, FRAME_NS, RecordingTap, Settings},
    route::{CommandRouter, NotOpened},
    worker::Worker,
};
use plenary_recording::Feed;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self as std_mpsc, Sender},
    },
    thread::{self, JoinHandle},
    time::Instant,
};
use tokio::sync::{mpsc, oneshot};

/// Starts the media plane.
#[derive(Debug)]
pub struct MediaPlane;

impl MediaPlane {
    /// Starts the worker threads, the loader and the reader. Needs no async runtime.
    ///
    /// # Errors
    /// When a range of `config` is empty or out of bounds, or a thread cannot be started.
    pub fn start(config: MediaConfig) -> Result<(MediaHandle, mpsc::Receiver<MediaEvent>), MediaError> {
        Self::start_with(config, Arc::new(NoSounds))
    }

    /// The same, with prompts and sounds of accounts.
    ///
    /// # Errors
    /// Those of [`MediaPlane::start`].
    pub fn start_with(
        config: MediaConfig,
        sounds: Arc<dyn SoundSource>,
    ) -> Result<(MediaHandle, mpsc::Receiver<MediaEvent>), MediaError> {
        if ports::pairs(&config.rtp_ports) == 0 {
            let (first, last) = config.rtp_ports.into_inner();
            return Err(MediaError::BadPorts { first, last });
        }
        let (min, max) = (config.jitter_ms_min, config.jitter_ms_max);
        if !(20..=1000).contains(&min) || !(min..=1000).contains(&max) {
            return Err(MediaError::BadJitter { min, max });
        }
        let count = match config.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let (events, received) = mpsc::channel(config.event_queue.max(1));
        let mut threads = Vec::new();
        let (dtls, dtls_jobs) = HandshakeQueue::new();
        let dtls = config.dtls.as_ref().map(|_| dtls);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| std_mpsc::channel()).unzip();
        let loads: Vec<_> = (0..count).map(|_| Arc::new(LoadCells::default())).collect();
        let router = CommandRouter::new(senders);
        let (loader, jobs) = std_mpsc::channel();
        // Calls that move from one worker to another keep their times, so all go by one clock.
        let began = Instant::now();
        for (index, (commands, load)) in receivers.into_iter().zip(&loads).enumerate() {
            let worker = Worker::new(
                Settings::of(&config),
                commands,
                EventQueue::new(events.clone()),
                router.clone(),
                loader.clone(),
                Arc::clone(load),
                began,
                // The ticks of the workers interleave.
                index as u64 * FRAME_NS / 10 / count as u64,
                dtls.clone(),
                config.rtcp.clone(),
            );
            threads.push(spawn(format!("media-{index}"), move || worker.run())?);
        }
        if let Some(handshakes) =
            config.dtls.as_ref().and_then(|identity| Handshakes::new(identity, router.clone()))
        {
            threads.push(spawn("media-dtls".to_owned(), move || handshakes.run(&dtls_jobs))?);
        }
        // Each thread keeps decoded what it loads.
        let library = || Library::new(config.media_dir.clone(), config.file_seconds_max, Arc::clone(&sounds));
        let (to_reader, readings) = std_mpsc::channel();
        let prepared = Prepared::new(router.clone(), events);
        let of_reader = Reader::new(library(), prepared.clone(), loader.clone());
        let of_loader = Loader::new(library(), prepared, to_reader);
        threads.push(spawn("media-loader".to_owned(), move || of_loader.run(&jobs))?);
        threads.push(spawn("media-reader".to_owned(), move || of_reader.run(&readings))?);
        let shared = Shared { config, router, loads, loader, dtls, threads: Mutex::new(threads) };
        Ok((MediaHandle { shared: Arc::new(shared) }, received))
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, MediaError> {
    thread::Builder::new().name(name).spawn(run).map_err(MediaError::Thread)
}

/// Sends commands to the media plane. Cheap to clone. All methods return at once; only [`MediaHandle::open`]
/// makes system calls, and [`MediaHandle::shutdown`] waits some milliseconds for the threads to end. The media
/// plane shuts down when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct MediaHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: MediaConfig,
    router: CommandRouter,
    /// By worker.
    loads: Vec<Arc<LoadCells>>,
    loader: Sender<Job>,
    dtls: Option<HandshakeQueue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Shared {
    /// Has all threads end. They hold senders to each other, so they would not end by themselves.
    fn end_threads(&self) {
        self.router.to_all(|| WorkerCommand::Shutdown);
        let _ = self.loader.send(Job::Shutdown);
        if let Some(dtls) = &self.dtls {
            dtls.shut_down();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end_threads();
    }
}

impl MediaHandle {
    /// Opens the media of `call` in `room`, which exists from its first call on. Nothing is sent before
    /// [`MediaHandle::set_stream`], and the call neither hears nor is heard before [`MediaHandle::set_voice`].
    ///
    /// Returns the local RTP address. Its port is even and drawn at random from the range; RTCP uses the next one.
    ///
    /// # Errors
    /// [`MediaError::NoPorts`], [`MediaError::Socket`], [`MediaError::CallExists`], [`MediaError::ShutDown`].
    pub fn open(&self, call: MediaCallId, room: RoomId) -> Result<SocketAddr, MediaError> {
        self.open_at(call, room, self.shared.config.bind)
    }

    /// As [`MediaHandle::open`], on the local address `bind`.
    ///
    /// # Errors
    /// As [`MediaHandle::open`].
    pub fn open_at(&self, call: MediaCallId, room: RoomId, bind: IpAddr) -> Result<SocketAddr, MediaError> {
        let socket = |source| MediaError::Socket { bind, source };
        let random = |_| getrandom::u64().map_err(|error| socket(io::Error::other(error)));
        let pair = PortPair::bind(bind, &self.shared.config.rtp_ports, random(())?)?;
        let address = pair.local_addr().map_err(socket)?;
        let seed = random(())?;
        match self.shared.router.open(call, room, pair, seed) {
            Ok(()) => Ok(address),
            Err(NotOpened::Exists) => Err(MediaError::CallExists(call)),
            Err(NotOpened::ShutDown) => Err(MediaError::ShutDown(room)),
        }
    }

    /// Moves a call to another room, which may be new, on any worker. It keeps its ports, its stream with keys, sequence
    /// numbers and timestamps, what its jitter buffer holds, its statistics, and its voice: whether it speaks and listens.
    /// Handshakes and ICE continue. It is in the new room within 40 ms; whatever follows this command finds it there. A
    /// playback to the old room is no longer heard. Without effect if the call is not open, or is in that room.
    pub fn move_call(&self, call: MediaCallId, to: RoomId, playing: OnMove) {
        self.shared.router.move_call(call, to, playing);
    }

    /// Sets or changes the negotiated stream. From the first call on, a packet is sent every `ptime_ms` without a
    /// gap, with silence if there is nothing to hear, except while `send` is false. A new `remote_rtp` discards the
    /// peer address that earlier packets came from.
    pub fn set_stream(&self, call: MediaCallId, stream: StreamParams) {
        let handshake = match stream.protection {
            Protection::Dtls { active, fingerprint } => Some((active, fingerprint)),
            Protection::None | Protection::Srtp { .. } => None,
        };
        let rtcp_mux = stream.rtcp_mux;
        // Before the handshake begins, which sends its datagrams to the stream's address.
        let is_open =
            self.shared.router.to_call(call, WorkerCommand::SetStream { call, params: Box::new(stream) });
        if let (Some((active, fingerprint)), Some(dtls), true) = (handshake, &self.shared.dtls, is_open) {
            // RTCP on a port of its own has keys of its own (RFC 5764, 4.1).
            let channels = if rtcp_mux { &[Channel::Rtp][..] } else { &[Channel::Rtp, Channel::Rtcp] };
            for channel in channels {
                dtls.begin(call, *channel, active, fingerprint);
            }
        }
    }

    /// A key arrived by signalling (SIP INFO). [`MediaEvent::KeyPressed`] follows, unless the same press has come as an event
    /// or as a tone.
    pub fn press_key(&self, call: MediaCallId, key: char) {
        self.command(call, WorkerCommand::PressKey { call, key });
    }

    /// Sets whether the room hears the participant (`speaks`), and whether the participant hears the room (`listens`).
    pub fn set_voice(&self, call: MediaCallId, speaks: bool, listens: bool) {
        self.command(call, WorkerCommand::SetVoice { call, speaks, listens });
    }

    /// The connection of the call's signalling is closed: the call is reported as gone once no RTP has arrived for five
    /// seconds, until its stream is set again.
    pub fn cut_off(&self, call: MediaCallId) {
        self.command(call, WorkerCommand::CutOff { call });
    }

    /// Sets the processing of the participant's voice before others hear it.
    pub fn set_processing(&self, call: MediaCallId, processing: AudioProcessing) {
        self.command(call, WorkerCommand::SetProcessing { call, processing });
    }

    /// Sets on which lines keys are looked for as tones, for one participant; `None`: as configured, as at first.
    pub fn set_inband_dtmf(&self, call: MediaCallId, inband: Option<InbandDtmf>) {
        self.command(call, WorkerCommand::SetInbandDtmf { call, inband });
    }

    /// Records what the participant says, to be played to others as [`Clip::Recorded`]: for at most 4 s from the first
    /// word on, until 1.5 s of silence follow or [`MediaHandle::end_recording`]; if nothing is said, for 10 s. It need not be
    /// heard by the room meanwhile. Silence at both ends is cut off, and the level becomes that of the built-in prompts.
    /// [`MediaEvent::Recorded`] follows. A recording that runs ends first.
    pub fn record(&self, call: MediaCallId, id: RecordingId) {
        let _ = self.shared.loader.send(Job::Record { call, id });
    }

    /// Ends the recording of a call, if one runs.
    pub fn end_recording(&self, call: MediaCallId) {
        // The same way that its beginning takes.
        let _ = self.shared.loader.send(Job::EndRecording { call });
    }

    /// Frees a recording, also one that has yet to end. A playback that uses it continues.
    pub fn forget_recording(&self, id: RecordingId) {
        let _ = self.shared.loader.send(Job::ForgetRecording { id });
    }

    /// Records a room, from its next tick on, until [`MediaHandle::end_room_recording`] or until the room is over: then the feed is
    /// dropped. With mixed tracks, what listeners hear to whom nothing else is played; with separate ones, the voices that the
    /// others hear, by the numbers of their calls. False: there is no such room.
    pub fn record_room(&self, room: RoomId, id: FeedId, feed: Feed) -> bool {
        let tap = Box::new(RecordingTap { id, feed });
        self.to_room(room, WorkerCommand::RecordRoom { room, tap })
    }

    /// Pauses the recording of a room, or has it go on.
    pub fn pause_room_recording(&self, room: RoomId, id: FeedId, is_paused: bool) {
        self.to_room(room, WorkerCommand::PauseRoomRecording { room, id, is_paused });
    }

    /// Ends the recording of a room.
    pub fn end_room_recording(&self, room: RoomId, id: FeedId) {
        self.to_room(room, WorkerCommand::EndRoomRecording { room, id });
    }

    fn to_room(&self, room: RoomId, command: WorkerCommand) -> bool {
        self.shared.router.to_listeners(PlayTarget::Room { room, except: None }, command)
    }

    /// Sets how loud a participant is and hears, within 20 ms. 0 dB, as at first, costs nothing; while another gain than 0 dB
    /// applies to what they hear, they get a mix of their own.
    pub fn set_volume(&self, call: MediaCallId, volume: Volume) {
        self.command(call, WorkerCommand::SetVolume { call, volume });
    }

    /// Holds a participant: they hear music, repeated, and prompts to them alone, and are not heard. Keys still arrive.
    pub fn hold(&self, call: MediaCallId, music: Vec<Clip>) {
        let _ = self.shared.loader.send(Job::Hold { call, music: Some(music) });
    }

    /// Ends a hold.
    pub fn resume(&self, call: MediaCallId) {
        let _ = self.shared.loader.send(Job::Hold { call, music: None });
    }

    /// Only these calls, as far as they are in the same room, hear the participant from its next tick on; `None`, as at first: all.
    pub fn set_heard_by(&self, call: MediaCallId, listeners: Option<Vec<MediaCallId>>) {
        let coaching = listeners.map(|listeners| Box::new(Coaching::new(listeners)));
        self.command(call, WorkerCommand::HeardBy { call, coaching });
    }

    /// [`MediaHandle::play_with`] without gain, and with the usual ducking.
    pub fn play(&self, to: PlayTo, id: PlayId, list: Vec<Clip>, repeat: bool) {
        self.play_with(to, id, list, PlayOptions { repeat, ..PlayOptions::default() });
    }

    /// Plays a list in addition to what else is heard, also to calls that do not listen to the room. Files and sounds of accounts
    /// are read on a thread of their own; prompts to others do not wait for that. One that cannot be read is reported and skipped.
    ///
    /// No listener hears two lists with speech at once: they are played one after the other, those to all before those to
    /// one that have not begun, and one to all that begins during one to a single listener is heard by them after it. An
    /// [urgent](PlayOptions::urgent) one does not wait: what its listener is in the middle of is heard again after it. Lists
    /// of tones and beeps only are heard at once; repeated lists are background, and lowered under speech.
    pub fn play_with(&self, to: PlayTo, id: PlayId, list: Vec<Clip>, options: PlayOptions) {
        let to = match to {
            PlayTo::Call(call) => PlayTarget::Call(call),
            PlayTo::Room(room) => PlayTarget::Room { room, except: None },
            PlayTo::RoomBut(room, call) => PlayTarget::Room { room, except: Some(call) },
        };
        // The loader has ended only after a shutdown, when no call is left to hear it.
        let _ = self.shared.loader.send(Job::Play { to, id, list, options });
    }

    /// Stops a playback, which fades out within 20 ms, even while its files are still being read. Unknown ids are ignored.
    pub fn stop_play(&self, id: PlayId) {
        self.shared.router.to_all(|| WorkerCommand::StopPlay { id });
        // It may still be with the loader.
        let _ = self.shared.loader.send(Job::StopPlay { id });
    }

    /// Ends the call's media: sends RTCP BYE, closes the sockets, frees the ports. [`MediaEvent::Closed`] follows.
    pub fn close(&self, call: MediaCallId) {
        self.shared.router.close(call);
        if let Some(dtls) = &self.shared.dtls {
            dtls.end(call);
        }
    }

    /// The call's statistics so far; `None` if it is not open.
    pub async fn stats(&self, call: MediaCallId) -> Option<CallStats> {
        self.ask_stats(call).await.ok()
    }

    /// Requests the call's statistics without waiting, so that those of many calls can be requested first and awaited
    /// then. The answer comes when the worker next reads its commands; the sender is dropped if the call is not open.
    pub fn ask_stats(&self, call: MediaCallId) -> oneshot::Receiver<CallStats> {
        let (answer, answered) = oneshot::channel();
        self.command(call, WorkerCommand::Stats { call, answer });
        answered
    }

    /// The worker of a call, as an index into [`PlaneLoad::workers`]; `None` if the call is not open.
    #[must_use]
    pub fn worker_of(&self, call: MediaCallId) -> Option<usize> {
        self.shared.router.directory().worker_of(call)
    }

    /// The load of each worker since its start.
    #[must_use]
    pub fn load(&self) -> PlaneLoad {
        PlaneLoad { workers: self.shared.loads.iter().map(|load| load.read()).collect() }
    }

    /// What all workers have counted since their start.
    #[must_use]
    pub fn counts(&self) -> PlaneCounts {
        let mut counts = PlaneCounts::default();
        self.shared.loads.iter().for_each(|load| counts.join(&load.counts()));
        counts
    }

    /// Closes every call, each with its [`MediaEvent::Closed`], and ends the threads.
    pub fn shutdown(&self) {
        self.shared.end_threads();
        let threads =
            std::mem::take(&mut *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has printed it, and has ended too.
            let _ = thread.join();
        }
    }

    /// Sends a command to the worker of a call; without effect if the call is not open.
    fn command(&self, call: MediaCallId, command: WorkerCommand) {
        self.shared.router.to_call(call, command);
    }

    #[cfg(test)]
    pub(crate) fn fail(&self, room: RoomId) {
        let of = PlayTarget::Room { room, except: None };
        assert!(self.shared.router.to_listeners(of, WorkerCommand::Fail { room }), "the room is there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use std::{
        collections::BTreeSet,
        net::UdpSocket,
        time::{Duration, Instant},
    };

    fn start(workers: usize) -> (MediaHandle, mpsc::Receiver<MediaEvent>) {
        let config = MediaConfig { workers, rtp_ports: 40_000..=60_000, ..MediaConfig::default() };
        MediaPlane::start(config).expect("the plane starts")
    }

    /// A call with a stream to a socket of ours.
    fn call(media: &MediaHandle, call: u64, room: u64) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("an option");
        media.open(MediaCallId(call), RoomId(room)).expect("it opens");
        let stream = StreamParams {
            rtcp_mux: true,
            ..StreamParams::new(socket.local_addr().expect("bound"), Codec::Pcmu, 0)
        };
        media.set_stream(MediaCallId(call), stream);
        socket
    }

    fn next(events: &mut mpsc::Receiver<MediaEvent>) -> MediaEvent {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Ok(event) = events.try_recv() {
                return event;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("no event came");
    }

    #[test]
    fn a_room_that_fails_ends_its_own_calls_and_no_others() {
        let (media, mut events) = start(1);
        let doomed = [call(&media, 1, 7), call(&media, 2, 7)];
        let other = call(&media, 3, 8);
        let mut datagram = [0; 1500];
        for socket in doomed.iter().chain([&other]) {
            socket.recv(&mut datagram).expect("silence comes");
        }
        media.fail(RoomId(7));
        let MediaEvent::RoomFailed { room, mut calls } = next(&mut events) else {
            panic!("another event came first")
        };
        calls.sort_unstable();
        assert_eq!((room, calls.as_slice()), (RoomId(7), [MediaCallId(1), MediaCallId(2)].as_slice()));
        for _ in 0..2 {
            assert!(
                matches!(next(&mut events), MediaEvent::Closed { call, stats } if call.0 < 3 && stats.packets_sent > 0)
            );
        }
        for _ in 0..10 {
            other.recv(&mut datagram).expect("the other room goes on");
        }
        assert!(media.shared.router.directory().worker_of(MediaCallId(1)).is_none());
        // The control side may close a call before it reads the event; then the room can be opened again.
        media.close(MediaCallId(2));
        let again = call(&media, 4, 7);
        again.recv(&mut datagram).expect("the room is new");
        media.shutdown();
    }

    #[test]
    fn rooms_are_spread_over_workers_and_calls_of_a_room_stay_together() {
        let (media, _events) = start(2);
        let _sockets: Vec<_> = (0..6).map(|number| call(&media, number, number / 2)).collect();
        let directory = media.shared.router.directory();
        for room in 0..3 {
            assert_eq!(
                directory.worker_of(MediaCallId(2 * room)),
                directory.worker_of(MediaCallId(2 * room + 1))
            );
        }
        let workers: BTreeSet<_> = (0..6).map(|call| directory.worker_of(MediaCallId(call))).collect();
        assert_eq!(workers, BTreeSet::from([Some(0), Some(1)]));
    }

    #[test]
    fn a_number_is_open_once_and_closing_it_frees_it() {
        let (media, mut events) = start(1);
        let address = media.open(MediaCallId(1), RoomId(1)).expect("it opens");
        assert!(address.port().is_multiple_of(2));
        assert!(matches!(media.open(MediaCallId(1), RoomId(2)), Err(MediaError::CallExists(MediaCallId(1)))));
        media.close(MediaCallId(1));
        assert!(matches!(next(&mut events), MediaEvent::Closed { call: MediaCallId(1), .. }));
        UdpSocket::bind(address).expect("the port is free again");
        assert_eq!(media.shared.router.directory().worker_of_room(RoomId(1)), None);
    }

    #[test]
    fn ranges_that_are_empty_or_out_of_bounds_are_refused() {
        let start = |config| MediaPlane::start(config).map(|_| ()).expect_err("refused");
        let ports = MediaConfig { rtp_ports: 40_001..=40_002, ..MediaConfig::default() };
        assert!(matches!(start(ports), MediaError::BadPorts { .. }));
        let jitter = MediaConfig { jitter_ms_min: 300, ..MediaConfig::default() };
        assert!(matches!(start(jitter), MediaError::BadJitter { min: 300, max: 200 }));
    }

    #[test]
    fn after_the_shutdown_every_call_is_closed_and_nothing_opens() {
        let (media, mut events) = start(2);
        let _sockets = [call(&media, 1, 1), call(&media, 2, 2)];
        media.shutdown();
        let mut closed: Vec<_> = (0..2).map(|_| next(&mut events)).collect();
        closed.sort_by_key(|event| matches!(event, MediaEvent::Closed { call, .. } if call.0 == 2));
        assert!(closed.iter().all(|event| matches!(event, MediaEvent::Closed { .. })), "{closed:?}");
        assert!(matches!(media.open(MediaCallId(3), RoomId(3)), Err(MediaError::ShutDown(_))));
        media.shutdown();
    }

    #[test]
    fn when_the_last_handle_is_dropped_the_threads_end() {
        let (media, mut events) = start(1);
        let _socket = call(&media, 1, 1);
        drop(media);
        assert!(matches!(next(&mut events), MediaEvent::Closed { .. }));
        let deadline = Instant::now() + Duration::from_secs(10);
        while !events.is_closed() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(matches!(events.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    }
}
