//! The loader and the reader thread: they prepare what is to be played, so that media workers neither read nor decode files.
//!
//! ```text
//!   jobs ─▶ loader ── prompts, names, tones ─────────────────────▶ workers
//!              └──▶ reader ── files, sounds of accounts ─────────▶ workers
//! ```
//!
//! Reading a file or a database may take seconds. So what needs that has a thread of its own, and prompts do not wait for it. To
//! one listener the order stays: what comes behind something that is being read follows it, unless it is urgent.

use crate::{
    Clip, MediaCallId, MediaEvent, PlayId, PlayOptions, RecordingId, RoomId,
    command::{PlayTarget, WorkerCommand},
    files::Library,
    room::{LoadedClip, NameRecorder, Playback},
    route::CommandRouter,
};
use plenary_audio::{codec::Rate, spoken};
use std::{
    collections::{HashMap, HashSet},
    sync::mpsc::{Receiver, Sender},
};
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// A job for the loader. The queue has no bound: each job is an effect of a conference, a few for each call.
#[derive(Debug)]
pub(crate) enum Job {
    Play {
        to: PlayTarget,
        id: PlayId,
        list: Vec<Clip>,
        options: PlayOptions,
    },
    /// With `None` the call is no longer held.
    Hold {
        call: MediaCallId,
        music: Option<Vec<Clip>>,
    },
    StopPlay {
        id: PlayId,
    },
    Record {
        call: MediaCallId,
        id: RecordingId,
    },
    EndRecording {
        call: MediaCallId,
    },
    /// A recording has ended.
    Recorded {
        call: MediaCallId,
        recorder: Box<NameRecorder>,
    },
    ForgetRecording {
        id: RecordingId,
    },
    /// The reader has done one thing for this listener.
    Read {
        listener: Listener,
    },
    Shutdown,
}

/// A job for the reader. The queue has no bound, for the same reason.
#[derive(Debug)]
pub(crate) enum Reading {
    Play { to: PlayTarget, id: PlayId, parts: Vec<Part>, options: PlayOptions },
    Hold { call: MediaCallId, music: Option<Vec<Part>> },
    StopPlay { id: PlayId },
    Shutdown,
}

/// An item of a list on its way to the workers.
#[derive(Debug)]
pub(crate) enum Part {
    Loaded(LoadedClip),
    Unread(Clip),
}

/// Whose order is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Listener {
    Call(MediaCallId),
    Room(RoomId),
}

impl From<PlayTarget> for Listener {
    fn from(to: PlayTarget) -> Self {
        match to {
            PlayTarget::Call(call) => Self::Call(call),
            PlayTarget::Room { room, .. } => Self::Room(room),
        }
    }
}

/// Where both threads send what they have prepared.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    router: CommandRouter,
    events: mpsc::Sender<MediaEvent>,
}

impl Prepared {
    pub(crate) fn new(router: CommandRouter, events: mpsc::Sender<MediaEvent>) -> Self {
        Self { router, events }
    }

    fn play(&self, to: PlayTarget, id: PlayId, clips: Vec<LoadedClip>, options: PlayOptions) {
        let playback = Box::new(Playback::with(id, clips, options));
        // Its listener may have moved meanwhile, or hung up.
        if !self.router.to_listeners(to, WorkerCommand::Play { to, playback }) {
            debug!(play = id.0, ?to, "nobody is there any more to hear it");
        }
    }

    fn hold(&self, call: MediaCallId, music: Option<Vec<LoadedClip>>) {
        let music = music.map(|clips| {
            let options = PlayOptions { repeat: true, ..PlayOptions::default() };
            Box::new(Playback::with(PlayId(u64::MAX), clips, options).fading_in())
        });
        self.router.to_call(call, WorkerCommand::Hold { call, music });
    }

    fn stop(&self, id: PlayId) {
        self.router.to_all(|| WorkerCommand::StopPlay { id });
    }

    /// An item is left out. `id`: of which playback; `None`: of music on hold.
    fn skip(&self, id: Option<PlayId>, text: String) {
        match id {
            Some(id) => {
                warn!(play = id.0, %text, "an item of a play list is skipped");
                // If the queue is full the event is dropped; the log has it.
                let _ = self.events.try_send(MediaEvent::PlayFailed { id, text });
            }
            None => warn!(%text, "an item of music on hold is skipped"),
        }
    }
}

/// The loader thread.
#[derive(Debug)]
pub(crate) struct Loader {
    library: Library,
    prepared: Prepared,
    reader: Sender<Reading>,
    /// How much is with the reader, by listener.
    reading: HashMap<Listener, usize>,
    /// Recordings that run and are still wanted.
    wanted: HashSet<RecordingId>,
}

impl Loader {
    pub(crate) fn new(library: Library, prepared: Prepared, reader: Sender<Reading>) -> Self {
        Self { library, prepared, reader, reading: HashMap::new(), wanted: HashSet::new() }
    }

