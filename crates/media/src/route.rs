//! The way of a command to the worker of its call or room.

use crate::{
    MediaCallId, OnMove, RoomId,
    command::{PlayTarget, WorkerCommand},
    directory::Directory,
    ports::PortPair,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender};

/// Sends commands to workers. The directory stays locked until a command is sent, so that commands to a call keep their
/// order while it moves from one worker to another. No packet waits for that lock.
#[derive(Debug, Clone)]
pub(crate) struct CommandRouter {
    directory: Arc<Mutex<Directory>>,
    workers: Arc<[Sender<WorkerCommand>]>,
}

/// Why a call cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// It is open.
    Exists,
    /// The workers have ended.
    ShutDown,
}

impl CommandRouter {
    pub(crate) fn new(workers: Vec<Sender<WorkerCommand>>) -> Self {
        let directory = Arc::new(Mutex::new(Directory::new(workers.len())));
        Self { directory, workers: workers.into() }
    }

    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a call in a room.
    pub(crate) fn open(
        &self,
        call: MediaCallId,
        room: RoomId,
        pair: PortPair,
        seed: u64,
    ) -> Result<(), NotOpened> {
        let mut directory = self.directory();
        let worker = directory.insert(call, room).ok_or(NotOpened::Exists)?;
        if self.send(worker, WorkerCommand::Open { call, room, pair, seed }).is_err() {
            directory.remove(call);
            return Err(NotOpened::ShutDown);
        }
        Ok(())
    }

    /// Moves a call to another room. Without effect if it is not open, or is there.
    pub(crate) fn move_call(&self, call: MediaCallId, room: RoomId, playing: OnMove) {
        let mut directory = self.directory();
        let Some((from, to)) = directory.move_call(call, room) else { return };
        let worker = (from != to).then_some(to);
        if worker.is_some() {
            // From now on commands go to the other worker, where they wait for the call.
            let _ = self.send(to, WorkerCommand::Expect { call });
        }
        let _ = self.send(from, WorkerCommand::Move { call, room, worker, playing });
    }

    /// Closes a call. Without effect if it is not open.
    pub(crate) fn close(&self, call: MediaCallId) {
        let mut directory = self.directory();
        let worker = directory.worker_of(call);
        directory.remove(call);
        if let Some(worker) = worker {
            let _ = self.send(worker, WorkerCommand::Close { call });
        }
    }

    /// Sends a command to the worker of a call. False: the call is not open.
    pub(crate) fn to_call(&self, call: MediaCallId, command: WorkerCommand) -> bool {
        let directory = self.directory();
        let worker = directory.worker_of(call);
        worker.is_some_and(|worker| self.send(worker, command).is_ok())
    }

    /// Sends a command to the worker of a playback's listeners. False: there are none.
    pub(crate) fn to_listeners(&self, of: PlayTarget, command: WorkerCommand) -> bool {
        let directory = self.directory();
        let worker = match of {
            PlayTarget::Call(call) => directory.worker_of(call),
            PlayTarget::Room { room, .. } => directory.worker_of_room(room),
        };
        worker.is_some_and(|worker| self.send(worker, command).is_ok())
    }

    /// Sends a command to every worker.
    pub(crate) fn to_all(&self, command: impl Fn() -> WorkerCommand) {
        // Not while a call moves: whether it is on its way is the same for all workers.
        let _directory = self.directory();
        (0..self.workers.len()).for_each(|worker| drop(self.send(worker, command())));
    }

    /// Sends a command to a worker. The error is the command, if the worker has ended.
    pub(crate) fn send(&self, worker: usize, command: WorkerCommand) -> Result<(), WorkerCommand> {
        self.workers[worker].send(command).map_err(|unsent| unsent.0)
    }
}
