//! The door: starting the media plane and telling it what to do.

use crate::{
    CallStats, MediaCallId, MediaConfig, MediaError, MediaEvent, PlayId, PlayItem, PlayTo, RoomId, StreamParams,
};
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// Starts the media plane.
#[derive(Debug)]
pub struct MediaPlane;

impl MediaPlane {
    /// Starts the worker threads and the loader. Needs no async runtime.
    ///
    /// # Errors
    /// When a range of `config` is empty or a thread cannot be started.
    pub fn start(config: MediaConfig) -> Result<(MediaHandle, mpsc::Receiver<MediaEvent>), MediaError> {
        let _ = config;
        todo!()
    }
}

/// Tells the media plane what to do. Cheap to clone. All calls return at once; only [`MediaHandle::open`] makes system
/// calls, and [`MediaHandle::shutdown`] waits for the threads to end, some milliseconds.
#[derive(Debug, Clone)]
pub struct MediaHandle {}

impl MediaHandle {
    /// Opens the media of `call` in `room`, which comes to life with its first call. Nothing is sent before
    /// [`MediaHandle::set_stream`]; nobody hears anybody before [`MediaHandle::set_voice`].
    ///
    /// Returns the local RTP address. Its port is even and taken at random from the range; RTCP has the one after it.
    ///
    /// # Errors
    /// [`MediaError::NoPorts`], [`MediaError::Socket`], [`MediaError::CallExists`], [`MediaError::ShutDown`].
    pub fn open(&self, call: MediaCallId, room: RoomId) -> Result<SocketAddr, MediaError> {
        let _ = (call, room);
        todo!()
    }

    /// Sets or changes the agreed stream. From the first time on packets go out every `ptime_ms` without a gap, silence
    /// where there is nothing to hear, except while `send` is false. Another `remote_rtp` than before forgets where the
    /// old packets came from.
    pub fn set_stream(&self, call: MediaCallId, stream: StreamParams) {
        let _ = (call, stream);
        todo!()
    }

    /// Says whether the party is heard by its room and whether it hears the room.
    pub fn set_voice(&self, call: MediaCallId, speaks: bool, listens: bool) {
        let _ = (call, speaks, listens);
        todo!()
    }

    /// Plays a list over whatever else is heard, also to those who do not listen to the room. Files are read off the media
    /// threads; a file that cannot be read is reported and left out. With `repeat` the list starts over until stopped.
    pub fn play(&self, to: PlayTo, id: PlayId, list: Vec<PlayItem>, repeat: bool) {
        let _ = (to, id, list, repeat);
        todo!()
    }

    /// Stops what is being played, also when its files are still being read. Unknown numbers are ignored.
    pub fn stop_play(&self, id: PlayId) {
        let _ = id;
        todo!()
    }

    /// Ends the call's media: RTCP BYE, sockets closed, ports free. [`MediaEvent::Closed`] follows.
    pub fn close(&self, call: MediaCallId) {
        let _ = call;
        todo!()
    }

    /// The call's counters now; `None` when it is not open.
    pub async fn stats(&self, call: MediaCallId) -> Option<CallStats> {
        let _ = call;
        todo!()
    }

    /// How busy the workers are.
    #[must_use]
    pub fn load(&self) -> PlaneLoad {
        todo!()
    }

    /// Closes every call, each with its [`MediaEvent::Closed`], and ends the threads.
    pub fn shutdown(&self) {
        todo!()
    }
}

/// How busy the media plane is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaneLoad {
    /// One for each worker.
    pub workers: Vec<WorkerLoad>,
}

/// How busy a worker is; counted from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerLoad {
    /// Calls open.
    pub calls: u64,
    /// Ticks of rooms: 50 a second for each room.
    pub ticks: u64,
    /// Ticks that began more than 2 ms after their time.
    pub ticks_late: u64,
    /// Ticks left out because the thread did not run for longer than 100 ms.
    pub ticks_skipped: u64,
    /// The latest any tick began, in microseconds.
    pub lateness_us_max: u64,
    /// Time spent in ticks, in microseconds.
    pub busy_us: u64,
}