    /// Carries out jobs, in order, until [`Job::Shutdown`].
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Shutdown => break,
                job => self.carry_out(job),
            }
        }
        let _ = self.reader.send(Reading::Shutdown);
    }

    fn carry_out(&mut self, job: Job) {
        match job {
            Job::Play { to, id, list, options } => {
                let parts = self.load(Some(id), list);
                match loaded(parts, !options.urgent && self.reading.contains_key(&to.into())) {
                    Ok(clips) => self.prepared.play(to, id, clips, options),
                    Err(parts) => self.read(to.into(), Reading::Play { to, id, parts, options }),
                }
            }
            Job::Hold { call, music } => {
                let parts = music.map(|list| self.load(None, list));
                let follows = self.reading.contains_key(&Listener::Call(call));
                let read = |music| Reading::Hold { call, music };
                match parts.map(|parts| loaded(parts, follows)) {
                    None if follows => self.read(Listener::Call(call), read(None)),
                    None => self.prepared.hold(call, None),
                    Some(Ok(clips)) => self.prepared.hold(call, Some(clips)),
                    Some(Err(parts)) => self.read(Listener::Call(call), read(Some(parts))),
                }
            }
            Job::StopPlay { id } => {
                self.prepared.stop(id);
                if !self.reading.is_empty() {
                    let _ = self.reader.send(Reading::StopPlay { id });
                }
            }
            Job::Read { listener } => {
                if let Some(count) = self.reading.get_mut(&listener) {
                    *count -= 1;
                    if *count == 0 {
                        self.reading.remove(&listener);
                    }
                }
            }
            Job::Record { call, id } => {
                let recorder = Box::new(NameRecorder::new(id));
                if self.prepared.router.to_call(call, WorkerCommand::Record { call, recorder }) {
                    self.wanted.insert(id);
                }
            }
            Job::EndRecording { call } => {
                self.prepared.router.to_call(call, WorkerCommand::EndRecording { call });
            }
            Job::Recorded { call, recorder } => {
                let id = recorder.id;
                let spoken = spoken::announcement(recorder.samples(), Rate::Wide.frame());
                let length_ms = spoken.as_ref().map(|spoken| (spoken.len() / 16) as u32);
                if self.wanted.remove(&id)
                    && let Some(spoken) = spoken
                {
                    self.library.keep_recording(id, spoken);
                }
                let event = MediaEvent::Recorded { call, id, length_ms };
                self.prepared.router.to_call(call, WorkerCommand::Report { call, event });
            }
            Job::ForgetRecording { id } => {
                self.wanted.remove(&id);
                self.library.forget_recording(id);
            }
            Job::Shutdown => {}
        }
    }

    /// Everything that is in memory; the rest is left to the reader.
    fn load(&mut self, id: Option<PlayId>, list: Vec<Clip>) -> Vec<Part> {
        let mut part = |item: Clip| match item {
            Clip::File(_) | Clip::AccountSound { .. } => Some(Part::Unread(item)),
            item => match self.library.clip(item) {
                Ok(clip) => Some(Part::Loaded(clip)),
                Err(text) => {
                    self.prepared.skip(id, text);
                    None
                }
            },
        };
        list.into_iter().filter_map(&mut part).collect()
    }

    fn read(&mut self, listener: Listener, reading: Reading) {
        *self.reading.entry(listener).or_default() += 1;
        let _ = self.reader.send(reading);
    }
}

/// The clips of a list that can be played now. `Err`: it has something to read, or follows something that has.
fn loaded(parts: Vec<Part>, follows: bool) -> Result<Vec<LoadedClip>, Vec<Part>> {
    if follows || parts.iter().any(|part| matches!(part, Part::Unread(_))) {
        return Err(parts);
    }
    let clip = |part| match part {
        Part::Loaded(clip) => Some(clip),
        Part::Unread(_) => None,
    };
    Ok(parts.into_iter().filter_map(clip).collect())
}

/// The reader thread.
#[derive(Debug)]
pub(crate) struct Reader {
    library: Library,
    prepared: Prepared,
    loader: Sender<Job>,
}

impl Reader {
    pub(crate) fn new(library: Library, prepared: Prepared, loader: Sender<Job>) -> Self {
        Self { library, prepared, loader }
    }

    /// Carries out jobs, in order, until [`Reading::Shutdown`].
    pub(crate) fn run(mut self, jobs: &Receiver<Reading>) {
        while let Ok(job) = jobs.recv() {
            let listener = match job {
                Reading::Play { to, id, parts, options } => {
                    let clips = self.read(Some(id), parts);
                    self.prepared.play(to, id, clips, options);
                    to.into()
                }
                Reading::Hold { call, music } => {
                    let clips = music.map(|parts| self.read(None, parts));
                    self.prepared.hold(call, clips);
                    Listener::Call(call)
                }
                Reading::StopPlay { id } => {
                    self.prepared.stop(id);
                    continue;
                }
                Reading::Shutdown => return,
            };
            let _ = self.loader.send(Job::Read { listener });
        }
    }

    fn read(&mut self, id: Option<PlayId>, parts: Vec<Part>) -> Vec<LoadedClip> {
        let mut clip = |part| match part {
            Part::Loaded(clip) => Some(clip),
            Part::Unread(item) => match self.library.clip(item) {
                Ok(clip) => Some(clip),
                Err(text) => {
                    self.prepared.skip(id, text);
                    None
                }
            },
        };
        parts.into_iter().filter_map(&mut clip).collect()
    }
}
