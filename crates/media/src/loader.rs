//! The loader thread: prepares what is to be played, so that media workers neither read nor decode files.

use crate::{
    Clip, MediaCallId, MediaEvent, PlayId, PlayOptions, RecordingId,
    command::{PlayTarget, WorkerCommand},
    files::Library,
    room::{Coaching, NameRecorder, Playback},
    route::CommandRouter,
};
use plenary_audio::{codec::Rate, spoken};
use std::{collections::HashSet, sync::mpsc::Receiver};
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
    HeardBy {
        call: MediaCallId,
        listeners: Option<Vec<MediaCallId>>,
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
    Shutdown,
}

/// Carries out jobs, in order, until [`Job::Shutdown`].
pub(crate) fn run(
    mut library: Library,
    jobs: &Receiver<Job>,
    router: &CommandRouter,
    events: &mpsc::Sender<MediaEvent>,
) {
    let fail = |id: PlayId, text: String| {
        warn!(play = id.0, %text, "an item of a play list is skipped");
        // If the queue is full the event is dropped; the log has it.
        let _ = events.try_send(MediaEvent::PlayFailed { id, text });
    };
    // Recordings that run and are still wanted.
    let mut wanted = HashSet::new();
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Play { to, id, list, options } => {
                let clips = list
                    .into_iter()
                    .filter_map(|item| library.clip(item).map_err(|text| fail(id, text)).ok());
                let playback = Box::new(Playback::with(id, clips.collect(), options));
                // Its listener may have moved meanwhile, or hung up.
                if !router.to_listeners(to, WorkerCommand::Play { to, playback }) {
                    debug!(play = id.0, ?to, "nobody is there any more to hear it");
                }
            }
            Job::StopPlay { id } => router.to_all(|| WorkerCommand::StopPlay { id }),
            Job::Hold { call, music } => {
                let music = music.map(|music| {
                    let clips = music.into_iter().filter_map(|item| {
                        let clip = library.clip(item);
                        clip.map_err(
                            |text| warn!(call = call.0, %text, "an item of music on hold is skipped"),
                        )
                        .ok()
                    });
                    let options = PlayOptions { repeat: true, ..PlayOptions::default() };
                    Box::new(Playback::with(PlayId(u64::MAX), clips.collect(), options).fading_in())
                });
                router.to_call(call, WorkerCommand::Hold { call, music });
            }
            Job::HeardBy { call, listeners } => {
                let coaching = listeners.map(|listeners| Box::new(Coaching::new(listeners)));
                router.to_call(call, WorkerCommand::HeardBy { call, coaching });
            }
            Job::Record { call, id } => {
                let recorder = Box::new(NameRecorder::new(id));
                if router.to_call(call, WorkerCommand::Record { call, recorder }) {
                    wanted.insert(id);
                }
            }
            Job::EndRecording { call } => {
                router.to_call(call, WorkerCommand::EndRecording { call });
            }
            Job::Recorded { call, recorder } => {
                let id = recorder.id;
                let spoken = spoken::announcement(recorder.samples(), Rate::Wide.frame());
                let length_ms = spoken.as_ref().map(|spoken| (spoken.len() / 16) as u32);
                if wanted.remove(&id)
                    && let Some(spoken) = spoken
                {
                    library.keep_recording(id, spoken);
                }
                let event = MediaEvent::Recorded { call, id, length_ms };
                router.to_call(call, WorkerCommand::Report { call, event });
            }
            Job::ForgetRecording { id } => {
                wanted.remove(&id);
                library.forget_recording(id);
            }
            Job::Shutdown => return,
        }
    }
}
